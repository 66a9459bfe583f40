// SPDX-License-Identifier: Apache-2.0
#include "vision/channel_table.h"

#include <math.h>

#include "base/f16.h"

static uint32_t element_bits(double value, ferry_dtype dtype)
{
    switch (dtype) {
    case FERRY_F16:
        return ferry_f16_from_f32((float)value);
    case FERRY_U8:
        return (uint32_t)nearbyint(fmin(fmax(value, 0.0), 255.0));
    case FERRY_S8:
        return (uint8_t)(int8_t)nearbyint(fmin(fmax(value, -128.0), 127.0));
    default:
        return ferry_f32_bits((float)value);
    }
}

void ferry_channel_tables_make(const ferry_preprocess *o, ferry_dtype dtype, ferry_channel_table out[3])
{
    for (uint32_t c = 0; c < 3; c++) {
        const uint32_t rgb = o->color == FERRY_COLOR_GRAY ? 0 : o->color == FERRY_COLOR_BGR ? 2 - c : c;
        ferry_channel_table *t = &out[c];
        t->source = rgb;
        t->pad = element_bits((o->pad[rgb] - o->mean[rgb]) / o->std[rgb], dtype);
        for (uint32_t v = 0; v < 256; v++) t->of_byte[v] = element_bits((v - o->mean[rgb]) / o->std[rgb], dtype);
    }
}

// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "compare.h"

void cli_difference_add(cli_difference *d, const float *reference, const float *got, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const double r = (double)reference[i], g = (double)got[i], e = g - r;
        d->equal += reference[i] == got[i];
        if (!isfinite(r) || !isfinite(g)) {
            d->nonfinite++;
            continue;
        }
        d->reference2 += r * r;
        d->got2 += g * g;
        d->product += r * g;
        d->error2 += e * e;
        if (fabs(e) > d->max_abs) d->max_abs = fabs(e);
    }
    d->count += count;
}

double cli_difference_sqnr(const cli_difference *d)
{
    if (d->error2 <= 0) return INFINITY;
    return d->reference2 <= 0 ? -INFINITY : 10 * log10(d->reference2 / d->error2);
}

double cli_difference_cosine(const cli_difference *d)
{
    if (d->reference2 <= 0 && d->got2 <= 0) return 1;
    if (d->reference2 <= 0 || d->got2 <= 0) return 0;
    return d->product / sqrt(d->reference2 * d->got2);
}

double cli_finite_db(double db)
{
    return db > 999 ? 999 : db < -999 ? -999 : db;
}

static float from_half(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, fraction = h & 0x3ffu;
    if (exponent == 0) {
        const float x = ldexpf((float)fraction, -24);
        return sign ? -x : x;
    }
    const uint32_t bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float from_bf16(uint16_t b)
{
    const uint32_t bits = (uint32_t)b << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define EACH(type, expression)                                                                                         \
    for (size_t i = 0; i < n; i++) {                                                                                   \
        const type x = ((const type *)view->data)[i];                                                                  \
        out[i] = (expression);                                                                                         \
    }                                                                                                                  \
    return true

bool cli_tensor_to_float(const ferry_tensor_view *view, float scale, int32_t zero, float *out)
{
    const int64_t elements = ferry_tensor_view_elements(view);
    const size_t n = elements > 0 ? (size_t)elements : 0;
    const float s = scale != 0 ? scale : 1;
    switch (view->dtype) {
    case FERRY_F32:
        EACH(float, x);
    case FERRY_F64:
        EACH(double, (float)x);
    case FERRY_F16:
        EACH(uint16_t, from_half(x));
    case FERRY_BF16:
        EACH(uint16_t, from_bf16(x));
    case FERRY_S8:
        EACH(int8_t, (float)(x - zero) * s);
    case FERRY_U8:
    case FERRY_BOOL:
        EACH(uint8_t, (float)(x - zero) * s);
    case FERRY_S16:
        EACH(int16_t, (float)x);
    case FERRY_U16:
        EACH(uint16_t, (float)x);
    case FERRY_S32:
        EACH(int32_t, (float)x);
    case FERRY_U32:
        EACH(uint32_t, (float)x);
    case FERRY_S64:
        EACH(int64_t, (float)x);
    case FERRY_U64:
        EACH(uint64_t, (float)x);
    case FERRY_DTYPE_NONE:
        break;
    }
    return false;
}

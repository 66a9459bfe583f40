// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/depthwise_pack.h"

#include "backend/cpu/depthwise_shape.h"
#include "backend/cpu/scale_f16.h"
#include "base/f16.h"

bool ferry_depthwise_packed_floats(const ferry_depthwise_packing *packing, const int64_t *w_dims, int32_t w_rank,
                                   size_t *out_padded, size_t *out)
{
    size_t taps = 1;
    for (int32_t d = 2; d < w_rank; d++)
        if (w_dims[d] < 1 || !ferry_mul_size(taps, (size_t)w_dims[d], &taps)) return false;
    if (w_dims[0] < 1 || w_dims[0] > INT32_MAX || taps > FERRY_DEPTHWISE_TAPS) return false;
    *out_padded = ferry_align_size((size_t)w_dims[0], packing->multiple);
    // `multiple` is even: weights of 16 bits fill whole floats.
    const size_t each = packing->f16 ? 2 * sizeof(float) + taps * sizeof(uint16_t) : (taps + 1) * sizeof(float);
    return ferry_mul_size(*out_padded, each, out) && (*out /= sizeof(float), true);
}

static size_t place_of(const ferry_depthwise_packing *packing, size_t channel)
{
    return packing->place ? packing->place(packing->multiple, channel) : channel;
}

// w: of one channel.
static void pack_f32(const float *w, size_t taps, size_t padded, float *to)
{
    for (size_t t = 0; t < taps; t++) to[(t + 1) * padded] = w[t];
}

static void pack_f16(const float *w, size_t taps, size_t padded, float *columns, size_t at)
{
    float largest = 0;
    for (size_t t = 0; t < taps; t++) largest = fmaxf(largest, fabsf(w[t]));
    const int exponent = ferry_scale_f16_exponent(largest);
    uint16_t *to = (uint16_t *)(columns + 2 * padded) + at;
    columns[padded + at] = ldexpf(1, exponent);
    for (size_t t = 0; t < taps; t++) to[t * padded] = ferry_f16_from_f32(ldexpf(w[t], -exponent));
}

ferry_status ferry_depthwise_pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                                  const ferry_depthwise_packing *packing, void **out_data, size_t *out_bytes,
                                  ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_value *w = ferry_node_value(region->graph, node, 1), *b = ferry_node_value(region->graph, node, 2);
    const ferry_heap *heap = device->base.heap;
    size_t padded = 0, floats = 0;
    if (!w || !w->data || w->shape.rank < 3 ||
        !ferry_depthwise_packed_floats(packing, w->shape.dims, w->shape.rank, &padded, &floats))
        return ferry_misfit(tactic, "weights that cannot be packed", err);
    const size_t channels = (size_t)w->shape.dims[0];
    size_t taps = 1;
    for (int32_t d = 2; d < w->shape.rank; d++) taps *= (size_t)w->shape.dims[d];
    const float *weights = NULL, *bias = NULL;
    size_t weights_owned = 0, bias_owned = 0;
    float *packed = NULL;
    ferry_status s = ferry_constant_f32(heap, w, &weights, &weights_owned, err);
    if (s == FERRY_OK && b) s = ferry_constant_f32(heap, b, &bias, &bias_owned, err);
    if (s == FERRY_OK) packed = ferry_heap_alloc(heap, floats * sizeof *packed);
    if (s == FERRY_OK && !packed) s = ferry_fail_memory(err, "packed weights");
    for (size_t c = 0; s == FERRY_OK && c < channels; c++) {
        const size_t place = place_of(packing, c);
        if (bias) packed[place] = bias[c];
        if (packing->f16)
            pack_f16(weights + c * taps, taps, padded, packed, place);
        else
            pack_f32(weights + c * taps, taps, padded, packed + place);
    }
    ferry_constant_free(heap, weights, weights_owned);
    ferry_constant_free(heap, bias, bias_owned);
    if (s != FERRY_OK) return s;
    *out_data = packed;
    *out_bytes = floats * sizeof *packed;
    return FERRY_OK;
}

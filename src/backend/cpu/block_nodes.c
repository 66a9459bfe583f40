// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/block_nodes.h"

#include <string.h>

#define PACKED_ALIGN 64

static ferry_status pack_stage(ferry_cpu_device *device, const ferry_block_families *families, const ferry_graph *graph,
                               const ferry_conv_stage *stage, const char *tactic, void **out, size_t *out_bytes,
                               ferry_error *err)
{
    const ferry_region region = ferry_conv_stage_region(graph, stage);
    const ferry_value *w = ferry_node_value(graph, &graph->nodes[stage->nodes[0]], 1);
    if (!w || w->shape.rank < 3) return ferry_misfit(tactic, "weights that cannot be packed", err);
    const bool depthwise = ferry_node_int(&graph->nodes[stage->nodes[0]], "group", 1) > 1;
    return (depthwise ? families->depthwise : families->pointwise)
        ->pack(device, &region, depthwise || !families->pointwise_tactic ? tactic : families->pointwise_tactic, out,
               out_bytes, err);
}

ferry_status ferry_block_pack(ferry_cpu_device *device, const ferry_block_families *families,
                              const ferry_region *region, const char *tactic, void **out_data, size_t *out_bytes,
                              ferry_error *err)
{
    const ferry_heap *heap = device->base.heap;
    ferry_conv_stage stages[FERRY_BLOCK_STAGES];
    void *packed[FERRY_BLOCK_STAGES] = {NULL};
    size_t bytes[FERRY_BLOCK_STAGES] = {0}, all = 0;
    const int32_t n = ferry_conv_stages(region, stages, FERRY_BLOCK_STAGES);
    if (n < 2) return ferry_misfit(tactic, "not a chain of convolutions", err);
    ferry_status s = FERRY_OK;
    for (int32_t i = 0; s == FERRY_OK && i < n; i++) {
        s = pack_stage(device, families, region->graph, &stages[i], tactic, &packed[i], &bytes[i], err);
        all += ferry_align_size(bytes[i], PACKED_ALIGN);
    }
    char *together = s == FERRY_OK ? ferry_heap_alloc(heap, all) : NULL;
    if (s == FERRY_OK && !together) s = ferry_fail_memory(err, "packed weights");
    for (size_t i = 0, at = 0; i < (size_t)n; at += ferry_align_size(bytes[i], PACKED_ALIGN), i++) {
        if (together) memcpy(together + at, packed[i], bytes[i]);
        ferry_heap_free(heap, packed[i], bytes[i]);
    }
    if (s != FERRY_OK) return s;
    *out_data = together;
    *out_bytes = all;
    return FERRY_OK;
}

// What the stage gives for its input `x`, channels last.
static ferry_status describe_output(const ferry_graph *graph, const ferry_conv_stage *stage, const char *tactic,
                                    const ferry_tensor_desc *x, ferry_tensor_desc *y, ferry_error *err)
{
    const ferry_node *conv = &graph->nodes[stage->nodes[0]];
    const ferry_value *w = ferry_node_value(graph, conv, 1);
    ferry_window window;
    if (x->rank != 4 || !w || w->shape.rank != 4) return ferry_misfit(tactic, "not a convolution of planes", err);
    FERRY_TRY(ferry_window_read(conv, 2, w->shape.dims + 2, &window, err));
    *y = (ferry_tensor_desc){.dtype = x->dtype, .layout = FERRY_LAYOUT_CHANNELS_LAST, .rank = 4};
    y->dims[0] = x->dims[0];
    y->dims[1] = w->shape.dims[0];
    for (int32_t i = 0; i < 2; i++) FERRY_TRY(ferry_window_out(&window, i + 1, x->dims[i + 2], &y->dims[i + 2], err));
    size_t bytes = 0;
    if (!ferry_tensor_desc_bytes(y, &bytes)) return ferry_misfit(tactic, "a tensor beyond all memory", err);
    ferry_tensor_desc_set_strides(y);
    return FERRY_OK;
}

ferry_status ferry_block_read(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                              ferry_dtype dtype, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                              ferry_block_nodes *b, ferry_error *err)
{
    b->n = ferry_conv_stages(region, b->stages, FERRY_BLOCK_STAGES);
    if (b->n < 2) return ferry_misfit(tactic, "not a chain of convolutions", err);
    ferry_conv_shape shapes[FERRY_BLOCK_STAGES];
    ferry_tensor_desc x = {.dtype = FERRY_DTYPE_NONE}, y = x;
    for (int32_t i = 0; i < b->n; i++, x = y) {
        const ferry_conv_stage *stage = &b->stages[i];
        const ferry_region part = ferry_conv_stage_region(region->graph, stage);
        ferry_tensor_desc ins[FERRY_CONV_STAGE_INPUTS] = {x, x};
        for (int32_t k = i ? 1 : 0; k < stage->n_inputs; k++) ins[k] = in[ferry_region_input(region, stage->inputs[k])];
        if (i + 1 < b->n)
            FERRY_TRY(describe_output(region->graph, stage, tactic, &ins[0], &y, err));
        else
            y = out[0];
        FERRY_TRY(ferry_conv_node_read(device, &part, tactic, ins, &y, &b->nodes[i], err));
        shapes[i] = b->nodes[i].shape;
        if (!b->nodes[i].x_channels_last || ins[0].dtype != dtype || y.dtype != dtype)
            return ferry_misfit(tactic, "tensors of another type or layout", err);
    }
    b->kind = ferry_block_kind_of(shapes, b->n);
    if (b->kind == FERRY_BLOCK_NONE) return ferry_misfit(tactic, "not an inverted residual block", err);
    for (int32_t i = 0; i < b->n; i++)
        if (b->nodes[i].residual.present && (i + 1 < b->n || b->kind == FERRY_BLOCK_EXPAND_DEPTHWISE ||
                                             b->nodes[i].residual.at < 0 || b->nodes[i].residual.desc.dtype != dtype))
            return ferry_misfit(tactic, "a residual that it cannot take in", err);
    return FERRY_OK;
}

const void *ferry_block_take(const char **packed, size_t *bytes_left, size_t bytes)
{
    if (bytes > *bytes_left) return NULL;
    const void *taken = *packed;
    const size_t step = ferry_align_size(bytes, PACKED_ALIGN);
    if (step > *bytes_left) return NULL;
    *packed += step;
    *bytes_left -= step;
    return taken;
}

// SPDX-License-Identifier: Apache-2.0
// Linear Resize of floats and QResize over the last two of four dimensions, in either layout.
#include <math.h>
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/resize_loops.h"
#include "backend/reading/resize_node.h"
#include "ops/integer.h"

static const char tactic_name[] = "resize_linear";

#define ROW_MOST 4096 // widest input whose blended row fits the stack

typedef struct resize_kernel {
    ferry_cpu_kernel base;
    const ferry_resize_row *row;
    ferry_operand x;
    bool integer, channels_last;
    float mult, shift;
    int64_t n, c, in_h, in_w, out_h, out_w;
    int64_t x_n, x_c, x_h, y_n, y_c, y_h, y_w; // strides
    ferry_resize_tap2 *taps;                   // owned: [out_h] in rows, then [out_w] in elements
    size_t taps_bytes;
} resize_kernel;

typedef struct job {
    const resize_kernel *k;
    const void *x;
    void *y;
} job;

// An item is a row of an image.
static void rows_channels_last(void *context, size_t begin, size_t count)
{
    const job *j = context;
    const resize_kernel *k = j->k;
    for (size_t item = begin; item < begin + count; item++) {
        const int64_t image = (int64_t)item / k->out_h, h = (int64_t)item % k->out_h;
        const ferry_resize_tap2 *rows = &k->taps[h], *columns = k->taps + k->out_h;
        const int64_t top = image * k->x_n + rows->at0 * k->x_h, bottom = image * k->x_n + rows->at1 * k->x_h;
        const int64_t to = image * k->y_n + h * k->y_h;
        for (int64_t w = 0; w < k->out_w; w++) {
            if (k->integer)
                k->row->channels_s8((const int8_t *)j->x + top, (const int8_t *)j->x + bottom, rows->w1, &columns[w],
                                    k->mult, k->shift, (int8_t *)j->y + to + w * k->y_w, (size_t)k->c);
            else
                k->row->channels_f32((const float *)j->x + top, (const float *)j->x + bottom, rows->w0, rows->w1,
                                     &columns[w], (float *)j->y + to + w * k->y_w, (size_t)k->c);
        }
    }
}

// An item is a row of a plane.
static void rows_plain(void *context, size_t begin, size_t count)
{
    const job *j = context;
    const resize_kernel *k = j->k;
    float blended[ROW_MOST];
    for (size_t item = begin; item < begin + count; item++) {
        const int64_t plane = (int64_t)item / k->out_h, h = (int64_t)item % k->out_h;
        const ferry_resize_tap2 *rows = &k->taps[h], *columns = k->taps + k->out_h;
        const int64_t from = plane / k->c * k->x_n + plane % k->c * k->x_c;
        const int64_t to = plane / k->c * k->y_n + plane % k->c * k->y_c + h * k->y_h;
        const int64_t top = from + rows->at0 * k->x_h, bottom = from + rows->at1 * k->x_h;
        if (k->integer) {
            k->row->columns_s8((const int8_t *)j->x + top, (const int8_t *)j->x + bottom, rows->w1, columns, k->mult,
                               k->shift, (int8_t *)j->y + to, (size_t)k->out_w);
            continue;
        }
        k->row->blend_f32((const float *)j->x + top, (const float *)j->x + bottom, rows->w0, rows->w1, blended,
                          (size_t)k->in_w);
        k->row->columns_f32(blended, columns, (float *)j->y + to, (size_t)k->out_w);
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const resize_kernel *k = (const resize_kernel *)kernel;
    job j = {k, ferry_cpu_operand_data(&k->x, r), r->out[0].data};
    if (k->channels_last)
        ferry_parallel_1d(r->pool, rows_channels_last, &j, (size_t)(k->n * k->out_h), 1);
    else
        ferry_parallel_1d(r->pool, rows_plain, &j, (size_t)(k->n * k->c * k->out_h), 8);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    resize_kernel *k = (resize_kernel *)kernel;
    ferry_heap_free(kernel->base.device->heap, k->taps, k->taps_bytes);
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static int64_t inside(int64_t at, int64_t size)
{
    return at < 0 ? 0 : at >= size ? size - 1 : at;
}

// The taps of the two axes of a float Resize; `unit` is the step of the second. False when it is another kind of node.
static bool float_taps(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x,
                       const ferry_tensor_desc *y, int64_t unit, ferry_resize_tap2 *taps)
{
    ferry_resize_options options;
    ferry_resize_axis axes[FERRY_MAX_RANK];
    if (!ferry_node_is(node, "Resize") || !ferry_resize_node_read(g, node, x, y, &options, axes) ||
        options.kind != FERRY_RESIZE_LINEAR || !ferry_resize_axis_is_identity(&axes[0]) ||
        !ferry_resize_axis_is_identity(&axes[1]))
        return false;
    for (int32_t d = 2; d < 4; d++)
        for (int64_t o = 0; o < y->dims[d] && taps; o++) {
            double weights[8];
            int64_t first = o;
            bool outside = false;
            weights[0] = 1, weights[1] = 0;
            if (!ferry_resize_axis_is_identity(&axes[d])) {
                const double source = ferry_resize_source(&options, &axes[d], o, &outside);
                if (ferry_resize_weights(&options, &axes[d], source, &first, weights) != 2) return false;
            }
            const int64_t step = d == 3 ? unit : 1;
            *taps++ = (ferry_resize_tap2){.at0 = (int32_t)(inside(first, x->dims[d]) * step),
                                          .at1 = (int32_t)(inside(first + 1, x->dims[d]) * step),
                                          .w0 = (float)weights[0],
                                          .w1 = (float)weights[1]};
        }
    return true;
}

static bool integer_taps(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x,
                         const ferry_tensor_desc *y, int64_t unit, ferry_resize_tap2 *taps)
{
    ferry_resize_mode mode;
    if (!ferry_node_is(node, "QResize") || ferry_resize_mode_read(node, &mode, NULL) != FERRY_OK ||
        x->dims[0] != y->dims[0] || x->dims[1] != y->dims[1])
        return false;
    for (int32_t d = 2; d < 4; d++) {
        double scale = (double)y->dims[d] / (double)x->dims[d];
        if (!ferry_node_value(g, node, 2) && !ferry_resize_node_scale(g, node, 1, d, &scale)) return false;
        if (!(scale > 0)) return false;
        for (int64_t o = 0; o < y->dims[d] && taps; o++) {
            const ferry_resize_tap tap = ferry_resize_tap_at(mode, o, x->dims[d], y->dims[d], scale);
            const int64_t step = d == 3 ? unit : 1;
            *taps++ = (ferry_resize_tap2){
                .at0 = (int32_t)(tap.i0 * step), .at1 = (int32_t)(tap.i1 * step), .w0 = 0, .w1 = tap.w};
        }
    }
    return true;
}

// taps: room for out_h + out_w, or NULL to ask only.
static bool make_taps(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x,
                      const ferry_tensor_desc *y, ferry_resize_tap2 *taps)
{
    if (x->rank != 4 || y->rank != 4 || x->dtype != y->dtype || x->layout != y->layout) return false;
    for (int32_t d = 0; d < 4; d++)
        if (x->dims[d] < 1 || y->dims[d] < 1 || x->dims[d] > INT32_MAX || y->dims[d] > INT32_MAX) return false;
    const bool channels_last = x->layout == FERRY_LAYOUT_CHANNELS_LAST;
    if (channels_last ? x->dims[3] > INT32_MAX / x->dims[1] : x->dims[3] > ROW_MOST) return false;
    const int64_t unit = channels_last ? x->dims[1] : 1;
    return x->dtype == FERRY_S8 ? integer_taps(g, node, x, y, unit, taps) : float_taps(g, node, x, y, unit, taps);
}

static ferry_status fill_kernel(resize_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *y,
                                ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    k->x = ferry_operand_of(region, in, 0);
    const ferry_tensor_desc *x = &k->x.desc;
    if (!k->x.present || (x->dtype != FERRY_F32 && x->dtype != FERRY_S8) ||
        !make_taps(region->graph, node, x, y, NULL) || !ferry_tensor_desc_is_dense(x, x->layout) ||
        !ferry_tensor_desc_is_dense(y, y->layout))
        return ferry_misfit(tactic, "a resizing that it does not do", err);
    k->taps_bytes = (size_t)(y->dims[2] + y->dims[3]) * sizeof *k->taps;
    k->taps = ferry_heap_alloc(device->base.heap, k->taps_bytes);
    if (!k->taps) return ferry_fail_memory(err, "a resizing");
    if (!make_taps(region->graph, node, x, y, k->taps))
        return ferry_misfit(tactic, "a resizing that it does not do", err);
    k->row = ferry_resize_pick(device->isa);
    k->integer = x->dtype == FERRY_S8;
    k->channels_last = x->layout == FERRY_LAYOUT_CHANNELS_LAST;
    k->mult = ferry_node_float(node, "mult", 1.0f);
    k->shift = ferry_node_float(node, "shift", 0.0f);
    k->n = x->dims[0], k->c = x->dims[1], k->in_h = x->dims[2], k->in_w = x->dims[3];
    k->out_h = y->dims[2], k->out_w = y->dims[3];
    k->x_n = x->strides[0], k->x_c = x->strides[1], k->x_h = x->strides[2];
    k->y_n = y->strides[0], k->y_c = y->strides[1], k->y_h = y->strides[2], k->y_w = y->strides[3];
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    resize_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a resizing");
    k->base.deinit = deinit;
    return ferry_cpu_kernel_done(&k->base, fill_kernel(k, device, region, tactic, in, &out[0], err), out_kernel);
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (node->n_inputs < 1 || !ferry_node_is_plain(view, root) || ferry_node_has_constant(g, node, 0)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    if (!ferry_dtype_widens_to_f32(x->dtype) && x->dtype != FERRY_S8) return FERRY_OK;
    for (int l = 0; l < 2; l++) {
        const ferry_tensor_layout layout = l ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
        const ferry_tensor_desc in = ferry_value_describe(x, layout);
        const ferry_tensor_desc out = ferry_value_describe(y, layout);
        if (!make_taps(g, node, &in, &out, NULL)) continue;
        const double elements = ferry_value_elements(y);
        // Columns are gathered one by one; channels come in vectors, with some ns to begin each.
        const double us = l ? elements / (double)in.dims[1] * 4e-3 + elements * 3e-4 : elements * 1.5e-3;
        const double moved = ferry_cpu_cost_us(device, FERRY_F32, 0, ferry_value_bytes(x) + ferry_value_bytes(y));
        FERRY_TRY(ferry_offer_node(sink, tactic_name, root, layout, layout, 0, us + moved, err));
    }
    return FERRY_OK;
}

extern const ferry_cpu_family ferry_cpu_family_resize_linear;
const ferry_cpu_family ferry_cpu_family_resize_linear = {
    .name = "resize_linear",
    .via_f32 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};

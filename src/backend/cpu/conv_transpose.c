// SPDX-License-Identifier: Apache-2.0
// Transposed convolution of f32 or bf16, channels last, as one matrix product for each phase of the stride: every
// output is written once, and nothing is scattered and added. Any window, stride, pad, dilation and group.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/loops_half.h"
#include "backend/cpu/node.h"
#include "backend/cpu/row_source.h"
#include "backend/cpu/tail.h"
#include "backend/cpu/transpose_phases.h"
#include "backend/cpu/transpose_product.h"
#include "base/thread_pool.h"
#include "ops/op.h"

static const char tactic_f32[] = "conv_transpose_f32_phases", tactic_bf16[] = "conv_transpose_bf16_phases";

#define BARE_ROWS 96    // stored at a time where no tap reaches
#define STACKED_ROWS 96 // most that are made before their parts go to their lines
#define WIDENED 1024    // elements of bf16 that are widened at a time

typedef struct phase_part {
    ferry_row_source source;
    ferry_phase_places places[3];
    ferry_transpose_weights weights; // of one group
    size_t at, group_bytes;          // in the packed weights: where the first group begins, and what each takes
} phase_part;

typedef struct transpose_kernel {
    ferry_cpu_kernel base;
    uint32_t isa;
    ferry_transpose_product product;
    size_t elem_bytes;
    ferry_transpose_filter filter;
    ferry_transpose_shape shape;
    ferry_operand x;
    const char *packed; // borrowed
    ferry_finish finish;
    ferry_unary_f32_loop act;           // for finished lines, instead of the finish; NULL: none
    const ferry_loops_half_row *narrow; // for `act` on bf16
    phase_part *phases;                 // owned: [n_phases]
    size_t n_phases;
    void *zeros; // owned: what a tap beyond the input points to
    size_t zeros_bytes;
} transpose_kernel;

typedef struct transpose_run {
    const transpose_kernel *k;
    const char *x;
    char *y;
} transpose_run;

// Rows [row, row + rows) of a phase, which lie on one line of the output: the first at y, the others y_stride elements
// apart.
static void run_rows(const transpose_run *run, const phase_part *p, size_t row, size_t rows, char *y, size_t y_stride)
{
    const transpose_kernel *k = run->k;
    ferry_row_buffer buffer;
    ferry_transpose_rows some = {.weights = &p->weights,
                                 .packed = k->packed + p->at,
                                 .x = &buffer,
                                 .rows = rows,
                                 .y_stride = y_stride,
                                 .y = y,
                                 .finish = &k->finish};
    for (size_t g = 0; g < (size_t)k->filter.group; g++) {
        if (p->source.taps) ferry_row_source_get(&p->source, run->x, g, row, rows, k->product.mr, &buffer);
        k->product.run(k->isa, &some);
        some.packed += p->group_bytes;
        some.y += p->weights.columns * k->elem_bytes;
    }
}

// n pieces of `bytes` each, `step` bytes apart, one behind the other.
static void gather_pieces(const char *from, size_t step, size_t bytes, size_t n, char *to)
{
    switch (bytes) { // a copy of constant size is one instruction
    case 4:
        for (size_t i = 0; i < n; i++) memcpy(to + i * 4, from + i * step, 4);
        return;
    case 8:
        for (size_t i = 0; i < n; i++) memcpy(to + i * 8, from + i * step, 8);
        return;
    default:
        for (size_t i = 0; i < n; i++) memcpy(to + i * bytes, from + i * step, bytes);
    }
}

// The same for stacked lines: what a row makes of each line goes there, `line` elements behind the one before.
static void run_stacked(const transpose_run *run, const phase_part *p, size_t row, size_t rows, char *y, size_t line)
{
    float made[STACKED_ROWS * FERRY_TRANSPOSE_NARROW]; // of either type
    const size_t stacked = (size_t)run->k->filter.stacked, bytes = run->k->elem_bytes;
    const size_t all = (size_t)run->k->filter.m_each, each = all / stacked * bytes;
    run_rows(run, p, row, rows, (char *)made, all);
    for (size_t h = 0; h < stacked; h++)
        gather_pieces((const char *)made + h * each, all * bytes, each, rows, y + h * line * bytes);
}

// A finished line's activation.
static void run_act(const transpose_kernel *k, char *line, size_t elements)
{
    if (!k->narrow) {
        k->act((float *)line, (float *)line, elements, k->finish.parameters);
        return;
    }
    float wide[WIDENED];
    uint16_t *y = (uint16_t *)line;
    for (size_t i = 0; i < elements; i += WIDENED) {
        const size_t n = elements - i < WIDENED ? elements - i : WIDENED;
        k->narrow->widen(y + i, wide, n);
        k->act(wide, wide, n, k->finish.parameters);
        k->narrow->narrow(wide, y + i, n);
    }
}

// A phase's outputs on one line: picture n, at d and h as the phase counts them.
static void run_line(const transpose_run *run, const phase_part *p, int64_t n, int64_t d, int64_t h)
{
    const transpose_kernel *k = run->k;
    const int64_t *stride = k->filter.stride, *out = k->shape.out;
    const size_t width = (size_t)p->places[2].count, position = (size_t)(k->filter.m_each * k->filter.group);
    const size_t bytes = k->elem_bytes;
    size_t block = p->source.taps ? ferry_row_source_block(&p->source, k->product.mr) : BARE_ROWS;
    const int64_t out_d = p->places[0].first + d * stride[0], out_h = p->places[1].first + h * stride[1];
    const size_t first_row = (size_t)((n * p->places[0].count + d) * p->places[1].count + h) * width;
    char *y =
        run->y + (size_t)(((n * out[0] + out_d) * out[1] + out_h) * out[2] + p->places[2].first) * position * bytes;
    if (k->filter.stacked > 1) {
        const size_t each = position / (size_t)k->filter.stacked;
        if (block > STACKED_ROWS) block = STACKED_ROWS;
        for (size_t at = 0; at < width; at += block)
            run_stacked(run, p, first_row + at, width - at < block ? width - at : block, y + at * each * bytes,
                        width * each);
        return;
    }
    for (size_t at = 0; at < width; at += block)
        run_rows(run, p, first_row + at, width - at < block ? width - at : block,
                 y + at * (size_t)stride[2] * position * bytes, (size_t)stride[2] * position);
}

// An item is a line of the output; the phases along it follow each other, so that it stays in the cache.
static void run_lines(void *context, size_t begin, size_t count)
{
    const transpose_run *run = context;
    const transpose_kernel *k = run->k;
    const int64_t *stride = k->filter.stride, *out = k->shape.out, *pad = k->shape.pad;
    for (size_t item = begin; item < begin + count; item++) {
        const int64_t h = (int64_t)item % out[1], rest = (int64_t)item / out[1], d = rest % out[0];
        const int64_t first = ((d + pad[0]) % stride[0] * stride[1] + (h + pad[1]) % stride[1]) * stride[2];
        for (int64_t i = 0; i < stride[2]; i++)
            run_line(run, &k->phases[first + i], rest / out[0], d / stride[0], h / stride[1]);
        const size_t line = (size_t)(out[2] * k->filter.m_each * k->filter.group);
        if (k->act) run_act(k, run->y + item * line * k->elem_bytes, line);
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const transpose_kernel *k = (const transpose_kernel *)kernel;
    transpose_run run = {k, ferry_cpu_operand_data(&k->x, r), r->out[0].data};
    const size_t lines = (size_t)(k->shape.batch * k->shape.out[0] * k->shape.out[1]);
    ferry_parallel_1d(r->pool, run_lines, &run, lines, 1);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    transpose_kernel *k = (transpose_kernel *)kernel;
    ferry_heap_free(kernel->base.device->heap, k->phases, k->n_phases * sizeof *k->phases);
    ferry_heap_free(kernel->base.device->heap, k->zeros, k->zeros_bytes);
}

static bool owns_f32(const char *tactic)
{
    return strcmp(tactic, tactic_f32) == 0;
}

static bool owns_bf16(const char *tactic)
{
    return strcmp(tactic, tactic_bf16) == 0;
}

static bool pick_product(const ferry_cpu_device *device, const char *tactic, ferry_transpose_product *out)
{
    return ferry_transpose_product_pick(device->isa, owns_bf16(tactic) ? FERRY_BF16 : FERRY_F32, out);
}

// --- Packed weights: phase by phase, in each the groups --------------------------------------------------------------

static ferry_transpose_weights weights_of(const ferry_transpose_filter *f, size_t phase)
{
    return (ferry_transpose_weights){.taps = ferry_transpose_phase_depth(f, phase) / (size_t)f->c_each,
                                     .kc = (size_t)f->c_each,
                                     .columns = (size_t)f->m_each};
}

// What a group of that phase takes, and *at moved on behind all groups; false when it could not be.
static bool phase_bytes(const ferry_transpose_product *product, uint32_t isa, const ferry_transpose_filter *f,
                        size_t phase, size_t *out, size_t *at)
{
    const ferry_transpose_weights weights = weights_of(f, phase);
    size_t all = 0;
    return product->packed_bytes(isa, &weights, out) && ferry_mul_size(*out, (size_t)f->group, &all) &&
           ferry_add_size(*at, all, at);
}

// by_tap: room for one phase of one group; biases: [m_each].
static void pack_phases(const ferry_transpose_product *product, uint32_t isa, const ferry_transpose_filter *f,
                        const float *w, const float *bias, float *by_tap, float *biases, char *packed)
{
    const size_t columns = (size_t)f->m_each, m_each = columns / (size_t)(f->merged * f->stacked);
    size_t each = 0, end = 0;
    for (size_t p = 0; p < ferry_transpose_phase_count(f); p++) {
        const ferry_transpose_weights weights = weights_of(f, p);
        char *to = packed + end;
        phase_bytes(product, isa, f, p, &each, &end);
        for (size_t g = 0; g < (size_t)f->group; g++, to += each) {
            for (size_t c = 0; c < columns; c++) biases[c] = bias ? bias[g * m_each + c % m_each] : 0;
            ferry_transpose_phase_weights(f, p, (int64_t)g, w, by_tap);
            product->pack(isa, &weights, by_tap, biases, to);
        }
    }
}

static ferry_status pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_value *w = ferry_node_value(region->graph, node, 1), *b = ferry_node_value(region->graph, node, 2);
    const ferry_heap *heap = device->base.heap;
    ferry_transpose_product product;
    ferry_transpose_filter f;
    size_t bytes = 0, each = 0, deepest = 0;
    bool fits = pick_product(device, tactic, &product) && w && w->data &&
                ferry_transpose_filter_read(node, w->shape.rank, w->shape.dims, &f);
    for (size_t p = 0; fits && p < ferry_transpose_phase_count(&f); p++) {
        const size_t depth = ferry_transpose_phase_depth(&f, p);
        fits = phase_bytes(&product, device->isa, &f, p, &each, &bytes);
        deepest = depth > deepest ? depth : deepest;
    }
    if (!fits) return ferry_misfit(tactic, "weights that cannot be packed", err);
    const size_t room = deepest * (size_t)f.m_each + (size_t)f.m_each;
    const float *weights = NULL, *bias = NULL;
    size_t weights_owned = 0, bias_owned = 0;
    ferry_status s = ferry_constant_f32(heap, w, &weights, &weights_owned, err);
    if (s == FERRY_OK && b) s = ferry_constant_f32(heap, b, &bias, &bias_owned, err);
    float *scratch = s == FERRY_OK ? ferry_heap_alloc_array(heap, room, sizeof *scratch) : NULL;
    char *packed = s == FERRY_OK ? ferry_heap_alloc_uninit(heap, bytes) : NULL;
    if (s == FERRY_OK && (!scratch || !packed)) s = ferry_fail_memory(err, "packed weights");
    if (s == FERRY_OK) {
        pack_phases(&product, device->isa, &f, weights, bias, scratch + f.m_each, scratch, packed);
        *out_data = packed;
        *out_bytes = bytes;
    } else {
        ferry_heap_free(heap, packed, bytes);
    }
    ferry_heap_free(heap, scratch, room * sizeof *scratch);
    ferry_constant_free(heap, weights, weights_owned);
    ferry_constant_free(heap, bias, bias_owned);
    return s;
}

// --- Preparing -------------------------------------------------------------------------------------------------------

static bool fill_phase(const transpose_kernel *k, size_t index, phase_part *p, size_t *end)
{
    ferry_conv_shape conv;
    p->at = *end;
    ferry_transpose_phase_conv(&k->filter, &k->shape, index, &conv, p->places);
    p->weights = weights_of(&k->filter, index);
    if (!phase_bytes(&k->product, k->isa, &k->filter, index, &p->group_bytes, end)) return false;
    if (!ferry_row_source_conv(&conv, k->elem_bytes, k->product.mr, 0, &p->source)) return false;
    for (int32_t i = 0; i < 3; i++) // a phase need not have an output for every position
        if (conv.out[i] != conv.in[i]) p->source.kind = FERRY_ROWS_TAPS;
    p->source.zeros = k->zeros;
    return true;
}

static ferry_status fill_kernel(transpose_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *y,
                                size_t packed_bytes, ferry_error *err)
{
    ferry_operand residual = {.at = -1};
    k->finish = (ferry_finish){.low = -INFINITY, .high = INFINITY, .r_mult = 1};
    FERRY_TRY(ferry_tail_read(device, region, tactic, in, y, &k->finish, &residual, err));
    if (residual.present) return ferry_misfit(tactic, "a residual", err);
    if (!pick_product(device, tactic, &k->product))
        return ferry_misfit(tactic, "no kernel for this instruction set", err);
    k->isa = device->isa;
    k->elem_bytes = ferry_dtype_bytes(k->product.dtype);
    if (k->finish.kind == FERRY_FINISH_LOOP) { // lines have whole vectors, and tiles of few columns don't
        k->finish.kind = FERRY_FINISH_CLAMP;
        k->act = k->finish.loop;
        if (k->product.dtype == FERRY_BF16) k->narrow = ferry_loops_half_pick(device->isa, FERRY_BF16);
    }
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    const ferry_operand w = ferry_operand_of(region, in, 1);
    size_t bytes = 0, end = 0;
    k->x = ferry_operand_of(region, in, 0);
    if (!k->x.present || !w.data || k->x.desc.dtype != k->product.dtype || y->dtype != k->product.dtype ||
        !ferry_tensor_desc_is_dense(&k->x.desc, FERRY_LAYOUT_CHANNELS_LAST) ||
        !ferry_tensor_desc_is_dense(y, FERRY_LAYOUT_CHANNELS_LAST) || !ferry_tensor_desc_bytes(&k->x.desc, &bytes) ||
        !ferry_tensor_desc_bytes(y, &bytes) ||
        !ferry_transpose_filter_read(node, w.desc.rank, w.desc.dims, &k->filter) ||
        !ferry_transpose_shape_read(node, &k->filter, &k->x.desc, y, &k->shape))
        return ferry_misfit(tactic, "input, weights and output that do not fit together", err);
    k->n_phases = ferry_transpose_phase_count(&k->filter);
    k->phases = ferry_heap_alloc_array(device->base.heap, k->n_phases, sizeof *k->phases);
    k->zeros_bytes = (size_t)k->filter.c_each * k->elem_bytes;
    k->zeros = ferry_heap_alloc(device->base.heap, k->zeros_bytes);
    if (!k->phases || !k->zeros) return ferry_fail_memory(err, "a transposed convolution");
    for (size_t i = 0; i < k->n_phases; i++)
        if (!fill_phase(k, i, &k->phases[i], &end))
            return ferry_misfit(tactic, "a filter of more taps than it can take", err);
    return end == packed_bytes ? FERRY_OK : ferry_misfit(tactic, "packed weights of another size", err);
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    transpose_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a transposed convolution");
    k->base.deinit = deinit;
    k->packed = packed;
    return ferry_cpu_kernel_done(&k->base, fill_kernel(k, device, region, tactic, in, out, packed_bytes, err),
                                 out_kernel);
}

static ferry_status offer(ferry_cpu_device *device, const char *tactic, const ferry_graph_view *view,
                          ferry_node_id root, const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_tail tail;
    ferry_tail_find(view, root, &tail);
    const ferry_node *node = &g->nodes[tail.nodes[0]];
    ferry_transpose_product product;
    if (!pick_product(device, tactic, &product)) return FERRY_OK;
    if (!ferry_node_is(node, "ConvTranspose") || tail.adds || !ferry_node_is_plain(view, tail.nodes[0]) ||
        ferry_node_has_constant(g, node, 0) || !ferry_node_has_constant(g, node, 1) ||
        (ferry_node_value(g, node, 2) && !ferry_node_has_constant(g, node, 2)))
        return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *w = ferry_node_value(g, node, 1);
    const ferry_value *y = ferry_node_result(g, node);
    const ferry_tensor_desc in = ferry_value_describe(x, FERRY_LAYOUT_CHANNELS_LAST);
    const ferry_tensor_desc out = ferry_value_describe(y, FERRY_LAYOUT_CHANNELS_LAST);
    ferry_transpose_filter f;
    ferry_transpose_shape shape;
    const bool typed = product.dtype == FERRY_BF16 ? x->dtype == FERRY_BF16 && y->dtype == FERRY_BF16
                                                   : ferry_dtype_widens_to_f32(x->dtype);
    if (!typed || !ferry_dtype_widens_to_f32(w->dtype) ||
        !ferry_transpose_filter_read(node, w->shape.rank, w->shape.dims, &f) ||
        !ferry_transpose_shape_read(node, &f, &in, &out, &shape))
        return FERRY_OK;
    double macs = 0;
    for (size_t p = 0; p < ferry_transpose_phase_count(&f); p++) {
        const size_t depth = ferry_transpose_phase_depth(&f, p);
        if (depth / (size_t)f.c_each > FERRY_ROWS_POINTERS / product.mr) return FERRY_OK;
        macs += (double)depth / (double)ferry_transpose_phase_count(&f);
    }
    // A panel that is not full costs as much as a full one.
    const size_t padded = ((size_t)f.m_each + product.vec - 1) / product.vec * product.vec;
    macs *= ferry_value_elements(y) * (double)padded / (double)f.m_each;
    const double bytes = ferry_value_bytes(x) + ferry_value_bytes(w) + ferry_value_bytes(y);
    return ferry_tail_offer(sink, tactic, &tail, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST,
                            ferry_cpu_cost_us(device, product.dtype, macs + tail.macs, bytes), err);
}

static ferry_status offer_f32(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                              const ferry_offer_sink *sink, ferry_error *err)
{
    return offer(device, tactic_f32, view, root, sink, err);
}

static ferry_status offer_bf16(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    return offer(device, tactic_bf16, view, root, sink, err);
}

extern const ferry_cpu_family ferry_cpu_family_conv_transpose_f32, ferry_cpu_family_conv_transpose_bf16;
const ferry_cpu_family ferry_cpu_family_conv_transpose_f32 = {
    .name = "conv_transpose_f32",
    .via_f32 = true,
    .offer = offer_f32,
    .owns = owns_f32,
    .pack = pack,
    .prepare = prepare,
};
const ferry_cpu_family ferry_cpu_family_conv_transpose_bf16 = {
    .name = "conv_transpose_bf16",
    .multiplies_bf16 = true,
    .offer = offer_bf16,
    .owns = owns_bf16,
    .pack = pack,
    .prepare = prepare,
};

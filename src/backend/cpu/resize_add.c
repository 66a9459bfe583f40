// SPDX-License-Identifier: Apache-2.0
// Adds to a tensor what a nearest Resize makes of a smaller one, which is never there as a whole: pyramids of features
// do so where their tensors are largest. Channels last, f32 and bf16, in place over what is added to.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/loops_half.h"
#include "backend/reading/resize_node.h"
#include "ops/element.h"

static const char tactic_name[] = "resize_add";

enum { RESIZE, ADD, NODES };

#define MOST_TABLE_BYTES ((size_t)1 << 26) // 8 bytes for each index of an output dimension

typedef struct sum_kernel {
    ferry_cpu_kernel base;
    ferry_operand x, other; // x: what is resized
    ferry_binary_f32_loop loop;
    ferry_binary_bf16_loop loop_bf16; // instead of the other; NULL: f32
    size_t elem_bytes, rows, channels;
    // Dimensions of positions, the batch first.
    int32_t rank;
    int64_t dims[FERRY_MAX_RANK], y_strides[FERRY_MAX_RANK], other_strides[FERRY_MAX_RANK];
    int64_t *tables[FERRY_MAX_RANK]; // offsets into x, in elements
    int64_t *all;                    // owned: the tables
    size_t all_bytes;
} sum_kernel;

typedef struct job {
    const sum_kernel *k;
    const char *x, *other;
    char *y;
} job;

// Rows of positions.
static void run_some(void *context, size_t begin, size_t count)
{
    const job *j = context;
    const sum_kernel *k = j->k;
    const int32_t last = k->rank - 1;
    const ptrdiff_t bytes = (ptrdiff_t)k->elem_bytes;
    const ptrdiff_t y_step = k->y_strides[last] * bytes, other_step = k->other_strides[last] * bytes;
    for (size_t row = begin; row < begin + count; row++) {
        size_t rest = row;
        ptrdiff_t x_at = 0, other_at = 0, y_at = 0;
        for (int32_t d = last - 1; d >= 0; d--) {
            const size_t i = rest % (size_t)k->dims[d];
            rest /= (size_t)k->dims[d];
            x_at += k->tables[d][i];
            other_at += (ptrdiff_t)i * k->other_strides[d];
            y_at += (ptrdiff_t)i * k->y_strides[d];
        }
        const char *x = j->x + x_at * bytes, *other = j->other + other_at * bytes;
        char *y = j->y + y_at * bytes;
        for (int64_t w = 0; w < k->dims[last]; w++, other += other_step, y += y_step) {
            const void *from = x + k->tables[last][w] * bytes;
            if (k->loop_bf16)
                k->loop_bf16((const void *)other, from, (void *)y, k->channels, 1, 1);
            else
                k->loop((const void *)other, from, (void *)y, k->channels, 1, 1);
        }
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const sum_kernel *k = (const sum_kernel *)kernel;
    job j = {k, ferry_cpu_operand_data(&k->x, r), ferry_cpu_operand_data(&k->other, r), r->out[0].data};
    const size_t row_bytes = (size_t)k->dims[k->rank - 1] * k->channels * k->elem_bytes;
    if (k->rows == 0 || row_bytes == 0) return FERRY_OK;
    ferry_parallel_1d(r->pool, run_some, &j, k->rows, row_bytes >= 16384 ? 1 : 16384 / row_bytes);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    sum_kernel *k = (sum_kernel *)kernel;
    ferry_heap_free(kernel->base.device->heap, k->all, k->all_bytes);
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// --- Reading the nodes ----------------------------------------------------------------------------------------------

typedef struct resizing {
    ferry_resize_options options;
    ferry_resize_axis axes[FERRY_MAX_RANK];
} resizing;

// Whether the Resize makes just so many elements of a dimension: Add could stretch one to that number.
static bool makes(const ferry_graph *g, const ferry_node *resize, const ferry_resize_axis *axis, int32_t d)
{
    const ferry_value *sizes = ferry_node_value(g, resize, 3);
    if (!sizes || ferry_value_elements(sizes) == 0) return (int64_t)axis->width == axis->out;
    if (!ferry_value_is_constant(sizes) || sizes->dtype != FERRY_S64 || ferry_value_elements(sizes) <= d) return false;
    const ferry_tensor t = ferry_value_tensor(sizes);
    return ferry_load_s64(&t, (size_t)d) == axis->out;
}

// Batches and channels stay, the positions of y are those of x by the nearest index. Not as many: y, which may lie over
// any tensor of its dims, would write what is still to be read.
static bool read_resizing(const ferry_graph *g, const ferry_node *resize, const ferry_tensor_desc *x,
                          const ferry_tensor_desc *y, resizing *out)
{
    if (!ferry_node_is(resize, "Resize") || x->rank < 3 || x->dtype != y->dtype || ferry_tensor_desc_same_dims(x, y) ||
        !ferry_resize_node_read(g, resize, x, y, &out->options, out->axes) || out->options.kind != FERRY_RESIZE_NEAREST)
        return false;
    for (int32_t d = 0; d < y->rank; d++)
        if (!makes(g, resize, &out->axes[d], d) || (d < 2 && !ferry_resize_axis_is_identity(&out->axes[d])))
            return false;
    return true;
}

static bool is_type(ferry_dtype dtype)
{
    return dtype == FERRY_F32 || dtype == FERRY_BF16;
}

// The input of the Add that the Resize makes; -1: neither.
static int32_t resized_input(const ferry_node *resize, const ferry_node *add)
{
    if (!ferry_node_is(add, "Add") || add->n_inputs != 2 || resize->n_outputs < 1) return -1;
    if (add->inputs[0] == add->inputs[1]) return -1;
    return add->inputs[0] == resize->outputs[0] ? 0 : add->inputs[1] == resize->outputs[0] ? 1 : -1;
}

// --- Preparing ------------------------------------------------------------------------------------------------------

static bool has_channels_last(const ferry_tensor_desc *desc)
{
    return desc->layout == FERRY_LAYOUT_CHANNELS_LAST && ferry_tensor_desc_row(desc) > 0;
}

static ferry_status make_tables(sum_kernel *k, ferry_cpu_device *device, const resizing *r, const char *tactic,
                                ferry_error *err)
{
    size_t entries = 0;
    for (int32_t i = 0; i < k->rank; i++)
        if (!ferry_add_size(entries, (size_t)k->dims[i], &entries) || entries > MOST_TABLE_BYTES / sizeof *k->all)
            return ferry_misfit(tactic, "a tensor too large for tables", err);
    k->all_bytes = entries * sizeof *k->all;
    k->all = ferry_heap_alloc(device->base.heap, k->all_bytes);
    if (!k->all) return ferry_fail_memory(err, "tables of a resizing");
    int64_t *next = k->all;
    for (int32_t i = 0; i < k->rank; i++) {
        const int32_t d = i == 0 ? 0 : i + 1;
        k->tables[i] = next;
        for (int64_t at = 0; at < k->dims[i]; at++) {
            bool outside = false;
            const double source = ferry_resize_source(&r->options, &r->axes[d], at, &outside);
            *next++ = ferry_resize_nearest(&r->options, &r->axes[d], source) * k->x.desc.strides[d];
        }
    }
    return FERRY_OK;
}

static ferry_status fill(sum_kernel *k, ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                         const ferry_tensor_desc *in, const ferry_tensor_desc *y, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *resize = &g->nodes[region->nodes[RESIZE]], *add = &g->nodes[region->nodes[ADD]];
    const int32_t at = resized_input(resize, add);
    resizing r;
    if (at < 0 || !is_type(y->dtype)) return ferry_misfit(tactic, "not a sum with a resized tensor", err);
    k->x = ferry_operand_of_node(region, in, RESIZE, 0);
    k->other = ferry_operand_of_node(region, in, ADD, 1 - at);
    if (k->x.at < 0 || k->other.at < 0 || !has_channels_last(&k->x.desc) || !has_channels_last(&k->other.desc) ||
        !has_channels_last(y) || k->other.desc.dtype != y->dtype || !ferry_tensor_desc_same_dims(&k->other.desc, y) ||
        !read_resizing(g, resize, &k->x.desc, y, &r))
        return ferry_misfit(tactic, "a sum with a resized tensor that it does not know", err);
    k->loop = ferry_elementwise_f32_pick(device->isa)->binary[FERRY_BINARY_F32_add];
    if (y->dtype == FERRY_BF16)
        k->loop_bf16 = ferry_loops_half_pick(device->isa, FERRY_BF16)->binary[FERRY_BINARY_F32_add];
    k->elem_bytes = ferry_dtype_bytes(y->dtype);
    k->channels = (size_t)y->dims[1];
    k->rank = y->rank - 1;
    k->rows = 1;
    for (int32_t i = 0; i < k->rank; i++) {
        const int32_t d = i == 0 ? 0 : i + 1;
        k->dims[i] = y->dims[d];
        k->y_strides[i] = y->strides[d];
        k->other_strides[i] = k->other.desc.strides[d];
        if (i + 1 < k->rank) k->rows *= (size_t)k->dims[i];
    }
    return make_tables(k, device, &r, tactic, err);
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    if (region->n_nodes != NODES) return ferry_misfit(tactic, "it runs two nodes", err);
    sum_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a sum with a resized tensor");
    k->base.deinit = deinit;
    return ferry_cpu_kernel_done(&k->base, fill(k, device, region, tactic, in, &out[0], err), out_kernel);
}

// --- Offering -------------------------------------------------------------------------------------------------------

static ferry_status offer_with(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                               int32_t resized, const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *add = &g->nodes[root];
    const ferry_node_id nodes[NODES] = {ferry_maker_for_one(view, add->inputs[resized]), root};
    if (nodes[RESIZE] == FERRY_NO_NODE || !ferry_node_is_plain(view, nodes[RESIZE])) return FERRY_OK;
    const ferry_node *resize = &g->nodes[nodes[RESIZE]];
    const ferry_value *x = ferry_node_value(g, resize, 0), *other = ferry_node_value(g, add, 1 - resized);
    const ferry_value *y = ferry_node_result(g, add);
    if (resized_input(resize, add) != resized || !x || ferry_value_is_constant(x) || ferry_value_is_constant(other) ||
        !is_type(y->dtype) || !ferry_value_is_alike(other, y) || !ferry_value_is_alike(ferry_node_result(g, resize), y))
        return FERRY_OK;
    const ferry_tensor_desc in = ferry_value_describe(x, FERRY_LAYOUT_CHANNELS_LAST);
    const ferry_tensor_desc out = ferry_value_describe(y, FERRY_LAYOUT_CHANNELS_LAST);
    resizing r;
    if (!read_resizing(g, resize, &in, &out, &r)) return FERRY_OK;
    // Some nanoseconds to begin the channels of each position.
    const double positions = ferry_value_elements(y) / (double)(out.dims[1] > 0 ? out.dims[1] : 1);
    const double bytes = ferry_value_bytes(x) + ferry_value_bytes(other) + ferry_value_bytes(y);
    const ferry_offer offer = {
        .tactic = tactic_name,
        .nodes = nodes,
        .n_nodes = NODES,
        .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
        .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
        .flags = FERRY_OFFER_IN_PLACE_ANY | FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES,
        .cost_us = positions * 4e-3 + ferry_cpu_cost_us(device, FERRY_F32, ferry_value_elements(y), bytes),
    };
    return sink->take(sink->user, &offer, err);
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_node *add = &view->graph->nodes[root];
    if (!ferry_node_is(add, "Add") || add->n_inputs != 2 || !ferry_node_is_plain(view, root)) return FERRY_OK;
    for (int32_t i = 0; i < 2; i++)
        if (add->inputs[i] == FERRY_NO_VALUE) return FERRY_OK;
    for (int32_t i = 0; i < 2; i++) FERRY_TRY(offer_with(device, view, root, i, sink, err));
    return FERRY_OK;
}

extern const ferry_cpu_family ferry_cpu_family_resize_add;
const ferry_cpu_family ferry_cpu_family_resize_add = {
    .name = "resize_add",
    .bf16 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};

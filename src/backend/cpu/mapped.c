// SPDX-License-Identifier: Apache-2.0
// Movers whose output takes, along each dimension by itself, elements of the input that a table names: nearest Resize,
// Pad by reflecting, repeating or wrapping, Gather of constant indices. Any element size, either layout.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/reading/resize_node.h"
#include "ops/element.h"

static const char tactic_name[] = "mapped_copy";

#define FAMILY_MOST_BYTES ((double)(1 << 26)) // of tables: they hold 8 bytes for each index of an output dimension

typedef struct mapped_kernel {
    ferry_cpu_kernel base;
    ferry_operand x;
    size_t elem_bytes, rows;
    int32_t rank;                                          // of y's dims, the densest last
    int64_t dims[FERRY_MAX_RANK], strides[FERRY_MAX_RANK]; // of y
    int64_t *tables[FERRY_MAX_RANK];                       // offsets into x, in elements
    int64_t *all;                                          // owned: the tables
    size_t all_bytes;
    bool dense; // the last table counts up
} mapped_kernel;

typedef struct job {
    const mapped_kernel *k;
    const char *x;
    char *y;
} job;

static void copy_mapped(size_t elem_bytes, int64_t n, char *y, const char *x, const int64_t *table)
{
    switch (elem_bytes) {
#define COPY(type)                                                                                                     \
    for (int64_t i = 0; i < n; i++) ((type *)y)[i] = ((const type *)x)[table[i]];                                      \
    break
    case 1:
        COPY(uint8_t);
    case 2:
        COPY(uint16_t);
    case 4:
        COPY(uint32_t);
    default:
        COPY(uint64_t);
#undef COPY
    }
}

static void run_some(void *context, size_t begin, size_t count)
{
    const job *j = context;
    const mapped_kernel *k = j->k;
    const int32_t last = k->rank - 1;
    for (size_t row = begin; row < begin + count; row++) {
        size_t rest = row;
        int64_t from = 0, to = 0;
        for (int32_t d = last - 1; d >= 0; d--) {
            const size_t i = rest % (size_t)k->dims[d];
            rest /= (size_t)k->dims[d];
            from += k->tables[d][i];
            to += (int64_t)i * k->strides[d];
        }
        char *y = j->y + (size_t)to * k->elem_bytes;
        const char *x = j->x + (size_t)from * k->elem_bytes;
        if (k->dense)
            memcpy(y, x + (size_t)k->tables[last][0] * k->elem_bytes, (size_t)k->dims[last] * k->elem_bytes);
        else
            copy_mapped(k->elem_bytes, k->dims[last], y, x, k->tables[last]);
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const mapped_kernel *k = (const mapped_kernel *)kernel;
    job j = {k, ferry_cpu_operand_data(&k->x, r), r->out[0].data};
    const size_t row_bytes = (size_t)k->dims[k->rank - 1] * k->elem_bytes;
    if (k->rows == 0 || row_bytes == 0) return FERRY_OK;
    ferry_parallel_even(r->pool, run_some, &j, k->rows, row_bytes >= 16384 ? 1 : 16384 / row_bytes);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    mapped_kernel *k = (mapped_kernel *)kernel;
    ferry_heap_free(kernel->base.device->heap, k->all, k->all_bytes);
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// --- The index of x along dimension d for each index of y -----------------------------------------------------------

typedef struct mapping {
    const ferry_graph *graph;
    const ferry_node *node;
    const ferry_tensor_desc *x, *y;
    // of Resize
    ferry_resize_options options;
    ferry_resize_axis axes[FERRY_MAX_RANK];
    // of Pad
    int64_t before[FERRY_MAX_RANK], cut[FERRY_MAX_RANK], size[FERRY_MAX_RANK];
    // of Gather
    int32_t axis;
    ferry_tensor indices;
    int64_t (*source)(const struct mapping *m, int32_t d, int64_t i); // negative: not one for these copies
} mapping;

static int64_t resize_source(const mapping *m, int32_t d, int64_t i)
{
    if (ferry_resize_axis_is_identity(&m->axes[d])) return i;
    bool outside = false;
    const double at = ferry_resize_source(&m->options, &m->axes[d], i, &outside);
    return outside ? -1 : ferry_resize_nearest(&m->options, &m->axes[d], at);
}

static int64_t edge_source(const mapping *m, int32_t d, int64_t i)
{
    const int64_t at = i - m->before[d], n = m->size[d];
    return m->cut[d] + (at < 0 ? 0 : at >= n ? n - 1 : at);
}

static int64_t wrap_source(const mapping *m, int32_t d, int64_t i)
{
    const int64_t at = i - m->before[d], n = m->size[d];
    return m->cut[d] + (at % n + n) % n;
}

static int64_t reflect_source(const mapping *m, int32_t d, int64_t i)
{
    const int64_t at = i - m->before[d], n = m->size[d];
    if (n == 1) return m->cut[d];
    const int64_t period = 2 * (n - 1), phase = (at % period + period) % period;
    return m->cut[d] + (phase < n ? phase : period - phase);
}

static int64_t gather_source(const mapping *m, int32_t d, int64_t i)
{
    if (d != m->axis) return i;
    const int64_t index = ferry_load_s64(&m->indices, (size_t)i), dim = m->x->dims[d];
    return index < -dim || index >= dim ? -1 : index < 0 ? index + dim : index;
}

static bool map_pad(mapping *m)
{
    const char *mode = ferry_node_string(m->node, "mode", "constant");
    const ferry_value *pads = ferry_node_value(m->graph, m->node, 1);
    const int32_t rank = m->x->rank;
    m->source = strcmp(mode, "edge") == 0      ? edge_source
                : strcmp(mode, "wrap") == 0    ? wrap_source
                : strcmp(mode, "reflect") == 0 ? reflect_source
                                               : NULL;
    if (!m->source || !pads || !ferry_value_is_constant(pads) || pads->dtype != FERRY_S64 ||
        ferry_node_value(m->graph, m->node, 3) || ferry_value_elements(pads) != 2 * rank || m->y->rank != rank)
        return false;
    const ferry_tensor t = ferry_value_tensor(pads);
    for (int32_t d = 0; d < rank; d++) {
        const int64_t begin = ferry_load_s64(&t, (size_t)d), end = ferry_load_s64(&t, (size_t)(d + rank));
        const int64_t most = (int64_t)1 << 40;
        if (begin < -most || begin > most || end < -most || end > most) return false;
        m->before[d] = begin > 0 ? begin : 0;
        m->cut[d] = begin < 0 ? -begin : 0;
        m->size[d] = m->x->dims[d] - m->cut[d] - (end < 0 ? -end : 0);
        if (m->size[d] < 1 || m->x->dims[d] + begin + end != m->y->dims[d]) return false;
    }
    return true;
}

// Indices of one dimension or less keep the rank or take one dimension away; the latter is left to the reference.
static bool map_gather(mapping *m)
{
    const ferry_value *indices = ferry_node_value(m->graph, m->node, 1);
    m->source = gather_source;
    if (!indices || !ferry_value_is_constant(indices) || indices->shape.rank != 1 || m->y->rank != m->x->rank ||
        (indices->dtype != FERRY_S64 && indices->dtype != FERRY_S32) ||
        ferry_axis(ferry_node_int(m->node, "axis", 0), m->x->rank, &m->axis, NULL) != FERRY_OK)
        return false;
    m->indices = ferry_value_tensor(indices);
    for (int32_t d = 0; d < m->x->rank; d++)
        if (m->y->dims[d] != (d == m->axis ? indices->shape.dims[0] : m->x->dims[d])) return false;
    return true;
}

static bool read_mapping(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x,
                         const ferry_tensor_desc *y, mapping *m)
{
    *m = (mapping){.graph = g, .node = node, .x = x, .y = y};
    if (x->rank < 1 || x->dtype != y->dtype || x->layout != y->layout) return false;
    double bytes = 0;
    for (int32_t d = 0; d < y->rank; d++) bytes += (double)y->dims[d] * sizeof(int64_t);
    if (bytes > FAMILY_MOST_BYTES) return false;
    if (ferry_node_is(node, "Pad")) return map_pad(m);
    if (ferry_node_is(node, "Gather")) return map_gather(m);
    m->source = resize_source;
    return ferry_node_is(node, "Resize") && ferry_resize_node_read(g, node, x, y, &m->options, m->axes) &&
           m->options.kind == FERRY_RESIZE_NEAREST;
}

// --- Preparing ------------------------------------------------------------------------------------------------------

static bool fill_tables(mapped_kernel *k, const mapping *m, const int32_t *order)
{
    int64_t *next = k->all;
    for (int32_t r = 0; r < k->rank; r++) {
        const int32_t d = order[r];
        k->tables[r] = next;
        for (int64_t i = 0; i < k->dims[r]; i++) {
            const int64_t at = m->source(m, d, i);
            if (at < 0 || at >= m->x->dims[d]) return false;
            *next++ = at * m->x->strides[d];
        }
    }
    k->dense = true;
    const int64_t *last = k->tables[k->rank - 1];
    for (int64_t i = 1; i < k->dims[k->rank - 1]; i++) k->dense &= last[i] == last[0] + i;
    return true;
}

static ferry_status fill_kernel(mapped_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *y,
                                ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    mapping m;
    k->x = ferry_operand_of(region, in, 0);
    if (!k->x.present || !read_mapping(region->graph, node, &k->x.desc, y, &m) ||
        (!ferry_tensor_desc_is_dense(y, y->layout) && ferry_tensor_desc_row(y) == 0))
        return ferry_misfit(tactic, "a mover that it does not know", err);
    int32_t order[FERRY_MAX_RANK];
    size_t entries = 0;
    k->elem_bytes = ferry_dtype_bytes(y->dtype);
    k->rank = y->rank;
    k->rows = 1;
    // Channels last: they follow the spatial dimensions.
    const bool channels_last = y->layout == FERRY_LAYOUT_CHANNELS_LAST && y->rank >= 3;
    for (int32_t d = 0; d < y->rank; d++) order[d] = !channels_last || d == 0 ? d : d + 1 < y->rank ? d + 1 : 1;
    for (int32_t r = 0; r < k->rank; r++) {
        k->dims[r] = y->dims[order[r]];
        k->strides[r] = y->strides[order[r]];
        entries += (size_t)k->dims[r];
        if (r + 1 < k->rank) k->rows *= (size_t)k->dims[r];
    }
    k->all_bytes = entries * sizeof *k->all;
    if (k->all_bytes == 0) return FERRY_OK;
    k->all = ferry_heap_alloc(device->base.heap, k->all_bytes);
    if (!k->all) return ferry_fail_memory(err, "a mapped copy");
    return fill_tables(k, &m, order) ? FERRY_OK : ferry_misfit(tactic, "an element outside of the input", err);
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    mapped_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a mapped copy");
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
    for (int l = 0; l < (x->shape.rank >= 3 ? 2 : 1); l++) {
        const ferry_tensor_layout layout = l ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;

        mapping m;
        const ferry_tensor_desc in = ferry_value_describe(x, layout);
        const ferry_tensor_desc out = ferry_value_describe(y, layout);
        if (!read_mapping(g, node, &in, &out, &m)) return FERRY_OK;
        for (int32_t d = 0; d < y->shape.rank; d++)
            for (int64_t i = 0; i < y->shape.dims[d]; i++)
                if (m.source(&m, d, i) < 0) return FERRY_OK;
        const double elements = ferry_value_elements(y);
        const double us = l ? elements / (double)(y->shape.dims[1] > 0 ? y->shape.dims[1] : 1) * 8e-3 : elements * 8e-4;
        const double moved = ferry_cpu_cost_us(device, FERRY_F32, 0, ferry_value_bytes(x) + ferry_value_bytes(y));
        FERRY_TRY(ferry_offer_node(sink, tactic_name, root, layout, layout,
                                   FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES, us + moved, err));
    }
    return FERRY_OK;
}

extern const ferry_cpu_family ferry_cpu_family_mapped;
const ferry_cpu_family ferry_cpu_family_mapped = {
    .name = "mapped",
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};

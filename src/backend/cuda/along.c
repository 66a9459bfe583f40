// SPDX-License-Identifier: Apache-2.0
// ArgMax, ArgMin, CumSum and TopK.
#include <string.h>

#include "backend/cuda/broadcast_text.h"
#include "backend/cuda/move.h"
#include "backend/cuda/rows_node.h"
#include "backend/cuda/source.h"
#include "backend/reading/conv_shape.h"
#include "ops/element.h"
#include "ops/rules.h"

static const char *const tactics[] = {"along_plain", "along_channels_last"};

enum { ARG_MAX, ARG_MIN, CUM_SUM, TOP_K, KINDS }; // in kernels/along.cuh

#define THREADS 256     // of a block of ferry_arg and ferry_cum_sum
#define TOP_THREADS 512 // of ferry_top_k
#define MOST_K 4096     // their ranks lie in shared memory

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactics[0]) == 0 || strcmp(tactic, tactics[1]) == 0;
}

static ferry_tensor_layout layout_of(const char *tactic)
{
    return strcmp(tactic, tactics[1]) == 0 ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
}

typedef struct along {
    int kind;
    int64_t outer, length, inner;
    int64_t k; // of TopK
} along;

static bool read_constant(const ferry_graph *g, const ferry_node *node, int64_t *out)
{
    if (!ferry_node_has_constant(g, node, 1)) return false;
    const ferry_tensor t = ferry_value_tensor(ferry_node_value(g, node, 1));
    return ferry_read_int(&t, "a constant", out, NULL) == FERRY_OK;
}

static bool find_axis(const ferry_graph *g, const ferry_node *node, int kind, int32_t rank, int32_t *out)
{
    int64_t named = ferry_node_int(node, "axis", kind == TOP_K ? -1 : 0);
    if (kind == CUM_SUM && !read_constant(g, node, &named)) return false;
    return ferry_axis(named, rank, out, NULL) == FERRY_OK;
}

// An output of ArgMax and ArgMin is the input without the axis, or with one element there; TopK's has k there.
static bool is_result(const along *a, const ferry_tensor_desc *x, int32_t axis, const ferry_tensor_desc *y)
{
    if (!ferry_tensor_desc_is_dense(y, y->layout)) return false;
    const bool left_out = a->kind <= ARG_MIN && y->rank == x->rank - 1;
    if (!left_out && (y->rank != x->rank || (y->layout != x->layout && x->rank >= 3))) return false;
    // Without the axis, what is left of an input with channels last lies plainly if the axis was the channels'.
    if (left_out && x->rank >= 3 && x->layout != FERRY_LAYOUT_PLAIN && axis != 1) return false;
    if (left_out && y->rank >= 3 && y->layout != FERRY_LAYOUT_PLAIN) return false;
    for (int32_t d = 0; d < x->rank; d++) {
        if (d == axis && left_out) continue;
        const int64_t wanted = d != axis ? x->dims[d] : a->kind <= ARG_MIN ? 1 : a->kind == TOP_K ? a->k : x->dims[d];
        if (y->dims[left_out && d > axis ? d - 1 : d] != wanted) return false;
    }
    return true;
}

static bool read(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x, const ferry_tensor_desc *y,
                 const ferry_tensor_desc *places, along *a)
{
    static const char *const names[] = {"ArgMax", "ArgMin", "CumSum", "TopK"};
    int32_t axis = 0;
    int64_t elements = 0;
    *a = (along){.kind = KINDS};
    for (int i = 0; i < KINDS; i++)
        if (ferry_node_is(node, names[i])) a->kind = i;
    if (a->kind == KINDS || !find_axis(g, node, a->kind, x->rank, &axis)) return false;
    if (!ferry_cuda_any_type_name(x->dtype) || x->dtype == FERRY_BOOL || !ferry_cuda_elements(x, &elements) ||
        !ferry_tensor_desc_is_dense(x, x->layout) || (y && y->dtype != (a->kind <= ARG_MIN ? FERRY_S64 : x->dtype)))
        return false;
    bool over[FERRY_MAX_RANK] = {false};
    ferry_cuda_rows rows;
    over[axis] = true;
    if (!ferry_cuda_rows_cut(x, over, &rows)) return false;
    a->outer = rows.outer;
    a->length = rows.length;
    a->inner = rows.inner;
    if (a->kind == TOP_K) {
        if (x->dtype == FERRY_S64 || !read_constant(g, node, &a->k) || a->k < 1 || a->k > MOST_K || a->k > a->length)
            return false;
        if (places && (places->dtype != FERRY_S64 || !is_result(a, x, axis, places))) return false;
    }
    return elements > 0 && is_result(a, x, axis, y);
}

// The layout of outputs, where inputs have this one.
static ferry_tensor_layout layout_behind(const ferry_graph *g, const ferry_node *node, ferry_tensor_layout layout)
{
    return ferry_node_result(g, node)->shape.rank == ferry_node_value(g, node, 0)->shape.rank ? layout
                                                                                              : FERRY_LAYOUT_PLAIN;
}

static bool read_graph(const ferry_graph *g, const ferry_node *node, ferry_tensor_layout layout, along *out)
{
    if (node->n_inputs < 1 || !ferry_node_value(g, node, 0) || ferry_node_has_constant(g, node, 0)) return false;
    const ferry_tensor_desc x = ferry_value_describe(ferry_node_value(g, node, 0), layout);
    const ferry_tensor_desc y = ferry_value_describe(ferry_node_result(g, node), layout_behind(g, node, layout));
    return read(g, node, &x, &y, NULL, out);
}

// --- Packing --------------------------------------------------------------------------------------------------------

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    along a;
    if (region->n_nodes != 1 || !read_graph(g, node, layout_of(tactic), &a))
        return ferry_misfit(tactic, "a node that it does not know", err);
    const ferry_dtype x = ferry_node_value(g, node, 0)->dtype;
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#define X_TYPE %s\n#define KEY unsigned%s\n", ferry_cuda_any_type_name(x),
                          x == FERRY_S64 ? " long long" : "");
    ferry_cuda_source_define(&s, "KIND", a.kind);
    ferry_cuda_source_define(&s, "LAST", ferry_node_int(node, "select_last_index", 0) != 0);
    ferry_cuda_source_define(&s, "SMALLEST", ferry_node_int(node, "largest", 1) == 0);
    ferry_cuda_source_define(&s, "EXCLUSIVE", ferry_node_int(node, "exclusive", 0) != 0);
    ferry_cuda_source_define(&s, "REVERSE", ferry_node_int(node, "reverse", 0) != 0);
    ferry_cuda_source_define(&s, "SUM_FLOATS", ferry_dtype_widens_to_f32(x));
    long long most = 2;
    while (most < a.k) most *= 2;
    ferry_cuda_source_define(&s, "MOST", most);
    ferry_cuda_source_add(&s, "#include \"along.cuh\"\n");
    return ferry_cuda_source_compile(&s, package, err);
}

// --- Preparing ------------------------------------------------------------------------------------------------------

// Threads that share a line: the more, the fewer lines there are.
static int64_t parts_of(const along *a)
{
    const int64_t most = a->kind == CUM_SUM ? THREADS / 4 : THREADS;
    int64_t parts = 1;
    while (parts < most && parts * 4 < a->length && a->outer * a->inner * parts < 128 * THREADS) parts *= 2;
    return parts;
}

static ferry_status launch_lines(const along *a, ferry_cuda_kernel *kernel, ferry_error *err)
{
    const int64_t lines = a->outer * a->inner, parts = parts_of(a), each = THREADS / parts;
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, a->kind == CUM_SUM ? "ferry_cum_sum" : "ferry_arg",
                                       (const uint64_t[3]){(uint64_t)((lines + each - 1) / each), 1, 1},
                                       (const unsigned[3]){THREADS, 1, 1}, 0, &launch, err));
    launch->waits = true;
    ferry_cuda_pass_in(launch, 0);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_int(launch, lines);
    ferry_cuda_pass_int(launch, a->length);
    ferry_cuda_pass_int(launch, a->inner);
    ferry_cuda_pass_int(launch, parts);
    return FERRY_OK;
}

static ferry_status launch_top_k(const along *a, int32_t places_at, ferry_cuda_kernel *kernel, ferry_error *err)
{
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_top_k",
                                       (const uint64_t[3]){(uint64_t)(a->outer * a->inner), 1, 1},
                                       (const unsigned[3]){TOP_THREADS, 1, 1}, 0, &launch, err));
    launch->waits = true;
    ferry_cuda_pass_in(launch, 0);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_out(launch, places_at);
    ferry_cuda_pass_int(launch, a->length);
    ferry_cuda_pass_int(launch, a->inner);
    ferry_cuda_pass_int(launch, a->k);
    return FERRY_OK;
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const int32_t places_at = node->n_outputs > 1 ? ferry_cuda_output_at(region, node->outputs[1]) : -1;
    along a, packed;
    if (region->n_inputs < 1 || !read_graph(g, node, layout_of(tactic), &packed) ||
        !read(g, node, &in[0], &out[0], places_at >= 0 ? &out[places_at] : NULL, &a) ||
        in[0].dtype != ferry_node_value(g, node, 0)->dtype)
        return ferry_misfit(tactic, "shapes or parameters that do not fit together", err);
    return a.kind == TOP_K ? launch_top_k(&a, places_at, kernel, err) : launch_lines(&a, kernel, err);
}

// --- Offers ---------------------------------------------------------------------------------------------------------

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (!ferry_node_is_plain(view, root)) return FERRY_OK;
    for (int layout = 0; layout < 2; layout++) {
        along a;
        if (!read_graph(g, node, (ferry_tensor_layout)layout, &a)) continue;
        const ferry_value *x = ferry_node_value(g, node, 0);
        if (layout && x->shape.rank < 3) continue;
        const double bytes =
            (a.kind == TOP_K ? 9 : 1.2) * ferry_value_bytes(x) + ferry_value_bytes(ferry_node_result(g, node));
        // One block sees to a line of TopK, whatever else there is room for.
        const double alone = a.kind == TOP_K ? (double)a.length * 1e-3 + 10 : 1;
        FERRY_TRY(ferry_offer_node(sink, tactics[layout], root, (ferry_tensor_layout)layout,
                                   layout_behind(g, node, (ferry_tensor_layout)layout), 0,
                                   ferry_cuda_cost_us(device, FERRY_F32, 0, bytes) + alone, err));
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_along;
const ferry_cuda_family ferry_cuda_family_along = {
    .name = "along",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};

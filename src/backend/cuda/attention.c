// SPDX-License-Identifier: Apache-2.0
// Attention as one kernel, by matrix instructions: from the tensor that holds q, k and v to the mixed values, whatever
// the views and transpositions that exporters write around the products.
#include <math.h>
#include <string.h>

#include "backend/cuda/node.h"
#include "backend/reading/attention_node.h"
#include "base/heap.h"

#define KEYS 64 // of a warp's tile in kernels/attention.cuh
#define MOST_WIDTH 128
#define BATCH_DIMS 3

typedef struct variant {
    const char *tactic;
    int row_warps, key_warps;
} variant;

// Many rows share each tile of keys; or few rows are spread over the chip, their keys shared out among warps.
static const variant variants[] = {{"attention_rows", 4, 1}, {"attention_keys", 1, 4}};

static const variant *find_variant(const char *tactic)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(variants); i++)
        if (strcmp(variants[i].tactic, tactic) == 0) return &variants[i];
    return NULL;
}

static bool owns(const char *tactic)
{
    return find_variant(tactic) != NULL;
}

static size_t shared_bytes(const ferry_attention_node *n, const variant *v, int stages)
{
    const size_t pitches = ferry_align_size(n->depth, 16) + ferry_align_size(n->columns, 16) + 16;
    const size_t tiles = (size_t)(stages * KEYS * v->key_warps) * pitches * sizeof(uint16_t);
    const size_t sums = (size_t)(v->row_warps * v->key_warps * 32) * (ferry_align_size(n->columns, 16) / 2 + 4) * 4;
    return v->key_warps > 1 && sums > tiles ? sums : tiles;
}

// 0: it does not fit into shared memory.
static int stages_of(const ferry_cuda_device *device, const ferry_attention_node *n, const variant *v)
{
    const size_t most = device->target.shared_bytes;
    const int wanted = v->key_warps > 1 ? 1 : 2;
    return shared_bytes(n, v, wanted) <= most ? wanted : shared_bytes(n, v, 1) <= most ? 1 : 0;
}

// Words of `words` elements begin wherever a row of the matrix does.
static bool is_aligned(const ferry_attention_matrix *m, int32_t rank, int64_t step, int64_t words)
{
    for (int32_t d = 0; d < rank; d++)
        if (m->steps[d] % words != 0) return false;
    return m->first % words == 0 && step % words == 0;
}

// Along dimensions of 1 a step may be anything: 0 is as good, and a multiple of everything.
static void tidy(ferry_attention_node *n)
{
    ferry_attention_matrix *const all[] = {&n->q, &n->k, &n->v, &n->y};
    for (int32_t d = 0; d < n->rank; d++)
        for (size_t i = 0; i < FERRY_COUNT_OF(all) && n->dims[d] == 1; i++) all[i]->steps[d] = 0;
    if (n->rows == 1) n->q.row = n->y.row = 0;
    if (n->keys == 1) n->k.column = n->v.row = 0;
}

static bool suits(const ferry_cuda_device *device, ferry_attention_node *n, ferry_dtype y)
{
    tidy(n);
    const bool multiplies = n->dtype == FERRY_F16    ? ferry_cuda_has_mma_f16(&device->target)
                            : n->dtype == FERRY_BF16 ? ferry_cuda_has_mma_bf16(&device->target)
                                                     : false;
    return multiplies && y == n->dtype && !n->quantise && n->rank <= BATCH_DIMS && n->depth % 8 == 0 &&
           n->columns % 8 == 0 && n->depth <= MOST_WIDTH && n->columns <= MOST_WIDTH && n->k.row == 1 &&
           n->v.column == 1 && is_aligned(&n->q, n->rank, n->q.row, 2) && is_aligned(&n->k, n->rank, n->k.column, 8) &&
           is_aligned(&n->v, n->rank, n->v.row, 8) && is_aligned(&n->y, n->rank, n->y.row, 2) &&
           n->rows < INT32_MAX / 2 && n->keys < INT32_MAX / 2;
}

// At the graph's own shapes.
static bool read_graph(const ferry_region *region, ferry_attention_node *out)
{
    ferry_tensor_desc in[FERRY_ATTENTION_INPUTS];
    if (region->n_inputs > FERRY_ATTENTION_INPUTS || region->n_outputs != 1) return false;
    for (int32_t i = 0; i < region->n_inputs; i++)
        in[i] = ferry_value_describe(&region->graph->values[region->inputs[i]], FERRY_LAYOUT_PLAIN);
    const ferry_tensor_desc y = ferry_value_describe(&region->graph->values[region->outputs[0]], FERRY_LAYOUT_PLAIN);
    return ferry_attention_read(region, in, &y, out);
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    ferry_attention_node n;
    const variant *v = find_variant(tactic);
    if (!read_graph(region, &n) || stages_of(device, &n, v) == 0)
        return ferry_misfit(tactic, "nodes that are no attention it knows", err);
    const bool f16 = n.dtype == FERRY_F16;
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n#define MMA %s\n#define PACK %s\n", f16 ? "mma_f16" : "mma_bf16",
                          f16 ? "pack_f16" : "pack_bf16");
    ferry_cuda_source_define(&s, "DEPTH", (long long)n.depth);
    ferry_cuda_source_define(&s, "WIDTH", (long long)n.columns);
    ferry_cuda_source_define(&s, "ROW_WARPS", v->row_warps);
    ferry_cuda_source_define(&s, "KEY_WARPS", v->key_warps);
    ferry_cuda_source_define(&s, "STAGES", stages_of(device, &n, v));
    ferry_cuda_source_add(&s, "#include \"attention.cuh\"\n");
    return ferry_cuda_source_compile(&s, package, err);
}

static void pass_steps(ferry_cuda_launch *launch, const ferry_attention_node *n, const ferry_attention_matrix *m,
                       int64_t step)
{
    for (int32_t d = 0; d < BATCH_DIMS; d++) {
        const int32_t own = d - (BATCH_DIMS - n->rank);
        ferry_cuda_pass_long(launch, own >= 0 ? m->steps[own] : 0);
    }
    ferry_cuda_pass_long(launch, m->first);
    ferry_cuda_pass_long(launch, step);
}

static int64_t batch_dim(const ferry_attention_node *n, int32_t d)
{
    const int32_t own = d - (BATCH_DIMS - n->rank);
    return own >= 0 ? n->dims[own] : 1;
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    const variant *v = find_variant(tactic);
    ferry_attention_node n, packed;
    FERRY_TRY(ferry_region_check_border(region, tactic, in, out, err));
    if (!ferry_attention_read(region, in, out, &n) || !read_graph(region, &packed) || n.depth != packed.depth ||
        n.columns != packed.columns || n.dtype != packed.dtype || !suits(device, &n, out[0].dtype) ||
        stages_of(device, &n, v) == 0)
        return ferry_misfit(tactic, "not attention of the form it was compiled for", err);
    const uint64_t rows = 16 * (uint64_t)v->row_warps;
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_attention",
                                       (const uint64_t[3]){(n.rows + rows - 1) / rows, n.batches, 1},
                                       (const unsigned[3]){(unsigned)(32 * v->row_warps * v->key_warps), 1, 1},
                                       shared_bytes(&n, v, stages_of(device, &n, v)), &launch, err));
    ferry_cuda_pass_in(launch, n.q.at);
    ferry_cuda_pass_in(launch, n.k.at);
    ferry_cuda_pass_in(launch, n.v.at);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_int(launch, (int64_t)n.rows);
    ferry_cuda_pass_int(launch, (int64_t)n.keys);
    ferry_cuda_pass_float(launch, n.scale * 1.44269504f); // weights are powers of two
    ferry_cuda_pass_int(launch, batch_dim(&n, 1));
    ferry_cuda_pass_int(launch, batch_dim(&n, 2));
    pass_steps(launch, &n, &n.q, n.q.row);
    pass_steps(launch, &n, &n.k, n.k.column);
    pass_steps(launch, &n, &n.v, n.v.row);
    pass_steps(launch, &n, &n.y, n.y.row);
    return FERRY_OK;
}

// A block's time is that of its tiles of keys, one after another; blocks run in waves.
static double price(const ferry_cuda_device *device, const ferry_attention_node *n, const variant *v)
{
    const double keys = KEYS * v->key_warps, rows = 16.0 * v->row_warps;
    const double blocks = (double)n->batches * ceil((double)n->rows / rows);
    const double waves = ceil(blocks / (3.0 * device->target.processors));
    const double work = 2 * (double)n->batches * rows * ceil((double)n->rows / rows) * (double)n->keys * KEYS;
    return ferry_cuda_cost_us(device, n->dtype, 1.5 * work, 0) +
           waves * (0.5 + ceil((double)n->keys / keys) * (v->key_warps > 1 ? 1.1 : 0.6));
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_node_id nodes[FERRY_ATTENTION_NODES];
    ferry_attention_node n;
    int32_t n_nodes = 0;
    if (!ferry_attention_find(view, root, nodes, &n_nodes, &n) ||
        !suits(device, &n, ferry_node_result(view->graph, &view->graph->nodes[root])->dtype))
        return FERRY_OK;
    for (size_t i = 0; i < FERRY_COUNT_OF(variants); i++) {
        if (stages_of(device, &n, &variants[i]) == 0) continue;
        const ferry_offer offer = {.tactic = variants[i].tactic,
                                   .nodes = nodes,
                                   .n_nodes = n_nodes,
                                   .in_layout = FERRY_LAYOUT_PLAIN,
                                   .out_layout = FERRY_LAYOUT_PLAIN,
                                   .cost_us = price(device, &n, &variants[i])};
        FERRY_TRY(sink->take(sink->user, &offer, err));
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_attention;
const ferry_cuda_family ferry_cuda_family_attention = {
    .name = "attention",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};

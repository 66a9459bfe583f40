// SPDX-License-Identifier: Apache-2.0
// Reading and writing by index: GatherElements, GatherND, ScatterElements, ScatterND, OneHot.
#include "backend/cuda/index_node.h"

#include <string.h>

#include "backend/cuda/broadcast_text.h"
#include "backend/cuda/inputs.h"
#include "backend/cuda/move.h"
#include "backend/cuda/source.h"

static const char tactic_name[] = "index";

#define THREADS 256 // of a block, in kernels/index.cuh
#define MOST_BLOCKS 8192

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// --- Packing --------------------------------------------------------------------------------------------------------

// What becomes of an element and its update.
static void write_combine(ferry_cuda_source *s, const ferry_cuda_index *n, ferry_dtype dtype)
{
    const bool floats = ferry_dtype_widens_to_f32(dtype);
    static const char *const of_floats[] = {"b", "a + b", "a * b", "a > b || a != a ? a : b",
                                            "a < b || a != a ? a : b"};
    static const char *const of_integers[] = {"b", "a + b", "a * b", "a > b ? a : b", "a < b ? a : b"};
    // Integers wrap around, which unsigned ones do.
    const bool wraps = !floats && (n->reduction == FERRY_CUDA_SCATTER_ADD || n->reduction == FERRY_CUDA_SCATTER_MUL);
    const char *type = floats ? "float" : wraps ? "unsigned long long" : "long long";
    ferry_cuda_source_add(s, "static __device__ __forceinline__ %s combine(%s a, %s b)\n{\n    return %s;\n}\n", type,
                          type, type, floats ? of_floats[n->reduction] : of_integers[n->reduction]);
    ferry_cuda_source_add(s, "#define COMBINE(a, b) %s(combine(%s(a), %s(b)))\n",
                          floats ? "element<ELEMENT>::of" : "(ELEMENT)", floats ? "to_float" : "",
                          floats ? "to_float" : "");
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    ferry_cuda_index n;
    if (region->n_nodes != 1 || !ferry_cuda_index_read_graph(g, node, &n))
        return ferry_misfit(tactic, "a node that it does not know", err);
    const ferry_dtype dtype = ferry_node_result(g, node)->dtype;
    const bool moves = n.reduction == FERRY_CUDA_SCATTER_NONE;
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n");
    ferry_cuda_source_define(&s, "KIND", n.kind);
    ferry_cuda_source_add(&s, "#define ELEMENT %s\n#define INDEX %s\n",
                          moves ? ferry_cuda_word_name(dtype) : ferry_cuda_any_type_name(dtype),
                          n.index_dtype == FERRY_S32 ? "int" : "long long");
    if (moves)
        ferry_cuda_source_add(&s, "#define COMBINE(a, b) (b)\n");
    else
        write_combine(&s, &n, dtype);
    ferry_cuda_source_add(&s, "#include \"index.cuh\"\n");
    FERRY_TRY(ferry_cuda_source_compile(&s, package, err));
    return ferry_cuda_pack_constants(g, node, package, err);
}

// --- Preparing ------------------------------------------------------------------------------------------------------

static uint64_t blocks_for(int64_t elements)
{
    const uint64_t blocks = ((uint64_t)elements + THREADS - 1) / THREADS;
    return blocks > MOST_BLOCKS ? MOST_BLOCKS : blocks;
}

typedef struct launcher {
    const ferry_region *region;
    ferry_cuda_kernel *kernel;
    const ferry_cuda_index *n;
    ferry_cuda_launch *launch;
} launcher;

static ferry_status begin(launcher *l, const char *function, uint64_t blocks, uint64_t rows, ferry_error *err)
{
    FERRY_TRY(ferry_cuda_kernel_launch(l->kernel, 0, function, (const uint64_t[3]){blocks, rows, 1},
                                       (const unsigned[3]){THREADS, 1, 1}, 0, &l->launch, err));
    l->launch->waits = true;
    return FERRY_OK;
}

static void pass_input(launcher *l, int32_t i)
{
    ferry_cuda_pass_input(l->launch, l->kernel, l->region, i);
}

static void pass_six(launcher *l, const int64_t *numbers)
{
    for (int32_t d = 0; d < FERRY_CUDA_INDEX_DIMS; d++) ferry_cuda_pass_int(l->launch, numbers[d]);
}

static ferry_status launch_gather(launcher *l, ferry_error *err)
{
    const ferry_cuda_index *n = l->n;
    const bool nd = n->kind == FERRY_CUDA_GATHER_ND;
    FERRY_TRY(begin(l, nd ? "ferry_gather_nd" : "ferry_gather_elements", blocks_for(n->elements), 1, err));
    pass_input(l, 0);
    pass_input(l, 1);
    ferry_cuda_pass_out(l->launch, 0);
    ferry_cuda_pass_int(l->launch, n->elements);
    if (nd) {
        ferry_cuda_pass_int(l->launch, n->slice);
        ferry_cuda_pass_int(l->launch, n->rows);
        ferry_cuda_pass_int(l->launch, n->part);
        ferry_cuda_pass_int(l->launch, n->depth);
    } else {
        ferry_cuda_pass_int(l->launch, n->length);
        ferry_cuda_pass_int(l->launch, n->axis_step);
    }
    pass_six(l, n->dims);
    pass_six(l, n->steps);
    return FERRY_OK;
}

static ferry_status launch_copy(launcher *l, ferry_error *err)
{
    FERRY_TRY(begin(l, "ferry_copy_data", blocks_for(l->n->elements), 1, err));
    pass_input(l, 0);
    ferry_cuda_pass_out(l->launch, 0);
    ferry_cuda_pass_int(l->launch, l->n->elements);
    return FERRY_OK;
}

// Threads that share a line of updates: the more, the fewer lines there are.
static int64_t owners_of(const ferry_cuda_index *n)
{
    int64_t owners = 1;
    while (owners < THREADS && owners < n->count && n->lines * owners < 16 * THREADS) owners *= 2;
    return owners;
}

static ferry_status launch_scatter_elements(launcher *l, ferry_error *err)
{
    const ferry_cuda_index *n = l->n;
    FERRY_TRY(launch_copy(l, err));
    if (n->lines == 0 || n->count == 0) return FERRY_OK;
    const int64_t owners = owners_of(n), each = THREADS / owners;
    FERRY_TRY(begin(l, "ferry_scatter_elements", (uint64_t)((n->lines + each - 1) / each), 1, err));
    ferry_cuda_pass_out(l->launch, 0);
    pass_input(l, 1);
    pass_input(l, 2);
    ferry_cuda_pass_int(l->launch, n->lines);
    ferry_cuda_pass_int(l->launch, owners);
    ferry_cuda_pass_int(l->launch, n->length);
    ferry_cuda_pass_int(l->launch, n->count);
    ferry_cuda_pass_int(l->launch, n->axis_step);
    ferry_cuda_pass_int(l->launch, n->index_step);
    pass_six(l, n->dims);
    pass_six(l, n->steps);
    pass_six(l, n->index_steps);
    return FERRY_OK;
}

static ferry_status launch_scatter_nd(launcher *l, ferry_error *err)
{
    const ferry_cuda_index *n = l->n;
    FERRY_TRY(launch_copy(l, err));
    if (n->rows == 0 || n->slice == 0) return FERRY_OK;
    int64_t across = 1;
    while (across < THREADS && across < n->slice) across *= 2;
    const int64_t blocks = (n->slice + across - 1) / across;
    int64_t owners = 1;
    while (owners * blocks * 2 <= 64) owners *= 2;
    FERRY_TRY(begin(l, "ferry_scatter_nd", (uint64_t)blocks, (uint64_t)owners, err));
    ferry_cuda_pass_out(l->launch, 0);
    pass_input(l, 1);
    pass_input(l, 2);
    ferry_cuda_pass_int(l->launch, n->rows);
    ferry_cuda_pass_int(l->launch, n->slice);
    ferry_cuda_pass_int(l->launch, across);
    ferry_cuda_pass_int(l->launch, n->depth);
    pass_six(l, n->dims);
    pass_six(l, n->steps);
    return FERRY_OK;
}

static ferry_status launch_one_hot(launcher *l, ferry_error *err)
{
    FERRY_TRY(begin(l, "ferry_one_hot", blocks_for(l->n->elements), 1, err));
    pass_input(l, 0);
    pass_input(l, 2);
    ferry_cuda_pass_out(l->launch, 0);
    ferry_cuda_pass_int(l->launch, l->n->elements);
    ferry_cuda_pass_int(l->launch, l->n->depth);
    ferry_cuda_pass_int(l->launch, l->n->slice);
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
    ferry_cuda_index n, packed;
    ferry_tensor_desc x[3];
    for (int32_t i = 0; i < node->n_inputs && i < 3; i++) x[i] = ferry_operand_of(region, in, i).desc;
    if (!ferry_cuda_index_read_graph(g, node, &packed) || !ferry_cuda_index_read(g, node, x, &out[0], &n) ||
        out[0].dtype != ferry_node_result(g, node)->dtype || n.index_dtype != packed.index_dtype ||
        ferry_cuda_kernel_constant_bytes(kernel) != ferry_cuda_constant_at(g, node, node->n_inputs))
        return ferry_misfit(tactic, "shapes or parameters that do not fit together", err);
    launcher l = {.region = region, .kernel = kernel, .n = &n};
    static ferry_status (*const launches[])(launcher *, ferry_error *) = {
        launch_gather, launch_gather, launch_scatter_elements, launch_scatter_nd, launch_one_hot};
    return launches[n.kind](&l, err);
}

// --- Offers ---------------------------------------------------------------------------------------------------------

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    ferry_cuda_index n;
    if (!ferry_node_is_plain(view, root) || !ferry_cuda_index_read_graph(g, node, &n)) return FERRY_OK;
    const bool scatters = n.kind == FERRY_CUDA_SCATTER_ELEMENTS || n.kind == FERRY_CUDA_SCATTER_ND;
    // Each thread looks at every update of its line.
    const double looks = scatters ? (double)(n.kind == FERRY_CUDA_SCATTER_ND ? n.rows : n.count) * 0.005 : 0;
    const double bytes =
        2 * ferry_value_bytes(ferry_node_result(g, node)) + ferry_value_bytes(ferry_node_value(g, node, 1));
    return ferry_offer_node(sink, tactic_name, root, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN,
                            scatters ? FERRY_OFFER_IN_PLACE : 0,
                            ferry_cuda_cost_us(device, FERRY_F32, 0, bytes) + looks, err);
}

extern const ferry_cuda_family ferry_cuda_family_index;
const ferry_cuda_family ferry_cuda_family_index = {
    .name = "index",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};

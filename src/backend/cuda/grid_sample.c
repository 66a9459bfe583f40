// SPDX-License-Identifier: Apache-2.0
// GridSample of floats over two spatial dimensions.
#include <string.h>

#include "backend/cuda/inputs.h"
#include "backend/cuda/source.h"
#include "backend/reading/conv_shape.h"

static const char tactic_name[] = "grid_sample";

#define THREADS 128
#define EACH 8 // channels of a thread, in kernels/grid_sample.cuh

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static int word_of(const ferry_node *node, const char *name, const char *const words[3])
{
    const char *given = ferry_node_string(node, name, words[0]);
    int i = 0;
    while (i < 3 && strcmp(given, words[i]) != 0) i++;
    return i;
}

typedef struct sampling {
    int taps, padding; // as kernels/grid_sample.cuh has them
    int64_t positions, channels, in[2], out_plane;
} sampling;

static bool read(const ferry_node *node, const ferry_tensor_desc *x, const ferry_tensor_desc *grid,
                 const ferry_tensor_desc *y, sampling *out)
{
    static const char *const modes[] = {"linear", "nearest", "cubic"}, *const paddings[] = {"zeros", "border",
                                                                                            "reflection"};
    static const int taps[] = {2, 1, 4, 0};
    int64_t elements = 0;
    *out = (sampling){.taps = taps[word_of(node, "mode", modes)], .padding = word_of(node, "padding_mode", paddings)};
    if (out->taps == 0 || out->padding == 3 || x->rank != 4 || grid->rank != 4 || y->rank != 4 ||
        !ferry_dtype_widens_to_f32(x->dtype) || !ferry_dtype_widens_to_f32(grid->dtype) || x->dtype != y->dtype ||
        x->dims[0] != y->dims[0] || x->dims[1] != y->dims[1] || grid->dims[0] != y->dims[0] ||
        grid->dims[1] != y->dims[2] || grid->dims[2] != y->dims[3] || grid->dims[3] != 2 || x->dims[2] < 1 ||
        x->dims[3] < 1)
        return false;
    const ferry_tensor_desc *const all[] = {x, grid, y};
    for (int i = 0; i < 3; i++)
        if (!ferry_cuda_elements(all[i], &elements) || !ferry_tensor_desc_is_dense(all[i], FERRY_LAYOUT_PLAIN))
            return false;
    out->channels = x->dims[1];
    out->in[0] = x->dims[2];
    out->in[1] = x->dims[3];
    out->out_plane = y->dims[2] * y->dims[3];
    out->positions = elements ? y->dims[0] * out->out_plane : 0;
    return true;
}

static bool read_graph(const ferry_graph *g, const ferry_node *node, sampling *out)
{
    if (!ferry_node_is(node, "GridSample") || node->n_inputs != 2 || !ferry_node_value(g, node, 0) ||
        !ferry_node_value(g, node, 1))
        return false;
    const ferry_tensor_desc x = ferry_value_describe(ferry_node_value(g, node, 0), FERRY_LAYOUT_PLAIN);
    const ferry_tensor_desc grid = ferry_value_describe(ferry_node_value(g, node, 1), FERRY_LAYOUT_PLAIN);
    const ferry_tensor_desc y = ferry_value_describe(ferry_node_result(g, node), FERRY_LAYOUT_PLAIN);
    return read(node, &x, &grid, &y, out);
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    sampling n;
    if (region->n_nodes != 1 || !read_graph(g, node, &n))
        return ferry_misfit(tactic, "a node that it does not know", err);
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#include \"types.cuh\"\n#define TYPE %s\n#define GRID_TYPE %s\n",
                          ferry_cuda_type_name(ferry_node_value(g, node, 0)->dtype),
                          ferry_cuda_type_name(ferry_node_value(g, node, 1)->dtype));
    ferry_cuda_source_define(&s, "TAPS", n.taps);
    ferry_cuda_source_define(&s, "PADDING", n.padding);
    ferry_cuda_source_define(&s, "ALIGNED", ferry_node_int(node, "align_corners", 0) != 0);
    ferry_cuda_source_add(&s, "#include \"grid_sample.cuh\"\n");
    FERRY_TRY(ferry_cuda_source_compile(&s, package, err));
    return ferry_cuda_pack_constants(g, node, package, err);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    sampling n, packed;
    if (!read_graph(g, node, &packed)) return ferry_misfit(tactic, "a node that it does not know", err);
    const ferry_operand x = ferry_operand_of(region, in, 0), grid = ferry_operand_of(region, in, 1);
    if (!read(node, &x.desc, &grid.desc, &out[0], &n) || x.desc.dtype != ferry_node_value(g, node, 0)->dtype ||
        grid.desc.dtype != ferry_node_value(g, node, 1)->dtype ||
        ferry_cuda_kernel_constant_bytes(kernel) != ferry_cuda_constant_at(g, node, node->n_inputs))
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_grid_sample",
                                       (const uint64_t[3]){(uint64_t)(n.positions + THREADS - 1) / THREADS,
                                                           (uint64_t)(n.channels + EACH - 1) / EACH, 1},
                                       (const unsigned[3]){THREADS, 1, 1}, 0, &l, err));
    l->waits = true;
    ferry_cuda_pass_input(l, kernel, region, 0);
    ferry_cuda_pass_input(l, kernel, region, 1);
    ferry_cuda_pass_out(l, 0);
    ferry_cuda_pass_int(l, n.positions);
    ferry_cuda_pass_int(l, n.channels);
    ferry_cuda_pass_int(l, n.in[0]);
    ferry_cuda_pass_int(l, n.in[1]);
    ferry_cuda_pass_int(l, n.out_plane);
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    sampling n;
    if (!ferry_node_is_plain(view, root) || !read_graph(g, node, &n)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    const double bytes = ferry_value_bytes(x) + ferry_value_bytes(y), taps = n.taps * n.taps;
    return ferry_offer_node(sink, tactic_name, root, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN, 0,
                            ferry_cuda_cost_us(device, FERRY_F32, 4 * taps * ferry_value_elements(y), bytes), err);
}

extern const ferry_cuda_family ferry_cuda_family_grid_sample;
const ferry_cuda_family ferry_cuda_family_grid_sample = {
    .name = "grid_sample",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};

// SPDX-License-Identifier: Apache-2.0
// Maximum and average over whole planes, of floats, in either layout.
#include <string.h>

#include "backend/cuda/pool_parts.h"
#include "backend/cuda/tail.h"
#include "backend/reading/conv_shape.h"

#define THREADS 256u
#define RUNS 8u // of channels that a block takes: 128 bytes, which memory gives at once
#define LEAST 4 // positions for each thread, below which a plane is not split any further

static const char *const tactics[] = {"pool_global_plain", "pool_global_channels_last"};

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactics[0]) == 0 || strcmp(tactic, tactics[1]) == 0;
}

static bool is_last(const char *tactic)
{
    return strcmp(tactic, tactics[1]) == 0;
}

static bool is_global_pool(const ferry_node *node)
{
    return ferry_node_is(node, "GlobalMaxPool") || ferry_node_is(node, "GlobalAveragePool");
}

int ferry_cuda_pool_width(int64_t channels, ferry_dtype dtype)
{
    int width = (int)(16 / ferry_dtype_bytes(dtype));
    while (channels % width != 0) width /= 2;
    return width;
}

ferry_status ferry_cuda_pool_compile(const ferry_value *x, bool maximum, bool last, ferry_cuda_package *package,
                                     ferry_error *err)
{
    ferry_cuda_source s = {.heap = package->device->base.heap};
    ferry_cuda_source_add(&s, "#define X_TYPE %s\n", ferry_cuda_type_name(x->dtype));
    ferry_cuda_source_define(&s, "WIDTH", last ? ferry_cuda_pool_width(x->shape.dims[1], x->dtype) : 1);
    ferry_cuda_source_define(&s, "MAXIMUM", maximum);
    ferry_cuda_source_define(&s, "LAST", last);
    ferry_cuda_source_add(&s, "#include \"pool_global.cuh\"\n");
    return ferry_cuda_source_compile(&s, package, err);
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    (void)device;
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    if (!is_global_pool(node) || region->n_nodes != 1) return ferry_misfit(tactic, "not a pooling", err);
    const ferry_value *x = ferry_node_value(g, node, 0);
    return ferry_cuda_pool_compile(x, ferry_node_is(node, "GlobalMaxPool"), is_last(tactic), package, err);
}

static ferry_status prepare_planes(ferry_cuda_kernel *kernel, const ferry_tensor_desc *x, int64_t plane,
                                   ferry_error *err)
{
    const int64_t planes = x->dims[0] * x->dims[1];
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_pool_planes",
                                       (const uint64_t[3]){((uint64_t)planes + 3) / 4, 1, 1},
                                       (const unsigned[3]){32, 4, 1}, 0, &l, err));
    l->waits = true;
    ferry_cuda_pass_in(l, 0);
    ferry_cuda_pass_out(l, 0);
    ferry_cuda_pass_int(l, planes);
    ferry_cuda_pass_int(l, plane);
    return FERRY_OK;
}

// Parts of a plane that fill the GPU.
static int64_t count_parts(const ferry_cuda_device *device, int64_t blocks, int64_t plane, unsigned rows)
{
    const int64_t wanted = blocks ? (2 * device->target.processors + blocks - 1) / blocks : 1;
    const int64_t most = plane / (int64_t)(rows * LEAST);
    return wanted < most ? wanted : most > 1 ? most : 1;
}

ferry_status ferry_cuda_pool_parts(ferry_cuda_device *device, ferry_cuda_kernel *kernel, int32_t cubin,
                                   const ferry_tensor_desc *x, const ferry_tensor_desc *y, int width,
                                   int64_t *out_parts, ferry_error *err)
{
    const int64_t batch = x->dims[0], channels = x->dims[1], plane = ferry_cuda_plane(x);
    const unsigned runs = (unsigned)(channels / width), tx = runs < RUNS ? runs : RUNS;
    unsigned rows = 1;
    while (rows * 2 * tx <= THREADS) rows *= 2;
    const uint64_t across = (runs + tx - 1) / tx;
    const int64_t wanted = count_parts(device, batch * (int64_t)across, plane, rows);
    const int64_t each = (plane + wanted - 1) / wanted, parts = (plane + each - 1) / each;
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(
        kernel, cubin, "ferry_pool_parts", (const uint64_t[3]){(uint64_t)parts, across, (uint64_t)batch},
        (const unsigned[3]){tx, rows, 1}, (size_t)(tx * rows) * (size_t)width * sizeof(float), &l, err));
    l->waits = true;
    const bool direct = y && parts == 1;
    if (!direct) kernel->base.workspace_bytes = (size_t)(batch * parts * channels) * sizeof(float);
    ferry_cuda_pass_in(l, 0);
    ferry_cuda_pass_out(l, direct ? 0 : -1);
    ferry_cuda_pass_workspace(l, 0);
    ferry_cuda_pass_int(l, channels);
    ferry_cuda_pass_int(l, plane);
    ferry_cuda_pass_int(l, parts);
    ferry_cuda_pass_int(l, each);
    ferry_cuda_pass_int(l, ferry_cuda_row(x, width));
    ferry_cuda_pass_int(l, direct ? ferry_cuda_row(y, width) : 0);
    *out_parts = parts;
    return FERRY_OK;
}

static ferry_status prepare_last(ferry_cuda_device *device, ferry_cuda_kernel *kernel, const ferry_tensor_desc *x,
                                 const ferry_tensor_desc *y, int width, int64_t plane, ferry_error *err)
{
    const int64_t batch = x->dims[0], channels = x->dims[1];
    int64_t parts = 0;
    FERRY_TRY(ferry_cuda_pool_parts(device, kernel, 0, x, y, width, &parts, err));
    if (parts == 1) return FERRY_OK;
    ferry_cuda_launch *l = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_pool_whole",
                                       (const uint64_t[3]){((uint64_t)channels + 31) / 32, (uint64_t)batch, 1},
                                       (const unsigned[3]){32, 8, 1}, 0, &l, err));
    l->waits = true;
    ferry_cuda_pass_workspace(l, 0);
    ferry_cuda_pass_out(l, 0);
    ferry_cuda_pass_int(l, channels);
    ferry_cuda_pass_int(l, plane);
    ferry_cuda_pass_int(l, parts);
    ferry_cuda_pass_int(l, ferry_cuda_row(y, width));
    return FERRY_OK;
}

static bool dims_fit(const ferry_tensor_desc *x, const ferry_tensor_desc *y)
{
    int64_t elements = 0;
    return x->rank >= 3 && y->rank == x->rank && x->dims[0] == y->dims[0] && x->dims[1] == y->dims[1] &&
           ferry_cuda_plane(y) == 1 && ferry_cuda_plane(x) >= 1 && ferry_cuda_elements(x, &elements);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    if (!is_global_pool(node) || region->n_inputs != 1 || region->n_outputs != 1)
        return ferry_misfit(tactic, "not a pooling", err);
    const ferry_value *value = &region->graph->values[region->inputs[0]];
    if (in[0].dtype != value->dtype || out[0].dtype != value->dtype || !dims_fit(&in[0], &out[0]) ||
        in[0].dims[1] != value->shape.dims[1])
        return ferry_misfit(tactic, "tensors that do not fit together", err);
    const int64_t plane = ferry_cuda_plane(&in[0]);
    const int width = ferry_cuda_pool_width(in[0].dims[1], value->dtype);
    const bool lies = is_last(tactic) ? ferry_cuda_row(&in[0], width) && ferry_cuda_row(&out[0], width)
                                      : ferry_tensor_desc_is_dense(&in[0], FERRY_LAYOUT_PLAIN) &&
                                            ferry_tensor_desc_is_dense(&out[0], FERRY_LAYOUT_PLAIN);
    if (!lies) return ferry_misfit(tactic, "tensors in another layout", err);
    return is_last(tactic) ? prepare_last(device, kernel, &in[0], &out[0], width, plane, err)
                           : prepare_planes(kernel, &in[0], plane, err);
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (!is_global_pool(node) || !ferry_node_is_plain(view, root)) return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    const ferry_tensor_desc in = ferry_value_describe(x, FERRY_LAYOUT_PLAIN),
                            out = ferry_value_describe(y, FERRY_LAYOUT_PLAIN);
    if (!ferry_dtype_widens_to_f32(x->dtype) || ferry_value_is_constant(x) || !dims_fit(&in, &out)) return FERRY_OK;
    const double cost = ferry_cuda_cost_us(device, FERRY_F32, 2 * ferry_value_elements(x), ferry_value_bytes(x));
    // A plane that is split takes a second launch.
    const double second = ferry_cuda_plane(&in) > 128 ? ferry_cuda_cost_us(device, FERRY_F32, 0, 0) : 0;
    FERRY_TRY(ferry_offer_node(sink, tactics[0], root, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN, 0, cost, err));
    return ferry_offer_node(sink, tactics[1], root, FERRY_LAYOUT_CHANNELS_LAST, FERRY_LAYOUT_CHANNELS_LAST,
                            FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES, cost + second, err);
}

extern const ferry_cuda_family ferry_cuda_family_pool_global;
const ferry_cuda_family ferry_cuda_family_pool_global = {
    .name = "pool_global",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};

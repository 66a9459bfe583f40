// SPDX-License-Identifier: Apache-2.0
// Softmax, normalisations and reductions: a warp or a block for each line of a tensor, or a column of threads.
#include <string.h>

#include "backend/cuda/rows_node.h"
#include "backend/reading/conv_shape.h"
#include "ops/element.h"

static const char *const tactics[] = {"rows_plain", "rows_channels_last"};

#define HELD 32 // elements that a thread holds, at most
#define BLOCK 256
#define COLUMNS 32 // of a block over columns
#define ACROSS 8   // threads of a column

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactics[0]) == 0 || strcmp(tactic, tactics[1]) == 0;
}

static ferry_tensor_layout layout_of(const char *tactic)
{
    return strcmp(tactic, tactics[1]) == 0 ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
}

/// How a kernel is laid out for lines of one length.
typedef struct form {
    bool far;
    int group, width, chunks;
} form;

static form form_of(const ferry_cuda_rows *r, ferry_dtype x, ferry_dtype y)
{
    form f = {.far = r->inner > 1, .width = 1};
    const size_t bx = ferry_dtype_bytes(x), by = ferry_dtype_bytes(y);
    const int widest = (int)(16 / (bx > by ? bx : by));
    if (r->length % widest == 0 && (r->kind != FERRY_CUDA_NORM || r->plane == 1 || r->plane % widest == 0))
        f.width = widest;
    f.group = r->length <= 32 * HELD ? 32 : BLOCK;
    const int64_t chunks = (r->length + f.group * f.width - 1) / (f.group * f.width);
    f.chunks = chunks * f.width <= HELD ? (int)chunks : 0;
    return f;
}

// --- Packing --------------------------------------------------------------------------------------------------------

static size_t constant_floats(const ferry_cuda_rows *r)
{
    return r->kind == FERRY_CUDA_NORM ? (size_t)(r->groups * (r->length / r->plane)) : 0;
}

static void write_floats(const ferry_value *v, float *out, size_t n)
{
    if (!v) return;
    const ferry_tensor t = ferry_value_tensor(v);
    for (size_t i = 0; i < n; i++) out[i] = (float)ferry_load_f64(&t, i);
}

static ferry_status compile(ferry_cuda_device *device, const ferry_cuda_rows *r, ferry_dtype x, ferry_dtype y,
                            ferry_cuda_package *package, ferry_error *err)
{
    const form f = form_of(r, x, y);
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s,
                          "#include \"functions.cuh\"\n#include \"types.cuh\"\n#define X_TYPE %s\n#define Y_TYPE %s\n",
                          ferry_cuda_type_name(x), ferry_cuda_type_name(y));
    ferry_cuda_source_define(&s, "KIND", r->kind);
    ferry_cuda_source_define(&s, "FAR", f.far);
    ferry_cuda_source_define(&s, "GROUP", f.group);
    ferry_cuda_source_define(&s, "WIDTH", f.width);
    ferry_cuda_source_define(&s, "CHUNKS", f.chunks);
    if (r->kind == FERRY_CUDA_NORM) {
        ferry_cuda_source_define(&s, "PLANE", r->plane != 1);
        ferry_cuda_source_define(&s, "CENTRED", r->centred);
    }
    ferry_cuda_source_add(&s, "%s#include \"rows.cuh\"\n", r->text ? r->text : "");
    return ferry_cuda_source_compile(&s, package, err);
}

// At the graph's own shapes.
static bool read_graph(const ferry_graph *g, const ferry_node *node, ferry_tensor_layout layout, ferry_cuda_rows *out)
{
    if (node->n_inputs < 1 || !ferry_node_value(g, node, 0) || ferry_node_has_constant(g, node, 0)) return false;
    const ferry_tensor_desc x = ferry_value_describe(ferry_node_value(g, node, 0), layout);
    const ferry_tensor_desc y = ferry_value_describe(ferry_node_result(g, node), layout);
    return ferry_cuda_rows_read(g, node, &x, &y, out);
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    ferry_cuda_rows r;
    if (region->n_nodes != 1 || !read_graph(g, node, layout_of(tactic), &r))
        return ferry_misfit(tactic, "a node that it does not know", err);
    FERRY_TRY(
        compile(device, &r, ferry_node_value(g, node, 0)->dtype, ferry_node_result(g, node)->dtype, package, err));
    const size_t floats = constant_floats(&r);
    if (floats == 0) return FERRY_OK;
    float *constants = ferry_cuda_package_constants(package, 2 * floats * sizeof *constants);
    if (!constants) return ferry_fail_memory(err, "packed constants");
    write_floats(r.scale, constants, floats);
    write_floats(r.bias, constants + floats, floats);
    return FERRY_OK;
}

// --- Preparing ------------------------------------------------------------------------------------------------------

static ferry_status launch_columns(ferry_cuda_kernel *kernel, const ferry_cuda_rows *r, ferry_error *err)
{
    const int64_t lines = r->outer * r->inner;
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(
        kernel, 0, "ferry_columns", (const uint64_t[3]){(uint64_t)(lines + COLUMNS - 1) / COLUMNS, 1, 1},
        (const unsigned[3]){COLUMNS, r->length < ACROSS ? 1 : ACROSS, 1}, 0, &launch, err));
    ferry_cuda_pass_in(launch, 0);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_int(launch, lines);
    ferry_cuda_pass_int(launch, r->length);
    ferry_cuda_pass_int(launch, r->inner);
    return FERRY_OK;
}

// Few rows are spread over as many multiprocessors as there are.
static int64_t rows_of_block(const ferry_cuda_device *device, const ferry_cuda_rows *r, int group)
{
    const int64_t spread = r->outer / (2 * device->target.processors), most = BLOCK / group;
    return spread < 1 ? 1 : spread > most ? most : spread;
}

static ferry_status launch_rows(const ferry_cuda_device *device, ferry_cuda_kernel *kernel, const ferry_cuda_rows *r,
                                const form *packed, ferry_error *err)
{
    // The packed form serves rows of its width's multiples, up to what its threads hold.
    const bool serves = r->length % packed->width == 0 && packed->chunks > 0 &&
                        r->length <= (int64_t)packed->group * packed->width * packed->chunks;
    const int64_t each = rows_of_block(device, r, packed->group);
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, serves ? "ferry_rows" : "ferry_long_rows",
                                       (const uint64_t[3]){(uint64_t)((r->outer + each - 1) / each), 1, 1},
                                       (const unsigned[3]){(unsigned)(each * packed->group), 1, 1}, 0, &launch, err));
    ferry_cuda_pass_in(launch, 0);
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_int(launch, r->outer);
    ferry_cuda_pass_int(launch, r->length);
    if (r->kind != FERRY_CUDA_NORM) return FERRY_OK;
    ferry_cuda_pass_constants(launch, kernel, 0);
    ferry_cuda_pass_constants(launch, kernel, constant_floats(r) * sizeof(float));
    ferry_cuda_pass_int(launch, r->groups);
    ferry_cuda_pass_int(launch, r->plane);
    ferry_cuda_pass_float(launch, r->epsilon);
    return FERRY_OK;
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    ferry_cuda_rows r, packed;
    if (region->n_inputs < 1 || !read_graph(g, node, layout_of(tactic), &packed) ||
        !ferry_cuda_rows_read(g, node, &in[0], &out[0], &r) || in[0].dtype != ferry_node_value(g, node, 0)->dtype ||
        out[0].dtype != ferry_node_result(g, node)->dtype)
        return ferry_misfit(tactic, "shapes or parameters that do not fit together", err);
    const form f = form_of(&packed, in[0].dtype, out[0].dtype);
    if ((r.inner > 1 && !f.far) || constant_floats(&r) != constant_floats(&packed) ||
        (packed.plane == 1) != (r.plane == 1) ||
        ferry_cuda_kernel_constant_bytes(kernel) != 2 * constant_floats(&r) * sizeof(float))
        return ferry_misfit(tactic, "shapes of another form than it was compiled for", err);
    return f.far ? launch_columns(kernel, &r, err) : launch_rows(device, kernel, &r, &f, err);
}

// --- Offers ---------------------------------------------------------------------------------------------------------

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (!ferry_node_is_plain(view, root)) return FERRY_OK;
    for (int layout = 0; layout < 2; layout++) {
        ferry_cuda_rows r;
        if (!read_graph(g, node, (ferry_tensor_layout)layout, &r)) continue;
        const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
        if (layout && x->shape.rank < 3 && y->shape.rank < 3) continue;
        const double macs = 8 * ferry_value_elements(x), bytes = ferry_value_bytes(x) + ferry_value_bytes(y);
        FERRY_TRY(ferry_offer_node(sink, tactics[layout], root, (ferry_tensor_layout)layout,
                                   (ferry_tensor_layout)layout, 0,
                                   ferry_cuda_cost_us(device, FERRY_F32, macs, bytes) + 1, err));
    }
    return FERRY_OK;
}

extern const ferry_cuda_family ferry_cuda_family_rows;
const ferry_cuda_family ferry_cuda_family_rows = {
    .name = "rows",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};

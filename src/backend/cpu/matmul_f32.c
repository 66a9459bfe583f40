// SPDX-License-Identifier: Apache-2.0
// MatMul in float of operands that are both made at run time (attention): matrices on the right are packed into the
// workspace, a few batches at a time.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/gemm_f32.h"
#include "backend/cpu/node.h"
#include "backend/reading/matmul_shape.h"

static const char tactic_name[] = "matmul_f32";

#define WORKSPACE_BYTES ((size_t)4 << 20) // for packed matrices, unless one alone needs more

typedef struct matmul_kernel {
    ferry_cpu_kernel base;
    const ferry_gemm_f32_row *row;
    ferry_matmul_shape shape;
    ferry_operand a, b;
    size_t packed_floats; // of one matrix
    size_t at_once;       // matrices in the workspace
} matmul_kernel;

typedef struct matmul_run {
    const matmul_kernel *k;
    const float *a, *b;
    float *y, *packed;
    size_t first; // batch
} matmul_run;

static void pack_some(void *context, size_t begin, size_t count)
{
    const matmul_run *run = context;
    const ferry_matmul_shape *s = &run->k->shape;
    for (size_t i = begin; i < begin + count; i++)
        ferry_gemm_f32_pack(run->k->row, s->k, s->n, run->b + ferry_matmul_offset_b(s, run->first + i), s->n, 1, NULL,
                            run->packed + i * run->k->packed_floats);
}

// i: a matrix of this round; j: rows.
static void multiply_some(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    static const ferry_finish plain = {.low = -INFINITY, .high = INFINITY, .r_mult = 1};
    const matmul_run *run = context;
    const ferry_matmul_shape *s = &run->k->shape;
    const ferry_gemm_f32_row *row = run->k->row;
    const void *pointers[64];
    ferry_gemm_f32_tile tile = {.x = pointers, .taps = 1, .kc = s->k, .y_stride = s->n, .finish = &plain};
    for (size_t matrix = i; matrix < i + count_i; matrix++) {
        const float *a = run->a + ferry_matmul_offset_a(s, run->first + matrix);
        float *y = run->y + (run->first + matrix) * s->m * s->n;
        for (size_t r = j; r < j + count_j; r += row->mr) {
            tile.rows = j + count_j - r < row->mr ? j + count_j - r : row->mr;
            for (size_t t = 0; t < tile.rows; t++) pointers[t] = a + (r + t) * s->k;
            for (size_t c = 0; c < s->n; c += row->nr) {
                tile.cols = s->n - c < row->nr ? s->n - c : row->nr;
                tile.w = run->packed + matrix * run->k->packed_floats + ferry_gemm_f32_panel(s->k, c);
                tile.y = y + r * s->n + c;
                row->run(&tile);
            }
        }
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const matmul_kernel *k = (const matmul_kernel *)kernel;
    const ferry_matmul_shape *s = &k->shape;
    if (s->m == 0 || s->n == 0) return FERRY_OK;
    matmul_run run = {.k = k,
                      .a = ferry_cpu_operand_data(&k->a, r),
                      .b = ferry_cpu_operand_data(&k->b, r),
                      .y = r->out[0].data,
                      .packed = r->workspace};
    const size_t tile = (32 + k->row->mr - 1) / k->row->mr * k->row->mr;
    for (run.first = 0; run.first < s->batches; run.first += k->at_once) {
        const size_t count = s->batches - run.first < k->at_once ? s->batches - run.first : k->at_once;
        ferry_parallel_1d(r->pool, pack_some, &run, count, 1);
        ferry_parallel_2d(r->pool, multiply_some, &run, count, s->m, 1, tile);
    }
    return FERRY_OK;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    const ferry_operand a = ferry_operand_of(region, in, 0), b = ferry_operand_of(region, in, 1);
    ferry_matmul_shape shape;
    const ferry_gemm_f32_row *row = ferry_gemm_f32_pick(device->isa);
    size_t floats = 0;
    if (!a.present || !b.present || a.desc.dtype != FERRY_F32 || b.desc.dtype != FERRY_F32 ||
        out[0].dtype != FERRY_F32 || !ferry_matmul_shape_read(&a.desc, &b.desc, &out[0], &shape) ||
        !ferry_gemm_f32_packed_floats(row, shape.k, shape.n, &floats))
        return ferry_misfit(tactic, "operands that do not fit together", err);
    matmul_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a matrix product");
    k->row = row;
    k->shape = shape;
    k->a = a;
    k->b = b;
    k->packed_floats = ferry_align_size(floats, 16);
    k->at_once = WORKSPACE_BYTES / sizeof(float) / (k->packed_floats ? k->packed_floats : 1);
    if (k->at_once > shape.batches) k->at_once = shape.batches;
    if (k->at_once < 1) k->at_once = 1;
    k->base.base.workspace_bytes = k->at_once * k->packed_floats * sizeof(float);
    *out_kernel = &k->base.base;
    return FERRY_OK;
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    if (!ferry_node_is(node, "MatMul") || !ferry_node_is_plain(view, root)) return FERRY_OK;
    const ferry_value *a = ferry_node_value(g, node, 0), *b = ferry_node_value(g, node, 1);
    const ferry_value *y = ferry_node_result(g, node);
    if (a->dtype != b->dtype || !ferry_dtype_widens_to_f32(a->dtype) || a->shape.rank < 2 || b->shape.rank < 2)
        return FERRY_OK;
    if ((ferry_value_is_constant(a) || ferry_value_is_constant(b)) && a->dtype != FERRY_F32) return FERRY_OK;
    const double macs = ferry_value_elements(y) * (double)a->shape.dims[a->shape.rank - 1];
    const double bytes = ferry_value_bytes(a) + 3 * ferry_value_bytes(b) + ferry_value_bytes(y);
    return ferry_offer_node(sink, tactic_name, root, FERRY_LAYOUT_PLAIN, FERRY_LAYOUT_PLAIN, 0,
                            1 + ferry_cpu_cost_us(device, FERRY_F32, macs, bytes), err);
}

extern const ferry_cpu_family ferry_cpu_family_matmul_f32;
const ferry_cpu_family ferry_cpu_family_matmul_f32 = {
    .name = "matmul_f32",
    .via_f32 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};

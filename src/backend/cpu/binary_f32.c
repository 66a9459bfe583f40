// SPDX-License-Identifier: Apache-2.0
// Functions of two float tensors with broadcasting, in any layout, in place where one has the output's shape.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/elementwise_f32.h"
#include "backend/cpu/loops_half.h"
#include "backend/cpu/node.h"
#include "backend/reading/nd.h"
#include "ops/op.h"

static const char tactic_name[] = "binary_f32";

#define CHUNK 8192    // elements of one task
#define GATHER 256    // elements of a strided operand brought together, or of 16 bits widened, at a time
#define REPEATED 1024 // elements of an operand that short rows share, repeated so that they make one long row

typedef struct binary_kernel {
    ferry_cpu_kernel base;
    ferry_binary_f32_loop loop;
    const ferry_loops_half_row *half; // of all operands' type; NULL: f32
    ferry_binary_bf16_loop loop_half; // instead of the other; NULL: none
    size_t elem_bytes;
    ferry_nd nd; // operands: output, a, b
    int shared;  // see shared_operand
    ferry_operand operand[2];
    const float *constant[2]; // of constant operands, as f32; NULL where they are used as they are
    size_t owned_bytes[2];    // of `constant`, where it was widened
} binary_kernel;

typedef struct binary_run {
    const binary_kernel *k;
    const char *in[2];
    char *y;
} binary_run;

// Operands of 16 bits that there is no loop for: a piece at a time in float.
static void run_wide(const binary_kernel *k, const uint16_t *a, const uint16_t *b, uint16_t *y, size_t n, bool a_many,
                     bool b_many)
{
    float wide_a[GATHER], wide_b[GATHER];
    for (size_t i = 0; i < n; i += GATHER) {
        const size_t some = n - i < GATHER ? n - i : GATHER;
        if (a_many || i == 0) k->half->widen(a + (a_many ? i : 0), wide_a, a_many ? some : 1);
        if (b_many || i == 0) k->half->widen(b + (b_many ? i : 0), wide_b, b_many ? some : 1);
        float *to = a_many ? wide_a : b_many ? wide_b : wide_a;
        k->loop(wide_a, wide_b, to, some, a_many, b_many);
        k->half->narrow(to, y + i, some);
    }
}

static void run_loop(const binary_kernel *k, const void *a, const void *b, void *y, int64_t n, bool a_many, bool b_many)
{
    if (k->loop_half)
        k->loop_half(a, b, y, (size_t)n, a_many, b_many);
    else if (k->half)
        run_wide(k, a, b, y, (size_t)n, a_many, b_many);
    else
        k->loop(a, b, y, (size_t)n, a_many, b_many);
}

static const void *gather(size_t elem_bytes, const char *from, int64_t stride, int64_t first, int64_t n, float *buffer)
{
    if (stride == 1) return from + (size_t)first * elem_bytes;
    if (stride == 0) return from;
    if (elem_bytes == sizeof(float))
        for (int64_t i = 0; i < n; i++) buffer[i] = ((const float *)from)[(first + i) * stride];
    else
        for (int64_t i = 0; i < n; i++) ((uint16_t *)buffer)[i] = ((const uint16_t *)from)[(first + i) * stride];
    return buffer;
}

// Elements [first, first + n) of one run.
static void run_span(const binary_kernel *k, const char *a, const char *b, char *y, int64_t first, int64_t n)
{
    const int32_t last = k->nd.rank - 1;
    const int64_t step_a = k->nd.strides[1][last], step_b = k->nd.strides[2][last];
    const size_t bytes = k->elem_bytes;
    float buffer_a[GATHER], buffer_b[GATHER];
    const int64_t most = step_a <= 1 && step_b <= 1 ? n : GATHER;
    for (int64_t i = first; i < first + n; i += most) {
        const int64_t some = first + n - i < most ? first + n - i : most;
        run_loop(k, gather(bytes, a, step_a, i, some, buffer_a), gather(bytes, b, step_b, i, some, buffer_b),
                 y + (size_t)i * bytes, some, step_a != 0, step_b != 0);
    }
}

// The operand that short rows share while they follow each other in the output and in the other operand; -1: none.
static int shared_operand(const ferry_nd *nd)
{
    const int32_t last = nd->rank - 1;
    if (last < 1 || nd->dims[last] > REPEATED / 2 || nd->strides[0][last - 1] != nd->dims[last]) return -1;
    for (int32_t k = 0; k < 3; k++)
        if (nd->strides[k][last] != 1) return -1;
    for (int i = 0; i < 2; i++)
        if (nd->strides[1 + i][last - 1] == 0 && nd->strides[2 - i][last - 1] == nd->dims[last]) return i;
    return -1;
}

// How many rows from the cursor on, at most `most`, the loop can take for one.
static size_t rows_at_once(const ferry_nd *nd, const ferry_nd_cursor *c, size_t most)
{
    const size_t row = (size_t)nd->dims[nd->rank - 1], left = (size_t)(nd->dims[nd->rank - 2] - c->index[nd->rank - 2]);
    const size_t fit = REPEATED / row;
    most = most < left ? most : left;
    return most < fit ? most : fit;
}

static void repeat(const void *row, size_t bytes, size_t times, void *to)
{
    for (size_t i = 0; i < times; i++) memcpy((char *)to + i * bytes, row, bytes);
}

// Whole rows that share an operand, as many as fit into the buffer for one.
static void run_rows(const binary_run *run, size_t first, size_t count)
{
    const binary_kernel *k = run->k;
    const size_t bytes = k->elem_bytes, row = (size_t)k->nd.dims[k->nd.rank - 1];
    const char *repeated = NULL; // the row that `buffer` has
    float buffer[REPEATED];
    while (count > 0) {
        ferry_nd_cursor c;
        ferry_nd_seek(&k->nd, first, &c);
        const char *in[2] = {run->in[0] + c.at[1] * (int64_t)bytes, run->in[1] + c.at[2] * (int64_t)bytes};
        char *y = run->y + c.at[0] * (int64_t)bytes;
        const size_t rows = rows_at_once(&k->nd, &c, count);
        if (rows > 1 && in[k->shared] != repeated) {
            repeated = in[k->shared];
            repeat(repeated, row * bytes, REPEATED / row, buffer);
        }
        if (rows > 1) in[k->shared] = (const char *)buffer;
        run_loop(k, in[0], in[1], y, (int64_t)(rows * row), true, true);
        first += rows;
        count -= rows;
    }
}

// Whole rows, some at a time that lie at one distance: slices have many short ones.
static void run_lines(const binary_run *run, size_t begin, size_t count)
{
    const binary_kernel *k = run->k;
    const ferry_nd *w = &k->nd;
    const int32_t last = w->rank - 1;
    const int64_t bytes = (int64_t)k->elem_bytes, row = w->dims[last];
    const ptrdiff_t to_y = w->strides[0][last - 1] * bytes, to_a = w->strides[1][last - 1] * bytes;
    const ptrdiff_t to_b = w->strides[2][last - 1] * bytes;
    const bool a_many = w->strides[1][last] != 0, b_many = w->strides[2][last] != 0;
    for (size_t end = begin + count; begin < end;) {
        ferry_nd_cursor c;
        ferry_nd_seek(w, begin, &c);
        const size_t left = (size_t)(w->dims[last - 1] - c.index[last - 1]);
        const size_t rows = left < end - begin ? left : end - begin;
        const char *a = run->in[0] + c.at[1] * bytes, *b = run->in[1] + c.at[2] * bytes;
        char *y = run->y + c.at[0] * bytes;
        for (size_t i = 0; i < rows; i++, a += to_a, b += to_b, y += to_y) run_loop(k, a, b, y, row, a_many, b_many);
        begin += rows;
    }
}

static void run_some(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    const binary_run *run = context;
    const ferry_nd *w = &run->k->nd;
    const int32_t last = w->rank - 1;
    const int64_t bytes = (int64_t)run->k->elem_bytes;
    if (run->k->shared >= 0) {
        run_rows(run, i, count_i);
        return;
    }
    if (last > 0 && count_j == (size_t)w->dims[last] && w->strides[1][last] <= 1 && w->strides[2][last] <= 1) {
        run_lines(run, i, count_i);
        return;
    }
    ferry_nd_cursor c;
    ferry_nd_seek(&run->k->nd, i, &c);
    for (size_t row = 0; row < count_i; row++, ferry_nd_next(&run->k->nd, &c))
        run_span(run->k, run->in[0] + c.at[1] * bytes, run->in[1] + c.at[2] * bytes, run->y + c.at[0] * bytes,
                 (int64_t)j, (int64_t)count_j);
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const binary_kernel *k = (const binary_kernel *)kernel;
    binary_run run = {.k = k, .y = r->out[0].data};
    for (int i = 0; i < 2; i++)
        run.in[i] = k->constant[i] ? (const char *)k->constant[i] : ferry_cpu_operand_data(&k->operand[i], r);
    if (k->nd.runs == 0) return FERRY_OK;
    const size_t row = (size_t)k->nd.dims[k->nd.rank - 1];
    ferry_parallel_2d(r->pool, run_some, &run, k->nd.runs, row, row < CHUNK ? CHUNK / row : 1, CHUNK);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    binary_kernel *k = (binary_kernel *)kernel;
    for (int i = 0; i < 2; i++) ferry_constant_free(kernel->base.device->heap, k->constant[i], k->owned_bytes[i]);
}

static const struct {
    const char *op;
    ferry_binary_f32 loop;
} functions[] = {
    {"Add", FERRY_BINARY_F32_add}, {"Sub", FERRY_BINARY_F32_sub},     {"Mul", FERRY_BINARY_F32_mul},
    {"Div", FERRY_BINARY_F32_div}, {"Max", FERRY_BINARY_F32_max},     {"Min", FERRY_BINARY_F32_min},
    {"Sum", FERRY_BINARY_F32_add}, {"PRelu", FERRY_BINARY_F32_prelu},
};

static bool find(const ferry_node *node, ferry_binary_f32 *out)
{
    if (node->n_inputs != 2 || node->inputs[0] == FERRY_NO_VALUE || node->inputs[1] == FERRY_NO_VALUE) return false;
    for (size_t i = 0; i < FERRY_COUNT_OF(functions); i++) {
        if (!ferry_node_is(node, functions[i].op)) continue;
        *out = functions[i].loop;
        return true;
    }
    return false;
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static ferry_status fill(binary_kernel *k, const ferry_region *region, const char *tactic, const ferry_tensor_desc *in,
                         const ferry_tensor_desc *out, ferry_error *err)
{
    const ferry_node *node = &region->graph->nodes[region->nodes[0]];
    int64_t strides[2][FERRY_MAX_RANK];
    for (int32_t i = 0; i < 2; i++) {
        k->operand[i] = ferry_operand_of(region, in, i);
        if (k->operand[i].data && out[0].dtype == FERRY_F32)
            FERRY_TRY(ferry_constant_f32(k->base.base.device->heap, ferry_node_value(region->graph, node, i),
                                         &k->constant[i], &k->owned_bytes[i], err));
        else if (k->operand[i].desc.dtype != out[0].dtype)
            return ferry_misfit(tactic, "an input of another type", err);
        if (!ferry_nd_broadcast(&k->operand[i].desc, out[0].rank, out[0].dims, strides[i]))
            return ferry_misfit(tactic, "inputs that do not broadcast to the output", err);
    }
    const int64_t *const all[] = {out[0].strides, strides[0], strides[1]};
    ferry_nd_make(out[0].rank, out[0].dims, 3, all, &k->nd);
    k->shared = shared_operand(&k->nd);
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    ferry_binary_f32 loop;
    if (!find(&region->graph->nodes[region->nodes[0]], &loop) || !ferry_dtype_widens_to_f32(out[0].dtype) ||
        (!ferry_tensor_desc_is_dense(&out[0], out[0].layout) && ferry_tensor_desc_row(&out[0]) == 0))
        return ferry_misfit(tactic, "not a function of two float tensors", err);
    binary_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "an elementwise kernel");
    k->base.deinit = deinit;
    k->loop = ferry_elementwise_f32_pick(device->isa)->binary[loop];
    if (out[0].dtype != FERRY_F32) k->half = ferry_loops_half_pick(device->isa, out[0].dtype);
    if (k->half && k->half->binary) k->loop_half = k->half->binary[loop];
    k->elem_bytes = ferry_dtype_bytes(out[0].dtype);
    return ferry_cpu_kernel_done(&k->base, fill(k, region, tactic, in, out, err), out_kernel);
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    ferry_binary_f32 loop;
    if (!find(node, &loop) || !ferry_node_is_plain(view, root)) return FERRY_OK;
    const ferry_value *a = ferry_node_value(g, node, 0), *b = ferry_node_value(g, node, 1);
    const ferry_value *y = ferry_node_result(g, node);
    if (!ferry_dtype_widens_to_f32(a->dtype) || !ferry_dtype_widens_to_f32(b->dtype) || y->dtype != a->dtype)
        return FERRY_OK;
    if (ferry_value_is_constant(a) && ferry_value_is_constant(b)) return FERRY_OK;
    const double cost = ferry_cpu_cost_us(device, FERRY_F32, ferry_value_elements(y),
                                          ferry_value_bytes(a) + ferry_value_bytes(b) + ferry_value_bytes(y));
    const uint32_t flags = FERRY_OFFER_IN_PLACE_ANY | FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES;
    return ferry_offer_layouts(sink, view, tactic_name, root, flags, cost, err);
}

extern const ferry_cpu_family ferry_cpu_family_binary_f32;
const ferry_cpu_family ferry_cpu_family_binary_f32 = {
    .name = "binary_f32",
    .via_f32 = true,
    .f16 = true,
    .bf16 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};

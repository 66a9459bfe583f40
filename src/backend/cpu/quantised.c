// SPDX-License-Identifier: Apache-2.0
// QAdd, QMul and QTable, and the conversions between floats and INT8, in any layout. Results are docs/INT8.md's to the
// bit, whatever the instruction set.
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/elementwise_s8.h"
#include "backend/reading/nd.h"
#include "ops/integer.h"
#include "ops/op.h"

static const char tactic_name[] = "elementwise_s8";

#define TASK 16384 // elements of one task
#define PIECE 256  // elements of an operand gathered at a time

typedef enum quantised_kind { KIND_ADD, KIND_MUL, KIND_TABLE, KIND_QUANTISE, KIND_DEQUANTISE } quantised_kind;

typedef struct quantised_kernel {
    ferry_cpu_kernel base;
    const ferry_elementwise_s8_row *row;
    quantised_kind kind;
    ferry_operand in[2];
    bool real; // the output is f32
    float mults[2], shift, scale;
    float zeros[2];          // of QMul
    int32_t zero, low, high; // of conversions
    ferry_finish finish;
    const float *real_table; // [256], perhaps owned
    size_t owned;
    ferry_nd walk;                 // y, a, b: of QAdd and QMul
    size_t elements;               // of the others
    size_t channels, x_row, y_row; // of a table over a slice: elements of a position, and to the next one; else 0
} quantised_kernel;

typedef struct job {
    const quantised_kernel *k;
    const void *a, *b;
    void *y;
    int64_t pieces, piece; // of a run
    bool together;         // runs are whole, and their elements need no gathering
} job;

// Rows of n elements; several only where nothing is gathered.
static void run_pair(const job *j, const int8_t *a, const int8_t *b, int64_t y_at, int64_t rows, int64_t n)
{
    const quantised_kernel *k = j->k;
    const ferry_nd *w = &k->walk;
    const int32_t last = w->rank - 1;
    const int8_t *from[2] = {a, b};
    int8_t gathered[2][PIECE];
    for (int i = 0; i < 2; i++) {
        const int64_t step = w->strides[1 + i][last];
        if (step == 0 || step == 1) continue;
        for (int64_t e = 0; e < n; e++) gathered[i][e] = from[i][e * step];
        from[i] = gathered[i];
    }
    ferry_pair_s8 pair = {.a = from[0],
                          .b = from[1],
                          .a_many = w->strides[1][last] != 0,
                          .b_many = w->strides[2][last] != 0,
                          .a_mult = k->mults[0],
                          .b_mult = k->mults[1],
                          .shift = k->shift,
                          .a_zero = k->zeros[0],
                          .b_zero = k->zeros[1],
                          .finish = &k->finish,
                          .y = k->real ? NULL : (int8_t *)j->y + y_at,
                          .real = k->real ? (float *)j->y + y_at : NULL};
    if (rows > 1) {
        pair.y_row = (size_t)w->strides[0][last - 1];
        pair.a_row = (size_t)w->strides[1][last - 1];
        pair.b_row = (size_t)w->strides[2][last - 1];
    }
    (k->kind == KIND_ADD ? k->row->add : k->row->mul)(&pair, (size_t)rows, (size_t)n);
}

// An item is a piece of a run. Whole runs of one line of runs are done together.
static void run_pairs(void *context, size_t begin, size_t count)
{
    const job *j = context;
    const ferry_nd *w = &j->k->walk;
    const int32_t last = w->rank - 1;
    const int64_t row = w->dims[last];
    for (size_t item = begin; item < begin + count;) {
        const int64_t first = (int64_t)(item % (size_t)j->pieces) * j->piece;
        const int64_t n = row - first < j->piece ? row - first : j->piece, left = (int64_t)(begin + count - item);
        ferry_nd_cursor c;
        ferry_nd_seek(w, item / (size_t)j->pieces, &c);
        int64_t rows = last > 0 && j->together ? w->dims[last - 1] - c.index[last - 1] : 1;
        if (rows > left) rows = left;
        const int8_t *a = (const int8_t *)j->a + c.at[1] + first * w->strides[1][last];
        const int8_t *b = (const int8_t *)j->b + c.at[2] + first * w->strides[2][last];
        run_pair(j, a, b, c.at[0] + first, rows, n);
        item += (size_t)rows;
    }
}

static void run_elements(void *context, size_t begin, size_t count)
{
    const job *j = context;
    const quantised_kernel *k = j->k;
    if (k->kind == KIND_QUANTISE) {
        k->row->quantise((const float *)j->a + begin, k->scale, k->zero, k->low, k->high, (uint8_t *)j->y + begin,
                         count);
    } else if (k->kind == KIND_DEQUANTISE && k->low < 0) {
        k->row->dequantise_s8((const int8_t *)j->a + begin, k->scale, k->zero, (float *)j->y + begin, count);
    } else if (k->kind == KIND_DEQUANTISE) {
        k->row->dequantise_u8((const uint8_t *)j->a + begin, k->scale, k->zero, (float *)j->y + begin, count);
    } else if (k->real) {
        const int8_t *x = (const int8_t *)j->a;
        for (size_t i = begin; i < begin + count; i++) ((float *)j->y)[i] = k->real_table[x[i] + 128];
    } else {
        k->row->look_up((const int8_t *)j->a + begin, j->b, (int8_t *)j->y + begin, count);
    }
}

static void look_up_rows(void *context, size_t begin, size_t count)
{
    const job *j = context;
    const quantised_kernel *k = j->k;
    for (size_t row = begin; row < begin + count; row++)
        k->row->look_up((const int8_t *)j->a + row * k->x_row, j->b, (int8_t *)j->y + row * k->y_row, k->channels);
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const quantised_kernel *k = (const quantised_kernel *)kernel;
    job j = {.k = k, .a = ferry_cpu_operand_data(&k->in[0], r), .y = r->out[0].data};
    if (k->in[1].present) j.b = ferry_cpu_operand_data(&k->in[1], r);
    if (k->channels) {
        ferry_parallel_even(r->pool, look_up_rows, &j, k->elements / k->channels, 1 + TASK / k->channels);
        return FERRY_OK;
    }
    if (k->kind != KIND_ADD && k->kind != KIND_MUL) {
        ferry_parallel_even(r->pool, run_elements, &j, k->elements, TASK);
        return FERRY_OK;
    }
    const ferry_nd *w = &k->walk;
    const int64_t row = w->dims[w->rank - 1];
    if (w->runs == 0 || row == 0) return FERRY_OK;
    bool gathers = false;
    for (int i = 1; i <= 2; i++) gathers |= w->strides[i][w->rank - 1] != 0 && w->strides[i][w->rank - 1] != 1;
    j.piece = gathers ? PIECE : TASK;
    j.pieces = (row + j.piece - 1) / j.piece;
    j.together = !gathers && j.pieces == 1;
    const int64_t each = row < j.piece ? row : j.piece;
    ferry_parallel_even(r->pool, run_pairs, &j, w->runs * (size_t)j.pieces, (size_t)(each >= TASK ? 1 : TASK / each));
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    quantised_kernel *k = (quantised_kernel *)kernel;
    ferry_constant_free(kernel->base.device->heap, k->real_table, k->owned);
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static bool is_real(ferry_dtype dtype)
{
    return ferry_dtype_widens_to_f32(dtype);
}

static bool is_byte(ferry_dtype dtype)
{
    return dtype == FERRY_S8 || dtype == FERRY_U8;
}

// Scale and zero point of a conversion: constants for the whole tensor.
static bool read_scale(const ferry_graph *graph, const ferry_node *node, ferry_dtype stored, float *out_scale,
                       int32_t *out_zero)
{
    const ferry_value *scale = ferry_node_value(graph, node, 1), *zero = ferry_node_value(graph, node, 2);
    *out_zero = 0;
    if (!is_byte(stored) || !scale || !ferry_value_is_constant(scale) || scale->dtype != FERRY_F32 ||
        ferry_value_elements(scale) != 1 || ferry_node_int(node, "block_size", 0) != 0 ||
        ferry_node_attr(node, "precision"))
        return false;
    *out_scale = *(const float *)scale->data;
    if (!zero) return true;
    if (!ferry_value_is_constant(zero) || zero->dtype != stored || ferry_value_elements(zero) != 1) return false;
    *out_zero = stored == FERRY_S8 ? *(const int8_t *)zero->data : *(const uint8_t *)zero->data;
    return true;
}

// What the node is, from types alone; false when it is none of these kernels'. Only inputs 0 and 1 are looked at.
static bool kind_of(const ferry_graph *graph, const ferry_node *node, ferry_dtype y, quantised_kind *out)
{
    const ferry_value *a = ferry_node_value(graph, node, 0), *b = ferry_node_value(graph, node, 1);
    float scale = 0;
    int32_t zero = 0;
    if (!a) return false;
    if (ferry_node_is(node, "QuantizeLinear")) {
        *out = KIND_QUANTISE;
        return is_real(a->dtype) && read_scale(graph, node, y, &scale, &zero);
    }
    if (ferry_node_is(node, "DequantizeLinear")) {
        *out = KIND_DEQUANTISE;
        return y == FERRY_F32 && read_scale(graph, node, a->dtype, &scale, &zero);
    }
    if (!b || a->dtype != FERRY_S8) return false;
    if (ferry_node_is(node, "QTable")) {
        *out = KIND_TABLE;
        return ferry_value_is_constant(b) && ferry_value_elements(b) == 256 &&
               (y == FERRY_S8 ? b->dtype == FERRY_S8 : is_real(y) && is_real(b->dtype));
    }
    *out = ferry_node_is(node, "QAdd") ? KIND_ADD : KIND_MUL;
    return (ferry_node_is(node, "QAdd") || ferry_node_is(node, "QMul")) && b->dtype == FERRY_S8 &&
           (y == FERRY_S8 || is_real(y));
}

static ferry_status fill_pair(quantised_kernel *k, const ferry_node *node, const char *tactic,
                              const ferry_tensor_desc *y, ferry_error *err)
{
    int64_t strides[2][FERRY_MAX_RANK];
    ferry_epilogue epilogue;
    FERRY_TRY(ferry_epilogue_read(node, &epilogue, err));
    k->finish = ferry_finish_of(&epilogue);
    k->mults[0] = ferry_node_float(node, k->kind == KIND_ADD ? "a_mult" : "mult", 1.0f);
    k->mults[1] = ferry_node_float(node, "b_mult", 1.0f);
    k->shift = ferry_node_float(node, "shift", 0.0f);
    k->zeros[0] = (float)ferry_zero_point(node, "a_zero");
    k->zeros[1] = (float)ferry_zero_point(node, "b_zero");
    for (int i = 0; i < 2; i++)
        if (!k->in[i].present || k->in[i].desc.dtype != FERRY_S8 ||
            !ferry_nd_broadcast(&k->in[i].desc, y->rank, y->dims, strides[i]))
            return ferry_misfit(tactic, "an operand that does not broadcast", err);
    ferry_nd_make(y->rank, y->dims, 3, (const int64_t *const[]){y->strides, strides[0], strides[1]}, &k->walk);
    return FERRY_OK;
}

// How the elements of x and y lie: in one piece and alike, or, for a table, in channels of positions. False: otherwise.
static bool read_rows(quantised_kernel *k, const ferry_tensor_desc *x, const ferry_tensor_desc *y)
{
    k->elements = 1;
    for (int32_t d = 0; d < y->rank; d++) k->elements *= (size_t)y->dims[d];
    const bool alike = memcmp(x->strides, y->strides, (size_t)y->rank * sizeof *y->strides) == 0;
    if (alike && ferry_tensor_desc_is_dense(y, y->layout)) return true;
    k->x_row = (size_t)ferry_tensor_desc_row(x);
    k->y_row = (size_t)ferry_tensor_desc_row(y);
    if (k->x_row == 0 || k->y_row == 0 || k->kind != KIND_TABLE || k->real) return false;
    k->channels = (size_t)y->dims[1];
    return true;
}

static ferry_status fill_kernel(quantised_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *y,
                                ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    if (!kind_of(g, node, y->dtype, &k->kind) ||
        (!ferry_tensor_desc_is_dense(y, y->layout) && ferry_tensor_desc_row(y) == 0))
        return ferry_misfit(tactic, "a node that it does not know", err);
    k->row = ferry_elementwise_s8_pick(device->isa);
    k->real = y->dtype == FERRY_F32;
    k->in[0] = ferry_operand_of(region, in, 0);
    if (k->kind != KIND_QUANTISE && k->kind != KIND_DEQUANTISE) k->in[1] = ferry_operand_of(region, in, 1);
    if (k->kind == KIND_ADD || k->kind == KIND_MUL) return fill_pair(k, node, tactic, y, err);
    const ferry_tensor_desc *x = &k->in[0].desc;
    const ferry_dtype stored = k->kind == KIND_QUANTISE ? y->dtype : x->dtype;
    if (k->kind != KIND_TABLE && !read_scale(g, node, stored, &k->scale, &k->zero))
        return ferry_misfit(tactic, "a scale that it does not take", err);
    k->low = stored == FERRY_U8 ? 0 : -128;
    k->high = stored == FERRY_U8 ? 255 : 127;
    if ((k->kind == KIND_QUANTISE ? x->dtype != FERRY_F32 : !is_byte(x->dtype)) || !ferry_tensor_desc_same_dims(x, y) ||
        !read_rows(k, x, y))
        return ferry_misfit(tactic, "an output unlike its input", err);
    if (k->kind == KIND_TABLE && k->real)
        return ferry_constant_f32(device->base.heap, ferry_node_value(g, node, 1), &k->real_table, &k->owned, err);
    return FERRY_OK;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    quantised_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "an INT8 kernel");
    k->base.deinit = deinit;
    return ferry_cpu_kernel_done(&k->base, fill_kernel(k, device, region, tactic, in, &out[0], err), out_kernel);
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    static const double macs[] = {
        [KIND_ADD] = 6, [KIND_MUL] = 6, [KIND_TABLE] = 6, [KIND_QUANTISE] = 8, [KIND_DEQUANTISE] = 2};
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    quantised_kind kind;
    if (node->n_inputs < 1 || !ferry_node_is_plain(view, root) || ferry_node_has_constant(g, node, 0)) return FERRY_OK;
    const ferry_value *y = ferry_node_result(g, node), *x = ferry_node_value(g, node, 0);
    if (!kind_of(g, node, y->dtype, &kind)) return FERRY_OK;
    const bool pair = kind == KIND_ADD || kind == KIND_MUL;
    double bytes = ferry_value_bytes(x) + ferry_value_bytes(y);
    if (pair) bytes += ferry_value_bytes(ferry_node_value(g, node, 1));
    const bool in_place = y->dtype == FERRY_S8 && kind != KIND_QUANTISE && ferry_shape_equal(&x->shape, &y->shape);
    const double cost = ferry_cpu_cost_us(device, FERRY_F32, ferry_value_elements(y) * macs[kind], bytes);
    uint32_t flags = pair ? FERRY_OFFER_IN_PLACE_ANY : in_place ? FERRY_OFFER_IN_PLACE : 0;
    const bool wide = y->shape.rank >= 3 && y->shape.dims[1] >= FERRY_LOOK_UP_ROW;
    if (pair || (kind == KIND_TABLE && y->dtype == FERRY_S8 && wide))
        flags |= FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES;
    return ferry_offer_layouts(sink, view, tactic_name, root, flags, cost, err);
}

extern const ferry_cpu_family ferry_cpu_family_quantised;
const ferry_cpu_family ferry_cpu_family_quantised = {
    .name = "quantised",
    .via_f32 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};

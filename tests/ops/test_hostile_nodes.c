// SPDX-License-Identifier: Apache-2.0
// Every operator of ONNX is given random nodes: wild attributes, wild shapes, wild shape arithmetic. Inference must
// answer, and a kernel that is let through must stay inside its tensors. Under AddressSanitizer, reads are held to that
// as well.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/element.h"
#include "ops/known.h"
#include "ops/op.h"

#define MOST 6   // inputs and outputs of a node
#define GUARD 64 // bytes after each output
#define GUARD_BYTE 0xa5
#define ROUNDS 1500                  // for each operator
#define MOST_BYTES ((size_t)1 << 18) // larger outputs are not computed

typedef struct hostile {
    uint64_t state;
    ferry_graph graph;
    ferry_node node;
    ferry_value_id inputs[MOST], outputs[MOST];
    ferry_attr attrs[MOST];
    int64_t ints[MOST][MOST];
    float floats[MOST][MOST];
    const char *strings[MOST][1];
    ferry_tensor attr_tensor;
    uint64_t attr_data;
    ferry_tensor in[MOST], out[MOST], partial[MOST];
    const bool *masks[MOST];
    bool mask_room[MOST][16];
    ferry_shape in_shapes[MOST], out_shapes[MOST];
    ferry_dtype in_dtypes[MOST], out_dtypes[MOST];
} hostile;

static uint64_t below(hostile *h, uint64_t n)
{
    h->state ^= h->state << 13;
    h->state ^= h->state >> 7;
    h->state ^= h->state << 17;
    return ((h->state * 0x2545f4914f6cdd1du) >> 33) % n;
}

static bool chance(hostile *h, unsigned percent)
{
    return below(h, 100) < percent;
}

static int64_t wild_int(hostile *h)
{
    static const int64_t wild[] = {
        INT64_MIN, INT64_MIN + 1, INT64_MAX,        INT64_MAX - 1,    INT32_MIN, INT32_MAX, -9,
        9,         1000000,       (int64_t)1 << 32, (int64_t)1 << 61, 255,       -128,      -((int64_t)1 << 47)};
    if (chance(h, 5)) return wild[below(h, FERRY_COUNT_OF(wild))];
    return (int64_t)below(h, 8) - 3;
}

static double wild_float(hostile *h)
{
    static const double wild[] = {0.0, -0.0, 1e300, -1e300, 1e-300, 0.5, 0x1p63, -0x1p63, 65520, NAN};
    if (chance(h, 15)) return wild[below(h, FERRY_COUNT_OF(wild))];
    return ((double)below(h, 2001) - 1000) / 250;
}

static ferry_dtype any_dtype(hostile *h)
{
    return (ferry_dtype)(FERRY_F32 + (int)below(h, FERRY_BOOL));
}

// --- Making a node ---------------------------------------------------------------------------------------------------

static void make_attr(hostile *h, const ferry_attr_schema *schema, int32_t i)
{
    static const char *const words[] = {"constant", "reflect", "edge", "wrap",    "DCR",        "CRD",
                                        "LEFT",     "RIGHT",   "add",  "max",     "NOTSET",     "SAME_UPPER",
                                        "VALID",    "linear",  "tanh", "nearest", "half_pixel", "nonsense"};
    ferry_attr *attr = &h->attrs[i];
    *attr = (ferry_attr){.name = schema->name, .kind = schema->kind, .count = 1};
    if (schema->kind == FERRY_ATTR_INTS || schema->kind == FERRY_ATTR_FLOATS) attr->count = (int32_t)below(h, MOST);
    for (int32_t k = 0; k < MOST; k++) {
        h->ints[i][k] = wild_int(h);
        h->floats[i][k] = (float)wild_float(h);
    }
    h->strings[i][0] = words[below(h, FERRY_COUNT_OF(words))];
    switch (schema->kind) {
    case FERRY_ATTR_INT:
    case FERRY_ATTR_INTS:
        attr->u.ints = h->ints[i];
        break;
    case FERRY_ATTR_FLOAT:
    case FERRY_ATTR_FLOATS:
        attr->u.floats = h->floats[i];
        break;
    case FERRY_ATTR_STRING:
    case FERRY_ATTR_STRINGS:
        attr->u.strings = h->strings[i];
        break;
    case FERRY_ATTR_TENSOR:
        h->attr_data = below(h, UINT32_MAX);
        h->attr_tensor = (ferry_tensor){.dtype = any_dtype(h), .rank = 1, .dims = {1}, .data = &h->attr_data};
        attr->u.tensor = &h->attr_tensor;
        break;
    }
}

// A small tensor in a block of exactly its size: related to `base` as an operand, or a short list as a parameter.
static void make_input(hostile *h, int32_t i, const ferry_tensor *base)
{
    ferry_tensor *t = &h->in[i];
    *t = *base;
    const bool operand = i == 0 || chance(h, 45);
    if (operand) {
        for (int32_t d = 0; d < t->rank; d++) {
            if (chance(h, 12)) t->dims[d] = 1;
            if (chance(h, 4)) t->dims[d] = (int64_t)below(h, 6);
        }
        if (chance(h, 1) && t->rank >= 2) {
            // Empty, with dimensions that must not be multiplied.
            t->dims[below(h, (uint64_t)t->rank)] = (int64_t)1 << 20;
            t->dims[below(h, (uint64_t)t->rank)] = 1000;
            t->dims[below(h, (uint64_t)t->rank)] = 0;
        } else if (chance(h, 8)) {
            t->rank = (int32_t)below(h, 6);
        }
        if (chance(h, 10)) t->dtype = any_dtype(h);
    } else {
        t->dtype = chance(h, 85) ? FERRY_S64 : any_dtype(h);
        t->rank = chance(h, 25) ? 0 : 1;
        t->dims[0] = chance(h, 40) ? base->rank : chance(h, 30) ? 2 * base->rank : (int64_t)below(h, 5);
    }
    const size_t n = ferry_tensor_elements(t);
    t->data = malloc(n * ferry_dtype_bytes(t->dtype) + (n == 0));
    assert_non_null(t->data);
    for (size_t e = 0; e < n; e++) {
        if (ferry_dtype_is_float(t->dtype)) {
            ferry_store_f64(t, e, wild_float(h));
        } else {
            ferry_store_s64(t, e, wild_int(h));
        }
    }
}

static void make_node(hostile *h, const ferry_op *op)
{
    ferry_tensor base = {.dtype = chance(h, 60) ? FERRY_F32 : any_dtype(h), .rank = (int32_t)below(h, 6)};
    for (int32_t d = 0; d < FERRY_MAX_RANK; d++) base.dims[d] = chance(h, 4) ? 0 : 1 + (int64_t)below(h, 4);
    const int32_t most_in = op->max_inputs < 0 || op->max_inputs > MOST ? MOST : op->max_inputs;
    const int32_t most_out = op->max_outputs < 0 || op->max_outputs > MOST ? MOST : op->max_outputs;
    h->node = (ferry_node){.op = op, .name = "n", .inputs = h->inputs, .outputs = h->outputs, .attrs = h->attrs};
    h->node.n_inputs = op->min_inputs + (int32_t)below(h, (uint64_t)(most_in - op->min_inputs) + 1);
    h->node.n_outputs = op->min_outputs + (int32_t)below(h, (uint64_t)(most_out - op->min_outputs) + 1);
    for (int32_t i = 0; i < h->node.n_inputs; i++) {
        h->inputs[i] = i >= op->min_inputs && chance(h, 25) ? FERRY_NO_VALUE : i;
        h->in[i] = (ferry_tensor){0};
        if (h->inputs[i] != FERRY_NO_VALUE) make_input(h, i, &base);
        h->in_dtypes[i] = h->in[i].dtype;
        h->in_shapes[i] = h->in[i].dtype ? ferry_shape_of(h->in[i].rank, h->in[i].dims) : ferry_shape_unknown();
    }
    for (int32_t o = 0; o < h->node.n_outputs; o++) {
        h->outputs[o] = o > 0 && chance(h, 15) ? FERRY_NO_VALUE : h->node.n_inputs + o;
        h->out_shapes[o] = ferry_shape_unknown();
        h->out_dtypes[o] = FERRY_DTYPE_NONE;
        h->out[o] = (ferry_tensor){0};
    }
    for (const ferry_attr_schema *schema = op->attrs; schema && schema->name && h->node.n_attrs < MOST; schema++) {
        if (schema->required || chance(h, 60)) make_attr(h, schema, h->node.n_attrs++);
    }
}

// Takes knowledge away: dimensions, ranks, data, or some elements of the data.
static bool hide(hostile *h, ferry_tensor *known)
{
    const bool hiding = chance(h, 35);
    for (int32_t i = 0; i < h->node.n_inputs; i++) {
        known[i] = h->in[i];
        h->partial[i] = (ferry_tensor){0};
        h->masks[i] = NULL;
        if (!hiding || !h->in[i].dtype || !chance(h, 60)) continue;
        if (chance(h, 50)) known[i] = (ferry_tensor){0};
        for (int32_t d = 0; d < h->in_shapes[i].rank && !known[i].data; d++)
            if (chance(h, 30)) h->in_shapes[i].dims[d] = FERRY_DIM_UNKNOWN;
        if (!known[i].data && chance(h, 10)) h->in_shapes[i] = ferry_shape_unknown();
        const bool small = h->in[i].rank == 1 && h->in[i].dims[0] <= 16 && h->in[i].dtype == FERRY_S64;
        if (!small || !ferry_shape_is_known(&h->in_shapes[i]) || !chance(h, 50)) continue;
        known[i] = (ferry_tensor){0};
        h->partial[i] = h->in[i];
        h->masks[i] = h->mask_room[i];
        for (int32_t e = 0; e < 16; e++) h->mask_room[i][e] = chance(h, 50);
    }
    return hiding;
}

// --- Running it ------------------------------------------------------------------------------------------------------

static size_t bytes_of(const ferry_shape *shape, ferry_dtype dtype)
{
    size_t n = 0, bytes = 0;
    if (!ferry_shape_elements(shape, &n) || !ferry_mul_size(n, ferry_dtype_bytes(dtype), &bytes)) return SIZE_MAX;
    return bytes;
}

static void check_shapes(const hostile *h)
{
    for (int32_t o = 0; o < h->node.n_outputs; o++) {
        const ferry_shape *shape = &h->out_shapes[o];
        assert_in_range((intmax_t)shape->rank + 1, 0, FERRY_MAX_RANK + 1);
        for (int32_t d = 0; d < shape->rank; d++) assert_true(shape->dims[d] >= FERRY_DIM_UNKNOWN);
    }
}

static bool make_outputs(hostile *h)
{
    for (int32_t o = 0; o < h->node.n_outputs; o++) {
        if (h->outputs[o] == FERRY_NO_VALUE) continue;
        const size_t bytes = bytes_of(&h->out_shapes[o], h->out_dtypes[o]);
        if (!ferry_shape_is_known(&h->out_shapes[o]) || !h->out_dtypes[o] || bytes > MOST_BYTES) return false;
        h->out[o] = (ferry_tensor){.dtype = h->out_dtypes[o], .rank = h->out_shapes[o].rank};
        memcpy(h->out[o].dims, h->out_shapes[o].dims, sizeof h->out[o].dims);
        h->out[o].data = malloc(bytes + GUARD);
        assert_non_null(h->out[o].data);
        memset(h->out[o].data, GUARD_BYTE, bytes + GUARD);
    }
    return true;
}

static void check_outputs(const hostile *h)
{
    for (int32_t o = 0; o < h->node.n_outputs; o++) {
        if (!h->out[o].data) continue;
        const size_t bytes = bytes_of(&h->out_shapes[o], h->out_dtypes[o]);
        const uint8_t *guard = (const uint8_t *)h->out[o].data + bytes;
        for (size_t k = 0; k < GUARD; k++) assert_int_equal(guard[k], GUARD_BYTE);
        for (int32_t d = 0; d < h->out[o].rank; d++) assert_in_range(h->out[o].dims[d], 0, h->out_shapes[o].dims[d]);
    }
}

static bool evaluate(hostile *h)
{
    const ferry_op *op = h->node.op;
    if (!op->eval || !make_outputs(h)) return false;
    const size_t scratch_bytes = op->scratch_bytes ? op->scratch_bytes(&h->node, h->in, h->out) : 0;
    if (scratch_bytes > MOST_BYTES) return false;
    void *scratch = NULL;
    if (scratch_bytes) scratch = aligned_alloc(64, ferry_align_size(scratch_bytes, 64));
    const ferry_eval eval = {.node = &h->node, .in = h->in, .out = h->out, .scratch = scratch};
    ferry_error err = {{0}};
    const ferry_status status = ferry_op_eval(&eval, &err);
    if (status != FERRY_OK) assert_true(err.text[0] != '\0');
    free(scratch);
    check_outputs(h);
    return status == FERRY_OK;
}

// One random node. *evaluated counts those that went through the kernel.
static void one_round(hostile *h, const ferry_op *op, size_t *evaluated)
{
    make_node(h, op);
    ferry_tensor known[MOST];
    const bool hidden = hide(h, known);
    ferry_infer infer = {.graph = &h->graph,
                         .node = &h->node,
                         .in_shapes = h->in_shapes,
                         .in_dtypes = h->in_dtypes,
                         .in_data = known,
                         .in_partial = h->partial,
                         .in_known = h->masks,
                         .out_shapes = h->out_shapes,
                         .out_dtypes = h->out_dtypes};
    ferry_error err = {{0}};
    // Inference over a graph refuses larger tensors before it asks an operator.
    bool in_memory = true;
    for (int32_t i = 0; i < h->node.n_inputs; i++) {
        size_t bytes = 0;
        const ferry_shape shape = ferry_shape_of(h->in[i].rank, h->in[i].dims);
        in_memory = in_memory && (!h->in[i].dtype || ferry_shape_bytes(&shape, h->in[i].dtype, &bytes));
    }
    const ferry_status status =
        in_memory ? op->infer(&infer, &err) : ferry_fail(&err, FERRY_ERR_BAD_MODEL, "too large");
    if (status == FERRY_OK) {
        check_shapes(h);
        if (!hidden) *evaluated += evaluate(h);
    } else {
        assert_true(err.text[0] != '\0');
    }
    for (int32_t i = 0; i < h->node.n_inputs; i++) free(h->in[i].data);
    for (int32_t o = 0; o < h->node.n_outputs; o++) free(h->out[o].data);
}

static void hostile_nodes__are_answered_by_every_operator(void **state)
{
    (void)state;
    static hostile h;
    const char *seed = getenv("FERRY_TEST_SEED"), *rounds = getenv("FERRY_TEST_ROUNDS"),
               *only = getenv("FERRY_TEST_OP");
    h.state = seed ? strtoull(seed, NULL, 10) : 20240229;
    ferry_graph_init(&h.graph, ferry_heap_default());
    for (size_t k = 0; ferry_op_at(k); k++) {
        const ferry_op *op = ferry_op_at(k);
        // ferry's own operators are made by passes, never read from a model.
        if (!op->infer || op->domain[0] || (only && strcmp(only, op->name) != 0)) continue;
        size_t evaluated = 0;
        for (long r = rounds ? strtol(rounds, NULL, 10) : ROUNDS; r > 0; r--) one_round(&h, op, &evaluated);
        print_message("%s: %zu nodes computed\n", op->name, evaluated);
    }
    ferry_graph_deinit(&h.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hostile_nodes__are_answered_by_every_operator)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
// Every operator, ONNX's and ferry's own (an engine file can carry any node), is given random nodes: wild attributes,
// wild shapes, wild shape arithmetic. Inference must answer, and a kernel that is let through must stay inside its
// tensors. Under AddressSanitizer, reads are held to that as well.
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

#define MOST 6        // inputs and outputs of a node, numbers of an attribute
#define MOST_ATTRS 14 // of a node
#define GUARD 64      // bytes after each output
#define GUARD_BYTE 0xa5
#define ROUNDS 1500                  // for each operator
#define MOST_BYTES ((size_t)1 << 18) // larger outputs are not computed

typedef struct hostile {
    uint64_t state;
    ferry_graph graph;
    ferry_node node;
    ferry_value_id inputs[MOST], outputs[MOST];
    ferry_attr attrs[MOST_ATTRS];
    int64_t ints[MOST_ATTRS][MOST];
    float floats[MOST_ATTRS][MOST];
    const char *strings[MOST_ATTRS][1];
    int64_t group;      // that likely inputs were made for
    bool resizes;       // sizes or scales are wanted that leave the first two dimensions alone
    int64_t indices_in; // likely inputs of integers hold 0 .. indices_in - 1; 0: anything
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

// Words that an attribute of that name takes; for others, any of them.
static const char *make_word(hostile *h, const char *attr)
{
    static const struct {
        const char *attr, *words[8];
    } known[] = {
        {"auto_pad", {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"}},
        {"mode", {"constant", "reflect", "edge", "wrap", "nearest", "linear", "cubic", "DCR"}},
        {"coordinate_transformation_mode",
         {"half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize", "pytorch_half_pixel",
          "half_pixel_symmetric", "tf_half_pixel_for_nn"}},
        {"nearest_mode", {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"}},
        {"keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"}},
        {"reduction", {"none", "add", "mul", "min", "max"}},
        {"act", {"none", "relu", "clip", "leaky_relu", "hard_sigmoid"}},
        {"padding_mode", {"zeros", "border", "reflection"}},
        {"direction", {"LEFT", "RIGHT"}},
    };
    size_t at = 0;
    while (at < FERRY_COUNT_OF(known) && strcmp(known[at].attr, attr) != 0) at++;
    if (at == FERRY_COUNT_OF(known) || chance(h, 4)) {
        at = below(h, FERRY_COUNT_OF(known));
        if (chance(h, 20)) return "nonsense";
    }
    size_t n = 0;
    while (n < FERRY_COUNT_OF(known[at].words) && known[at].words[n]) n++;
    return known[at].words[below(h, n)];
}

// Numbers of a kind that a node with such an input may well have.
static void make_likely_ints(hostile *h, ferry_attr *attr, int64_t *ints)
{
    const int32_t rank = h->in[0].rank, spatial = rank > 2 ? rank - 2 : 0;
    const char *name = attr->name;
    const bool pads = strcmp(name, "pads") == 0 && attr->kind == FERRY_ATTR_INTS;
    if (pads || strcmp(name, "strides") == 0 || strcmp(name, "dilations") == 0 || strcmp(name, "kernel_shape") == 0) {
        attr->count = spatial * (pads ? 2 : 1) <= MOST ? spatial * (pads ? 2 : 1) : 0;
        for (int32_t k = 0; k < attr->count; k++) ints[k] = pads ? (int64_t)below(h, 3) : 1 + (int64_t)below(h, 2);
        // That of weights, when there are any.
        for (int32_t k = 0; k < attr->count && strcmp(name, "kernel_shape") == 0; k++)
            if (h->group && h->in[1].rank == rank) ints[k] = h->in[1].dims[2 + k];
    } else if (strcmp(name, "group") == 0 && h->group) {
        ints[0] = h->group;
    } else if (strcmp(name, "axis") == 0 && rank > 0) {
        ints[0] = (int64_t)below(h, (uint64_t)rank);
    } else if (strcmp(name, "to") == 0) {
        ints[0] = (int64_t)below(h, FERRY_BOOL + 2);
    }
}

static void make_attr(hostile *h, const ferry_attr_schema *schema, int32_t i)
{
    ferry_attr *attr = &h->attrs[i];
    *attr = (ferry_attr){.name = schema->name, .kind = schema->kind, .count = 1};
    if (schema->kind == FERRY_ATTR_INTS || schema->kind == FERRY_ATTR_FLOATS) attr->count = (int32_t)below(h, MOST);
    for (int32_t k = 0; k < MOST; k++) {
        h->ints[i][k] = wild_int(h);
        h->floats[i][k] = (float)wild_float(h);
    }
    h->strings[i][0] = make_word(h, schema->name);
    switch (schema->kind) {
    case FERRY_ATTR_INT:
    case FERRY_ATTR_INTS:
        attr->u.ints = h->ints[i];
        if (chance(h, 70)) make_likely_ints(h, attr, h->ints[i]);
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

static int64_t some(hostile *h, uint64_t most)
{
    return 1 + (int64_t)below(h, most);
}

// Gives a tensor random elements in a block of exactly its size.
static void fill(hostile *h, ferry_tensor *t)
{
    const size_t n = ferry_tensor_elements(t);
    t->data = malloc(n * ferry_dtype_bytes(t->dtype) + (n == 0));
    assert_non_null(t->data);
    const bool indices = h->indices_in > 0 && (t->dtype == FERRY_S64 || t->dtype == FERRY_S32) && chance(h, 90);
    for (size_t e = 0; e < n; e++) {
        if (ferry_dtype_is_float(t->dtype)) {
            ferry_store_f64(t, e, wild_float(h));
        } else {
            ferry_store_s64(t, e, indices ? (int64_t)below(h, (uint64_t)h->indices_in) : wild_int(h));
        }
    }
    if (!h->resizes || t->rank != 1 || n != (size_t)h->in[0].rank || chance(h, 20)) return;
    for (size_t d = 0; d < n; d++) {
        const bool scale = ferry_dtype_is_float(t->dtype);
        ferry_store_f64(t, d, d >= 2 ? (double)some(h, 6) / (scale ? 2 : 1) : scale ? 1 : (double)h->in[0].dims[d]);
    }
}

// A small tensor: related to `base` as an operand, or a short list as a parameter.
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
}

// --- Inputs that fit together, most of the time ----------------------------------------------------------------------

static void set(hostile *h, int32_t i, ferry_dtype dtype, int32_t rank, const int64_t *dims)
{
    if (i >= h->node.n_inputs) return;
    h->in[i] = (ferry_tensor){.dtype = dtype, .rank = rank};
    if (rank) memcpy(h->in[i].dims, dims, (size_t)rank * sizeof *dims);
}

static ferry_dtype float_dtype(hostile *h)
{
    static const ferry_dtype dtypes[] = {FERRY_F32, FERRY_F32, FERRY_F16, FERRY_BF16, FERRY_F64};
    return dtypes[below(h, FERRY_COUNT_OF(dtypes))];
}

static void likely_conv(hostile *h, const char *name)
{
    const bool integers = name[0] == 'Q', transposed = strcmp(name, "ConvTranspose") == 0;
    const bool fused = integers || strcmp(name, "FusedConv") == 0;
    const ferry_dtype dtype = integers                           ? FERRY_S8
                              : strcmp(name, "ConvInteger") == 0 ? chance(h, 50) ? FERRY_S8 : FERRY_U8
                                                                 : float_dtype(h);
    const int32_t rank = 3 + (int32_t)below(h, 3);
    h->group = some(h, 3);
    const int64_t c_each = some(h, 3), m_each = some(h, 3), m = m_each * h->group;
    int64_t x[5] = {some(h, 2), c_each * h->group}, w[5] = {m, c_each};
    if (transposed) w[0] = x[1], w[1] = m_each;
    for (int32_t d = 2; d < rank; d++) {
        x[d] = 1 + some(h, 5);
        w[d] = some(h, 3);
    }
    set(h, 0, dtype, rank, x);
    set(h, 1, dtype, rank, w);
    if (strcmp(name, "ConvInteger") == 0) {
        set(h, 2, dtype, 0, NULL);
        set(h, 3, dtype, chance(h, 50), &m);
        return;
    }
    set(h, 2, integers ? FERRY_F32 : dtype, 1, &m);
    if (integers) set(h, 3, FERRY_F32, 1, &m);
    // As it would be with the windows' usual size; strides and pads make it wrong often enough.
    int64_t y[5] = {x[0], m};
    for (int32_t d = 2; d < rank; d++) y[d] = x[d] >= w[d] ? x[d] - w[d] + 1 : 1;
    if (fused) set(h, integers ? 4 : 3, dtype, rank, y);
}

static void likely_pool(hostile *h, const char *name)
{
    const int32_t rank = 3 + (int32_t)below(h, 3);
    int64_t x[5];
    for (int32_t d = 0; d < rank; d++) x[d] = some(h, d < 2 ? 3 : 6);
    set(h, 0, name[0] == 'Q' ? FERRY_S8 : float_dtype(h), rank, x);
}

static void likely_product(hostile *h, const char *name)
{
    const bool integers = name[0] == 'Q';
    const ferry_dtype dtype = integers ? FERRY_S8 : float_dtype(h);
    const int64_t k = some(h, 4), n = some(h, 4);
    const int32_t rank = 2 + (int32_t)below(h, 2);
    int64_t a[3] = {some(h, 3), some(h, 3), 0}, y[3], w[3] = {k, n};
    a[rank - 1] = k;
    memcpy(y, a, sizeof y);
    y[rank - 1] = n;
    set(h, 0, dtype, rank, a);
    if (strcmp(name, "QMatMul") == 0) {
        const int64_t b[3] = {a[0], k, n};
        set(h, 1, dtype, rank, rank == 3 ? b : w);
        return;
    }
    set(h, 1, dtype, 2, w);
    set(h, 2, integers ? FERRY_F32 : dtype, 1, &n);
    set(h, 3, integers ? FERRY_F32 : dtype, integers ? 1 : rank, integers ? &n : y);
    set(h, 4, chance(h, 70) ? FERRY_S8 : FERRY_F32, rank, y);
}

static void likely_elementwise(hostile *h, const char *name)
{
    int64_t dims[4], entries = 256;
    const int32_t rank = (int32_t)below(h, 5);
    for (int32_t d = 0; d < rank; d++) dims[d] = some(h, 4);
    set(h, 0, FERRY_S8, rank, dims);
    for (int32_t d = 0; d < rank; d++) dims[d] = chance(h, 30) ? 1 : dims[d];
    const int32_t cut = rank ? (int32_t)below(h, (uint64_t)rank) : 0;
    set(h, 1, FERRY_S8, rank - cut, dims + cut);
    if (strcmp(name, "QTable") == 0) set(h, 1, chance(h, 60) ? FERRY_S8 : float_dtype(h), 1, &entries);
}

static void likely_resize(hostile *h, const char *name)
{
    const bool integers = name[0] == 'Q';
    const int32_t rank = integers ? 4 : some(h, 4) > 1 ? 4 : 1 + (int32_t)below(h, 5);
    int64_t x[5];
    for (int32_t d = 0; d < rank; d++) x[d] = some(h, d < 2 ? 2 : 5);
    set(h, 0, integers ? FERRY_S8 : chance(h, 70) ? float_dtype(h) : any_dtype(h), rank, x);
    const int64_t n = rank, twice = 2 * rank, none = 0;
    const bool sizes = chance(h, 50);
    if (integers) {
        set(h, 1, FERRY_F32, 1, sizes ? &none : &n);
    } else {
        set(h, 1, FERRY_F32, 1, chance(h, 50) ? &twice : &none);
        set(h, 2, FERRY_F32, 1, sizes ? &none : &n);
    }
    const int32_t at = integers ? 2 : 3;
    set(h, at, FERRY_S64, 1, &n);
    if (!sizes && at < h->node.n_inputs) h->inputs[at] = FERRY_NO_VALUE;
    h->indices_in = 9;
    h->resizes = true;
}

static void likely_nms(hostile *h)
{
    const int64_t batch = some(h, 2), n = some(h, 6), one = 1;
    const int64_t boxes[3] = {batch, n, 4}, scores[3] = {batch, some(h, 3), n};
    set(h, 0, FERRY_F32, 3, boxes);
    set(h, 1, FERRY_F32, 3, scores);
    set(h, 2, FERRY_S64, chance(h, 50), &one);
    for (int32_t i = 3; i < 5; i++) set(h, i, FERRY_F32, chance(h, 50), &one);
    h->indices_in = 5;
}

static void likely_scatter(hostile *h, const char *name)
{
    const int32_t rank = 1 + (int32_t)below(h, 4);
    const bool nd = strcmp(name, "ScatterND") == 0 || strcmp(name, "GatherND") == 0;
    int64_t data[4], indices[4], updates[8];
    for (int32_t d = 0; d < rank; d++) {
        data[d] = some(h, 4);
        indices[d] = some(h, (uint64_t)data[d]);
    }
    const ferry_dtype dtype = chance(h, 50) ? FERRY_F32 : any_dtype(h);
    h->indices_in = some(h, 2);
    set(h, 0, dtype, rank, data);
    if (!nd) {
        set(h, 1, chance(h, 50) ? FERRY_S64 : FERRY_S32, rank, indices);
        set(h, 2, dtype, rank, indices);
        return;
    }
    const int32_t depth = 1 + (int32_t)below(h, (uint64_t)rank), outer = (int32_t)below(h, 3);
    for (int32_t d = 0; d < outer; d++) updates[d] = indices[d] = some(h, 3);
    indices[outer] = depth;
    for (int32_t d = depth; d < rank; d++) updates[outer + d - depth] = data[d];
    set(h, 1, FERRY_S64, outer + 1, indices);
    set(h, 2, dtype, outer + rank - depth, updates);
}

static void likely_grid_sample(hostile *h)
{
    const int32_t rank = 4 + (int32_t)below(h, 2);
    int64_t x[5], grid[5];
    for (int32_t d = 0; d < rank; d++) x[d] = grid[d] = some(h, 4);
    for (int32_t d = 1; d + 1 < rank; d++) grid[d] = some(h, 3);
    grid[rank - 1] = rank - 2;
    set(h, 0, FERRY_F32, rank, x);
    set(h, 1, FERRY_F32, rank, grid);
}

static void likely_norm(hostile *h)
{
    int64_t x[5];
    const int32_t rank = 2 + (int32_t)below(h, 4);
    const ferry_dtype dtype = float_dtype(h);
    for (int32_t d = 0; d < rank; d++) x[d] = some(h, 4);
    set(h, 0, dtype, rank, x);
    for (int32_t i = 1; i < 5; i++) set(h, i, dtype, 1, &x[1]);
}

static void likely_quantize(hostile *h, const char *name)
{
    int64_t x[4];
    const int32_t rank = 1 + (int32_t)below(h, 4);
    for (int32_t d = 0; d < rank; d++) x[d] = some(h, 4);
    const ferry_dtype stored = chance(h, 50) ? FERRY_S8 : FERRY_U8;
    const bool each = chance(h, 50);
    set(h, 0, name[0] == 'Q' ? FERRY_F32 : stored, rank, x);
    set(h, 1, FERRY_F32, each, &x[rank > 1]);
    set(h, 2, stored, each, &x[rank > 1]);
}

static bool make_family(hostile *h, const char *name)
{
    const bool picks = strstr(name, "ScatterElements") || strstr(name, "GatherElements") || strstr(name, "ND");
    const bool pairs = strcmp(name, "QAdd") == 0 || strcmp(name, "QMul") == 0 || strcmp(name, "QTable") == 0;
    if (strstr(name, "Conv"))
        likely_conv(h, name);
    else if (strstr(name, "Normalization"))
        likely_norm(h);
    else if (strstr(name, "Pool"))
        likely_pool(h, name);
    else if (strstr(name, "Gemm") || strcmp(name, "QMatMul") == 0)
        likely_product(h, name);
    else if (pairs)
        likely_elementwise(h, name);
    else if (strstr(name, "Resize"))
        likely_resize(h, name);
    else if (strcmp(name, "NonMaxSuppression") == 0)
        likely_nms(h);
    else if (strcmp(name, "GridSample") == 0)
        likely_grid_sample(h);
    else if (strstr(name, "antizeLinear"))
        likely_quantize(h, name);
    else if (picks)
        likely_scatter(h, name);
    else
        return false;
    return true;
}

static void make_likely_inputs(hostile *h, const char *name)
{
    if (!make_family(h, name)) return;
    // One of them is off now and then.
    ferry_tensor *t = &h->in[below(h, (uint64_t)h->node.n_inputs)];
    if (chance(h, 12)) t->dims[below(h, 5)] = (int64_t)below(h, 6);
    if (chance(h, 4)) t->dtype = any_dtype(h);
    if (chance(h, 3)) t->rank = (int32_t)below(h, 6);
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
    h->group = h->indices_in = 0;
    h->resizes = false;
    for (int32_t i = 0; i < h->node.n_inputs; i++) {
        h->inputs[i] = i >= op->min_inputs && chance(h, 25) ? FERRY_NO_VALUE : i;
        make_input(h, i, &base);
    }
    if (h->node.n_inputs && chance(h, 60)) make_likely_inputs(h, op->name);
    for (int32_t i = 0; i < h->node.n_inputs; i++) {
        if (h->inputs[i] == FERRY_NO_VALUE)
            h->in[i] = (ferry_tensor){0};
        else
            fill(h, &h->in[i]);
        h->in_dtypes[i] = h->in[i].dtype;
        h->in_shapes[i] = h->in[i].dtype ? ferry_shape_of(h->in[i].rank, h->in[i].dims) : ferry_shape_unknown();
    }
    for (int32_t o = 0; o < h->node.n_outputs; o++) {
        h->outputs[o] = o > 0 && chance(h, 15) ? FERRY_NO_VALUE : h->node.n_inputs + o;
        h->out_shapes[o] = ferry_shape_unknown();
        h->out_dtypes[o] = FERRY_DTYPE_NONE;
        h->out[o] = (ferry_tensor){0};
    }
    for (const ferry_attr_schema *schema = op->attrs; schema && schema->name && h->node.n_attrs < MOST_ATTRS;
         schema++) {
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
        // Inference over a graph refuses larger tensors, even empty ones, after it asked the operator.
        if (!ferry_shape_fits(&h->out_shapes[o], h->out_dtypes[o])) return false;
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
    size_t never = 0;
    for (size_t k = 0; ferry_op_at(k); k++) {
        const ferry_op *op = ferry_op_at(k);
        if (!op->infer || (only && strcmp(only, op->name) != 0)) continue;
        size_t evaluated = 0;
        for (long r = rounds ? strtol(rounds, NULL, 10) : ROUNDS; r > 0; r--) one_round(&h, op, &evaluated);
        print_message("%s: %zu nodes computed\n", op->name, evaluated);
        // Rounds of which nothing reaches a kernel would test nothing but refusals.
        never += op->eval && evaluated == 0;
    }
    ferry_graph_deinit(&h.graph);
    if (!rounds) assert_int_equal(never, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hostile_nodes__are_answered_by_every_operator)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

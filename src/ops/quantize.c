// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear as ONNX defines them: one scale for the tensor, one for
// each index along an axis, or one a block.
#include <math.h>

#include "base/f16.h"
#include "ops/element.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_quantize[];

#define TYPES_8_16                                                                                                     \
    (1u << FERRY_S8 | 1u << FERRY_U8 | 1u << FERRY_S16 |                                                               \
     1u << FERRY_U16) // what QuantizeLinear makes; 4 bits: see below
#define TYPES_SCALE (1u << FERRY_F32 | 1u << FERRY_F16 | 1u << FERRY_BF16)

// Which scale serves which element.
typedef struct scale_map {
    bool per_tensor;
    size_t inner, axis_size; // elements from one index of the axis to the next; indices
    size_t block, blocks;    // indices that share a scale, and such blocks; block 0: one scale an index
} scale_map;

static size_t scale_index(const scale_map *map, size_t at)
{
    if (map->per_tensor) return 0;
    const size_t index = at / map->inner % map->axis_size;
    if (map->block == 0) return index;
    const size_t outer = at / map->inner / map->axis_size;
    return (outer * map->blocks + index / map->block) * map->inner + at % map->inner;
}

static bool is_one(const ferry_shape *s)
{
    return s->rank == 0 || (s->rank == 1 && s->dims[0] == 1);
}

static ferry_status check_blocks(const ferry_shape *x, const ferry_shape *scale, int32_t axis, int64_t block,
                                 ferry_error *err)
{
    for (int32_t d = 0; d < x->rank; d++) {
        const int64_t of_x = x->dims[d], of_scale = scale->dims[d];
        if (of_x == FERRY_DIM_UNKNOWN || of_scale == FERRY_DIM_UNKNOWN) continue;
        const int64_t need = d == axis ? of_x / block + (of_x % block != 0) : of_x;
        if (of_scale != need)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "dimension %d of the scale is %lld, blocks of %lld along axis %d need %lld", d,
                              (long long)of_scale, (long long)block, axis, (long long)need);
    }
    return FERRY_OK;
}

static ferry_status check_scale(const ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *x = &infer->in_shapes[0], *scale = &infer->in_shapes[1];
    const int64_t block = ferry_node_int(infer->node, "block_size", 0);
    if (block < 0) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "block_size is %lld, not 0 or more", (long long)block);
    if (ferry_has_input(infer->node, 2)) {
        const ferry_shape *zero = &infer->in_shapes[2];
        const bool both_known = ferry_shape_is_known(scale) && ferry_shape_is_known(zero);
        if (both_known && !ferry_shape_equal(scale, zero) && !(is_one(scale) && is_one(zero))) {
            char a[128], b[128];
            ferry_shape_text(infer->graph, scale, a, sizeof a);
            ferry_shape_text(infer->graph, zero, b, sizeof b);
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the scale is %s, the zero point %s: they must be alike", a, b);
        }
    }
    if (x->rank == FERRY_RANK_UNKNOWN || scale->rank == FERRY_RANK_UNKNOWN || (is_one(scale) && block == 0))
        return FERRY_OK;
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(infer->node, "axis", 1), x->rank, &axis, err));
    if (block > 0) {
        if (scale->rank != x->rank)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the scale has %d dims, blocks need %d as the input has",
                              scale->rank, x->rank);
        return check_blocks(x, scale, axis, block, err);
    }
    FERRY_TRY(ferry_need_rank(infer, 1, 1, err));
    if (x->dims[axis] != FERRY_DIM_UNKNOWN && scale->dims[0] != FERRY_DIM_UNKNOWN && x->dims[axis] != scale->dims[0])
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "there are %lld scales, axis %d of the input has %lld",
                          (long long)scale->dims[0], axis, (long long)x->dims[axis]);
    return FERRY_OK;
}

// The tensors have passed check_scale.
static ferry_status read_map(const ferry_eval *eval, scale_map *out, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *scale = &eval->in[1];
    *out = (scale_map){.block = (size_t)ferry_node_int(eval->node, "block_size", 0), .inner = 1};
    out->per_tensor = out->block == 0 && ferry_tensor_elements(scale) == 1;
    if (out->per_tensor) return FERRY_OK;
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", 1), x->rank, &axis, err));
    for (int32_t d = axis + 1; d < x->rank; d++) out->inner *= (size_t)x->dims[d];
    out->axis_size = (size_t)x->dims[axis];
    if (out->block) out->blocks = (size_t)scale->dims[axis];
    return FERRY_OK;
}

static ferry_status type_attr(const ferry_node *node, const char *name, uint32_t allowed, ferry_dtype otherwise,
                              ferry_dtype *out, ferry_error *err)
{
    const int64_t number = ferry_node_int(node, name, 0);
    *out = number == 0 ? otherwise : ferry_dtype_from_onnx(number);
    if (*out != FERRY_DTYPE_NONE && (allowed >> *out & 1u)) return FERRY_OK;
    return ferry_fail(
        err, FERRY_ERR_UNSUPPORTED,
        "%s is ONNX's type %lld (%s): ferry has no 4-bit integers and no 8-bit floats here; quantise to int8 "
        "or uint8",
        name, (long long)number, ferry_dtype_name(*out));
}

static ferry_status infer_quantize(ferry_infer *infer, ferry_error *err)
{
    ferry_dtype dtype = FERRY_DTYPE_NONE;
    FERRY_TRY(ferry_need_types(infer, 0, TYPES_SCALE | 1u << FERRY_S32, err));
    FERRY_TRY(ferry_need_types(infer, 1, TYPES_SCALE | 1u << FERRY_S32, err));
    FERRY_TRY(ferry_need_types(infer, 2, TYPES_8_16, err));
    FERRY_TRY(type_attr(infer->node, "precision", 1u << FERRY_F32 | 1u << FERRY_F16 | 1u << FERRY_BF16, FERRY_F32,
                        &dtype, err));
    const bool has_zero = ferry_has_input(infer->node, 2);
    FERRY_TRY(
        type_attr(infer->node, "output_dtype", TYPES_8_16, has_zero ? infer->in_dtypes[2] : FERRY_U8, &dtype, err));
    if (has_zero && dtype != infer->in_dtypes[2])
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "output_dtype is %s, the zero point is of type %s",
                          ferry_dtype_name(dtype), ferry_dtype_name(infer->in_dtypes[2]));
    FERRY_TRY(check_scale(infer, err));
    infer->out_shapes[0] = infer->in_shapes[0];
    infer->out_dtypes[0] = dtype;
    return FERRY_OK;
}

typedef struct range {
    double least, most;
} range;

static range range_of(ferry_dtype dtype)
{
    switch (dtype) {
    case FERRY_S8:
        return (range){INT8_MIN, INT8_MAX};
    case FERRY_S16:
        return (range){INT16_MIN, INT16_MAX};
    case FERRY_U16:
        return (range){0, UINT16_MAX};
    default:
        return (range){0, UINT8_MAX};
    }
}

// A value as the type would hold it.
static double round_to(double value, ferry_dtype dtype)
{
    uint64_t bits = 0;
    ferry_tensor one = {.dtype = dtype, .data = &bits};
    ferry_store_f64(&one, 0, value);
    return ferry_load_f64(&one, 0);
}

static ferry_status eval_quantize(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *scale = &eval->in[1];
    const ferry_tensor *zero = ferry_has_input(eval->node, 2) ? &eval->in[2] : NULL;
    ferry_tensor *y = &eval->out[0];
    // The division is done in the scale's type unless `precision` names another; ties depend on it.
    ferry_dtype precision = ferry_dtype_is_float(scale->dtype) ? scale->dtype : FERRY_F32;
    FERRY_TRY(type_attr(eval->node, "precision", TYPES_SCALE, precision, &precision, err));
    scale_map map;
    FERRY_TRY(read_map(eval, &map, err));
    const range limits = range_of(y->dtype);
    const size_t n = ferry_tensor_elements(x);
    for (size_t i = 0; i < n; i++) {
        const size_t s = scale_index(&map, i);
        double q = rint(round_to(ferry_load_f64(x, i) / ferry_load_f64(scale, s), precision)); // to even
        if (isnan(q)) q = 0;
        if (zero) q += (double)ferry_load_s64(zero, s);
        ferry_store_f64(y, i, q < limits.least ? limits.least : q > limits.most ? limits.most : q);
    }
    return FERRY_OK;
}

static ferry_status infer_dequantize(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, TYPES_8_16 | 1u << FERRY_S32, err));
    FERRY_TRY(ferry_need_types(infer, 1, TYPES_SCALE, err));
    FERRY_TRY(ferry_need_same_type(infer, 2, err));
    FERRY_TRY(type_attr(infer->node, "output_dtype", TYPES_SCALE, infer->in_dtypes[1], &infer->out_dtypes[0], err));
    FERRY_TRY(check_scale(infer, err));
    infer->out_shapes[0] = infer->in_shapes[0];
    return FERRY_OK;
}

static ferry_status eval_dequantize(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *scale = &eval->in[1];
    const ferry_tensor *zero = ferry_has_input(eval->node, 2) ? &eval->in[2] : NULL;
    scale_map map;
    FERRY_TRY(read_map(eval, &map, err));
    const size_t n = ferry_tensor_elements(x);
    for (size_t i = 0; i < n; i++) {
        const size_t s = scale_index(&map, i);
        const int64_t off = ferry_load_s64(x, i) - (zero ? ferry_load_s64(zero, s) : 0);
        ferry_store_f64(&eval->out[0], i, (double)off * ferry_load_f64(scale, s));
    }
    return FERRY_OK;
}

static ferry_status infer_dynamic(ferry_infer *infer, ferry_error *err)
{
    static const ferry_dtype dtypes[] = {FERRY_U8, FERRY_F32, FERRY_U8};
    FERRY_TRY(ferry_need_types(infer, 0, 1u << FERRY_F32, err));
    for (int32_t o = 0; o < infer->node->n_outputs; o++) {
        infer->out_dtypes[o] = dtypes[o];
        infer->out_shapes[o] = o == 0 ? infer->in_shapes[0] : ferry_shape_of(0, NULL);
    }
    return FERRY_OK;
}

static ferry_status eval_dynamic(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const float *x = eval->in[0].data;
    const size_t n = ferry_tensor_elements(&eval->in[0]);
    float least = 0, most = 0; // the range must hold 0
    for (size_t i = 0; i < n; i++) {
        if (x[i] < least) least = x[i];
        if (x[i] > most) most = x[i];
    }
    // All zeros: ONNX's formula would divide by 0; any scale tells the truth.
    const float scale = most > least ? (most - least) / 255.0f : 1.0f;
    float zero = rintf(-least / scale);
    zero = zero < 0 ? 0 : zero > 255 ? 255 : zero;
    if (eval->out[0].data)
        for (size_t i = 0; i < n; i++) {
            float q = rintf(x[i] / scale) + zero;
            if (isnan(q)) q = zero;
            ((uint8_t *)eval->out[0].data)[i] = (uint8_t)(q < 0 ? 0 : q > 255 ? 255 : q);
        }
    if (eval->node->n_outputs > 1 && eval->out[1].data) ((float *)eval->out[1].data)[0] = scale;
    if (eval->node->n_outputs > 2 && eval->out[2].data) ((uint8_t *)eval->out[2].data)[0] = (uint8_t)zero;
    return FERRY_OK;
}

static const ferry_attr_schema quantize_attrs[] = {
    {"axis", FERRY_ATTR_INT, false},
    {"block_size", FERRY_ATTR_INT, false},
    {"output_dtype", FERRY_ATTR_INT, false},
    {"precision", FERRY_ATTR_INT, false},
    {"saturate", FERRY_ATTR_INT, false}, // says something about float8 only
    {0}};
static const ferry_attr_schema dequantize_attrs[] = {{"axis", FERRY_ATTR_INT, false},
                                                     {"block_size", FERRY_ATTR_INT, false},
                                                     {"output_dtype", FERRY_ATTR_INT, false},
                                                     {0}};

#define ROW(op_name, least, most, outputs, opset, schema, infer_function, eval_function)                               \
    {                                                                                                                  \
        .name = op_name, .domain = "", .min_inputs = least, .max_inputs = most, .min_outputs = outputs,                \
        .max_outputs = outputs, .since = opset, .attrs = schema, .infer = infer_function, .eval = eval_function        \
    }

const ferry_op ferry_ops_quantize[] = {
    ROW("QuantizeLinear", 2, 3, 1, 10, quantize_attrs, infer_quantize, eval_quantize),
    ROW("DequantizeLinear", 2, 3, 1, 10, dequantize_attrs, infer_dequantize, eval_dequantize),
    ROW("DynamicQuantizeLinear", 1, 1, 3, 11, NULL, infer_dynamic, eval_dynamic),
    {.name = NULL},
};

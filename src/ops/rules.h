// SPDX-License-Identifier: Apache-2.0
// What shape inference functions have in common: which element types an operator takes, small integer inputs that
// decide shapes, and dimensions that a model may have chosen to overflow.
#ifndef FERRY_SRC_OPS_RULES_H_
#define FERRY_SRC_OPS_RULES_H_

#include "ops/op.h"

/// Sets of element types: 1 << ferry_dtype.
#define FERRY_TYPES_FLOAT (1u << FERRY_F32 | 1u << FERRY_F16 | 1u << FERRY_BF16 | 1u << FERRY_F64)
#define FERRY_TYPES_SIGNED (1u << FERRY_S8 | 1u << FERRY_S16 | 1u << FERRY_S32 | 1u << FERRY_S64)
#define FERRY_TYPES_UNSIGNED (1u << FERRY_U8 | 1u << FERRY_U16 | 1u << FERRY_U32 | 1u << FERRY_U64)
#define FERRY_TYPES_INTEGER (FERRY_TYPES_SIGNED | FERRY_TYPES_UNSIGNED)
#define FERRY_TYPES_NUMBER (FERRY_TYPES_FLOAT | FERRY_TYPES_INTEGER)
#define FERRY_TYPES_BOOL (1u << FERRY_BOOL)
#define FERRY_TYPES_ANY (FERRY_TYPES_NUMBER | FERRY_TYPES_BOOL)
#define FERRY_TYPES_INDEX (1u << FERRY_S32 | 1u << FERRY_S64)

/// Whether the node has that input / output.
static inline bool ferry_has_input(const ferry_node *node, int32_t i)
{
    return i < node->n_inputs && node->inputs[i] != FERRY_NO_VALUE;
}
static inline bool ferry_has_output(const ferry_node *node, int32_t i)
{
    return i < node->n_outputs && node->outputs[i] != FERRY_NO_VALUE;
}

/// Input `i` must have one of `types`; an absent input, or one of unknown type, passes.
ferry_status ferry_need_types(const ferry_infer *infer, int32_t i, uint32_t types, ferry_error *err);
/// Input `i` must have the type of input 0.
ferry_status ferry_need_same_type(const ferry_infer *infer, int32_t i, ferry_error *err);
/// Inputs i must be of rank `rank` if known.
ferry_status ferry_need_rank(const ferry_infer *infer, int32_t i, int32_t rank, ferry_error *err);

/// out[0] takes the shape and type of in[0].
void ferry_infer_like_first(ferry_infer *infer);

/// The elements of a small integer tensor (int32 or int64), in order. An error when there are more than `most`.
ferry_status ferry_read_ints(const ferry_tensor *tensor, const char *what, int32_t most, int64_t *out,
                             int32_t *out_count, ferry_error *err);
/// What is known of a small 1-D integer input of `infer` that holds a shape: elements that are not known become
/// FERRY_DIM_UNKNOWN and have out_known false. *out_count is -1 when not even the number of elements is known. At most
/// FERRY_MAX_RANK elements; more is an error.
ferry_status ferry_infer_shape_input(const ferry_infer *infer, int32_t i, const char *what, int64_t *out,
                                     bool *out_known, int32_t *out_count, ferry_error *err);
/// Reads input `i` when all of its elements are known (*out_count >= 0), else *out_count is -1. At most FERRY_MAX_RANK.
ferry_status ferry_infer_ints(const ferry_infer *infer, int32_t i, const char *what, int64_t *out, int32_t *out_count,
                              ferry_error *err);
/// The one element of a tensor as int64 / double. An error when it does not have exactly one.
ferry_status ferry_read_int(const ferry_tensor *tensor, const char *what, int64_t *out, ferry_error *err);
ferry_status ferry_read_number(const ferry_tensor *tensor, const char *what, double *out, ferry_error *err);

/// An axes list as flags for each of `rank` dims; an axis out of range or named twice is an error.
ferry_status ferry_axes_flags(const int64_t *axes, int32_t count, int32_t rank, bool *out_flags, ferry_error *err);

/// *out = a * b or a + b, unknown when either is; a result beyond 2^62 is an error that names both.
ferry_status ferry_dim_mul(int64_t a, int64_t b, int64_t *out, ferry_error *err);
ferry_status ferry_dim_add(int64_t a, int64_t b, int64_t *out, ferry_error *err);
/// An error when the known dims' product times the element size cannot be a size in memory.
ferry_status ferry_check_size(const ferry_infer *infer, const ferry_shape *shape, ferry_dtype dtype, ferry_error *err);

/// Sets dimension d: a number or FERRY_DIM_UNKNOWN, without symbol.
static inline void ferry_set_dim(ferry_shape *shape, int32_t d, int64_t dim)
{
    shape->dims[d] = dim;
    shape->symbols[d] = FERRY_NO_SYMBOL;
}
/// A shape of that rank with all dims unknown.
ferry_shape ferry_shape_of_rank(int32_t rank);
/// Copies dimension `from_d` with its symbol.
static inline void ferry_copy_dim(ferry_shape *to, int32_t d, const ferry_shape *from, int32_t from_d)
{
    to->dims[d] = from->dims[from_d];
    to->symbols[d] = from->symbols[from_d];
}

/// ferry's type for a TensorProto.DataType number; FERRY_DTYPE_NONE for types ferry lacks.
ferry_dtype ferry_dtype_from_onnx(int64_t number);

#endif // FERRY_SRC_OPS_RULES_H_

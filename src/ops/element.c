// SPDX-License-Identifier: Apache-2.0
// One switch over element types, so that a reference kernel can be written once for all of them.
#include "ops/element.h"

#include "base/f16.h"

#include <math.h>
#include <string.h>

bool ferry_dtype_is_float(ferry_dtype dtype)
{
    return dtype == FERRY_F32 || dtype == FERRY_F16 || dtype == FERRY_BF16 || dtype == FERRY_F64;
}

bool ferry_dtype_is_signed(ferry_dtype dtype)
{
    switch (dtype) {
    case FERRY_F32:
    case FERRY_F16:
    case FERRY_BF16:
    case FERRY_F64:
    case FERRY_S8:
    case FERRY_S16:
    case FERRY_S32:
    case FERRY_S64:
        return true;
    default:
        return false;
    }
}

double ferry_load_f64(const ferry_tensor *tensor, size_t i)
{
    switch (tensor->dtype) {
    case FERRY_F32:
        return ((const float *)tensor->data)[i];
    case FERRY_F16:
        return ferry_f32_from_f16(((const uint16_t *)tensor->data)[i]);
    case FERRY_BF16:
        return ferry_f32_from_bf16(((const uint16_t *)tensor->data)[i]);
    case FERRY_F64:
        return ((const double *)tensor->data)[i];
    case FERRY_S8:
        return ((const int8_t *)tensor->data)[i];
    case FERRY_U8:
        return ((const uint8_t *)tensor->data)[i];
    case FERRY_S16:
        return ((const int16_t *)tensor->data)[i];
    case FERRY_U16:
        return ((const uint16_t *)tensor->data)[i];
    case FERRY_S32:
        return ((const int32_t *)tensor->data)[i];
    case FERRY_U32:
        return ((const uint32_t *)tensor->data)[i];
    case FERRY_S64:
        return (double)((const int64_t *)tensor->data)[i];
    case FERRY_U64:
        return (double)((const uint64_t *)tensor->data)[i];
    case FERRY_BOOL:
        return ((const uint8_t *)tensor->data)[i] != 0;
    case FERRY_DTYPE_NONE:
        break;
    }
    return 0;
}

// C leaves conversions of values out of range undefined: NaN becomes 0, the rest takes the nearest end.
static int64_t s64_from_f64(double value)
{
    if (isnan(value)) return 0;
    if (value >= 0x1p63) return INT64_MAX;
    if (value <= -0x1p63) return INT64_MIN;
    return (int64_t)value;
}

static uint64_t u64_from_f64(double value)
{
    if (value >= 0x1p64) return UINT64_MAX;
    if (value >= 0x1p63) return (uint64_t)value;
    return (uint64_t)s64_from_f64(value);
}

int64_t ferry_load_s64(const ferry_tensor *tensor, size_t i)
{
    switch (tensor->dtype) {
    case FERRY_F32:
    case FERRY_F16:
    case FERRY_BF16:
    case FERRY_F64:
        return s64_from_f64(ferry_load_f64(tensor, i));
    case FERRY_S8:
        return ((const int8_t *)tensor->data)[i];
    case FERRY_U8:
        return ((const uint8_t *)tensor->data)[i];
    case FERRY_S16:
        return ((const int16_t *)tensor->data)[i];
    case FERRY_U16:
        return ((const uint16_t *)tensor->data)[i];
    case FERRY_S32:
        return ((const int32_t *)tensor->data)[i];
    case FERRY_U32:
        return ((const uint32_t *)tensor->data)[i];
    case FERRY_S64:
        return ((const int64_t *)tensor->data)[i];
    case FERRY_U64:
        return (int64_t)((const uint64_t *)tensor->data)[i];
    case FERRY_BOOL:
        return ((const uint8_t *)tensor->data)[i] != 0;
    case FERRY_DTYPE_NONE:
        break;
    }
    return 0;
}

// double to float rounded to odd: a second rounding to a type of at most 22 bits then gives what one rounding would.
static float f32_to_odd(double value)
{
    const float nearest = (float)value;
    if ((double)nearest == value || isnan(value) || isinf(value)) return nearest;
    uint32_t bits = ferry_f32_bits(nearest);
    if (fabs((double)nearest) > fabs(value)) bits--; // toward zero
    return ferry_f32_from_bits(bits | 1u);
}

void ferry_store_f64(ferry_tensor *tensor, size_t i, double value)
{
    switch (tensor->dtype) {
    case FERRY_F32:
        ((float *)tensor->data)[i] = (float)value;
        return;
    case FERRY_F16:
        ((uint16_t *)tensor->data)[i] = ferry_f16_from_f32(f32_to_odd(value));
        return;
    case FERRY_BF16:
        ((uint16_t *)tensor->data)[i] = ferry_bf16_from_f32(f32_to_odd(value));
        return;
    case FERRY_F64:
        ((double *)tensor->data)[i] = value;
        return;
    case FERRY_U64:
        ((uint64_t *)tensor->data)[i] = u64_from_f64(value);
        return;
    case FERRY_BOOL:
        ((uint8_t *)tensor->data)[i] = value != 0;
        return;
    case FERRY_S8:
    case FERRY_U8:
    case FERRY_S16:
    case FERRY_U16:
    case FERRY_S32:
    case FERRY_U32:
    case FERRY_S64:
        ferry_store_s64(tensor, i, s64_from_f64(value));
        return;
    case FERRY_DTYPE_NONE:
        return;
    }
}

// The same for int64 to double: the low bits matter only by being there.
static double f64_to_odd(int64_t value)
{
    const uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (magnitude >> 53 == 0) return (double)value;
    const double odd = (double)((magnitude & ~UINT64_C(2047)) | (magnitude & 2047 ? 1024 : 0));
    return value < 0 ? -odd : odd;
}

void ferry_store_s64(ferry_tensor *tensor, size_t i, int64_t value)
{
    switch (tensor->dtype) {
    case FERRY_F32:
        ((float *)tensor->data)[i] = (float)value;
        return; // one rounding, also beyond 2^53
    case FERRY_F16:
    case FERRY_BF16:
        ferry_store_f64(tensor, i, f64_to_odd(value));
        return;
    case FERRY_F64:
        ((double *)tensor->data)[i] = (double)value;
        return;
    case FERRY_S8:
        ((int8_t *)tensor->data)[i] = (int8_t)value;
        return;
    case FERRY_U8:
        ((uint8_t *)tensor->data)[i] = (uint8_t)value;
        return;
    case FERRY_S16:
        ((int16_t *)tensor->data)[i] = (int16_t)value;
        return;
    case FERRY_U16:
        ((uint16_t *)tensor->data)[i] = (uint16_t)value;
        return;
    case FERRY_S32:
        ((int32_t *)tensor->data)[i] = (int32_t)value;
        return;
    case FERRY_U32:
        ((uint32_t *)tensor->data)[i] = (uint32_t)value;
        return;
    case FERRY_S64:
        ((int64_t *)tensor->data)[i] = value;
        return;
    case FERRY_U64:
        ((uint64_t *)tensor->data)[i] = (uint64_t)value;
        return;
    case FERRY_BOOL:
        ((uint8_t *)tensor->data)[i] = value != 0;
        return;
    case FERRY_DTYPE_NONE:
        return;
    }
}

// Joins one dimension into what the earlier shapes gave. Unknown with 1 stays unknown; unknown with another size must
// be that size or 1, so the size decides.
static ferry_status join_dim(int64_t dim, int32_t symbol, int64_t *io_dim, int32_t *io_symbol, int32_t at,
                             ferry_error *err)
{
    if (dim == 1) return FERRY_OK;
    if (*io_dim == 1) {
        *io_dim = dim;
        *io_symbol = symbol;
    } else if (*io_dim == FERRY_DIM_UNKNOWN && dim == FERRY_DIM_UNKNOWN) {
        if (*io_symbol != symbol) *io_symbol = FERRY_NO_SYMBOL;
    } else if (*io_dim == FERRY_DIM_UNKNOWN) {
        *io_dim = dim;
        *io_symbol = FERRY_NO_SYMBOL;
    } else if (dim != FERRY_DIM_UNKNOWN && dim != *io_dim) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %d of the inputs is %lld and %lld: neither is 1", at,
                          (long long)*io_dim, (long long)dim);
    }
    return FERRY_OK;
}

ferry_status ferry_broadcast_shapes(const ferry_shape *shapes, size_t n, ferry_shape *out, ferry_error *err)
{
    ferry_shape joined = {.rank = 0};
    for (size_t s = 0; s < n; s++) {
        if (shapes[s].rank < 0) {
            *out = joined;
            out->rank = FERRY_RANK_UNKNOWN;
            return FERRY_OK;
        }
        if (shapes[s].rank > joined.rank) joined.rank = shapes[s].rank;
    }
    for (int32_t d = 0; d < FERRY_MAX_RANK; d++) {
        joined.dims[d] = 1;
        joined.symbols[d] = FERRY_NO_SYMBOL;
    }
    // Known sizes first, so that an unknown dimension cannot hide that two known ones differ.
    for (int known = 1; known >= 0; known--)
        for (size_t s = 0; s < n; s++) {
            const int32_t shift = joined.rank - shapes[s].rank;
            for (int32_t d = 0; d < shapes[s].rank; d++)
                if ((shapes[s].dims[d] != FERRY_DIM_UNKNOWN) == known)
                    FERRY_TRY(join_dim(shapes[s].dims[d], shapes[s].symbols[d], &joined.dims[d + shift],
                                       &joined.symbols[d + shift], d + shift, err));
        }
    *out = joined;
    return FERRY_OK;
}

void ferry_broadcast_strides(const ferry_tensor *tensor, int32_t rank, const int64_t *dims, int64_t *out_strides)
{
    const int32_t shift = rank - tensor->rank;
    uint64_t stride = 1; // wraps in an empty tensor, where no stride is used
    for (int32_t d = rank - 1; d >= 0; d--) {
        const int64_t own = d >= shift ? tensor->dims[d - shift] : 1;
        out_strides[d] = own == 1 && dims[d] != 1 ? 0 : d >= shift ? (int64_t)stride : 0;
        stride *= (uint64_t)own;
    }
}

ferry_status ferry_axis(int64_t axis, int32_t rank, int32_t *out, ferry_error *err)
{
    if (axis < -(int64_t)rank || axis >= rank)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "axis %lld is out of range: the input has %d dims", (long long)axis,
                          (int)rank);
    *out = (int32_t)(axis < 0 ? axis + rank : axis);
    return FERRY_OK;
}

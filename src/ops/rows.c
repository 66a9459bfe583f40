// SPDX-License-Identifier: Apache-2.0
// Conversion of runs. The type is chosen outside the loop, so that the loops stay plain.
#include "ops/rows.h"

#include <math.h>

#include "base/f16.h"

ferry_number_class ferry_number_class_of(ferry_dtype dtype)
{
    switch (dtype) {
    case FERRY_S8:
    case FERRY_S16:
    case FERRY_S32:
    case FERRY_S64:
        return FERRY_NUMBER_SIGNED;
    case FERRY_U8:
    case FERRY_U16:
    case FERRY_U32:
    case FERRY_U64:
    case FERRY_BOOL:
        return FERRY_NUMBER_UNSIGNED;
    default:
        return FERRY_NUMBER_FLOAT;
    }
}

// Rounds to odd, so that the rounding to 16 bits that follows is the only one that counts.
static float to_odd_f32(double value)
{
    const float nearest = (float)value;
    if (isnan(value) || (double)nearest == value) return nearest;
    uint32_t bits = ferry_f32_bits(nearest);
    if (fabs((double)nearest) > fabs(value)) bits--; // toward zero; from infinity to the largest finite
    return ferry_f32_from_bits(bits | 1u);
}

static float to_odd_f32_s64(uint64_t magnitude, bool negative)
{
    float value;
    if (magnitude >> 53 == 0) {
        value = to_odd_f32((double)magnitude);
    } else {
        value = to_odd_f32((double)(magnitude >> 12 | ((magnitude & 0xfff) != 0))) * 0x1p12f; // sticky low bit
    }
    return negative ? -value : value;
}

// The value of a double as an integer in [low, high]; NaN is 0. high is given as the first double above the range.
static inline int64_t to_s64(double value, int64_t low, int64_t high, double above)
{
    if (isnan(value)) return 0;
    if (value >= above) return high;
    if (value <= (double)low) return low;
    return (int64_t)value;
}

static inline uint64_t to_u64(double value, uint64_t high, double above)
{
    if (!(value > 0)) return 0; // NaN too
    return value >= above ? high : (uint64_t)value;
}

#define LOAD(type, expression)                                                                                         \
    do {                                                                                                               \
        const type *from = (const type *)data + first;                                                                 \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const type x = from[i * step];                                                                             \
            out[i] = (expression);                                                                                     \
        }                                                                                                              \
    } while (0)

#define STORE(type, expression)                                                                                        \
    do {                                                                                                               \
        type *to = (type *)data + first;                                                                               \
        for (int64_t i = 0; i < n; i++) to[i * step] = (type)(expression);                                             \
    } while (0)

#define LOAD_INTEGERS(as)                                                                                              \
    case FERRY_S8:                                                                                                     \
        LOAD(int8_t, (as)x);                                                                                           \
        break;                                                                                                         \
    case FERRY_U8:                                                                                                     \
        LOAD(uint8_t, (as)x);                                                                                          \
        break;                                                                                                         \
    case FERRY_S16:                                                                                                    \
        LOAD(int16_t, (as)x);                                                                                          \
        break;                                                                                                         \
    case FERRY_U16:                                                                                                    \
        LOAD(uint16_t, (as)x);                                                                                         \
        break;                                                                                                         \
    case FERRY_S32:                                                                                                    \
        LOAD(int32_t, (as)x);                                                                                          \
        break;                                                                                                         \
    case FERRY_U32:                                                                                                    \
        LOAD(uint32_t, (as)x);                                                                                         \
        break;                                                                                                         \
    case FERRY_S64:                                                                                                    \
        LOAD(int64_t, (as)x);                                                                                          \
        break;                                                                                                         \
    case FERRY_U64:                                                                                                    \
        LOAD(uint64_t, (as)x);                                                                                         \
        break;                                                                                                         \
    case FERRY_BOOL:                                                                                                   \
        LOAD(uint8_t, (as)(x != 0));                                                                                   \
        break;                                                                                                         \
    case FERRY_DTYPE_NONE:                                                                                             \
        break

void ferry_row_load_f64(ferry_dtype dtype, const void *data, int64_t first, int64_t step, int64_t n, double *out)
{
    switch (dtype) {
    case FERRY_F32:
        LOAD(float, (double)x);
        break;
    case FERRY_F64:
        LOAD(double, x);
        break;
    case FERRY_F16:
        LOAD(uint16_t, (double)ferry_f32_from_f16(x));
        break;
    case FERRY_BF16:
        LOAD(uint16_t, (double)ferry_f32_from_bf16(x));
        break;
        LOAD_INTEGERS(double);
    }
}

void ferry_row_load_s64(ferry_dtype dtype, const void *data, int64_t first, int64_t step, int64_t n, int64_t *out)
{
#define S64(v) to_s64(v, INT64_MIN, INT64_MAX, 0x1p63)
    switch (dtype) {
    case FERRY_F32:
        LOAD(float, S64((double)x));
        break;
    case FERRY_F64:
        LOAD(double, S64(x));
        break;
    case FERRY_F16:
        LOAD(uint16_t, S64((double)ferry_f32_from_f16(x)));
        break;
    case FERRY_BF16:
        LOAD(uint16_t, S64((double)ferry_f32_from_bf16(x)));
        break;
        LOAD_INTEGERS(int64_t);
    }
#undef S64
}

void ferry_row_load_u64(ferry_dtype dtype, const void *data, int64_t first, int64_t step, int64_t n, uint64_t *out)
{
#define U64(v) to_u64(v, UINT64_MAX, 0x1p64)
    switch (dtype) {
    case FERRY_F32:
        LOAD(float, U64((double)x));
        break;
    case FERRY_F64:
        LOAD(double, U64(x));
        break;
    case FERRY_F16:
        LOAD(uint16_t, U64((double)ferry_f32_from_f16(x)));
        break;
    case FERRY_BF16:
        LOAD(uint16_t, U64((double)ferry_f32_from_bf16(x)));
        break;
        LOAD_INTEGERS(uint64_t);
    }
#undef U64
}

void ferry_row_store_f64(ferry_dtype dtype, void *data, int64_t first, int64_t step, int64_t n, const double *from)
{
    switch (dtype) {
    case FERRY_F32:
        STORE(float, from[i]);
        break;
    case FERRY_F64:
        STORE(double, from[i]);
        break;
    case FERRY_F16:
        STORE(uint16_t, ferry_f16_from_f32(to_odd_f32(from[i])));
        break;
    case FERRY_BF16:
        STORE(uint16_t, ferry_bf16_from_f32(to_odd_f32(from[i])));
        break;
    case FERRY_S8:
        STORE(int8_t, to_s64(from[i], INT8_MIN, INT8_MAX, 0x1p7));
        break;
    case FERRY_U8:
        STORE(uint8_t, to_u64(from[i], UINT8_MAX, 0x1p8));
        break;
    case FERRY_S16:
        STORE(int16_t, to_s64(from[i], INT16_MIN, INT16_MAX, 0x1p15));
        break;
    case FERRY_U16:
        STORE(uint16_t, to_u64(from[i], UINT16_MAX, 0x1p16));
        break;
    case FERRY_S32:
        STORE(int32_t, to_s64(from[i], INT32_MIN, INT32_MAX, 0x1p31));
        break;
    case FERRY_U32:
        STORE(uint32_t, to_u64(from[i], UINT32_MAX, 0x1p32));
        break;
    case FERRY_S64:
        STORE(int64_t, to_s64(from[i], INT64_MIN, INT64_MAX, 0x1p63));
        break;
    case FERRY_U64:
        STORE(uint64_t, to_u64(from[i], UINT64_MAX, 0x1p64));
        break;
    case FERRY_BOOL:
        STORE(uint8_t, from[i] != 0);
        break;
    case FERRY_DTYPE_NONE:
        break;
    }
}

#define STORE_INTEGERS()                                                                                               \
    case FERRY_S8:                                                                                                     \
        STORE(int8_t, from[i]);                                                                                        \
        break;                                                                                                         \
    case FERRY_U8:                                                                                                     \
        STORE(uint8_t, from[i]);                                                                                       \
        break;                                                                                                         \
    case FERRY_S16:                                                                                                    \
        STORE(int16_t, from[i]);                                                                                       \
        break;                                                                                                         \
    case FERRY_U16:                                                                                                    \
        STORE(uint16_t, from[i]);                                                                                      \
        break;                                                                                                         \
    case FERRY_S32:                                                                                                    \
        STORE(int32_t, from[i]);                                                                                       \
        break;                                                                                                         \
    case FERRY_U32:                                                                                                    \
        STORE(uint32_t, from[i]);                                                                                      \
        break;                                                                                                         \
    case FERRY_S64:                                                                                                    \
        STORE(int64_t, from[i]);                                                                                       \
        break;                                                                                                         \
    case FERRY_U64:                                                                                                    \
        STORE(uint64_t, from[i]);                                                                                      \
        break;                                                                                                         \
    case FERRY_BOOL:                                                                                                   \
        STORE(uint8_t, from[i] != 0);                                                                                  \
        break;                                                                                                         \
    case FERRY_DTYPE_NONE:                                                                                             \
        break

void ferry_row_store_s64(ferry_dtype dtype, void *data, int64_t first, int64_t step, int64_t n, const int64_t *from)
{
#define MAGNITUDE(v) ((v) < 0 ? 0 - (uint64_t)(v) : (uint64_t)(v)), (v) < 0
    switch (dtype) {
    case FERRY_F32:
        STORE(float, from[i]);
        break;
    case FERRY_F64:
        STORE(double, from[i]);
        break;
    case FERRY_F16:
        STORE(uint16_t, ferry_f16_from_f32(to_odd_f32_s64(MAGNITUDE(from[i]))));
        break;
    case FERRY_BF16:
        STORE(uint16_t, ferry_bf16_from_f32(to_odd_f32_s64(MAGNITUDE(from[i]))));
        break;
        STORE_INTEGERS();
    }
#undef MAGNITUDE
}

void ferry_row_store_u64(ferry_dtype dtype, void *data, int64_t first, int64_t step, int64_t n, const uint64_t *from)
{
    switch (dtype) {
    case FERRY_F32:
        STORE(float, from[i]);
        break;
    case FERRY_F64:
        STORE(double, from[i]);
        break;
    case FERRY_F16:
        STORE(uint16_t, ferry_f16_from_f32(to_odd_f32_s64(from[i], false)));
        break;
    case FERRY_BF16:
        STORE(uint16_t, ferry_bf16_from_f32(to_odd_f32_s64(from[i], false)));
        break;
        STORE_INTEGERS();
    }
}

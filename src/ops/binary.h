// SPDX-License-Identifier: Apache-2.0
// Elementwise operators of two inputs and more, with numpy's broadcasting.
#ifndef FERRY_SRC_OPS_BINARY_H_
#define FERRY_SRC_OPS_BINARY_H_

#include "ops/op.h"

/// Runs of one operator. Where a_many (b_many) is false, the run has one a (b) for all its elements. y holds elements
/// of the type of a, or uint8 answers when `answers` is true. A NULL run: not defined for that class of types.
typedef struct ferry_binary {
    void (*f32)(const float *a, bool a_many, const float *b, bool b_many, void *y, int64_t n);
    void (*f64)(const double *a, bool a_many, const double *b, bool b_many, void *y, int64_t n);
    void (*s64)(const int64_t *a, bool a_many, const int64_t *b, bool b_many, void *y, int64_t n);
    void (*u64)(const uint64_t *a, bool a_many, const uint64_t *b, bool b_many, void *y, int64_t n);
    bool answers;
} ferry_binary;

ferry_status ferry_binary_eval(const ferry_eval *eval, const ferry_binary *binary, ferry_error *err);

/// Every input of one of `types` and of the same type; out[0] takes the broadcast shape and `out_dtype` (NONE: the
/// inputs').
ferry_status ferry_binary_infer(ferry_infer *infer, uint32_t types, ferry_dtype out_dtype, ferry_error *err);

/// A run from a formula of `a` and `b`; the three loops let the compiler vectorise each.
#define FERRY_BINARY_RUN(name, suffix, type, result, formula)                                                          \
    static inline result name##_##suffix##_of(type a, type b)                                                          \
    {                                                                                                                  \
        return (result)(formula);                                                                                      \
    }                                                                                                                  \
    static void name##_##suffix(const type *a, bool a_many, const type *b, bool b_many, void *out, int64_t n)          \
    {                                                                                                                  \
        result *y = out;                                                                                               \
        if (a_many && b_many) {                                                                                        \
            for (int64_t i = 0; i < n; i++) y[i] = name##_##suffix##_of(a[i], b[i]);                                   \
        } else if (a_many) {                                                                                           \
            for (int64_t i = 0; i < n; i++) y[i] = name##_##suffix##_of(a[i], b[0]);                                   \
        } else {                                                                                                       \
            for (int64_t i = 0; i < n; i++) y[i] = name##_##suffix##_of(a[0], b[b_many ? i : 0]);                      \
        }                                                                                                              \
    }

/// The runs for every float type.
#define FERRY_BINARY_FLOATS(name, formula)                                                                             \
    FERRY_BINARY_RUN(name, f32, float, float, formula)                                                                 \
    FERRY_BINARY_RUN(name, f64, double, double, formula)
#define FERRY_BINARY_INTEGERS(name, signed_formula, unsigned_formula)                                                  \
    FERRY_BINARY_RUN(name, s64, int64_t, int64_t, signed_formula)                                                      \
    FERRY_BINARY_RUN(name, u64, uint64_t, uint64_t, unsigned_formula)

/// Larger and smaller; NaN wins against any number, as in numpy.
#define FERRY_MAX_FLOAT(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))
#define FERRY_MIN_FLOAT(a, b) ((a) < (b) || (a) != (a) ? (a) : (b))

// binary_pow.c, binary_where.c, variadic.c
ferry_status ferry_pow_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_pow_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_where_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_where_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_variadic_float_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_variadic_number_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_sum_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_mean_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_max_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_min_eval(const ferry_eval *eval, ferry_error *err);

#endif // FERRY_SRC_OPS_BINARY_H_

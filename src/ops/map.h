// SPDX-License-Identifier: Apache-2.0
// Operators that are one formula applied to each element: a row makes the loops for every type.
#ifndef FERRY_SRC_OPS_MAP_H_
#define FERRY_SRC_OPS_MAP_H_

#include "ops/op.h"

#define FERRY_MAP_PARAMETERS 2

/// Runs of one operator. `p` are its float attributes in the order of `parameters`, NULL-padded.
typedef struct ferry_map {
    void (*f32)(const float *x, float *y, int64_t n, const double *p);
    void (*f64)(const double *x, double *y, int64_t n, const double *p); // every float type but f32
    void (*s64)(const int64_t *x, int64_t *y, int64_t n);                // NULL: not for signed integers
    void (*u64)(const uint64_t *x, uint64_t *y, int64_t n);              // NULL: not for unsigned integers
    const char *parameters[FERRY_MAP_PARAMETERS];
    float defaults[FERRY_MAP_PARAMETERS];
} ferry_map;

/// out[0][i] = formula(in[0][i]).
ferry_status ferry_map_eval(const ferry_eval *eval, const ferry_map *map, ferry_error *err);

/// Defines <name>_f32 and <name>_f64 from a formula of `double x` and `const double *p`, rounded once.
#define FERRY_MAP_FLOATS(name, formula)                                                                                \
    static inline double name##_of(double x, const double *p)                                                          \
    {                                                                                                                  \
        (void)p;                                                                                                       \
        return formula;                                                                                                \
    }                                                                                                                  \
    static void name##_f32(const float *x, float *y, int64_t n, const double *p)                                       \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++) y[i] = (float)name##_of((double)x[i], p);                                      \
    }                                                                                                                  \
    static void name##_f64(const double *x, double *y, int64_t n, const double *p)                                     \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++) y[i] = name##_of(x[i], p);                                                     \
    }

/// Defines <name>_<suffix> for integers from a formula of `type x`.
#define FERRY_MAP_INTEGERS(name, suffix, type, formula)                                                                \
    static void name##_##suffix(const type *from, type *to, int64_t n)                                                 \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const type x = from[i];                                                                                    \
            to[i] = (type)(formula);                                                                                   \
        }                                                                                                              \
    }

/// Defines eval_<name> for a map with the members given besides the float loops.
#define FERRY_MAP_EVAL(name, ...)                                                                                      \
    static ferry_status eval_##name(const ferry_eval *eval, ferry_error *err)                                          \
    {                                                                                                                  \
        static const ferry_map map = {.f32 = name##_f32, .f64 = name##_f64, __VA_ARGS__};                              \
        return ferry_map_eval(eval, &map, err);                                                                        \
    }

#endif // FERRY_SRC_OPS_MAP_H_

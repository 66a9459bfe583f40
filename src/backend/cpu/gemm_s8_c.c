// SPDX-License-Identifier: Apache-2.0
// Tiles of int8 matrix products in plain C.
#define FERRY_FUSED_C // docs/INT8.md rounds multiply-adds once, at any price
#include "backend/cpu/simd_c.h"

#define MR 4
#define NV 2
#define KERNEL ferry_gemm_s8_4x8__c
#define WIDTH 4
#define KQ 1

typedef int8_t x_element;
typedef struct sums {
    int32_t v[WIDTH];
} sums;
typedef struct weights {
    int8_t v[WIDTH];
} weights;
typedef int32_t quad;

static inline sums sums_load(const int32_t *p)
{
    sums to;
    for (int i = 0; i < WIDTH; i++) to.v[i] = p[i];
    return to;
}
static inline void sums_store(int32_t *p, sums v)
{
    for (int i = 0; i < WIDTH; i++) p[i] = v.v[i];
}
static inline weights weights_load(const int8_t *p)
{
    weights to;
    for (int i = 0; i < WIDTH; i++) to.v[i] = p[i];
    return to;
}
static inline quad quad_load(const int8_t *p)
{
    return *p;
}
static inline sums multiply(sums total, weights w, quad x)
{
    for (int i = 0; i < WIDTH; i++) total.v[i] += w.v[i] * x;
    return total;
}

#include "backend/cpu/gemm_s8_sums.h"
#include "backend/cpu/gemm_s8_tile.h"

// SPDX-License-Identifier: Apache-2.0
// Tensor core instructions: the lanes' registers are gathered into matrices, multiplied by plain loops, and handed
// back. Where a register lies is the PTX ISA's: lane = 4 * group + pair.
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "execute/grid.h"
#include "execute/warp.h"

enum { M = 16, N = 8, MOST_K = 16, GROUPS = 8 };

typedef float row_f32 __attribute__((vector_size(N * sizeof(float))));
typedef uint32_t row_u32 __attribute__((vector_size(N * sizeof(uint32_t))));

void emulated_ldmatrix_run(const emulated_lanes *lanes, int transposed)
{
    const unsigned count = ((const emulated_ldmatrix *)lanes->operands[0])->count;
    for (unsigned m = 0; m < count; m++) {
        uint16_t matrix[8][8];
        for (unsigned r = 0; r < 8; r++) {
            const void *const row = ((const emulated_ldmatrix *)lanes->operands[m * 8 + r])->row;
            if ((uintptr_t)row % 16 != 0) emulated_fault("ldmatrix: the row of lane %u is not aligned", m * 8 + r);
            if (!emulated_is_shared(row, 16))
                emulated_fault("ldmatrix: the row of lane %u is not in shared memory", m * 8 + r);
            memcpy(matrix[r], row, sizeof matrix[r]);
        }
        for (unsigned lane = 0; lane < EMULATED_WARP; lane++) {
            const unsigned group = lane / 4, first = lane % 4 * 2;
            const uint16_t low = transposed ? matrix[first][group] : matrix[group][first];
            const uint16_t high = transposed ? matrix[first + 1][group] : matrix[group][first + 1];
            ((unsigned *)lanes->results[lane])[m] = low | (unsigned)high << 16;
        }
    }
}

static const unsigned *registers_a(const emulated_lanes *lanes, int lane)
{
    return ((const emulated_mma *)lanes->operands[lane])->a;
}

static const unsigned *registers_b(const emulated_lanes *lanes, int lane)
{
    return ((const emulated_mma *)lanes->operands[lane])->b;
}

static float as_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static pthread_once_t f16_once = PTHREAD_ONCE_INIT;
static float f16_values[1 << 16];

static void fill_f16_values(void)
{
    for (uint32_t bits = 0; bits < 1 << 16; bits++) {
        const float magnitude = as_float((bits & 0x7fff) << 13) * 0x1p112f; // exact, subnormals too
        uint32_t out;
        memcpy(&out, &magnitude, sizeof out);
        if ((bits & 0x7c00) == 0x7c00) out = 0x7f800000 | (bits & 0x3ff) << 13;
        f16_values[bits] = as_float(out | (bits & 0x8000) << 16);
    }
}

static inline float f16_value(uint32_t bits)
{
    return f16_values[bits];
}

static inline float bf16_value(uint32_t bits)
{
    return as_float(bits << 16);
}

// Hardware reads the upper 19 bits alone.
static float tf32_value(uint32_t bits)
{
    return as_float(bits & 0xffffe000);
}

/// d += a * b. Products are exact (no operand has more than 11 bits); sums are rounded to float one after another.
static inline __attribute__((always_inline)) void multiply(const emulated_lanes *lanes, int k, float (*a)[MOST_K],
                                                           const row_f32 *b)
{
    row_f32 d[M];
    for (int lane = 0; lane < EMULATED_WARP; lane++) {
        const float *const r = lanes->results[lane];
        for (int i = 0; i < 4; i++) d[lane / 4 + i / 2 * GROUPS][lane % 4 * 2 + i % 2] = r[i];
    }
    for (int m = 0; m < M; m++)
        for (int i = 0; i < k; i++) d[m] += a[m][i] * b[i];
    for (int lane = 0; lane < EMULATED_WARP; lane++) {
        float *const r = lanes->results[lane];
        for (int i = 0; i < 4; i++) r[i] = d[lane / 4 + i / 2 * GROUPS][lane % 4 * 2 + i % 2];
    }
}

/// Pairs of 16 bits: register i of a holds rows of half i % 2, columns of half i / 2; register i of b rows of half i.
static inline __attribute__((always_inline)) void multiply_halves(const emulated_lanes *lanes, int k,
                                                                  float (*value)(uint32_t))
{
    float a[M][MOST_K];
    row_f32 b[MOST_K];
    for (int lane = 0; lane < EMULATED_WARP; lane++) {
        const int group = lane / 4, first = lane % 4 * 2;
        const unsigned *const ra = registers_a(lanes, lane), *const rb = registers_b(lanes, lane);
        for (int i = 0; i < k / 4; i++)
            for (int h = 0; h < 2; h++)
                a[group + i % 2 * GROUPS][first + h + i / 2 * 8] = value(ra[i] >> 16 * h & 0xffff);
        for (int i = 0; i < k / 8; i++)
            for (int h = 0; h < 2; h++) b[first + h + i * 8][group] = value(rb[i] >> 16 * h & 0xffff);
    }
    multiply(lanes, k, a, b);
}

void emulated_mma_f16_run(const emulated_lanes *lanes)
{
    pthread_once(&f16_once, fill_f16_values);
    multiply_halves(lanes, 16, f16_value);
}

void emulated_mma_bf16_run(const emulated_lanes *lanes)
{
    multiply_halves(lanes, 16, bf16_value);
}

void emulated_mma_f16_k8_run(const emulated_lanes *lanes)
{
    pthread_once(&f16_once, fill_f16_values);
    multiply_halves(lanes, 8, f16_value);
}

void emulated_mma_tf32_run(const emulated_lanes *lanes)
{
    float a[M][MOST_K];
    row_f32 b[MOST_K];
    for (int lane = 0; lane < EMULATED_WARP; lane++) {
        const int group = lane / 4, at = lane % 4;
        const unsigned *const ra = registers_a(lanes, lane), *const rb = registers_b(lanes, lane);
        for (int i = 0; i < 4; i++) a[group + i % 2 * GROUPS][at + i / 2 * 4] = tf32_value(ra[i]);
        for (int i = 0; i < 2; i++) b[at + i * 4][group] = tf32_value(rb[i]);
    }
    multiply(lanes, 8, a, b);
}

void emulated_mma_s8_run(const emulated_lanes *lanes)
{
    enum { K = 32 };
    int8_t a[M][K];
    row_u32 b[K], d[M]; // sums wrap, as the instruction's do without .satfinite
    for (int lane = 0; lane < EMULATED_WARP; lane++) {
        const int group = lane / 4, first = lane % 4 * 4;
        const unsigned *const ra = registers_a(lanes, lane), *const rb = registers_b(lanes, lane);
        const uint32_t *const rd = lanes->results[lane];
        for (int i = 0; i < 4; i++) memcpy(&a[group + i % 2 * GROUPS][first + i / 2 * 16], &ra[i], 4);
        for (int i = 0; i < 2; i++)
            for (int q = 0; q < 4; q++) b[first + q + i * 16][group] = (uint32_t)(int8_t)(rb[i] >> 8 * q);
        for (int i = 0; i < 4; i++) d[group + i / 2 * GROUPS][lane % 4 * 2 + i % 2] = rd[i];
    }
    for (int m = 0; m < M; m++)
        for (int i = 0; i < K; i++) d[m] += (uint32_t)a[m][i] * b[i];
    for (int lane = 0; lane < EMULATED_WARP; lane++) {
        uint32_t *const rd = lanes->results[lane];
        for (int i = 0; i < 4; i++) rd[i] = d[lane / 4 + i / 2 * GROUPS][lane % 4 * 2 + i % 2];
    }
}

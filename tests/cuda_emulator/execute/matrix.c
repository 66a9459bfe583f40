// SPDX-License-Identifier: Apache-2.0
// Tensor core instructions: the lanes' registers are gathered into matrices, multiplied by plain loops, and handed
// back. Where a register lies is the PTX ISA's: lane = 4 * group + pair.
#include <stdint.h>
#include <string.h>

#include "execute/block.h"
#include "execute/warp.h"

enum { M = 16, N = 8, MOST_K = 32, GROUPS = 8 };

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

static float f16_value(uint32_t bits)
{
    const uint32_t sign = (bits & 0x8000) << 16;
    const float magnitude = as_float((bits & 0x7fff) << 13) * 0x1p112f; // exact, subnormals too
    uint32_t out;
    memcpy(&out, &magnitude, sizeof out);
    if ((bits & 0x7c00) == 0x7c00) out = 0x7f800000 | (bits & 0x3ff) << 13;
    return as_float(out | sign);
}

static float bf16_value(uint32_t bits)
{
    return as_float(bits << 16);
}

// Hardware reads the upper 19 bits alone.
static float tf32_value(uint32_t bits)
{
    return as_float(bits & 0xffffe000);
}

/// d += a * b. Products are exact (no operand has more than 11 bits); sums are rounded to float one after another.
static void multiply(const emulated_lanes *lanes, int k, const float a[M][MOST_K], const float b[MOST_K][N])
{
    float d[M][N];
    for (int lane = 0; lane < EMULATED_WARP; lane++) {
        const float *const r = lanes->results[lane];
        for (int i = 0; i < 4; i++) d[lane / 4 + i / 2 * GROUPS][lane % 4 * 2 + i % 2] = r[i];
    }
    for (int m = 0; m < M; m++)
        for (int i = 0; i < k; i++)
            for (int n = 0; n < N; n++) d[m][n] += a[m][i] * b[i][n];
    for (int lane = 0; lane < EMULATED_WARP; lane++) {
        float *const r = lanes->results[lane];
        for (int i = 0; i < 4; i++) r[i] = d[lane / 4 + i / 2 * GROUPS][lane % 4 * 2 + i % 2];
    }
}

/// Pairs of 16 bits: register i of a holds rows of half i % 2, columns of half i / 2; register i of b rows of half i.
static void multiply_halves(const emulated_lanes *lanes, int k, float (*value)(uint32_t))
{
    float a[M][MOST_K], b[MOST_K][N];
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
    multiply_halves(lanes, 16, f16_value);
}

void emulated_mma_bf16_run(const emulated_lanes *lanes)
{
    multiply_halves(lanes, 16, bf16_value);
}

void emulated_mma_f16_k8_run(const emulated_lanes *lanes)
{
    multiply_halves(lanes, 8, f16_value);
}

void emulated_mma_tf32_run(const emulated_lanes *lanes)
{
    float a[M][MOST_K], b[MOST_K][N];
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
    int32_t a[M][K], b[K][N];
    for (int lane = 0; lane < EMULATED_WARP; lane++) {
        const int group = lane / 4, first = lane % 4 * 4;
        const unsigned *const ra = registers_a(lanes, lane), *const rb = registers_b(lanes, lane);
        for (int i = 0; i < 4; i++)
            for (int q = 0; q < 4; q++)
                a[group + i % 2 * GROUPS][first + q + i / 2 * 16] = (int8_t)(ra[i] >> 8 * q & 0xff);
        for (int i = 0; i < 2; i++)
            for (int q = 0; q < 4; q++) b[first + q + i * 16][group] = (int8_t)(rb[i] >> 8 * q & 0xff);
    }
    for (int lane = 0; lane < EMULATED_WARP; lane++) {
        int32_t *const r = lanes->results[lane];
        for (int i = 0; i < 4; i++) {
            const int row = lane / 4 + i / 2 * GROUPS, column = lane % 4 * 2 + i % 2;
            uint32_t sum = (uint32_t)r[i]; // wraps, as the instruction does without .satfinite
            for (int k = 0; k < K; k++) sum += (uint32_t)(a[row][k] * b[k][column]);
            r[i] = (int32_t)sum;
        }
    }
}

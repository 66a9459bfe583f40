// SPDX-License-Identifier: Apache-2.0
#include "cublaslt/product.h"

#include <math.h>
#include <string.h>

#include "base/f16.h"

static float load(int type, const void *from, int64_t at)
{
    if (type == PRODUCT_F32) return ((const float *)from)[at];
    const uint16_t bits = ((const uint16_t *)from)[at];
    return type == PRODUCT_F16 ? ferry_f32_from_f16(bits) : ferry_f32_from_bf16(bits);
}

static void store(int type, void *to, int64_t at, float value)
{
    if (type == PRODUCT_F32)
        ((float *)to)[at] = value;
    else
        ((uint16_t *)to)[at] = type == PRODUCT_F16 ? ferry_f16_from_f32(value) : ferry_bf16_from_f32(value);
}

/// To the ten bits of TF32's fraction.
static float rounded(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x1000u) & ~0x1fffu;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

static float sum(const product *p, uint64_t row, uint64_t column)
{
    float total = 0;
    for (uint64_t k = 0; k < p->depth; k++) {
        const float a = load(p->in_type, p->a, (int64_t)k + (int64_t)row * p->a_pitch);
        const float b = load(p->in_type, p->b, (int64_t)k + (int64_t)column * p->b_pitch);
        total += p->tf32 ? rounded(a) * rounded(b) : a * b;
    }
    return total;
}

static void finish(const product *p, uint64_t row, uint64_t column, float total)
{
    float v = p->alpha * total;
    if (p->beta != 0) v += p->beta * load(p->out_type, p->c, (int64_t)row + (int64_t)column * p->c_pitch);
    if (p->bias) v += load(p->out_type, p->bias, (int64_t)row);
    if (p->relu) v = v > 0 ? v : 0;
    if (p->gelu) v = 0.5f * v * (1 + tanhf(0.7978845608f * (v + 0.044715f * v * v * v)));
    store(p->out_type, p->d, (int64_t)row + (int64_t)column * p->d_pitch, v);
}

void product_run(const void *arguments)
{
    const product *const p = arguments;
    for (uint64_t column = 0; column < p->columns; column++)
        for (uint64_t row = 0; row < p->rows; row++) finish(p, row, column, sum(p, row, column));
}

void product_run_sums(const void *arguments)
{
    const product *const p = arguments;
    for (uint64_t column = 0; column < p->columns; column++)
        for (uint64_t row = 0; row < p->rows; row++) p->sums[column * p->rows + row] = sum(p, row, column);
}

void product_run_end(const void *arguments)
{
    const product *const p = arguments;
    for (uint64_t column = 0; column < p->columns; column++)
        for (uint64_t row = 0; row < p->rows; row++) finish(p, row, column, p->sums[column * p->rows + row]);
}

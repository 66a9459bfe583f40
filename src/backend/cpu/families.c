// SPDX-License-Identifier: Apache-2.0
// The table of the CPU's tactic families, most special first.
#include "backend/cpu/cpu.h"

// clang-format off
#define FAMILIES(ROW)              \
    ROW(attention_bf16)            \
    ROW(attention_f32)             \
    ROW(conv_block_f32)            \
    ROW(conv_block_bf16)           \
    ROW(conv_depthwise_pairs_bf16) \
    ROW(conv_depthwise_bf16)       \
    ROW(conv_planes_bf16)          \
    ROW(conv_bf16)                 \
    ROW(matrix_bf16)               \
    ROW(conv_depthwise_f16)        \
    ROW(conv_f16)                  \
    ROW(matrix_f16)                \
    ROW(conv_depthwise_f32)        \
    ROW(conv_winograd_bf16)        \
    ROW(conv_winograd_f32)         \
    ROW(conv_planes_f32)           \
    ROW(conv_f32)                  \
    ROW(conv_transpose_bf16)       \
    ROW(conv_transpose_f32)        \
    ROW(matrix_f32)                \
    ROW(matmul_f32)                \
    ROW(conv_depthwise_quads_s8)   \
    ROW(conv_depthwise_lines_s8)   \
    ROW(conv_depthwise_s8)         \
    ROW(conv_s8)                   \
    ROW(matrix_s8)                 \
    ROW(cast_half)                 \
    ROW(unary_f32)                 \
    ROW(binary_f32)                \
    ROW(resize_add)                \
    ROW(quantised)                 \
    ROW(resize_linear)             \
    ROW(mapped)                    \
    ROW(shuffle)                   \
    ROW(move)                      \
    ROW(pool)                      \
    ROW(layer_norm)                \
    ROW(lines)                     \
    ROW(reference)
// clang-format on

#define DECLARE(name) extern const ferry_cpu_family ferry_cpu_family_##name;
FAMILIES(DECLARE)

static const ferry_cpu_family *const families[] = {
#define ENTER(name) &ferry_cpu_family_##name,
    FAMILIES(ENTER)};

const ferry_cpu_family *ferry_cpu_family_at(size_t index)
{
    return index < FERRY_COUNT_OF(families) ? families[index] : NULL;
}

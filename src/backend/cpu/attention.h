// SPDX-License-Identifier: Apache-2.0
// Attention, computed a block of query rows at a time: scores, softmax, and the mix of the values' rows, while the
// block is near. The keys and values of a batch are packed once for all of its blocks.
#ifndef FERRY_SRC_BACKEND_CPU_ATTENTION_H_
#define FERRY_SRC_BACKEND_CPU_ATTENTION_H_

#include "backend/cpu/scale_node.h"
#include "backend/cpu/shuffle.h"
#include "backend/cpu/softmax_rows.h"
#include "backend/reading/attention_node.h"

#define FERRY_ATTENTION_ROWS 64 // of a block, at most

typedef struct ferry_attention ferry_attention;

/// A block of rows of one batch.
typedef struct ferry_attention_block {
    const void *q[FERRY_ATTENTION_ROWS]; // rows
    size_t rows;
    const void *keys, *values; // packed
    float *scores;             // [rows][width]
    void *weights;             // the scores' softmax as the second product reads it; may be `scores`
    float *mixed;              // [rows][columns]: for results that are quantised
    char *y;                   // the first row's place
} ferry_attention_block;

/// What the element type decides.
typedef struct ferry_attention_type {
    size_t elem_bytes;
    bool own_weights; // they do not lie where the scores do
    /// Of a packed matrix [depth][columns]; false on overflow.
    bool (*packed_bytes)(const ferry_attention *a, size_t depth, size_t columns, size_t *out);
    /// b: the matrix's first element; row and column: its strides, one of which is 1 in most cases. The columns that
    /// fill up the last panel begin with `rest` instead of 0.
    void (*pack)(const ferry_attention *a, size_t depth, size_t columns, const void *b, int64_t row, int64_t column,
                 float rest, void *out);
    void (*score)(const ferry_attention *a, const ferry_attention_block *block);
    void (*mix)(const ferry_attention *a, const ferry_attention_block *block);
} ferry_attention_type;

struct ferry_attention {
    const ferry_attention_type *type;
    const void *row; // the type's row of matrix tiles
    const ferry_softmax_row *softmax;
    ferry_attention_node node;
    size_t mr, nr, vec;            // of the row
    ferry_shuffle_loop interleave; // of two rows of bf16
    size_t width;                  // of a row of scores: the keys, filled up to whole vectors
    size_t blocks;                 // of a batch's rows
    size_t parts;                  // that have scratch memory of their own
    size_t keys_bytes, values_bytes, scores_bytes, weights_bytes, mixed_bytes, part_bytes;
    void (*quantise)(const float *x, float scale, int32_t zero, int32_t low, int32_t high, uint8_t *y, size_t n);
    ferry_scale_node y_scale;
};

/// For prepare, when type, row, softmax, node, mr, nr, vec and quantise are filled in: the rest, and the workspace.
/// False when it is too large.
bool ferry_attention_plan(ferry_attention *attention, size_t *workspace_bytes);

void ferry_attention_run(const ferry_attention *attention, const ferry_cpu_run *run);

#endif // FERRY_SRC_BACKEND_CPU_ATTENTION_H_

// SPDX-License-Identifier: Apache-2.0
// Int8 depthwise convolutions over copied lines: a few lines of the input are kept in the first-level cache, padded and
// in the form that multiplications want, while several output rows are made of them at once. Here is how a convolution
// is cut for that, and the kernels.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_LINES_S8_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_LINES_S8_H_

#include "backend/cpu/cpu.h"
#include "backend/cpu/finish.h"
#include "ops/window.h"

#define FERRY_DEPTHWISE_LINES_ROWS 4    // most output rows made at once
#define FERRY_DEPTHWISE_LINES_TAPS 128  // most taps, filled up: pointers to them lie on the stack
#define FERRY_DEPTHWISE_LINES_SLACK 128 // bytes behind a line that kernels may read, and copies write

/// Some output rows, for some neighbouring columns and blocks of channels. A group is what blocks of weights repeat in:
/// a position, or several when channels do not fill their blocks (see `flat`).
typedef struct ferry_depthwise_lines_tile {
    const void *const *x; // [packs * tq]: where each tap's elements for the first group begin
    const char *w;        // blocks, as packed
    size_t packs, blocks, groups;
    size_t x_step, y_step;    // from group to group: bytes, elements
    size_t limit, limit_step; // elements from the first block of group g on that exist: limit - g * limit_step
    size_t rows;              // rows that are stored
    int8_t *y[FERRY_DEPTHWISE_LINES_ROWS];
    const ferry_finish *finish; // of kind CLAMP
} ferry_depthwise_lines_tile;

typedef struct ferry_depthwise_lines_row {
    const char *name;
    uint32_t isa;
    size_t block, tq;               // channels of a block; taps that are multiplied at a time
    size_t elem_bytes;              // of a copied element
    bool biased;                    // copied elements are 128 larger
    size_t (*slot)(size_t channel); // where a channel of the block lies
    /// `count` pieces of n elements, from_step elements and to_step bytes apart; the slack behind each is written too.
    void (*copy)(const int8_t *from, size_t from_step, char *to, size_t to_step, size_t n, size_t count);
    void (*run[FERRY_DEPTHWISE_LINES_ROWS + 1])(const ferry_depthwise_lines_tile *); // by output rows made at once
} ferry_depthwise_lines_row;

/// NULL when `isa` has none.
const ferry_depthwise_lines_row *ferry_depthwise_lines_pick(uint32_t isa);

/// How weights and attributes, and nothing else, say that a convolution is cut.
typedef struct ferry_depthwise_lines_cut {
    size_t channels, kernel[2], stride[2], dilation[2]; // height, width
    size_t rows;   // output rows made at once: their taps share what is interleaved
    size_t lines;  // input lines that those need
    size_t packs;  // of tq taps
    bool flat;     // positions follow each other without gaps, and blocks of weights repeat after some of them
    size_t blocks; // of weights: of a position, or of the positions after which they repeat
    size_t block_bytes;
    size_t reach; // columns that a line needs beside one for each output column, in each phase of the stride
} ferry_depthwise_lines_cut;

/// False when the window is too large, or not one of two dimensions.
bool ferry_depthwise_lines_make(const ferry_depthwise_lines_row *row, int64_t channels, const ferry_window *window,
                                ferry_depthwise_lines_cut *out);

/// The tap of entry `i` of pack `pack`: line, and column of the window. False where the pack is only filled up.
bool ferry_depthwise_lines_tap(const ferry_depthwise_lines_row *row, const ferry_depthwise_lines_cut *cut, size_t pack,
                               size_t i, size_t *out_line, size_t *out_column);

/// w [channels][taps]; `out` has blocks * block_bytes.
void ferry_depthwise_lines_pack(const ferry_depthwise_lines_row *row, const ferry_depthwise_lines_cut *cut,
                                const int8_t *w, const float *mult, const float *bias, char *out);

/// Whether the node is a depthwise convolution that these kernels run.
bool ferry_depthwise_lines_takes(const ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id id);

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_LINES_S8_H_

// SPDX-License-Identifier: Apache-2.0
// Preprocessing of pictures of one size, laid out for a device: numbers and tables, of integers alone, so that whoever
// follows them comes to what ferry_preprocessor_run comes to, bit for bit.
#ifndef FERRY_SRC_VISION_PREPROCESS_WORK_H_
#define FERRY_SRC_VISION_PREPROCESS_WORK_H_

#include "base/heap.h"
#include "base/status.h"
#include "ferry/preprocess.h"

/// One direction of the resize (resize_axis.h). Of pixel i of the content: tables[begin_at + i] is where its window in
/// the picture begins, tables[length_at + i] how long it is, tables[weights_at + i * taps] its weights; taps 0: the
/// window's first pixel as it is.
typedef struct ferry_preprocess_axis {
    uint32_t begin_at, length_at, weights_at, taps;
} ferry_preprocess_axis;

/// Each pixel of the content is a sum over a window's columns, rounded to a byte, summed over its rows and rounded
/// again; `down_first` the other way round. Sums begin at half of 1 << FERRY_RESIZE_FRACTION_BITS.
typedef struct ferry_preprocess_work {
    ferry_preprocess_geometry geometry;
    uint32_t source_channels; // 1, 3 or 4 interleaved bytes a pixel
    size_t source_stride;     // bytes from row to row
    bool grey;                // of colours, by Pillow's luma, before resizing
    bool flipped;             // channel c is the picture's channel 2 - c
    bool down_first;
    ferry_preprocess_axis x, y;
    uint32_t channels_at; // of output channel c and byte b, tables[channels_at + 257 * c + b] has the element's bits;
                          // b 256: padding
    uint32_t element_bytes;
    bool planar; // [C, H, W], else [H, W, C]
    int32_t *tables;
    size_t tables_bytes;
    ferry_heap heap; // of the tables
} ferry_preprocess_work;

/// Of `picture` size, channels and stride count. `out` is overwritten; to be freed with ferry_preprocess_work_deinit.
ferry_status ferry_preprocess_work_init(ferry_preprocess_work *out, const ferry_preprocess *settings,
                                        const ferry_picture *picture, ferry_dtype dtype, const ferry_heap *heap,
                                        ferry_error *err);
void ferry_preprocess_work_deinit(ferry_preprocess_work *work); // zeroed is accepted

#endif // FERRY_SRC_VISION_PREPROCESS_WORK_H_

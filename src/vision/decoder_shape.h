// SPDX-License-Identifier: Apache-2.0
// Whether one output can be what a head's entry says, and how its values are laid out then.
#ifndef FERRY_SRC_VISION_DECODER_SHAPE_H_
#define FERRY_SRC_VISION_DECODER_SHAPE_H_

#include "vision/decoder.h"

/// What is known while outputs are tried: of the whole decoder, and of the head.
typedef struct ferry_shape_known {
    int64_t class_columns; // 0: not yet
    int64_t class_offset;
    int64_t positions;      // of the head, all levels and anchors; 0: not yet
    int64_t grid_w, grid_h; // of a single level; 0: not yet
} ferry_shape_known;

/// Where the values of one output lie.
typedef struct ferry_output_shape {
    int64_t channels;                 // for each position
    int64_t per_row, per_channel;     // of layouts with rows
    int64_t per_anchor, per_y, per_x; // of grid layouts
    bool is_grid;
    bool has_batch; // the first dimension is the batch
} ferry_output_shape;

/// Channels of a field; classes are known->class_columns.
int64_t ferry_field_channels(const ferry_head_output *out, uint32_t field, uint32_t bins, int64_t class_columns);

/// Tries one output. On true, *out is filled and *known brought up to date; on false both are undefined.
bool ferry_shape_match(const ferry_head *head, const ferry_head_output *entry, uint32_t bins,
                       const ferry_tensor_view *view, ferry_shape_known *known, ferry_output_shape *out);

/// The shape that is expected, e.g. "[batch, 3 * (5 + classes), 13, 13]". Returns `text`.
char *ferry_shape_expected(const ferry_head *head, const ferry_head_output *entry, uint32_t bins,
                           const ferry_shape_known *known, char *text, size_t text_bytes);

#endif // FERRY_SRC_VISION_DECODER_SHAPE_H_

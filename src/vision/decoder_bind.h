// SPDX-License-Identifier: Apache-2.0
// Ties a decoder's heads to a network's real outputs: which tensor, which grid, and where each value lies in it.
#ifndef FERRY_SRC_VISION_DECODER_BIND_H_
#define FERRY_SRC_VISION_DECODER_BIND_H_

#include "vision/decoder.h"

/// Element (anchor a, cell y,x, channel c) of a sample lies at base + a*per_anchor + y*per_y + x*per_x + c*per_channel.
typedef struct ferry_bound_field {
    int32_t output; // -1: the head has no such field
    int64_t base, per_anchor, per_y, per_x, per_channel;
} ferry_bound_field;

typedef struct ferry_bound_level {
    const ferry_head_level *rule; // NULL: positions without a grid, grid_w of them
    bool anchor_last;
    int64_t grid_w, grid_h, anchors;
    double stride_x, stride_y; // 0 without a grid
    ferry_bound_field fields[FERRY_FIELD_COUNT];
} ferry_bound_level;

enum { FERRY_BINDING_MAX_OUTPUTS = 256 };

typedef struct ferry_binding {
    ferry_arena arena;
    const ferry_decoder_form *form;
    int64_t class_columns; // with those below the offset; 1 when scores are objectness alone; 0 with a class_index
    uint32_t input_width, input_height;
    ferry_bound_level *levels;
    size_t level_count;
    // By output of the network: is it read, is its first dimension the batch, may one sample of it serve a whole batch?
    bool used[FERRY_BINDING_MAX_OUTPUTS], has_batch[FERRY_BINDING_MAX_OUTPUTS], shared[FERRY_BINDING_MAX_OUTPUTS];
    bool needs_grid; // the shapes were checked against the input's size: a closer fit than without
} ferry_binding;

/// Finds the first form that fits. The binding is overwritten without being looked at, and zeroed on failure.
/// FERRY_ERR_BAD_DATA as ferry_decoder_check() says. The decoder must be one for detection.
ferry_status ferry_binding_init(ferry_binding *binding, const ferry_decoder *decoder, const ferry_tensor_view *outputs,
                                size_t output_count, uint32_t input_width, uint32_t input_height,
                                const ferry_heap *heap, ferry_error *err);
void ferry_binding_deinit(ferry_binding *binding);

/// The output that a reference without shape rules means: by name, by index, or the only one there is.
ferry_status ferry_output_find(const ferry_output_ref *ref, const ferry_tensor_view *outputs, size_t output_count,
                               size_t *out_index, ferry_error *err);

/// A list such as "'scores' float [1, 4420, 2], 'boxes' float [1, 4420, 4]" for errors. Returns `text`.
char *ferry_outputs_describe(const ferry_tensor_view *outputs, size_t output_count, char *text, size_t text_bytes);

#endif // FERRY_SRC_VISION_DECODER_BIND_H_

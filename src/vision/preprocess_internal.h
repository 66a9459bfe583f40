// SPDX-License-Identifier: Apache-2.0
// Names and limits that the preprocessing files share.
#ifndef FERRY_SRC_VISION_PREPROCESS_INTERNAL_H_
#define FERRY_SRC_VISION_PREPROCESS_INTERNAL_H_

#include "ferry/preprocess.h"
#include "vision/resize_axis.h"

enum {
    FERRY_PREPROCESS_MAX_SIDE = 65536,      // of the network's input
    FERRY_PREPROCESS_MAX_RESIZED = 1 << 30, // of the whole resized picture, of which only what is shown is computed
};

/// NULL-terminated, in the order of the enums.
extern const char *const ferry_resize_mode_names[];
extern const char *const ferry_rounding_names[];
extern const char *const ferry_align_names[];
extern const char *const ferry_filter_names[];
extern const char *const ferry_color_names[];
extern const char *const ferry_layout_names[];

/// What is to be resized of the picture in each direction.
void ferry_preprocess_spans(const ferry_preprocess_geometry *geometry, ferry_resize_span *x, ferry_resize_span *y);
/// FERRY_ERR_UNSUPPORTED unless pictures become inputs of that type.
ferry_status ferry_preprocess_check_dtype(ferry_dtype dtype, ferry_error *err);

#endif // FERRY_SRC_VISION_PREPROCESS_INTERNAL_H_

// SPDX-License-Identifier: Apache-2.0
// Names and limits that the preprocessing files share.
#ifndef FERRY_SRC_VISION_PREPROCESS_INTERNAL_H_
#define FERRY_SRC_VISION_PREPROCESS_INTERNAL_H_

#include "ferry/preprocess.h"

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

#endif // FERRY_SRC_VISION_PREPROCESS_INTERNAL_H_

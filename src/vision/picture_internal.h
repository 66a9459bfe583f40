// SPDX-License-Identifier: Apache-2.0
// What the picture files share: the checks before memory is taken, and the codecs behind the public calls.
#ifndef FERRY_SRC_VISION_PICTURE_INTERNAL_H_
#define FERRY_SRC_VISION_PICTURE_INTERNAL_H_

#include "base/heap.h"
#include "base/status.h"
#include "ferry/picture.h"

enum { FERRY_PICTURE_MAX_SIDE = 1 << 26 };

/// The caller's options with the defaults filled in.
typedef struct ferry_read_options {
    uint64_t max_pixels;
    ferry_picture_form form;
} ferry_read_options;

/// Refuses sizes that a file claims, before memory is taken for them.
ferry_status ferry_picture_check_claim(const ferry_read_options *options, uint64_t width, uint64_t height,
                                       ferry_error *err);

/// Says whether a caller's picture can be read from: pixels, sides, channels, stride.
ferry_status ferry_picture_check(const ferry_picture *picture, ferry_error *err);

/// Each gets data whose first bytes were recognised; `out` is empty before, and is left half-built on failure (the
/// caller deinits it).
ferry_status ferry_jpeg_decode(const uint8_t *data, size_t bytes, const ferry_read_options *options,
                               const ferry_heap *heap, ferry_picture *out, ferry_error *err);
ferry_status ferry_png_decode(const uint8_t *data, size_t bytes, const ferry_read_options *options,
                              const ferry_heap *heap, ferry_picture *out, ferry_error *err);

static inline uint8_t *ferry_picture_row(const ferry_picture *picture, uint32_t y)
{
    return picture->pixels + (size_t)y * picture->stride_bytes;
}

#endif // FERRY_SRC_VISION_PICTURE_INTERNAL_H_

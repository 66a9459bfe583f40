// SPDX-License-Identifier: Apache-2.0
// What the drawing files share: clipped rectangles, and lines of text as masks.
#ifndef FERRY_SRC_VISION_DRAW_INTERNAL_H_
#define FERRY_SRC_VISION_DRAW_INTERNAL_H_

#include "base/heap.h"
#include "base/status.h"
#include "ferry/draw.h"

/// Sizes for one picture: the options', or what suits the picture.
typedef struct ferry_draw_style {
    int32_t line_px, text_px;
    int32_t margin_px; // around text
    double mask_alpha;
} ferry_draw_style;

typedef struct ferry_draw_rect {
    int32_t x, y, width, height;
} ferry_draw_rect;

/// Checks the picture and the options too.
ferry_status ferry_draw_begin(const ferry_picture *picture, const ferry_draw_options *options, ferry_draw_style *out,
                              ferry_error *err);

/// Blends a colour into the part of `rect` that lies in the picture; alpha 0..256.
void ferry_draw_fill(ferry_picture *picture, ferry_draw_rect rect, const uint8_t rgb[3], uint32_t alpha);

/// Black or white, whichever reads better on `rgb`.
void ferry_draw_contrast(const uint8_t rgb[3], uint8_t out_rgb[3]);

/// How much of `color` is to be laid over `*channel`, 0..256.
static inline void ferry_draw_blend(uint8_t *channel, uint32_t color, uint32_t alpha)
{
    *channel = (uint8_t)((*channel * (256 - alpha) + color * alpha + 128) >> 8);
}

/// One line of text as a mask of 8 bits, to be blended in any colour.
typedef struct ferry_text_line {
    ferry_picture mask; // 1 channel; its height is ferry_text_height(), its width the text's
} ferry_text_line;

/// Height of a line for this em.
int32_t ferry_text_height(int32_t text_px);

/// Renders at most `most_width` pixels (the last characters become "..."); an empty text gives width 1.
ferry_status ferry_text_line_init(ferry_text_line *line, const ferry_heap *heap, const char *text, int32_t text_px,
                                  int32_t most_width, ferry_error *err);
void ferry_text_line_deinit(ferry_text_line *line);
void ferry_text_line_draw(const ferry_text_line *line, ferry_picture *picture, int32_t x, int32_t y,
                          const uint8_t rgb[3]);

#endif // FERRY_SRC_VISION_DRAW_INTERNAL_H_

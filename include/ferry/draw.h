// SPDX-License-Identifier: Apache-2.0
// Results drawn into pictures: boxes with names and scores, lists of classes, masks with a legend. Sizes follow the
// picture, so that what is drawn can be read at 160 pixels and at 4000.
#ifndef FERRY_DRAW_H_
#define FERRY_DRAW_H_

#include "ferry/decode.h"
#include "ferry/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Texts are UTF-8; characters beyond Latin-1 appear as '?'. All functions draw into pictures of 3 or 4 channels (a
/// fourth becomes opaque where something is drawn), clip at the edges, and may be called from several threads on
/// different pictures. On failure a picture may hold a part of the drawing.

/// Zero means the default in every field; set `size` to sizeof the struct.
typedef struct ferry_draw_options {
    size_t size;
    uint32_t line_px; ///< width of a box's line; 0 = by the picture's size: 1 at 160, 2 at 640, 12 at 4000
    uint32_t
        text_px; ///< height of a line of text's em, 8..200; 0 = by the picture's size: 11 at 160, 16 at 640, 72 at 4000
    double mask_alpha; ///< how much of a mask's colour is laid over the picture, 0..1; 0 = 0.5
} ferry_draw_options;

typedef struct ferry_draw_box {
    float x1, y1, x2, y2; ///< in pixels of the picture; may lie outside in part
    uint32_t class_index; ///< chooses the colour
    float score;          ///< 0..1, written with two digits; negative = not written
    const char *name;     ///< NULL = "class N"; borrowed for the call
} ferry_draw_box;

/// One line of a list of classes, best first.
typedef struct ferry_draw_entry {
    uint32_t class_index; ///< chooses a legend's colour
    float score;          ///< 0..1, written in per cent; negative = not written
    const char *name;     ///< NULL = "class N"; borrowed for the call
} ferry_draw_entry;

/// The colour of a class: the same in every picture and version, neighbours well apart. Never grey.
FERRY_API void ferry_draw_color(uint32_t class_index, uint8_t out_rgb[3]);

/// Draws boxes, then their labels above all lines. A label stands on its box, or inside it where there is no room, and
/// moves out of the way of labels drawn before it; give the most important box first.
///
/// @param picture  changed in place
/// @param options  NULL = defaults
/// @param heap     scratch memory; NULL = the process heap
FERRY_API ferry_status ferry_draw_boxes(ferry_picture *picture, const ferry_draw_box *boxes, size_t count,
                                        const ferry_draw_options *options, const ferry_heap *heap, ferry_error *error);

/// Draws a panel at the top left: a line per entry with its name, score and a bar as long as the score.
FERRY_API ferry_status ferry_draw_classes(ferry_picture *picture, const ferry_draw_entry *entries, size_t count,
                                          const ferry_draw_options *options, const ferry_heap *heap,
                                          ferry_error *error);

/// Lays each class's colour over its pixels and outlines the areas.
///
/// @param mask        1 channel, the size of `picture`; class indices
/// @param background  a class that is left as it is, e.g. 0; a value above 255 = none. 255 ("ignore") is always left.
FERRY_API ferry_status ferry_draw_mask(ferry_picture *picture, const ferry_picture *mask, uint32_t background,
                                       const ferry_draw_options *options, ferry_error *error);

/// Draws a legend at the bottom left: a swatch and a name per entry. Scores, if not negative, are written as per cent.
FERRY_API ferry_status ferry_draw_legend(ferry_picture *picture, const ferry_draw_entry *entries, size_t count,
                                         const ferry_draw_options *options, const ferry_heap *heap, ferry_error *error);

/// Writes one line of text with its top left corner at x, y (which may lie outside), the em `text_px` high.
FERRY_API ferry_status ferry_draw_text(ferry_picture *picture, const char *text, int32_t x, int32_t y, uint32_t text_px,
                                       const uint8_t rgb[3], const ferry_heap *heap, ferry_error *error);

/// Draws what a decoder found in this picture: the best classes, the boxes, or the class map with a legend of the
/// classes that cover the most. In a class map, class 0 is left as it is if `labels` names it "background" or
/// "__background__". An empty result draws nothing.
///
/// @param result  of this picture: boxes and class map are in its pixels
/// @param labels  NULL = "class N"
FERRY_API ferry_status ferry_draw_result(ferry_picture *picture, const ferry_result *result, const ferry_labels *labels,
                                         const ferry_draw_options *options, const ferry_heap *heap, ferry_error *error);

#ifdef __cplusplus
}
#endif

#endif // FERRY_DRAW_H_

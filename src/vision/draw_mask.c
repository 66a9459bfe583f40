// SPDX-License-Identifier: Apache-2.0
// Class masks laid over their picture, with outlines, so that areas can be told from the picture's own colours.
#include <math.h>

#include "vision/draw_internal.h"
#include "vision/picture_internal.h"

enum { IGNORED_CLASS = 255, OUTLINE_ALPHA = 230 };

// Within `reach` pixels to the right or below, another class begins: drawn on this side of the border only.
static bool at_border(const ferry_picture *mask, uint32_t x, uint32_t y, uint32_t reach)
{
    const uint8_t own = ferry_picture_row(mask, y)[x];
    for (uint32_t d = 1; d <= reach; d++) {
        if (x + d < mask->width && ferry_picture_row(mask, y)[x + d] != own) return true;
        if (x >= d && ferry_picture_row(mask, y)[x - d] != own) return true;
        if (y + d < mask->height && ferry_picture_row(mask, y + d)[x] != own) return true;
        if (y >= d && ferry_picture_row(mask, y - d)[x] != own) return true;
    }
    return false;
}

ferry_status ferry_draw_mask(ferry_picture *picture, const ferry_picture *mask, uint32_t background,
                             const ferry_draw_options *options, ferry_error *error)
{
    ferry_draw_style style;
    FERRY_TRY(ferry_draw_begin(picture, options, &style, error));
    FERRY_TRY(ferry_picture_check(mask, error));
    if (mask->channels != 1 || mask->width != picture->width || mask->height != picture->height) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                          "a mask of %ux%u with %u channels does not fit a picture of %ux%u", mask->width, mask->height,
                          mask->channels, picture->width, picture->height);
    }
    uint8_t colors[256][3];
    for (uint32_t i = 0; i < 256; i++) ferry_draw_color(i, colors[i]);
    const uint32_t alpha = (uint32_t)lround(style.mask_alpha * 256.0);
    const uint32_t reach = (uint32_t)(style.line_px + 1) / 2;
    for (uint32_t y = 0; y < mask->height; y++) {
        const uint8_t *from = ferry_picture_row(mask, y);
        uint8_t *p = ferry_picture_row(picture, y);
        for (uint32_t x = 0; x < mask->width; x++, p += picture->channels) {
            const uint8_t index = from[x];
            if (index == background || index == IGNORED_CLASS) continue;
            const uint32_t a = at_border(mask, x, y, reach) ? OUTLINE_ALPHA : alpha;
            for (int c = 0; c < 3; c++) ferry_draw_blend(&p[c], colors[index][c], a);
            if (picture->channels == 4) p[3] = 255;
        }
    }
    return FERRY_OK;
}

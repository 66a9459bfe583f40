// SPDX-License-Identifier: Apache-2.0
// The ground of drawing: sizes that suit the picture, colours, rectangles.
#include "vision/draw_internal.h"

#include <math.h>
#include <string.h>

#include "vision/picture_internal.h"

ferry_status ferry_draw_begin(const ferry_picture *picture, const ferry_draw_options *options, ferry_draw_style *out,
                              ferry_error *err)
{
    FERRY_TRY(ferry_picture_check(picture, err));
    if (picture->channels == 1) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "drawing needs a picture of 3 or 4 channels, this one has 1");
    }
    const ferry_draw_options none = {.size = sizeof none};
    const ferry_draw_options *o = options ? options : &none;
    if (o->size < sizeof *o || o->line_px > 1000 || (o->text_px != 0 && (o->text_px < 8 || o->text_px > 200)) ||
        !(o->mask_alpha >= 0.0 && o->mask_alpha <= 1.0)) {
        return ferry_fail(
            err, FERRY_ERR_INVALID_ARGUMENT,
            "drawing options: size %zu, line_px %u (0..1000), text_px %u (0 or 8..200), mask_alpha %g (0..1)", o->size,
            o->line_px, o->text_px, o->mask_alpha);
    }
    const double longer = picture->width > picture->height ? picture->width : picture->height;
    const double text = fmin(fmax(5.5 + longer * 0.0165, 11.0), 200.0);
    out->text_px = o->text_px ? (int32_t)o->text_px : (int32_t)lround(text);
    out->line_px = o->line_px ? (int32_t)o->line_px : (int32_t)fmax(1.0, round(longer * 0.003));
    out->margin_px = (out->text_px + 3) / 6;
    out->mask_alpha = o->mask_alpha > 0.0 ? o->mask_alpha : 0.5;
    return FERRY_OK;
}

// Hue goes round by the golden angle, so that neighbours are far apart; three strengths keep later rounds apart. All in
// integers: the same on every machine.
void ferry_draw_color(uint32_t class_index, uint8_t out_rgb[3])
{
    static const uint32_t values[] = {255, 215, 245}, depths[] = {205, 235, 150};
    const uint32_t hue = ((class_index * 40503u + 1500u) & 0xffff) * 6; // 16 bits of fraction within a sixth
    const uint32_t sixth = hue >> 16, within = hue & 0xffff;
    const uint32_t value = values[class_index / 5 % 3], depth = depths[class_index / 7 % 3];
    const uint32_t low = value * (255 - depth) / 255;
    const uint32_t up = low + ((value - low) * within >> 16), down = low + ((value - low) * (0xffff - within) >> 16);
    const uint32_t table[6][3] = {{value, up, low},   {down, value, low}, {low, value, up},
                                  {low, down, value}, {up, low, value},   {value, low, down}};
    for (int c = 0; c < 3; c++) out_rgb[c] = (uint8_t)table[sixth][c];
}

void ferry_draw_contrast(const uint8_t rgb[3], uint8_t out_rgb[3])
{
    const uint32_t luma = (rgb[0] * 299u + rgb[1] * 587u + rgb[2] * 114u) / 1000u;
    memset(out_rgb, luma > 130 ? 0 : 255, 3);
}

// [*at, *at + *count) cut to [0, most).
static void clip(int32_t *at, int32_t *count, uint32_t most)
{
    const int64_t from = *at < 0 ? 0 : *at;
    int64_t to = (int64_t)*at + *count;
    if (to > most) to = most;
    *count = to > from ? (int32_t)(to - from) : 0;
    *at = (int32_t)from;
}

void ferry_draw_fill(ferry_picture *picture, ferry_draw_rect rect, const uint8_t rgb[3], uint32_t alpha)
{
    clip(&rect.x, &rect.width, picture->width);
    clip(&rect.y, &rect.height, picture->height);
    if (rect.width == 0) return;
    for (int32_t y = rect.y; y < rect.y + rect.height; y++) {
        uint8_t *p = ferry_picture_row(picture, (uint32_t)y) + (size_t)rect.x * picture->channels;
        for (int32_t x = 0; x < rect.width; x++, p += picture->channels) {
            for (int c = 0; c < 3; c++) ferry_draw_blend(&p[c], rgb[c], alpha);
            if (picture->channels == 4) p[3] = 255;
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
// Lines of text: set at the font's own size, then resized as a whole, so that any size has even spacing and smooth
// edges.
#include <string.h>

#include "vision/draw_internal.h"
#include "vision/picture_internal.h"

typedef struct font_glyph {
    uint16_t runs;   // where its pixels begin in font_runs
    uint8_t advance; // to the next glyph
    int8_t left;     // of the bitmap, from the pen
    uint8_t top;     // of the bitmap, from the line's top
    uint8_t width, height;
} font_glyph;

#include "vision/font_data.inc"

enum { MAX_CHARACTERS = 512, FIRST_LATIN = 160, ASCII_GLYPHS = 127 - 32 };

int32_t ferry_text_height(int32_t text_px)
{
    return (text_px * FONT_HEIGHT + FONT_EM / 2) / FONT_EM;
}

// The next character's glyph; moves *text on. Bytes that are no UTF-8 count one each.
static uint8_t next_glyph(const unsigned char **text)
{
    const unsigned char *p = *text;
    uint32_t code = *p;
    size_t length = 1;
    if (code >= 0xc2 && code < 0xf5) {
        const size_t more = code < 0xe0 ? 1 : code < 0xf0 ? 2 : 3;
        uint32_t value = code & (0x3fu >> more);
        size_t i = 1;
        for (; i <= more && (p[i] & 0xc0) == 0x80; i++) value = value << 6 | (p[i] & 0x3fu);
        if (i > more) {
            length = 1 + more;
            code = value;
        } else {
            code = 0xfffd;
        }
    } else if (code >= 0x80) {
        code = 0xfffd;
    }
    *text += length;
    if (code == '\t' || code == '\n' || code == '\r') code = ' ';
    if (code >= 32 && code < 127) return (uint8_t)(code - 32);
    if (code >= FIRST_LATIN && code < 256) return (uint8_t)(code - FIRST_LATIN + ASCII_GLYPHS);
    return '?' - 32;
}

typedef struct glyph_row {
    uint8_t glyphs[MAX_CHARACTERS];
    size_t count;
    uint32_t width; // at the font's size
} glyph_row;

static uint32_t width_of(const glyph_row *row, size_t count)
{
    uint32_t width = 0;
    for (size_t i = 0; i < count; i++) width += font_glyphs[row->glyphs[i]].advance;
    return width;
}

static void set_row(glyph_row *row, const char *text, uint32_t most_width)
{
    const unsigned char *p = (const unsigned char *)text;
    row->count = 0;
    while (*p && row->count < MAX_CHARACTERS) row->glyphs[row->count++] = next_glyph(&p);
    if (*p || width_of(row, row->count) > most_width) {
        const uint32_t dots = 3 * (uint32_t)font_glyphs['.' - 32].advance;
        if (row->count > MAX_CHARACTERS - 3) row->count = MAX_CHARACTERS - 3;
        while (row->count > 0 && width_of(row, row->count) + dots > most_width) row->count--;
        for (int i = 0; i < 3; i++) row->glyphs[row->count++] = '.' - 32;
    }
    row->width = width_of(row, row->count);
}

// Levels add up where bitmaps overlap.
static void put_glyph(ferry_picture *canvas, const font_glyph *glyph, int32_t pen)
{
    const uint32_t pixels = (uint32_t)glyph->width * glyph->height;
    const uint8_t *run = font_runs + glyph->runs;
    uint32_t left_of_run = 0, level = 0;
    for (uint32_t i = 0; i < pixels; i++) {
        if (left_of_run == 0) {
            level = (uint32_t)(*run >> 4) * 17;
            left_of_run = (*run++ & 15u) + 1;
        }
        left_of_run--;
        const int32_t x = pen + glyph->left + (int32_t)(i % glyph->width);
        const uint32_t y = glyph->top + i / glyph->width;
        if (x < 0 || (uint32_t)x >= canvas->width || y >= canvas->height) continue;
        uint8_t *p = ferry_picture_row(canvas, y) + x;
        *p = (uint8_t)(*p + level > 255 ? 255 : *p + level);
    }
}

ferry_status ferry_text_line_init(ferry_text_line *line, const ferry_heap *heap, const char *text, int32_t text_px,
                                  int32_t most_width, ferry_error *err)
{
    memset(line, 0, sizeof *line);
    glyph_row row;
    const int64_t most = (int64_t)most_width * FONT_EM / text_px;
    set_row(&row, text, most < 0 ? 0 : most > INT32_MAX ? INT32_MAX : (uint32_t)most);
    ferry_picture canvas;
    FERRY_TRY(ferry_picture_init(&canvas, heap, row.width ? row.width : 1, FONT_HEIGHT, 1, err));
    int32_t pen = 0;
    for (size_t i = 0; i < row.count; i++) {
        const font_glyph *glyph = &font_glyphs[row.glyphs[i]];
        put_glyph(&canvas, glyph, pen);
        pen += glyph->advance;
    }
    const uint32_t width = (canvas.width * (uint32_t)text_px + FONT_EM - 1) / FONT_EM;
    const ferry_filter filter = text_px > FONT_EM ? FERRY_FILTER_BICUBIC : FERRY_FILTER_HAMMING;
    const ferry_status s = ferry_picture_resize(&canvas, NULL, width ? width : 1, (uint32_t)ferry_text_height(text_px),
                                                filter, heap, &line->mask, err);
    ferry_picture_deinit(&canvas);
    return s;
}

void ferry_text_line_deinit(ferry_text_line *line)
{
    ferry_picture_deinit(&line->mask);
}

void ferry_text_line_draw(const ferry_text_line *line, ferry_picture *picture, int32_t x, int32_t y,
                          const uint8_t rgb[3])
{
    for (uint32_t my = 0; my < line->mask.height; my++) {
        const int64_t py = (int64_t)y + my;
        if (py < 0 || py >= picture->height) continue;
        const uint8_t *from = ferry_picture_row(&line->mask, my);
        uint8_t *row = ferry_picture_row(picture, (uint32_t)py);
        for (uint32_t mx = 0; mx < line->mask.width; mx++) {
            const int64_t px = (int64_t)x + mx;
            if (px < 0 || px >= picture->width || from[mx] == 0) continue;
            uint8_t *p = row + (size_t)px * picture->channels;
            for (int c = 0; c < 3; c++) ferry_draw_blend(&p[c], rgb[c], from[mx] + (from[mx] >> 7));
            if (picture->channels == 4) p[3] = 255;
        }
    }
}

ferry_status ferry_draw_text(ferry_picture *picture, const char *text, int32_t x, int32_t y, uint32_t text_px,
                             const uint8_t rgb[3], const ferry_heap *heap, ferry_error *error)
{
    ferry_draw_style style;
    const ferry_draw_options options = {.size = sizeof options, .text_px = text_px};
    FERRY_TRY(ferry_draw_begin(picture, &options, &style, error));
    ferry_text_line line;
    FERRY_TRY(ferry_text_line_init(&line, heap, text, style.text_px, INT32_MAX, error));
    ferry_text_line_draw(&line, picture, x, y, rgb);
    ferry_text_line_deinit(&line);
    return FERRY_OK;
}

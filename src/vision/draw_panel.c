// SPDX-License-Identifier: Apache-2.0
// Panels of text over a picture: a classifier's best classes, a mask's legend.
#include <math.h>
#include <stdio.h>

#include "vision/draw_internal.h"

static const uint8_t black[3] = {0, 0, 0}, white[3] = {255, 255, 255}, bar[3] = {90, 205, 255};

// Dark enough that white text reads on any picture, light enough that the picture shows through.
enum { PANEL_ALPHA = 176 };

typedef struct panel {
    ferry_picture *picture;
    ferry_draw_style style;
    const ferry_heap *heap;
    int32_t x, y;            // top left
    int32_t name_width, row; // of a name; from line to line
    int32_t swatch;          // 0 = bars instead
    int32_t score_width;     // 0 = no scores
    int32_t width;
} panel;

static const char *name_of(const ferry_draw_entry *entry, char *text, size_t bytes)
{
    if (entry->name)
        snprintf(text, bytes, "%.200s", entry->name);
    else
        snprintf(text, bytes, "class %u", entry->class_index);
    return text;
}

// A tenth of a per cent, never in scientific form, with a point in every locale.
static const char *score_of(const ferry_draw_entry *entry, char *text, size_t bytes)
{
    const double capped = fmin((double)entry->score, 10.0);
    const long tenths = lround(capped * 1000.0);
    snprintf(text, bytes, "%ld.%ld%%", tenths / 10, tenths % 10);
    return text;
}

static ferry_status widest(const panel *p, const ferry_draw_entry *entries, size_t count, int32_t most, bool score,
                           int32_t *out, ferry_error *err)
{
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        char text[256];
        ferry_text_line line;
        if (score && !(entries[i].score >= 0.0f)) continue;
        if (score)
            score_of(&entries[i], text, sizeof text);
        else
            name_of(&entries[i], text, sizeof text);
        FERRY_TRY(ferry_text_line_init(&line, p->heap, text, p->style.text_px, most, err));
        if ((int32_t)line.mask.width > *out) *out = (int32_t)line.mask.width;
        ferry_text_line_deinit(&line);
    }
    return FERRY_OK;
}

static ferry_status put_text(const panel *p, const char *text, int32_t x, int32_t y, int32_t most, bool right,
                             ferry_error *err)
{
    ferry_text_line line;
    FERRY_TRY(ferry_text_line_init(&line, p->heap, text, p->style.text_px, most, err));
    if (right) x -= (int32_t)line.mask.width;
    ferry_text_line_draw(&line, p->picture, x, y, white);
    ferry_text_line_deinit(&line);
    return FERRY_OK;
}

static ferry_status draw_row(const panel *p, const ferry_draw_entry *entry, int32_t y, ferry_error *err)
{
    const int32_t margin = p->style.margin_px, height = ferry_text_height(p->style.text_px);
    char text[256];
    int32_t x = p->x + 2 * margin;
    if (p->swatch) {
        uint8_t rgb[3];
        ferry_draw_color(entry->class_index, rgb);
        ferry_draw_fill(p->picture, (ferry_draw_rect){x, y + (height - p->swatch) / 2, p->swatch, p->swatch}, rgb, 256);
        x += p->swatch + 2 * margin;
    } else if (entry->score >= 0.0f) {
        // A bar under the line, so that it never stands behind the text.
        const int32_t full = p->width - 4 * margin, thick = margin > 2 ? margin * 2 / 3 : 1;
        const int32_t length = (int32_t)lround(fmin((double)entry->score, 1.0) * full);
        ferry_draw_fill(p->picture, (ferry_draw_rect){x, y + height, full, thick}, white, 40);
        ferry_draw_fill(p->picture, (ferry_draw_rect){x, y + height, length, thick}, bar, 256);
    }
    FERRY_TRY(put_text(p, name_of(entry, text, sizeof text), x, y, p->name_width, false, err));
    if (!(entry->score >= 0.0f)) return FERRY_OK;
    return put_text(p, score_of(entry, text, sizeof text), p->x + p->width - 2 * margin, y, INT32_MAX, true, err);
}

static ferry_status draw_panel(ferry_picture *picture, const ferry_draw_entry *entries, size_t count, bool legend,
                               const ferry_draw_options *options, const ferry_heap *heap, ferry_error *err)
{
    panel p = {.picture = picture, .heap = ferry_heap_or_default(heap)};
    FERRY_TRY(ferry_draw_begin(picture, options, &p.style, err));
    if (count == 0) return FERRY_OK;
    const int32_t margin = p.style.margin_px;
    p.row = ferry_text_height(p.style.text_px) + (legend ? margin / 2 : margin + margin / 2);
    // As many lines as fit; the first ones matter most.
    const size_t most_rows =
        ((size_t)picture->height > (size_t)(4 * margin)) ? (picture->height - (size_t)(4 * margin)) / (size_t)p.row : 0;
    if (count > most_rows) count = most_rows ? most_rows : 1;
    p.swatch = legend ? p.style.text_px * 3 / 4 : 0;
    FERRY_TRY(widest(&p, entries, count, INT32_MAX, true, &p.score_width, err));
    const int32_t beside =
        6 * margin + (p.swatch ? p.swatch + 2 * margin : 0) + (p.score_width ? p.score_width + 3 * margin : 0);
    const int32_t most_name = (int32_t)picture->width - beside;
    FERRY_TRY(widest(&p, entries, count, most_name > 0 ? most_name : 1, false, &p.name_width, err));
    p.width = p.name_width + beside - 2 * margin;
    const int32_t height = (int32_t)count * p.row + 2 * margin;
    p.x = margin;
    p.y = legend ? (int32_t)picture->height - height - margin : margin;
    ferry_draw_fill(picture, (ferry_draw_rect){p.x, p.y, p.width, height}, black, PANEL_ALPHA);
    for (size_t i = 0; i < count; i++) {
        FERRY_TRY(draw_row(&p, &entries[i], p.y + margin + (int32_t)i * p.row, err));
    }
    return FERRY_OK;
}

ferry_status ferry_draw_classes(ferry_picture *picture, const ferry_draw_entry *entries, size_t count,
                                const ferry_draw_options *options, const ferry_heap *heap, ferry_error *error)
{
    return draw_panel(picture, entries, count, false, options, heap, error);
}

ferry_status ferry_draw_legend(ferry_picture *picture, const ferry_draw_entry *entries, size_t count,
                               const ferry_draw_options *options, const ferry_heap *heap, ferry_error *error)
{
    return draw_panel(picture, entries, count, true, options, heap, error);
}

// SPDX-License-Identifier: Apache-2.0
// Boxes and their labels. Labels come last and avoid each other, because a label that cannot be read says nothing.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vision/draw_internal.h"

// A caller's coordinate as a pixel; what is far outside, or NaN, stays near the picture.
static int32_t to_pixel(float v, uint32_t side)
{
    const float most = (float)side + 1e6f;
    return (int32_t)lrintf(v > -1e6f ? (v < most ? v : most) : -1e6f);
}

static ferry_draw_rect rect_of(const ferry_draw_box *box, const ferry_picture *picture)
{
    const int32_t x1 = to_pixel(box->x1, picture->width), y1 = to_pixel(box->y1, picture->height);
    const int32_t x2 = to_pixel(box->x2, picture->width), y2 = to_pixel(box->y2, picture->height);
    return (ferry_draw_rect){x1, y1, x2 > x1 ? x2 - x1 : 1, y2 > y1 ? y2 - y1 : 1};
}

static void draw_frame(ferry_picture *picture, ferry_draw_rect r, int32_t line, const uint8_t rgb[3])
{
    // At least one pixel stays open inside.
    const int32_t shorter = r.width < r.height ? r.width : r.height;
    if (line > shorter / 3) line = shorter / 3 > 0 ? shorter / 3 : 1;
    ferry_draw_fill(picture, (ferry_draw_rect){r.x, r.y, r.width, line}, rgb, 256);
    ferry_draw_fill(picture, (ferry_draw_rect){r.x, r.y + r.height - line, r.width, line}, rgb, 256);
    ferry_draw_fill(picture, (ferry_draw_rect){r.x, r.y + line, line, r.height - 2 * line}, rgb, 256);
    ferry_draw_fill(picture, (ferry_draw_rect){r.x + r.width - line, r.y + line, line, r.height - 2 * line}, rgb, 256);
}

static bool overlap(const ferry_draw_rect *a, const ferry_draw_rect *b)
{
    return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height && b->y < a->y + a->height;
}

static int32_t between(int32_t v, int32_t least, int32_t most)
{
    return v > most ? (most > least ? most : least) : v < least ? least : v;
}

// Places in the order of liking: on the box, inside at the top, below, inside at the bottom, then lines further down.
static ferry_draw_rect place_label(const ferry_picture *picture, ferry_draw_rect box, int32_t width, int32_t height,
                                   const ferry_draw_rect *taken, size_t n_taken)
{
    enum { CHOICES = 12 };
    const int32_t last_x = (int32_t)picture->width - width, last_y = (int32_t)picture->height - height;
    ferry_draw_rect first = {0, 0, width, height};
    for (int choice = 0; choice < CHOICES; choice++) {
        const int32_t ys[4] = {box.y - height, box.y, box.y + box.height, box.y + box.height - height};
        const int32_t y = choice < 4 ? ys[choice] : box.y + height * (choice - 3);
        const bool outside = y < 0 || y > last_y;
        ferry_draw_rect r = {between(box.x, 0, last_x), between(y, 0, last_y), width, height};
        if (choice == 0 || (choice == 1 && first.y != box.y - height)) first = r;
        if (outside) continue;
        bool free_place = true;
        for (size_t i = 0; i < n_taken && free_place; i++) free_place = !overlap(&r, &taken[i]);
        if (free_place) return r;
    }
    return first;
}

static ferry_status draw_label(ferry_picture *picture, const ferry_draw_box *box, const ferry_draw_style *style,
                               const ferry_heap *heap, ferry_draw_rect *taken, size_t n_taken, ferry_error *err)
{
    char text[300];
    uint8_t rgb[3], ink[3];
    int used = box->name ? snprintf(text, sizeof text - 16, "%.200s", box->name)
                         : snprintf(text, sizeof text - 16, "class %u", box->class_index);
    if (box->score >= 0.0f && used >= 0) snprintf(text + used, sizeof text - (size_t)used, " %.2f", (double)box->score);
    for (char *c = text + used; used > 0 && *c; c++) {
        if (*c == ',') *c = '.'; // whatever the locale
    }
    ferry_text_line line;
    const int32_t most = (int32_t)picture->width - 2 * style->margin_px;
    FERRY_TRY(ferry_text_line_init(&line, heap, text, style->text_px, most, err));
    const ferry_draw_rect r =
        place_label(picture, rect_of(box, picture), (int32_t)line.mask.width + 2 * style->margin_px,
                    (int32_t)line.mask.height, taken, n_taken);
    ferry_draw_color(box->class_index, rgb);
    ferry_draw_contrast(rgb, ink);
    ferry_draw_fill(picture, r, rgb, 256);
    ferry_text_line_draw(&line, picture, r.x + style->margin_px, r.y, ink);
    ferry_text_line_deinit(&line);
    taken[n_taken] = r;
    return FERRY_OK;
}

ferry_status ferry_draw_boxes(ferry_picture *picture, const ferry_draw_box *boxes, size_t count,
                              const ferry_draw_options *options, const ferry_heap *heap, ferry_error *error)
{
    ferry_draw_style style;
    FERRY_TRY(ferry_draw_begin(picture, options, &style, error));
    if (count == 0) return FERRY_OK;
    heap = ferry_heap_or_default(heap);
    ferry_draw_rect *taken = ferry_heap_alloc_array(heap, count, sizeof *taken);
    if (!taken) return ferry_fail_memory(error, "labels");
    // The most important box is drawn last, over the others, but its label is placed first.
    for (size_t i = count; i-- > 0;) {
        uint8_t rgb[3];
        ferry_draw_color(boxes[i].class_index, rgb);
        draw_frame(picture, rect_of(&boxes[i], picture), style.line_px, rgb);
    }
    ferry_status s = FERRY_OK;
    for (size_t i = 0; i < count && s == FERRY_OK; i++) {
        s = draw_label(picture, &boxes[i], &style, heap, taken, i, error);
    }
    ferry_heap_free(heap, taken, count * sizeof *taken);
    return s;
}

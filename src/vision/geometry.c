// SPDX-License-Identifier: Apache-2.0
// Where a picture comes to lie in a network's input, and the way back. The roundings are those of the programs that
// networks are trained with; half a pixel decides whether numbers can be compared.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "vision/picture_internal.h"
#include "vision/preprocess_internal.h"

// A side that keeps the proportion; UINT32_MAX when it is far beyond every limit.
static uint32_t round_side(double side, ferry_rounding rounding)
{
    const double v = rounding == FERRY_ROUNDING_DOWN ? floor(side)
                     : rounding == FERRY_ROUNDING_UP ? ceil(side)
                                                     : nearbyint(side);
    return v < 1.0 ? 1 : v > FERRY_PREPROCESS_MAX_RESIZED ? UINT32_MAX : (uint32_t)v;
}

static uint32_t clamp_u32(uint32_t v, uint32_t most)
{
    return v > most ? most : v;
}

static void plan_letterbox(const ferry_preprocess *p, ferry_preprocess_geometry *g)
{
    const double rx = (double)g->width / g->source_width, ry = (double)g->height / g->source_height;
    const double r = rx < ry ? rx : ry;
    // The side that decides fills the input; the product could fall short of it by an ulp.
    g->resized_width = rx <= ry ? g->width : clamp_u32(round_side(g->source_width * r, p->rounding), g->width);
    g->resized_height = ry <= rx ? g->height : clamp_u32(round_side(g->source_height * r, p->rounding), g->height);
    if (p->align == FERRY_ALIGN_TOPLEFT) return;
    // The tenth sends a half pixel of padding to the right and bottom.
    g->offset_x = (int32_t)nearbyint((g->width - g->resized_width) / 2.0 - 0.1);
    g->offset_y = (int32_t)nearbyint((g->height - g->resized_height) / 2.0 - 0.1);
}

static int32_t crop_offset(uint32_t input, uint32_t resized, const ferry_preprocess *p)
{
    if (p->align == FERRY_ALIGN_TOPLEFT) return 0;
    if (resized < input) return (int32_t)((input - resized) / 2);
    const uint32_t cut = resized - input;
    return p->rounding == FERRY_ROUNDING_DOWN ? -(int32_t)nearbyint(cut / 2.0) : -(int32_t)(cut / 2);
}

static void plan_crop(const ferry_preprocess *p, ferry_preprocess_geometry *g)
{
    const uint32_t larger = g->width > g->height ? g->width : g->height;
    const uint32_t shorter = p->resize_shorter ? p->resize_shorter : (uint32_t)floor(larger / 0.875 + 0.5);
    const double w = g->source_width, h = g->source_height;
    g->resized_width = w <= h ? shorter : round_side(shorter * w / h, p->rounding);
    g->resized_height = w <= h ? round_side(shorter * h / w, p->rounding) : shorter;
    if (g->resized_width == UINT32_MAX || g->resized_height == UINT32_MAX) return;
    g->offset_x = crop_offset(g->width, g->resized_width, p);
    g->offset_y = crop_offset(g->height, g->resized_height, p);
}

static void plan_keep_ratio_height(const ferry_preprocess *p, ferry_preprocess_geometry *g)
{
    g->resized_height = g->height;
    g->resized_width = round_side((double)g->source_width * g->height / g->source_height, p->rounding);
    if (g->width == 0)
        g->width = g->resized_width;
    else
        g->resized_width = clamp_u32(g->resized_width, g->width);
}

// The common part of [offset, offset + resized) and [0, input).
static void intersect(int32_t offset, uint32_t resized, uint32_t input, uint32_t *out_at, uint32_t *out_count)
{
    const int64_t end = (int64_t)offset + resized;
    const int64_t from = offset > 0 ? offset : 0, to = end < input ? end : input;
    *out_at = (uint32_t)from;
    *out_count = to > from ? (uint32_t)(to - from) : 0;
}

ferry_status ferry_preprocess_plan(const ferry_preprocess *preprocess, uint32_t source_width, uint32_t source_height,
                                   ferry_preprocess_geometry *out, ferry_error *error)
{
    memset(out, 0, sizeof *out);
    FERRY_TRY(ferry_preprocess_check(preprocess, error));
    const bool open_width = preprocess->mode == FERRY_RESIZE_KEEP_RATIO_HEIGHT;
    if (preprocess->height == 0 || (preprocess->width == 0 && !open_width)) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "preprocessing has no size: give --size WxH");
    }
    if (source_width == 0 || source_height == 0 || source_width > FERRY_PICTURE_MAX_SIDE ||
        source_height > FERRY_PICTURE_MAX_SIDE) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                          "a picture of %" PRIu32 "x%" PRIu32 " cannot be preprocessed", source_width, source_height);
    }
    ferry_preprocess_geometry g = {.source_width = source_width,
                                   .source_height = source_height,
                                   .width = preprocess->width,
                                   .height = preprocess->height,
                                   .channels = preprocess->color == FERRY_COLOR_GRAY ? 1 : 3,
                                   .resized_width = preprocess->width,
                                   .resized_height = preprocess->height};
    if (preprocess->mode == FERRY_RESIZE_LETTERBOX) plan_letterbox(preprocess, &g);
    if (preprocess->mode == FERRY_RESIZE_CROP) plan_crop(preprocess, &g);
    if (preprocess->mode == FERRY_RESIZE_KEEP_RATIO_HEIGHT) plan_keep_ratio_height(preprocess, &g);
    if (g.resized_width > FERRY_PREPROCESS_MAX_RESIZED || g.resized_height > FERRY_PREPROCESS_MAX_RESIZED ||
        g.width > FERRY_PREPROCESS_MAX_SIDE) {
        return ferry_fail(
            error, FERRY_ERR_BAD_DATA,
            "a picture of %" PRIu32 "x%" PRIu32 " is too narrow for this resizing: a side would exceed %d",
            source_width, source_height,
            g.width > FERRY_PREPROCESS_MAX_SIDE ? FERRY_PREPROCESS_MAX_SIDE : FERRY_PREPROCESS_MAX_RESIZED);
    }
    intersect(g.offset_x, g.resized_width, g.width, &g.content_x, &g.content_width);
    intersect(g.offset_y, g.resized_height, g.height, &g.content_y, &g.content_height);
    g.scale_x = (double)g.resized_width / source_width;
    g.scale_y = (double)g.resized_height / source_height;
    *out = g;
    return FERRY_OK;
}

size_t ferry_preprocess_elements(const ferry_preprocess_geometry *geometry)
{
    return (size_t)geometry->channels * geometry->height * geometry->width;
}

static float unmap(float v, double offset, double scale)
{
    return (float)((v - offset) / scale);
}

void ferry_preprocess_unmap_points(const ferry_preprocess_geometry *geometry, float *points, size_t count)
{
    for (size_t i = 0; i < count; i++, points += 2) {
        points[0] = unmap(points[0], geometry->offset_x, geometry->scale_x);
        points[1] = unmap(points[1], geometry->offset_y, geometry->scale_y);
    }
}

// NaN becomes 0.
static float clip(float v, uint32_t most)
{
    return v > 0.0f ? (v < (float)most ? v : (float)most) : 0.0f;
}

void ferry_preprocess_unmap_boxes(const ferry_preprocess_geometry *geometry, float *boxes, size_t count,
                                  size_t stride_bytes)
{
    for (size_t i = 0; i < count; i++) {
        float *box = (float *)((char *)boxes + i * stride_bytes);
        ferry_preprocess_unmap_points(geometry, box, 2);
        for (int k = 0; k < 4; k++) box[k] = clip(box[k], k % 2 ? geometry->source_height : geometry->source_width);
    }
}

// The mask's column (or row) that shows the source's, or UINT32_MAX outside. Nearest: the one under the pixel's centre.
static uint32_t mask_index(uint32_t at, double scale, int32_t offset, uint32_t input, uint32_t mask)
{
    const double in_input = (at + 0.5) * scale + offset;
    if (in_input < 0.0 || in_input >= input) return UINT32_MAX;
    const uint32_t index = (uint32_t)(in_input * mask / input);
    return index < mask ? index : mask - 1;
}

ferry_status ferry_preprocess_unmap_mask(const ferry_preprocess_geometry *geometry, const uint8_t *mask,
                                         uint32_t mask_width, uint32_t mask_height, uint8_t outside,
                                         const ferry_heap *heap, ferry_picture *out, ferry_error *error)
{
    const ferry_preprocess_geometry *g = geometry;
    memset(out, 0, sizeof *out);
    if (!mask || mask_width == 0 || mask_height == 0 || g->width == 0 || g->height == 0) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "the mask or its geometry is empty");
    }
    FERRY_TRY(ferry_picture_init(out, heap, g->source_width, g->source_height, 1, error));
    for (uint32_t y = 0; y < g->source_height; y++) {
        uint8_t *row = ferry_picture_row(out, y);
        const uint32_t my = mask_index(y, g->scale_y, g->offset_y, g->height, mask_height);
        for (uint32_t x = 0; x < g->source_width; x++) {
            const uint32_t mx = mask_index(x, g->scale_x, g->offset_x, g->width, mask_width);
            row[x] = mx == UINT32_MAX || my == UINT32_MAX ? outside : mask[(size_t)my * mask_width + mx];
        }
    }
    return FERRY_OK;
}

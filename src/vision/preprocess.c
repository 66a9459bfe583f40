// SPDX-License-Identifier: Apache-2.0
// Turns pictures into network inputs: to grey or three channels, resized, then through one table per channel that holds
// (x - mean) / std for every byte.
#include <inttypes.h>
#include <string.h>

#include "vision/channel_table.h"
#include "vision/picture_internal.h"
#include "vision/preprocess_internal.h"
#include "vision/resize_axis.h"

struct ferry_preprocessor {
    ferry_heap heap;
    ferry_preprocess settings;
    ferry_dtype tables_dtype; // what `tables` are made for
    ferry_channel_table tables[3];
    ferry_resize_plan plan; // for the latest size of picture
    uint8_t *working;       // the picture in 1 or 3 channels where it is not so already; owned
    uint8_t *resized;       // what the input shows of the resized picture; owned
    size_t working_bytes, resized_bytes;
};

ferry_status ferry_preprocessor_create(const ferry_preprocess *preprocess, const ferry_heap *heap,
                                       ferry_preprocessor **out, ferry_error *error)
{
    *out = NULL;
    FERRY_TRY(ferry_preprocess_check(preprocess, error));
    heap = ferry_heap_or_default(heap);
    ferry_preprocessor *p = ferry_new(heap, ferry_preprocessor);
    if (!p) return ferry_fail_memory(error, "a preprocessor");
    p->heap = *heap;
    p->settings = *preprocess;
    *out = p;
    return FERRY_OK;
}

void ferry_preprocessor_destroy(ferry_preprocessor *preprocessor)
{
    if (!preprocessor) return;
    const ferry_heap heap = preprocessor->heap;
    ferry_resize_plan_deinit(&preprocessor->plan, &heap);
    ferry_heap_free(&heap, preprocessor->working, preprocessor->working_bytes);
    ferry_heap_free(&heap, preprocessor->resized, preprocessor->resized_bytes);
    ferry_delete(&heap, preprocessor);
}

static ferry_status grow(const ferry_heap *heap, uint8_t **data, size_t *have, size_t need, ferry_error *err)
{
    if (need <= *have) return FERRY_OK;
    ferry_heap_free(heap, *data, *have);
    *have = 0;
    *data = ferry_heap_alloc_uninit(heap, need);
    if (!*data) return ferry_fail_memory(err, "a picture being preprocessed");
    *have = need;
    return FERRY_OK;
}

static void make_tables(ferry_preprocessor *p, ferry_dtype dtype)
{
    if (p->tables_dtype == dtype) return;
    ferry_channel_tables_make(&p->settings, dtype, p->tables);
    p->tables_dtype = dtype;
}

// Pillow's convert("L"): ITU-R 601 luma in 16-bit fixed point.
static void row_to_grey(const uint8_t *from, uint32_t channels, uint8_t *to, uint32_t width)
{
    for (size_t x = 0; x < width; x++, from += channels) {
        to[x] = (uint8_t)((from[0] * 19595u + from[1] * 38470u + from[2] * 7471u + 0x8000u) >> 16);
    }
}

static void row_without_alpha(const uint8_t *from, uint8_t *to, uint32_t width)
{
    for (size_t x = 0; x < width; x++, from += 4, to += 3) {
        to[0] = from[0];
        to[1] = from[1];
        to[2] = from[2];
    }
}

// The picture with the channels that are resized: 1 for grey inputs and grey pictures, else 3.
static ferry_status take_channels(ferry_preprocessor *p, const ferry_picture *picture, ferry_picture *out,
                                  ferry_error *err)
{
    const bool grey = p->settings.color == FERRY_COLOR_GRAY;
    *out = *picture;
    out->owned_bytes = 0;
    if (picture->channels == 1 || (picture->channels == 3 && !grey)) return FERRY_OK;
    out->channels = grey ? 1 : 3;
    out->stride_bytes = (size_t)picture->width * out->channels;
    size_t bytes = 0;
    if (!ferry_mul_size(out->stride_bytes, picture->height, &bytes)) return ferry_fail_memory(err, "a picture");
    FERRY_TRY(grow(&p->heap, &p->working, &p->working_bytes, bytes, err));
    out->pixels = p->working;
    for (uint32_t y = 0; y < picture->height; y++) {
        if (grey)
            row_to_grey(ferry_picture_row(picture, y), picture->channels, ferry_picture_row(out, y), picture->width);
        else
            row_without_alpha(ferry_picture_row(picture, y), ferry_picture_row(out, y), picture->width);
    }
    return FERRY_OK;
}

static bool same_span(const ferry_resize_span *a, const ferry_resize_span *b)
{
    return a->source == b->source && a->size == b->size && a->first == b->first && a->count == b->count;
}

void ferry_preprocess_spans(const ferry_preprocess_geometry *g, ferry_resize_span *x, ferry_resize_span *y)
{
    *x = (ferry_resize_span){.source = g->source_width,
                             .to = (float)g->source_width,
                             .size = g->resized_width,
                             .first = (uint32_t)((int64_t)g->content_x - g->offset_x),
                             .count = g->content_width};
    *y = (ferry_resize_span){.source = g->source_height,
                             .to = (float)g->source_height,
                             .size = g->resized_height,
                             .first = (uint32_t)((int64_t)g->content_y - g->offset_y),
                             .count = g->content_height};
}

static ferry_status resize(ferry_preprocessor *p, const ferry_picture *from, const ferry_preprocess_geometry *g,
                           ferry_picture *out, ferry_error *err)
{
    ferry_resize_span x, y;
    ferry_preprocess_spans(g, &x, &y);
    *out = (ferry_picture){.width = g->content_width,
                           .height = g->content_height,
                           .channels = from->channels,
                           .stride_bytes = (size_t)g->content_width * from->channels};
    const bool planned =
        p->plan.channels == from->channels && same_span(&p->plan.span_x, &x) && same_span(&p->plan.span_y, &y);
    if (!planned) {
        ferry_resize_plan_deinit(&p->plan, &p->heap);
        FERRY_TRY(ferry_resize_plan_init(&p->plan, &p->heap, &x, &y, from->channels, p->settings.filter, err));
    }
    FERRY_TRY(grow(&p->heap, &p->resized, &p->resized_bytes, out->stride_bytes * out->height, err));
    out->pixels = p->resized;
    ferry_resize_run(&p->plan, from, out->pixels, out->stride_bytes);
    return FERRY_OK;
}

// Writes `count` elements, `step` apart, of the bytes that lie `from_step` apart. Through memcpy, as the caller's
// elements are floats.
#define DEFINE_FILL(name, type)                                                                                        \
    static void map_##name(const ferry_channel_table *t, const uint8_t *from, size_t from_step, type *out,             \
                           size_t step, uint32_t count)                                                                \
    {                                                                                                                  \
        for (uint32_t i = 0; i < count; i++) {                                                                         \
            const type bits = (type)t->of_byte[from[i * from_step]];                                                   \
            memcpy(out + i * step, &bits, sizeof bits);                                                                \
        }                                                                                                              \
    }                                                                                                                  \
    static void pad_##name(const ferry_channel_table *t, type *out, size_t step, uint32_t count)                       \
    {                                                                                                                  \
        const type bits = (type)t->pad;                                                                                \
        for (uint32_t i = 0; i < count; i++) memcpy(out + i * step, &bits, sizeof bits);                               \
    }                                                                                                                  \
    static void fill_##name(const ferry_channel_table *t, const ferry_picture *content, uint32_t channel,              \
                            const ferry_preprocess_geometry *g, type *out, size_t step)                                \
    {                                                                                                                  \
        const uint32_t right = g->content_x + g->content_width, bottom = g->content_y + g->content_height;             \
        for (uint32_t y = 0; y < g->height; y++, out += (size_t)g->width * step) {                                     \
            if (y < g->content_y || y >= bottom) {                                                                     \
                pad_##name(t, out, step, g->width);                                                                    \
                continue;                                                                                              \
            }                                                                                                          \
            pad_##name(t, out, step, g->content_x);                                                                    \
            map_##name(t, ferry_picture_row(content, y - g->content_y) + channel, content->channels,                   \
                       out + g->content_x * step, step, g->content_width);                                             \
            pad_##name(t, out + right * step, step, g->width - right);                                                 \
        }                                                                                                              \
    }

DEFINE_FILL(8, uint8_t)
DEFINE_FILL(16, uint16_t)
DEFINE_FILL(32, uint32_t)

static void fill(const ferry_preprocessor *p, const ferry_picture *content, const ferry_preprocess_geometry *g,
                 size_t element_bytes, void *out)
{
    const bool planar = p->settings.layout == FERRY_LAYOUT_NCHW;
    const size_t step = planar ? 1 : g->channels;
    for (uint32_t c = 0; c < g->channels; c++) {
        const ferry_channel_table *t = &p->tables[c];
        const uint32_t channel = content->channels == 1 ? 0 : t->source;
        const size_t first = planar ? (size_t)g->width * g->height * c : c;
        if (element_bytes == 1) fill_8(t, content, channel, g, (uint8_t *)out + first, step);
        if (element_bytes == 2) fill_16(t, content, channel, g, (uint16_t *)out + first, step);
        if (element_bytes == 4) fill_32(t, content, channel, g, (uint32_t *)out + first, step);
    }
}

ferry_status ferry_preprocess_check_dtype(ferry_dtype dtype, ferry_error *err)
{
    if (dtype == FERRY_F32 || dtype == FERRY_F16 || dtype == FERRY_U8 || dtype == FERRY_S8) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                      "pictures become inputs of type float, float16, uint8 or int8, not %s", ferry_dtype_name(dtype));
}

ferry_status ferry_preprocessor_run(ferry_preprocessor *preprocessor, const ferry_picture *picture, ferry_dtype dtype,
                                    void *out, size_t out_bytes, ferry_preprocess_geometry *out_geometry,
                                    ferry_error *error)
{
    FERRY_TRY(ferry_picture_check(picture, error));
    FERRY_TRY(ferry_preprocess_check_dtype(dtype, error));
    ferry_preprocess_geometry g;
    FERRY_TRY(ferry_preprocess_plan(&preprocessor->settings, picture->width, picture->height, &g, error));
    const size_t element_bytes = ferry_dtype_bytes(dtype);
    if (!out || out_bytes / element_bytes < ferry_preprocess_elements(&g)) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                          "the input takes %zu bytes (%" PRIu32 "x%" PRIu32 "x%" PRIu32 "), the buffer has %zu",
                          ferry_preprocess_elements(&g) * element_bytes, g.channels, g.height, g.width, out_bytes);
    }
    ferry_picture working, content;
    FERRY_TRY(take_channels(preprocessor, picture, &working, error));
    FERRY_TRY(resize(preprocessor, &working, &g, &content, error));
    make_tables(preprocessor, dtype);
    fill(preprocessor, &content, &g, element_bytes, out);
    if (out_geometry) *out_geometry = g;
    return FERRY_OK;
}

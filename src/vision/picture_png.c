// SPDX-License-Identifier: Apache-2.0
// PNG to RGB, or to the stored indices for class masks.
#include <string.h>

#include <spng.h>

#include "vision/picture_internal.h"

// Text and colour profiles are of no use here; this only bounds what a hostile file can make the library unpack.
enum { MAX_CHUNK_BYTES = 64 << 20 };

static ferry_status refuse(int code, size_t bytes, ferry_error *err)
{
    if (code == SPNG_EMEM) return ferry_fail_memory(err, "the PNG decoder");
    if (code == SPNG_IO_EOF || code == SPNG_EIDAT_TOO_SHORT) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "PNG data ends early, at byte %zu", bytes);
    }
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "damaged PNG: %s", spng_strerror(code));
}

static ferry_status decode_rgb(spng_ctx *png, size_t bytes, const struct spng_ihdr *head, const ferry_heap *heap,
                               ferry_picture *out, ferry_error *err)
{
    FERRY_TRY(ferry_picture_init(out, heap, head->width, head->height, 3, err));
    const int code = spng_decode_image(png, out->pixels, out->owned_bytes, SPNG_FMT_RGB8, 0);
    return code ? refuse(code, bytes, err) : FERRY_OK;
}

// Spreads a row of packed 1-, 2- or 4-bit samples, leftmost in the highest bits, over bytes.
static void unpack(const uint8_t *packed, uint32_t depth, uint8_t *row, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++) {
        const size_t bit = (size_t)x * depth;
        row[x] = (uint8_t)((packed[bit / 8] >> (8 - depth - bit % 8)) & ((1u << depth) - 1));
    }
}

static ferry_status decode_index(spng_ctx *png, size_t bytes, const struct spng_ihdr *head, const ferry_heap *heap,
                                 ferry_picture *out, ferry_error *err)
{
    const bool single = head->color_type == SPNG_COLOR_TYPE_GRAYSCALE || head->color_type == SPNG_COLOR_TYPE_INDEXED;
    if (!single || head->bit_depth > 8) {
        return ferry_fail(
            err, FERRY_ERR_UNSUPPORTED,
            "a PNG of colour type %d with %d bits holds no class indices: save it with a palette or in 8-bit grey",
            head->color_type, head->bit_depth);
    }
    FERRY_TRY(ferry_picture_init(out, heap, head->width, head->height, 1, err));
    const size_t packed_row = ((size_t)head->width * head->bit_depth + 7) / 8;
    const size_t packed_bytes = packed_row * head->height;
    size_t expected = 0;
    int code = spng_decoded_image_size(png, SPNG_FMT_RAW, &expected);
    if (code) return refuse(code, bytes, err);
    if (expected != packed_bytes) return ferry_fail(err, FERRY_ERR_INTERNAL, "PNG rows of unexpected size");
    uint8_t *packed = ferry_heap_alloc_uninit(heap, packed_bytes);
    if (!packed) return ferry_fail_memory(err, "PNG rows");
    code = spng_decode_image(png, packed, packed_bytes, SPNG_FMT_RAW, 0);
    for (uint32_t y = 0; y < head->height && code == 0; y++) {
        unpack(packed + y * packed_row, head->bit_depth, ferry_picture_row(out, y), head->width);
    }
    ferry_heap_free(heap, packed, packed_bytes);
    return code ? refuse(code, bytes, err) : FERRY_OK;
}

ferry_status ferry_png_decode(const uint8_t *data, size_t bytes, const ferry_read_options *options,
                              const ferry_heap *heap, ferry_picture *out, ferry_error *err)
{
    spng_ctx *png = spng_ctx_new(0);
    if (!png) return ferry_fail_memory(err, "the PNG decoder");
    struct spng_ihdr head;
    memset(&head, 0, sizeof head);
    int code = spng_set_chunk_limits(png, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES);
    if (code == 0) code = spng_set_crc_action(png, SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
    if (code == 0) code = spng_set_png_buffer(png, data, bytes);
    if (code == 0) code = spng_get_ihdr(png, &head);
    ferry_status s = code ? refuse(code, bytes, err) : FERRY_OK;
    if (s == FERRY_OK) s = ferry_picture_check_claim(options, head.width, head.height, err);
    if (s == FERRY_OK) {
        s = options->form == FERRY_PICTURE_INDEX ? decode_index(png, bytes, &head, heap, out, err)
                                                 : decode_rgb(png, bytes, &head, heap, out, err);
    }
    spng_ctx_free(png);
    return s;
}

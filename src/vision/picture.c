// SPDX-License-Identifier: Apache-2.0
// Memory of pictures, and the limits that protect it.
#include "vision/picture_internal.h"

#include <inttypes.h>
#include <string.h>

ferry_status ferry_picture_init(ferry_picture *out, const ferry_heap *heap, uint32_t width, uint32_t height,
                                uint32_t channels, ferry_error *error)
{
    memset(out, 0, sizeof *out);
    if (channels != 1 && channels != 3 && channels != 4) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a picture has 1, 3 or 4 channels, not %" PRIu32,
                          channels);
    }
    if (width == 0 || height == 0 || width > FERRY_PICTURE_MAX_SIDE || height > FERRY_PICTURE_MAX_SIDE) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                          "a picture of %" PRIu32 "x%" PRIu32 ": sides must be 1 to %d", width, height,
                          FERRY_PICTURE_MAX_SIDE);
    }
    heap = ferry_heap_or_default(heap);
    size_t bytes = 0;
    if (!ferry_mul_size((size_t)width * channels, height, &bytes)) return ferry_fail_memory(error, "a picture");
    uint8_t *pixels = ferry_heap_alloc(heap, bytes);
    if (!pixels) {
        return ferry_fail(error, FERRY_ERR_OUT_OF_MEMORY,
                          "out of memory for a picture of %" PRIu32 "x%" PRIu32 " (%zu bytes)", width, height, bytes);
    }
    *out = (ferry_picture){pixels, width, height, channels, (size_t)width * channels, bytes, *heap};
    return FERRY_OK;
}

void ferry_picture_deinit(ferry_picture *picture)
{
    if (!picture) return;
    if (picture->owned_bytes > 0) ferry_heap_free(&picture->heap, picture->pixels, picture->owned_bytes);
    memset(picture, 0, sizeof *picture);
}

ferry_status ferry_picture_check_claim(const ferry_read_options *options, uint64_t width, uint64_t height,
                                       ferry_error *err)
{
    if (width == 0 || height == 0) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "claims a size of %" PRIu64 "x%" PRIu64, width, height);
    }
    if (width > FERRY_PICTURE_MAX_SIDE || height > FERRY_PICTURE_MAX_SIDE || width * height > options->max_pixels) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA,
                          "claims a size of %" PRIu64 "x%" PRIu64 ", more than the limit of %" PRIu64 " pixels", width,
                          height, options->max_pixels);
    }
    return FERRY_OK;
}

ferry_status ferry_picture_check(const ferry_picture *picture, ferry_error *err)
{
    if (!picture || !picture->pixels || picture->width == 0 || picture->height == 0) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the picture is empty");
    }
    if (picture->channels != 1 && picture->channels != 3 && picture->channels != 4) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "a picture has 1, 3 or 4 channels, not %" PRIu32,
                          picture->channels);
    }
    if (picture->width > FERRY_PICTURE_MAX_SIDE || picture->height > FERRY_PICTURE_MAX_SIDE) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "a picture of %" PRIu32 "x%" PRIu32 ": sides must be 1 to %d", picture->width,
                          picture->height, FERRY_PICTURE_MAX_SIDE);
    }
    if (picture->stride_bytes < (size_t)picture->width * picture->channels) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "rows of %zu bytes are shorter than %" PRIu32 " pixels of %" PRIu32 " channels",
                          picture->stride_bytes, picture->width, picture->channels);
    }
    return FERRY_OK;
}

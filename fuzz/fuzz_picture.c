// SPDX-License-Identifier: Apache-2.0
// JPEG and PNG files claim sizes, scans and chunks as they like. What is decoded must also survive a resize.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ferry/picture.h"

static void decode(const uint8_t *data, size_t size, ferry_picture_form form)
{
    // A low limit: time goes into odd files, not into large ones.
    const ferry_picture_options options = {.size = sizeof options, .max_pixels = 1 << 16, .form = form};
    ferry_picture picture, small;
    ferry_error err = {""};
    const ferry_status s = ferry_picture_decode(data, size, &options, NULL, &picture, &err);
    if (s != FERRY_OK) {
        if (picture.pixels || err.text[0] == 0) abort();
        return;
    }
    if ((uint64_t)picture.width * picture.height > options.max_pixels) abort();
    if (ferry_picture_resize(&picture, NULL, 7, 5, FERRY_FILTER_BILINEAR, NULL, &small, &err) != FERRY_OK) abort();
    ferry_picture_deinit(&small);
    ferry_picture_deinit(&picture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    // A block of exactly that size, so that one byte too far is seen.
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) return 0;
    if (size) memcpy(copy, data, size);
    decode(copy, size, FERRY_PICTURE_RGB);
    decode(copy, size, FERRY_PICTURE_INDEX);
    free(copy);
    return 0;
}

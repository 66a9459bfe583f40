// SPDX-License-Identifier: Apache-2.0
// A decoder file may claim anything of outputs it has never seen. What is read is tied to a few networks' outputs, run
// on some of them, and written back.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ferry/decode.h"
#include "ferry/preprocess.h"

enum { MOST_VALUES = 84 * 85 };

static const ferry_tensor_view shapes[] = {
    {.name = "rows", .dtype = FERRY_F32, .rank = 3, .dims = {1, 84, 85}},
    {.name = "scores", .dtype = FERRY_F32, .rank = 3, .dims = {1, 20, 2}},
    {.name = "boxes", .dtype = FERRY_F32, .rank = 3, .dims = {1, 20, 4}},
    {.name = "grid", .dtype = FERRY_F32, .rank = 4, .dims = {1, 21, 8, 8}},
    {.name = "flat", .dtype = FERRY_F32, .rank = 2, .dims = {1, 80}},
    {.name = "priors", .dtype = FERRY_F32, .rank = 3, .dims = {1, 2, 80}},
};
enum { SHAPE_COUNT = sizeof shapes / sizeof *shapes };

static void run(const ferry_decoder *d, const float *values)
{
    ferry_tensor_view outputs[SHAPE_COUNT];
    memcpy(outputs, shapes, sizeof outputs);
    for (int i = 0; i < SHAPE_COUNT; i++) {
        // Each in a block of its own size, so that a value read beyond its end is seen.
        const size_t bytes = (size_t)ferry_tensor_view_elements(&shapes[i]) * sizeof(float);
        float *copy = malloc(bytes);
        if (!copy) abort();
        memcpy(copy, values, bytes);
        outputs[i].data = copy;
    }
    const ferry_preprocess_geometry g = {.source_width = 64,
                                         .source_height = 64,
                                         .width = 64,
                                         .height = 64,
                                         .channels = 3,
                                         .resized_width = 64,
                                         .resized_height = 64,
                                         .content_width = 64,
                                         .content_height = 64,
                                         .scale_x = 1,
                                         .scale_y = 1};
    const ferry_decode_options o = {.size = sizeof o, .score_threshold = 0.01f, .max_candidates = 50};
    ferry_result *r = NULL;
    ferry_error error;
    if (ferry_result_create(NULL, &r, &error) != FERRY_OK) abort();
    for (int first = 0; first < SHAPE_COUNT; first++) {
        (void)ferry_decoder_run(d, outputs + first, (size_t)(SHAPE_COUNT - first), &g, &o, r, &error);
        (void)ferry_decoder_run(d, outputs + first, 1, &g, &o, r, &error);
    }
    ferry_result_destroy(r);
    for (int i = 0; i < SHAPE_COUNT; i++) free((void *)(uintptr_t)outputs[i].data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ferry_decoder *d = NULL, *again = NULL;
    ferry_error error;
    char *first = NULL, *second = NULL;
    if (ferry_decoder_from_json((const char *)data, size, NULL, &d, &error) != FERRY_OK) return 0;
    if (ferry_decoder_to_json(d, NULL, &first, &error) != FERRY_OK) abort();
    if (ferry_decoder_from_json(first, strlen(first), NULL, &again, &error) != FERRY_OK) abort();
    if (ferry_decoder_to_json(again, NULL, &second, &error) != FERRY_OK || strcmp(first, second) != 0) abort();
    static float values[MOST_VALUES]; // filled anew each time with the same numbers
    uint32_t seed = 1;
    for (int i = 0; i < MOST_VALUES; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(int32_t)seed / (float)(1 << 28);
    }
    run(d, values);
    ferry_text_free(NULL, first);
    ferry_text_free(NULL, second);
    ferry_decoder_destroy(again);
    ferry_decoder_destroy(d);
    return 0;
}

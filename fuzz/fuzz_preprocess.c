// SPDX-License-Identifier: Apache-2.0
// Preprocessing settings come from files and engines. What is accepted must be written canonically, read back the same,
// and give a geometry inside its input for any picture.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ferry/preprocess.h"

static void check_geometry(const ferry_preprocess *settings, uint32_t width, uint32_t height)
{
    ferry_preprocess_geometry g;
    ferry_error err;
    if (ferry_preprocess_plan(settings, width, height, &g, &err) != FERRY_OK) return;
    if (g.content_x + g.content_width > g.width || g.content_y + g.content_height > g.height) abort();
    if (g.content_width == 0 || g.content_height == 0 || !(g.scale_x > 0) || !(g.scale_y > 0)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ferry_preprocess settings, back;
    ferry_error err;
    char text[1024], again[1024];
    if (ferry_preprocess_from_json((const char *)data, size, &settings, &err) != FERRY_OK) return 0;
    if (ferry_preprocess_to_json(&settings, text, sizeof text, &err) != FERRY_OK) abort();
    if (ferry_preprocess_from_json(text, strlen(text), &back, &err) != FERRY_OK) abort();
    if (ferry_preprocess_to_json(&back, again, sizeof again, &err) != FERRY_OK || strcmp(text, again) != 0) abort();
    check_geometry(&settings, 640, 427);
    check_geometry(&settings, 1, 60000);
    check_geometry(&settings, 60000, 1);
    check_geometry(&settings, 1, 1);
    return 0;
}

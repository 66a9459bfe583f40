// SPDX-License-Identifier: Apache-2.0
// Any bytes as an engine file: refused with a reason, or loaded, prepared and run without harm. Checksums are made
// right first, since they would hide everything behind them.
#include "engine_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ferry_heap heap = {engine_input_alloc, engine_input_free, NULL};
    const ferry_runtime_options options = {.size = sizeof options, .device = "cpu:none", .heap = &heap};
    const ferry_stream_options stream_options = {.size = sizeof stream_options, .threads = 1};
    ferry_runtime *runtime = NULL;
    ferry_stream *stream = NULL;
    ferry_error err = {.text = ""};
    if (ferry_runtime_create(&options, &runtime, &err) != FERRY_OK) abort();
    if (ferry_stream_create(runtime, &stream_options, &stream, &err) != FERRY_OK) abort();
    (void)engine_input_try(runtime, stream, data, size, &err);
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) abort();
    if (size) memcpy(copy, data, size);
    engine_input_reseal(copy, size);
    (void)engine_input_try(runtime, stream, copy, size, &err);
    free(copy);
    ferry_stream_release(stream);
    ferry_runtime_release(runtime);
    return 0;
}

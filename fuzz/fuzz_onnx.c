// SPDX-License-Identifier: Apache-2.0
// Any bytes as an ONNX model: an answer in bounded time and memory, and a graph that passes its own checks or none.
#include <stdlib.h>

#include "import/import.h"

// Refuses what no honest model of a fuzzer's size needs, so that a size that is believed unchecked is found.
static void *capped_alloc(void *user, size_t bytes)
{
    (void)user;
    return bytes > ((size_t)256 << 20) ? NULL : ferry_heap_default()->alloc(NULL, bytes);
}

static void capped_free(void *user, void *pointer, size_t bytes)
{
    (void)user;
    ferry_heap_default()->free(NULL, pointer, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ferry_heap heap = {capped_alloc, capped_free, NULL};
    const ferry_import_options options = {.heap = &heap, .allow_nan = size % 2 == 1};
    ferry_graph graph;
    ferry_report report;
    ferry_error err = {{0}};
    ferry_report_init(&report, &heap);
    if (ferry_import_memory(data, size, &options, &graph, &report, NULL, &err) == FERRY_OK) {
        if (ferry_graph_verify(&graph, &report, &err) != FERRY_OK) abort();
        ferry_graph_deinit(&graph);
    } else if (!err.text[0]) {
        abort(); // a refusal without a reason
    }
    ferry_report_deinit(&report);
    return 0;
}

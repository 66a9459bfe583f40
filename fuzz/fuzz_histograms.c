// SPDX-License-Identifier: Apache-2.0
// Histogram files come from other processes and machines. The checksum is made to fit first: it is no protection
// against whoever writes such a file on purpose. What is accepted must be written as it was read, and be fit to choose
// from.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/heap.h"
#include "ferry/histograms.h"

enum { AT_CHECKSUM = 96, HEADER_BYTES = 104 };

static void seal(uint8_t *data, size_t size)
{
    ferry_hasher h;
    ferry_hasher_init64(&h);
    ferry_hasher_update(&h, data, AT_CHECKSUM);
    ferry_hasher_update(&h, data + HEADER_BYTES, size - HEADER_BYTES);
    const uint64_t sum = ferry_hasher_digest64(&h);
    for (int i = 0; i < 8; i++) data[AT_CHECKSUM + i] = (uint8_t)(sum >> (8 * i));
}

static void use(ferry_histograms *h, const uint8_t *data, size_t size)
{
    void *written = NULL;
    size_t bytes = 0;
    char *text = NULL;
    if (ferry_histograms_serialize(h, &written, &bytes, NULL) != FERRY_OK) abort();
    if (bytes != size || memcmp(written, data, size) != 0) abort();
    ferry_heap_free(ferry_heap_default(), written, bytes);
    // A name may hold a line end, which a cache cannot.
    for (int a = FERRY_CALIBRATION_ENTROPY2; a <= FERRY_CALIBRATION_MSE; a++) {
        if (ferry_histograms_cache(h, (ferry_calibration_algorithm)a, 0, NULL, NULL, &text, NULL) == FERRY_OK)
            ferry_text_free(NULL, text);
    }
    ferry_histograms_merge(h, h, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) return 0;
    if (size) memcpy(copy, data, size);
    if (size >= HEADER_BYTES) seal(copy, size);
    ferry_histograms *h = NULL;
    if (ferry_histograms_deserialize(copy, size, NULL, &h, NULL) == FERRY_OK) use(h, copy, size);
    ferry_histograms_release(h);
    free(copy);
    return 0;
}

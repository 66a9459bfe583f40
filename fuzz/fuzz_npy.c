// SPDX-License-Identifier: Apache-2.0
// .npy headers are a Python dict in text, with a shape that may claim anything.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ferry_npy npy, again;
    ferry_error err;
    uint8_t header[FERRY_NPY_MAX_HEADER];
    if (ferry_npy_parse(data, size, &npy, &err) != FERRY_OK) return 0;
    // The tensor is the end of the file; read all of it.
    if ((const uint8_t *)npy.data + npy.bytes != data + size) abort();
    unsigned sum = 0;
    for (size_t i = 0; i < npy.bytes; i++) sum += ((const uint8_t *)npy.data)[i];
    // Its own header, with the same data behind it, says the same.
    const size_t header_bytes = ferry_npy_header(&npy, header);
    uint8_t *file = malloc(header_bytes + npy.bytes);
    if (header_bytes == 0 || !file) abort();
    memcpy(file, header, header_bytes);
    memcpy(file + header_bytes, npy.data, npy.bytes);
    if (ferry_npy_parse(file, header_bytes + npy.bytes, &again, &err) != FERRY_OK) abort();
    if (again.dtype != npy.dtype || again.rank != npy.rank || memcmp(again.shape, npy.shape, sizeof npy.shape) != 0)
        abort();
    free(file);
    return sum > UINT32_MAX - 1; // uses the sum
}

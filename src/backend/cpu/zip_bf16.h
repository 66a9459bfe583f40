// SPDX-License-Identifier: Apache-2.0
// Two lines of elements into one of pairs, as products of bf16 take them.
#ifndef FERRY_SRC_BACKEND_CPU_ZIP_BF16_H_
#define FERRY_SRC_BACKEND_CPU_ZIP_BF16_H_

#include <stddef.h>
#include <stdint.h>

typedef struct ferry_zip_bf16_row {
    uint32_t isa;
    /// y[2 * i] = a[i], y[2 * i + 1] = b[i]; NULL: zeros.
    void (*narrow)(const uint16_t *a, const uint16_t *b, uint16_t *y, size_t n);
    /// Of floats, rounded to nearest even; denormals may become zeros.
    void (*wide)(const float *a, const float *b, uint16_t *y, size_t n);
} ferry_zip_bf16_row;

const ferry_zip_bf16_row *ferry_zip_bf16_pick(uint32_t isa);

#endif // FERRY_SRC_BACKEND_CPU_ZIP_BF16_H_

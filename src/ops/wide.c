// SPDX-License-Identifier: Apache-2.0
// Widening 16-bit floats, and the two inner loops of matrix products.
#include "ops/wide.h"

#include "base/f16.h"

size_t ferry_wide_bytes(const ferry_tensor *tensor)
{
    size_t bytes = 0;
    if (tensor->dtype != FERRY_F16 && tensor->dtype != FERRY_BF16) return 0;
    if (!ferry_mul_size(ferry_tensor_elements(tensor), sizeof(float), &bytes) || bytes > SIZE_MAX / 8)
        return SIZE_MAX / 8;
    return ferry_align_size(bytes + 1, 64); // never 0: an empty tensor gets an address too
}

ferry_wide ferry_widen(const ferry_tensor *tensor, char **io_scratch)
{
    if (tensor->dtype == FERRY_F32 || tensor->dtype == FERRY_F64)
        return (ferry_wide){tensor->data, tensor->dtype == FERRY_F64};
    const size_t n = ferry_tensor_elements(tensor);
    const uint16_t *from = tensor->data;
    float *to = (float *)(void *)*io_scratch;
    *io_scratch += ferry_wide_bytes(tensor);
    if (tensor->dtype == FERRY_F16)
        for (size_t i = 0; i < n; i++) to[i] = ferry_f32_from_f16(from[i]);
    else
        for (size_t i = 0; i < n; i++) to[i] = ferry_f32_from_bf16(from[i]);
    return (ferry_wide){to, false};
}

// Four rows a pass, so that acc is read and written once for four products; the order of the sum stays.
#define ADD_ROWS(type)                                                                                                 \
    do {                                                                                                               \
        const type *w = (const type *)weights.data + first, *r = (const type *)rows.data + rows_first;                 \
        int64_t k = 0;                                                                                                 \
        for (; k + 4 <= count; k += 4) {                                                                               \
            const double w0 = (double)w[k * weight_step], w1 = (double)w[(k + 1) * weight_step];                       \
            const double w2 = (double)w[(k + 2) * weight_step], w3 = (double)w[(k + 3) * weight_step];                 \
            const type *r0 = r + k * row_step, *r1 = r0 + row_step, *r2 = r1 + row_step, *r3 = r2 + row_step;          \
            for (int64_t i = 0; i < n; i++)                                                                            \
                acc[i] =                                                                                               \
                    (((acc[i] + w0 * (double)r0[i]) + w1 * (double)r1[i]) + w2 * (double)r2[i]) + w3 * (double)r3[i];  \
        }                                                                                                              \
        for (; k < count; k++) {                                                                                       \
            const double w0 = (double)w[k * weight_step];                                                              \
            const type *r0 = r + k * row_step;                                                                         \
            for (int64_t i = 0; i < n; i++) acc[i] += w0 * (double)r0[i];                                              \
        }                                                                                                              \
    } while (0)

void ferry_wide_add_rows(double *restrict acc, int64_t n, ferry_wide weights, int64_t first, int64_t weight_step,
                         int64_t count, ferry_wide rows, int64_t rows_first, int64_t row_step)
{
    if (weights.is_f64)
        ADD_ROWS(double);
    else
        ADD_ROWS(float);
}

double ferry_wide_dot(ferry_wide a, int64_t a_first, int64_t a_step, ferry_wide b, int64_t b_first, int64_t b_step,
                      int64_t count)
{
    double sum = 0;
    if (a.is_f64) {
        const double *p = (const double *)a.data + a_first, *q = (const double *)b.data + b_first;
        for (int64_t k = 0; k < count; k++) sum += p[k * a_step] * q[k * b_step];
    } else {
        const float *p = (const float *)a.data + a_first, *q = (const float *)b.data + b_first;
        for (int64_t k = 0; k < count; k++) sum += (double)p[k * a_step] * (double)q[k * b_step];
    }
    return sum;
}

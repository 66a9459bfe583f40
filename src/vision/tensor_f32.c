// SPDX-License-Identifier: Apache-2.0
#include "vision/tensor_f32.h"

#include <math.h>

#include "base/f16.h"

static double value_at(const ferry_tensor_view *view, int64_t i)
{
    switch (view->dtype) {
    case FERRY_F32:
        return ((const float *)view->data)[i];
    case FERRY_F16:
        return ferry_f32_from_f16(((const uint16_t *)view->data)[i]);
    case FERRY_BF16:
        return ferry_f32_from_bits((uint32_t)((const uint16_t *)view->data)[i] << 16);
    case FERRY_F64:
        return ((const double *)view->data)[i];
    case FERRY_S8:
        return ((const int8_t *)view->data)[i];
    case FERRY_U8:
    case FERRY_BOOL:
        return ((const uint8_t *)view->data)[i];
    case FERRY_S16:
        return ((const int16_t *)view->data)[i];
    case FERRY_U16:
        return ((const uint16_t *)view->data)[i];
    case FERRY_S32:
        return ((const int32_t *)view->data)[i];
    case FERRY_U32:
        return ((const uint32_t *)view->data)[i];
    case FERRY_S64:
        return (double)((const int64_t *)view->data)[i];
    case FERRY_U64:
        return (double)((const uint64_t *)view->data)[i];
    case FERRY_DTYPE_NONE:
        break;
    }
    return NAN;
}

ferry_status ferry_tensor_f32_init(ferry_tensor_f32 *out, const ferry_tensor_view *view, bool has_batch, bool shared,
                                   uint32_t batch_index, const ferry_heap *heap, ferry_error *err)
{
    *out = (ferry_tensor_f32){0};
    const char *name = view->name ? view->name : "";
    const int64_t all = ferry_tensor_view_elements(view), batch = has_batch && view->rank > 0 ? view->dims[0] : 1;
    if (all <= 0 || !view->data) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "output '%.100s' has no data", name);
    }
    if (ferry_dtype_bytes(view->dtype) == 0) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "output '%.100s' has no element type", name);
    }
    if (shared && batch == 1) batch_index = 0;
    if (batch_index >= batch) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "sample %u of output '%.100s', which holds %lld",
                          batch_index, name, (long long)batch);
    }
    out->count = all / batch;
    const int64_t first = out->count * batch_index;
    if (view->dtype == FERRY_F32) {
        out->data = (const float *)view->data + first;
        return FERRY_OK;
    }
    out->owned = ferry_heap_alloc_array(heap, (size_t)out->count, sizeof *out->owned);
    if (!out->owned) return ferry_fail_memory(err, "output as float");
    for (int64_t i = 0; i < out->count; i++) out->owned[i] = (float)value_at(view, first + i);
    out->data = out->owned;
    return FERRY_OK;
}

void ferry_tensor_f32_deinit(ferry_tensor_f32 *tensor, const ferry_heap *heap)
{
    ferry_heap_free(heap, tensor->owned, (size_t)tensor->count * sizeof *tensor->owned);
    *tensor = (ferry_tensor_f32){0};
}

int64_t ferry_tensor_index_at(const ferry_tensor_view *view, int64_t index)
{
    const double value = value_at(view, index);
    return value >= -1 && value < 1e15 ? (int64_t)llrint(value) : -1;
}

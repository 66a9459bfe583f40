// SPDX-License-Identifier: Apache-2.0
// Shapes and tensors: asking, comparing, and writing them down for people.
#include "graph/graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool ferry_shape_is_known(const ferry_shape *shape)
{
    if (shape->rank < 0) return false;
    for (int32_t i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0) return false;
    return true;
}

bool ferry_shape_elements(const ferry_shape *shape, size_t *out)
{
    if (!ferry_shape_is_known(shape)) return false;
    size_t n = 1;
    for (int32_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i] == 0) { // zero whatever the others are, even where their product would overflow
            *out = 0;
            return true;
        }
    }
    for (int32_t i = 0; i < shape->rank; i++)
        if (!ferry_mul_size(n, (size_t)shape->dims[i], &n)) return false;
    *out = n;
    return true;
}

bool ferry_shape_equal(const ferry_shape *a, const ferry_shape *b)
{
    if (a->rank != b->rank) return false;
    for (int32_t i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

ferry_shape ferry_shape_of(int32_t rank, const int64_t *dims)
{
    ferry_shape s = {.rank = rank};
    for (int32_t i = 0; i < FERRY_MAX_RANK; i++) s.symbols[i] = FERRY_NO_SYMBOL;
    for (int32_t i = 0; i < rank; i++) s.dims[i] = dims ? dims[i] : FERRY_DIM_UNKNOWN;
    return s;
}

ferry_shape ferry_shape_unknown(void)
{
    ferry_shape s = ferry_shape_of(0, NULL);
    s.rank = FERRY_RANK_UNKNOWN;
    return s;
}

void ferry_shape_text(const ferry_graph *graph, const ferry_shape *shape, char *out, size_t out_bytes)
{
    if (out_bytes == 0) return;
    if (shape->rank <= 0) {
        snprintf(out, out_bytes, "%s", shape->rank == 0 ? "scalar" : "unknown rank");
        return;
    }
    size_t used = 0;
    out[0] = 0;
    for (int32_t i = 0; i < shape->rank && used < out_bytes; i++) {
        const int32_t symbol = shape->symbols[i];
        const char *times = i ? "x" : "";
        int n;
        if (shape->dims[i] >= 0)
            n = snprintf(out + used, out_bytes - used, "%s%" PRId64, times, shape->dims[i]);
        else if (graph && symbol >= 0 && (size_t)symbol < graph->n_symbols)
            n = snprintf(out + used, out_bytes - used, "%s%s", times, graph->symbols[symbol]);
        else
            n = snprintf(out + used, out_bytes - used, "%s?", times);
        if (n < 0) return;
        used += (size_t)n;
    }
}

ferry_tensor ferry_value_tensor(const ferry_value *value)
{
    ferry_tensor t = {
        .dtype = value->dtype,
        .rank = value->shape.rank,
        .data = (void *)(uintptr_t)value->data, // tensors are read and written by one type; constants are only read
        .quant = value->quant.dtype == FERRY_DTYPE_NONE ? NULL : &value->quant,
    };
    memcpy(t.dims, value->shape.dims, sizeof t.dims);
    return t;
}

size_t ferry_tensor_elements(const ferry_tensor *tensor)
{
    size_t n = 1;
    for (int32_t i = 0; i < tensor->rank; i++) n *= (size_t)tensor->dims[i];
    return n;
}

size_t ferry_tensor_bytes(const ferry_tensor *tensor)
{
    return ferry_tensor_elements(tensor) * ferry_dtype_bytes(tensor->dtype);
}

// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/heap.h"

void ferry_cuda_source_add(ferry_cuda_source *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    const int n = vsnprintf(NULL, 0, format, arguments);
    void *text = s->text;
    if (n >= 0 && !s->failed && ferry_heap_reserve(s->heap, &text, &s->capacity, 1, s->length + (size_t)n + 1)) {
        s->text = text;
        vsnprintf(s->text + s->length, (size_t)n + 1, format, again);
        s->length += (size_t)n;
    } else {
        s->failed = true;
    }
    va_end(again);
    va_end(arguments);
}

void ferry_cuda_source_define(ferry_cuda_source *s, const char *name, long long value)
{
    ferry_cuda_source_add(s, "#define %s %lld\n", name, value);
}

void ferry_cuda_source_float(ferry_cuda_source *s, float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    ferry_cuda_source_add(s, "__int_as_float(0x%08x)", bits);
}

const char *ferry_cuda_type_name(ferry_dtype dtype)
{
    switch (dtype) {
    case FERRY_F32:
        return "float";
    case FERRY_F16:
        return "f16";
    case FERRY_BF16:
        return "bf16";
    case FERRY_S8:
        return "s8";
    default:
        return NULL;
    }
}

void ferry_cuda_source_free(ferry_cuda_source *s)
{
    ferry_heap_free(s->heap, s->text, s->capacity);
    *s = (ferry_cuda_source){.heap = s->heap};
}

ferry_status ferry_cuda_source_compile(ferry_cuda_source *s, ferry_cuda_package *package, ferry_error *err)
{
    const ferry_status status = s->failed || !s->text ? ferry_fail_memory(err, "a kernel's text")
                                                      : ferry_cuda_package_compile(package, s->text, err);
    ferry_cuda_source_free(s);
    return status;
}

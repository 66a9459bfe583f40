// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/carry.h"

#include <string.h>

#include "backend/cuda/compile.h"
#include "backend/cuda/source.h"

#define MOST_TEXTS 64

static const char include[] = "#include \"";

typedef struct expansion {
    ferry_cuda_source out;
    bool taken[MOST_TEXTS]; // headers that are in already
} expansion;

static int find_text(const char *name, size_t length)
{
    for (int i = 0; i < MOST_TEXTS && ferry_cuda_texts()[i].name; i++)
        if (strlen(ferry_cuda_texts()[i].name) == length && strncmp(ferry_cuda_texts()[i].name, name, length) == 0)
            return i;
    return -1;
}

// Line by line; headers include headers, each once, so that the depth is bounded by their number.
static void expand(expansion *e, const char *text)
{
    while (*text) {
        const size_t line = strcspn(text, "\n");
        const size_t name =
            strncmp(text, include, sizeof include - 1) == 0 ? strcspn(text + sizeof include - 1, "\"") : 0;
        const int at = name ? find_text(text + sizeof include - 1, name) : -1;
        if (at >= 0 && !e->taken[at]) {
            e->taken[at] = true;
            expand(e, ferry_cuda_texts()[at].text);
            ferry_cuda_source_add(&e->out, "\n");
        } else if (at < 0 && strncmp(text, "#pragma once", 12) != 0) {
            ferry_cuda_source_add(&e->out, "%.*s\n", (int)line, text);
        }
        text += line + (text[line] != 0);
    }
}

ferry_status ferry_cuda_carry_text(const ferry_heap *heap, const char *text, void **out, size_t *out_bytes,
                                   ferry_error *err)
{
    expansion e = {.out = {.heap = heap}};
    expand(&e, text);
    void *copy = e.out.failed || !e.out.text ? NULL : ferry_heap_alloc_uninit(heap, e.out.length + 1);
    if (copy) memcpy(copy, e.out.text, e.out.length + 1);
    *out = copy;
    *out_bytes = e.out.length + 1;
    ferry_heap_free(heap, e.out.text, e.out.capacity);
    return copy ? FERRY_OK : ferry_fail_memory(err, "a kernel's text");
}

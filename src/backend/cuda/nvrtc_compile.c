// SPDX-License-Identifier: Apache-2.0
// Compiling a text with an NVRTC that was found.
#include <stdio.h>
#include <string.h>

#include "backend/cuda/nvrtc_library.h"

#define MOST_HEADERS 64

// Options of every compilation. Without the words that few programs need (seen with 12.9 and 13), compiling is 5 %
// quicker.
static const char *const usual_options[] = {"--std=c++14", "--fmad=false", "--minimal"};

const char *const *ferry_nvrtc_usual_options(const ferry_nvrtc *n, size_t *out_count)
{
    *out_count = FERRY_COUNT_OF(usual_options) - (n->version < 12090);
    return usual_options;
}

static ferry_status fail_with_log(const ferry_nvrtc *n, ferry_nvrtc_program p, int result, const char *arch,
                                  const ferry_heap *heap, ferry_error *err)
{
    size_t bytes = 0;
    char *log = NULL;
    if (n->nvrtcGetProgramLogSize(p, &bytes) == 0 && bytes) log = ferry_heap_alloc(heap, bytes + 1);
    if (log && n->nvrtcGetProgramLog(p, log) != 0) log[0] = 0;
    ferry_fail(err, FERRY_ERR_INTERNAL, "NVRTC %d.%d, %s: %s\n%.3000s", n->version / 1000, n->version % 1000 / 10, arch,
               n->nvrtcGetErrorString(result), log ? log : "");
    ferry_heap_free(heap, log, bytes + 1);
    return FERRY_ERR_INTERNAL;
}

// "sm_53" as the virtual chip that PTX is made for.
static void virtual_arch(const char *arch, char *out, size_t bytes)
{
    snprintf(out, bytes, "compute_%s", strncmp(arch, "sm_", 3) == 0 ? arch + 3 : arch);
}

static ferry_status compile(const ferry_nvrtc *n, ferry_nvrtc_program p, const char *arch, const ferry_heap *heap,
                            void **out_code, size_t *out_bytes, ferry_error *err)
{
    const bool ptx = !n->nvrtcGetCUBIN;
    char option[64], chip[32];
    virtual_arch(arch, chip, sizeof chip);
    snprintf(option, sizeof option, "--gpu-architecture=%s", ptx ? chip : arch);
    size_t count = 0;
    (void)ferry_nvrtc_usual_options(n, &count);
    const char *options[1 + FERRY_COUNT_OF(usual_options)] = {option};
    memcpy(&options[1], usual_options, sizeof usual_options);
    int r = n->nvrtcCompileProgram(p, 1 + (int)count, options);
    if (r == 0) r = ptx ? n->nvrtcGetPTXSize(p, out_bytes) : n->nvrtcGetCUBINSize(p, out_bytes);
    if (r != 0) return fail_with_log(n, p, r, arch, heap, err);
    *out_code = ferry_heap_alloc_uninit(heap, *out_bytes);
    if (!*out_code) return ferry_fail_memory(err, "a compiled kernel");
    r = ptx ? n->nvrtcGetPTX(p, *out_code) : n->nvrtcGetCUBIN(p, *out_code);
    if (r == 0) return FERRY_OK;
    ferry_heap_free(heap, *out_code, *out_bytes);
    *out_code = NULL;
    return fail_with_log(n, p, r, arch, heap, err);
}

ferry_status ferry_nvrtc_compile(const ferry_nvrtc *n, const char *text, const ferry_nvrtc_header *headers,
                                 size_t n_headers, const char *arch, const ferry_heap *heap, void **out_code,
                                 size_t *out_bytes, ferry_error *err)
{
    *out_code = NULL;
    const char *texts[MOST_HEADERS], *header_names[MOST_HEADERS];
    if (n_headers > MOST_HEADERS) return ferry_fail(err, FERRY_ERR_INTERNAL, "%zu headers", n_headers);
    for (size_t i = 0; i < n_headers; i++) {
        texts[i] = headers[i].text;
        header_names[i] = headers[i].name;
    }
    ferry_nvrtc_program p = NULL;
    const int r = n->nvrtcCreateProgram(&p, text, "ferry.cu", (int)n_headers, texts, header_names);
    if (r != 0) return ferry_fail(err, FERRY_ERR_INTERNAL, "NVRTC: %s", n->nvrtcGetErrorString(r));
    const ferry_status s = compile(n, p, arch, heap, out_code, out_bytes, err);
    n->nvrtcDestroyProgram(&p);
    return s;
}

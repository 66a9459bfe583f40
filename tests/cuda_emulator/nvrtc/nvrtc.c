// SPDX-License-Identifier: Apache-2.0
// NVRTC's interface, as far as ferry uses it. The chips are those of CUDA 12.9.
#include <stdlib.h>
#include <string.h>

#include "nvrtc/program.h"

#define API __attribute__((visibility("default")))

static const int chips[] = {50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90, 100, 101, 103, 110, 120, 121};

API int nvrtcVersion(int *major, int *minor);
API int nvrtcVersion(int *major, int *minor)
{
    *major = 12;
    *minor = 9;
    return NVRTC_SUCCESS;
}

API int nvrtcGetNumSupportedArchs(int *count);
API int nvrtcGetNumSupportedArchs(int *count)
{
    *count = sizeof chips / sizeof *chips;
    return NVRTC_SUCCESS;
}

API int nvrtcGetSupportedArchs(int *out);
API int nvrtcGetSupportedArchs(int *out)
{
    memcpy(out, chips, sizeof chips);
    return NVRTC_SUCCESS;
}

API const char *nvrtcGetErrorString(int result);
API const char *nvrtcGetErrorString(int result)
{
    switch (result) {
    case NVRTC_SUCCESS:
        return "NVRTC_SUCCESS";
    case NVRTC_ERROR_OUT_OF_MEMORY:
        return "NVRTC_ERROR_OUT_OF_MEMORY";
    case NVRTC_ERROR_INVALID_INPUT:
        return "NVRTC_ERROR_INVALID_INPUT";
    case NVRTC_ERROR_INVALID_PROGRAM:
        return "NVRTC_ERROR_INVALID_PROGRAM";
    case NVRTC_ERROR_INVALID_OPTION:
        return "NVRTC_ERROR_INVALID_OPTION";
    case NVRTC_ERROR_COMPILATION:
        return "NVRTC_ERROR_COMPILATION";
    default:
        return "NVRTC_ERROR_INTERNAL_ERROR";
    }
}

API int nvrtcDestroyProgram(emulated_program **program);
API int nvrtcDestroyProgram(emulated_program **program)
{
    emulated_program *const p = *program;
    if (!p) return NVRTC_ERROR_INVALID_PROGRAM;
    for (int i = 0; i < p->n_headers; i++) {
        free(p->headers[i].name);
        free(p->headers[i].text);
    }
    free(p->headers);
    free(p->name);
    free(p->text);
    free(p->object);
    free(p->log);
    free(p->definitions);
    free(p);
    *program = NULL;
    return NVRTC_SUCCESS;
}

API int nvrtcCreateProgram(emulated_program **out, const char *text, const char *name, int n_headers,
                           const char *const *headers, const char *const *header_names);
API int nvrtcCreateProgram(emulated_program **out, const char *text, const char *name, int n_headers,
                           const char *const *headers, const char *const *header_names)
{
    if (!out || !text || n_headers < 0) return NVRTC_ERROR_INVALID_INPUT;
    emulated_program *const p = calloc(1, sizeof *p);
    *out = p;
    if (!p) return NVRTC_ERROR_OUT_OF_MEMORY;
    p->name = strdup(name && name[0] ? name : "default_program");
    p->text = strdup(text);
    p->headers = calloc((size_t)n_headers + 1, sizeof *p->headers);
    if (!p->name || !p->text || !p->headers) goto no_memory;
    for (p->n_headers = 0; p->n_headers < n_headers;) {
        emulated_header *const h = &p->headers[p->n_headers];
        h->name = strdup(header_names[p->n_headers]);
        h->text = strdup(headers[p->n_headers++]);
        if (!h->name || !h->text) goto no_memory;
    }
    return NVRTC_SUCCESS;
no_memory:
    nvrtcDestroyProgram(out);
    return NVRTC_ERROR_OUT_OF_MEMORY;
}

API int nvrtcCompileProgram(emulated_program *program, int n_options, const char *const *options);
API int nvrtcCompileProgram(emulated_program *program, int n_options, const char *const *options)
{
    if (!program) return NVRTC_ERROR_INVALID_PROGRAM;
    const int r = emulated_read_options(program, n_options, options);
    return r == NVRTC_SUCCESS ? emulated_compile(program) : r;
}

static int object_size(const emulated_program *program, size_t *bytes)
{
    if (!program || !program->object) return NVRTC_ERROR_INVALID_PROGRAM;
    *bytes = program->object_bytes;
    return NVRTC_SUCCESS;
}

static int object_copy(const emulated_program *program, char *out)
{
    if (!program || !program->object) return NVRTC_ERROR_INVALID_PROGRAM;
    memcpy(out, program->object, program->object_bytes);
    return NVRTC_SUCCESS;
}

// A cubin is for a real chip only.
API int nvrtcGetCUBINSize(const emulated_program *program, size_t *bytes);
API int nvrtcGetCUBINSize(const emulated_program *program, size_t *bytes)
{
    const int r = object_size(program, bytes);
    if (r == NVRTC_SUCCESS && program->is_virtual) *bytes = 0;
    return r;
}

API int nvrtcGetCUBIN(const emulated_program *program, char *out);
API int nvrtcGetCUBIN(const emulated_program *program, char *out)
{
    return program && program->is_virtual ? NVRTC_ERROR_INVALID_PROGRAM : object_copy(program, out);
}

API int nvrtcGetPTXSize(const emulated_program *program, size_t *bytes);
API int nvrtcGetPTXSize(const emulated_program *program, size_t *bytes)
{
    return object_size(program, bytes);
}

API int nvrtcGetPTX(const emulated_program *program, char *out);
API int nvrtcGetPTX(const emulated_program *program, char *out)
{
    return object_copy(program, out);
}

API int nvrtcGetProgramLogSize(const emulated_program *program, size_t *bytes);
API int nvrtcGetProgramLogSize(const emulated_program *program, size_t *bytes)
{
    if (!program) return NVRTC_ERROR_INVALID_PROGRAM;
    *bytes = (program->log ? strlen(program->log) : 0) + 1;
    return NVRTC_SUCCESS;
}

API int nvrtcGetProgramLog(const emulated_program *program, char *out);
API int nvrtcGetProgramLog(const emulated_program *program, char *out)
{
    if (!program) return NVRTC_ERROR_INVALID_PROGRAM;
    strcpy(out, program->log ? program->log : "");
    return NVRTC_SUCCESS;
}

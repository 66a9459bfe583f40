// SPDX-License-Identifier: Apache-2.0
// Streams that capture: what is queued on them becomes a graph. And what other libraries queue there in place of
// kernels.
#include <stdlib.h>
#include <string.h>

#include "driver/emulator.h"

API CUresult cuGraphCreate(CUgraph *out, unsigned flags);

EXPORT(cuStreamBeginCapture_v2, (CUstream stream, int mode))
{
    if (!stream || mode < 0 || mode > 2) return CUDA_ERROR_INVALID_VALUE;
    return *emulated_capture(stream) ? CUDA_ERROR_INVALID_VALUE : cuGraphCreate(emulated_capture(stream), 0);
}

EXPORT(cuStreamEndCapture, (CUstream stream, CUgraph *out))
{
    *out = NULL;
    if (!stream || !*emulated_capture(stream)) return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    *out = *emulated_capture(stream);
    *emulated_capture(stream) = NULL;
    return CUDA_SUCCESS;
}

// --- Calls -----------------------------------------------------------------------------------------------------------

typedef struct call_command {
    emulated_command base;
    emulated_call *call;
} call_command;

emulated_call *emulated_call_copy(const emulated_call *call)
{
    const size_t bytes = sizeof *call + call->bytes;
    emulated_call *const copy = aligned_alloc(16, (bytes + 15) / 16 * 16);
    return copy ? memcpy(copy, call, bytes) : NULL;
}

void emulated_call_run(const emulated_call *call)
{
    if (emulated_context_is_broken()) return;
    call->run(call->arguments);
    emulated_check_guards(call->name);
}

static void run_call(emulated_command *command)
{
    call_command *const c = (call_command *)command;
    emulated_call_run(c->call);
    free(c->call);
    free(c);
}

CUresult emulated_call_enqueue(CUstream stream, const char *name, void (*run)(const void *arguments),
                               const void *arguments, size_t bytes)
{
    emulated_call *const call = aligned_alloc(16, (sizeof *call + bytes + 15) / 16 * 16);
    if (!call) return CUDA_ERROR_OUT_OF_MEMORY;
    *call = (emulated_call){.name = name, .run = run, .bytes = bytes};
    memcpy(call->arguments, arguments, bytes);
    if (*emulated_capture(stream)) return emulated_graph_append(*emulated_capture(stream), NULL, call);
    call_command *const c = calloc(1, sizeof *c);
    CUresult r = c ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
    if (c) {
        *c = (call_command){{.run = run_call}, call};
        r = emulated_enqueue(stream, &c->base);
    }
    if (r) {
        free(call);
        free(c);
    }
    return r;
}

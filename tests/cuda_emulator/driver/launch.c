// SPDX-License-Identifier: Apache-2.0
// Functions and launches: what a driver checks before it queues a kernel, and running it.
#include <stdlib.h>
#include <string.h>

#include "driver/emulator.h"
#include "execute/grid.h"

enum { MOST_THREADS = 1024, REGISTERS = 64, MOST_ARGUMENTS = 1024, MOST_ARGUMENT_BYTES = 4096 };

static int static_shared(const struct emulated_function *f)
{
    return (int)(f->image->shared_end - f->image->shared_begin);
}

static unsigned most_threads(const struct emulated_function *f)
{
    return f->kernel->most_threads ? f->kernel->most_threads : MOST_THREADS;
}

EXPORT(cuFuncGetAttribute, (int *out, int attribute, CUfunction function))
{
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        *out = (int)most_threads(function);
        break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
        *out = static_shared(function);
        break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS:
        *out = REGISTERS;
        break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
        *out = function->image->chip;
        break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
        *out = function->most_dynamic_shared;
        break;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
        *out = -1;
        break;
    case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
    case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA:
        *out = 0;
        break;
    default:
        return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

EXPORT(cuFuncSetAttribute, (CUfunction function, int attribute, int value))
{
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    if (attribute == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT) return CUDA_SUCCESS;
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
        (size_t)value > emulated_shared_limit())
        return CUDA_ERROR_INVALID_VALUE;
    function->most_dynamic_shared = value;
    return CUDA_SUCCESS;
}

EXPORT(cuOccupancyMaxActiveBlocksPerMultiprocessor, (int *out, CUfunction function, int threads, size_t dynamic_bytes))
{
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    if (threads <= 0) return CUDA_ERROR_INVALID_VALUE;
    const int warps = (threads + EMULATED_WARP - 1) / EMULATED_WARP;
    const size_t shared = (size_t)static_shared(function) + dynamic_bytes + 1024;
    const int by_threads = 64 / warps, by_registers = 65536 / (REGISTERS * EMULATED_WARP * warps);
    const int by_shared = (int)((emulated_shared_limit() + 1024) / shared);
    *out = by_threads < by_registers ? by_threads : by_registers;
    if (by_shared < *out) *out = by_shared;
    if (*out > 32) *out = 32;
    if ((unsigned)threads > most_threads(function)) *out = 0;
    return CUDA_SUCCESS;
}

// --- Launches --------------------------------------------------------------------------------------------------------

static CUresult check(const CUDA_KERNEL_NODE_PARAMS_v1 *p)
{
    const CUresult r = emulated_ready();
    if (r) return r;
    if (!p->func) return CUDA_ERROR_INVALID_HANDLE;
    for (int i = 0; i < 3; i++)
        if (!p->grid[i] || !p->block[i]) return CUDA_ERROR_INVALID_VALUE;
    if (p->grid[0] > 0x7fffffff || p->grid[1] > 65535 || p->grid[2] > 65535) return CUDA_ERROR_INVALID_VALUE;
    if (p->block[0] > 1024 || p->block[1] > 1024 || p->block[2] > 64) return CUDA_ERROR_INVALID_VALUE;
    if (p->block[0] * p->block[1] * p->block[2] > most_threads(p->func)) return CUDA_ERROR_INVALID_VALUE;
    if (p->shared_bytes > (unsigned)p->func->most_dynamic_shared) return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

static unsigned argument_bytes(const emulated_kernel *k)
{
    return k->offsets[k->parameters]; // of the end
}

/// From `extra`: a buffer that holds all of them at the kernel's offsets.
static CUresult copy_buffer(emulated_launch *launch, void *const *extra)
{
    enum { END = 0, POINTER = 1, SIZE = 2 };
    const void *buffer = NULL;
    size_t bytes = 0;
    for (; (intptr_t)extra[0] != END; extra += 2) {
        if ((intptr_t)extra[0] == POINTER) buffer = extra[1];
        if ((intptr_t)extra[0] == SIZE) bytes = *(const size_t *)extra[1];
    }
    if (!buffer || bytes < launch->argument_bytes) return CUDA_ERROR_INVALID_VALUE;
    memcpy(launch->arguments, buffer, launch->argument_bytes);
    return CUDA_SUCCESS;
}

static CUresult copy_arguments(emulated_launch *launch, const CUDA_KERNEL_NODE_PARAMS_v1 *p)
{
    const emulated_kernel *const k = p->func->kernel;
    if (p->extra) return p->arguments ? CUDA_ERROR_INVALID_VALUE : copy_buffer(launch, p->extra);
    if (k->parameters && !p->arguments) return CUDA_ERROR_INVALID_VALUE;
    for (unsigned i = 0; i < k->parameters; i++)
        memcpy(launch->arguments + k->offsets[i], p->arguments[i], k->sizes[i]);
    return CUDA_SUCCESS;
}

CUresult emulated_launch_create(const CUDA_KERNEL_NODE_PARAMS_v1 *p, emulated_launch **out)
{
    *out = NULL;
    CUresult r = check(p);
    if (r) return r;
    const unsigned bytes = argument_bytes(p->func->kernel);
    if (bytes > MOST_ARGUMENT_BYTES || p->func->kernel->parameters > MOST_ARGUMENTS) return CUDA_ERROR_INVALID_IMAGE;
    emulated_launch *const launch = calloc(1, sizeof *launch + bytes);
    if (!launch) return CUDA_ERROR_OUT_OF_MEMORY;
    launch->function = p->func;
    memcpy(launch->grid, p->grid, sizeof launch->grid);
    memcpy(launch->block, p->block, sizeof launch->block);
    launch->shared_bytes = p->shared_bytes;
    launch->argument_bytes = bytes;
    r = copy_arguments(launch, p);
    if (r)
        free(launch);
    else
        *out = launch;
    return r;
}

emulated_launch *emulated_launch_copy(const emulated_launch *launch)
{
    const size_t bytes = sizeof *launch + launch->argument_bytes;
    emulated_launch *const copy = malloc(bytes);
    return copy ? memcpy(copy, launch, bytes) : NULL;
}

/// A launch's grid, with room for its arguments: a parameter may want more alignment than a command in a queue has.
typedef struct prepared_grid {
    _Alignas(64) unsigned char values[MOST_ARGUMENT_BYTES];
    void *addresses[MOST_ARGUMENTS];
    emulated_grid grid;
} prepared_grid;

static void prepare(const emulated_launch *launch, prepared_grid *out)
{
    const emulated_kernel *const k = launch->function->kernel;
    memcpy(out->values, launch->arguments, launch->argument_bytes);
    for (unsigned i = 0; i < k->parameters; i++) out->addresses[i] = out->values + k->offsets[i];
    out->grid = (emulated_grid){
        .image = launch->function->image,
        .kernel = k,
        .grid_size = {launch->grid[0], launch->grid[1], launch->grid[2]},
        .block_size = {launch->block[0], launch->block[1], launch->block[2]},
        .dynamic_shared_bytes = launch->shared_bytes,
        .arguments = out->addresses,
    };
}

void emulated_launch_run(const emulated_launch *launch, const emulated_launch *dependency)
{
    static pthread_mutex_t processor = PTHREAD_MUTEX_INITIALIZER; // one at a time
    static prepared_grid grid, before;
    if (emulated_fails_now("launch")) emulated_break_context(CUDA_ERROR_LAUNCH_FAILED);
    if (emulated_context_is_broken()) return;
    pthread_mutex_lock(&processor);
    prepare(launch, &grid);
    if (dependency) {
        prepare(dependency, &before);
        grid.grid.dependency = &before.grid;
    }
    emulated_grid_run(&grid.grid);
    emulated_check_guards(launch->function->kernel->name);
    pthread_mutex_unlock(&processor);
}

typedef struct launch_command {
    emulated_command base;
    emulated_launch *launch;
} launch_command;

static void run_launch(emulated_command *command)
{
    launch_command *const c = (launch_command *)command;
    emulated_launch_run(c->launch, NULL);
    free(c->launch);
    free(c);
}

static CUresult launch(const CUDA_KERNEL_NODE_PARAMS_v1 *params, CUstream stream)
{
    if (*emulated_capture(stream)) {
        emulated_launch *captured;
        const CUresult bad = emulated_launch_create(params, &captured);
        return bad ? bad : emulated_graph_append(*emulated_capture(stream), captured, NULL);
    }
    launch_command *const c = calloc(1, sizeof *c);
    if (!c) return CUDA_ERROR_OUT_OF_MEMORY;
    c->base.run = run_launch;
    CUresult r = emulated_launch_create(params, &c->launch);
    if (!r) r = emulated_enqueue(stream, &c->base);
    if (r) {
        free(c->launch);
        free(c);
    }
    return r;
}

EXPORT(cuLaunchKernel,
       (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
        unsigned block_z, unsigned shared_bytes, CUstream stream, void **arguments, void **extra))
{
    const CUDA_KERNEL_NODE_PARAMS_v1 params = {
        function, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes, arguments, extra};
    return launch(&params, stream);
}

EXPORT(cuLaunchKernelEx, (const CUlaunchConfig *config, CUfunction function, void **arguments, void **extra))
{
    CUDA_KERNEL_NODE_PARAMS_v1 params = {.func = function, .arguments = arguments, .extra = extra};
    memcpy(params.grid, config->grid, sizeof params.grid);
    memcpy(params.block, config->block, sizeof params.block);
    params.shared_bytes = config->shared_bytes;
    return launch(&params, config->stream);
}

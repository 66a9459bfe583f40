// SPDX-License-Identifier: Apache-2.0
// The emulated driver from within.
//
// One lock and one condition serve streams, events and the device's memory; whoever changes something wakes everybody.
// A stream is a thread that takes commands out of a queue. Kernels run one at a time in the process (execute/grid.h).
#ifndef FERRY_TESTS_CUDA_EMULATOR_DRIVER_EMULATOR_H_
#define FERRY_TESTS_CUDA_EMULATOR_DRIVER_EMULATOR_H_

#include <pthread.h>
#include <stdbool.h>

#include "driver/api.h"
#include "execute/runtime.h"

extern pthread_mutex_t emulated_lock;
extern pthread_cond_t emulated_changed;

// --- The device (device.c, failure.c) --------------------------------------------------------------------------------

/// CUDA_SUCCESS, or what stands in the way of every call: not initialised, no context, an earlier failure of a kernel.
CUresult emulated_ready(void);
/// From now on every call fails so, as after a fault on a real device.
void emulated_break_context(CUresult why);
bool emulated_context_is_broken(void);

int emulated_chip(void); // 90 is sm_90: FERRY_EMULATED_SM
size_t emulated_memory_bytes(void);
size_t emulated_shared_limit(void); // of a block that asks for more than 48 KiB
/// Whether FERRY_EMULATED_FAIL asks for that failure: "nodevice", "olddriver".
bool emulated_fails(const char *what);
/// The same for the N of "alloc:N" or "launch:N": true at the Nth call, counting from 1; without N at the first.
bool emulated_fails_now(const char *what);

// --- Memory (memory.c) -----------------------------------------------------------------------------------------------

/// The device's memory can be read and written between these; they count. Else the host faults when it touches it.
void emulated_memory_open(void);
void emulated_memory_close(void);

/// True if all of the bytes lie in one block of device memory (or host memory mapped to the device), or in a module's.
bool emulated_is_device(CUdeviceptr address, size_t bytes);
/// True if the address lies in memory of cuMemHostAlloc, which copies read and write later.
bool emulated_is_pinned(const void *address);

/// Ends the process if something wrote beyond a block of memory, naming `kernel` as the culprit.
void emulated_check_guards(const char *kernel);

/// Variables of modules.
void emulated_memory_add_variable(void *address, size_t bytes);
void emulated_memory_remove_variable(void *address);

// --- Modules (module.c) ----------------------------------------------------------------------------------------------

struct emulated_function {
    CUmodule module;
    const emulated_image *image;
    const emulated_kernel *kernel;
    int most_dynamic_shared;
};

// --- Streams (stream.c) ----------------------------------------------------------------------------------------------

/// A command in a queue; the first member of what it works on. `run` frees the command.
typedef struct emulated_command {
    struct emulated_command *next;
    void (*run)(struct emulated_command *command);
} emulated_command;

/// Appends the command; NULL is the default stream. When it can't, the command is still the caller's.
CUresult emulated_enqueue(CUstream stream, emulated_command *command);
/// Until every stream has done what is queued now.
void emulated_wait_for_all(void);
/// Where the stream keeps the graph that it captures into; what that holds is NULL while it does not.
CUgraph *emulated_capture(CUstream stream);

// --- Launches (launch.c) ---------------------------------------------------------------------------------------------

/// A launch whose arguments have been copied. Freed with free().
typedef struct emulated_launch {
    CUfunction function;
    unsigned grid[3], block[3], shared_bytes;
    unsigned argument_bytes;
    unsigned char arguments[]; // at the kernel's offsets
} emulated_launch;

/// Checks what a driver checks, and copies the arguments.
CUresult emulated_launch_create(const CUDA_KERNEL_NODE_PARAMS_v1 *params, emulated_launch **out);
emulated_launch *emulated_launch_copy(const emulated_launch *launch);
/// Runs it; before that, or while it already runs, the launch that it depends on, if there is one.
void emulated_launch_run(const emulated_launch *launch, const emulated_launch *dependency);

// --- Calls (capture.c) -----------------------------------------------------------------------------------------------

/// What a stand-in for another of NVIDIA's libraries does where that one launches a kernel. Freed with free().
typedef struct emulated_call {
    const char *name;
    void (*run)(const void *arguments);
    size_t bytes;
    _Alignas(16) unsigned char arguments[];
} emulated_call;

/// Queues a call as a kernel is: later, in the stream's order, or into the graph that the stream captures. The
/// arguments are copied.
API CUresult emulated_call_enqueue(CUstream stream, const char *name, void (*run)(const void *arguments),
                                   const void *arguments, size_t bytes);
emulated_call *emulated_call_copy(const emulated_call *call);
void emulated_call_run(const emulated_call *call);

/// Appends a launch, or else a call, to the graph that a stream captures, behind what is in it. Takes what it is given,
/// on failure too.
CUresult emulated_graph_append(CUgraph graph, emulated_launch *launch, emulated_call *call);

#endif // FERRY_TESTS_CUDA_EMULATOR_DRIVER_EMULATOR_H_

// SPDX-License-Identifier: Apache-2.0
// NVIDIA's driver API as far as ferry uses it, opened at run time: the same binary runs where there is no driver.
//
// The types are declared here, so that no CUDA header is needed to build. Their sizes and values are the driver's ABI,
// which is stable from CUDA 10.2 on; names and functions are those of NVIDIA's "CUDA Driver API" reference.
#ifndef FERRY_SRC_BACKEND_CUDA_DRIVER_H_
#define FERRY_SRC_BACKEND_CUDA_DRIVER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/size.h"
#include "base/status.h"

typedef int ferry_cu_result; // 0: done
typedef int ferry_cu_device;
typedef uint64_t ferry_cu_pointer; // CUdeviceptr
typedef struct ferry_cu_context_ *ferry_cu_context;
typedef struct ferry_cu_module_ *ferry_cu_module;
typedef struct ferry_cu_function_ *ferry_cu_function;
typedef struct ferry_cu_stream_ *ferry_cu_stream;
typedef struct ferry_cu_event_ *ferry_cu_event;
typedef struct ferry_cu_graph_ *ferry_cu_graph;
typedef struct ferry_cu_graph_node_ *ferry_cu_graph_node;
typedef struct ferry_cu_graph_exec_ *ferry_cu_graph_exec;

enum {
    FERRY_CU_OUT_OF_MEMORY = 2,
    FERRY_CU_NO_DEVICE = 100,
    FERRY_CU_NO_BINARY_FOR_GPU = 209,
};

/// CUdevice_attribute
enum {
    FERRY_CU_ATTR_MAX_SHARED_PER_BLOCK = 8,
    FERRY_CU_ATTR_CLOCK_KHZ = 13,
    FERRY_CU_ATTR_PROCESSORS = 16,
    FERRY_CU_ATTR_INTEGRATED = 18,
    FERRY_CU_ATTR_CAN_MAP_HOST_MEMORY = 19,
    FERRY_CU_ATTR_MEMORY_CLOCK_KHZ = 36,
    FERRY_CU_ATTR_MEMORY_BUS_BITS = 37,
    FERRY_CU_ATTR_L2_BYTES = 38,
    FERRY_CU_ATTR_MAJOR = 75,
    FERRY_CU_ATTR_MINOR = 76,
    FERRY_CU_ATTR_MAX_SHARED_OPTIN = 97,
    FERRY_CU_ATTR_CLUSTERS = 120,
};

/// CUfunction_attribute
enum {
    FERRY_CU_FUNC_SHARED_BYTES = 1,
    FERRY_CU_FUNC_LOCAL_BYTES = 3,
    FERRY_CU_FUNC_REGISTERS = 4,
    FERRY_CU_FUNC_MAX_DYNAMIC_SHARED = 8
};

/// CUpointer_attribute
enum { FERRY_CU_POINTER_ON_DEVICE = 3, FERRY_CU_POINTER_ON_HOST = 4 };

enum {
    FERRY_CU_STREAM_NON_BLOCKING = 1,
    FERRY_CU_EVENT_DEFAULT = 0,
    FERRY_CU_CAPTURE_RELAXED = 2, // CUstreamCaptureMode: what else happens meanwhile does not matter
    FERRY_CU_HOST_PORTABLE = 1,
    FERRY_CU_HOST_MAPPED = 2
};

/// CUDA_KERNEL_NODE_PARAMS_v1, as cuGraphAddKernelNode and cuGraphExecKernelNodeSetParams take it
typedef struct ferry_cu_kernel_node {
    ferry_cu_function function;
    unsigned grid[3], block[3], shared_bytes;
    void **arguments; // addresses of the arguments
    void **extra;
} ferry_cu_kernel_node;

/// CUgraphEdgeData: how a node of a graph depends on another.
typedef struct ferry_cu_graph_edge {
    unsigned char from_port, to_port, type, reserved[5];
} ferry_cu_graph_edge;

/// The next kernel may begin when every block of this one has said so or ended, and waits by itself for its results.
#define FERRY_CU_EDGE_PROGRAMMATIC ((ferry_cu_graph_edge){.from_port = 1, .type = 1})

// clang-format off
/// Name, whether it may be missing, arguments. A name carries the ABI version that the declaration is of.
#define FERRY_CU_FUNCTIONS(F)                                                                                          \
    F(cuInit, 1, (unsigned))                                                                                           \
    F(cuDriverGetVersion, 1, (int *))                                                                                  \
    F(cuGetErrorName, 1, (ferry_cu_result, const char **))                                                             \
    F(cuGetErrorString, 1, (ferry_cu_result, const char **))                                                           \
    F(cuDeviceGetCount, 1, (int *))                                                                                    \
    F(cuDeviceGet, 1, (ferry_cu_device *, int))                                                                        \
    F(cuDeviceGetName, 1, (char *, int, ferry_cu_device))                                                              \
    F(cuDeviceTotalMem_v2, 1, (size_t *, ferry_cu_device))                                                             \
    F(cuDeviceGetAttribute, 1, (int *, int, ferry_cu_device))                                                          \
    F(cuDevicePrimaryCtxRetain, 1, (ferry_cu_context *, ferry_cu_device))                                              \
    F(cuDevicePrimaryCtxRelease_v2, 0, (ferry_cu_device))                                                              \
    F(cuDevicePrimaryCtxRelease, 1, (ferry_cu_device))                                                                 \
    F(cuCtxPushCurrent_v2, 1, (ferry_cu_context))                                                                      \
    F(cuCtxPopCurrent_v2, 1, (ferry_cu_context *))                                                                     \
    F(cuMemGetInfo_v2, 1, (size_t *, size_t *))                                                                        \
    F(cuMemAlloc_v2, 1, (ferry_cu_pointer *, size_t))                                                                  \
    F(cuMemFree_v2, 1, (ferry_cu_pointer))                                                                             \
    F(cuMemHostAlloc, 1, (void **, size_t, unsigned))                                                                  \
    F(cuMemFreeHost, 1, (void *))                                                                                      \
    F(cuPointerGetAttribute, 1, (void *, int, ferry_cu_pointer))                                                       \
    F(cuMemcpyHtoDAsync_v2, 1, (ferry_cu_pointer, const void *, size_t, ferry_cu_stream))                              \
    F(cuMemcpyDtoHAsync_v2, 1, (void *, ferry_cu_pointer, size_t, ferry_cu_stream))                                    \
    F(cuMemcpyDtoDAsync_v2, 1, (ferry_cu_pointer, ferry_cu_pointer, size_t, ferry_cu_stream))                          \
    F(cuStreamCreate, 1, (ferry_cu_stream *, unsigned))                                                                \
    F(cuStreamDestroy_v2, 1, (ferry_cu_stream))                                                                        \
    F(cuStreamSynchronize, 1, (ferry_cu_stream))                                                                       \
    F(cuStreamBeginCapture_v2, 0, (ferry_cu_stream, int))                                                              \
    F(cuStreamEndCapture, 0, (ferry_cu_stream, ferry_cu_graph *))                                                      \
    F(cuEventCreate, 1, (ferry_cu_event *, unsigned))                                                                  \
    F(cuEventDestroy_v2, 1, (ferry_cu_event))                                                                          \
    F(cuEventRecord, 1, (ferry_cu_event, ferry_cu_stream))                                                             \
    F(cuEventSynchronize, 1, (ferry_cu_event))                                                                         \
    F(cuEventElapsedTime, 1, (float *, ferry_cu_event, ferry_cu_event))                                                \
    F(cuModuleLoadData, 1, (ferry_cu_module *, const void *))                                                          \
    F(cuModuleUnload, 1, (ferry_cu_module))                                                                            \
    F(cuModuleGetFunction, 1, (ferry_cu_function *, ferry_cu_module, const char *))                                    \
    F(cuFuncGetAttribute, 1, (int *, int, ferry_cu_function))                                                          \
    F(cuFuncSetAttribute, 1, (ferry_cu_function, int, int))                                                            \
    F(cuOccupancyMaxActiveBlocksPerMultiprocessor, 1, (int *, ferry_cu_function, int, size_t))                         \
    F(cuLaunchKernel, 1, (ferry_cu_function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,     \
                          ferry_cu_stream, void **, void **))                                                          \
    F(cuGraphCreate, 1, (ferry_cu_graph *, unsigned))                                                                  \
    F(cuGraphAddKernelNode, 1, (ferry_cu_graph_node *, ferry_cu_graph, const ferry_cu_graph_node *, size_t,            \
                                const ferry_cu_kernel_node *))                                                         \
    F(cuGraphAddChildGraphNode, 0, (ferry_cu_graph_node *, ferry_cu_graph, const ferry_cu_graph_node *, size_t,        \
                                    ferry_cu_graph))                                                                   \
    F(cuGraphAddDependencies_v2, 0, (ferry_cu_graph, const ferry_cu_graph_node *, const ferry_cu_graph_node *,         \
                                     const ferry_cu_graph_edge *, size_t))                                             \
    F(cuGraphDestroy, 1, (ferry_cu_graph))                                                                             \
    F(cuGraphInstantiateWithFlags, 0, (ferry_cu_graph_exec *, ferry_cu_graph, unsigned long long))                     \
    F(cuGraphInstantiate_v2, 0, (ferry_cu_graph_exec *, ferry_cu_graph, ferry_cu_graph_node *, char *, size_t))        \
    F(cuGraphExecKernelNodeSetParams, 1, (ferry_cu_graph_exec, ferry_cu_graph_node, const ferry_cu_kernel_node *))     \
    F(cuGraphExecChildGraphNodeSetParams, 0, (ferry_cu_graph_exec, ferry_cu_graph_node, ferry_cu_graph))               \
    F(cuGraphLaunch, 1, (ferry_cu_graph_exec, ferry_cu_stream))                                                        \
    F(cuGraphExecDestroy, 1, (ferry_cu_graph_exec))
// clang-format on

typedef struct ferry_cu_driver {
#define FERRY_CU_MEMBER(name, required, arguments) ferry_cu_result(*name) arguments;
    FERRY_CU_FUNCTIONS(FERRY_CU_MEMBER)
#undef FERRY_CU_MEMBER
    int version; // of the driver: 12040 is 12.4
} ferry_cu_driver;

/// The driver, opened and initialised once for the process, and kept. FERRY_ERR_UNAVAILABLE says in words what is
/// missing. Looked for as libcuda.so.1, or where FERRY_LIBCUDA says. Thread-safe.
ferry_status ferry_cu_driver_get(const ferry_cu_driver **out, ferry_error *err);

/// Why there is none.
typedef enum ferry_cu_problem {
    FERRY_CU_NO_PROBLEM,
    FERRY_CU_NO_LIBRARY,  // no such file
    FERRY_CU_BAD_LIBRARY, // a file that is no library, or another one
    FERRY_CU_TOO_OLD,
    FERRY_CU_NO_GPU,
    FERRY_CU_NO_START, // it fails to initialise
} ferry_cu_problem;
/// The same, with the kind of what is wrong.
ferry_status ferry_cu_driver_find(const ferry_cu_driver **out, ferry_cu_problem *out_problem, ferry_error *err);
/// The file that the driver was opened from.
void ferry_cu_driver_path(char *out, size_t bytes);

/// FERRY_OK, or a failure that names what was done and what the driver says of it. Failures after which the driver
/// serves this process no more are remembered.
ferry_status ferry_cu_check(const ferry_cu_driver *driver, ferry_cu_result result, const char *doing, ferry_error *err);

/// FERRY_ERR_DEVICE, with what happened, once the driver serves this process no more. Cheap. Thread-safe.
ferry_status ferry_cu_check_process(ferry_error *err);

#endif // FERRY_SRC_BACKEND_CUDA_DRIVER_H_

// SPDX-License-Identifier: Apache-2.0
// Types and values of NVIDIA's driver API, as far as the emulated driver serves it. They are the ABI of CUDA 10.2 and
// later; declared here, so that no CUDA header is needed to build.
#ifndef FERRY_TESTS_CUDA_EMULATOR_DRIVER_API_H_
#define FERRY_TESTS_CUDA_EMULATOR_DRIVER_API_H_

#include <stddef.h>
#include <stdint.h>

#define API __attribute__((visibility("default")))
/// A function that the library exports, declared before it is defined.
#define EXPORT(name, arguments)                                                                                        \
    API CUresult name arguments;                                                                                       \
    CUresult name arguments

typedef int CUresult;
typedef int CUdevice;
typedef uint64_t CUdeviceptr;
typedef struct emulated_context *CUcontext;
typedef struct emulated_module *CUmodule;
typedef struct emulated_function *CUfunction;
typedef struct emulated_stream *CUstream;
typedef struct emulated_event *CUevent;
typedef struct emulated_graph *CUgraph;
typedef struct emulated_node *CUgraphNode;
typedef struct emulated_graph_exec *CUgraphExec;

enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_INITIALIZED = 3,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
    CUDA_ERROR_INVALID_HANDLE = 400,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_NOT_READY = 600,
    CUDA_ERROR_LAUNCH_FAILED = 719,
    CUDA_ERROR_NOT_SUPPORTED = 801,
    CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803,
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
    CUDA_ERROR_STREAM_CAPTURE_UNMATCHED = 903,
    CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE = 910,
};

enum { CU_STREAM_NON_BLOCKING = 1, CU_EVENT_DISABLE_TIMING = 2 };
enum {
    CU_POINTER_ATTRIBUTE_MEMORY_TYPE = 2,
    CU_POINTER_ATTRIBUTE_DEVICE_POINTER = 3,
    CU_POINTER_ATTRIBUTE_HOST_POINTER = 4,
};
enum { CU_MEMORYTYPE_HOST = 1, CU_MEMORYTYPE_DEVICE = 2, CU_MEMORYTYPE_UNIFIED = 4 };

enum {
    CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 0,
    CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES = 1,
    CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES = 2,
    CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES = 3,
    CU_FUNC_ATTRIBUTE_NUM_REGS = 4,
    CU_FUNC_ATTRIBUTE_PTX_VERSION = 5,
    CU_FUNC_ATTRIBUTE_BINARY_VERSION = 6,
    CU_FUNC_ATTRIBUTE_CACHE_MODE_CA = 7,
    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
    CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT = 9,
};

typedef struct CUuuid {
    char bytes[16];
} CUuuid;

typedef struct CUDA_KERNEL_NODE_PARAMS_v1 {
    CUfunction func;
    unsigned grid[3], block[3], shared_bytes;
    void **arguments, **extra;
} CUDA_KERNEL_NODE_PARAMS_v1;

typedef struct CUDA_KERNEL_NODE_PARAMS_v2 {
    CUDA_KERNEL_NODE_PARAMS_v1 v1;
    void *kern;
    CUcontext context;
} CUDA_KERNEL_NODE_PARAMS_v2;

typedef struct CUDA_MEMCPY3D_side {
    size_t x_bytes, y, z, lod;
    unsigned memory_type;
    void *host;
    CUdeviceptr device;
    void *array, *reserved;
    size_t pitch, height;
} CUDA_MEMCPY3D_side;

typedef struct CUDA_MEMCPY3D {
    CUDA_MEMCPY3D_side from, to;
    size_t width_bytes, height, depth;
} CUDA_MEMCPY3D;

typedef struct CUDA_MEMSET_NODE_PARAMS {
    CUdeviceptr to;
    size_t pitch;
    unsigned value, element_bytes;
    size_t width, height;
} CUDA_MEMSET_NODE_PARAMS;

/// A kernel behind a programmatic edge may begin before the one in front of it ends.
enum { CU_GRAPH_DEPENDENCY_TYPE_DEFAULT = 0, CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC = 1 };

typedef struct CUgraphEdgeData {
    unsigned char from_port, to_port, type, reserved[5];
} CUgraphEdgeData;

typedef struct CUlaunchConfig {
    unsigned grid[3], block[3], shared_bytes;
    CUstream stream;
    void *attributes;
    unsigned n_attributes;
} CUlaunchConfig;

#endif // FERRY_TESTS_CUDA_EMULATOR_DRIVER_API_H_

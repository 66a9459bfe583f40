// SPDX-License-Identifier: Apache-2.0
// What a compiled kernel and the emulated device say to each other. Read by C here and by C++ in every kernel.
#ifndef FERRY_TESTS_CUDA_EMULATOR_EXECUTE_RUNTIME_H_
#define FERRY_TESTS_CUDA_EMULATOR_EXECUTE_RUNTIME_H_

#define EMULATED_ABI 1
#define EMULATED_WARP 32
#define EMULATED_ALL_LANES 0xffffffffu

typedef struct emulated_uint3 {
    unsigned x, y, z;
} emulated_uint3;

/// What the lanes of a warp do together. Each has a struct for the lane's operands and one for its result, below.
typedef enum emulated_collective {
    EMULATED_SYNC,
    EMULATED_SHUFFLE,
    EMULATED_BALLOT,
    EMULATED_LDMATRIX,
    EMULATED_LDMATRIX_TRANS,
    EMULATED_MMA_F16,    // m16n8k16
    EMULATED_MMA_BF16,   // m16n8k16
    EMULATED_MMA_TF32,   // m16n8k8
    EMULATED_MMA_S8,     // m16n8k32
    EMULATED_MMA_F16_K8, // m16n8k8
    EMULATED_COLLECTIVES
} emulated_collective;

/// The result is the value (unsigned) of lane `from`, or the lane's own when `from` is none of its part of the warp.
typedef struct emulated_shuffle {
    unsigned value, from;
} emulated_shuffle;

/// The result is `count` registers.
typedef struct emulated_ldmatrix {
    const void *row;
    unsigned count; // of 8x8 matrices: 2 or 4
} emulated_ldmatrix;

/// Registers as the instruction takes them; the result is added to, four floats or four ints.
typedef struct emulated_mma {
    const unsigned *a, *b;
} emulated_mma;

/// The device, as kernels see it.
typedef struct emulated_runtime {
    emulated_uint3 thread, block, block_size, grid_size; // of the thread that runs now
    void *dynamic_shared;
    /// Waits for all threads of the block; how many of them had `predicate` set.
    unsigned (*barrier)(unsigned predicate);
    void (*dependency_wait)(void);
    void (*collective)(emulated_collective what, unsigned lanes, const void *operands, void *result);
    void (*copy_async)(void *shared, const void *global, unsigned bytes, int may_be_late, int valid);
    void (*copy_commit)(void);
    void (*copy_wait)(unsigned pending);
} emulated_runtime;

typedef struct emulated_kernel {
    const char *name; // NULL ends the list
    void (*run)(void *const *arguments);
    unsigned parameters;
    const unsigned *sizes, *offsets; // of the parameters, offsets as in a buffer of all of them
    unsigned most_threads;           // __launch_bounds__; 0: none
} emulated_kernel;

typedef struct emulated_variable {
    const char *name; // NULL ends the list
    void *address;
    unsigned long bytes;
} emulated_variable;

/// What a compiled module exports, as `ferry_emulated_image`.
typedef struct emulated_image {
    int abi, chip;   // chip: 87 is sm_87
    int is_virtual;  // compiled for compute_NN: newer chips take it too
    int family_only; // sm_90a: for that chip alone
    const emulated_kernel *kernels;
    const emulated_variable *variables;
    char *shared_begin, *shared_end;  // static shared memory of all of its kernels
    const emulated_runtime **runtime; // set when the module is loaded
} emulated_image;

#endif // FERRY_TESTS_CUDA_EMULATOR_EXECUTE_RUNTIME_H_

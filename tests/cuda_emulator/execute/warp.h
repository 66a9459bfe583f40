// SPDX-License-Identifier: Apache-2.0
// What the lanes of a warp do together, once all of them have come: exchanges, votes, and tensor core instructions.
#ifndef FERRY_TESTS_CUDA_EMULATOR_EXECUTE_WARP_H_
#define FERRY_TESTS_CUDA_EMULATOR_EXECUTE_WARP_H_

#include "execute/runtime.h"

/// Operands and results of the lanes that take part; the others are NULL.
typedef struct emulated_lanes {
    const void *operands[EMULATED_WARP];
    void *results[EMULATED_WARP];
    unsigned mask;
} emulated_lanes;

void emulated_collective_run(emulated_collective what, const emulated_lanes *lanes);

// One each (matrix.c): registers lie in the lanes as the PTX ISA says under "matrix fragments".
void emulated_ldmatrix_run(const emulated_lanes *lanes, int transposed);
void emulated_mma_f16_run(const emulated_lanes *lanes);
void emulated_mma_bf16_run(const emulated_lanes *lanes);
void emulated_mma_tf32_run(const emulated_lanes *lanes);
void emulated_mma_s8_run(const emulated_lanes *lanes);
void emulated_mma_f16_k8_run(const emulated_lanes *lanes);

#endif // FERRY_TESTS_CUDA_EMULATOR_EXECUTE_WARP_H_

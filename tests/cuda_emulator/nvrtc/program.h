// SPDX-License-Identifier: Apache-2.0
// The emulated compiler from within: a program and what becomes of it.
#ifndef FERRY_TESTS_CUDA_EMULATOR_NVRTC_PROGRAM_H_
#define FERRY_TESTS_CUDA_EMULATOR_NVRTC_PROGRAM_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/// Names and values of NVIDIA's NVRTC.
enum {
    NVRTC_SUCCESS = 0,
    NVRTC_ERROR_OUT_OF_MEMORY = 1,
    NVRTC_ERROR_INVALID_INPUT = 3,
    NVRTC_ERROR_INVALID_PROGRAM = 4,
    NVRTC_ERROR_INVALID_OPTION = 5,
    NVRTC_ERROR_COMPILATION = 6,
    NVRTC_ERROR_INTERNAL_ERROR = 11,
};

typedef struct emulated_header {
    char *name, *text;
} emulated_header;

typedef struct emulated_program {
    char *name, *text;
    emulated_header *headers;
    int n_headers;
    char *object; // the shared object that stands for a cubin; NULL until compiled
    size_t object_bytes;
    char *log;
    // From the options:
    int chip;                     // 87 is sm_87
    bool is_virtual, family_only; // compute_NN; sm_NNa
    char *definitions;            // "-DX=1" and so on, one a line
} emulated_program;

/// Sets chip and definitions; NVRTC_ERROR_INVALID_OPTION with the log set when NVRTC would not take one of them.
int emulated_read_options(emulated_program *program, int n_options, const char *const *options);

/// Fills object and log.
int emulated_compile(emulated_program *program);

/// Writes what follows a program: the tables of its kernels and variables, found in its preprocessed text.
void emulated_write_tables(FILE *out, const char *preprocessed, const emulated_program *program);

/// The whole file, with a NUL behind; NULL if it can't be read.
char *emulated_read_file(const char *path, size_t *out_bytes);

#endif // FERRY_TESTS_CUDA_EMULATOR_NVRTC_PROGRAM_H_

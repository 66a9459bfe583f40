// SPDX-License-Identifier: Apache-2.0
// An opened NVRTC: found by nvrtc.c, used by nvrtc_compile.c.
#ifndef FERRY_SRC_BACKEND_CUDA_NVRTC_LIBRARY_H_
#define FERRY_SRC_BACKEND_CUDA_NVRTC_LIBRARY_H_

#include "backend/cuda/nvrtc.h"

#define FERRY_NVRTC_MOST_CHIPS 64

typedef struct ferry_nvrtc_program_ *ferry_nvrtc_program;

struct ferry_nvrtc {
    void *library; // NULL: not there
    char path[256];
    int version;
    uint64_t identity;
    int chips[FERRY_NVRTC_MOST_CHIPS], n_chips; // that it makes cubins for
    int (*nvrtcVersion)(int *, int *);
    int (*nvrtcGetNumSupportedArchs)(int *);
    int (*nvrtcGetSupportedArchs)(int *);
    int (*nvrtcCreateProgram)(ferry_nvrtc_program *, const char *, const char *, int, const char *const *,
                              const char *const *);
    int (*nvrtcDestroyProgram)(ferry_nvrtc_program *);
    int (*nvrtcCompileProgram)(ferry_nvrtc_program, int, const char *const *);
    int (*nvrtcGetPTXSize)(ferry_nvrtc_program, size_t *);
    int (*nvrtcGetPTX)(ferry_nvrtc_program, char *);
    int (*nvrtcGetCUBINSize)(ferry_nvrtc_program, size_t *); // from CUDA 11.1 on; NULL: it makes PTX only
    int (*nvrtcGetCUBIN)(ferry_nvrtc_program, char *);
    int (*nvrtcGetProgramLogSize)(ferry_nvrtc_program, size_t *);
    int (*nvrtcGetProgramLog)(ferry_nvrtc_program, char *);
    const char *(*nvrtcGetErrorString)(int);
};

/// Options of every compilation, but for the chip.
const char *const *ferry_nvrtc_usual_options(const ferry_nvrtc *nvrtc, size_t *out_count);

#endif // FERRY_SRC_BACKEND_CUDA_NVRTC_LIBRARY_H_

// SPDX-License-Identifier: Apache-2.0
// NVIDIA's run-time compiler (NVRTC), opened at run time: CUDA C text to a cubin for one kind of chip.
#ifndef FERRY_SRC_BACKEND_CUDA_NVRTC_H_
#define FERRY_SRC_BACKEND_CUDA_NVRTC_H_

#include "base/diagnosis.h"
#include "base/heap.h"
#include "base/status.h"

/// A text that #include finds under `name`.
typedef struct ferry_nvrtc_header {
    const char *name, *text;
} ferry_nvrtc_header;

typedef struct ferry_nvrtc ferry_nvrtc;

/// The newest NVRTC of this machine whose CUDA is at most `most_major` (0: any) and that knows the chip (87: sm_87; 0:
/// any), opened once and kept. FERRY_ERR_UNAVAILABLE says which libraries were looked for: in the folders that
/// FERRY_LIBNVRTC names (joined with ':'; a path of the library itself is taken too), or else where the linker looks
/// and where CUDA's installers put them. Thread-safe.
ferry_status ferry_nvrtc_get(int chip, int most_major, const ferry_nvrtc **out, ferry_error *err);

/// 12090 is CUDA 12.9's.
int ferry_nvrtc_version(const ferry_nvrtc *nvrtc);
/// What decides, with a text and a chip, what it compiles to: version, library file and options. Differs from one
/// NVRTC to another.
uint64_t ferry_nvrtc_identity(const ferry_nvrtc *nvrtc);
/// Path or name that it was opened by.
const char *ferry_nvrtc_path(const ferry_nvrtc *nvrtc);

/// Compiles `text` for "sm_87" and the like. *out_code is memory of `heap`, *out_bytes long: a cubin, or of CUDA before
/// 11.1 PTX, which the driver takes in its place. Contraction to fused multiply-adds is off: kernels
/// write fmaf where they mean it. FERRY_ERR_INTERNAL carries the compiler's log: the texts are ferry's own.
/// Thread-safe.
ferry_status ferry_nvrtc_compile(const ferry_nvrtc *nvrtc, const char *text, const ferry_nvrtc_header *headers,
                                 size_t n_headers, const char *arch, const ferry_heap *heap, void **out_code,
                                 size_t *out_bytes, ferry_error *err);

/// Each version that is here, or that is and can't be used.
void ferry_nvrtc_diagnose(ferry_diagnosis *out);
/// The versions that are here, in words.
void ferry_nvrtc_describe(char *out, size_t out_bytes);

#endif // FERRY_SRC_BACKEND_CUDA_NVRTC_H_

// SPDX-License-Identifier: Apache-2.0
// Kernel texts to cubins: ferry's kernels are known to the compiler as headers. The same text is compiled once by
// a device, and by a machine as long as the result is kept on its disk (kept.h).
#ifndef FERRY_SRC_BACKEND_CUDA_COMPILE_H_
#define FERRY_SRC_BACKEND_CUDA_COMPILE_H_

#include "backend/cuda/device.h"
#include "backend/cuda/texts.h"

/// The cubin of `text` for the device's chip, owned by the device; for chips that carry text, the text itself with what
/// it includes. Thread-safe; several threads may compile at a time.
ferry_status ferry_cuda_compile(ferry_cuda_device *device, const char *text, const void **out_cubin, size_t *out_bytes,
                                ferry_error *err);
/// The same for a text that is complete in itself, out of an engine.
ferry_status ferry_cuda_compile_carried(ferry_cuda_device *device, const char *text, size_t text_bytes,
                                        const void **out_code, size_t *out_bytes, ferry_error *err);
void ferry_cuda_compile_clear(ferry_cuda_device *device);

#endif // FERRY_SRC_BACKEND_CUDA_COMPILE_H_

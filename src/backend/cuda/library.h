// SPDX-License-Identifier: Apache-2.0
// Libraries of NVIDIA's that are opened at run time: where they are looked for.
#ifndef FERRY_SRC_BACKEND_CUDA_LIBRARY_H_
#define FERRY_SRC_BACKEND_CUDA_LIBRARY_H_

#include <stdbool.h>
#include <stddef.h>

/// The folders that the environment's `variable` lists, joined with ':'; without it, where the linker looks (an empty
/// entry), and the CUDA toolkit's own.
const char *ferry_cuda_library_folders(const char *variable);

/// The path of the library of that name (an ABI name, "libnvrtc.so.12") in the list's first folder, which may be that
/// path itself; *list becomes the rest. False at its end.
bool ferry_cuda_library_next(const char **list, const char *name, char *out, size_t bytes);

#endif // FERRY_SRC_BACKEND_CUDA_LIBRARY_H_

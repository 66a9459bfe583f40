// SPDX-License-Identifier: Apache-2.0
// Handed to a program instead of the header of that name that holds the project's inline PTX. Its functions are in
// emulated.h, which every program begins with; macros have to be known while the program is preprocessed.
#pragma once

#define FERRY_INLINE static __device__ __forceinline__
#define FERRY_DYNAMIC_SHARED(type, name) type *name = static_cast<type *>(ferry_runtime->dynamic_shared)

// SPDX-License-Identifier: Apache-2.0
// For loops that compilers are to make vectors of: inputs and outputs may be the same memory, but never overlap partly.
#ifndef FERRY_SRC_BACKEND_CPU_LOOPS_H_
#define FERRY_SRC_BACKEND_CPU_LOOPS_H_

#if defined(__clang__)
#define FERRY_VECTORS _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define FERRY_VECTORS _Pragma("GCC ivdep")
#else
#define FERRY_VECTORS
#endif

#endif // FERRY_SRC_BACKEND_CPU_LOOPS_H_

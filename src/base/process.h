// SPDX-License-Identifier: Apache-2.0
// Telling a process from its children: threads and locks don't come along through fork(), and waiting for them would
// never end.
#ifndef FERRY_SRC_BASE_PROCESS_H_
#define FERRY_SRC_BASE_PROCESS_H_

#include <stdbool.h>

/// How many forks lie between the first process and this one; objects keep the number from their birth. Counting starts
/// with the first call, which may fail (0) for want of memory.
unsigned ferry_process_generation(void);

/// Whether an object of that generation was made by another process. Costs one load.
bool ferry_process_is_foreign(unsigned generation);

#endif // FERRY_SRC_BASE_PROCESS_H_

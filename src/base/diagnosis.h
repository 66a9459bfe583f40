// SPDX-License-Identifier: Apache-2.0
// What works on this machine and what does not: findings that each part of ferry adds, in words for its owner.
#ifndef FERRY_SRC_BASE_DIAGNOSIS_H_
#define FERRY_SRC_BASE_DIAGNOSIS_H_

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

typedef enum ferry_found {
    FERRY_FOUND_WORKS,
    FERRY_FOUND_ABSENT, ///< not there, which is no fault
    FERRY_FOUND_BROKEN, ///< there, and does not do what it is there for
} ferry_found;

typedef struct ferry_diagnosis {
    json_t *findings; // an array of {part, state, text, remedy}
    bool broken;      // some finding is
    bool incomplete;  // memory was gone
} ferry_diagnosis;

void ferry_diagnosis_init(ferry_diagnosis *d);
void ferry_diagnosis_deinit(ferry_diagnosis *d);
/// `part`: "GPU driver" and the like. `remedy`: what to do about it; NULL: nothing.
void ferry_diagnosis_add(ferry_diagnosis *d, const char *part, ferry_found state, const char *remedy,
                         const char *format, ...) FERRY_PRINTF(5, 6);

#endif // FERRY_SRC_BASE_DIAGNOSIS_H_

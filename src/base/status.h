// SPDX-License-Identifier: Apache-2.0
// Writing the reason of a failure on its way out.
#ifndef FERRY_SRC_BASE_STATUS_H_
#define FERRY_SRC_BASE_STATUS_H_

#include "ferry/base.h"

/// Writes the reason into `err` (NULL allowed) and returns `status`. The innermost code states the fact with both
/// numbers.
ferry_status ferry_fail(ferry_error *err, ferry_status status, const char *format, ...) FERRY_PRINTF(3, 4);

/// Puts "where: " before the text that is already in `err` and returns `status`: each outer level adds what it alone
/// knows.
ferry_status ferry_within(ferry_error *err, ferry_status status, const char *format, ...) FERRY_PRINTF(3, 4);

/// FERRY_ERR_OUT_OF_MEMORY with a standard text that names what the memory was for.
ferry_status ferry_fail_memory(ferry_error *err, const char *what);

/// Returns early on failure. Only for functions that hold nothing that must be closed.
#define FERRY_TRY(expression)                                                                                          \
    do {                                                                                                               \
        const ferry_status ferry_try_status_ = (expression);                                                           \
        if (ferry_try_status_ != FERRY_OK) return ferry_try_status_;                                                   \
    } while (0)

#endif // FERRY_SRC_BASE_STATUS_H_

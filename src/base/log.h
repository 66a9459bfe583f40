// SPDX-License-Identifier: Apache-2.0
// Formatting a line for the caller's logger, and pacing progress reports.
#ifndef FERRY_SRC_BASE_LOG_H_
#define FERRY_SRC_BASE_LOG_H_

#include "base/status.h"

/// Logs one line when `logger` wants that severity. NULL logger: nothing happens.
void ferry_log(const ferry_logger *logger, ferry_severity severity, const char *format, ...) FERRY_PRINTF(3, 4);

/// Seconds on the monotonic clock.
double ferry_clock_s(void);

/// Paces a phase's reports: begin, step as often as liked, end. Lives on the worker's stack.
typedef struct ferry_phase {
    const ferry_progress *progress; // may be NULL
    const char *name;
    uint64_t total;
    double begun_s, told_s;
    double until_s; // when the phase ends at the latest, done or not; 0: not known
} ferry_phase;

/// Each returns FERRY_ERR_CANCELLED (with text) when the callback asked to stop.
ferry_status ferry_phase_begin(ferry_phase *phase, const ferry_progress *progress, const char *name, uint64_t total,
                               ferry_error *err);
ferry_status ferry_phase_step(ferry_phase *phase, uint64_t done, ferry_error *err);
ferry_status ferry_phase_end(ferry_phase *phase, ferry_error *err);

#endif // FERRY_SRC_BASE_LOG_H_

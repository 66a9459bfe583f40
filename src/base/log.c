// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define REPORT_INTERVAL_S 0.1

void ferry_log(const ferry_logger *logger, ferry_severity severity, const char *format, ...)
{
    if (!logger || !logger->log || severity > logger->most) return;
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    logger->log(logger->user, severity, text);
}

double ferry_clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ferry_status tell(ferry_phase *phase, uint64_t done, ferry_error *err)
{
    if (!phase->progress || !phase->progress->update) return FERRY_OK;
    const double now = ferry_clock_s(), elapsed = now - phase->begun_s;
    double left = done && phase->total >= done ? elapsed * (double)(phase->total - done) / (double)done : -1;
    if (phase->until_s > 0 && (left < 0 || left > phase->until_s - now)) left = phase->until_s - now;
    if (phase->until_s > 0 && left < 0) left = 0;
    phase->told_s = now;
    const ferry_progress_report report = {
        .phase = phase->name,
        .done = done,
        .total = phase->total,
        .elapsed_s = elapsed,
        .remaining_s = left,
    };
    if (phase->progress->update(phase->progress->user, &report) == 0) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_CANCELLED, "cancelled during '%s' after %llu of %llu", phase->name,
                      (unsigned long long)done, (unsigned long long)phase->total);
}

ferry_status ferry_phase_begin(ferry_phase *phase, const ferry_progress *progress, const char *name, uint64_t total,
                               ferry_error *err)
{
    *phase = (ferry_phase){.progress = progress, .name = name, .total = total, .begun_s = ferry_clock_s()};
    return tell(phase, 0, err);
}

ferry_status ferry_phase_step(ferry_phase *phase, uint64_t done, ferry_error *err)
{
    if (ferry_clock_s() - phase->told_s < REPORT_INTERVAL_S) return FERRY_OK;
    return tell(phase, done, err);
}

ferry_status ferry_phase_end(ferry_phase *phase, ferry_error *err)
{
    return tell(phase, phase->total, err);
}

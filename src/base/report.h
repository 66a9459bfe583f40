// SPDX-License-Identifier: Apache-2.0
// A list of findings, for stages that can go on after a problem: a model with ten unsupported layers deserves ten
// lines.
#ifndef FERRY_SRC_BASE_REPORT_H_
#define FERRY_SRC_BASE_REPORT_H_

#include "base/arena.h"
#include "base/status.h"

typedef struct ferry_finding {
    ferry_severity severity;
    const char *subject; // e.g. "node 'conv1' (Conv)"; owned by the report's arena, never NULL
    const char *text;    // what is wrong, and what would help
} ferry_finding;

typedef struct ferry_report {
    ferry_arena arena;
    ferry_finding *findings;
    size_t count, capacity;
    size_t error_count;
    bool out_of_memory; // a finding was lost: the report still counts it in error_count
} ferry_report;

void ferry_report_init(ferry_report *report, const ferry_heap *heap);
void ferry_report_deinit(ferry_report *report);

/// Appends a finding. NULL report: nothing happens.
void ferry_report_add(ferry_report *report, ferry_severity severity, const char *subject, const char *format, ...)
    FERRY_PRINTF(4, 5);

/// FERRY_OK when the report holds no error; else `status`, with the first errors (as many as fit, one a line) in `err`.
ferry_status ferry_report_status(const ferry_report *report, ferry_status status, ferry_error *err);

#endif // FERRY_SRC_BASE_REPORT_H_

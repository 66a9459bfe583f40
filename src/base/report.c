// SPDX-License-Identifier: Apache-2.0
#include "base/report.h"

#include <stdio.h>

void ferry_report_init(ferry_report *report, const ferry_heap *heap)
{
    *report = (ferry_report){0};
    ferry_arena_init(&report->arena, heap);
}

void ferry_report_deinit(ferry_report *report)
{
    if (!report->arena.heap) return;
    ferry_heap_free(report->arena.heap, report->findings, report->capacity * sizeof *report->findings);
    const ferry_heap *heap = report->arena.heap;
    ferry_arena_deinit(&report->arena);
    ferry_report_init(report, heap);
}

void ferry_report_add(ferry_report *report, ferry_severity severity, const char *subject, const char *format, ...)
{
    if (!report) return;
    if (severity == FERRY_SEVERITY_ERROR) report->error_count++;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const ferry_finding f = {
        .severity = severity,
        .subject = ferry_arena_strdup(&report->arena, subject ? subject : ""),
        .text = ferry_arena_strdup(&report->arena, text),
    };
    void *findings = report->findings;
    if (!f.subject || !f.text ||
        !ferry_heap_reserve(report->arena.heap, &findings, &report->capacity, sizeof f, report->count + 1)) {
        report->out_of_memory = true;
        return;
    }
    report->findings = findings;
    report->findings[report->count++] = f;
}

ferry_status ferry_report_status(const ferry_report *report, ferry_status status, ferry_error *err)
{
    if (report->error_count == 0) return report->out_of_memory ? ferry_fail_memory(err, "a report") : FERRY_OK;
    if (!err) return status;
    size_t used = 0, shown = 0;
    for (size_t i = 0; i < report->count && used + 160 < sizeof err->text; i++) {
        const ferry_finding *f = &report->findings[i];
        if (f->severity != FERRY_SEVERITY_ERROR) continue;
        const int n = snprintf(err->text + used, sizeof err->text - used, "%s%s%s%s", shown ? "\n" : "", f->subject,
                               f->subject[0] ? ": " : "", f->text);
        if (n < 0) break;
        used += (size_t)n;
        if (used >= sizeof err->text) used = sizeof err->text - 1;
        shown++;
    }
    if (shown < report->error_count && used + 1 < sizeof err->text)
        snprintf(err->text + used, sizeof err->text - used, "%s(and %zu more)", shown ? "\n" : "",
                 report->error_count - shown);
    return status;
}

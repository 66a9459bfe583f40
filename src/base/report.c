// SPDX-License-Identifier: Apache-2.0
#include "base/report.h"

#include <stdio.h>
#include <string.h>

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

// A text that was shown already: fifty nodes with one unknown operator should not hide the next operator.
static bool is_repeated(const ferry_report *report, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (report->findings[i].severity == FERRY_SEVERITY_ERROR &&
            strcmp(report->findings[i].text, report->findings[index].text) == 0)
            return true;
    return false;
}

ferry_status ferry_report_status(const ferry_report *report, ferry_status status, ferry_error *err)
{
    if (report->error_count == 0) return report->out_of_memory ? ferry_fail_memory(err, "a report") : FERRY_OK;
    if (!err) return status;
    const size_t room = sizeof err->text - 40; // the rest is for the last line
    size_t used = 0, shown = 0;
    err->text[0] = 0;
    for (size_t i = 0; i < report->count && used + 120 < room; i++) {
        const ferry_finding *f = &report->findings[i];
        if (f->severity != FERRY_SEVERITY_ERROR || is_repeated(report, i)) continue;
        const int n = snprintf(err->text + used, room - used, "%s%s%s%s", shown ? "\n" : "", f->subject,
                               f->subject[0] ? ": " : "", f->text);
        if (n < 0) break;
        used += (size_t)n;
        if (used >= room) used = room - 1;
        shown++;
    }
    if (shown < report->error_count)
        snprintf(err->text + used, sizeof err->text - used, "%s(and %zu more)", shown ? "\n" : "",
                 report->error_count - shown);
    return status;
}

// SPDX-License-Identifier: Apache-2.0
#include "base/diagnosis.h"

#include <stdarg.h>
#include <stdio.h>

void ferry_diagnosis_init(ferry_diagnosis *d)
{
    *d = (ferry_diagnosis){.findings = json_array()};
    d->incomplete = !d->findings;
}

void ferry_diagnosis_deinit(ferry_diagnosis *d)
{
    json_decref(d->findings);
    *d = (ferry_diagnosis){0};
}

void ferry_diagnosis_add(ferry_diagnosis *d, const char *part, ferry_found state, const char *remedy,
                         const char *format, ...)
{
    static const char *const states[] = {"works", "absent", "broken"};
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    // Names of devices and files may hold anything; JSON is UTF-8.
    json_t *words = json_string(text);
    if (!words) words = json_string("(a text that is no UTF-8)");
    json_t *finding =
        json_pack("{s:s, s:s, s:o, s:s?}", "part", part, "state", states[state], "text", words, "remedy", remedy);
    if (json_array_append_new(d->findings, finding) != 0) d->incomplete = true;
    d->broken |= state == FERRY_FOUND_BROKEN;
}

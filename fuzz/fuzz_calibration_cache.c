// SPDX-License-Identifier: Apache-2.0
// Calibration caches come from other tools and from editors. What is accepted must be written and read back the same.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ferry_scale_table table, again;
    ferry_report report;
    ferry_cache_header header, same;
    ferry_error err;
    char *text = NULL;
    ferry_scale_table_init(&table, ferry_heap_default());
    ferry_scale_table_init(&again, ferry_heap_default());
    ferry_report_init(&report, ferry_heap_default());
    // A name may hold a CR, which can be read but not written.
    if (ferry_cache_parse((const char *)data, size, "input", &table, &header, &report, &err) == FERRY_OK &&
        ferry_cache_text(&table, &header, NULL, &text, &err) == FERRY_OK) {
        if (ferry_cache_parse(text, strlen(text), "written", &again, &same, NULL, &err) != FERRY_OK) abort();
        if (again.count != table.count || memcmp(&header, &same, sizeof same) != 0) abort();
        for (size_t i = 0; i < table.count; i++)
            if (strcmp(table.entries[i].name, again.entries[i].name) != 0 ||
                table.entries[i].scale != again.entries[i].scale)
                abort();
    }
    ferry_text_free(NULL, text);
    ferry_report_deinit(&report);
    ferry_scale_table_deinit(&again);
    ferry_scale_table_deinit(&table);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Label files are text or JSON in whatever encoding; what is read must come back the same.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ferry/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ferry_labels *labels = NULL, *again = NULL;
    ferry_error error;
    char *text = NULL;
    // A block of the input's own size, so that one byte too far is seen.
    char *copy = malloc(size ? size : 1);
    if (!copy) abort();
    if (size > 0) memcpy(copy, data, size);
    const ferry_status s = ferry_labels_parse(copy, size, NULL, &labels, &error);
    free(copy);
    if (s != FERRY_OK) return 0;
    if (ferry_labels_to_text(labels, NULL, &text, &error) != FERRY_OK) abort();
    if (ferry_labels_parse(text, strlen(text), NULL, &again, &error) != FERRY_OK) abort();
    if (ferry_labels_count(again) != ferry_labels_count(labels)) abort();
    for (size_t i = 0; i < ferry_labels_count(labels); i++) {
        const char *a = ferry_labels_get(labels, (int64_t)i), *b = ferry_labels_get(again, (int64_t)i);
        if (!a != !b || (a && strcmp(a, b) != 0)) abort();
    }
    ferry_text_free(NULL, text);
    ferry_labels_destroy(again);
    ferry_labels_destroy(labels);
    return 0;
}

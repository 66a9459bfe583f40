// SPDX-License-Identifier: Apache-2.0
// What `ferry inspect` shares with its HTML report.
#ifndef FERRY_TOOLS_INSPECT_H_
#define FERRY_TOOLS_INSPECT_H_

#include <jansson.h>

#include "cli.h"

/// The text of a member, "" where there is none.
const char *cli_json_text(const json_t *object, const char *key);
/// "1x3x224x224" of a list of dimensions; '?' where one is open. Returns `text`.
char *cli_json_shape(const json_t *dims, char *text, size_t capacity);
/// Writes the report of a description (ferry_engine_describe's JSON).
int cli_write_report(const char *path, const char *title, const json_t *described);

#endif // FERRY_TOOLS_INSPECT_H_

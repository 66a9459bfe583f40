// SPDX-License-Identifier: Apache-2.0
// The two ways of `ferry run`: on pictures, and on raw tensors.
#ifndef FERRY_TOOLS_RUN_H_
#define FERRY_TOOLS_RUN_H_

#include "cli.h"

/// Runs on --input tensors and writes or lists the outputs.
int cli_run_tensors(const cli_settings *settings, const cli_session *session);
/// FOLDER/NAME.npy for each ('/' and ':' become '_') and FOLDER/names.json.
int cli_write_outputs(const char *folder, const ferry_tensor_view *outputs, size_t count);
int cli_make_folder(const char *path);

#endif // FERRY_TOOLS_RUN_H_

// SPDX-License-Identifier: Apache-2.0
// The pictures that `ferry eval` runs on, and which of them are left out.
#ifndef FERRY_TOOLS_EVAL_H_
#define FERRY_TOOLS_EVAL_H_

#include "cli.h"

typedef struct cli_eval_item {
    char *path;         // owned
    int64_t true_class; // of classifiers
} cli_eval_item;

typedef struct cli_eval_set {
    cli_eval_item *items;
    size_t count, capacity;
    size_t excluded; // left out since calibration uses them
} cli_eval_set;

/// The pictures that options name: of a labels CSV or a folder, less those of --exclude-calib, then --count of them.
/// CLI_OK or an exit status. cli_eval_set_close in any case.
int cli_eval_set_open(cli_eval_set *set, const cli_settings *settings);
/// Keeps `count` of them (0: all), evenly spread, since collections are often sorted by class.
void cli_eval_set_spread(cli_eval_set *set, size_t count);
void cli_eval_set_close(cli_eval_set *set);
int cli_eval_set_add(cli_eval_set *set, const char *path, int64_t true_class);
/// Adds the pictures of a CSV with a header and the columns 'file' (relative to the CSV) and 'class_index'.
int cli_eval_read_csv(cli_eval_set *set, const char *path);

/// The figure that the options ask for, 0..1: top-1, mAP@0.5 or mIoU. CLI_OK or an exit status.
int cli_eval_figure(const cli_settings *settings, const cli_session *session, double *out_figure);

#endif // FERRY_TOOLS_EVAL_H_

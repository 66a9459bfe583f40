// SPDX-License-Identifier: Apache-2.0
// What every subcommand of the ferry command shares. Like any program, it uses the public API only.
#ifndef FERRY_TOOLS_CLI_H_
#define FERRY_TOOLS_CLI_H_

#include <stdbool.h>

#include "ferry/ferry.h"

/// Exit statuses: 0 done, 1 failed, 2 wrong usage.
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

enum { CLI_MOST_ITEMS = 64 };

/// A tensor file for an input: NAME=F.npy.
typedef struct cli_pair {
    const char *name, *value;
} cli_pair;

/// Everything that options can set. Zero means "not given".
typedef struct cli_settings {
    // Engine and device.
    const char *output, *device, *plan, *name;
    bool gpu_fallback, fp16, bf16, int8, best, strip_portable, no_fusion, verify;
    const char *layer_precisions[CLI_MOST_ITEMS], *disabled_passes[CLI_MOST_ITEMS];
    size_t n_layer_precisions, n_disabled_passes;
    cli_pair shapes[CLI_MOST_ITEMS], min_shapes[CLI_MOST_ITEMS], opt_shapes[CLI_MOST_ITEMS], max_shapes[CLI_MOST_ITEMS];
    size_t n_shapes, n_min_shapes, n_opt_shapes, n_max_shapes;
    cli_pair metadata[CLI_MOST_ITEMS];
    size_t n_metadata;
    uint64_t workspace, ram;
    const char *timing_cache;
    int threads;
    // Calibration.
    ferry_calibration_options calibration;
    const char *plan_output;
    // Pictures.
    const char *preprocess;
    cli_pair preprocess_settings[CLI_MOST_ITEMS]; // in the order given, for ferry_preprocess_set
    size_t n_preprocess_settings;
    // Results.
    const char *task, *labels, *decoder, *draw, *output_folder;
    int class_offset; // -1: not given
    double score_threshold, nms_iou;
    int max_det, top_k;
    cli_pair inputs[CLI_MOST_ITEMS];
    size_t n_inputs;
    // Measuring.
    int iterations, warm_up_ms, duration_s, streams;
    const char *labels_csv, *images, *coco, *masks;
    bool per_layer, dump_profile;
    bool calibration_others;
    const char *html;
    // Everywhere.
    bool json, quiet, verbose, help;
} cli_settings;

/// An option's row: help, man pages, completion and parsing are made from it.
typedef struct cli_option {
    const char *name;     // without "--"; NULL ends a list
    char letter;          // 0: none
    const char *argument; // its placeholder in help; NULL: a flag
    const char *help;
    /// Stores `value` (NULL for a flag). The reason of a refusal goes into `err`, without the option's name.
    ferry_status (*take)(cli_settings *settings, const char *value, ferry_error *err);
} cli_option;

typedef struct cli_group {
    const char *title;
    const cli_option *options;
} cli_group;

typedef struct cli_command {
    const char *name, *arguments, *summary;
    const char *description;             // paragraphs, separated by "\n\n"
    const cli_group *const *groups;      // NULL ends the list
    int least_arguments, most_arguments; // most -1: any number
    int (*run)(const cli_settings *settings, int argc, char **argv);
    const char *examples; // lines; NULL: none
} cli_command;

/// The subcommands; NULL beyond the end.
const cli_command *cli_command_at(size_t index);

extern const cli_group cli_group_build, cli_group_shapes, cli_group_calibrate, cli_group_pictures, cli_group_results,
    cli_group_tensors, cli_group_device, cli_group_measure, cli_group_eval, cli_group_compare, cli_group_common,
    cli_group_engine, cli_group_inspect, cli_group_calibrate_output;

/// Parses; CLI_OK, or CLI_USAGE after having said why. *out_argv are the words that are no options.
int cli_parse(const cli_command *command, int argc, char **argv, cli_settings *settings, int *out_argc,
              char ***out_argv);

void cli_print_help(const cli_command *command); // NULL: of the whole program

// --- Talking to a person (terminal.c) ------------------------------------------------------------------------------

/// "ferry: error: …" on stderr; returns CLI_FAILED.
int cli_fail(const char *format, ...) FERRY_PRINTF(1, 2);
/// The same with "try 'ferry COMMAND --help'"; returns CLI_USAGE.
int cli_usage(const char *command, const char *format, ...) FERRY_PRINTF(2, 3);
const ferry_logger *cli_logger(const cli_settings *settings);
/// A bar on a terminal, plain lines otherwise; it also asks for a stop after Ctrl-C.
const ferry_progress *cli_progress(const cli_settings *settings);
/// True after Ctrl-C or a termination signal.
bool cli_interrupted(void);
void cli_catch_signals(void);

// --- Engines and pictures (session.c) ------------------------------------------------------------------------------

/// An engine to run: loaded from a file, or built in memory from a model.
typedef struct cli_session {
    ferry_runtime *runtime;
    ferry_engine *engine;
    ferry_stream *stream;
    ferry_context *context;
    bool built; // in memory, from a model file
} cli_session;

/// CLI_OK, or the exit status after having said why. cli_session_close in any case.
int cli_session_open(cli_session *session, const cli_settings *settings, const char *path);
void cli_session_close(cli_session *session);
int cli_runtime_open(const cli_settings *settings, ferry_runtime **out);
/// Builds from a model file; `for_file` is false when the engine is only to be run at once.
int cli_build_engine(const cli_settings *settings, ferry_runtime *runtime, const char *model, ferry_engine **out);
/// Whether the file begins as an engine does.
bool cli_is_engine(const char *path);

/// What turns pictures into inputs and outputs into results: from the engine, changed by options.
typedef struct cli_vision {
    ferry_preprocess preprocess;
    ferry_preprocessor *preprocessor;
    ferry_decoder *decoder; // NULL for the raw task
    ferry_labels *labels;   // NULL: none
    ferry_result *result;
    ferry_decode_options decode;
    ferry_task task;
    // Host memory of one inference.
    void **buffers;             // [bindings]
    size_t *bytes;              // [bindings]
    ferry_tensor_view *outputs; // [outputs]
    int32_t n_inputs, n_outputs;
} cli_vision;

int cli_vision_open(cli_vision *vision, const cli_session *session, const cli_settings *settings);
void cli_vision_close(cli_vision *vision);
/// Reads, preprocesses, runs and decodes one picture. `out_picture` may be NULL; else it is the caller's to deinit.
ferry_status cli_vision_run(cli_vision *vision, const cli_session *session, const char *path,
                            ferry_picture *out_picture, ferry_preprocess_geometry *out_geometry, ferry_error *err);
/// Preprocessing as the options (and, below them, `stored` JSON) say. CLI_OK or an exit status.
int cli_preprocess(const cli_settings *settings, const char *stored, ferry_preprocess *out, bool *out_given);

int cli_build(const cli_settings *settings, int argc, char **argv);
int cli_run(const cli_settings *settings, int argc, char **argv);
int cli_bench(const cli_settings *settings, int argc, char **argv);
int cli_calibrate(const cli_settings *settings, int argc, char **argv);
int cli_inspect(const cli_settings *settings, int argc, char **argv);
int cli_compare(const cli_settings *settings, int argc, char **argv);
int cli_eval(const cli_settings *settings, int argc, char **argv);
int cli_check(const cli_settings *settings, int argc, char **argv);
int cli_devices(const cli_settings *settings, int argc, char **argv);

#endif // FERRY_TOOLS_CLI_H_

// SPDX-License-Identifier: Apache-2.0
// What every subcommand of the ferry command shares. Like any program, it uses the public API only.
#ifndef FERRY_TOOLS_CLI_H_
#define FERRY_TOOLS_CLI_H_

#include <jansson.h>
#include <stdbool.h>

#include "ferry/ferry.h"

/// Exit statuses: 0 done, 1 failed, 2 wrong usage.
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

enum { CLI_MOST_ITEMS = 64, CLI_MOST_GIVEN = 128 };

/// A tensor file for an input: NAME=F.npy.
typedef struct cli_pair {
    const char *name, *value;
} cli_pair;

/// Everything that options can set. Zero means "not given".
typedef struct cli_settings {
    // Engine and device.
    const char *output, *device, *target, *plan, *name;
    bool gpu_fallback, fp16, bf16, int8, best, strip_portable, no_fusion, no_winograd, low_memory, no_timing;
    bool int8_symmetric, tf32, own_tactics, no_fp16_guard, verify;
    cli_pair layer_precisions[CLI_MOST_ITEMS]; // glob and type
    const char *disabled_passes[CLI_MOST_ITEMS];
    size_t n_layer_precisions, n_disabled_passes;
    cli_pair shapes[CLI_MOST_ITEMS], min_shapes[CLI_MOST_ITEMS], opt_shapes[CLI_MOST_ITEMS], max_shapes[CLI_MOST_ITEMS];
    size_t n_shapes, n_min_shapes, n_opt_shapes, n_max_shapes;
    cli_pair metadata[CLI_MOST_ITEMS];
    size_t n_metadata;
    uint64_t workspace, ram;
    double build_seconds; // 0: not given
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
    int class_offset;       // -1: not given
    double score_threshold; // -1: not given
    double nms_iou;
    int max_det, top_k;
    cli_pair inputs[CLI_MOST_ITEMS];
    size_t n_inputs;
    // Measuring.
    int iterations, streams;
    int warm_up_ms;    // -1: not given
    double duration_s; // -1: not given
    bool dump_profile;
    const char *labels_csv, *images, *coco, *masks, *exclude_calib;
    int count;
    double max_drop; // -1: not given; in points (hundredths of the figure)
    const char *metric;
    bool per_layer;
    int worst;
    const char *html;
    bool passes;
    // Everywhere.
    bool json, quiet, verbose, help;
    const struct cli_command *command;
    // The options that were given, each once.
    const struct cli_option *given[CLI_MOST_GIVEN];
    size_t n_given;
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
    bool builds; // about building from a model: refused where the file is an engine already
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

extern const cli_group cli_group_accuracy, cli_group_build, cli_group_shapes, cli_group_calibrate, cli_group_pictures,
    cli_group_pictures_build, cli_group_results, cli_group_run, cli_group_device, cli_group_load, cli_group_measure,
    cli_group_eval, cli_group_compare, cli_group_common, cli_group_engine, cli_group_inspect, cli_group_calibrate_run;

/// Parses; CLI_OK, or CLI_USAGE after having said why. *out_argv are the words that are no options.
int cli_parse(const cli_command *command, int argc, char **argv, cli_settings *settings, int *out_argc,
              char ***out_argv);

/// Whether an option was given, by its name.
bool cli_given(const cli_settings *settings, const char *name);
/// Refuses options that contradict each other, or that do nothing without another. CLI_OK or CLI_USAGE.
int cli_check_rules(const cli_command *command, const cli_settings *settings);
/// Refuses options about building, since `path` is an engine. CLI_OK or CLI_USAGE.
int cli_refuse_build_options(const cli_settings *settings, const char *path);

void cli_print_help(const cli_command *command); // NULL: of the whole program
void cli_print_man(const cli_command *command);  // likewise, as a manual page
void cli_print_completion(void);                 // for bash

// --- Talking to a person (terminal.c) ------------------------------------------------------------------------------

/// "ferry: error: …" on stderr; returns CLI_FAILED.
int cli_fail(const char *format, ...) FERRY_PRINTF(1, 2);
/// The same with "try 'ferry COMMAND --help'"; returns CLI_USAGE.
int cli_usage(const char *command, const char *format, ...) FERRY_PRINTF(2, 3);
/// cli_fail with a library call's reason; a call that Ctrl-C stopped has "interrupted".
int cli_fail_with(ferry_status status, const ferry_error *err);
/// "ferry: warning: …" on stderr, unless --quiet.
void cli_warn(const cli_settings *settings, const char *format, ...) FERRY_PRINTF(2, 3);
/// Prints `json` (which it releases) as one line.
int cli_print_json(json_t *json);
/// Says early that a file can't be written there, before long work whose result it is to hold. CLI_OK or CLI_FAILED.
int cli_check_output(const char *path);
double cli_now_s(void);
/// The file's name in this folder with another ending, to be freed; NULL without memory.
char *cli_sibling_name(const char *path, const char *ending);
const ferry_logger *cli_logger(const cli_settings *settings);
/// A bar on a terminal, plain lines otherwise; it also asks for a stop after Ctrl-C.
const ferry_progress *cli_progress(const cli_settings *settings);
/// Progress of work that the command does itself.
typedef struct cli_phase {
    const ferry_progress *progress;
    ferry_progress_report report;
    double begun_s, next_s;
} cli_phase;
void cli_phase_begin(cli_phase *phase, const cli_settings *settings, const char *name, uint64_t total);
/// CLI_OK, or CLI_FAILED after "interrupted".
int cli_phase_step(cli_phase *phase, uint64_t done);
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
/// The same in two steps: the runtime, then the engine and its context.
int cli_session_begin(cli_session *session, const cli_settings *settings, const char *path);
int cli_session_load(cli_session *session, const cli_settings *settings, const char *path);
void cli_session_close(cli_session *session);
int cli_runtime_open(const cli_settings *settings, ferry_runtime **out);
/// Stream and context for an engine that the session has got already.
int cli_session_start(cli_session *session, const cli_settings *settings);
int cli_network_open(const cli_settings *settings, const char *model, ferry_network **out);
/// Builds from a model file.
int cli_build_engine(const cli_settings *settings, ferry_runtime *runtime, const char *model, ferry_engine **out);
/// Whether the file begins as an engine does.
bool cli_is_engine(const char *path);
int cli_refuse_empty(const char *path);

/// Host memory for every input and output at the context's present shapes.
typedef struct cli_buffers {
    void **data;                // [inputs, then outputs]
    size_t *bytes;              // likewise: capacity
    ferry_tensor_view *views;   // likewise
    ferry_tensor_view *outputs; // views + n_inputs
    int32_t n_inputs, n_outputs;
} cli_buffers;

int cli_buffers_open(cli_buffers *buffers, const cli_session *session); // cli_buffers_close in any case
void cli_buffers_close(cli_buffers *buffers);
/// After input shapes were chosen: memory is grown where need be.
ferry_status cli_buffers_fit(cli_buffers *buffers, const cli_session *session, ferry_error *err);
/// One inference; afterwards the outputs' views have the shapes that the data decided.
ferry_status cli_buffers_run(cli_buffers *buffers, const cli_session *session, ferry_error *err);
/// Takes the shapes that outputs have after a run.
ferry_status cli_buffers_take_shapes(cli_buffers *buffers, const cli_session *session, ferry_error *err);
/// Reads the inputs from the .npy files of --input, which also choose the shapes. CLI_OK or an exit status.
int cli_buffers_load(cli_buffers *buffers, const cli_session *session, const cli_settings *settings);

/// What ferry_build and ferry_calibrate are asked for, with the memory that it points into. Large: keep it off the
/// stack.
typedef struct cli_build_request {
    ferry_build_options options;
    ferry_profile_shape shapes[CLI_MOST_ITEMS];
    ferry_layer_precision layer_precisions[CLI_MOST_ITEMS];
    ferry_text_pair metadata[CLI_MOST_ITEMS];
    char preprocess[1024];
    char *labels, *plan;
} cli_build_request;

/// CLI_OK, or the exit status after having said why. cli_build_request_close in any case.
int cli_build_request_open(cli_build_request *request, const cli_settings *settings, ferry_runtime *runtime,
                           const ferry_network *network);
void cli_build_request_close(cli_build_request *request);
/// Shapes of dynamic inputs; `out` has room for CLI_MOST_ITEMS.
ferry_status cli_collect_shapes(const cli_settings *settings, ferry_profile_shape *out, size_t *out_count,
                                ferry_error *err);

/// Names of classes: --labels, else the engine's; NULL without either.
int cli_open_labels(const cli_settings *settings, ferry_engine *engine, ferry_labels **out);
/// What the outputs mean; NULL where they stay raw tensors.
int cli_choose_decoder(const cli_settings *settings, ferry_engine *engine, ferry_decoder **out);
/// Keeps what the outputs mean in the engine.
int cli_store_decoder(const cli_settings *settings, ferry_engine *engine);

/// What turns pictures into inputs and outputs into results: from the engine, changed by options.
typedef struct cli_vision {
    ferry_preprocess preprocess;
    ferry_preprocessor *preprocessor;
    ferry_feeder *feeder; // NULL: pictures are preprocessed on the host
    void **on_device;     // [bindings]: where the feeder's inference reads and writes
    size_t *on_device_bytes;
    ferry_decoder *decoder; // NULL for the raw task
    ferry_labels *labels;   // NULL: none
    ferry_result *result;
    ferry_decode_options decode;
    ferry_task task;
    cli_buffers buffers;
} cli_vision;

int cli_vision_open(cli_vision *vision, const cli_session *session, const cli_settings *settings);
void cli_vision_close(cli_vision *vision, const cli_session *session);
/// Preprocesses a picture into the input's buffer, and sets the context's shape where it follows the picture.
ferry_status cli_vision_feed(cli_vision *vision, const cli_session *session, const ferry_picture *picture,
                             ferry_preprocess_geometry *out_geometry, ferry_error *err);
/// Chooses the context's shape where it follows the picture, and makes buffers of that size.
ferry_status cli_vision_fit(cli_vision *vision, const cli_session *session, const ferry_picture *picture,
                            ferry_preprocess_geometry *out_geometry, ferry_error *err);
/// Where the engine preprocesses on a device: makes vision->feeder. Elsewhere it stays NULL.
ferry_status cli_vision_open_feeder(cli_vision *vision, const cli_session *session, ferry_error *err);
void cli_vision_close_feeder(cli_vision *vision, const cli_session *session);
/// Preprocesses and runs one picture on the device; the outputs are in vision->buffers then.
ferry_status cli_vision_run_on_device(cli_vision *vision, const cli_session *session, const ferry_picture *picture,
                                      ferry_preprocess_geometry *out_geometry, ferry_error *err);
/// Preprocesses, runs and decodes one picture into vision->result.
ferry_status cli_vision_run(cli_vision *vision, const cli_session *session, const ferry_picture *picture,
                            ferry_error *err);
/// Preprocessing as the options (and, below them, `stored` JSON) say. CLI_OK or an exit status.
int cli_preprocess(const cli_settings *settings, const char *stored, ferry_preprocess *out, bool *out_given);

/// What lower precision cost.
typedef struct cli_drop {
    const char *metric;
    double reference, got; // in FP32, and of the engine
    json_t *kept;          // names of the tensors kept in float for it; the caller's to release
} cli_drop;

/// Builds with no larger drop of accuracy than settings->max_drop, or says by how much it is missed.
int cli_build_within_drop(const cli_settings *settings, ferry_runtime *runtime, const char *model, ferry_engine **out,
                          cli_drop *out_drop);

int cli_build(const cli_settings *settings, int argc, char **argv);
int cli_run(const cli_settings *settings, int argc, char **argv);
int cli_bench(const cli_settings *settings, int argc, char **argv);
int cli_calibrate(const cli_settings *settings, int argc, char **argv);
int cli_inspect(const cli_settings *settings, int argc, char **argv);
int cli_compare(const cli_settings *settings, int argc, char **argv);
int cli_eval(const cli_settings *settings, int argc, char **argv);
int cli_check(const cli_settings *settings, int argc, char **argv);
int cli_doctor(const cli_settings *settings, int argc, char **argv);
int cli_devices(const cli_settings *settings, int argc, char **argv);

#endif // FERRY_TOOLS_CLI_H_

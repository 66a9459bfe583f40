// SPDX-License-Identifier: Apache-2.0
// What the files of `ferry bench` share.
#ifndef FERRY_TOOLS_BENCH_H_
#define FERRY_TOOLS_BENCH_H_

#include "cli.h"

/// Sets of inputs that a lane's inferences take in turn, so that they don't find their input in the processor's cache
/// where a real program's would not be.
enum { CLI_BENCH_SETS = 8 };

/// The picture whose preprocessing is timed.
enum { CLI_BENCH_PICTURE_WIDTH = 1920, CLI_BENCH_PICTURE_HEIGHT = 1080 };

typedef struct cli_bench_lane {
    ferry_stream *stream;
    ferry_context *context;
    void **buffers; // [CLI_BENCH_SETS][n_bindings], memory to bind; outputs have the first set's only
    size_t *bytes;  // [n_bindings]
    int32_t n_bindings, n_inputs;
    size_t runs;
} cli_bench_lane;

typedef struct cli_bench_times {
    double *ms; // to be freed
    size_t count, capacity;
} cli_bench_times;

/// By the device's own clock: inputs to the device, the run, outputs from it. Empty where the device is the host, and
/// the copies where it uses the host's memory.
typedef struct cli_bench_device_times {
    cli_bench_times h2d, compute, d2h;
    cli_bench_times preprocess; // of a picture in the device's memory; empty where engine or device can't
} cli_bench_device_times;

/// Of a GPU; 0: not readable.
typedef struct cli_bench_sensors {
    unsigned sm_mhz, memory_mhz, milliwatts, celsius;
} cli_bench_sensors;

/// Makes the engine ready to run. cli_bench_lane_close in any case. CLI_OK or an exit status.
int cli_bench_lane_open(const cli_settings *settings, const cli_session *session, cli_bench_lane *lane);
/// Makes and binds inputs and outputs.
int cli_bench_lane_fill(const cli_session *session, cli_bench_lane *lane);
/// Queues an inference on the next set of inputs.
ferry_status cli_bench_lane_enqueue(cli_bench_lane *lane, ferry_error *err);
void cli_bench_lane_close(const cli_session *session, cli_bench_lane *lane);

/// Runs all lanes at once, one inference at a time on each, for so long and at least so often in all. What each
/// inference took, and its enqueuing, is added to `latencies` and `enqueues`, which may be NULL. CLI_OK or an exit
/// status.
int cli_bench_measure(cli_bench_lane *lanes, int n, double seconds, size_t least, cli_bench_times *latencies,
                      cli_bench_times *enqueues, double *out_s);

/// False when memory is gone.
bool cli_bench_add_time(cli_bench_times *times, double ms);
/// Times a lane on a device apart for so long; does nothing where the device is the host. The times are to be freed in
/// any case.
int cli_bench_on_device(const cli_session *session, cli_bench_lane *lane, double seconds, cli_bench_device_times *out);
/// Adds out->preprocess.
int cli_bench_preprocess(const cli_session *session, cli_bench_lane *lane, cli_bench_device_times *out);
void cli_bench_device_times_free(cli_bench_device_times *times);
/// False where there is no such GPU, or nothing to ask.
bool cli_bench_read_sensors(unsigned gpu, cli_bench_sensors *out);
/// The same from a board's own files.
bool cli_bench_read_board(cli_bench_sensors *out);

/// What the device's memory went to between two looks at it, in bytes.
typedef struct cli_bench_device_memory {
    bool known;                                       // false where the device is the host
    uint64_t taken;                                   // by all, as the driver sees it
    uint64_t weights, kernels, activations, bindings; // as ferry counts them
} cli_bench_device_memory;
/// Bytes of the device that are free now; 0 where the device is the host.
uint64_t cli_bench_free_memory(const cli_session *session);
/// What the lanes and their engine hold, after `free_before`.
void cli_bench_count_memory(const cli_session *session, const cli_bench_lane *lanes, int n, uint64_t free_before,
                            cli_bench_device_memory *out);

/// Most memory of this process that was ever resident, or what is now, in MB; 0 where the system doesn't tell.
double cli_bench_peak_memory_mb(void);
double cli_bench_memory_mb(void);

#endif // FERRY_TOOLS_BENCH_H_

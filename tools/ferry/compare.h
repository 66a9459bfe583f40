// SPDX-License-Identifier: Apache-2.0
// How far two tensors lie apart, and the record of every tensor for `ferry compare --per-layer`.
#ifndef FERRY_TOOLS_COMPARE_H_
#define FERRY_TOOLS_COMPARE_H_

#include "eval.h"

/// Sums over elements, from which the measures follow. Zero it to begin.
typedef struct cli_difference {
    double reference2, error2, got2, product;
    double max_abs;
    uint64_t count, equal, nonfinite; // nonfinite: left out of the sums
} cli_difference;

void cli_difference_add(cli_difference *d, const float *reference, const float *got, size_t count);
/// Signal-to-quantisation-noise ratio in dB: infinite where nothing differs.
double cli_difference_sqnr(const cli_difference *d);
double cli_difference_cosine(const cli_difference *d);
/// For JSON, which has no infinity: at most 999, at least -999.
double cli_finite_db(double db);

/// Turns a tensor into floats; 8-bit integers with a scale other than 0 are dequantised.
/// False where the type has no numbers that can be compared.
bool cli_tensor_to_float(const ferry_tensor_view *view, float scale, int32_t zero, float *out);

/// What is known of one tensor of the engine.
typedef struct cli_tensor_record {
    char *name;
    ferry_dtype dtype;
    float scale;
    int32_t zero;
    cli_difference all; // against the reference: what came in is included
    cli_difference own; // the reference itself, rounded and clipped to the tensor's scale; count 0: not quantised
    uint64_t clipped;   // of own: elements beyond the range
    // By channel, to find tensors in which one range drowns the others.
    size_t channels;
    double *channel_reference2, *channel_error2, *channel_own2; // [channels]
    // Of the run at hand.
    float *data;
    size_t count, capacity;
    bool fresh;
} cli_tensor_record;

typedef struct cli_tensor_records {
    cli_tensor_record *list;
    size_t count, capacity;
    float *scratch;
    size_t scratch_capacity;
    bool failed; // out of memory
} cli_tensor_records;

/// Observers for ferry_context_set_observer, `user` a cli_tensor_records: the engine's run keeps its tensors, the
/// reference's run is then compared with them.
int cli_records_keep(void *user, const ferry_tensor_view *tensor, float scale, int32_t zero);
int cli_records_compare(void *user, const ferry_tensor_view *tensor, float scale, int32_t zero);
/// NULL when the engine made no tensor of that name.
cli_tensor_record *cli_records_find(const cli_tensor_records *records, const char *name);
void cli_records_close(cli_tensor_records *records);
/// Channels that are not all zero, and of these the ones of which less than half the energy is left (SQNR below 3 dB):
/// by everything, or by the tensor's own scale alone.
size_t cli_record_live_channels(const cli_tensor_record *r);
size_t cli_record_lost_channels(const cli_tensor_record *r, bool own);

/// A tensor whose SQNR is lower than that of what it was made from.
typedef struct cli_loss {
    const cli_tensor_record *tensor; // borrowed
    double from_db, to_db;
} cli_loss;

typedef struct cli_losses {
    cli_loss *list; // most lost first; to be freed
    size_t count;
} cli_losses;

/// @param description  of the engine: ferry_engine_describe's JSON, for which layer reads what
int cli_losses_find(cli_losses *out, cli_tensor_records *records, const json_t *description);

/// Runs an engine and its model in FP32 on pictures and says where accuracy is lost.
int cli_compare_pictures(const cli_settings *settings, ferry_runtime *runtime, ferry_engine *engine, const char *model,
                         const cli_eval_set *pictures, cli_tensor_records *out_records, cli_losses *out_losses);

#endif // FERRY_TOOLS_COMPARE_H_

// SPDX-License-Identifier: Apache-2.0
// What the steps of a build share.
#ifndef FERRY_SRC_BUILD_INTERNAL_H_
#define FERRY_SRC_BUILD_INTERNAL_H_

#include "base/log.h"
#include "calibrate/scale_table.h"
#include "ferry/build.h"
#include "import/onnx/append.h"
#include "ops/infer.h"
#include "runtime/internal.h"

struct ferry_network {
    const ferry_heap *heap;
    ferry_graph graph;             // as the model has it: imported or built, verified, inferred
    ferry_onnx_appender *appender; // NULL until a node is added, and after shapes have changed
    float *ranges;                 // [cap_ranges] by tensor: amax, 0 where none was set
    size_t cap_ranges;
};

/// The network's tensor, or NULL with the reason.
ferry_value *ferry_network_value(const ferry_network *network, int32_t tensor, ferry_error *err);
/// What was set for the tensor, or 0.
float ferry_network_range(const ferry_network *network, ferry_value_id tensor);

/// One build in progress.
typedef struct ferry_building {
    ferry_runtime *runtime;
    const ferry_network *network;
    ferry_build_options options;           // a copy with `logger` filled in
    ferry_calibration_options calibration; // what options.calibration points to, when there is one
    ferry_calibrator calibrator;           // likewise
    const ferry_heap *heap;
    ferry_arena arena;
    ferry_report report;
    const ferry_scale_table *ranges; // largest |x| of tensors, for the FP16 guard; NULL: nothing is known
    const char *guard;               // what the FP16 guard saw, in words; NULL: there is none
    ferry_engine_profile *profiles;  // [graph.n_inputs], in the order of the network's inputs
    ferry_input_shape *opt;          // [graph.n_inputs]: what plans are made for
    double begun_s;
} ferry_building;

ferry_status ferry_building_init(ferry_building *b, ferry_runtime *runtime, const ferry_network *network,
                                 const ferry_build_options *options, ferry_error *err);
void ferry_building_deinit(ferry_building *b);

/// profile.c: the shapes that each input may take, from the options and the model.
ferry_status ferry_building_profiles(ferry_building *b, ferry_error *err);

/// scales.c: fills `table` from a cache, or by running the network on samples. Then `ranges`, unless it is NULL, gets
/// the largest |x| of each tensor.
ferry_status ferry_building_scales(ferry_building *b, ferry_scale_table *table, ferry_scale_table *ranges,
                                   ferry_error *err);
/// One run of the network on samples.
typedef struct ferry_observation {
    const char *const *names; // [count]: the tensors of ferry_building_float_tensors
    size_t count;
    ferry_scale_table *table;    // gets the scales, or NULL
    ferry_scale_table *ranges;   // gets the largest |x| of each, or NULL; without both the histograms are wanted
    uint32_t most;               // samples that suffice; 0: all of them
    ferry_histogram *histograms; // then [count], owned by the caller, from the building's heap
    uint64_t samples;            // that were run
    const char *inputs;          // shape of one sample, in the building's arena
} ferry_observation;
/// Always by running. No sample at all is an error unless the histograms are wanted.
ferry_status ferry_building_observe(ferry_building *b, ferry_observation *out, ferry_error *err);
/// Names of the network's float activation tensors, inputs first, then in the order in which nodes make them.
ferry_status ferry_building_float_tensors(ferry_building *b, const char *const **out_names, size_t *out_count,
                                          ferry_error *err);

/// Sets the scales of tensors whose range the network's user has told.
ferry_status ferry_building_add_ranges(const ferry_building *b, ferry_scale_table *table, ferry_error *err);

/// guard.c: whether this build chooses where FP16 would overflow, and
bool ferry_building_has_guard(const ferry_building *b);
/// what it knows of the tensors: sets b->ranges to `ranges`, which it fills unless calibration has done so already.
ferry_status ferry_building_guard(ferry_building *b, const ferry_scale_table *scales, ferry_scale_table *ranges,
                                  ferry_error *err);

/// Remembers, in words, how many samples the guard's ranges come from.
ferry_status ferry_building_looked_at(ferry_building *b, uint64_t samples, ferry_error *err);

/// portable.c: the network's graph with `shapes` set, rewritten and lowered to the portable graph.
/// `scales` may be NULL. `out_plan_text` (in b->arena) is NULL when the graph was left as it is.
ferry_status ferry_building_portable(ferry_building *b, const ferry_scale_table *scales, ferry_graph *out,
                                     const char **out_plan_text, ferry_error *err);

/// assemble.c: plans the portable graph (taken over in any case) for the runtime's devices and makes the engine.
ferry_status ferry_building_engine(ferry_building *b, ferry_graph *graph, const char *plan_text, bool time_tactics,
                                   ferry_engine **out, ferry_error *err);

/// Puts findings into the log and empties the report; a failure status when there were errors.
ferry_status ferry_building_tell(ferry_building *b, ferry_status status, ferry_error *err);

#endif // FERRY_SRC_BUILD_INTERNAL_H_

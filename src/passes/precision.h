// SPDX-License-Identifier: Apache-2.0
// The numeric plan: everything that decides the numbers of an engine, apart from how fast it gets them. Which value is
// stored in which type with which scale, which node computes in which precision, and which original nodes each fused
// one took in. Written and read as text, so that a build can be repeated to the bit on another machine.
#ifndef FERRY_SRC_PASSES_PRECISION_H_
#define FERRY_SRC_PASSES_PRECISION_H_

#include "base/named_scale.h"
#include "graph/graph.h"

typedef struct ferry_plan_value {
    const char *name;  // of the value in the graph after passes
    ferry_dtype dtype; // as its producer stores it
    float scale;       // of its INT8 form, 0 when it never has one: real = scale * (integer - zero)
    int32_t zero;      // in [-128, 127]
} ferry_plan_value;

typedef struct ferry_plan_node {
    const char *name;
    const char *op;
    const char *absorbed;  // "" when nothing was fused in
    ferry_dtype precision; // FERRY_S8: integer operator; a float type: what its float inputs are converted to;
                           // FERRY_DTYPE_NONE: the node has no float data, or must be left as the model has it
    const char *kept;      // why the FP16 guard keeps it out of FP16, for people; "" when it does not
} ferry_plan_node;

/// Entries have the order and the indices of the graph's values and nodes. All memory lies in the arena.
typedef struct ferry_numeric_plan {
    ferry_arena arena;
    ferry_plan_value *values; // constants too (dtype as in the graph); the text leaves them out
    ferry_plan_node *nodes;
    size_t n_values, n_nodes;
} ferry_numeric_plan;

/// Zero is the default in every field: float everywhere, as the model has it.
typedef struct ferry_precision_options {
    bool int8, fp16, bf16;    // allowed besides FP32. fp16 wins over bf16 when both are
    const char *const *rules; // 'GLOB=fp32|fp16|bf16|int8'; GLOB has * and ?; matched against node names, absorbed
    size_t n_rules; // names and output names; the last rule that matches a node counts; none matched: an error
    const ferry_named_scale *scales; // symmetric: of [-127, 127]
    size_t n_scales;
    bool zero_points;  // tensors that reach further to one side get zero points
    ferry_dtype guard; // what is kept in instead of FP16 where that would overflow: FERRY_BF16 or FERRY_F32;
                       // FERRY_DTYPE_NONE: there is no guard
    const ferry_named_scale *ranges; // for the guard: the largest |x| that was seen of a tensor
    size_t n_ranges;
} ferry_precision_options;

/// Chooses. `graph` has been through ferry_passes_run. Scales recorded on values by Q/DQ nodes win over
/// `options->scales`. Tensors that would run in INT8 but have no scale are findings (INFO) in `report`; so are layers
/// that stay in float although a rule asks for INT8 (WARNING). `out` is initialised by the call and must be deinited by
/// the caller, after failures too.
ferry_status ferry_numeric_plan_choose(const ferry_graph *graph, const ferry_precision_options *options,
                                       ferry_numeric_plan *out, ferry_report *report, ferry_error *err);
void ferry_numeric_plan_deinit(ferry_numeric_plan *plan); // a zeroed plan is accepted

/// Canonical JSON: one line a value and a node, scales as the eight hex digits of their bits. Zero-terminated, in
/// `arena`.
ferry_status ferry_numeric_plan_write(const ferry_numeric_plan *plan, const ferry_graph *graph, ferry_arena *arena,
                                      const char **out_text, ferry_error *err);
/// Reads a written plan for this graph. FERRY_ERR_BAD_DATA names the first value or node in which text and graph
/// differ.
ferry_status ferry_numeric_plan_read(const char *text, size_t bytes, const ferry_graph *graph, ferry_numeric_plan *out,
                                     ferry_error *err);
/// ferry_hash64_of (XXH3) of the canonical text.
ferry_status ferry_numeric_plan_hash(const ferry_numeric_plan *plan, const ferry_graph *graph, uint64_t *out,
                                     ferry_error *err);

#endif // FERRY_SRC_PASSES_PRECISION_H_

// SPDX-License-Identifier: Apache-2.0
// From the graph after passes and a numeric plan to the portable graph: every value typed, weights quantised, integer
// operators in place, conversions only where two neighbours differ. What backends and engines hold.
#ifndef FERRY_SRC_PASSES_LOWER_H_
#define FERRY_SRC_PASSES_LOWER_H_

#include "passes/precision.h"

/// `graph` is left as it is; `out` is initialised by the call, shares constants that did not change, and is inferred,
/// compacted and verified. Inputs and outputs keep the model's types and names. Findings: weights that overflow FP16.
ferry_status ferry_lower(const ferry_graph *graph, const ferry_numeric_plan *plan, ferry_graph *out,
                         ferry_report *report, ferry_error *err);

#endif // FERRY_SRC_PASSES_LOWER_H_

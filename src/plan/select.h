// SPDX-License-Identifier: Apache-2.0
// From offers to a choice: the steps of making a plan, for plan/ only.
#ifndef FERRY_SRC_PLAN_SELECT_H_
#define FERRY_SRC_PLAN_SELECT_H_

#include "plan/plan.h"

/// An offer kept: one way to run a region that ends in a certain node.
typedef struct ferry_candidate {
    const char *tactic;
    const ferry_node_id *nodes;
    int32_t n_nodes;
    int32_t device;
    ferry_tensor_layout in_layout, out_layout;
    uint32_t flags;
    double cost_us;     // of its time
    double estimate_us; // what the backend offered it at
    double price_us;    // of memory: 0 unless little of it is wanted
    uint64_t extra_bytes, workspace_bytes;
    bool measured, dropped; // dropped: breaks a cap, or could not be prepared
    bool weighed;           // workspace_bytes is known
} ferry_candidate;

/// What choices go by.
static inline double ferry_candidate_cost(const ferry_candidate *c)
{
    return c->cost_us + c->price_us;
}

typedef struct ferry_candidate_list {
    ferry_candidate *items;
    size_t count, capacity;
} ferry_candidate_list;

/// Where a value is made.
typedef struct ferry_planned_slice {
    ferry_value_id whole; // among the channels of what a Concat makes; FERRY_NO_VALUE: in memory of its own
    int32_t joined_at;    // the Concat's input that it begins with
} ferry_planned_slice;

/// What the steps of making a plan share. Lives in ferry_plan_make.
typedef struct ferry_planner {
    const ferry_graph *graph;
    ferry_device *const *devices;
    ferry_device_info infos[FERRY_PLAN_MAX_DEVICES];
    int32_t n_devices;
    const ferry_plan_options *options;
    ferry_graph_view view;
    ferry_arena scratch;
    const ferry_heap *heap;
    ferry_candidate_list *candidates; // [n_nodes]: by the node that regions end in
    int32_t *chosen;     // [n_nodes]: index into candidates of a region's last node; -1: inside a region, or a view
    ferry_node_id *root; // [n_nodes]: the last node of the region that a node belongs to
    const bool *apart;   // [n_values]: to be copied to where a Concat joins it, not made there; NULL: none is
    bool *elided;        // [n_nodes]: a Concat, Split or Slice that needs no step, since values lie in each other
    ferry_planned_slice *joined; // [n_values]
    bool *bounded;               // [n_values]: its size depends on data, so that a kernel must find it when it runs
    double deadline_s;           // by ferry_planner_clock_s, when timing ends; 0: it may take what it takes
    bool warm[FERRY_PLAN_MAX_DEVICES]; // the device has worked long enough for its clocks to be up
    ferry_status drop_status;          // why the first candidate was dropped that could not be made ready
    ferry_error drop_reason;
    ferry_report *report;
} ferry_planner;

/// True when the plan needs no kernel for the node: its output is its input's memory under another shape.
bool ferry_planner_is_view(const ferry_planner *planner, ferry_node_id node);

/// candidates.c: asks the devices, in order, for offers; nodes that none takes go into the report.
ferry_status ferry_planner_collect(ferry_planner *planner, ferry_error *err);
/// workspace.c: drops candidates of the host that need more scratch than the cap allows; FERRY_ERR_OUT_OF_MEMORY, with
/// the numbers, where none is left.
ferry_status ferry_planner_cap_workspace(ferry_planner *planner, ferry_error *err);
/// The same file: ferry_planner_select_in_budget, again and again, until what is chosen keeps to the cap on every
/// device.
ferry_status ferry_planner_select_in_cap(ferry_planner *planner, ferry_error *err);
/// The same file: the scratch of one candidate. `arena` is for the call only.
ferry_status ferry_planner_weigh(const ferry_planner *planner, const ferry_candidate *candidate, ferry_arena *arena,
                                 size_t *out_bytes, ferry_error *err);
/// timing.c: measures candidates that compete. Nothing to do without time_tactics.
ferry_status ferry_planner_time(ferry_planner *planner, ferry_error *err);
/// timing_budget.c: the same for those nodes' candidates, as far as options->timing_seconds reach.
ferry_status ferry_planner_time_in_budget(ferry_planner *planner, const bool *nodes, ferry_error *err);
double ferry_planner_clock_s(const ferry_planner *planner);
bool ferry_planner_out_of_time(const ferry_planner *planner);
/// select.c: leaves the candidate out, and keeps the reason if it is the first.
void ferry_planner_drop(ferry_planner *planner, ferry_candidate *candidate, ferry_status status,
                        const ferry_error *why);
/// timing.c: what a measured time of the candidate is kept under, made in `arena`; NULL when memory is gone.
const char *ferry_candidate_key(const ferry_planner *planner, const ferry_candidate *candidate, ferry_arena *arena);
/// pack_ahead.c: has the devices compile, on all threads at once, what measuring those nodes' candidates would have
/// them compile one by one.
ferry_status ferry_planner_pack_ahead(ferry_planner *planner, const bool *nodes, ferry_error *err);
/// The same of a few candidates.
enum { FERRY_PACK_MOST_SOME = 16 };
ferry_status ferry_planner_pack_some(const ferry_planner *planner, const ferry_candidate *const *candidates,
                                     size_t count, ferry_error *err);
/// select.c: covers the graph with regions, then has their layouts chosen.
ferry_status ferry_planner_select(ferry_planner *planner, ferry_error *err);
/// layouts.c: the candidates of the chosen regions whose costs and conversions are least together.
ferry_status ferry_planner_choose_layouts(ferry_planner *planner, ferry_error *err);
/// packed_budget.c: the same, again and again, until the packed constants of what is chosen keep to the budget.
ferry_status ferry_planner_select_in_budget(ferry_planner *planner, ferry_error *err);
/// choose_slices.c: fills in `elided` and `joined`.
ferry_status ferry_planner_choose_slices(ferry_planner *planner, ferry_error *err);
/// assemble.c: buffers, steps, reformats, copies and aliases from the choice.
ferry_status ferry_planner_assemble(ferry_planner *planner, ferry_plan *out, ferry_error *err);

/// make.c: the last four in their order: regions, layouts, slices, steps.
ferry_status ferry_planner_choose(ferry_planner *planner, ferry_plan *out, ferry_error *err);
/// lean.c: the same, with memory for a criterion.
ferry_status ferry_planner_choose_lean(ferry_planner *planner, ferry_plan *out, ferry_error *err);

/// pack.c: the constants of every step of an assembled plan, packed for its tactic.
ferry_status ferry_planner_pack(ferry_planner *planner, ferry_plan *plan, ferry_error *err);

/// signature.c: what is computed, without addresses and names: the key of a measured time. Made in `arena`; NULL when
/// memory is gone.
const char *ferry_region_signature(const ferry_region *region, ferry_arena *arena);

/// A value's description in a layout at the graph's own shapes. False when the shape is not known.
bool ferry_value_desc(const ferry_graph *graph, ferry_value_id value, ferry_tensor_layout layout,
                      ferry_tensor_desc *out);

/// Estimated microseconds to change a value's layout on a device.
double ferry_reformat_cost_us(const ferry_planner *planner, ferry_value_id value, int32_t device);

#endif // FERRY_SRC_PLAN_SELECT_H_

// SPDX-License-Identifier: Apache-2.0
// How a graph is run on given devices: which tactic runs which region, in which layouts, in which order.
//
// A plan names values and nodes of the portable graph by index and holds no pointer into a device, so that it can be
// written to an engine file and read back. Sizes and addresses are decided later, for concrete shapes (memory_plan.h).
#ifndef FERRY_SRC_PLAN_PLAN_H_
#define FERRY_SRC_PLAN_PLAN_H_

#include "backend/backend.h"
#include "base/log.h"

typedef int32_t ferry_buffer_id; // index into ferry_plan.buffers
#define FERRY_NO_BUFFER ((ferry_buffer_id)-1)
#define FERRY_PLAN_MAX_DEVICES 4

typedef enum ferry_step_kind {
    FERRY_STEP_REGION = 0,   ///< runs a tactic
    FERRY_STEP_REFORMAT = 1, ///< changes the layout of one value on one device
    FERRY_STEP_COPY = 2      ///< moves one value between devices, in plain layout
} ferry_step_kind;

/// A value as it lies in the memory of one device in one layout. A value may have several.
typedef struct ferry_plan_buffer {
    ferry_value_id value;
    ferry_tensor_layout layout;
    int32_t device;           // index into ferry_plan.devices
    ferry_buffer_id alias_of; // lies in that buffer's memory; lower than its own index; FERRY_NO_BUFFER: its own
    bool view;                // of alias_of, there as soon as that one is; else an alias is computed in place by a step
    bool slice;               // some channels of alias_of's (slice.h): a view that its maker cuts out, or what a step
                              // computes where the maker of that value, a Concat, would copy it
    int32_t joined_at;        // of a slice that is no view: the Concat's input that it begins with
    int32_t binding;          // the caller's memory: inputs first, then outputs; -1: planned memory
} ferry_plan_buffer;

typedef struct ferry_plan_step {
    ferry_step_kind kind;
    int32_t device;     // that runs it; of a copy: the one that is not the host
    const char *tactic; // "" unless a region
    const char *name;   // the model's node names, joined with " + "; of a reformat or copy: the value's name
    ferry_node_id *nodes;
    ferry_buffer_id *inputs, *outputs; // of a region: in the order of ferry_region
    int32_t n_nodes, n_inputs, n_outputs;
    uint64_t packed_offset, packed_bytes; // in ferry_plan.packed; bytes 0: none
    const void *own_packed;               // where they lie instead; not in files
    double measured_us;                   // negative: not measured
} ferry_plan_step;

typedef struct ferry_plan_device {
    const char *backend;     // "cpu"
    const char *fingerprint; // of the device it was made for
} ferry_plan_device;

typedef struct ferry_plan {
    ferry_arena arena;                                 // of everything below but `packed` when that is borrowed
    ferry_plan_device devices[FERRY_PLAN_MAX_DEVICES]; // the last is the CPU when there are several
    int32_t n_devices;
    int32_t threads; // that tactics were timed with
    ferry_plan_buffer *buffers;
    ferry_plan_step *steps;
    size_t n_buffers, n_steps;
    const uint8_t *packed; // 64-byte aligned blobs of packed constants
    uint64_t packed_bytes;
    bool packed_owned;       // from the arena's heap; else borrowed from a file map
    const uint8_t *pictures; // what devices[0] preprocesses pictures with; NULL: none
    uint64_t pictures_bytes;
    bool pictures_owned;   // as packed_owned
    const char *libraries; // of devices' vendors, that a plan which was just made runs, in words; NULL: none
} ferry_plan;

/// The buffer whose memory it lies in: itself, or what its chain of aliases ends in.
static inline ferry_buffer_id ferry_plan_root(const ferry_plan *plan, ferry_buffer_id buffer)
{
    while (plan->buffers[buffer].alias_of != FERRY_NO_BUFFER) buffer = plan->buffers[buffer].alias_of;
    return buffer;
}

/// A step's packed constants; NULL: it has none.
static inline const void *ferry_plan_packed(const ferry_plan *plan, const ferry_plan_step *step)
{
    return !step->packed_bytes ? NULL : step->own_packed ? step->own_packed : plan->packed + step->packed_offset;
}

void ferry_plan_init(ferry_plan *plan, const ferry_heap *heap);
void ferry_plan_deinit(ferry_plan *plan); // a zeroed plan is accepted

typedef struct ferry_timing_cache ferry_timing_cache; // timing_cache.h

typedef struct ferry_plan_options {
    bool time_tactics;           // measure on the device where there is a choice; else the backends' cost models decide
    double timing_seconds;       // most that timing may take, compiling for it included; 0: no cap
    double (*clock_s)(void);     // that timing_seconds are measured with; NULL: ferry_clock_s
    ferry_timing_cache *timings; // read and added to; may be NULL
    bool single_nodes;           // no region of several nodes: every tensor of the graph exists
    bool no_transforms;          // no tactic that multiplies in a transformed domain (FERRY_OFFER_TRANSFORMS)
    bool own_tactics;            // none that runs a vendor's library (FERRY_OFFER_LIBRARY)
    bool tf32;                   // also tactics that round f32 products to TF32 (FERRY_OFFER_TF32)
    bool pictures;               // devices[0] is to preprocess pictures, if it can
    bool low_memory;             // memory counts as well as time: lean.c
    uint64_t workspace_bytes;    // most scratch of one kernel; 0: no cap
    uint64_t packed_budget;      // most bytes by which packed constants may outgrow the graph's own, as far as offers
                                 // leave a choice; 0: what packed_budget.c finds fit; UINT64_MAX: no cap
    int32_t threads;             // host threads of the measurements
    const ferry_logger *logger;
    const ferry_progress *progress;
} ferry_plan_options;

/// Makes a plan for `graph`, whose shapes are those to optimise for (all known, or bounded). devices[0] is preferred;
/// what it has no tactic for goes to the next one. Every node that no device takes is put into `report`, with the
/// reasons. The packed constants are made too.
ferry_status ferry_plan_make(const ferry_graph *graph, ferry_device *const *devices, int32_t n_devices,
                             const ferry_plan_options *options, ferry_plan *out, ferry_report *report,
                             ferry_error *err);

/// out [n_values], false before: becomes true where the data decides a value's size, so that kernels find it when they
/// run.
void ferry_plan_find_bounded(const ferry_graph *graph, bool *out);

/// Every rule that a plan must keep with its graph: indices in range, buffers made before they are read and not read
/// when they were computed over, aliases that point back, slices where the graph has them, every output made. A plan
/// read from a file is checked with it before use.
ferry_status ferry_plan_verify(const ferry_plan *plan, const ferry_graph *graph, ferry_error *err);

#endif // FERRY_SRC_PLAN_PLAN_H_

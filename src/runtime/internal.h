// SPDX-License-Identifier: Apache-2.0
// The runtime's objects from within. Nothing here includes import, passes or build.
#ifndef FERRY_SRC_RUNTIME_INTERNAL_H_
#define FERRY_SRC_RUNTIME_INTERNAL_H_

#include <pthread.h>
#include <stdatomic.h>

#include "engine/engine_file.h"
#include "ferry/runtime.h"
#include "plan/memory_plan.h"

struct ferry_runtime {
    atomic_int references;
    const ferry_heap *heap;
    ferry_logger logger; // a copy; log == NULL: silence
    ferry_device *devices[FERRY_PLAN_MAX_DEVICES];
    ferry_device_info infos[FERRY_PLAN_MAX_DEVICES];
    char names[FERRY_PLAN_MAX_DEVICES][32]; // as they could be asked for: "cpu", "cuda:1"
    int32_t n_devices;
    unsigned process; // generation of the process that opened the devices
};

/// ferry_runtime_create among the given backends (a list that ends in NULL), best first, the CPU last.
ferry_status ferry_runtime_create_with(const ferry_backend *const *backends, const ferry_runtime_options *options,
                                       ferry_runtime **out, ferry_error *error);

void ferry_runtime_retain(ferry_runtime *runtime);

/// FERRY_ERR_INVALID_ARGUMENT when the process was forked since the runtime was made and a device didn't come along.
ferry_status ferry_runtime_check_process(const ferry_runtime *runtime, ferry_error *err);
/// The same for an object with a thread or a lock, which never comes along. `what`: "stream", ...
ferry_status ferry_check_process(unsigned made_in, const char *what, ferry_error *err);

struct ferry_engine {
    atomic_int references;
    ferry_runtime *runtime; // retained
    ferry_engine_image image;
    const ferry_plan *plan; // one of image.tuned, or a copy with constants packed for this machine's CPU
    ferry_graph shaped;     // the graph at the shapes that its plan is made for, where it leaves dimensions open
    int32_t *user_offsets;  // see ferry_graph_users; in the image's arena
    ferry_node_id *users;
    bool replanned; // the file had no part for this device
};

/// Whether its plan has devices that can only be built for.
bool ferry_engine_is_for_elsewhere(const ferry_engine *engine);

/// Makes an engine of an image, which it takes over in any case (the caller's struct is zeroed). Takes the tuned part
/// for this runtime's devices, or makes one.
ferry_status ferry_engine_make(ferry_runtime *runtime, ferry_engine_image *image, bool no_tuned, ferry_engine **out,
                               ferry_error *err);

/// The graph with the shapes that the profiles optimise for. FERRY_ERR_BAD_ENGINE when it contradicts itself.
/// `out` (zeroed before) is to be freed with ferry_graph_deinit in any case.
ferry_status ferry_engine_shaped_graph(const ferry_engine *engine, ferry_graph *out, ferry_error *err);

/// The same, as backends look at it.
typedef struct ferry_shaped_graph {
    ferry_graph graph;
    ferry_arena arena;
    ferry_graph_view view;
} ferry_shaped_graph;
/// `out` (zeroed before) is to be freed in any case.
ferry_status ferry_shaped_graph_make(const ferry_engine *engine, ferry_shaped_graph *out, ferry_error *err);
void ferry_shaped_graph_deinit(ferry_shaped_graph *shaped);

/// A plan out of a file, held against what this ferry's backends would do: every step must be one that the device
/// offers for its nodes. *out_fits is false (and the reason in `why`) when one is not.
ferry_status ferry_engine_check_plan(const ferry_engine *engine, const ferry_plan *plan, const ferry_graph_view *view,
                                     bool *out_fits, ferry_error *why, ferry_error *err);
/// repack.c: takes the plan, which fits but for the CPU that it was made with, with the constants of the CPU's layers
/// packed for this one.
ferry_status ferry_engine_repack_host(ferry_engine *engine, const ferry_graph_view *view, const ferry_plan *plan,
                                      ferry_error *err);

/// What kernels are prepared from: the graph as the plan's kernels were chosen and packed from it, with those shapes.
const ferry_graph *ferry_engine_plan_graph(const ferry_engine *engine);

/// Multiply-adds of a node at the given shapes of all values, counted as the plain algorithm does them; 0 for what is
/// no convolution or matrix product.
uint64_t ferry_node_macs(const ferry_node *node, const ferry_shape *shapes);
/// What a node with multiply-adds computes on: "fp32", "fp16", "bf16", "int8" or "other".
const char *ferry_node_precision(const ferry_graph *graph, const ferry_node *node);

/// The graph value behind a binding index.
ferry_value_id ferry_engine_binding_value(const ferry_engine *engine, int32_t index);

/// Memory of the caller's, as the runtime's device reaches it and as the host does.
typedef struct ferry_bound {
    void *on_device, *on_host; // NULL: the host can't; NULL both: nothing is bound
} ferry_bound;

/// What is bound in one queued run. Contexts hold a few, so that other memory may be bound while earlier runs are
/// waiting.
typedef struct ferry_run_slot {
    struct ferry_context *context;
    ferry_bound *bound; // [bindings]
    bool busy;
} ferry_run_slot;

enum { FERRY_RUN_SLOTS = 16 };

/// Steps that one device runs without the host between them.
typedef struct ferry_segment {
    size_t begin, end;
    int32_t device;
    void *graph; // captured by the device; NULL: that failed, and the steps are enqueued one by one
} ferry_segment;

/// A copy between the caller's tensor and one of the host's, which may lie there where the host reaches it.
typedef struct ferry_crossing {
    size_t step;
    int32_t binding;
    ferry_buffer_id own; // the host's
} ferry_crossing;

struct ferry_context {
    ferry_engine *engine; // retained
    const ferry_heap *heap;
    unsigned process; // generation of the process that made it
    uint64_t memory_limit_bytes;
    ferry_shape *input_shapes; // [graph.n_inputs]: chosen
    bool described, prepared;

    // What prepare makes.
    ferry_arena arena;         // of everything below
    ferry_plan plan;           // the engine's, but for aliases that don't hold at the chosen shapes, and for what host
                               // and device share; there is a device more then, whose memory that is. Owns nothing
    ferry_tensor_desc *descs;  // [plan->n_buffers]
    uint64_t *buffer_bytes;    // [plan->n_buffers]: multiples of 64
    size_t *skipped;           // [plan->n_buffers]: bytes from the beginning of the memory that a slice lies in to it
    ferry_kernel **kernels;    // [plan->n_steps]; NULL: a copy
    ferry_kernel **retired;    // those of the shapes before, until there are new ones: so weights stay on the device
    ferry_arena retired_arena; // that they lie in
    ferry_memory_plan memory;
    void *device_memory[FERRY_PLAN_MAX_DEVICES];
    void **data;                       // [plan->n_buffers]: addresses; bindings' are set for each run
    int64_t (*dims)[FERRY_MAX_RANK];   // [graph.n_values]: true sizes
    ferry_shape *shapes;               // [graph.n_values]: sizes, or upper bounds
    bool *bounded;                     // [graph.n_values]
    ferry_binding *step_in, *step_out; // scratch of the step that runs: as many as the widest step has
    int32_t sharing, shared;           // the device that uses the host's memory, -1: none; where that memory is
    bool *shares_step;                 // [plan->n_steps]: a copy that there is nothing to do for
    ferry_crossing *crossings;         // copies of which each run tells that
    size_t n_crossings;
    void *shared_on_device;  // the address of device_memory[shared] there
    ferry_segment *segments; // in the order of their steps
    size_t n_segments;
    char *placeholders;   // [bindings]: their addresses stand for the caller's tensors in captured graphs
    void **captured_with; // [bindings]: what the graphs have now; NULL: the placeholder
    bool lets_go;         // of weights that were used; see ferry_context_let_go
    uint64_t used_bytes;  // of the engine's file since it was last given back
    void *observed;       // host memory for tensors shown to the observer; NULL without one
    size_t observed_bytes;

    ferry_bound *bound; // [bindings]: by the caller
    ferry_run_slot slots[FERRY_RUN_SLOTS];
    pthread_mutex_t mutex; // of slots[].busy
    pthread_cond_t slot_free;

    void (*profiler)(void *user, const ferry_layer_time *layer);
    void *profiler_user;
    ferry_tensor_observer observer;
    void *observer_user;
};

/// Runs the context's steps on the devices' streams and waits for devices as far as steps need it. `outstanding`
/// [devices] says, before and after, which devices have work queued that nobody waited for; none has after a failure.
/// Called by streams only.
ferry_status ferry_context_execute(ferry_context *context, const ferry_bound *bound,
                                   ferry_device_stream *const *streams, bool *outstanding, ferry_error *err);
/// Enqueues one step of a prepared context, at the addresses that were set last. Waits for nothing.
ferry_status ferry_context_enqueue_step(ferry_context *context, size_t step, ferry_device_stream *stream,
                                        ferry_error *err);
/// Takes the caller's addresses for what lies in its memory.
void ferry_context_set_addresses(ferry_context *context, const ferry_bound *bound);
/// The address of a buffer in the context's own memory, as the device that uses the buffer reaches it.
void *ferry_context_placed(const ferry_context *context, ferry_buffer_id buffer);

/// share.c: where a device and the host use the same memory, has tensors that cross the border lie in memory of both.
ferry_status ferry_context_share_memory(ferry_context *context, ferry_error *err);
/// Allocates that memory.
ferry_status ferry_context_alloc_shared(ferry_context *context, ferry_error *err);
/// Places what the host may read and write right in the caller's memory, or else in the context's own.
void ferry_context_cross(ferry_context *context, const ferry_bound *bound);
/// Where the runtime's device and the host reach the caller's memory.
ferry_bound ferry_runtime_reach(const ferry_runtime *runtime, void *address);

/// Whether a device is there to give things back to: not in a child of the process, unless it came along.
bool ferry_context_can_release(const ferry_context *context, int32_t device);

/// segments.c: captures what can be captured. A device that can't is no failure.
ferry_status ferry_context_make_segments(ferry_context *context, ferry_error *err);
void ferry_context_drop_segments(ferry_context *context);
/// Gives the graphs those addresses that have changed since the last call.
ferry_status ferry_context_rebind_segments(ferry_context *context, const ferry_bound *bound, ferry_error *err);
/// The captured graph that begins with the step; NULL: there is none, or someone looks between the steps.
const ferry_segment *ferry_context_segment_at(const ferry_context *context, size_t step);
/// In an engine built for little memory and mapped from a file: gives the memory of what was read of it back, after
/// some steps and at the end of a run. `step` has just been run; n_steps: all.
void ferry_context_let_go(ferry_context *context, size_t step);
/// ferry_context_enqueue and ferry_stream_wait in one, without waking the stream's thread where nothing needs it.
ferry_status ferry_context_enqueue_and_wait(ferry_context *context, ferry_stream *stream, ferry_error *err);
/// Takes a free slot (waiting for one) with a copy of the bound addresses; NULL when some binding has no address.
ferry_run_slot *ferry_context_take_slot(ferry_context *context, ferry_error *err);
void ferry_context_return_slot(ferry_run_slot *slot);
/// Waits until no run of the context is queued.
void ferry_context_wait_idle(ferry_context *context);
/// Chooses the largest shapes that the engine's profiles allow.
ferry_status ferry_context_choose_largest(ferry_context *context, ferry_error *err);
/// Gives back what prepare made, but for the kernels,
void ferry_context_unprepare(ferry_context *context);
/// which this gives back.
void ferry_context_drop_retired(ferry_context *context);
/// Finds the shapes and sizes of all tensors; prepares the context, unless its engine is for elsewhere.
ferry_status ferry_context_know_shapes(ferry_context *context, ferry_error *err);
/// Bytes that the context needs at the chosen shapes, held against its cap; and what it would without sharing. Prepares
/// the context; where the engine is for elsewhere, what kernels need for themselves is left out.
ferry_status ferry_context_measure(ferry_context *context, uint64_t *out_bytes, uint64_t *out_unshared_bytes,
                                   ferry_error *err);
/// Bytes of a binding at the chosen shapes.
ferry_status ferry_context_binding_bytes(ferry_context *context, int32_t index, size_t *out, ferry_error *err);

#endif // FERRY_SRC_RUNTIME_INTERNAL_H_

// SPDX-License-Identifier: Apache-2.0
// Loading engines and running them: runtime, engine, execution context, stream, event, memory.
//
// Objects are counted: each *_release drops one reference, and an object lives as long as something that needs it does,
// so they may be released in any order.
//
// After fork(), the child may go on using what has no threads: networks, engines and runtimes of the CPU; it can make
// contexts, streams and events of its own with them, and build. The parent's contexts, streams and events are refused
// there with FERRY_ERR_INVALID_ARGUMENT and may only be released, which does not wait and may leave some memory behind.
// Devices other than the CPU don't come along: their runtimes, and all that was made of them, are refused likewise.
// In the parent nothing changes. A network or engine that another thread is changing at the moment of the fork is not
// to be used in the child.
#ifndef FERRY_RUNTIME_H_
#define FERRY_RUNTIME_H_

#include <stdbool.h>

#include "ferry/base.h"
#include "ferry/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ferry_runtime ferry_runtime; ///< an opened device with its memory and logger. Thread-safe.
typedef struct ferry_engine ferry_engine;   ///< a built network; immutable. Thread-safe.
typedef struct ferry_context ferry_context; ///< the buffers of one inference at a time; one thread at a time.
typedef struct ferry_stream ferry_stream;   ///< a queue of inferences and copies, run in order. Thread-safe.
typedef struct ferry_event ferry_event;     ///< a point in a stream. Thread-safe.

// --- Runtime -------------------------------------------------------------------------------------------------------

/// Zero means the default in every field.
typedef struct ferry_runtime_options {
    size_t size; ///< sizeof(ferry_runtime_options): which fields the caller knows
    /// "cpu", "cuda", "cuda:1", "dla:0", ...; NULL: the best one present. "cpu:avx2" and the like hold the CPU to an
    /// instruction set; so does the environment variable FERRY_CPU ("avx2") where this does not.
    const char *device;
    bool fallback;              ///< what the device can't run goes to the next one: a DLA's to the GPU, then the CPU
    const ferry_heap *heap;     ///< NULL: the process heap. Borrowed for the life of every object made
    const ferry_logger *logger; ///< NULL: silence. Borrowed likewise
} ferry_runtime_options;

/// @return FERRY_ERR_UNAVAILABLE when the device is not there; with `fallback` the CPU serves instead and a warning is
/// logged.
FERRY_API ferry_status ferry_runtime_create(const ferry_runtime_options *options, ferry_runtime **out,
                                            ferry_error *error);
FERRY_API void ferry_runtime_release(ferry_runtime *runtime); ///< NULL accepted

/// FERRY_PRECISION_* (ferry/build.h) that the runtime's device computes in faster than in FP32. Thread-safe.
FERRY_API uint32_t ferry_runtime_fast_precisions(const ferry_runtime *runtime);

/// Whether the runtime's memory (ferry_memory_alloc) is ordinary memory of this process. Thread-safe.
FERRY_API bool ferry_runtime_host_memory(const ferry_runtime *runtime);

/// Whether the runtime's device uses host memory of ferry_pinned_alloc (or that its own interface has pinned) where it
/// lies, as GPUs of Jetson boards do: such memory may be bound, and ferry_context_run copies none of it. Thread-safe.
FERRY_API bool ferry_runtime_shares_memory(const ferry_runtime *runtime);

/// What a machine has. `name`: "cpu", "cuda:0", ...; `description`: for people, or why the device is not usable.
typedef struct ferry_device_description {
    char name[32];
    char description[256];
    char fingerprint[128]; ///< "" when not usable
    uint64_t memory_bytes;
    bool available;
} ferry_device_description;

/// The devices that a runtime has opened: 0 is the one that was asked for, behind it are those that it falls back to.
/// `name` could be asked for. FERRY_ERR_INVALID_ARGUMENT beyond the last. Thread-safe.
FERRY_API ferry_status ferry_runtime_device(const ferry_runtime *runtime, int32_t index, ferry_device_description *out,
                                            ferry_error *error);

/// Fills in up to `capacity` entries and returns how many there are. Opens each device briefly. Thread-safe.
FERRY_API size_t ferry_devices(ferry_device_description *out, size_t capacity);

/// What works on this machine, what is missing and how to get it, as one JSON object (see `ferry doctor`): "works" is
/// false when something that is there does not do its work; "findings" has for each part its "state" ("works",
/// "absent", "broken"), a "text", and what to do about it as "remedy", or null.
/// Freed with ferry_bytes_free(text, strlen(text) + 1).
FERRY_API ferry_status ferry_diagnose(char **out_text, ferry_error *error);

// --- Memory --------------------------------------------------------------------------------------------------------

/// Memory of the runtime's device (ordinary memory on the CPU), at least 64-byte aligned. NULL when there is none left.
FERRY_API void *ferry_memory_alloc(ferry_runtime *runtime, size_t bytes);
/// `bytes` is the size asked for. NULL accepted. Nothing queued may still use it.
FERRY_API void ferry_memory_free(ferry_runtime *runtime, void *pointer, size_t bytes);
/// Host memory that the device copies from and to without a staging buffer (plain memory on the CPU).
FERRY_API void *ferry_pinned_alloc(ferry_runtime *runtime, size_t bytes);
FERRY_API void ferry_pinned_free(ferry_runtime *runtime, void *pointer, size_t bytes);

/// The memory of a runtime's device apart, and what the prepared contexts of its engines hold of it beside activations
/// and scratch (ferry_context_memory_bytes). Contexts of one engine share it.
typedef struct ferry_memory_info {
    uint64_t free_bytes, total_bytes; ///< as the driver sees it: other processes count too
    uint64_t weight_bytes;            ///< packed for the tactics that run them
    uint64_t kernel_bytes;            ///< compiled code, as it was loaded
} ferry_memory_info;
/// FERRY_ERR_UNSUPPORTED where the device's memory is the host's.
FERRY_API ferry_status ferry_runtime_memory(const ferry_runtime *runtime, ferry_memory_info *out, ferry_error *error);

typedef enum ferry_copy { FERRY_COPY_TO_DEVICE = 0, FERRY_COPY_FROM_DEVICE = 1, FERRY_COPY_ON_DEVICE = 2 } ferry_copy;

// --- Engine --------------------------------------------------------------------------------------------------------

typedef struct ferry_engine_load_options {
    size_t size;
    bool verify;   ///< also check the checksums of weights (the structure is always checked)
    bool no_tuned; ///< ignore tuned parts and plan anew from the portable one
} ferry_engine_load_options;

/// Maps an engine file. A file tuned for another device is planned anew from its portable part, and a warning says so.
/// @return FERRY_ERR_BAD_ENGINE for a damaged file, FERRY_ERR_UNAVAILABLE when it can't run on this runtime's device.
FERRY_API ferry_status ferry_engine_load(ferry_runtime *runtime, const char *path,
                                         const ferry_engine_load_options *options, ferry_engine **out,
                                         ferry_error *error);
/// The same from memory; `data` is copied.
FERRY_API ferry_status ferry_engine_load_memory(ferry_runtime *runtime, const void *data, size_t bytes,
                                                const ferry_engine_load_options *options, ferry_engine **out,
                                                ferry_error *error);
/// Writes the file: to a temporary name beside it first, then renamed; nothing is left behind on failure.
FERRY_API ferry_status ferry_engine_save(const ferry_engine *engine, const char *path, ferry_error *error);
/// The file's bytes in new memory, to be freed with ferry_bytes_free.
FERRY_API ferry_status ferry_engine_serialize(const ferry_engine *engine, void **out_data, size_t *out_bytes,
                                              ferry_error *error);
FERRY_API void ferry_bytes_free(void *data, size_t bytes);
FERRY_API void ferry_engine_retain(ferry_engine *engine);
FERRY_API void ferry_engine_release(ferry_engine *engine); ///< NULL accepted

/// A network input or output. Inputs come first, both in the model's order.
typedef struct ferry_binding_info {
    const char *name; ///< owned by the engine
    ferry_dtype dtype;
    bool is_input;
    int32_t rank;
    int64_t dims[FERRY_MAX_RANK]; ///< -1: dynamic
    int64_t min_dims[FERRY_MAX_RANK], opt_dims[FERRY_MAX_RANK],
        max_dims[FERRY_MAX_RANK]; ///< of the profile; inputs only
} ferry_binding_info;

FERRY_API int32_t ferry_engine_binding_count(const ferry_engine *engine);
/// FERRY_ERR_INVALID_ARGUMENT when index is out of range.
FERRY_API ferry_status ferry_engine_binding(const ferry_engine *engine, int32_t index, ferry_binding_info *out,
                                            ferry_error *error);
/// The index of a binding, or -1.
FERRY_API int32_t ferry_engine_find_binding(const ferry_engine *engine, const char *name);

/// A text stored in the engine: "preprocess", "decoder" (JSON each), "labels" (one a line), "task", "name",
/// "numeric_plan", "build" (JSON), "winograd" ("off" when built with no_winograd), "low_memory"
/// ("on" when built so), "tactics" ("own" when built so), "tf32" ("on" when allowed), "libraries" (of the
/// device's vendor, which it can't run without), or a metadata key as
/// "metadata:KEY". NULL when there is none. Owned by the engine.
FERRY_API const char *ferry_engine_text(const ferry_engine *engine, const char *what);

/// Stores a text (copied) in place of the engine's own, before it is saved. Not while another thread uses the engine.
/// Neither may be NULL: FERRY_ERR_INVALID_ARGUMENT.
FERRY_API ferry_status ferry_engine_set_text(ferry_engine *engine, const char *what, const char *value,
                                             ferry_error *error);

/// Bytes that a context of the engine will hold for activations and scratch at the largest shapes of its profile; a
/// context is prepared for a moment to tell.
FERRY_API ferry_status ferry_engine_memory_bytes(ferry_engine *engine, size_t *out_bytes, ferry_error *error);

/// Everything `ferry inspect --json` shows, as one JSON object: layers, shapes, precision, device, tactic, memory,
/// timing. Freed with ferry_bytes_free(text, strlen(text) + 1).
FERRY_API ferry_status ferry_engine_describe(const ferry_engine *engine, char **out_text, ferry_error *error);

/// The device that an engine file was tuned for, as ferry_runtime_options.device takes it ("cpu", "cuda:sm_87"), and
/// whether other devices behind it run some of the layers. Loads nothing. An empty text: none.
FERRY_API ferry_status ferry_engine_device(const char *path, char *out, size_t out_bytes, bool *out_fallback,
                                           ferry_error *error);

/// Whether a file would load on this machine, as one JSON object with what was found; see `ferry check`.
FERRY_API ferry_status ferry_engine_check(ferry_runtime *runtime, const char *path, char **out_text,
                                          ferry_error *error);

// --- Context -------------------------------------------------------------------------------------------------------

typedef struct ferry_context_options {
    size_t size;
    size_t memory_limit_bytes; ///< most memory for activations and scratch; 0: no cap. Refused with the numbers
} ferry_context_options;

FERRY_API ferry_status ferry_context_create(ferry_engine *engine, const ferry_context_options *options,
                                            ferry_context **out, ferry_error *error);
FERRY_API void ferry_context_release(ferry_context *context); ///< NULL accepted; waits for what is queued

/// Chooses the shape of an input, within the profile. Without it the profile's opt shape is used.
FERRY_API ferry_status ferry_context_set_input_shape(ferry_context *context, const char *name, int32_t rank,
                                                     const int64_t *dims, ferry_error *error);
/// Plans memory and prepares kernels for the chosen shapes. Enqueue does it when needed; after it, running allocates
/// nothing.
FERRY_API ferry_status ferry_context_prepare(ferry_context *context, ferry_error *error);
/// Shape of a binding for the chosen input shapes; for outputs whose size the data decides: an upper bound before the
/// run, the true size after it.
FERRY_API ferry_status ferry_context_binding_shape(ferry_context *context, int32_t index, int32_t *out_rank,
                                                   int64_t *out_dims, ferry_error *error);
/// Whether each run's data decides the size of a binding anew: its shape need not be asked for after a run otherwise.
FERRY_API ferry_status ferry_context_binding_varies(ferry_context *context, int32_t index, bool *out_varies,
                                                    ferry_error *error);
/// Bytes of memory that the prepared context holds for activations and scratch; 0 before prepare.
FERRY_API size_t ferry_context_memory_bytes(const ferry_context *context);

/// Sets the address of a binding: memory of the runtime's device, or pinned host memory where both share it, dense
/// row-major in the model's order, as many bytes as its shape says (the upper bound for data-dependent sizes). Borrowed
/// until the stream has passed the run. FERRY_ERR_INVALID_ARGUMENT when it does not begin where the device's kernels
/// need it: on a CUDA device at a multiple of 16 bytes.
FERRY_API ferry_status ferry_context_bind(ferry_context *context, int32_t index, void *address, ferry_error *error);

/// Queues one inference and returns at once (it waits while 16 runs of the context, or 256 commands of the stream, are
/// queued already). Needs an address for every binding. A context may be queued again only on the same stream, or after
/// the earlier run has finished.
FERRY_API ferry_status ferry_context_enqueue(ferry_context *context, ferry_stream *stream, ferry_error *error);
/// Runs one inference on host memory and waits: `inputs` and `outputs` are host pointers in binding order. What the CPU
/// does may be done by the calling thread, as in ferry_stream_wait; a profiler or observer is called on the stream's
/// own. FERRY_ERR_INVALID_ARGUMENT on the stream's own thread, which would wait for itself; nothing is queued then.
FERRY_API ferry_status ferry_context_run(ferry_context *context, ferry_stream *stream, const void *const *inputs,
                                         void *const *outputs, ferry_error *error);

/// One layer's time in one run.
typedef struct ferry_layer_time {
    const char *name;   ///< of the layer: the model's node names, joined with " + "
    const char *tactic; ///< what ran it
    const char *device;
    double ms;
} ferry_layer_time;
/// Reports every layer after each run, on the thread that ran it. NULL turns it off. Slows asynchronous devices down.
FERRY_API ferry_status ferry_context_set_profiler(ferry_context *context,
                                                  void (*report)(void *user, const ferry_layer_time *layer), void *user,
                                                  ferry_error *error);

/// Shows every tensor that a layer has made, right after it was made, in plain layout in host memory, borrowed for the
/// call. Quantised tensors come as they are: they stand for scale * (element - zero_point); scale is 0 when not
/// quantised. Returns non-zero to stop the run.
typedef int (*ferry_tensor_observer)(void *user, const ferry_tensor_view *tensor, float scale, int32_t zero_point);
FERRY_API ferry_status ferry_context_set_observer(ferry_context *context, ferry_tensor_observer observer, void *user,
                                                  ferry_error *error);

// --- Streams and events --------------------------------------------------------------------------------------------

typedef struct ferry_stream_options {
    size_t size;
    int32_t
        threads; ///< host threads that an inference on the CPU may use; 0: one for each core this process may run on
} ferry_stream_options;

FERRY_API ferry_status ferry_stream_create(ferry_runtime *runtime, const ferry_stream_options *options,
                                           ferry_stream **out, ferry_error *error);
FERRY_API void ferry_stream_release(ferry_stream *stream); ///< NULL accepted; waits for what is queued
/// Waits until everything queued has finished; returns the first failure since the last wait.
/// FERRY_ERR_INVALID_ARGUMENT on the stream's own thread (in a call, a profiler, an observer): it would wait for
/// itself.
FERRY_API ferry_status ferry_stream_wait(ferry_stream *stream, ferry_error *error);
/// FERRY_OK when nothing is left to do, else FERRY_ERR_NOT_READY.
FERRY_API ferry_status ferry_stream_query(ferry_stream *stream, ferry_error *error);
/// Queues a copy. Both must stay valid until the stream has passed it.
FERRY_API ferry_status ferry_stream_copy(ferry_stream *stream, ferry_copy kind, void *to, const void *from,
                                         size_t bytes, ferry_error *error);
/// Queues a call of `function` on the stream's own thread, after everything queued before. It must not call into the
/// stream.
FERRY_API ferry_status ferry_stream_call(ferry_stream *stream, void (*function)(void *user), void *user,
                                         ferry_error *error);

FERRY_API ferry_status ferry_event_create(ferry_runtime *runtime, ferry_event **out, ferry_error *error);
FERRY_API void ferry_event_release(ferry_event *event); ///< NULL accepted
/// The event completes when the stream gets there; recording again starts it anew.
FERRY_API ferry_status ferry_event_record(ferry_event *event, ferry_stream *stream, ferry_error *error);
/// Later work of the stream waits for the event. An event that was never recorded counts as complete.
FERRY_API ferry_status ferry_stream_wait_event(ferry_stream *stream, ferry_event *event, ferry_error *error);
FERRY_API ferry_status ferry_event_wait(ferry_event *event, ferry_error *error);
FERRY_API ferry_status ferry_event_query(ferry_event *event,
                                         ferry_error *error); ///< FERRY_ERR_NOT_READY until complete
/// Milliseconds from `begin` to `end`, both complete.
FERRY_API ferry_status ferry_event_elapsed(ferry_event *begin, ferry_event *end, double *out_ms, ferry_error *error);

#ifdef __cplusplus
}
#endif

#endif // FERRY_RUNTIME_H_

// SPDX-License-Identifier: Apache-2.0
// The contract of a device: what the plan, the builder and the runtime may ask of the CPU, a GPU or anything else.
//
// Nothing above this line assumes that the host can read a device's memory, or that work is done when enqueue returns.
// A backend offers *tactics* for *regions* (connected nodes of the portable graph). A tactic never changes an integer
// result, and a float result only within its documented error; which values are rounded where is decided before, by the
// numeric plan.
#ifndef FERRY_SRC_BACKEND_BACKEND_H_
#define FERRY_SRC_BACKEND_BACKEND_H_

#include "graph/graph.h"

#define FERRY_BACKEND_ABI 1u

/// How the elements of a tensor lie in memory. Stored in engine files: values never change.
typedef enum ferry_tensor_layout {
    FERRY_LAYOUT_PLAIN = 0,         ///< row-major in the model's order of dimensions
    FERRY_LAYOUT_CHANNELS_LAST = 1, ///< [N, C, spatial...] stored as [N, spatial..., C]; the same as plain below rank 3
    FERRY_LAYOUT_COUNT = 2
} ferry_tensor_layout;
const char *ferry_tensor_layout_name(ferry_tensor_layout layout);
/// Whether a dense tensor of such dims is the same bytes in every layout: one position, or one channel.
bool ferry_tensor_layouts_coincide(int32_t rank, const int64_t *dims);

/// A tensor as a kernel is prepared for it.
typedef struct ferry_tensor_desc {
    ferry_dtype dtype;
    ferry_tensor_layout layout;
    int32_t rank;
    int64_t dims[FERRY_MAX_RANK];    // in the model's order, whatever the layout; upper bounds when `bounded`
    int64_t strides[FERRY_MAX_RANK]; // in elements, per model dimension
    const ferry_quant *quant;        // borrowed from the graph; dtype NONE: not quantised
    bool bounded;                    // the true dims are known only when the data is
} ferry_tensor_desc;

/// A tensor as a kernel is run on it.
typedef struct ferry_binding {
    void *data;    // in the memory of the device that runs the kernel
    int64_t *dims; // [rank] in host memory; a kernel with a bounded output writes the true sizes there
} ferry_binding;

/// Connected nodes of a graph, and what crosses their border. Constants are no inputs: a kernel takes them from the
/// graph.
typedef struct ferry_region {
    const ferry_graph *graph;
    const ferry_node_id *nodes; // in topological order
    int32_t n_nodes;
    const ferry_value_id *inputs;  // not constant, made outside; each once, in order of first use
    const ferry_value_id *outputs; // made inside and used outside; each once, in order of production
    int32_t n_inputs, n_outputs;
} ferry_region;

/// Fills in the inputs and outputs of a region from its nodes; arrays are made in `arena`.
/// offsets/users: as ferry_graph_users made them.
ferry_status ferry_region_make(const ferry_graph *graph, const int32_t *offsets, const ferry_node_id *users,
                               const ferry_node_id *nodes, int32_t n_nodes, ferry_arena *arena, ferry_region *out,
                               ferry_error *err);

enum {
    /// Runs the operators' reference kernels: right for everything, slow. Chosen only where nothing else is offered.
    FERRY_OFFER_REFERENCE = 1 << 0,
    /// out[0] may lie in the memory of in[0] (same bytes, same layout).
    FERRY_OFFER_IN_PLACE = 1 << 1,
    /// Multiplies in a transformed domain (Winograd): fewer products, more rounding. Left out where that is not wanted.
    FERRY_OFFER_TRANSFORMS = 1 << 2,
    /// With channels last, inputs of rank >= 3 may be slices: some neighbouring channels of a tensor that has more, so
    /// that positions lie further apart than they have channels (ferry_tensor_desc_row).
    FERRY_OFFER_READS_SLICES = 1 << 3,
    /// The same of outputs; what lies between positions is left alone.
    FERRY_OFFER_WRITES_SLICES = 1 << 4,
    /// out[0] may lie in the memory of any input that has its bytes, dims and layout.
    FERRY_OFFER_IN_PLACE_ANY = 1 << 5,
    /// Runs a library of the device's vendor, which an engine that has chosen it needs. Offered on permission only, and
    /// chosen only where it was measured.
    FERRY_OFFER_LIBRARY = 1 << 6,
    /// Rounds the factors of f32 products to TF32's 10 bits. Offered on permission only.
    FERRY_OFFER_TF32 = 1 << 7,
    /// The library that it runs is not here: such a tactic is good for checking a plan only.
    FERRY_OFFER_ABSENT = 1 << 8,
    FERRY_OFFER_PERMITTED_ONLY = FERRY_OFFER_LIBRARY | FERRY_OFFER_TF32 | FERRY_OFFER_ABSENT,
};

/// One way to run a region. Borrowed for the call to the sink only.
typedef struct ferry_offer {
    const char *tactic;         // static, unique within the backend, kept in engine files: "conv_f32_igemm__avx512"
    const ferry_node_id *nodes; // the region, topologically ordered; the node asked about is its last
    int32_t n_nodes;
    ferry_tensor_layout in_layout, out_layout; // of all inputs / outputs of rank >= 3
    uint32_t flags;                            // FERRY_OFFER_*
    double cost_us;                            // by the backend's cost model, on the device the offer was made for
    uint64_t extra_bytes;                      // of packed constants, beyond about what the region's own have
} ferry_offer;

typedef struct ferry_offer_sink {
    ferry_status (*take)(void *user, const ferry_offer *offer, ferry_error *err);
    void *user;
} ferry_offer_sink;

/// What a backend needs to know about a graph to match regions in it.
typedef struct ferry_graph_view {
    const ferry_graph *graph;
    const int32_t *user_offsets; // see ferry_graph_users
    const ferry_node_id *users;
    const bool *bounded; // [n_values]: its size is known only when the data is; NULL: none is
    uint32_t permitted;  // of FERRY_OFFER_PERMITTED_ONLY; what isn't need not be offered, and is left out if it is
} ferry_graph_view;

/// A device that was opened. Each backend's own struct begins with this.
typedef struct ferry_device {
    const struct ferry_backend *backend;
    const ferry_heap *heap;     // borrowed
    const ferry_logger *logger; // borrowed; may be NULL
} ferry_device;

/// A prepared kernel: a tactic for one region at concrete shapes. Each backend's own struct begins with this.
typedef struct ferry_kernel {
    ferry_device *device;
    size_t workspace_bytes; // scratch in device memory that enqueue is given, 64-byte aligned
} ferry_kernel;

typedef struct ferry_device_stream ferry_device_stream; // each backend's own
typedef struct ferry_device_event ferry_device_event;   // each backend's own

typedef struct ferry_device_info {
    char name[192];        // "AMD EPYC 9B14 (AVX-512 VNNI)", for people
    char fingerprint[128]; // equal fingerprints may exchange tuned parts; printable ASCII without spaces
    size_t memory_bytes;   // of the device
    bool host_memory;      // the host reads and writes its memory directly
    bool synchronous;      // enqueue returns when the work is done
    bool build_only;       // a kind of device that plans are made for; nothing can be prepared or run
    bool survives_fork;    // its memory and kernels serve a child of the process that opened it, too
    bool shares_memory;    // its kernels use pinned memory of the host as well as their own: see find_shared
    size_t slice_align;    // bytes that the beginnings of the caller's tensors and of slices, and the way from position
                           // to position, are multiples of; 0: any number will do
    uint32_t fast_dtypes;  // bit (1 << ferry_dtype): faster than f32 here
} ferry_device_info;

struct ferry_diagnosis;       // base/diagnosis.h
struct ferry_preprocess_work; // vision/preprocess_work.h

/// A device's memory, and what its prepared kernels hold of it beside their workspace.
typedef struct ferry_device_memory {
    uint64_t free_bytes, total_bytes;
    uint64_t constant_bytes, code_bytes;
} ferry_device_memory;

typedef enum ferry_copy_kind {
    FERRY_COPY_HOST_TO_DEVICE = 0,
    FERRY_COPY_DEVICE_TO_HOST = 1,
    FERRY_COPY_DEVICE_TO_DEVICE = 2
} ferry_copy_kind;

/// Functions are required unless they say optional. All may be called from several threads, each stream from one at a
/// time.
typedef struct ferry_backend {
    uint32_t abi;     // FERRY_BACKEND_ABI
    const char *name; // "cpu", "cuda", "dla"; static

    // --- The device ---
    /// selector: what follows "name:" in --device, or "". FERRY_ERR_UNAVAILABLE says in words what is missing.
    ferry_status (*open)(const char *selector, const ferry_heap *heap, const ferry_logger *logger, ferry_device **out,
                         ferry_error *err);
    void (*close)(ferry_device *device);
    void (*describe)(const ferry_device *device, ferry_device_info *out);
    /// What building for such devices takes and whether it is here, in words; no device need be there. Optional.
    void (*describe_tools)(char *out, size_t out_bytes);

    /// The vendor's libraries that tactics with FERRY_OFFER_LIBRARY run, with their versions, in words. Optional.
    void (*describe_libraries)(ferry_device *device, char *out, size_t out_bytes);

    // --- Planning ---
    /// Offers every tactic whose region ends in `root`. No offer at all means that the node can't run here.
    ferry_status (*offer)(ferry_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err);
    /// Why nothing was offered: a sentence for the user. Optional.
    void (*why_not)(ferry_device *device, const ferry_graph *graph, ferry_node_id node, char *out, size_t out_bytes);
    /// Packs the region's constants for the tactic. *out_data (from the device's heap, of *out_bytes) stays NULL when
    /// the tactic uses the graph's own constants in place.
    ferry_status (*pack)(ferry_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err);

    /// Microseconds that changing the layout of a tensor of so many bytes takes, estimated. Optional: as on a CPU.
    double (*reformat_cost_us)(const ferry_device *device, double bytes);
    /// The same as pack for kernels that change the layout of tensors of that type, whatever their shapes. Optional.
    ferry_status (*pack_reformat)(ferry_device *device, ferry_dtype dtype, void **out_data, size_t *out_bytes,
                                  ferry_error *err);

    // --- Preprocessing of pictures: optional, both or none ---
    /// Compiles what prepare_preprocess needs, whatever pictures and settings.
    ferry_status (*pack_preprocess)(ferry_device *device, void **out_data, size_t *out_bytes, ferry_error *err);
    /// Makes a kernel that does that work: in[0] is the picture, in[1] the work's tables, out[0] one sample of the
    /// input, all without dims.
    ferry_status (*prepare_preprocess)(ferry_device *device, const struct ferry_preprocess_work *work,
                                       const void *packed, size_t packed_bytes, ferry_kernel **out_kernel,
                                       ferry_error *err);

    // --- Preparing ---
    /// Makes a kernel for concrete shapes, those of `in` and `out`: the graph has the shapes that the region was chosen
    /// and packed for, so that what was decided by them is decided alike. `packed` (64-byte aligned, from pack, perhaps
    /// by way of a file) and the graph are borrowed for the kernel's life. A `packed` that does not fit is refused,
    /// never read beyond its end.
    ferry_status (*prepare)(ferry_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err);
    /// Makes a kernel that copies `in` to `out`, same dims and dtype, other layout or strides.
    /// `packed`: what pack_reformat made for tensors of this type, if there is such a function.
    ferry_status (*prepare_reformat)(ferry_device *device, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                     const void *packed, size_t packed_bytes, ferry_kernel **out_kernel,
                                     ferry_error *err);
    void (*release)(ferry_kernel *kernel); // NULL accepted

    // --- Running: nothing here allocates ---
    ferry_status (*enqueue)(ferry_device_stream *stream, const ferry_kernel *kernel, const ferry_binding *in,
                            const ferry_binding *out, void *workspace, ferry_error *err);
    ferry_status (*copy)(ferry_device_stream *stream, ferry_copy_kind kind, void *to, const void *from, size_t bytes,
                         ferry_error *err);

    // --- Memory ---
    void *(*alloc)(ferry_device *device, size_t bytes); // device memory, 256-byte aligned or better; NULL when gone
    void (*free)(ferry_device *device, void *pointer, size_t bytes);
    void *(*alloc_pinned)(ferry_device *device, size_t bytes); // host memory that copies fast; NULL when gone
    void (*free_pinned)(ferry_device *device, void *pointer, size_t bytes);
    /// Where the device's kernels and the host reach the memory at `address`, as either of them knows it; false when
    /// one of the two can't, as with pageable memory. Required of devices that share the host's memory.
    bool (*find_shared)(ferry_device *device, void *address, void **out_on_device, void **out_on_host);

    // --- Streams and events ---
    /// threads: how many host threads a synchronous device may use; others ignore it.
    ferry_status (*stream_create)(ferry_device *device, int32_t threads, ferry_device_stream **out, ferry_error *err);
    void (*stream_destroy)(ferry_device_stream *stream); // waits for what is queued
    ferry_status (*stream_wait)(ferry_device_stream *stream, ferry_error *err);
    /// Around kernels that are enqueued one right after another: between them a synchronous device's threads may stay
    /// awake. Optional, both or none.
    void (*burst_begin)(ferry_device_stream *stream);
    void (*burst_end)(ferry_device_stream *stream);
    ferry_status (*event_create)(ferry_device *device, ferry_device_event **out, ferry_error *err);
    void (*event_destroy)(ferry_device_event *event);
    ferry_status (*event_record)(ferry_device_stream *stream, ferry_device_event *event, ferry_error *err);
    /// Milliseconds between two recorded events; waits for both.
    ferry_status (*event_elapsed)(ferry_device_event *begin, ferry_device_event *end, double *out_ms, ferry_error *err);

    // --- Graph capture: optional, all NULL where the device has none ---
    ferry_status (*capture_begin)(ferry_device_stream *stream, ferry_error *err);
    ferry_status (*capture_end)(ferry_device_stream *stream, void **out_graph, ferry_error *err);
    /// What was captured with the address `from` of a tensor uses `to` from the next launch on, whatever it was changed
    /// to meanwhile: so `from` names a tensor, and need not be memory at all.
    ferry_status (*capture_rebind)(void *graph, const void *from, void *to, ferry_error *err);
    ferry_status (*capture_launch)(void *graph, ferry_device_stream *stream, ferry_error *err);
    void (*capture_destroy)(void *graph);

    /// What of the backend's needs is on this machine, in words; no device need be there. Optional.
    void (*diagnose)(struct ferry_diagnosis *out);
    /// Optional: NULL where the memory is the host's.
    ferry_status (*measure_memory)(ferry_device *device, ferry_device_memory *out, ferry_error *err);
} ferry_backend;

/// The backends of this build, best first; the CPU is always the last. NULL beyond the end.
const ferry_backend *ferry_backend_at(size_t index);
const ferry_backend *ferry_backend_find(const char *name); // NULL when there is none
const ferry_backend *const *ferry_backends(void);          // all of them; NULL ends the list

/// Row-major strides for the layout.
void ferry_tensor_desc_set_strides(ferry_tensor_desc *desc);
/// Elements from a position to the next one of a tensor whose channels lie together and whose positions lie evenly: at
/// least its channels. 0 when it lies in another way, or has no positions at all.
int64_t ferry_tensor_desc_row(const ferry_tensor_desc *desc);
/// Bytes from the first to one past the last element; false on overflow.
bool ferry_tensor_desc_bytes(const ferry_tensor_desc *desc, size_t *out);
/// Dense strides in that layout.
bool ferry_tensor_desc_is_dense(const ferry_tensor_desc *desc, ferry_tensor_layout layout);
bool ferry_tensor_desc_same_dims(const ferry_tensor_desc *a, const ferry_tensor_desc *b);

#endif // FERRY_SRC_BACKEND_BACKEND_H_

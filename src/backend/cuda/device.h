// SPDX-License-Identifier: Apache-2.0
// The CUDA backend from within: its device, streams and tables of tactics.
#ifndef FERRY_SRC_BACKEND_CUDA_DEVICE_H_
#define FERRY_SRC_BACKEND_CUDA_DEVICE_H_

#include <pthread.h>

#include "backend/backend.h"
#include "backend/cuda/driver.h"
#include "backend/cuda/kernel.h"
#include "backend/cuda/package.h"
#include "backend/cuda/target.h"

extern const ferry_backend ferry_backend_cuda;

typedef struct ferry_cuda_device {
    ferry_device base;
    ferry_cuda_target target;
    const ferry_cu_driver *driver; // NULL: a target that is built for only; nothing runs
    ferry_cu_device ordinal;
    ferry_cu_context context; // the primary one, shared with other users of the device in this process
    char name[128];
    int driver_version;
    size_t memory_bytes;
    pthread_mutex_t mutex;   // of cubins
    pthread_mutex_t loading; // of resident and blas_handle: held while packages are loaded, which compiles what is text
    pthread_cond_t compiled; // a cubin was, or could not be
    struct ferry_cuda_cubin *cubins;            // compiled since the device was opened (compile.c)
    struct ferry_cuda_resident *resident;       // what packages have on the device (resident.c)
    struct ferry_cublaslt_handle_ *blas_handle; // of cuBLASLt; NULL: nothing has asked for it (vendor_blas_call.c)
} ferry_cuda_device;

struct ferry_device_stream {
    ferry_cuda_device *device;
    ferry_cu_stream stream;
    struct ferry_cuda_capture *capture; // not NULL: what is enqueued goes into a graph instead of being run
};

/// diagnose.c
void ferry_cuda_diagnose(struct ferry_diagnosis *out);

/// Makes the device's context this thread's current one until ferry_cuda_leave. FERRY_ERR_UNAVAILABLE for a target,
/// FERRY_ERR_DEVICE where the driver serves this process no more.
ferry_status ferry_cuda_enter(const ferry_cuda_device *device, ferry_error *err);
void ferry_cuda_leave(const ferry_cuda_device *device);

/// A family of tactics: one row of the table in families.c.
typedef struct ferry_cuda_family {
    const char *name;
    /// Offers what the family can do for regions that end in `root`; nothing when it can't.
    ferry_status (*offer)(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err);
    /// True if the tactic's name is one of this family's.
    bool (*owns)(const char *tactic);
    /// Compiles the region's kernels and packs its constants. Runs on a machine without a GPU too.
    ferry_status (*pack)(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err);
    /// Fills the kernel's launches. Trusts nothing: graph, shapes and package may come from a file.
    ferry_status (*prepare)(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err);
} ferry_cuda_family;

/// The families, most special first. NULL beyond the end.
const ferry_cuda_family *ferry_cuda_family_at(size_t index);
const ferry_cuda_family *ferry_cuda_family_of(const char *tactic); // NULL: unknown

double ferry_cuda_reformat_cost_us(const ferry_device *device, double bytes);
ferry_status ferry_cuda_pack_reformat(ferry_device *device, ferry_dtype dtype, void **out_data, size_t *out_bytes,
                                      ferry_error *err);
ferry_status ferry_cuda_prepare_reformat(ferry_device *device, const ferry_tensor_desc *in,
                                         const ferry_tensor_desc *out, const void *packed, size_t packed_bytes,
                                         ferry_kernel **out_kernel, ferry_error *err);

// Preprocessing (preprocess.c): members of the backend.
ferry_status ferry_cuda_pack_preprocess(ferry_device *device, void **out_data, size_t *out_bytes, ferry_error *err);
ferry_status ferry_cuda_prepare_preprocess(ferry_device *device, const struct ferry_preprocess_work *work,
                                           const void *packed, size_t packed_bytes, ferry_kernel **out_kernel,
                                           ferry_error *err);

// --- Streams, events, capture (stream.c, capture.c): members of the backend -----------------------------------------

ferry_status ferry_cuda_stream_create(ferry_device *device, int32_t threads, ferry_device_stream **out,
                                      ferry_error *err);
void ferry_cuda_stream_destroy(ferry_device_stream *stream);
ferry_status ferry_cuda_stream_wait(ferry_device_stream *stream, ferry_error *err);
ferry_status ferry_cuda_copy(ferry_device_stream *stream, ferry_copy_kind kind, void *to, const void *from,
                             size_t bytes, ferry_error *err);
ferry_status ferry_cuda_event_create(ferry_device *device, ferry_device_event **out, ferry_error *err);
void ferry_cuda_event_destroy(ferry_device_event *event);
ferry_status ferry_cuda_event_record(ferry_device_stream *stream, ferry_device_event *event, ferry_error *err);
ferry_status ferry_cuda_event_elapsed(ferry_device_event *begin, ferry_device_event *end, double *out_ms,
                                      ferry_error *err);
ferry_status ferry_cuda_capture_begin(ferry_device_stream *stream, ferry_error *err);
ferry_status ferry_cuda_capture_end(ferry_device_stream *stream, void **out_graph, ferry_error *err);
ferry_status ferry_cuda_capture_rebind(void *graph, const void *from, void *to, ferry_error *err);
ferry_status ferry_cuda_capture_launch(void *graph, ferry_device_stream *stream, ferry_error *err);
void ferry_cuda_capture_destroy(void *graph);
/// Adds a launch to the graph that the stream captures.
ferry_status ferry_cuda_capture_add(ferry_device_stream *stream, const ferry_cu_kernel_node *node,
                                    const ferry_cuda_launch *launch, ferry_error *err);

/// The same of a library's call, with its arguments' values.
ferry_status ferry_cuda_capture_add_call(ferry_device_stream *stream, const ferry_cuda_launch *launch,
                                         const uint64_t *values, ferry_error *err);
/// Whether the driver can capture calls, and give them other addresses later.
bool ferry_cuda_captures_calls(const ferry_cu_driver *driver);

/// Ends what the device has of cuBLASLt (vendor_blas_call.c).
void ferry_cuda_blas_close(ferry_cuda_device *device);

#endif // FERRY_SRC_BACKEND_CUDA_DEVICE_H_

// SPDX-License-Identifier: Apache-2.0
// Pictures straight into an engine's input, on the engine's device: what ferry_preprocessor_run does on the host, bit
// for bit the same, without the input's way through host memory.
#ifndef FERRY_FEED_H_
#define FERRY_FEED_H_

#include "ferry/preprocess.h"
#include "ferry/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Keeps what pictures of the latest few sizes need, so that feeding one of a size that was seen allocates nothing. One
/// thread and one stream at a time: it may go on on another stream when what it queued has finished.
typedef struct ferry_feeder ferry_feeder;

/// Where the pixels of a picture lie.
typedef enum ferry_picture_memory {
    FERRY_PICTURE_ON_HOST = 0,  ///< copied to the device first; asynchronously from pinned memory (ferry_pinned_alloc)
    FERRY_PICTURE_ON_DEVICE = 1 ///< of the engine's runtime (ferry_memory_alloc): read where they lie
} ferry_picture_memory;

/// Makes a feeder of an input that has an image's four dimensions.
///
/// @param input       index of the input
/// @param preprocess  copied; NULL: the settings that the engine carries. Without a size they take the input's
/// @return FERRY_ERR_UNAVAILABLE where the engine has no kernels for it: it was built without preprocessing, or for a
///         device without such kernels. Then ferry_preprocessor_run and a copy do the same.
///         FERRY_ERR_INVALID_ARGUMENT for settings that do not suit the input.
FERRY_API ferry_status ferry_feeder_create(ferry_engine *engine, int32_t input, const ferry_preprocess *preprocess,
                                           ferry_feeder **out, ferry_error *error);
FERRY_API void ferry_feeder_release(ferry_feeder *feeder); ///< NULL accepted; waits for what it queued

/// Queues the making of one sample; an inference queued behind it finds the sample in its input. Where the runtime's
/// memory is the host's, it is done before the call returns, after what the stream had queued.
///
/// @param picture       1, 3 or 4 channels (a fourth is ignored); the pixels are borrowed until the stream has passed
/// @param to            memory of the engine's runtime: the address that is bound to the input, or within a batch that
///                      of the sample, a multiple of its element's size
/// @param bytes         room there: at least ferry_preprocess_elements() of the input's type
/// @param out_geometry  NULL, or receives where the picture lies in the input
FERRY_API ferry_status ferry_feeder_enqueue(ferry_feeder *feeder, const ferry_picture *picture,
                                            ferry_picture_memory memory, void *to, size_t bytes, ferry_stream *stream,
                                            ferry_preprocess_geometry *out_geometry, ferry_error *error);

#ifdef __cplusplus
}
#endif

#endif // FERRY_FEED_H_

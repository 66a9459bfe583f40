// SPDX-License-Identifier: Apache-2.0
// From a network to an engine: build options, calibration, build.
#ifndef FERRY_BUILD_H_
#define FERRY_BUILD_H_

#include "ferry/calibrate.h"
#include "ferry/histograms.h"
#include "ferry/network.h"
#include "ferry/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

// --- Build ---------------------------------------------------------------------------------------------------------

/// Precisions that the builder may use besides FP32.
enum {
    FERRY_PRECISION_FP16 = 1 << 0,
    FERRY_PRECISION_BF16 = 1 << 1,
    FERRY_PRECISION_INT8 = 1 << 2,
};

/// Shapes of one dynamic input. A fixed shape is min = opt = max.
typedef struct ferry_profile_shape {
    const char *input;
    int32_t rank;
    int64_t min_dims[FERRY_MAX_RANK], opt_dims[FERRY_MAX_RANK], max_dims[FERRY_MAX_RANK];
} ferry_profile_shape;

/// Keeps layers in a precision, whatever the flags allow: "GLOB=fp32".
typedef struct ferry_layer_precision {
    const char *glob;      ///< matched against node names and the names of the tensors they make; '*' and '?'
    const char *precision; ///< "fp32", "fp16", "bf16" or "int8"
} ferry_layer_precision;

typedef struct ferry_text_pair {
    const char *key, *value;
} ferry_text_pair;

/// Whose kernels an engine may use.
typedef enum ferry_tactics {
    FERRY_TACTICS_ALL = 0, ///< whichever is fastest; an engine that uses a vendor's library needs it to run
    FERRY_TACTICS_OWN = 1, ///< ferry's own alone
} ferry_tactics;

/// Zero means the default in every field.
typedef struct ferry_build_options {
    size_t size;                       ///< sizeof(ferry_build_options)
    uint32_t precisions;               ///< FERRY_PRECISION_*; 0: FP32 only
    const ferry_profile_shape *shapes; ///< [n_shapes] of the dynamic inputs
    size_t n_shapes;
    const ferry_layer_precision *layer_precisions; ///< [n_layer_precisions]; a glob without a match fails the build
    size_t n_layer_precisions;
    const char *numeric_plan;                     ///< text of a numeric plan to replay; NULL: decide anew
    const ferry_calibration_options *calibration; ///< where INT8 scales come from; NULL: only from Q/DQ nodes in the
                                                  ///< model. The FP16 guard looks at its samples, too
    const char *preprocess_json, *decoder_json, *labels_json, *task; ///< stored in the engine as they are; NULL: none
    const char *name;                                                ///< of the engine; NULL: the model's
    const ferry_text_pair *metadata;                                 ///< [n_metadata] free texts to store
    size_t n_metadata;
    uint64_t workspace_bytes; ///< most scratch memory of one tactic, where the device is here; 0: no cap
    uint64_t
        memory_bytes; ///< most memory for one context (activations and scratch); 0: no cap. Refused with the numbers
    const char *timing_cache;           ///< file of measured tactic times, read and rewritten; NULL: none
    int32_t threads;                    ///< host threads for tactic timing and calibration; 0: one for each core
    bool no_fusion;                     ///< plan the graph as it was imported: every tensor of the model exists
    bool strip_portable;                ///< leave out what only planning for another device needs
    const char *const *disabled_passes; ///< [n_disabled_passes] names of rewrites to skip, for finding faults
    size_t n_disabled_passes;
    const ferry_logger *logger;     ///< NULL: the runtime's
    const ferry_progress *progress; ///< NULL: none; a callback that returns non-zero cancels
    bool no_winograd;               ///< 3x3 convolutions in float as plain sums everywhere, also where the engine is
                                    ///< planned anew: slower, with a few times less rounding error
    bool low_memory; ///< an engine that takes little memory to run and may be slower: no_winograd, tactics chosen for
                     ///< memory as well as time, and weights that are resident only while their layer runs, where the
                     ///< engine is a mapped file
    bool no_timing;  ///< choose tactics by estimated costs instead of timing them: builds sooner, and alike everywhere
    bool
        int8_symmetric; ///< INT8 without zero points, as TensorRT and the DLA have it. Without this, tensors that reach
                        ///< further up than down (behind ReLU, SiLU ...) use all 256 codes for where they do reach
    ferry_tactics tactics; ///< also where the engine is planned anew
    bool tf32; ///< allow products of FP32 to round their factors to TF32's 10 bits where the device is faster so;
               ///< likewise
    bool no_fp16_guard; ///< FP16 everywhere that it is allowed. Without this, layers whose tensors reach beyond half of
                        ///< what FP16 holds, or whose weights it can't hold, are kept in BF16 where the device computes
                        ///< in it, else in FP32, each with a warning. Tensors are looked at in FP32: in calibration's
                        ///< run, in a calibration cache, or, without INT8, in 16 of `calibration`'s samples
    double
        build_seconds; ///< most seconds for timing tactics, compiling for it included: the most promising come first,
                       ///< estimates decide about those that were not reached, and their number is logged; 0: no cap
} ferry_build_options;

/// Builds an engine for the runtime's device. Takes seconds to minutes and reports progress.
/// @return FERRY_ERR_CANCELLED, FERRY_ERR_UNSUPPORTED (with every layer that can't run), FERRY_ERR_OUT_OF_MEMORY (a
/// cap, with the
///         numbers), or what the model, calibrator or files are guilty of.
FERRY_API ferry_status ferry_build(ferry_runtime *runtime, const ferry_network *network,
                                   const ferry_build_options *options, ferry_engine **out, ferry_error *error);

/// Runs calibration alone and returns the text of a TensorRT calibration cache, to be freed with ferry_bytes_free(text,
/// len + 1). `options->calibration` is required; its cache file is written too when it names one.
FERRY_API ferry_status ferry_calibrate(ferry_runtime *runtime, const ferry_network *network,
                                       const ferry_build_options *options, char **out_text, ferry_error *error);

/// Runs calibration's forward passes alone: what was seen of each float tensor, to be merged with what other processes
/// have seen, or to choose scales from. Of `options->calibration`, which is required, only the samples count
/// (`calibrator`'s batches or `source`, `count`, `seed`, `batch`, `threads`): caches are neither read nor written.
/// A part without a readable sample gives empty histograms, not an error. A list file of k pictures with `count` >= k
/// names them one by one; where the model fixes its batch, samples that don't fill one are left out, so give each
/// part a multiple of it.
/// @return as ferry_calibrate; FERRY_ERR_INVALID_ARGUMENT also for FERRY_CALIBRATION_AUTO, which needs more than
///         histograms
FERRY_API ferry_status ferry_observe(ferry_runtime *runtime, const ferry_network *network,
                                     const ferry_build_options *options, ferry_histograms **out, ferry_error *error);

/// The rewrites in their order: name and one line on what it does. NULL beyond the end. Static storage.
FERRY_API const char *ferry_pass_name(size_t index, const char **out_what);

#ifdef __cplusplus
}
#endif

#endif // FERRY_BUILD_H_

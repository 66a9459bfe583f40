// SPDX-License-Identifier: Apache-2.0
// Where INT8 scales come from: samples, a user's calibrator, or a calibration cache. Names and shapes are TensorRT's.
#ifndef FERRY_CALIBRATE_H_
#define FERRY_CALIBRATE_H_

#include <stdbool.h>

#include "ferry/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/// How a tensor's range is chosen from what was seen of it; docs/CALIBRATION.md defines each.
typedef enum ferry_calibration_algorithm {
    FERRY_CALIBRATION_DEFAULT = 0,  ///< what measured best: entropy2 in this version
    FERRY_CALIBRATION_ENTROPY2 = 1, ///< least divergence as TensorRT ships it
    FERRY_CALIBRATION_ENTROPY = 2,  ///< least divergence as NVIDIA published it
    FERRY_CALIBRATION_MINMAX = 3,   ///< all that was seen; for networks of the BERT kind
    FERRY_CALIBRATION_PERCENTILE = 4,
    FERRY_CALIBRATION_MSE = 5, ///< least squared rounding and clipping error
    /// The builder tries the others on the first samples, 16 at most, and takes the one whose network outputs are
    /// closest to FP32 (mean of the outputs' signal-to-noise ratios); the figures are logged at INFO.
    FERRY_CALIBRATION_AUTO = 6
} ferry_calibration_algorithm;

/// The percentile that 0 stands for.
#define FERRY_CALIBRATION_DEFAULT_PERCENTILE 99.99
/// The count that 0 stands for: more samples change next to nothing for picture classifiers.
#define FERRY_CALIBRATION_DEFAULT_COUNT 500

/// "entropy2", "entropy", "minmax", "percentile", "mse", "auto"; of the default, the name of what it stands for; NULL
/// for another value. Static storage. Thread-safe.
FERRY_API const char *ferry_calibration_algorithm_name(ferry_calibration_algorithm algorithm);

/// Reads a name as above; "percentile:99.9" also sets *out_percentile, which is 0 otherwise. Thread-safe.
/// @return FERRY_ERR_INVALID_ARGUMENT with the list of names; the outputs are then untouched.
FERRY_API ferry_status ferry_calibration_algorithm_parse(const char *text, ferry_calibration_algorithm *out_algorithm,
                                                         double *out_percentile, ferry_error *error);

/// A user's source of samples, shaped like TensorRT's IInt8EntropyCalibrator2. The functions are called from one thread
/// at a time, the one that builds. Everything is borrowed until the build returns.
typedef struct ferry_calibrator {
    size_t size; ///< sizeof(ferry_calibrator)

    /// Samples in each batch, at least 1. Asked once, before the first batch. NULL: 1.
    int32_t (*get_batch_size)(void *user);

    /// Hands over the next batch: sets bindings[i] to the data of the input names[i], i < count. Each holds exactly
    /// get_batch_size() samples one after another, row-major, in **host** memory: f32 for every floating-point input
    /// whatever its own type, else the input's own element type. The data is borrowed until the next call.
    /// @return 1: bindings are set; 0: no more batches; -1: failed, with the reason in `error` (never NULL).
    int (*get_batch)(void *user, const void **bindings, const char *const *names, int32_t count, ferry_error *error);

    /// The text of a calibration cache and its length, or NULL to calibrate. Asked first; with a cache no batch is
    /// asked for. Borrowed until the next call. The function may be NULL.
    const void *(*read_calibration_cache)(void *user, size_t *length);

    /// Gets the text of a new cache, to keep for the next time. Not called when a cache was read. May be NULL.
    void (*write_calibration_cache)(void *user, const void *text, size_t length);

    /// May be NULL: the algorithm of ferry_calibration_options.
    ferry_calibration_algorithm (*get_algorithm)(void *user);

    void *user; ///< passed back to each

    /// Asked after each of the functions that cannot fail by themselves (all but get_batch): non-zero says that it did,
    /// with the reason in `error` (never NULL), and ends the build with FERRY_ERR_BAD_DATA. May be NULL.
    int (*get_failure)(void *user, ferry_error *error);
} ferry_calibrator;

/// Zero means the default in every field. Either `calibrator`, `source` or an existing `cache_path` is needed.
typedef struct ferry_calibration_options {
    size_t size;                           ///< sizeof(ferry_calibration_options)
    ferry_calibration_algorithm algorithm; ///< 0: entropy2
    double percentile;                     ///< for the percentile algorithm, in (0, 100]; 0: 99.99
    const ferry_calibrator *calibrator;    ///< the caller's own samples; NULL: `source`
    const char *source;                    ///< folder of pictures, list file (.txt) or samples (.npy); see below
    uint32_t count;                        ///< samples to draw from `source`; 0: 500, or all when there are fewer
    uint64_t seed;                         ///< of the draw
    /// Samples run at a time where the model leaves its batch open and all tensors have it in front: memory and speed
    /// only, never the scales; elsewhere they run one at a time. 0: 1
    uint32_t batch;
    /// A TensorRT calibration cache. Where the file exists it is read and not modified, and no sample is looked at;
    /// otherwise it is written after calibration, with a side file `cache_path`.meta. NULL: none.
    const char *cache_path;
    const char *cache_version; ///< the version number in a written cache's first line; NULL: "8600"
    int32_t threads;           ///< 0: as many as the build uses. Never changes a scale
    bool recalibrate;          ///< calibrate although `cache_path` exists, and rewrite it
} ferry_calibration_options;

// --- Sample lists --------------------------------------------------------------------------------------------------

/// The samples that a `source` offers, so that calibration and evaluation can use complementary sets:
/// - a folder: its .jpg, .jpeg and .png files (any case) and those of its sub-folders, sorted bytewise by their path
///   relative to it; names that begin with '.' are passed over; other files are counted as ignored;
/// - a .txt file: a path a line, relative to the file's folder; blank lines and lines that begin with '#' are passed
/// over;
///   sorted and without duplicates, too;
/// - a .npy file: f32 [N, ...]; sample i is its i-th row, used as it is, without preprocessing.
/// One thread at a time.
typedef struct ferry_sample_list ferry_sample_list;

/// @param heap NULL: the process heap.
/// @return FERRY_ERR_IO or FERRY_ERR_BAD_DATA with the path and, for list files, the line; no sample at all is an
/// error.
FERRY_API ferry_status ferry_sample_list_open(const char *source, const ferry_heap *heap, ferry_sample_list **out,
                                              ferry_error *error);
FERRY_API void ferry_sample_list_close(ferry_sample_list *list); ///< NULL accepted

FERRY_API size_t ferry_sample_list_count(const ferry_sample_list *list);
/// Files in the folder that are no pictures by their names.
FERRY_API size_t ferry_sample_list_ignored(const ferry_sample_list *list);
/// Path of sample `index` as it can be opened; for .npy the file's own path. NULL past the end. Owned by the list.
FERRY_API const char *ferry_sample_list_path(const ferry_sample_list *list, size_t index);
/// Row of the .npy file that sample `index` is; SIZE_MAX for pictures.
FERRY_API size_t ferry_sample_list_row(const ferry_sample_list *list, size_t index);

typedef enum ferry_sample_choice {
    FERRY_SAMPLES_DRAWN = 0, ///< those that calibration with this count and seed uses
    FERRY_SAMPLES_OTHERS = 1 ///< all but those
} ferry_sample_choice;

/// Keeps `count` (0: FERRY_CALIBRATION_DEFAULT_COUNT) samples drawn with `seed`, or the others, in the list's order.
/// The draw depends on the number of samples, `count` and `seed` alone, not on the machine. With `count` >= the list's
/// length all are drawn.
FERRY_API void ferry_sample_list_choose(ferry_sample_list *list, size_t count, uint64_t seed,
                                        ferry_sample_choice choice);

#ifdef __cplusplus
}
#endif

#endif // FERRY_CALIBRATE_H_

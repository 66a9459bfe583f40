// SPDX-License-Identifier: Apache-2.0
// What calibration has seen of a network's tensors, as an object: parts seen by several processes or machines are added
// up exactly, and the scales chosen from the sum are those of one machine that saw all samples.
#ifndef FERRY_HISTOGRAMS_H_
#define FERRY_HISTOGRAMS_H_

#include "ferry/calibrate.h"

#ifdef __cplusplus
extern "C" {
#endif

/// A histogram of |x| for each float tensor of a network; some 33 KB each. Made by ferry_observe (ferry/build.h), or
/// read back. One thread at a time.
typedef struct ferry_histograms ferry_histograms;

FERRY_API void ferry_histograms_release(ferry_histograms *histograms); ///< NULL accepted

/// Samples that were seen. Unreadable ones were passed over and do not count.
FERRY_API uint64_t ferry_histograms_sample_count(const ferry_histograms *histograms);
/// Float tensors of the network, inputs first, then in the order in which nodes make them.
FERRY_API size_t ferry_histograms_tensor_count(const ferry_histograms *histograms);

typedef struct ferry_histogram_info {
    const char *name; ///< owned by the histograms
    float min, max;   ///< of the finite values, exactly; 0 when there was none
    uint64_t finite_count, zero_count, nan_count, infinite_count;
} ferry_histogram_info;

/// What was seen of a tensor. FERRY_ERR_INVALID_ARGUMENT past the end.
FERRY_API ferry_status ferry_histograms_tensor(const ferry_histograms *histograms, size_t tensor,
                                               ferry_histogram_info *out, ferry_error *error);

/// Adds what `from` has seen to `into`; `from` stays as it is. The result does not depend on the order of merges or on
/// how samples were split, to the bit. A sample that both have seen counts twice.
/// @return FERRY_ERR_INVALID_ARGUMENT when they are of different models, preprocessings, input shapes or tensor lists;
///         the text names the difference, and `into` is as it was.
FERRY_API ferry_status ferry_histograms_merge(ferry_histograms *into, const ferry_histograms *from, ferry_error *error);

/// The bytes of a histogram file (docs/CALIBRATION.md) in new memory, to be freed with ferry_bytes_free. The same
/// histograms give the same bytes.
FERRY_API ferry_status ferry_histograms_serialize(const ferry_histograms *histograms, void **out_data,
                                                  size_t *out_bytes, ferry_error *error);
/// Reads them back; `data` is copied from. `heap` NULL: the process heap.
/// @return FERRY_ERR_BAD_DATA for anything that is damaged, cut off or could not have been counted;
/// FERRY_ERR_UNSUPPORTED
///         for a newer format.
FERRY_API ferry_status ferry_histograms_deserialize(const void *data, size_t bytes, const ferry_heap *heap,
                                                    ferry_histograms **out, ferry_error *error);
/// The same to and from a file, which is written whole or not at all. Texts begin with the path.
FERRY_API ferry_status ferry_histograms_save(const ferry_histograms *histograms, const char *path, ferry_error *error);
FERRY_API ferry_status ferry_histograms_load(const char *path, const ferry_heap *heap, ferry_histograms **out,
                                             ferry_error *error);

/// Chooses scales and gives the text of a TensorRT calibration cache, to be freed with ferry_bytes_free(text, len + 1):
/// the same bytes that ferry_calibrate gives on one machine that sees all the samples.
/// @param algorithm      not FERRY_CALIBRATION_AUTO, which compares the network's outputs: histograms don't hold them
/// @param percentile     for that algorithm; 0: 99.99
/// @param cache_version  as in ferry_calibration_options; NULL: "8600"
/// @param logger         gets what is odd about single tensors (no scale, values that are not finite); NULL: silence
/// @return FERRY_ERR_BAD_DATA when no sample was seen at all
FERRY_API ferry_status ferry_histograms_cache(const ferry_histograms *histograms, ferry_calibration_algorithm algorithm,
                                              double percentile, const char *cache_version, const ferry_logger *logger,
                                              char **out_text, ferry_error *error);

#ifdef __cplusplus
}
#endif

#endif // FERRY_HISTOGRAMS_H_

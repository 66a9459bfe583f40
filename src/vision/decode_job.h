// SPDX-License-Identifier: Apache-2.0
// The three ways of decoding, one for each task.
#ifndef FERRY_SRC_VISION_DECODE_JOB_H_
#define FERRY_SRC_VISION_DECODE_JOB_H_

#include "ferry/preprocess.h"
#include "vision/decoder.h"
#include "vision/result.h"

/// What all three read.
typedef struct ferry_decode_job {
    const ferry_decoder *decoder;
    const ferry_tensor_view *outputs;
    size_t output_count;
    const ferry_preprocess_geometry *geometry; // NULL for classifiers
    ferry_decode_options options;              // defaults filled in
} ferry_decode_job;

ferry_status ferry_decode_detect(const ferry_decode_job *job, ferry_result_store *store, ferry_error *err);
ferry_status ferry_decode_classify(const ferry_decode_job *job, ferry_result_store *store, ferry_error *err);
ferry_status ferry_decode_segment(const ferry_decode_job *job, ferry_result_store *store, ferry_error *err);

/// Whether the outputs suit; *out_class_total as in ferry_decoder_check().
ferry_status ferry_check_classify(const ferry_decoder *decoder, const ferry_tensor_view *outputs, size_t output_count,
                                  size_t *out_class_total, ferry_error *err);
ferry_status ferry_check_segment(const ferry_decoder *decoder, const ferry_tensor_view *outputs, size_t output_count,
                                 size_t *out_class_total, ferry_error *err);

#endif // FERRY_SRC_VISION_DECODE_JOB_H_

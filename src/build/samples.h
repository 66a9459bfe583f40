// SPDX-License-Identifier: Apache-2.0
// Samples for running a network while building: from the user's calibrator, from pictures, or from a .npy file.
#ifndef FERRY_SRC_BUILD_SAMPLES_H_
#define FERRY_SRC_BUILD_SAMPLES_H_

#include "build/internal.h"
#include "calibrate/meta.h"

typedef struct ferry_samples ferry_samples;

/// Opens what `b->options.calibration` names. The network's inputs (b->opt) say how large a sample is; their first
/// dimension is the batch. Pictures are preprocessed as b->options.preprocess_json says; without it, with the default
/// settings at the input's size.
ferry_status ferry_samples_open(ferry_building *b, ferry_samples **out, ferry_error *err);
void ferry_samples_close(ferry_samples *samples); // NULL accepted

/// Samples expected in all; 0 when only the calibrator knows.
uint64_t ferry_samples_total(const ferry_samples *samples);
/// Writes the next sample's data for each input into inputs[i] (of the input's own type, sample_bytes[i] bytes).
/// *out_more is false at the end. Samples that can't be read are logged and passed over.
ferry_status ferry_samples_next(ferry_samples *samples, void *const *inputs, bool *out_more, ferry_error *err);
/// Fails when there was not one usable sample, with the reason.
ferry_status ferry_samples_finish(const ferry_samples *samples, ferry_error *err);

/// Describes the model and its preprocessing only: the rest is zeroed.
void ferry_samples_describe_model(ferry_building *b, ferry_calibration_meta *out);
/// Describes the samples too, for the side file of a cache.
void ferry_samples_describe(ferry_building *b, ferry_calibration_meta *out);

#endif // FERRY_SRC_BUILD_SAMPLES_H_

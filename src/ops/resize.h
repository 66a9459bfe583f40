// SPDX-License-Identifier: Apache-2.0
// The geometry of Resize, one axis at a time: which input elements an output element is made of, with which weights.
#ifndef FERRY_SRC_OPS_RESIZE_H_
#define FERRY_SRC_OPS_RESIZE_H_

#include "ops/op.h"

typedef enum ferry_resize_kind { FERRY_RESIZE_NEAREST, FERRY_RESIZE_LINEAR, FERRY_RESIZE_CUBIC } ferry_resize_kind;

typedef enum ferry_resize_coordinates {
    FERRY_COORDINATES_HALF_PIXEL,
    FERRY_COORDINATES_HALF_PIXEL_SYMMETRIC,
    FERRY_COORDINATES_PYTORCH_HALF_PIXEL,
    FERRY_COORDINATES_ALIGN_CORNERS,
    FERRY_COORDINATES_ASYMMETRIC,
    FERRY_COORDINATES_TF_HALF_PIXEL_FOR_NN, // of opset 11 alone
    FERRY_COORDINATES_TF_CROP_AND_RESIZE
} ferry_resize_coordinates;

typedef enum ferry_resize_rounding {
    FERRY_ROUNDING_PREFER_FLOOR,
    FERRY_ROUNDING_PREFER_CEIL,
    FERRY_ROUNDING_FLOOR,
    FERRY_ROUNDING_CEIL
} ferry_resize_rounding;

typedef enum ferry_resize_policy {
    FERRY_RESIZE_STRETCH,
    FERRY_RESIZE_NOT_LARGER,
    FERRY_RESIZE_NOT_SMALLER
} ferry_resize_policy;

/// The attributes.
typedef struct ferry_resize_options {
    ferry_resize_kind kind;
    ferry_resize_coordinates coordinates;
    ferry_resize_rounding rounding;
    ferry_resize_policy policy;
    double cubic_a, outside; // outside: the value beyond the region of tf_crop_and_resize
    bool antialias, exclude_outside;
} ferry_resize_options;

/// One dimension. `width` is scale * in where scales are given, which may have a fraction that `out` lacks.
typedef struct ferry_resize_axis {
    int64_t in, out;
    double scale, width, roi_begin, roi_end;
} ferry_resize_axis;

ferry_status ferry_resize_options_read(const ferry_node *node, ferry_resize_options *out, ferry_error *err);

/// Where output position `j` lies in the input; *out_outside: beyond the region, the answer is options->outside.
double ferry_resize_source(const ferry_resize_options *options, const ferry_resize_axis *axis, int64_t j,
                           bool *out_outside);
/// The input position nearest to `source`, inside [0, in).
int64_t ferry_resize_nearest(const ferry_resize_options *options, const ferry_resize_axis *axis, double source);

/// Most weights that ferry_resize_weights writes for these sizes.
size_t ferry_resize_most_taps(int64_t in);
/// Weights of the input positions *out_first, *out_first + 1, ... for `source` (linear and cubic). Positions outside
/// stand for the nearest edge. Returns their number.
int64_t ferry_resize_weights(const ferry_resize_options *options, const ferry_resize_axis *axis, double source,
                             int64_t *out_first, double *out_weights);

#endif // FERRY_SRC_OPS_RESIZE_H_

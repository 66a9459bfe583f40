// SPDX-License-Identifier: Apache-2.0
// Coordinates and weights of Resize along one axis, as ONNX's text and its reference evaluator have them.
#include <math.h>
#include <string.h>

#include "ops/resize.h"

static ferry_status read_name(const ferry_node *node, const char *attr, const char *const *names, size_t n, int *out,
                              ferry_error *err)
{
    const char *given = ferry_node_string(node, attr, names[0]);
    for (size_t i = 0; i < n; i++)
        if (strcmp(given, names[i]) == 0) {
            *out = (int)i;
            return FERRY_OK;
        }
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s is '%s', which ONNX does not know", attr, given);
}

ferry_status ferry_resize_options_read(const ferry_node *node, ferry_resize_options *out, ferry_error *err)
{
    static const char *const kinds[] = {"nearest", "linear", "cubic"};
    static const char *const coordinates[] = {"half_pixel",        "half_pixel_symmetric", "pytorch_half_pixel",
                                              "align_corners",     "asymmetric",           "tf_half_pixel_for_nn",
                                              "tf_crop_and_resize"};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller"};
    int kind = 0, coordinate = 0, rounding = 0, policy = 0;
    FERRY_TRY(read_name(node, "mode", kinds, FERRY_COUNT_OF(kinds), &kind, err));
    FERRY_TRY(
        read_name(node, "coordinate_transformation_mode", coordinates, FERRY_COUNT_OF(coordinates), &coordinate, err));
    FERRY_TRY(read_name(node, "nearest_mode", roundings, FERRY_COUNT_OF(roundings), &rounding, err));
    FERRY_TRY(read_name(node, "keep_aspect_ratio_policy", policies, FERRY_COUNT_OF(policies), &policy, err));
    *out = (ferry_resize_options){.kind = (ferry_resize_kind)kind,
                                  .coordinates = (ferry_resize_coordinates)coordinate,
                                  .rounding = (ferry_resize_rounding)rounding,
                                  .policy = (ferry_resize_policy)policy,
                                  .cubic_a = (double)ferry_node_float(node, "cubic_coeff_a", -0.75f),
                                  .outside = (double)ferry_node_float(node, "extrapolation_value", 0),
                                  .antialias = ferry_node_int(node, "antialias", 0) != 0,
                                  .exclude_outside = ferry_node_int(node, "exclude_outside", 0) != 0};
    return FERRY_OK;
}

double ferry_resize_source(const ferry_resize_options *options, const ferry_resize_axis *axis, int64_t j,
                           bool *out_outside)
{
    const double at = (double)j, last = (double)(axis->in - 1);
    *out_outside = false;
    switch (options->coordinates) {
    case FERRY_COORDINATES_HALF_PIXEL:
        return (at + 0.5) / axis->scale - 0.5;
    case FERRY_COORDINATES_HALF_PIXEL_SYMMETRIC:
        return (double)axis->in / 2 * (1 - (double)axis->out / axis->width) + (at + 0.5) / axis->scale - 0.5;
    case FERRY_COORDINATES_PYTORCH_HALF_PIXEL:
        return axis->out > 1 ? (at + 0.5) / axis->scale - 0.5 : 0;
    case FERRY_COORDINATES_ALIGN_CORNERS:
        return j == 0 ? 0 : at * last / (axis->width - 1);
    case FERRY_COORDINATES_ASYMMETRIC:
        return at / axis->scale;
    case FERRY_COORDINATES_TF_HALF_PIXEL_FOR_NN:
        return (at + 0.5) / axis->scale;
    case FERRY_COORDINATES_TF_CROP_AND_RESIZE:
        break;
    }
    const double region = axis->roi_end - axis->roi_begin;
    const double source = axis->out > 1 ? axis->roi_begin * last + at * region * last / (axis->width - 1)
                                        : 0.5 * (axis->roi_begin + axis->roi_end) * last;
    *out_outside = !(source >= 0 && source <= last);
    return source;
}

// A scale such as 1.6 has no exact float, and positions that should be whole or half miss by the last bits; others'
// implementations, in float, meet them. Such a miss must not move the result by a whole element.
static double forgive_last_bits(double source)
{
    const double near = rint(2 * source) / 2;
    return fabs(source - near) <= 1e-6 * fmax(1, fabs(source)) ? near : source;
}

int64_t ferry_resize_nearest(const ferry_resize_options *options, const ferry_resize_axis *axis, double source)
{
    const double x = forgive_last_bits(source);
    double nearest = 0;
    switch (options->rounding) {
    case FERRY_ROUNDING_PREFER_FLOOR:
        nearest = ceil(x - 0.5);
        break;
    case FERRY_ROUNDING_PREFER_CEIL:
        nearest = floor(x + 0.5);
        break;
    case FERRY_ROUNDING_FLOOR:
        nearest = floor(x);
        break;
    case FERRY_ROUNDING_CEIL:
        nearest = ceil(x);
        break;
    }
    if (!(nearest > 0)) return 0;
    return nearest < (double)axis->in ? (int64_t)nearest : axis->in - 1;
}

static double triangle(double x)
{
    return fmax(0, 1 - fabs(x));
}

static double cubic(double x, double a)
{
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

size_t ferry_resize_most_taps(int64_t in)
{
    // An antialiased cubic reaches 2 / scale to each side; an output of one element or more has a scale of 0.5 / in or
    // more.
    size_t most = 0;
    return ferry_mul_size((size_t)in, 8, &most) && ferry_add_size(most, 16, &most) ? most : SIZE_MAX;
}

int64_t ferry_resize_weights(const ferry_resize_options *options, const ferry_resize_axis *axis, double source,
                             int64_t *out_first, double *out_weights)
{
    // Coordinates far outside only ever meet the edge; they are brought near, so that they fit an integer.
    const double limit = 2.0 * (double)axis->in + 4;
    source = fmin(fmax(source, -limit), limit);
    const double left = ceil(source) - 1, ratio = source - left; // in (0, 1]
    const double reach = options->kind == FERRY_RESIZE_CUBIC ? 2 : 1;
    const double scale = options->antialias && axis->scale < 1 ? axis->scale : 1;
    const int64_t start = (int64_t)floor(-reach / scale) + 1, n = 2 - 2 * start;
    double sum = 0;
    *out_first = (int64_t)left + start;
    for (int64_t t = 0; t < n; t++) {
        const double x = ((double)(start + t) - ratio) * scale;
        const int64_t at = *out_first + t;
        double w = options->kind == FERRY_RESIZE_CUBIC ? cubic(x, options->cubic_a) : triangle(x);
        if (options->exclude_outside && (at < 0 || at >= axis->in)) w = 0;
        out_weights[t] = w;
        sum += w;
    }
    if ((scale < 1 || options->exclude_outside) && sum != 0)
        for (int64_t t = 0; t < n; t++) out_weights[t] /= sum;
    return n;
}

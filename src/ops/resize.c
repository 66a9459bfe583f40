// SPDX-License-Identifier: Apache-2.0
// Resize: sizes of the output, the passes along each axis, and the family's table.
#include "ops/resize.h"

#include <math.h>
#include <string.h>

#include "ops/element.h"
#include "ops/rows.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_resize[];

enum { IN_X, IN_ROI, IN_SCALES, IN_SIZES };

// The dims that roi, scales and sizes speak of.
static ferry_status read_axes(const ferry_node *node, int32_t rank, int32_t *out_axes, int32_t *out_count,
                              ferry_error *err)
{
    bool flags[FERRY_MAX_RANK];
    const int64_t *axes = ferry_node_ints(node, "axes", out_count);
    if (!axes) {
        *out_count = rank;
        for (int32_t d = 0; d < rank; d++) out_axes[d] = d;
        return FERRY_OK;
    }
    FERRY_TRY(ferry_axes_flags(axes, *out_count, rank, flags, err)); // none twice, so they fit out_axes
    for (int32_t i = 0; i < *out_count; i++) FERRY_TRY(ferry_axis(axes[i], rank, &out_axes[i], err));
    return FERRY_OK;
}

static ferry_status check_count(const char *what, size_t count, int32_t need, ferry_error *err)
{
    if (count == (size_t)need) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s has %zu values, %d dims are resized", what, count, need);
}

// An input that is there but empty counts as absent: exporters write an empty scales tensor beside sizes.
static bool is_given(const ferry_infer *infer, int32_t i)
{
    const ferry_shape *s = &infer->in_shapes[i];
    return ferry_has_input(infer->node, i) && !(s->rank == 1 && s->dims[0] == 0);
}

static ferry_status out_from_scale(int64_t in, double scale, int64_t *out, ferry_error *err)
{
    *out = FERRY_DIM_UNKNOWN;
    if (!(scale > 0) || isinf(scale)) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a scale is %g, not above 0", scale);
    if (in == FERRY_DIM_UNKNOWN) return FERRY_OK;
    // In float, as ONNX's own inference multiplies: 10 * 1.4f is 14. The text's factor (roi_end - roi_start) is left
    // out, as every implementation does.
    const float product = floorf((float)in * (float)scale);
    if (!(product < 0x1p62f))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%lld elements scaled by %g are too many", (long long)in, scale);
    *out = (int64_t)product;
    return FERRY_OK;
}

// sizes with an aspect ratio to keep: one scale for all of the axes.
static double common_scale(ferry_resize_policy policy, const int64_t *in, const int64_t *sizes, int32_t count)
{
    double scale = 0;
    for (int32_t i = 0; i < count; i++) {
        const double own = (double)sizes[i] / (double)in[i];
        if (i == 0 || (policy == FERRY_RESIZE_NOT_LARGER ? own < scale : own > scale)) scale = own;
    }
    return scale;
}

static ferry_status infer_by_scales(ferry_infer *infer, const int32_t *axes, int32_t count, ferry_error *err)
{
    ferry_shape *y = &infer->out_shapes[0];
    const ferry_tensor *scales = &infer->in_data[IN_SCALES];
    size_t elements = 0;
    if (ferry_shape_elements(&infer->in_shapes[IN_SCALES], &elements))
        FERRY_TRY(check_count("scales", elements, count, err));
    for (int32_t i = 0; i < count; i++) {
        const double scale = scales->data ? ferry_load_f64(scales, (size_t)i) : 0;
        if (scales->data && scale == 1) continue; // keeps its symbol
        int64_t out = FERRY_DIM_UNKNOWN;
        if (scales->data) FERRY_TRY(out_from_scale(y->dims[axes[i]], scale, &out, err));
        ferry_set_dim(y, axes[i], out);
    }
    return FERRY_OK;
}

static ferry_status infer_by_sizes(ferry_infer *infer, const int32_t *axes, int32_t count, ferry_resize_policy policy,
                                   ferry_error *err)
{
    ferry_shape *y = &infer->out_shapes[0];
    int64_t sizes[FERRY_MAX_RANK], in[FERRY_MAX_RANK];
    bool known[FERRY_MAX_RANK], all_known = true;
    int32_t n = -1;
    FERRY_TRY(ferry_infer_shape_input(infer, IN_SIZES, "sizes", sizes, known, &n, err));
    if (n >= 0) FERRY_TRY(check_count("sizes", (size_t)n, count, err));
    for (int32_t i = 0; i < count; i++) {
        in[i] = y->dims[axes[i]];
        const bool is_known = n >= 0 && known[i];
        all_known = all_known && is_known && in[i] != FERRY_DIM_UNKNOWN;
        if (is_known && sizes[i] < 0)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "sizes[%d] is %lld, not 0 or more", i, (long long)sizes[i]);
        if (is_known && sizes[i] > 0 && in[i] == 0)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %d of 0 elements cannot become %lld", axes[i],
                              (long long)sizes[i]);
        ferry_set_dim(y, axes[i], is_known && policy == FERRY_RESIZE_STRETCH ? sizes[i] : FERRY_DIM_UNKNOWN);
    }
    if (policy == FERRY_RESIZE_STRETCH || !all_known) return FERRY_OK;
    const double scale = common_scale(policy, in, sizes, count);
    for (int32_t i = 0; i < count; i++) {
        const double out = in[i] == 0 ? 0 : floor(scale * (double)in[i] + 0.5);
        if (!(out < 0x1p62)) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "an output of %g elements is too large", out);
        y->dims[axes[i]] = (int64_t)out;
    }
    return FERRY_OK;
}

static ferry_status infer_resize(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *x = &infer->in_shapes[IN_X];
    ferry_resize_options options;
    FERRY_TRY(ferry_resize_options_read(infer->node, &options, err));
    FERRY_TRY(ferry_need_types(infer, IN_X, options.kind == FERRY_RESIZE_NEAREST ? FERRY_TYPES_ANY : FERRY_TYPES_NUMBER,
                               err));
    FERRY_TRY(ferry_need_types(infer, IN_ROI, FERRY_TYPES_FLOAT, err));
    FERRY_TRY(ferry_need_types(infer, IN_SCALES, 1u << FERRY_F32, err));
    infer->out_dtypes[0] = infer->in_dtypes[IN_X];
    const bool by_sizes = is_given(infer, IN_SIZES), by_scales = is_given(infer, IN_SCALES);
    if (by_sizes && by_scales && infer->in_shapes[IN_SCALES].rank != FERRY_RANK_UNKNOWN)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "both scales and sizes are given; only one of them may be");
    if (!by_sizes && !by_scales) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "neither scales nor sizes are given");
    if (x->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;

    int32_t axes[FERRY_MAX_RANK], count = 0;
    FERRY_TRY(read_axes(infer->node, x->rank, axes, &count, err));
    if (options.coordinates == FERRY_COORDINATES_TF_CROP_AND_RESIZE) {
        size_t elements = 0;
        if (!is_given(infer, IN_ROI)) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "tf_crop_and_resize needs a roi");
        if (ferry_shape_elements(&infer->in_shapes[IN_ROI], &elements) && elements != 2 * (size_t)count)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "roi has %zu values, not two for each of %d dims", elements,
                              count);
    }
    infer->out_shapes[0] = *x;
    FERRY_TRY(by_sizes ? infer_by_sizes(infer, axes, count, options.policy, err)
                       : infer_by_scales(infer, axes, count, err));
    return ferry_check_size(infer, &infer->out_shapes[0], infer->out_dtypes[0], err);
}

typedef struct resize {
    ferry_resize_options options;
    ferry_resize_axis axes[FERRY_MAX_RANK];
    const ferry_tensor *x;
    ferry_tensor *y;
} resize;

static const ferry_tensor *given(const ferry_eval *eval, int32_t i)
{
    return ferry_has_input(eval->node, i) && ferry_tensor_elements(&eval->in[i]) ? &eval->in[i] : NULL;
}

static ferry_status read_resize(const ferry_eval *eval, resize *out, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[IN_X], *y = &eval->out[0];
    const ferry_tensor *roi = given(eval, IN_ROI), *scales = given(eval, IN_SCALES), *sizes = given(eval, IN_SIZES);
    *out = (resize){.x = x, .y = &eval->out[0]};
    FERRY_TRY(ferry_resize_options_read(eval->node, &out->options, err));
    int32_t axes[FERRY_MAX_RANK], count = 0;
    int64_t in[FERRY_MAX_RANK], wanted[FERRY_MAX_RANK];
    FERRY_TRY(read_axes(eval->node, x->rank, axes, &count, err));
    for (int32_t d = 0; d < x->rank; d++)
        out->axes[d] = (ferry_resize_axis){.in = x->dims[d],
                                           .out = y->dims[d],
                                           .scale = (double)y->dims[d] / (double)x->dims[d],
                                           .width = (double)y->dims[d],
                                           .roi_end = 1};
    for (int32_t i = 0; i < count && sizes; i++) {
        in[i] = x->dims[axes[i]];
        wanted[i] = ferry_load_s64(sizes, (size_t)i);
    }
    const bool common = sizes && out->options.policy != FERRY_RESIZE_STRETCH;
    const double scale = common ? common_scale(out->options.policy, in, wanted, count) : 1;
    for (int32_t i = 0; i < count; i++) {
        ferry_resize_axis *axis = &out->axes[axes[i]];
        if (common || (scales && !sizes)) {
            axis->scale = common ? scale : ferry_load_f64(scales, (size_t)i);
            axis->width = axis->scale * (double)axis->in;
        }
        if (roi && out->options.coordinates == FERRY_COORDINATES_TF_CROP_AND_RESIZE) {
            axis->roi_begin = ferry_load_f64(roi, (size_t)i);
            axis->roi_end = ferry_load_f64(roi, (size_t)(i + count));
        }
    }
    return FERRY_OK;
}

static bool is_identity(const ferry_resize_axis *axis)
{
    return axis->in == axis->out && axis->scale == 1 && axis->roi_begin == 0 && axis->roi_end == 1;
}

// --- nearest: elements are moved, whatever their type
// ------------------------------------------------------------------

// Tables of source positions, one after the other; -1: outside.
static void fill_tables(const resize *r, int64_t *tables)
{
    for (int32_t d = 0; d < r->x->rank; d++)
        for (int64_t j = 0; j < r->y->dims[d]; j++) {
            bool outside = false;
            const double source = ferry_resize_source(&r->options, &r->axes[d], j, &outside);
            if (is_identity(&r->axes[d]))
                *tables++ = j;
            else
                *tables++ = outside ? -1 : ferry_resize_nearest(&r->options, &r->axes[d], source);
        }
}

static void nearest(const resize *r, int64_t *tables)
{
    const int32_t rank = r->x->rank;
    const size_t bytes = ferry_dtype_bytes(r->x->dtype);
    const int64_t row = rank ? r->y->dims[rank - 1] : 1, in_row = rank ? r->x->dims[rank - 1] : 1;
    const int64_t rows = row ? (int64_t)ferry_tensor_elements(r->y) / row : 0;
    fill_tables(r, tables);
    const int64_t *starts[FERRY_MAX_RANK];
    for (int32_t d = 0; d < rank; d++) {
        starts[d] = tables;
        tables += r->y->dims[d];
    }
    for (int64_t o = 0; o < rows; o++) {
        int64_t rest = o, from = 0, stride = in_row;
        bool outside = false;
        for (int32_t d = rank - 2; d >= 0; d--) {
            const int64_t at = starts[d][rest % r->y->dims[d]];
            rest /= r->y->dims[d];
            outside = outside || at < 0;
            from += at * stride;
            stride *= r->x->dims[d];
        }
        for (int64_t j = 0; j < row; j++) {
            const int64_t at = rank ? starts[rank - 1][j] : 0;
            if (outside || at < 0)
                ferry_store_f64(r->y, (size_t)(o * row + j), r->options.outside);
            else
                memcpy((char *)r->y->data + (size_t)(o * row + j) * bytes,
                       (const char *)r->x->data + (size_t)(from + at) * bytes, bytes);
        }
    }
}

// --- linear and cubic: one pass an axis, in double
// ----------------------------------------------------------------------

typedef struct pass {
    size_t outer, inner;
    const double *from;
    double *to, *weights;
} pass;

static void run_pass(const ferry_resize_options *options, const ferry_resize_axis *axis, const pass *p)
{
    const size_t in = (size_t)axis->in, out = (size_t)axis->out;
    for (size_t j = 0; j < out; j++) {
        bool outside = false;
        int64_t first = 0, n = 0;
        const double source = ferry_resize_source(options, axis, (int64_t)j, &outside);
        if (!outside) n = ferry_resize_weights(options, axis, source, &first, p->weights);
        for (size_t o = 0; o < p->outer; o++) {
            double *to = p->to + (o * out + j) * p->inner;
            for (size_t i = 0; i < p->inner; i++) to[i] = outside ? options->outside : 0;
            for (int64_t t = 0; t < n; t++) {
                int64_t at = first + t;
                at = at < 0 ? 0 : at >= axis->in ? axis->in - 1 : at;
                const double w = p->weights[t], *from = p->from + (o * in + (size_t)at) * p->inner;
                for (size_t i = 0; i < p->inner; i++) to[i] += w * from[i];
            }
        }
    }
}

static void store(ferry_tensor *y, double *values, size_t n)
{
    if (!ferry_dtype_is_float(y->dtype))
        for (size_t i = 0; i < n; i++)
            values[i] = rint(values[i]); // a cubic may overshoot: the store keeps it in range
    ferry_row_store_f64(y->dtype, y->data, 0, 1, (int64_t)n, values);
}

static void interpolate(const resize *r, char *scratch, size_t buffer_bytes)
{
    double *from = (double *)(void *)scratch, *to = (double *)(void *)(scratch + buffer_bytes);
    double *weights = (double *)(void *)(scratch + 2 * buffer_bytes);
    int64_t dims[FERRY_MAX_RANK];
    memcpy(dims, r->x->dims, sizeof dims);
    ferry_row_load_f64(r->x->dtype, r->x->data, 0, 1, (int64_t)ferry_tensor_elements(r->x), from);
    for (int32_t d = 0; d < r->x->rank; d++) {
        if (is_identity(&r->axes[d])) continue;
        pass p = {.outer = 1, .inner = 1, .from = from, .to = to, .weights = weights};
        for (int32_t i = 0; i < d; i++) p.outer *= (size_t)dims[i];
        for (int32_t i = d + 1; i < r->x->rank; i++) p.inner *= (size_t)dims[i];
        run_pass(&r->options, &r->axes[d], &p);
        dims[d] = r->axes[d].out;
        to = from;
        from = p.to;
    }
    store(r->y, from, ferry_tensor_elements(r->y));
}

// The largest of the tensors between the passes; SIZE_MAX when it is past counting.
static size_t most_elements(const ferry_tensor *x, const ferry_tensor *y)
{
    size_t most = 0;
    for (int32_t done = 0; done <= x->rank; done++) {
        size_t n = 1;
        for (int32_t d = 0; d < x->rank; d++)
            if (!ferry_mul_size(n, (size_t)(d < done ? y->dims[d] : x->dims[d]), &n)) return SIZE_MAX;
        if (n > most) most = n;
    }
    return most;
}

static size_t buffer_bytes_of(const ferry_tensor *x, const ferry_tensor *y)
{
    size_t bytes = 0;
    if (!ferry_mul_size(most_elements(x, y), sizeof(double), &bytes) || bytes > SIZE_MAX / 8) return SIZE_MAX / 8;
    return ferry_align_size(bytes, 64);
}

static size_t scratch_bytes(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out)
{
    const ferry_tensor *x = &in[IN_X], *y = &out[0];
    size_t entries = 0;
    if (strcmp(ferry_node_string(node, "mode", "nearest"), "nearest") == 0) {
        for (int32_t d = 0; d < y->rank; d++) entries += (size_t)y->dims[d];
        return entries * sizeof(int64_t);
    }
    for (int32_t d = 0; d < x->rank; d++) {
        const size_t taps = ferry_resize_most_taps(x->dims[d]);
        if (taps > entries) entries = taps;
    }
    if (entries > SIZE_MAX / 16) return SIZE_MAX / 2;
    return 2 * buffer_bytes_of(x, y) + entries * sizeof(double);
}

static ferry_status eval_resize(const ferry_eval *eval, ferry_error *err)
{
    resize r;
    FERRY_TRY(read_resize(eval, &r, err));
    if (ferry_tensor_elements(r.y) == 0) return FERRY_OK;
    // What ferry_resize_most_taps counts on; scales that changed since the output was sized would break it.
    for (int32_t d = 0; d < r.x->rank; d++)
        if (!(r.axes[d].scale * (double)r.axes[d].in >= 0.5))
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                              "a scale of %g makes no output of %lld elements from %lld", r.axes[d].scale,
                              (long long)r.axes[d].out, (long long)r.axes[d].in);
    if (r.options.kind == FERRY_RESIZE_NEAREST)
        nearest(&r, eval->scratch);
    else
        interpolate(&r, eval->scratch, buffer_bytes_of(r.x, r.y));
    return FERRY_OK;
}

static const ferry_attr_schema attrs[] = {{"antialias", FERRY_ATTR_INT, false},
                                          {"axes", FERRY_ATTR_INTS, false},
                                          {"coordinate_transformation_mode", FERRY_ATTR_STRING, false},
                                          {"cubic_coeff_a", FERRY_ATTR_FLOAT, false},
                                          {"exclude_outside", FERRY_ATTR_INT, false},
                                          {"extrapolation_value", FERRY_ATTR_FLOAT, false},
                                          {"keep_aspect_ratio_policy", FERRY_ATTR_STRING, false},
                                          {"mode", FERRY_ATTR_STRING, false},
                                          {"nearest_mode", FERRY_ATTR_STRING, false},
                                          {0}};

const ferry_op ferry_ops_resize[] = {
    {.name = "Resize",
     .domain = "",
     .min_inputs = 1,
     .max_inputs = 4,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 11,
     .attrs = attrs,
     .infer = infer_resize,
     .eval = eval_resize,
     .scratch_bytes = scratch_bytes},
    {.name = NULL},
};

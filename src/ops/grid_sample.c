// SPDX-License-Identifier: Apache-2.0
// GridSample: each output position says, in -1 .. 1 along every spatial dimension, where to look in the input. Follows
// ONNX's reference evaluator, in double.
#include <math.h>
#include <string.h>

#include "ops/element.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_grid_sample[];

#define MOST_SPATIAL 3
#define MOST_TAPS 4 // of cubic interpolation along one dimension
#define CUBIC_A (-0.75)

typedef enum sample_mode { SAMPLE_LINEAR, SAMPLE_NEAREST, SAMPLE_CUBIC } sample_mode;
typedef enum sample_padding { PADDING_ZEROS, PADDING_BORDER, PADDING_REFLECTION } sample_padding;

typedef struct sampler {
    sample_mode mode;
    sample_padding padding;
    bool align_corners;
} sampler;

static ferry_status read_word(const ferry_node *node, const char *attr, const char *const names[3], int *out,
                              ferry_error *err)
{
    const char *given = ferry_node_string(node, attr, names[0]);
    for (*out = 0; *out < 3; ++*out)
        if (strcmp(given, names[*out]) == 0) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s is '%s', not %s, %s or %s", attr, given, names[0], names[1],
                      names[2]);
}

static ferry_status read_sampler(const ferry_node *node, sampler *out, ferry_error *err)
{
    static const char *const modes[] = {"linear", "nearest", "cubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    int mode = 0, padding = 0;
    FERRY_TRY(read_word(node, "mode", modes, &mode, err));
    FERRY_TRY(read_word(node, "padding_mode", paddings, &padding, err));
    *out = (sampler){(sample_mode)mode, (sample_padding)padding, ferry_node_int(node, "align_corners", 0) != 0};
    return FERRY_OK;
}

static ferry_status check_grid(const ferry_shape *x, const ferry_shape *grid, ferry_error *err)
{
    const int32_t rank = x->rank;
    if (rank < 3 || rank > 2 + MOST_SPATIAL)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the input has %d dims; batch, channel and 1 to 3 spatial ones are needed", rank);
    if (grid->rank != rank)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %d dims, the grid %d", rank, grid->rank);
    const int64_t positions = grid->dims[rank - 1];
    if (positions != FERRY_DIM_UNKNOWN && positions != rank - 2)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the grid has positions of %lld numbers, the input %d spatial dims",
                          (long long)positions, rank - 2);
    if (x->dims[0] != FERRY_DIM_UNKNOWN && grid->dims[0] != FERRY_DIM_UNKNOWN && x->dims[0] != grid->dims[0])
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has a batch of %lld, the grid one of %lld",
                          (long long)x->dims[0], (long long)grid->dims[0]);
    for (int32_t d = 2; d < rank; d++)
        if (x->dims[d] == 0) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %d of the input is empty", d);
    return FERRY_OK;
}

static ferry_status infer_grid_sample(ferry_infer *infer, ferry_error *err)
{
    sampler s;
    FERRY_TRY(read_sampler(infer->node, &s, err));
    FERRY_TRY(ferry_need_types(infer, 0, s.mode == SAMPLE_NEAREST ? FERRY_TYPES_ANY : FERRY_TYPES_NUMBER, err));
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_FLOAT, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    const ferry_shape *x = &infer->in_shapes[0], *grid = &infer->in_shapes[1];
    if (x->rank == FERRY_RANK_UNKNOWN || grid->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    FERRY_TRY(check_grid(x, grid, err));
    ferry_shape *y = &infer->out_shapes[0];
    *y = *x;
    if (x->dims[0] == FERRY_DIM_UNKNOWN) ferry_copy_dim(y, 0, grid, 0);
    for (int32_t d = 2; d < x->rank; d++) ferry_copy_dim(y, d, grid, d - 1);
    return ferry_check_size(infer, y, infer->out_dtypes[0], err);
}

// Thrown back at both ends as often as needed.
static double reflect(double x, double least, double most)
{
    const double range = most - least;
    if (!(range > 0)) return least;
    const bool below = x < least;
    const double beyond = below ? least - x : x - most;
    if (beyond <= 0) return x;
    const double rest = fmod(beyond, range);
    const bool turned = fmod(floor(beyond / range), 2) != 0;
    return below != turned ? least + rest : most - rest;
}

// Elements that one dimension contributes, with their weights; at -1: a zero.
typedef struct taps {
    int32_t count;
    int64_t at[MOST_TAPS];
    double weight[MOST_TAPS];
} taps;

static void cubic_weights(double t, double out[MOST_TAPS])
{
    const double a = CUBIC_A, u = 1 - t;
    out[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
    out[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
    out[2] = ((a + 2) * u - (a + 3)) * u * u + 1;
    out[3] = ((a * (u + 1) - 5 * a) * (u + 1) + 8 * a) * (u + 1) - 4 * a;
}

static int64_t element_at(const sampler *s, double at, double least, double most, int64_t size)
{
    if (s->padding == PADDING_REFLECTION) at = trunc(reflect(at, least, most));
    if (at >= 0 && at < (double)size) return (int64_t)at;
    if (s->padding == PADDING_ZEROS) return -1;
    return at >= (double)size ? size - 1 : 0; // NaN becomes the first
}

static taps find_taps(const sampler *s, double position, int64_t size)
{
    const double length = (double)size, least = s->align_corners ? 0 : -0.5;
    const double most = s->align_corners ? length - 1 : length - 0.5;
    double x = s->align_corners ? (position + 1) / 2 * (length - 1) : ((position + 1) * length - 1) / 2;
    if (s->mode == SAMPLE_NEAREST) x = rint(x);
    if (x < least || x > most) {
        if (s->padding == PADDING_BORDER) x = fmin(fmax(x, 0), length - 1);
        if (s->padding == PADDING_REFLECTION) x = reflect(x, least, most);
    }
    taps t = {.count = s->mode == SAMPLE_NEAREST ? 1 : s->mode == SAMPLE_LINEAR ? 2 : 4, .weight = {1}};
    // As far outside as any tap can matter; infinity has no fraction.
    if (!(fabs(x) <= 2 * length + 8)) x = x > 0 ? 2 * length + 8 : -2 * length - 8;
    const double first = s->mode == SAMPLE_NEAREST ? rint(x) : floor(x), fraction = x - first;
    if (s->mode == SAMPLE_LINEAR) {
        t.weight[0] = 1 - fraction;
        t.weight[1] = fraction;
    } else if (s->mode == SAMPLE_CUBIC) {
        cubic_weights(fraction, t.weight);
    }
    for (int32_t i = 0; i < t.count; i++)
        t.at[i] = element_at(s, first + i - (s->mode == SAMPLE_CUBIC), least, most, size);
    return t;
}

// The weighted sum over all dimensions' taps of the plane that begins at element `plane` of x.
static double sample(const ferry_tensor *x, size_t plane, const taps t[MOST_SPATIAL], const int64_t dims[MOST_SPATIAL])
{
    double sum = 0;
    for (int32_t i = 0; i < t[0].count; i++)
        for (int32_t j = 0; j < t[1].count; j++)
            for (int32_t k = 0; k < t[2].count; k++) {
                if (t[0].at[i] < 0 || t[1].at[j] < 0 || t[2].at[k] < 0) continue;
                const int64_t at = (t[0].at[i] * dims[1] + t[1].at[j]) * dims[2] + t[2].at[k];
                sum += t[0].weight[i] * t[1].weight[j] * t[2].weight[k] * ferry_load_f64(x, plane + (size_t)at);
            }
    return sum;
}

static ferry_status eval_grid_sample(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *grid = &eval->in[1];
    ferry_tensor *y = &eval->out[0];
    sampler s;
    FERRY_TRY(read_sampler(eval->node, &s, err));
    const int32_t spatial = x->rank - 2;
    int64_t dims[MOST_SPATIAL] = {1, 1, 1};
    taps t[MOST_SPATIAL] = {{1, {0}, {1}}, {1, {0}, {1}}, {1, {0}, {1}}};
    size_t in_plane = 1, out_plane = 1;
    for (int32_t d = 0; d < spatial; d++) {
        dims[MOST_SPATIAL - spatial + d] = x->dims[2 + d];
        in_plane *= (size_t)x->dims[2 + d];
        out_plane *= (size_t)y->dims[2 + d];
    }
    const size_t channels = (size_t)x->dims[1];
    const bool moves = s.mode == SAMPLE_NEAREST && !ferry_dtype_is_float(x->dtype);
    for (size_t n = 0; n < (size_t)x->dims[0]; n++)
        for (size_t o = 0; o < out_plane; o++) {
            // A position names the last dimension first.
            const size_t position = (n * out_plane + o) * (size_t)spatial;
            for (int32_t d = 0; d < spatial; d++)
                t[MOST_SPATIAL - 1 - d] =
                    find_taps(&s, ferry_load_f64(grid, position + (size_t)d), dims[MOST_SPATIAL - 1 - d]);
            for (size_t c = 0; c < channels; c++) {
                const size_t plane = (n * channels + c) * in_plane, to = (n * channels + c) * out_plane + o;
                if (!moves) {
                    ferry_store_f64(y, to, sample(x, plane, t, dims));
                    continue;
                }
                // 64-bit integers are more than a double holds.
                const bool outside = t[0].at[0] < 0 || t[1].at[0] < 0 || t[2].at[0] < 0;
                const int64_t at = (t[0].at[0] * dims[1] + t[1].at[0]) * dims[2] + t[2].at[0];
                ferry_store_s64(y, to, outside ? 0 : ferry_load_s64(x, plane + (size_t)at));
            }
        }
    return FERRY_OK;
}

static const ferry_attr_schema attrs[] = {{"align_corners", FERRY_ATTR_INT, false},
                                          {"mode", FERRY_ATTR_STRING, false},
                                          {"padding_mode", FERRY_ATTR_STRING, false},
                                          {0}};

const ferry_op ferry_ops_grid_sample[] = {
    {.name = "GridSample",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 2,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 16,
     .attrs = attrs,
     .infer = infer_grid_sample,
     .eval = eval_grid_sample},
    {.name = NULL},
};

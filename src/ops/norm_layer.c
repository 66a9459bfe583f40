// SPDX-License-Identifier: Apache-2.0
// LayerNormalization and RMSNormalization: over all dimensions from an axis on, scaled element by element.
#include <math.h>

#include "ops/element.h"
#include "ops/norm.h"
#include "ops/rules.h"

// Input `index` must broadcast to the shape of input 0, without growing it.
static ferry_status check_broadcast(const ferry_infer *infer, int32_t index, const char *what, ferry_error *err)
{
    if (!ferry_has_input(infer->node, index)) return FERRY_OK;
    const ferry_shape *x = &infer->in_shapes[0], *s = &infer->in_shapes[index];
    FERRY_TRY(ferry_need_types(infer, index, FERRY_TYPES_FLOAT, err));
    if (x->rank == FERRY_RANK_UNKNOWN || s->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    if (s->rank > x->rank)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the %s has %d dims, the input has %d", what, s->rank, x->rank);
    for (int32_t d = 0; d < s->rank; d++) {
        const int64_t of_s = s->dims[d], of_x = x->dims[x->rank - s->rank + d];
        if (of_s != 1 && of_s != FERRY_DIM_UNKNOWN && of_x != FERRY_DIM_UNKNOWN && of_s != of_x)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %d of the %s is %lld, the input has %lld there", d,
                              what, (long long)of_s, (long long)of_x);
    }
    return FERRY_OK;
}

static ferry_status infer_common(ferry_infer *infer, int32_t *out_axis, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err));
    FERRY_TRY(check_broadcast(infer, 1, "scale", err));
    FERRY_TRY(check_broadcast(infer, 2, "bias", err));
    infer->out_shapes[0] = infer->in_shapes[0];
    infer->out_dtypes[0] = infer->in_dtypes[0];
    *out_axis = 0;
    const int32_t rank = infer->in_shapes[0].rank;
    return rank == FERRY_RANK_UNKNOWN ? FERRY_OK
                                      : ferry_axis(ferry_node_int(infer->node, "axis", -1), rank, out_axis, err);
}

ferry_status ferry_layer_norm_infer(ferry_infer *infer, ferry_error *err)
{
    int32_t axis = 0;
    FERRY_TRY(infer_common(infer, &axis, err));
    const ferry_dtype stash = ferry_dtype_from_onnx(ferry_node_int(infer->node, "stash_type", 1));
    for (int32_t o = 1; o < infer->node->n_outputs; o++) {
        if (stash != FERRY_F32 && stash != FERRY_BF16)
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "stash_type is %lld, not 1 (float) or 16 (bfloat16)",
                              (long long)ferry_node_int(infer->node, "stash_type", 1));
        infer->out_dtypes[o] = stash;
        infer->out_shapes[o] = infer->in_shapes[0];
        for (int32_t d = axis; d < infer->in_shapes[0].rank; d++) ferry_set_dim(&infer->out_shapes[o], d, 1);
    }
    return FERRY_OK;
}

ferry_status ferry_rms_norm_infer(ferry_infer *infer, ferry_error *err)
{
    int32_t axis = 0;
    FERRY_TRY(infer_common(infer, &axis, err));
    infer->out_dtypes[0] = infer->in_dtypes[1]; // ONNX: the result has the type of the scale
    return FERRY_OK;
}

// Where the broadcast tensor's element for element `at` of x lies.
static size_t broadcast_at(const ferry_tensor *x, const int64_t *strides, size_t at)
{
    size_t offset = 0;
    for (int32_t d = x->rank - 1; d >= 0; d--) {
        offset += at % (size_t)x->dims[d] * (size_t)strides[d];
        at /= (size_t)x->dims[d];
    }
    return offset;
}

typedef struct layer {
    size_t outer, inner;
    double epsilon;
    const ferry_tensor *x, *scale, *bias;
    int64_t scale_strides[FERRY_MAX_RANK], bias_strides[FERRY_MAX_RANK];
} layer;

static ferry_status read(const ferry_eval *eval, layer *out, ferry_error *err)
{
    int32_t axis = 0;
    const ferry_tensor *x = &eval->in[0];
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", -1), x->rank, &axis, err));
    *out = (layer){.outer = 1, .inner = 1, .x = x, .scale = &eval->in[1]};
    out->bias = ferry_has_input(eval->node, 2) ? &eval->in[2] : NULL;
    out->epsilon = (double)ferry_node_float(eval->node, "epsilon", 1e-5f);
    for (int32_t d = 0; d < x->rank; d++) *(d < axis ? &out->outer : &out->inner) *= (size_t)x->dims[d];
    ferry_broadcast_strides(out->scale, x->rank, x->dims, out->scale_strides);
    if (out->bias) ferry_broadcast_strides(out->bias, x->rank, x->dims, out->bias_strides);
    return FERRY_OK;
}

static void store_line(const layer *l, size_t first, double mean, double inverse, ferry_tensor *y)
{
    for (size_t i = first; i < first + l->inner; i++) {
        double v = (ferry_load_f64(l->x, i) - mean) * inverse *
                   ferry_load_f64(l->scale, broadcast_at(l->x, l->scale_strides, i));
        if (l->bias) v += ferry_load_f64(l->bias, broadcast_at(l->x, l->bias_strides, i));
        ferry_store_f64(y, i, v);
    }
}

ferry_status ferry_layer_norm_eval(const ferry_eval *eval, ferry_error *err)
{
    layer l;
    FERRY_TRY(read(eval, &l, err));
    for (size_t o = 0; o < l.outer; o++) {
        const size_t first = o * l.inner;
        double mean = 0, variance = 0;
        for (size_t i = 0; i < l.inner; i++) mean += ferry_load_f64(l.x, first + i);
        mean /= (double)l.inner;
        for (size_t i = 0; i < l.inner; i++) {
            const double off = ferry_load_f64(l.x, first + i) - mean;
            variance += off * off;
        }
        const double inverse = 1 / sqrt(variance / (double)l.inner + l.epsilon);
        if (eval->out[0].data) store_line(&l, first, mean, inverse, &eval->out[0]);
        if (eval->node->n_outputs > 1 && eval->out[1].data) ferry_store_f64(&eval->out[1], o, mean);
        if (eval->node->n_outputs > 2 && eval->out[2].data) ferry_store_f64(&eval->out[2], o, inverse);
    }
    return FERRY_OK;
}

ferry_status ferry_rms_norm_eval(const ferry_eval *eval, ferry_error *err)
{
    layer l;
    FERRY_TRY(read(eval, &l, err));
    for (size_t o = 0; o < l.outer; o++) {
        const size_t first = o * l.inner;
        double squares = 0;
        for (size_t i = 0; i < l.inner; i++) {
            const double v = ferry_load_f64(l.x, first + i);
            squares += v * v;
        }
        store_line(&l, first, 0, 1 / sqrt(squares / (double)l.inner + l.epsilon), &eval->out[0]);
    }
    return FERRY_OK;
}

// SPDX-License-Identifier: Apache-2.0
// BatchNormalization with known statistics, the two normalisations by a norm, and the family's table.
#include "ops/norm.h"

#include <math.h>

#include "ops/element.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_norm[];

ferry_status ferry_norm_check_channels(const ferry_infer *infer, int32_t index, const char *what, ferry_error *err)
{
    if (!ferry_has_input(infer->node, index)) return FERRY_OK;
    FERRY_TRY(ferry_need_types(infer, index, FERRY_TYPES_FLOAT, err));
    FERRY_TRY(ferry_need_rank(infer, index, 1, err));
    const ferry_shape *x = &infer->in_shapes[0], *vector = &infer->in_shapes[index];
    if (x->rank == FERRY_RANK_UNKNOWN || vector->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    const int64_t channels = x->rank > 1 ? x->dims[1] : 1;
    if (channels != FERRY_DIM_UNKNOWN && vector->dims[0] != FERRY_DIM_UNKNOWN && channels != vector->dims[0])
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the %s has %lld values, the input has %lld channels", what,
                          (long long)vector->dims[0], (long long)channels);
    return FERRY_OK;
}

static ferry_status infer_batch_norm(ferry_infer *infer, ferry_error *err)
{
    static const char *const names[] = {"", "scale", "bias", "mean", "variance"};
    if (ferry_node_int(infer->node, "training_mode", 0) != 0 || ferry_has_output(infer->node, 1))
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "the node is in training mode: export the model in inference mode (model.eval())");
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err));
    for (int32_t i = 1; i < 5; i++) FERRY_TRY(ferry_norm_check_channels(infer, i, names[i], err));
    if (infer->in_shapes[0].rank == 0)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has 0 dims; a batch is needed");
    ferry_infer_like_first(infer);
    return FERRY_OK;
}

static ferry_status eval_batch_norm(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0];
    const double epsilon = (double)ferry_node_float(eval->node, "epsilon", 1e-5f);
    const size_t channels = x->rank > 1 ? (size_t)x->dims[1] : 1;
    size_t plane = 1;
    for (int32_t d = 2; d < x->rank; d++) plane *= (size_t)x->dims[d];
    size_t at = 0;
    for (size_t n = 0; n < (size_t)x->dims[0]; n++)
        for (size_t c = 0; c < channels; c++) {
            const double factor = ferry_load_f64(&eval->in[1], c) / sqrt(ferry_load_f64(&eval->in[4], c) + epsilon);
            const double bias = ferry_load_f64(&eval->in[2], c), mean = ferry_load_f64(&eval->in[3], c);
            for (size_t i = 0; i < plane; i++, at++)
                ferry_store_f64(&eval->out[0], at, (ferry_load_f64(x, at) - mean) * factor + bias);
        }
    return FERRY_OK;
}

static ferry_status infer_lrn(ferry_infer *infer, ferry_error *err)
{
    const int64_t size = ferry_node_int(infer->node, "size", 0);
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err));
    if (size < 1) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "size is %lld, not 1 or more", (long long)size);
    const int32_t rank = infer->in_shapes[0].rank;
    if (rank != FERRY_RANK_UNKNOWN && rank < 2)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %d dims; batch and channel are needed", rank);
    ferry_infer_like_first(infer);
    return FERRY_OK;
}

static ferry_status eval_lrn(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0];
    const int64_t size = ferry_node_int(eval->node, "size", 1), channels = x->dims[1];
    const double alpha = (double)ferry_node_float(eval->node, "alpha", 1e-4f) / (double)size;
    const double beta = (double)ferry_node_float(eval->node, "beta", 0.75f);
    const double bias = (double)ferry_node_float(eval->node, "bias", 1.0f);
    int64_t plane = 1;
    for (int32_t d = 2; d < x->rank; d++) plane *= x->dims[d];
    for (int64_t n = 0; n < x->dims[0]; n++)
        for (int64_t c = 0; c < channels; c++) {
            const int64_t before = (size - 1) / 2, after = size - 1 - before;
            const int64_t first = c > before ? c - before : 0;
            const int64_t last = after < channels - 1 - c ? c + after : channels - 1;
            for (int64_t i = 0; i < plane; i++) {
                double squares = 0;
                for (int64_t near = first; near <= last; near++) {
                    const double v = ferry_load_f64(x, (size_t)((n * channels + near) * plane + i));
                    squares += v * v;
                }
                const size_t at = (size_t)((n * channels + c) * plane + i);
                ferry_store_f64(&eval->out[0], at, ferry_load_f64(x, at) / pow(bias + alpha * squares, beta));
            }
        }
    return FERRY_OK;
}

static ferry_status infer_lp(ferry_infer *infer, ferry_error *err)
{
    const int64_t p = ferry_node_int(infer->node, "p", 2);
    int32_t axis = 0;
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err));
    if (p != 1 && p != 2) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "p is %lld, not 1 or 2", (long long)p);
    ferry_infer_like_first(infer);
    if (infer->in_shapes[0].rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    return ferry_axis(ferry_node_int(infer->node, "axis", -1), infer->in_shapes[0].rank, &axis, err);
}

static ferry_status eval_lp(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    const bool squares = ferry_node_int(eval->node, "p", 2) == 2;
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", -1), x->rank, &axis, err));
    size_t outer = 1, inner = 1;
    const size_t count = (size_t)x->dims[axis];
    for (int32_t d = 0; d < axis; d++) outer *= (size_t)x->dims[d];
    for (int32_t d = axis + 1; d < x->rank; d++) inner *= (size_t)x->dims[d];
    for (size_t line = 0; line < outer * inner; line++) {
        const size_t first = line / inner * count * inner + line % inner;
        double norm = 0;
        for (size_t i = 0; i < count; i++) {
            const double v = ferry_load_f64(x, first + i * inner);
            norm += squares ? v * v : fabs(v);
        }
        if (squares) norm = sqrt(norm);
        for (size_t i = 0; i < count; i++) {
            const size_t at = first + i * inner;
            ferry_store_f64(&eval->out[0], at, norm == 0 ? 0 : ferry_load_f64(x, at) / norm);
        }
    }
    return FERRY_OK;
}

static const ferry_attr_schema batch_attrs[] = {{"epsilon", FERRY_ATTR_FLOAT, false},
                                                {"momentum", FERRY_ATTR_FLOAT, false},
                                                {"training_mode", FERRY_ATTR_INT, false},
                                                {0}};
static const ferry_attr_schema epsilon_attrs[] = {{"epsilon", FERRY_ATTR_FLOAT, false}, {0}};
static const ferry_attr_schema layer_attrs[] = {
    {"axis", FERRY_ATTR_INT, false}, {"epsilon", FERRY_ATTR_FLOAT, false}, {"stash_type", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema group_attrs[] = {{"epsilon", FERRY_ATTR_FLOAT, false},
                                                {"num_groups", FERRY_ATTR_INT, true},
                                                {"stash_type", FERRY_ATTR_INT, false},
                                                {0}};
static const ferry_attr_schema lrn_attrs[] = {{"alpha", FERRY_ATTR_FLOAT, false},
                                              {"beta", FERRY_ATTR_FLOAT, false},
                                              {"bias", FERRY_ATTR_FLOAT, false},
                                              {"size", FERRY_ATTR_INT, true},
                                              {0}};
static const ferry_attr_schema lp_attrs[] = {{"axis", FERRY_ATTR_INT, false}, {"p", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema axes_attrs[] = {{"axes", FERRY_ATTR_INTS, false}, {0}};

#define ROW(op_name, least, most, most_outputs, opset, schema, infer_function, eval_function)                          \
    {                                                                                                                  \
        .name = op_name, .domain = "", .min_inputs = least, .max_inputs = most, .min_outputs = 1,                      \
        .max_outputs = most_outputs, .since = opset, .attrs = schema, .infer = infer_function, .eval = eval_function   \
    }

const ferry_op ferry_ops_norm[] = {
    ROW("BatchNormalization", 5, 5, 5, 7, batch_attrs, infer_batch_norm, eval_batch_norm),
    ROW("InstanceNormalization", 3, 3, 1, 6, epsilon_attrs, ferry_instance_norm_infer, ferry_instance_norm_eval),
    ROW("LayerNormalization", 2, 3, 3, 17, layer_attrs, ferry_layer_norm_infer, ferry_layer_norm_eval),
    ROW("GroupNormalization", 3, 3, 1, 21, group_attrs, ferry_group_norm_infer, ferry_group_norm_eval),
    ROW("RMSNormalization", 2, 2, 1, 23, layer_attrs, ferry_rms_norm_infer, ferry_rms_norm_eval),
    ROW("MeanVarianceNormalization", 1, 1, 1, 9, axes_attrs, ferry_mvn_infer, ferry_mvn_eval),
    ROW("LRN", 1, 1, 1, 1, lrn_attrs, infer_lrn, eval_lrn),
    ROW("LpNormalization", 1, 1, 1, 1, lp_attrs, infer_lp, eval_lp),
    {.name = NULL},
};

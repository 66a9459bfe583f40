// SPDX-License-Identifier: Apache-2.0
// DepthToSpace, SpaceToDepth, ReverseSequence, Trilu.
#include <inttypes.h>
#include <string.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/movement.h"
#include "ops/rules.h"

// --- DepthToSpace and SpaceToDepth -----------------------------------------------------------------------------------

static ferry_status read_block(const ferry_infer *infer, int64_t *out, ferry_error *err)
{
    const int64_t block = ferry_node_int(infer->node, "blocksize", 0);
    if (block < 1 || block > INT32_MAX) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "blocksize is %" PRId64, block);
    }
    *out = block;
    return ferry_need_rank(infer, 0, 4, err);
}

static ferry_status divide_dim(const ferry_shape *in, int32_t d, int64_t by, ferry_shape *out, ferry_error *err)
{
    if (in->dims[d] >= 0 && in->dims[d] % by != 0) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %" PRId32 " is %" PRId64 ", not a multiple of %" PRId64,
                          d, in->dims[d], by);
    }
    ferry_set_dim(out, d, in->dims[d] < 0 ? FERRY_DIM_UNKNOWN : in->dims[d] / by);
    return FERRY_OK;
}

static ferry_status multiply_dim(const ferry_shape *in, int32_t d, int64_t by, ferry_shape *out, ferry_error *err)
{
    int64_t dim;
    FERRY_TRY(ferry_dim_mul(in->dims[d], by, &dim, err));
    ferry_set_dim(out, d, dim);
    return FERRY_OK;
}

// How block positions and channels make up the deep tensor's channel: DCR, or else CRD.
static ferry_status check_mode(const ferry_node *node, ferry_error *err)
{
    const char *mode = ferry_node_string(node, "mode", "DCR");
    if (strcmp(mode, "DCR") == 0 || strcmp(mode, "CRD") == 0) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "mode is '%s'; it must be DCR or CRD", mode);
}

static bool is_dcr(const ferry_node *node)
{
    return strcmp(ferry_node_string(node, "mode", "DCR"), "DCR") == 0;
}

ferry_status ferry_depth_to_space_infer(ferry_infer *infer, ferry_error *err)
{
    int64_t block = 1;
    FERRY_TRY(read_block(infer, &block, err));
    FERRY_TRY(check_mode(infer->node, err));
    const ferry_shape *in = &infer->in_shapes[0];
    infer->out_dtypes[0] = infer->in_dtypes[0];
    ferry_shape *out = &infer->out_shapes[0];
    *out = ferry_shape_of_rank(4);
    if (in->rank < 0) return FERRY_OK;
    ferry_copy_dim(out, 0, in, 0);
    FERRY_TRY(divide_dim(in, 1, block * block, out, err));
    FERRY_TRY(multiply_dim(in, 2, block, out, err));
    return multiply_dim(in, 3, block, out, err);
}

ferry_status ferry_depth_to_space_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0], *y = &eval->out[0];
    if (ferry_elements(y) == 0) return FERRY_OK;
    const int64_t b = ferry_node_int(eval->node, "blocksize", 1);
    const int64_t channels = y->dims[1], height = x->dims[2], width = x->dims[3], plane = height * width;
    const bool dcr = is_dcr(eval->node);
    // Walked in the output's order: image, channel, row, row in block, column, column in block. The input's channel is
    // (row in block, column in block, channel) in DCR and (channel, row in block, column in block) in CRD.
    const int64_t dims[] = {x->dims[0], channels, height, b, width, b};
    const int64_t c = dcr ? plane : b * b * plane, row = dcr ? b * channels * plane : b * plane;
    const int64_t from[] = {x->dims[1] * plane, c, width, row, 1, dcr ? channels * plane : plane};
    int64_t to[6];
    ferry_dense_strides(6, dims, to);
    ferry_copy_strided(ferry_dtype_bytes(x->dtype), 6, dims, y->data, to, x->data, from);
    return FERRY_OK;
}

ferry_status ferry_space_to_depth_infer(ferry_infer *infer, ferry_error *err)
{
    int64_t block = 1;
    FERRY_TRY(read_block(infer, &block, err));
    FERRY_TRY(check_mode(infer->node, err));
    const ferry_shape *in = &infer->in_shapes[0];
    infer->out_dtypes[0] = infer->in_dtypes[0];
    ferry_shape *out = &infer->out_shapes[0];
    *out = ferry_shape_of_rank(4);
    if (in->rank < 0) return FERRY_OK;
    ferry_copy_dim(out, 0, in, 0);
    FERRY_TRY(multiply_dim(in, 1, block * block, out, err));
    FERRY_TRY(divide_dim(in, 2, block, out, err));
    return divide_dim(in, 3, block, out, err);
}

ferry_status ferry_space_to_depth_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0], *y = &eval->out[0];
    if (ferry_elements(y) == 0) return FERRY_OK;
    const int64_t b = ferry_node_int(eval->node, "blocksize", 1);
    const int64_t channels = x->dims[1], width = x->dims[3], plane = x->dims[2] * width;
    // Walked in the order of the output: image; its channel, which is (row in block, column in block, channel) in DCR
    // and (channel, row in block, column in block) in CRD; row; column.
    const bool dcr = is_dcr(eval->node);
    const int64_t dims[] = {x->dims[0], dcr ? b : channels, b, dcr ? channels : b, y->dims[2], y->dims[3]};
    const int64_t from[] = {channels * plane, dcr ? width : plane, dcr ? 1 : width, dcr ? plane : 1, b * width, b};
    int64_t to[6];
    ferry_dense_strides(6, dims, to);
    ferry_copy_strided(ferry_dtype_bytes(x->dtype), 6, dims, y->data, to, x->data, from);
    return FERRY_OK;
}

// --- ReverseSequence -------------------------------------------------------------------------------------------------

ferry_status ferry_reverse_sequence_infer(ferry_infer *infer, ferry_error *err)
{
    const int64_t batch = ferry_node_int(infer->node, "batch_axis", 1),
                  time = ferry_node_int(infer->node, "time_axis", 0);
    if (!(batch == 0 && time == 1) && !(batch == 1 && time == 0)) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "batch_axis is %" PRId64 " and time_axis %" PRId64 "; one must be 0, one 1", batch, time);
    }
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_INDEX, err));
    FERRY_TRY(ferry_need_rank(infer, 1, 1, err));
    const ferry_shape *in = &infer->in_shapes[0], *lengths = &infer->in_shapes[1];
    if (in->rank >= 0 && in->rank < 2) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %" PRId32 " dimensions; it must have 2 or more",
                          in->rank);
    }
    if (in->rank >= 2 && lengths->rank == 1 && in->dims[batch] >= 0 && lengths->dims[0] >= 0 &&
        in->dims[batch] != lengths->dims[0]) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "sequence_lens has %" PRId64 " entries, the batch %" PRId64,
                          lengths->dims[0], in->dims[batch]);
    }
    ferry_infer_like_first(infer);
    return FERRY_OK;
}

ferry_status ferry_reverse_sequence_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    if (ferry_elements(x) == 0) return FERRY_OK;
    const bool batch_first = ferry_node_int(eval->node, "batch_axis", 1) == 0;
    const int64_t n = x->dims[batch_first ? 0 : 1], steps = x->dims[batch_first ? 1 : 0];
    const size_t bytes = (size_t)ferry_dims_elements(x->rank - 2, x->dims + 2) * ferry_dtype_bytes(x->dtype);
    for (int64_t b = 0; b < n; b++) {
        const int64_t length = ferry_load_s64(&eval->in[1], (size_t)b);
        if (length < 0 || length > steps) {
            return ferry_fail(err, FERRY_ERR_BAD_DATA,
                              "sequence %" PRId64 " has the length %" PRId64 "; there are %" PRId64 " steps", b, length,
                              steps);
        }
        for (int64_t t = 0; t < steps; t++) {
            const int64_t from = t < length ? length - 1 - t : t;
            const size_t to_at = (size_t)(batch_first ? b * steps + t : t * n + b);
            const size_t from_at = (size_t)(batch_first ? b * steps + from : from * n + b);
            memcpy((char *)eval->out[0].data + to_at * bytes, (const char *)x->data + from_at * bytes, bytes);
        }
    }
    return FERRY_OK;
}

// --- Trilu -----------------------------------------------------------------------------------------------------------

ferry_status ferry_trilu_infer(ferry_infer *infer, ferry_error *err)
{
    const int32_t rank = infer->in_shapes[0].rank;
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_INDEX, err));
    if (rank >= 0 && rank < 2) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %" PRId32 " dimensions; it must have 2 or more",
                          rank);
    }
    ferry_infer_like_first(infer);
    return FERRY_OK;
}

ferry_status ferry_trilu_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    if (ferry_elements(x) == 0) return FERRY_OK;
    const int64_t rows = x->dims[x->rank - 2], columns = x->dims[x->rank - 1];
    const int64_t matrices = ferry_dims_elements(x->rank - 2, x->dims);
    const bool upper = ferry_node_int(eval->node, "upper", 1) != 0;
    int64_t k = 0;
    if (ferry_has_input(eval->node, 1)) FERRY_TRY(ferry_read_int(&eval->in[1], "k", &k, err));
    k = k < -rows ? -rows : k > columns ? columns : k;
    const size_t bytes = ferry_dtype_bytes(x->dtype), row_bytes = (size_t)columns * bytes;
    for (int64_t r = 0; r < matrices * rows; r++) {
        // Columns [from, to) are kept.
        const int64_t diagonal = r % rows + k;
        const int64_t edge = upper ? diagonal : diagonal + 1;
        const int64_t clamped = edge < 0 ? 0 : edge > columns ? columns : edge;
        const size_t from = upper ? (size_t)clamped : 0, to = upper ? (size_t)columns : (size_t)clamped;
        char *y = (char *)eval->out[0].data + (size_t)r * row_bytes;
        memset(y, 0, row_bytes);
        memcpy(y + from * bytes, (const char *)x->data + (size_t)r * row_bytes + from * bytes, (to - from) * bytes);
    }
    return FERRY_OK;
}

// SPDX-License-Identifier: Apache-2.0
// Reshape, Squeeze, Unsqueeze, Flatten, Identity: the same bytes under another shape.
#include <inttypes.h>
#include <string.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rules.h"
#include "ops/shape.h"

ferry_status ferry_view_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *y = &eval->out[0];
    const int64_t from = ferry_elements(x), to = ferry_elements(y);
    if (from != to) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %" PRId64 " elements, the output %" PRId64, from,
                          to);
    }
    if (to > 0) memcpy(y->data, x->data, (size_t)to * ferry_dtype_bytes(x->dtype));
    return FERRY_OK;
}

ferry_status ferry_identity_infer(ferry_infer *infer, ferry_error *err)
{
    (void)err;
    ferry_infer_like_first(infer);
    return FERRY_OK;
}

// --- Reshape ---------------------------------------------------------------------------------------------------------

typedef struct reshape {
    int64_t wanted[FERRY_MAX_RANK]; // the shape input's elements
    bool known[FERRY_MAX_RANK];
    bool copied[FERRY_MAX_RANK]; // 0: the input's own dimension
    int32_t rank;
    int32_t open;   // dimension that the others decide; -1: none
    int32_t n_open; // how many there are
} reshape;

static ferry_status read_reshape(const ferry_infer *infer, reshape *r, ferry_error *err)
{
    const bool allow_zero = ferry_node_int(infer->node, "allowzero", 0) != 0;
    bool zero = false;
    r->open = -1;
    FERRY_TRY(ferry_infer_shape_input(infer, 1, "the shape", r->wanted, r->known, &r->rank, err));
    for (int32_t d = 0; d < r->rank; d++) {
        r->copied[d] = r->known[d] && r->wanted[d] == 0 && !allow_zero;
        zero = zero || (r->known[d] && r->wanted[d] == 0 && allow_zero);
        if (r->known[d] && r->wanted[d] < -1) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %" PRId32 " of the shape is %" PRId64, d,
                              r->wanted[d]);
        }
        if (r->known[d] && r->wanted[d] == -1 && r->open >= 0 && r->known[r->open]) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "dimensions %" PRId32 " and %" PRId32 " of the shape are both -1", r->open, d);
        }
        if (!r->known[d] || r->wanted[d] == -1) {
            r->n_open++;
            if (r->open < 0 || r->known[d]) r->open = d;
        }
    }
    if (zero && r->open >= 0 && r->known[r->open]) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the shape has a 0 that allowzero takes literally, and a -1: it can be anything");
    }
    return FERRY_OK;
}

// Product of an input's dimensions without those that the output copies, which cancel out; -1 when unknown.
static ferry_status rest_of_input(const ferry_shape *in, const reshape *r, int64_t *out, ferry_error *err)
{
    *out = 1;
    for (int32_t d = 0; d < in->rank; d++) {
        if (d < r->rank && r->copied[d]) continue;
        FERRY_TRY(ferry_dim_mul(*out, in->dims[d], out, err));
    }
    return FERRY_OK;
}

static ferry_status solve_reshape(const ferry_shape *in, const reshape *r, ferry_shape *out, ferry_error *err)
{
    int64_t elements, given = 1;
    FERRY_TRY(rest_of_input(in, r, &elements, err));
    for (int32_t d = 0; d < r->rank; d++) {
        if (d == r->open || r->copied[d]) continue;
        FERRY_TRY(ferry_dim_mul(given, out->dims[d], &given, err));
    }
    if (elements < 0 || given < 0 || r->n_open > 1) return FERRY_OK;
    if (r->open < 0) {
        if (elements == given) return FERRY_OK;
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %" PRId64 " elements%s, the shape has %" PRId64,
                          elements, in->rank && r->rank && r->copied[0] ? " beside the dimensions that are kept" : "",
                          given);
    }
    if (given == 0) {
        if (elements != 0) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the input has %" PRId64 " elements, the shape has 0",
                              elements);
        }
        return FERRY_OK; // 0 times anything
    }
    if (elements % given != 0) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the input has %" PRId64 " elements, which dimensions of product %" PRId64 " do not divide",
                          elements, given);
    }
    ferry_set_dim(out, r->open, elements / given);
    return FERRY_OK;
}

ferry_status ferry_reshape_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0];
    reshape r = {0};
    FERRY_TRY(read_reshape(infer, &r, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    if (r.rank < 0) return FERRY_OK;
    ferry_shape *out = &infer->out_shapes[0];
    *out = ferry_shape_of_rank(r.rank);
    for (int32_t d = 0; d < r.rank; d++) {
        if (!r.copied[d]) {
            if (r.known[d]) ferry_set_dim(out, d, r.wanted[d]);
        } else if (in->rank >= 0 && d >= in->rank) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "dimension %" PRId32 " of the shape is 0 (the input's), but the input has %" PRId32
                              " dimensions",
                              d, in->rank);
        } else if (in->rank >= 0) {
            ferry_copy_dim(out, d, in, d);
        }
    }
    return in->rank < 0 ? FERRY_OK : solve_reshape(in, &r, out, err);
}

// --- Squeeze, Unsqueeze, Flatten -------------------------------------------------------------------------------------

ferry_status ferry_squeeze_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0];
    ferry_shape *out = &infer->out_shapes[0];
    infer->out_dtypes[0] = infer->in_dtypes[0];
    int64_t axes[FERRY_MAX_RANK];
    int32_t count = -1;
    bool drop[FERRY_MAX_RANK] = {false};
    const bool named = ferry_has_input(infer->node, 1);
    if (named) {
        FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_INDEX, err));
        FERRY_TRY(ferry_infer_ints(infer, 1, "axes", axes, &count, err));
    }
    if (in->rank < 0 || (named && count < 0)) return FERRY_OK;
    if (named) FERRY_TRY(ferry_axes_flags(axes, count, in->rank, drop, err));
    ferry_shape kept = ferry_shape_of_rank(0);
    for (int32_t d = 0; d < in->rank; d++) {
        if (!named && in->dims[d] < 0) return FERRY_OK; // 1 or not: even the rank is open
        if (!named) drop[d] = in->dims[d] == 1;
        if (drop[d] && in->dims[d] >= 0 && in->dims[d] != 1) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "axis %" PRId32 " has the size %" PRId64 "; only 1 can be squeezed", d, in->dims[d]);
        }
        if (!drop[d]) ferry_copy_dim(&kept, kept.rank++, in, d);
    }
    *out = kept;
    return FERRY_OK;
}

ferry_status ferry_unsqueeze_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0];
    infer->out_dtypes[0] = infer->in_dtypes[0];
    int64_t axes[FERRY_MAX_RANK];
    bool known[FERRY_MAX_RANK], added[FERRY_MAX_RANK];
    int32_t count;
    FERRY_TRY(ferry_infer_shape_input(infer, 1, "axes", axes, known, &count, err));
    if (in->rank < 0 || count < 0) return FERRY_OK;
    const int32_t rank = in->rank + count;
    if (rank > FERRY_MAX_RANK) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "%" PRId32 " dimensions and %" PRId32 " new ones: at most %d can be handled", in->rank, count,
                          FERRY_MAX_RANK);
    }
    infer->out_shapes[0] = ferry_shape_of_rank(rank);
    for (int32_t i = 0; i < count; i++)
        if (!known[i]) return FERRY_OK;
    FERRY_TRY(ferry_axes_flags(axes, count, rank, added, err));
    for (int32_t d = 0, from = 0; d < rank; d++) {
        if (added[d]) {
            ferry_set_dim(&infer->out_shapes[0], d, 1);
        } else {
            ferry_copy_dim(&infer->out_shapes[0], d, in, from++);
        }
    }
    return FERRY_OK;
}

// The product of dims [from, to); a single dimension keeps its symbol.
static ferry_status flatten_dims(const ferry_shape *in, int32_t from, int32_t to, ferry_shape *out, int32_t d,
                                 ferry_error *err)
{
    int64_t product = 1;
    int32_t last = -1, others = 0;
    for (int32_t i = from; i < to; i++) {
        FERRY_TRY(ferry_dim_mul(product, in->dims[i], &product, err));
        if (in->dims[i] == 1) continue;
        others += last >= 0;
        last = i;
    }
    ferry_set_dim(out, d, product);
    if (last >= 0 && !others) ferry_copy_dim(out, d, in, last);
    return FERRY_OK;
}

ferry_status ferry_flatten_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0];
    ferry_shape *out = &infer->out_shapes[0];
    infer->out_dtypes[0] = infer->in_dtypes[0];
    *out = ferry_shape_of_rank(2);
    if (in->rank < 0) return FERRY_OK;
    int64_t axis = ferry_node_int(infer->node, "axis", 1);
    if (axis < -(int64_t)in->rank || axis > in->rank) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "axis is %" PRId64 ", the input has %" PRId32 " dimensions", axis,
                          in->rank);
    }
    if (axis < 0) axis += in->rank;
    FERRY_TRY(flatten_dims(in, 0, (int32_t)axis, out, 0, err));
    return flatten_dims(in, (int32_t)axis, in->rank, out, 1, err);
}

// SPDX-License-Identifier: Apache-2.0
// Pad: constant, reflect, edge and wrap; negative pads cut.
#include <inttypes.h>
#include <string.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/movement.h"
#include "ops/rules.h"

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP } pad_mode;

static ferry_status read_mode(const ferry_node *node, pad_mode *out, ferry_error *err)
{
    static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
    const char *mode = ferry_node_string(node, "mode", "constant");
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++) {
        if (strcmp(mode, names[i]) != 0) continue;
        *out = (pad_mode)i;
        return FERRY_OK;
    }
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "mode is '%s'; it must be constant, reflect, edge or wrap", mode);
}

typedef struct pads {
    int64_t begin[FERRY_MAX_RANK], end[FERRY_MAX_RANK];
} pads;

// The pads of every dimension. `axes` may be NULL: all of them, in order.
static ferry_status read_pads(const ferry_tensor *values, const ferry_tensor *axes, int32_t rank, pads *out,
                              ferry_error *err)
{
    int64_t numbers[2 * FERRY_MAX_RANK], axis_list[FERRY_MAX_RANK];
    int32_t count, n_axes = rank;
    bool named[FERRY_MAX_RANK];
    memset(out, 0, sizeof *out);
    FERRY_TRY(ferry_read_ints(values, "pads", 2 * FERRY_MAX_RANK, numbers, &count, err));
    for (int32_t d = 0; d < rank; d++) axis_list[d] = d;
    if (axes) FERRY_TRY(ferry_read_ints(axes, "axes", rank, axis_list, &n_axes, err));
    if (count != 2 * n_axes) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "pads has %" PRId32 " entries; %" PRId32 " axes need %" PRId32,
                          count, n_axes, 2 * n_axes);
    }
    FERRY_TRY(ferry_axes_flags(axis_list, n_axes, rank, named, err));
    for (int32_t i = 0; i < n_axes; i++) {
        int32_t d;
        FERRY_TRY(ferry_axis(axis_list[i], rank, &d, err));
        out->begin[d] = numbers[i];
        out->end[d] = numbers[n_axes + i];
    }
    return FERRY_OK;
}

#define MOST_PAD ((int64_t)1 << 47)

static ferry_status padded_dim(int64_t dim, int64_t begin, int64_t end, int32_t d, pad_mode mode, int64_t *out,
                               ferry_error *err)
{
    if (begin < -MOST_PAD || begin > MOST_PAD || end < -MOST_PAD || end > MOST_PAD) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the pads of dimension %" PRId32 " are %" PRId64 " and %" PRId64 ": beyond any memory", d,
                          begin, end);
    }
    const int64_t cut = (begin < 0 ? -begin : 0) + (end < 0 ? -end : 0);
    if (cut > dim) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the pads %" PRId64 " and %" PRId64 " of dimension %" PRId32 " cut more than its %" PRId64
                          " elements",
                          begin, end, d, dim);
    }
    if (mode != PAD_CONSTANT && cut == dim && (begin > 0 || end > 0)) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %" PRId32 " has no element to pad with", d);
    }
    return ferry_dim_add(dim - cut, (begin > 0 ? begin : 0) + (end > 0 ? end : 0), out, err);
}

ferry_status ferry_pad_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0];
    pad_mode mode = PAD_CONSTANT;
    FERRY_TRY(read_mode(infer->node, &mode, err));
    FERRY_TRY(ferry_need_same_type(infer, 2, err));
    ferry_infer_like_first(infer);
    if (in->rank < 0) return FERRY_OK;
    const bool has_axes = ferry_has_input(infer->node, 3);
    ferry_shape *out = &infer->out_shapes[0];
    if (!infer->in_data[1].data || (has_axes && !infer->in_data[3].data)) {
        *out = ferry_shape_of_rank(in->rank);
        return FERRY_OK;
    }
    pads p;
    FERRY_TRY(read_pads(&infer->in_data[1], has_axes ? &infer->in_data[3] : NULL, in->rank, &p, err));
    for (int32_t d = 0; d < in->rank; d++) {
        if (p.begin[d] == 0 && p.end[d] == 0) continue;
        int64_t dim = FERRY_DIM_UNKNOWN;
        if (in->dims[d] >= 0) FERRY_TRY(padded_dim(in->dims[d], p.begin[d], p.end[d], d, mode, &dim, err));
        ferry_set_dim(out, d, dim);
    }
    return ferry_check_size(infer, out, infer->out_dtypes[0], err);
}

// A padded dimension: output i comes from input first + source_of(i - before), of `size` elements that remain after
// cutting.
typedef struct pad_dim {
    int64_t before, first, size;
} pad_dim;

// Where the element comes from, counted from `first`; -1: the constant.
static int64_t source_of(pad_mode mode, const pad_dim *p, int64_t i)
{
    const int64_t at = i - p->before, n = p->size;
    if (at >= 0 && at < n) return at;
    switch (mode) {
    case PAD_EDGE:
        return at < 0 ? 0 : n - 1;
    case PAD_WRAP:
        return (at % n + n) % n;
    case PAD_REFLECT: {
        if (n == 1) return 0;
        const int64_t period = 2 * (n - 1), phase = (at % period + period) % period;
        return phase < n ? phase : period - phase;
    }
    default:
        return -1;
    }
}

static void fill(char *to, int64_t n, const char *value, size_t bytes)
{
    for (int64_t i = 0; i < n; i++) memcpy(to + (size_t)i * bytes, value, bytes);
}

// One row of the last dimension: the margins element by element, what lies between as it is.
static void pad_row(pad_mode mode, const pad_dim *p, int64_t n, char *to, const char *row, const char *value,
                    size_t bytes)
{
    const int64_t middle = p->before < n ? p->before : n;
    const int64_t after = p->before + p->size < n ? p->before + p->size : n;
    for (int64_t i = 0; i < n; i++) {
        if (i == middle && after > middle) {
            memcpy(to + (size_t)i * bytes, row + (size_t)p->first * bytes, (size_t)(after - middle) * bytes);
            i = after;
            if (i == n) break;
        }
        const int64_t from = source_of(mode, p, i);
        memcpy(to + (size_t)i * bytes, from < 0 ? value : row + (size_t)(p->first + from) * bytes, bytes);
    }
}

ferry_status ferry_pad_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0], *y = &eval->out[0];
    pad_mode mode = PAD_CONSTANT;
    pads p;
    pad_dim dims[FERRY_MAX_RANK];
    FERRY_TRY(read_mode(eval->node, &mode, err));
    FERRY_TRY(read_pads(&eval->in[1], ferry_has_input(eval->node, 3) ? &eval->in[3] : NULL, x->rank, &p, err));
    for (int32_t d = 0; d < x->rank; d++) {
        int64_t dim;
        FERRY_TRY(padded_dim(x->dims[d], p.begin[d], p.end[d], d, mode, &dim, err));
        if (dim != y->dims[d]) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                              "dimension %" PRId32 " becomes %" PRId64 ", the output has %" PRId64, d, dim, y->dims[d]);
        }
        dims[d].before = p.begin[d] > 0 ? p.begin[d] : 0;
        dims[d].first = p.begin[d] < 0 ? -p.begin[d] : 0;
        dims[d].size = x->dims[d] - dims[d].first - (p.end[d] < 0 ? -p.end[d] : 0);
    }
    static const uint64_t zero = 0;
    const bool has_value = ferry_has_input(eval->node, 2) && ferry_elements(&eval->in[2]) > 0;
    const char *value = has_value ? eval->in[2].data : (const void *)&zero;
    const size_t bytes = ferry_dtype_bytes(x->dtype);
    const int64_t elements = ferry_elements(y), n = y->rank ? y->dims[y->rank - 1] : 1;
    const pad_dim scalar = {0, 0, 1}, *last = x->rank ? &dims[x->rank - 1] : &scalar;
    int64_t dense[FERRY_MAX_RANK], index[FERRY_MAX_RANK] = {0};
    ferry_dense_strides(x->rank, x->dims, dense);
    for (int64_t done = 0; done < elements; done += n) {
        int64_t at = 0;
        for (int32_t d = 0; d + 1 < x->rank && at >= 0; d++) {
            const int64_t from = source_of(mode, &dims[d], index[d]);
            at = from < 0 ? -1 : at + (dims[d].first + from) * dense[d];
        }
        char *to = (char *)y->data + (size_t)done * bytes;
        if (at < 0) {
            fill(to, n, value, bytes);
        } else {
            pad_row(mode, last, n, to, (const char *)x->data + (size_t)at * bytes, value, bytes);
        }
        for (int32_t d = y->rank - 2; d >= 0 && ++index[d] == y->dims[d]; d--) index[d] = 0;
    }
    return FERRY_OK;
}

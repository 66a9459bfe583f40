// SPDX-License-Identifier: Apache-2.0
// ArgMax, ArgMin and CumSum: along one axis.
#include <inttypes.h>
#include <math.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/reduce.h"
#include "ops/rows.h"
#include "ops/rules.h"

// A tensor as [outer, n, inner] around an axis.
typedef struct axis_view {
    int64_t outer, n, inner;
} axis_view;

static axis_view view_axis(const ferry_tensor *x, int32_t axis)
{
    return (axis_view){.outer = ferry_dims_elements(axis, x->dims),
                       .n = x->dims[axis],
                       .inner = ferry_dims_elements(x->rank - axis - 1, x->dims + axis + 1)};
}

// --- ArgMax and ArgMin -----------------------------------------------------------------------------------------------

ferry_status ferry_arg_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0];
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_NUMBER, err));
    infer->out_dtypes[0] = FERRY_S64;
    if (in->rank < 0) return FERRY_OK;
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(infer->node, "axis", 0), in->rank, &axis, err));
    if (in->dims[axis] == 0) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "axis %" PRId32 " has 0 elements: there is none to point at", axis);
    }
    const bool keep = ferry_node_int(infer->node, "keepdims", 1) != 0;
    ferry_shape *out = &infer->out_shapes[0];
    *out = ferry_shape_of_rank(0);
    for (int32_t d = 0; d < in->rank; d++) {
        if (d != axis) {
            ferry_copy_dim(out, out->rank++, in, d);
        } else if (keep) {
            ferry_set_dim(out, out->rank++, 1);
        }
    }
    return FERRY_OK;
}

// Maps numbers to uint64 so that the order stays; NaN comes last, as numpy has it. For ArgMin the order is turned over,
// but NaN still wins.
static void order_keys(const ferry_tensor *x, int64_t first, int64_t step, int64_t n, bool smallest, uint64_t *out)
{
    if (ferry_number_class_of(x->dtype) == FERRY_NUMBER_FLOAT) {
        double v[FERRY_ROW];
        ferry_row_load_f64(x->dtype, x->data, first, step, n, v);
        for (int64_t i = 0; i < n; i++) out[i] = isnan(v[i]) ? UINT64_MAX : ferry_order_key(smallest ? -v[i] : v[i]);
        return;
    }
    const bool is_signed = ferry_number_class_of(x->dtype) == FERRY_NUMBER_SIGNED;
    ferry_row_load_u64(x->dtype, x->data, first, step, n, out);
    for (int64_t i = 0; i < n; i++) {
        if (is_signed) out[i] ^= (uint64_t)1 << 63;
        if (smallest) out[i] = ~out[i];
    }
}

static int64_t best_along(const ferry_tensor *x, int64_t base, const axis_view *v, bool smallest, bool last)
{
    uint64_t keys[FERRY_ROW], best = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < v->n; i += FERRY_ROW) {
        const int64_t run = v->n - i < FERRY_ROW ? v->n - i : FERRY_ROW;
        order_keys(x, base + i * v->inner, v->inner, run, smallest, keys);
        for (int64_t k = 0; k < run; k++) {
            if (i + k > 0 && !(last ? keys[k] >= best : keys[k] > best)) continue;
            best = keys[k];
            at = i + k;
        }
    }
    return at;
}

static ferry_status eval_arg(const ferry_eval *eval, bool smallest, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", 0), x->rank, &axis, err));
    const bool last = ferry_node_int(eval->node, "select_last_index", 0) != 0;
    if (ferry_elements(&eval->out[0]) == 0) return FERRY_OK;
    const axis_view v = view_axis(x, axis);
    int64_t *y = eval->out[0].data;
    for (int64_t o = 0; o < v.outer; o++) {
        for (int64_t i = 0; i < v.inner; i++) {
            y[o * v.inner + i] = best_along(x, o * v.n * v.inner + i, &v, smallest, last);
        }
    }
    return FERRY_OK;
}

ferry_status ferry_arg_max_eval(const ferry_eval *eval, ferry_error *err)
{
    return eval_arg(eval, false, err);
}

ferry_status ferry_arg_min_eval(const ferry_eval *eval, ferry_error *err)
{
    return eval_arg(eval, true, err);
}

// --- CumSum ----------------------------------------------------------------------------------------------------------

ferry_status ferry_cum_sum_infer(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_NUMBER, err));
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_INDEX, err));
    ferry_infer_like_first(infer);
    if (!infer->in_data[1].data || infer->in_shapes[0].rank < 0) return FERRY_OK;
    int64_t axis = 0;
    int32_t normal;
    FERRY_TRY(ferry_read_int(&infer->in_data[1], "axis", &axis, err));
    return ferry_axis(axis, infer->in_shapes[0].rank, &normal, err);
}

typedef struct cum_sum {
    bool exclusive, reverse;
} cum_sum;

static void sum_along(const ferry_tensor *x, ferry_tensor *y, int64_t base, const axis_view *v, cum_sum how)
{
    double sum_f = 0;
    uint64_t sum_u = 0;
    const bool is_float = ferry_number_class_of(x->dtype) == FERRY_NUMBER_FLOAT;
    for (int64_t i = 0; i < v->n; i++) {
        const int64_t at = base + (how.reverse ? v->n - 1 - i : i) * v->inner;
        if (is_float) {
            double element;
            ferry_row_load_f64(x->dtype, x->data, at, 1, 1, &element);
            const double before = sum_f;
            sum_f += element;
            ferry_row_store_f64(y->dtype, y->data, at, 1, 1, how.exclusive ? &before : &sum_f);
        } else {
            uint64_t element;
            ferry_row_load_u64(x->dtype, x->data, at, 1, 1, &element);
            const uint64_t before = sum_u;
            sum_u += element;
            ferry_row_store_u64(y->dtype, y->data, at, 1, 1, how.exclusive ? &before : &sum_u);
        }
    }
}

ferry_status ferry_cum_sum_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    int64_t named = 0;
    int32_t axis = 0;
    FERRY_TRY(ferry_read_int(&eval->in[1], "axis", &named, err));
    FERRY_TRY(ferry_axis(named, x->rank, &axis, err));
    if (ferry_elements(x) == 0) return FERRY_OK;
    const cum_sum how = {.exclusive = ferry_node_int(eval->node, "exclusive", 0) != 0,
                         .reverse = ferry_node_int(eval->node, "reverse", 0) != 0};
    const axis_view v = view_axis(x, axis);
    for (int64_t o = 0; o < v.outer; o++)
        for (int64_t i = 0; i < v.inner; i++) sum_along(x, &eval->out[0], o * v.n * v.inner + i, &v, how);
    return FERRY_OK;
}

// SPDX-License-Identifier: Apache-2.0
// ReduceSum and its kin, and the family's table. Floats are summed in double and rounded once; integers wrap.
#include "ops/reduce.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "ops/binary.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rows.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_reduce[];

typedef enum reduction {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_PROD,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_L1,
    REDUCE_L2,
    REDUCE_LOG_SUM,
    REDUCE_LOG_SUM_EXP,
    REDUCE_SUM_SQUARE
} reduction;

// --- Shapes ----------------------------------------------------------------------------------------------------------

// Which dims go. No axes: all of them, or none with noop_with_empty_axes.
static ferry_status reduced_dims(const ferry_node *node, const int64_t *axes, int32_t count, int32_t rank, bool *out,
                                 ferry_error *err)
{
    FERRY_TRY(ferry_axes_flags(axes, count, rank, out, err));
    const bool all = count == 0 && ferry_node_int(node, "noop_with_empty_axes", 0) == 0;
    for (int32_t d = 0; d < rank && all; d++) out[d] = true;
    return FERRY_OK;
}

static ferry_status infer_reduce(ferry_infer *infer, uint32_t types, ferry_error *err)
{
    const ferry_node *node = infer->node;
    const ferry_shape *in = &infer->in_shapes[0];
    const bool keep = ferry_node_int(node, "keepdims", 1) != 0;
    int64_t axes[FERRY_MAX_RANK] = {0};
    int32_t count = 0;
    FERRY_TRY(ferry_need_types(infer, 0, types, err));
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_INDEX, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    if (ferry_has_input(node, 1)) FERRY_TRY(ferry_infer_ints(infer, 1, "axes", axes, &count, err));
    if (in->rank < 0) return FERRY_OK;
    ferry_shape *out = &infer->out_shapes[0];
    if (count < 0) {
        size_t n;
        if (keep) {
            *out = ferry_shape_of_rank(in->rank);
        } else if (ferry_shape_elements(&infer->in_shapes[1], &n) && n <= (size_t)in->rank) {
            *out = ferry_shape_of_rank(in->rank - (int32_t)n);
        }
        return FERRY_OK;
    }
    bool reduced[FERRY_MAX_RANK];
    FERRY_TRY(reduced_dims(node, axes, count, in->rank, reduced, err));
    *out = ferry_shape_of_rank(0);
    for (int32_t d = 0; d < in->rank; d++) {
        if (!reduced[d]) {
            ferry_copy_dim(out, out->rank++, in, d);
        } else if (keep) {
            ferry_set_dim(out, out->rank++, 1);
        }
    }
    return FERRY_OK;
}

static ferry_status infer_number(ferry_infer *infer, ferry_error *err)
{
    return infer_reduce(infer, FERRY_TYPES_NUMBER, err);
}

static ferry_status infer_any(ferry_infer *infer, ferry_error *err)
{
    return infer_reduce(infer, FERRY_TYPES_ANY, err);
}

// --- The two walks ---------------------------------------------------------------------------------------------------

// An input as an outer walk over what stays and an inner one over what goes.
typedef struct reduce_walk {
    int32_t kept_rank, gone_rank;
    int64_t kept_dims[FERRY_MAX_RANK], kept_strides[FERRY_MAX_RANK];
    int64_t gone_dims[FERRY_MAX_RANK], gone_strides[FERRY_MAX_RANK];
    int64_t count; // elements that go into one output
} reduce_walk;

static ferry_status make_walk(const ferry_eval *eval, reduce_walk *w, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    int64_t axes[FERRY_MAX_RANK] = {0}, strides[FERRY_MAX_RANK];
    int32_t count = 0;
    bool reduced[FERRY_MAX_RANK];
    if (ferry_has_input(eval->node, 1))
        FERRY_TRY(ferry_read_ints(&eval->in[1], "axes", FERRY_MAX_RANK, axes, &count, err));
    FERRY_TRY(reduced_dims(eval->node, axes, count, x->rank, reduced, err));
    ferry_dense_strides(x->rank, x->dims, strides);
    memset(w, 0, sizeof *w);
    for (int32_t d = 0; d < x->rank; d++) {
        if (reduced[d]) {
            w->gone_dims[w->gone_rank] = x->dims[d];
            w->gone_strides[w->gone_rank++] = strides[d];
        } else {
            w->kept_dims[w->kept_rank] = x->dims[d];
            w->kept_strides[w->kept_rank++] = strides[d];
        }
    }
    w->count = ferry_dims_elements(w->gone_rank, w->gone_dims);
    if (ferry_dims_elements(w->kept_rank, w->kept_dims) != ferry_elements(&eval->out[0])) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "the axes leave %" PRId64 " elements, the output has %" PRId64,
                          ferry_dims_elements(w->kept_rank, w->kept_dims), ferry_elements(&eval->out[0]));
    }
    return FERRY_OK;
}

// --- Sums and extremes of one output ---------------------------------------------------------------------------------

static double start_f64(reduction how)
{
    switch (how) {
    case REDUCE_PROD:
        return 1;
    case REDUCE_MAX:
        return -INFINITY;
    case REDUCE_MIN:
        return INFINITY;
    default:
        return 0;
    }
}

static double add_run_f64(reduction how, double sum, const double *v, int64_t n, double largest)
{
    switch (how) {
    case REDUCE_PROD:
        for (int64_t i = 0; i < n; i++) sum *= v[i];
        break;
    case REDUCE_MAX:
        for (int64_t i = 0; i < n; i++) sum = FERRY_MAX_FLOAT(v[i], sum);
        break;
    case REDUCE_MIN:
        for (int64_t i = 0; i < n; i++) sum = FERRY_MIN_FLOAT(v[i], sum);
        break;
    case REDUCE_L1:
        for (int64_t i = 0; i < n; i++) sum += fabs(v[i]);
        break;
    case REDUCE_L2:
    case REDUCE_SUM_SQUARE:
        for (int64_t i = 0; i < n; i++) sum += v[i] * v[i];
        break;
    case REDUCE_LOG_SUM_EXP:
        for (int64_t i = 0; i < n; i++) sum += exp(v[i] - largest);
        break;
    default:
        for (int64_t i = 0; i < n; i++) sum += v[i];
        break;
    }
    return sum;
}

static double finish_f64(reduction how, double sum, int64_t count, double largest)
{
    switch (how) {
    case REDUCE_MEAN:
        return sum / (double)count;
    case REDUCE_L2:
        return sqrt(sum);
    case REDUCE_LOG_SUM:
        return log(sum);
    case REDUCE_LOG_SUM_EXP:
        return log(sum) + largest;
    default:
        return sum;
    }
}

static double walk_f64(reduction how, const ferry_tensor *x, int64_t base, const reduce_walk *w, double largest)
{
    const int64_t *const strides[] = {w->gone_strides};
    double v[FERRY_ROW], sum = start_f64(how);
    ferry_loops loops;
    for (bool more = ferry_loops_begin(&loops, w->gone_rank, w->gone_dims, 1, strides); more;
         more = ferry_loops_next(&loops)) {
        for (int64_t i = 0; i < loops.row; i += FERRY_ROW) {
            const int64_t run = loops.row - i < FERRY_ROW ? loops.row - i : FERRY_ROW, step = loops.row_strides[0];
            ferry_row_load_f64(x->dtype, x->data, base + loops.offsets[0] + i * step, step, run, v);
            sum = add_run_f64(how, sum, v, run, largest);
        }
    }
    return sum;
}

static double reduce_f64(reduction how, const ferry_tensor *x, int64_t base, const reduce_walk *w)
{
    double largest = 0;
    if (how == REDUCE_LOG_SUM_EXP) {
        // Exponentials relative to the largest element cannot overflow.
        largest = walk_f64(REDUCE_MAX, x, base, w, 0);
        if (!isfinite(largest)) largest = 0;
    }
    return finish_f64(how, walk_f64(how, x, base, w, largest), w->count, largest);
}

// The extremes of an empty set are the type's bounds.
static int64_t start_s64(reduction how, ferry_dtype dtype)
{
    const int shift = 64 - 8 * (int)ferry_dtype_bytes(dtype);
    switch (how) {
    case REDUCE_PROD:
        return 1;
    case REDUCE_MAX:
        return INT64_MIN >> shift;
    case REDUCE_MIN:
        return INT64_MAX >> shift;
    default:
        return 0;
    }
}

// Integers: all arithmetic in uint64, which wraps; `flip` makes the order of signed numbers that of unsigned ones.
static uint64_t walk_u64(reduction how, const ferry_tensor *x, int64_t base, const reduce_walk *w)
{
    const bool is_signed = ferry_number_class_of(x->dtype) == FERRY_NUMBER_SIGNED;
    const uint64_t flip = is_signed ? (uint64_t)1 << 63 : 0;
    uint64_t v[FERRY_ROW], sum = (uint64_t)start_s64(how, x->dtype);
    if (!is_signed && how == REDUCE_MAX) sum = 0;
    if (!is_signed && how == REDUCE_MIN)
        sum = x->dtype == FERRY_BOOL ? 1 : UINT64_MAX >> (64 - 8 * ferry_dtype_bytes(x->dtype));
    const int64_t *const strides[] = {w->gone_strides};
    ferry_loops loops;
    for (bool more = ferry_loops_begin(&loops, w->gone_rank, w->gone_dims, 1, strides); more;
         more = ferry_loops_next(&loops)) {
        for (int64_t i = 0; i < loops.row; i += FERRY_ROW) {
            const int64_t run = loops.row - i < FERRY_ROW ? loops.row - i : FERRY_ROW, step = loops.row_strides[0];
            ferry_row_load_u64(x->dtype, x->data, base + loops.offsets[0] + i * step, step, run, v);
            for (int64_t k = 0; k < run; k++) {
                switch (how) {
                case REDUCE_PROD:
                    sum *= v[k];
                    break;
                case REDUCE_MAX:
                    sum = (v[k] ^ flip) > (sum ^ flip) ? v[k] : sum;
                    break;
                case REDUCE_MIN:
                    sum = (v[k] ^ flip) < (sum ^ flip) ? v[k] : sum;
                    break;
                case REDUCE_L1:
                    sum += is_signed && v[k] >> 63 ? 0 - v[k] : v[k];
                    break;
                case REDUCE_SUM_SQUARE:
                    sum += v[k] * v[k];
                    break;
                default:
                    sum += v[k];
                    break;
                }
            }
        }
    }
    return sum;
}

static uint64_t mean_u64(uint64_t sum, int64_t count, bool is_signed)
{
    if (count == 0) return 0;
    return is_signed ? (uint64_t)((int64_t)sum / count) : sum / (uint64_t)count;
}

static void reduce_one(reduction how, const ferry_tensor *x, int64_t base, const reduce_walk *w, ferry_tensor *y,
                       int64_t at)
{
    const ferry_number_class number = ferry_number_class_of(x->dtype);
    const bool through_double = how == REDUCE_L2 || how == REDUCE_LOG_SUM || how == REDUCE_LOG_SUM_EXP;
    if (number == FERRY_NUMBER_FLOAT || through_double) {
        const double result = reduce_f64(how, x, base, w);
        ferry_row_store_f64(y->dtype, y->data, at, 1, 1, &result);
    } else {
        uint64_t result = walk_u64(how, x, base, w);
        if (how == REDUCE_MEAN) result = mean_u64(result, w->count, number == FERRY_NUMBER_SIGNED);
        ferry_row_store_u64(y->dtype, y->data, at, 1, 1, &result);
    }
}

static ferry_status eval_reduce(const ferry_eval *eval, reduction how, ferry_error *err)
{
    reduce_walk w;
    FERRY_TRY(make_walk(eval, &w, err));
    const int64_t *const strides[] = {w.kept_strides};
    ferry_loops loops;
    int64_t at = 0;
    for (bool more = ferry_loops_begin(&loops, w.kept_rank, w.kept_dims, 1, strides); more;
         more = ferry_loops_next(&loops)) {
        for (int64_t i = 0; i < loops.row; i++) {
            reduce_one(how, &eval->in[0], loops.offsets[0] + i * loops.row_strides[0], &w, &eval->out[0], at++);
        }
    }
    return FERRY_OK;
}

#define REDUCE_EVAL(name, how)                                                                                         \
    static ferry_status eval_##name(const ferry_eval *eval, ferry_error *err)                                          \
    {                                                                                                                  \
        return eval_reduce(eval, how, err);                                                                            \
    }
REDUCE_EVAL(sum, REDUCE_SUM)
REDUCE_EVAL(mean, REDUCE_MEAN)
REDUCE_EVAL(prod, REDUCE_PROD)
REDUCE_EVAL(max, REDUCE_MAX)
REDUCE_EVAL(min, REDUCE_MIN)
REDUCE_EVAL(l1, REDUCE_L1)
REDUCE_EVAL(l2, REDUCE_L2)
REDUCE_EVAL(log_sum, REDUCE_LOG_SUM)
REDUCE_EVAL(log_sum_exp, REDUCE_LOG_SUM_EXP)
REDUCE_EVAL(sum_square, REDUCE_SUM_SQUARE)

// --- The table -------------------------------------------------------------------------------------------------------

static const ferry_attr_schema reduce_attrs[] = {
    {"keepdims", FERRY_ATTR_INT, false}, {"noop_with_empty_axes", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema arg_attrs[] = {{"axis", FERRY_ATTR_INT, false},
                                              {"keepdims", FERRY_ATTR_INT, false},
                                              {"select_last_index", FERRY_ATTR_INT, false},
                                              {0}};
static const ferry_attr_schema cum_sum_attrs[] = {
    {"exclusive", FERRY_ATTR_INT, false}, {"reverse", FERRY_ATTR_INT, false}, {0}};

#define ROW(op_name, least, most, opset, schema, infer_function, eval_function)                                        \
    {                                                                                                                  \
        .name = op_name, .domain = "", .min_inputs = least, .max_inputs = most, .min_outputs = 1, .max_outputs = 1,    \
        .since = opset, .attrs = schema, .infer = infer_function, .eval = eval_function                                \
    }

const ferry_op ferry_ops_reduce[] = {
    ROW("ReduceSum", 1, 2, 1, reduce_attrs, infer_number, eval_sum),
    ROW("ReduceMean", 1, 2, 1, reduce_attrs, infer_number, eval_mean),
    ROW("ReduceProd", 1, 2, 1, reduce_attrs, infer_number, eval_prod),
    ROW("ReduceMax", 1, 2, 1, reduce_attrs, infer_any, eval_max),
    ROW("ReduceMin", 1, 2, 1, reduce_attrs, infer_any, eval_min),
    ROW("ReduceL1", 1, 2, 1, reduce_attrs, infer_number, eval_l1),
    ROW("ReduceL2", 1, 2, 1, reduce_attrs, infer_number, eval_l2),
    ROW("ReduceLogSum", 1, 2, 1, reduce_attrs, infer_number, eval_log_sum),
    ROW("ReduceLogSumExp", 1, 2, 1, reduce_attrs, infer_number, eval_log_sum_exp),
    ROW("ReduceSumSquare", 1, 2, 1, reduce_attrs, infer_number, eval_sum_square),
    ROW("ArgMax", 1, 1, 1, arg_attrs, ferry_arg_infer, ferry_arg_max_eval),
    ROW("ArgMin", 1, 1, 1, arg_attrs, ferry_arg_infer, ferry_arg_min_eval),
    ROW("CumSum", 2, 2, 11, cum_sum_attrs, ferry_cum_sum_infer, ferry_cum_sum_eval),
    {.name = NULL},
};

// SPDX-License-Identifier: Apache-2.0
// Softmax, LogSoftmax and Hardmax along one axis, as opset 13 defines them.
#include <math.h>

#include "ops/element.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_softmax[];

static ferry_status infer_softmax(ferry_infer *infer, ferry_error *err)
{
    int32_t axis = 0;
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_FLOAT, err));
    ferry_infer_like_first(infer);
    if (infer->in_shapes[0].rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    return ferry_axis(ferry_node_int(infer->node, "axis", -1), infer->in_shapes[0].rank, &axis, err);
}

// The elements of one sum: first + i * step, i in [0, n).
typedef struct line {
    const ferry_tensor *x;
    ferry_tensor *y;
    size_t first, step, n;
} line;

static double load(const line *l, size_t i)
{
    const size_t at = l->first + i * l->step;
    return l->x->dtype == FERRY_F32 ? (double)((const float *)l->x->data)[at] : ferry_load_f64(l->x, at);
}

static void store(const line *l, size_t i, double value)
{
    ferry_store_f64(l->y, l->first + i * l->step, value);
}

static double most_of(const line *l)
{
    double most = -INFINITY;
    for (size_t i = 0; i < l->n; i++) {
        const double v = load(l, i);
        if (v > most || isnan(v)) most = v;
        if (isnan(v)) break;
    }
    return most;
}

static double sum_of_exp(const line *l, double most)
{
    double sum = 0;
    for (size_t i = 0; i < l->n; i++) sum += exp(load(l, i) - most);
    return sum;
}

static void softmax_line(const line *l)
{
    const double most = most_of(l), sum = sum_of_exp(l, most);
    for (size_t i = 0; i < l->n; i++) store(l, i, exp(load(l, i) - most) / sum);
}

static void log_softmax_line(const line *l)
{
    const double most = most_of(l), log_sum = log(sum_of_exp(l, most));
    for (size_t i = 0; i < l->n; i++) store(l, i, load(l, i) - most - log_sum);
}

static void hardmax_line(const line *l)
{
    size_t where = 0;
    for (size_t i = 1; i < l->n; i++)
        if (load(l, i) > load(l, where)) where = i; // the first of equals
    for (size_t i = 0; i < l->n; i++) store(l, i, i == where);
}

static ferry_status each_line(const ferry_eval *eval, void (*function)(const line *l), ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", -1), x->rank, &axis, err));
    size_t outer = 1, inner = 1;
    for (int32_t d = 0; d < axis; d++) outer *= (size_t)x->dims[d];
    for (int32_t d = axis + 1; d < x->rank; d++) inner *= (size_t)x->dims[d];
    line l = {.x = x, .y = &eval->out[0], .step = inner, .n = (size_t)x->dims[axis]};
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            l.first = o * l.n * inner + i;
            function(&l);
        }
    return FERRY_OK;
}

static ferry_status eval_softmax(const ferry_eval *eval, ferry_error *err)
{
    return each_line(eval, softmax_line, err);
}

static ferry_status eval_log_softmax(const ferry_eval *eval, ferry_error *err)
{
    return each_line(eval, log_softmax_line, err);
}

static ferry_status eval_hardmax(const ferry_eval *eval, ferry_error *err)
{
    return each_line(eval, hardmax_line, err);
}

static const ferry_attr_schema attrs[] = {{"axis", FERRY_ATTR_INT, false}, {0}};

#define ROW(op_name, eval_function)                                                                                    \
    {                                                                                                                  \
        .name = op_name, .domain = "", .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,           \
        .since = 13, .attrs = attrs, .infer = infer_softmax, .eval = eval_function                                     \
    }

const ferry_op ferry_ops_softmax[] = {
    ROW("Softmax", eval_softmax),
    ROW("LogSoftmax", eval_log_softmax),
    ROW("Hardmax", eval_hardmax),
    {.name = NULL},
};

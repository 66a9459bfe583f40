// SPDX-License-Identifier: Apache-2.0
// MaxPool, AveragePool and LpPool: one walk over windows, a rule for each of the three.
#include <math.h>
#include <string.h>

#include "ops/element.h"
#include "ops/pool.h"
#include "ops/rules.h"
#include "ops/window.h"

ferry_status ferry_pool_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *x = &infer->in_shapes[0];
    const uint32_t types =
        ferry_node_is(infer->node, "MaxPool") ? FERRY_TYPES_FLOAT | 1u << FERRY_S8 | 1u << FERRY_U8 : FERRY_TYPES_FLOAT;
    FERRY_TRY(ferry_need_types(infer, 0, types, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    if (infer->node->n_outputs > 1) infer->out_dtypes[1] = FERRY_S64;
    if (x->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    if (x->rank < 3)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "the input has %d dims; batch, channel and 1 to 3 spatial ones are needed", x->rank);
    if (!ferry_node_attr(infer->node, "kernel_shape"))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "kernel_shape is missing");
    const int32_t n_spatial = x->rank - 2;
    ferry_window window;
    FERRY_TRY(ferry_window_read(infer->node, n_spatial, NULL, &window, err));
    ferry_shape *y = &infer->out_shapes[0];
    *y = ferry_shape_of_rank(x->rank);
    ferry_copy_dim(y, 0, x, 0);
    ferry_copy_dim(y, 1, x, 1);
    for (int32_t i = 0; i < n_spatial; i++)
        FERRY_TRY(ferry_window_out(&window, 3 - n_spatial + i, x->dims[2 + i], &y->dims[2 + i], err));
    if (infer->node->n_outputs > 1) infer->out_shapes[1] = *y;
    return ferry_check_size(infer, y, FERRY_S64, err);
}

// One output position: the part of the window that lies inside the input, in taps.
typedef struct pool_walk {
    ferry_window window;
    int64_t in[3], out[3];
    int64_t first[3]; // input position of tap 0; may be negative
    int64_t tap_begin[3], tap_end[3];
} pool_walk;

static ferry_status begin(const ferry_eval *eval, pool_walk *walk, ferry_error *err)
{
    FERRY_TRY(ferry_window_read(eval->node, eval->in[0].rank - 2, NULL, &walk->window, err));
    ferry_window_dims(&eval->in[0], walk->in);
    ferry_window_dims(eval->out[0].data || eval->node->n_outputs < 2 ? &eval->out[0] : &eval->out[1], walk->out);
    ferry_window_resolve(&walk->window, walk->in);
    return FERRY_OK;
}

static void move_to(pool_walk *walk, const int64_t o[3])
{
    const ferry_window *w = &walk->window;
    for (int i = 0; i < 3; i++) {
        const int64_t first = o[i] * w->stride[i] - w->pad_begin[i], step = w->dilation[i];
        walk->first[i] = first;
        walk->tap_begin[i] = first >= 0 ? 0 : (-first + step - 1) / step;
        const int64_t room = walk->in[i] - first; // taps with tap * step < room are inside
        walk->tap_end[i] = room <= 0 ? 0 : (room + step - 1) / step;
        if (walk->tap_end[i] > w->kernel[i]) walk->tap_end[i] = w->kernel[i];
    }
}

// Calls `body` with `at`, the element's place in its plane, for every tap inside. A macro, so that the loops stay
// plain.
#define FOR_EACH_INSIDE(walk, at, body)                                                                                \
    for (int64_t td = (walk)->tap_begin[0]; td < (walk)->tap_end[0]; td++)                                             \
        for (int64_t th = (walk)->tap_begin[1]; th < (walk)->tap_end[1]; th++)                                         \
            for (int64_t tw = (walk)->tap_begin[2]; tw < (walk)->tap_end[2]; tw++) {                                   \
                const int64_t pd = (walk)->first[0] + td * (walk)->window.dilation[0];                                 \
                const int64_t ph = (walk)->first[1] + th * (walk)->window.dilation[1];                                 \
                const int64_t pw = (walk)->first[2] + tw * (walk)->window.dilation[2];                                 \
                const int64_t at = (pd * (walk)->in[1] + ph) * (walk)->in[2] + pw;                                     \
                body                                                                                                   \
            }

// The place in a plane as column-major order counts it (storage_order 1): the last two dimensions exchange their turn.
static int64_t column_major(const int64_t in[3], int64_t at)
{
    const int64_t w = at % in[2], h = at / in[2] % in[1], d = at / in[2] / in[1];
    return d + in[0] * (h + in[1] * w);
}

static double load(const ferry_tensor *t, int64_t i)
{
    return t->dtype == FERRY_F32 ? (double)((const float *)t->data)[i] : ferry_load_f64(t, (size_t)i);
}

ferry_status ferry_max_pool_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    ferry_tensor *y = &eval->out[0], *indices = eval->node->n_outputs > 1 ? &eval->out[1] : NULL;
    const bool by_column = ferry_node_int(eval->node, "storage_order", 0) != 0;
    pool_walk walk;
    FERRY_TRY(begin(eval, &walk, err));
    const int64_t planes = x->dims[0] * x->dims[1], in_plane = walk.in[0] * walk.in[1] * walk.in[2];
    int64_t o[3];
    size_t to = 0;
    for (int64_t p = 0; p < planes; p++)
        for (o[0] = 0; o[0] < walk.out[0]; o[0]++)
            for (o[1] = 0; o[1] < walk.out[1]; o[1]++)
                for (o[2] = 0; o[2] < walk.out[2]; o[2]++, to++) {
                    move_to(&walk, o);
                    double most = -INFINITY;
                    int64_t where = -1;
                    FOR_EACH_INSIDE(&walk, at, {
                        const double v = load(x, p * in_plane + at);
                        // The first of equals wins, and a NaN wins for good.
                        if (where < 0 || v > most || (isnan(v) && !isnan(most))) {
                            most = v;
                            where = at;
                        }
                    })
                    if (y->data) ferry_store_f64(y, to, most);
                    if (indices && indices->data && where >= 0)
                        ferry_store_s64(indices, to, p * in_plane + (by_column ? column_major(walk.in, where) : where));
                    else if (indices && indices->data)
                        ferry_store_s64(indices, to, 0); // a window wholly in padding has no place to name
                }
    return FERRY_OK;
}

// Taps of the window that count when padding counts: those inside the input with its pads. A last window that ceil_mode
// adds may reach beyond them. A double, since three counts of 2^31 are more than an int64 holds.
static double count_with_pads(const pool_walk *walk, const int64_t o[3])
{
    const ferry_window *w = &walk->window;
    double count = 1;
    for (int i = 0; i < 3; i++) {
        const int64_t room = walk->in[i] + w->pad_begin[i] + w->pad_end[i] - o[i] * w->stride[i];
        const int64_t taps = room <= 0 ? 0 : (room + w->dilation[i] - 1) / w->dilation[i];
        count *= (double)(taps < w->kernel[i] ? taps : w->kernel[i]);
    }
    return count;
}

ferry_status ferry_average_pool_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    const bool count_pads = ferry_node_int(eval->node, "count_include_pad", 0) != 0;
    pool_walk walk;
    FERRY_TRY(begin(eval, &walk, err));
    const int64_t planes = x->dims[0] * x->dims[1], in_plane = walk.in[0] * walk.in[1] * walk.in[2];
    int64_t o[3];
    size_t to = 0;
    for (int64_t p = 0; p < planes; p++)
        for (o[0] = 0; o[0] < walk.out[0]; o[0]++)
            for (o[1] = 0; o[1] < walk.out[1]; o[1]++)
                for (o[2] = 0; o[2] < walk.out[2]; o[2]++) {
                    move_to(&walk, o);
                    double sum = 0, count = 0;
                    FOR_EACH_INSIDE(&walk, at, {
                        sum += load(x, p * in_plane + at);
                        count++;
                    })
                    if (count_pads) count = count_with_pads(&walk, o);
                    ferry_store_f64(&eval->out[0], to++, count > 0 ? sum / count : 0);
                }
    return FERRY_OK;
}

ferry_status ferry_lp_pool_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    const double order = (double)ferry_node_int(eval->node, "p", 2);
    pool_walk walk;
    FERRY_TRY(begin(eval, &walk, err));
    const int64_t planes = x->dims[0] * x->dims[1], in_plane = walk.in[0] * walk.in[1] * walk.in[2];
    int64_t o[3];
    size_t to = 0;
    for (int64_t p = 0; p < planes; p++)
        for (o[0] = 0; o[0] < walk.out[0]; o[0]++)
            for (o[1] = 0; o[1] < walk.out[1]; o[1]++)
                for (o[2] = 0; o[2] < walk.out[2]; o[2]++) {
                    move_to(&walk, o);
                    double sum = 0;
                    FOR_EACH_INSIDE(&walk, at, { sum += pow(fabs(load(x, p * in_plane + at)), order); })
                    ferry_store_f64(&eval->out[0], to++, pow(sum, 1 / order));
                }
    return FERRY_OK;
}

// SPDX-License-Identifier: Apache-2.0
// The reference kernels of ferry.QAveragePool and ferry.QGlobalAveragePool.
#include "ops/epilogue.h"
#include "ops/integer.h"
#include "ops/rules.h"
#include "ops/window.h"

ferry_status ferry_qaverage_pool_infer(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_epilogue_dtype(infer->node, &infer->out_dtypes[0], err));
    const ferry_shape *x = &infer->in_shapes[0];
    if (x->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    ferry_window window;
    FERRY_TRY(ferry_window_read(infer->node, x->rank - 2, NULL, &window, err));
    // Three factors below 2^31 each: the product is exact enough in double to be compared.
    const double taps = (double)window.kernel[0] * (double)window.kernel[1] * (double)window.kernel[2];
    if (taps > FERRY_INT8_MOST_ADDENDS)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a window of %g elements has a sum that does not fit int32", taps);
    ferry_shape *y = &infer->out_shapes[0];
    *y = *x;
    for (int32_t d = 2; d < x->rank; d++) {
        y->symbols[d] = FERRY_NO_SYMBOL;
        FERRY_TRY(ferry_window_out(&window, 3 - (x->rank - 2) + d - 2, x->dims[d], &y->dims[d], err));
    }
    return FERRY_OK;
}

// How many of the taps at start, start + step ... lie before `end`; at most `most`.
static int64_t taps_before(int64_t start, int64_t step, int64_t end, int64_t most)
{
    const int64_t taps = end > start ? (end - start + step - 1) / step : 0;
    return taps < most ? taps : most;
}

// The taps of a window along one dimension that lie in the input: the first one's position and their number. Returns
// how many count.
static int64_t window_span(const ferry_window *w, int32_t axis, int64_t o, int64_t in, bool include_pad, int64_t *first,
                           int64_t *taps)
{
    const int64_t start = o * w->stride[axis] - w->pad_begin[axis], step = w->dilation[axis], k = w->kernel[axis];
    const int64_t skipped = taps_before(start, step, 0, k);
    *first = start + skipped * step;
    *taps = taps_before(start, step, in, k) - skipped;
    return include_pad ? taps_before(start, step, in + w->pad_end[axis], k) : *taps;
}

ferry_status ferry_qaverage_pool_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    ferry_tensor *y = &eval->out[0];
    ferry_window w;
    FERRY_TRY(ferry_window_read(eval->node, x->rank - 2, NULL, &w, err));
    const float mult = ferry_node_float(eval->node, "mult", 1.0f), shift = ferry_node_float(eval->node, "shift", 0.0f);
    const bool include_pad = ferry_node_int(eval->node, "count_include_pad", 0) != 0;
    int64_t in[3], out[3];
    ferry_window_dims(x, in);
    ferry_window_dims(y, out);
    const int64_t planes = x->dims[0] * x->dims[1];
    size_t to = 0;
    for (int64_t plane = 0; plane < planes; plane++) {
        const int8_t *from = (const int8_t *)x->data + plane * in[0] * in[1] * in[2];
        int64_t o[3];
        for (o[0] = 0; o[0] < out[0]; o[0]++) {
            for (o[1] = 0; o[1] < out[1]; o[1]++) {
                for (o[2] = 0; o[2] < out[2]; o[2]++) {
                    int64_t first[3], taps[3], count = 1;
                    for (int32_t i = 0; i < 3; i++)
                        count *= window_span(&w, i, o[i], in[i], include_pad, &first[i], &taps[i]);
                    int32_t sum = 0;
                    for (int64_t d = 0; d < taps[0]; d++)
                        for (int64_t h = 0; h < taps[1]; h++)
                            for (int64_t v = 0; v < taps[2]; v++)
                                sum += from[((first[0] + d * w.dilation[0]) * in[1] + first[1] + h * w.dilation[1]) *
                                                in[2] +
                                            first[2] + v * w.dilation[2]];
                    ferry_epilogue_store(y, to++, fmaf((float)sum / (float)(int32_t)count, mult, shift));
                }
            }
        }
    }
    return FERRY_OK;
}

ferry_status ferry_qglobal_average_pool_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    const ferry_tensor *x = &eval->in[0];
    const float mult = ferry_node_float(eval->node, "mult", 1.0f), shift = ferry_node_float(eval->node, "shift", 0.0f);
    int64_t in[3];
    ferry_window_dims(x, in);
    const int64_t planes = x->dims[0] * x->dims[1], count = in[0] * in[1] * in[2];
    const int8_t *from = x->data;
    for (int64_t plane = 0; plane < planes; plane++) {
        int32_t sum = 0;
        for (int64_t i = 0; i < count; i++) sum += *from++;
        ferry_epilogue_store(&eval->out[0], (size_t)plane, fmaf((float)sum / (float)(int32_t)count, mult, shift));
    }
    return FERRY_OK;
}

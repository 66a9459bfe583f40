// SPDX-License-Identifier: Apache-2.0
// TopK and NonZero, and the family's table.
#include "ops/select.h"

#include <inttypes.h>
#include <math.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rows.h"
#include "ops/rules.h"

extern const ferry_op ferry_ops_select[];

// --- The best few ----------------------------------------------------------------------------------------------------

static inline bool worse(ferry_candidate a, ferry_candidate b)
{
    return a.key != b.key ? a.key < b.key : a.index > b.index;
}

// Lets the candidate at `at` sink until no child is worse: the worst of all stays on top.
static void sink(ferry_candidate *heap, int64_t count, int64_t at)
{
    const ferry_candidate moving = heap[at];
    for (int64_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && worse(heap[child + 1], heap[child])) child++;
        if (!worse(heap[child], moving)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

void ferry_candidates_offer(ferry_candidate *heap, int64_t *count, int64_t most, ferry_candidate candidate)
{
    if (*count < most) {
        int64_t at = (*count)++;
        while (at > 0 && worse(candidate, heap[(at - 1) / 2])) {
            heap[at] = heap[(at - 1) / 2];
            at = (at - 1) / 2;
        }
        heap[at] = candidate;
    } else if (most > 0 && worse(heap[0], candidate)) {
        heap[0] = candidate;
        sink(heap, *count, 0);
    }
}

void ferry_candidates_sort(ferry_candidate *heap, int64_t count)
{
    for (int64_t last = count - 1; last > 0; last--) {
        const ferry_candidate worst = heap[0];
        heap[0] = heap[last];
        heap[last] = worst;
        sink(heap, last, 0);
    }
}

// --- TopK ------------------------------------------------------------------------------------------------------------

static ferry_status check_k(int64_t k, int64_t dim, int32_t axis, ferry_error *err)
{
    if (k >= 0 && (dim < 0 || k <= dim)) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "k is %" PRId64 ", axis %" PRId32 " has %" PRId64 " elements", k, axis,
                      dim);
}

static ferry_status infer_top_k(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0];
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_NUMBER, err));
    FERRY_TRY(ferry_need_types(infer, 1, FERRY_TYPES_INDEX, err));
    infer->out_dtypes[0] = infer->in_dtypes[0];
    if (infer->node->n_outputs > 1) infer->out_dtypes[1] = FERRY_S64;
    if (in->rank < 0) return FERRY_OK;
    int32_t axis = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(infer->node, "axis", -1), in->rank, &axis, err));
    ferry_shape out = *in;
    if (infer->in_data[1].data) {
        int64_t k = 0;
        FERRY_TRY(ferry_read_int(&infer->in_data[1], "k", &k, err));
        FERRY_TRY(check_k(k, in->dims[axis], axis, err));
        ferry_set_dim(&out, axis, k);
    } else {
        infer->bounded = true; // at most the whole axis
    }
    for (int32_t o = 0; o < infer->node->n_outputs; o++) infer->out_shapes[o] = out;
    return FERRY_OK;
}

static size_t scratch_top_k(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out)
{
    (void)out;
    int32_t axis = 0;
    if (ferry_axis(ferry_node_int(node, "axis", -1), in[0].rank, &axis, NULL) != FERRY_OK) return 0;
    size_t bytes;
    return ferry_mul_size((size_t)in[0].dims[axis], sizeof(ferry_candidate), &bytes) ? bytes : SIZE_MAX;
}

// Element `i` as a number of the same order. NaN counts as the largest, as numpy sorts it.
static uint64_t key_of(const ferry_tensor *x, int64_t i, bool largest)
{
    uint64_t key;
    if (ferry_number_class_of(x->dtype) == FERRY_NUMBER_FLOAT) {
        const double v = ferry_load_f64(x, (size_t)i);
        key = isnan(v) ? UINT64_MAX : ferry_order_key(v);
    } else {
        key = (uint64_t)ferry_load_s64(x, (size_t)i);
        if (ferry_number_class_of(x->dtype) == FERRY_NUMBER_SIGNED) key ^= (uint64_t)1 << 63;
    }
    return largest ? key : ~key;
}

static ferry_status eval_top_k(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    int32_t axis = 0;
    int64_t k = 0;
    FERRY_TRY(ferry_axis(ferry_node_int(eval->node, "axis", -1), x->rank, &axis, err));
    FERRY_TRY(ferry_read_int(&eval->in[1], "k", &k, err));
    FERRY_TRY(check_k(k, x->dims[axis], axis, err));
    for (int32_t o = 0; o < eval->node->n_outputs; o++) {
        if (!eval->out[o].data) continue;
        if (k > eval->out[o].dims[axis]) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "k is %" PRId64 ", there is room for %" PRId64, k,
                              eval->out[o].dims[axis]);
        }
        eval->out[o].dims[axis] = k;
    }
    if (k == 0 || ferry_elements(x) == 0) return FERRY_OK;
    const bool largest = ferry_node_int(eval->node, "largest", 1) != 0;
    const int64_t outer = ferry_dims_elements(axis, x->dims), n = x->dims[axis];
    const int64_t inner = ferry_dims_elements(x->rank - axis - 1, x->dims + axis + 1), one = 1;
    const size_t bytes = ferry_dtype_bytes(x->dtype);
    char *values = eval->out[0].data;
    int64_t *indices = eval->node->n_outputs > 1 ? eval->out[1].data : NULL;
    ferry_candidate *heap = eval->scratch;
    for (int64_t row = 0; row < outer * inner; row++) {
        const int64_t o = row / inner, i = row % inner;
        int64_t count = 0;
        for (int64_t a = 0; a < n; a++) {
            const ferry_candidate candidate = {key_of(x, (o * n + a) * inner + i, largest), a};
            ferry_candidates_offer(heap, &count, k, candidate);
        }
        ferry_candidates_sort(heap, count); // `sorted` = 0 leaves the order open
        for (int64_t r = 0; r < k; r++) {
            const int64_t to = (o * k + r) * inner + i, from = (o * n + heap[r].index) * inner + i;
            if (indices) indices[to] = heap[r].index;
            if (values) {
                ferry_copy_strided(bytes, 1, &one, values + (size_t)to * bytes, &one,
                                   (const char *)x->data + (size_t)from * bytes, &one);
            }
        }
    }
    return FERRY_OK;
}

// --- NonZero ---------------------------------------------------------------------------------------------------------

static int64_t count_non_zero(const ferry_tensor *x)
{
    const int64_t n = ferry_elements(x);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += ferry_load_f64(x, (size_t)i) != 0;
    return count;
}

static ferry_status infer_non_zero(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *in = &infer->in_shapes[0];
    infer->out_dtypes[0] = FERRY_S64;
    infer->out_shapes[0] = ferry_shape_of_rank(2);
    if (in->rank < 0) return FERRY_OK;
    int64_t most = 1;
    for (int32_t d = 0; d < in->rank; d++) FERRY_TRY(ferry_dim_mul(most, in->dims[d], &most, err));
    if (infer->in_data[0].data) {
        most = count_non_zero(&infer->in_data[0]);
    } else {
        infer->bounded = true;
    }
    ferry_set_dim(&infer->out_shapes[0], 0, in->rank);
    ferry_set_dim(&infer->out_shapes[0], 1, most);
    return FERRY_OK;
}

static ferry_status eval_non_zero(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    ferry_tensor *y = &eval->out[0];
    const int64_t n = ferry_elements(x), count = count_non_zero(x);
    if (count > y->dims[1]) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%" PRId64 " elements are not zero, there is room for %" PRId64,
                          count, y->dims[1]);
    }
    y->dims[1] = count;
    int64_t *to = y->data, index[FERRY_MAX_RANK] = {0}, found = 0;
    for (int64_t i = 0; i < n; i++) {
        if (ferry_load_f64(x, (size_t)i) != 0) {
            for (int32_t d = 0; d < x->rank; d++) to[d * count + found] = index[d];
            found++;
        }
        for (int32_t d = x->rank - 1; d >= 0 && ++index[d] == x->dims[d]; d--) index[d] = 0;
    }
    return FERRY_OK;
}

// --- The table -------------------------------------------------------------------------------------------------------

static const ferry_attr_schema top_k_attrs[] = {
    {"axis", FERRY_ATTR_INT, false}, {"largest", FERRY_ATTR_INT, false}, {"sorted", FERRY_ATTR_INT, false}, {0}};
static const ferry_attr_schema nms_attrs[] = {{"center_point_box", FERRY_ATTR_INT, false}, {0}};

const ferry_op ferry_ops_select[] = {
    {.name = "TopK",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 2,
     .min_outputs = 1,
     .max_outputs = 2,
     .since = 1,
     .flags = FERRY_OP_DATA_SHAPE,
     .attrs = top_k_attrs,
     .infer = infer_top_k,
     .eval = eval_top_k,
     .scratch_bytes = scratch_top_k},
    {.name = "NonMaxSuppression",
     .domain = "",
     .min_inputs = 2,
     .max_inputs = 5,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 10,
     .flags = FERRY_OP_DATA_SHAPE,
     .attrs = nms_attrs,
     .infer = ferry_nms_infer,
     .eval = ferry_nms_eval,
     .scratch_bytes = ferry_nms_scratch_bytes},
    {.name = "NonZero",
     .domain = "",
     .min_inputs = 1,
     .max_inputs = 1,
     .min_outputs = 1,
     .max_outputs = 1,
     .since = 9,
     .flags = FERRY_OP_DATA_SHAPE,
     .infer = infer_non_zero,
     .eval = eval_non_zero},
    {.name = NULL},
};

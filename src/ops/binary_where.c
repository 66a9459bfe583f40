// SPDX-License-Identifier: Apache-2.0
// Where: chooses between two tensors of any type.
#include "base/status.h"
#include "ops/binary.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rules.h"

ferry_status ferry_where_infer(ferry_infer *infer, ferry_error *err)
{
    FERRY_TRY(ferry_need_types(infer, 0, FERRY_TYPES_BOOL, err));
    const ferry_dtype x = infer->in_dtypes[1], y = infer->in_dtypes[2];
    if (x != y && x != FERRY_DTYPE_NONE && y != FERRY_DTYPE_NONE) {
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "inputs 1 and 2 are of types %s and %s: they must be the same",
                          ferry_dtype_name(x), ferry_dtype_name(y));
    }
    FERRY_TRY(ferry_broadcast_shapes(infer->in_shapes, 3, &infer->out_shapes[0], err));
    infer->out_dtypes[0] = x != FERRY_DTYPE_NONE ? x : y;
    return ferry_check_size(infer, &infer->out_shapes[0], infer->out_dtypes[0], err);
}

#define CHOOSE(type)                                                                                                   \
    do {                                                                                                               \
        const type *x = (const type *)eval->in[1].data + loops.offsets[1];                                             \
        const type *z = (const type *)eval->in[2].data + loops.offsets[2];                                             \
        type *to = (type *)y->data + done;                                                                             \
        for (int64_t i = 0; i < loops.row; i++) {                                                                      \
            to[i] = condition[i * loops.row_strides[0]] ? x[i * loops.row_strides[1]] : z[i * loops.row_strides[2]];   \
        }                                                                                                              \
    } while (0)

ferry_status ferry_where_eval(const ferry_eval *eval, ferry_error *err)
{
    (void)err;
    ferry_tensor *y = &eval->out[0];
    int64_t strides[3][FERRY_MAX_RANK];
    for (int32_t k = 0; k < 3; k++) ferry_broadcast_strides(&eval->in[k], y->rank, y->dims, strides[k]);
    const int64_t *const pointers[] = {strides[0], strides[1], strides[2]};
    ferry_loops loops;
    int64_t done = 0; // the output is dense and walked in order
    for (bool more = ferry_loops_begin(&loops, y->rank, y->dims, 3, pointers); more; more = ferry_loops_next(&loops)) {
        const uint8_t *condition = (const uint8_t *)eval->in[0].data + loops.offsets[0];
        switch (ferry_dtype_bytes(y->dtype)) {
        case 1:
            CHOOSE(uint8_t);
            break;
        case 2:
            CHOOSE(uint16_t);
            break;
        case 4:
            CHOOSE(uint32_t);
            break;
        default:
            CHOOSE(uint64_t);
            break;
        }
        done += loops.row;
    }
    return FERRY_OK;
}

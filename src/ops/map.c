// SPDX-License-Identifier: Apache-2.0
// Applies a formula to a tensor of any type, run by run.
#include "ops/map.h"

#include "base/status.h"
#include "ops/loops.h"
#include "ops/rows.h"

static inline int64_t run_length(int64_t left)
{
    return left < FERRY_ROW ? left : FERRY_ROW;
}

ferry_status ferry_map_eval(const ferry_eval *eval, const ferry_map *map, ferry_error *err)
{
    const ferry_tensor *x = &eval->in[0];
    ferry_tensor *y = &eval->out[0];
    const int64_t n = ferry_elements(x);
    double p[FERRY_MAP_PARAMETERS] = {0};
    for (int k = 0; k < FERRY_MAP_PARAMETERS && map->parameters[k]; k++) {
        p[k] = (double)ferry_node_float(eval->node, map->parameters[k], map->defaults[k]);
    }
    if (x->dtype == FERRY_F32) {
        map->f32(x->data, y->data, n, p);
        return FERRY_OK;
    }
    union {
        double f64[FERRY_ROW];
        int64_t s64[FERRY_ROW];
        uint64_t u64[FERRY_ROW];
    } from, to;
    const ferry_number_class number = ferry_number_class_of(x->dtype);
    if ((number == FERRY_NUMBER_SIGNED && !map->s64) || (number == FERRY_NUMBER_UNSIGNED && !map->u64)) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "%s of %s: it is defined for floating-point types; put a Cast before it",
                          eval->node->op->name, ferry_dtype_name(x->dtype));
    }
    for (int64_t i = 0; i < n; i += FERRY_ROW) {
        const int64_t run = run_length(n - i);
        switch (number) {
        case FERRY_NUMBER_FLOAT:
            ferry_row_load_f64(x->dtype, x->data, i, 1, run, from.f64);
            map->f64(from.f64, to.f64, run, p);
            ferry_row_store_f64(y->dtype, y->data, i, 1, run, to.f64);
            break;
        case FERRY_NUMBER_SIGNED:
            ferry_row_load_s64(x->dtype, x->data, i, 1, run, from.s64);
            map->s64(from.s64, to.s64, run);
            ferry_row_store_s64(y->dtype, y->data, i, 1, run, to.s64);
            break;
        case FERRY_NUMBER_UNSIGNED:
            ferry_row_load_u64(x->dtype, x->data, i, 1, run, from.u64);
            map->u64(from.u64, to.u64, run);
            ferry_row_store_u64(y->dtype, y->data, i, 1, run, to.u64);
            break;
        }
    }
    return FERRY_OK;
}

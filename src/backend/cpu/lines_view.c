// SPDX-License-Identifier: Apache-2.0
// Finding the lines of a tensor in memory.
#include "backend/cpu/lines_view.h"

static bool add_kept(const ferry_tensor_desc *x, const ferry_tensor_desc *y, int32_t d, int32_t y_d, int64_t *dims,
                     int64_t strides[2][FERRY_MAX_RANK], int32_t at)
{
    if (y_d >= y->rank || y->dims[y_d] != x->dims[d]) return false;
    dims[at] = x->dims[d];
    strides[0][at] = x->strides[d];
    strides[1][at] = y->strides[y_d];
    return true;
}

bool ferry_lines_view_make(const ferry_tensor_desc *x, const ferry_tensor_desc *y, const bool *gone, bool same_shape,
                           bool keep, ferry_lines_view *out)
{
    int64_t kept[FERRY_MAX_RANK], kept_strides[2][FERRY_MAX_RANK], lost[FERRY_MAX_RANK], lost_strides[FERRY_MAX_RANK];
    int32_t n_kept = 0, n_lost = 0, y_d = 0;
    for (int32_t d = 0; d < x->rank; d++) {
        if (x->dims[d] < 1) return false;
        if (gone[d]) {
            lost[n_lost] = x->dims[d];
            lost_strides[n_lost++] = x->strides[d];
            if (!same_shape && !keep) continue;
            if (y_d >= y->rank || y->dims[y_d] != (same_shape ? x->dims[d] : 1)) return false;
            // One step serves the lines of both.
            if (same_shape && x->dims[d] > 1 && y->strides[y_d] != x->strides[d]) return false;
        } else if (!add_kept(x, y, d, y_d, kept, kept_strides, n_kept++)) {
            return false;
        }
        y_d++;
    }
    if (y_d != y->rank) return false;
    ferry_nd line;
    ferry_nd_make(n_lost, lost, 1, (const int64_t *const[]){lost_strides}, &line);
    if (line.rank != 1) return false;
    out->n = (size_t)line.dims[0];
    out->step = out->n == 1 ? 1 : (size_t)line.strides[0][0];
    ferry_nd_make(n_kept, kept, 2, (const int64_t *const[]){kept_strides[0], kept_strides[1]}, &out->walk);
    const int32_t last = out->walk.rank - 1;
    return out->step == 1 || (out->walk.strides[0][last] == 1 && out->walk.strides[1][last] == 1);
}

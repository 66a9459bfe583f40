// SPDX-License-Identifier: Apache-2.0
// A ring of STAGES tiles of both sides: warpgroups multiply one where it lies, while they are done with the one before
// and others are filled.
#pragma once
#include "product_warpgroup.cuh"

// Adds up steps [begin, end) of the tile that begins at row `m` and column `n`.
FERRY_INLINE void multiply(const X_TYPE *x, const X_TYPE *w, const left_shape &shape, int m, int n, int steps,
                           int begin, int end, unsigned char *shared, sums &out)
{
    left_rows left;
    right_rows right;
    right.begin(w, n, begin * tile_k, steps * tile_k);
    // The weights are there already when the kernel before, which makes x, is still running.
#pragma unroll
    for (int s = 0; s < ahead; s++)
        if (begin + s < end) right.copy(shared + s * stage_bytes + left_bytes);
    grid_dependency_wait();
    left.begin(x, shape, m, begin * tile_k);
#pragma unroll
    for (int s = 0; s < ahead; s++) {
        if (begin + s < end) left.copy(shared + s * stage_bytes, shape);
        cp_async_commit();
    }
    out.begin();
    int used = 0, filled = ahead * stage_bytes;
    for (int step = begin; step < end; step++) {
        // Of the stages in use all but the last are done with behind this barrier.
        cp_async_wait<ahead - 1>();
        shared_stores_fence();
        __syncthreads();
        out.add(shared + used, shared + used + left_bytes);
        if (step + ahead < end) {
            left.copy(shared + filled, shape);
            right.copy(shared + filled + left_bytes);
        }
        cp_async_commit();
        wgmma_wait<1>();
        used = next_stage(used);
        filled = next_stage(filled);
    }
    out.end();
    __syncthreads();
}

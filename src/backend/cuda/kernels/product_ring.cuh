// SPDX-License-Identifier: Apache-2.0
// A ring of STAGES tiles of both sides: one is multiplied from registers while the others are filled.
#pragma once
#include "product_rows.cuh"

constexpr int left_bytes = TILE_M * 128, stage_bytes = left_bytes + TILE_N * 128;

// Adds up steps [begin, end) of the tile that begins at row `m` and column `n`.
FERRY_INLINE void multiply(const X_TYPE *x, const X_TYPE *w, const left_shape &shape, int m, int n, int steps,
                           int begin, int end, unsigned char *shared, sums &out)
{
    left_rows left;
    right_rows right;
    right.begin(w, n, begin * tile_k, steps * tile_k);
    // The weights are there already when the kernel before, which makes x, is still running.
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++)
        if (begin + s < end) right.copy(shared + s * stage_bytes + left_bytes);
    grid_dependency_wait();
    left.begin(x, shape, m, begin * tile_k);
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++) {
        if (begin + s < end) left.copy(shared + s * stage_bytes, shape);
        cp_async_commit();
    }
    out.begin();
    int used = 0, filled = (STAGES - 1) * stage_bytes;
    cp_async_wait<STAGES - 2>();
    __syncthreads();
    out.load(shared, shared + left_bytes, 0);
    for (int step = begin; step < end; step++) {
        const int next = used + stage_bytes == STAGES * stage_bytes ? 0 : used + stage_bytes;
#pragma unroll
        for (int part = 0; part < sums::parts; part++) {
            if (part + 1 < sums::parts) {
                out.load(shared + used, shared + used + left_bytes, part + 1);
            } else if (sums::parts > 1) {
                // All have read this tile, and the next one is there: its first part is on its way before this one's
                // last is multiplied.
                cp_async_wait<STAGES - 2>();
                __syncthreads();
                out.load(shared + next, shared + next + left_bytes, 0);
            }
            if (part == 0) {
                if (step + STAGES - 1 < end) {
                    left.copy(shared + filled, shape);
                    right.copy(shared + filled + left_bytes);
                }
                cp_async_commit();
            }
            out.add(part);
        }
        if (sums::parts == 1) {
            cp_async_wait<STAGES - 2>();
            __syncthreads();
            out.load(shared + next, shared + next + left_bytes, 0);
        }
        filled = used;
        used = next;
    }
    cp_async_wait<0>();
    __syncthreads();
}

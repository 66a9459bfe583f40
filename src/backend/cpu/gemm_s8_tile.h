// SPDX-License-Identifier: Apache-2.0
// The tile of gemm_s8.h, written once. A file per instruction set includes it after its simd header, with
//   MR, NV, KERNEL   rows, vectors of a panel (1 or 2), the function's name
//   WIDTH            columns of a vector
//   tile_sums(const ferry_gemm_s8_tile *, mr, nv, int32_t *totals)
//                    the sums of mr rows in nv vectors, one row behind the other; as in gemm_s8_sums.h, or its own
#include "backend/cpu/gemm_s8_finish.h"

static ALWAYS_INLINE void tile_of(const ferry_gemm_s8_tile *t, const size_t mr, const size_t nv)
{
    int32_t totals[MR * NV * WIDTH];
    tile_sums(t, mr, nv, totals);
    finish_tile(t, totals, nv * WIDTH);
}

static __attribute__((noinline)) void tile_rows_1(const ferry_gemm_s8_tile *t)
{
    switch (t->rows) {
#define ROWS(mr)                                                                                                       \
    case mr:                                                                                                           \
        tile_of(t, mr, 1);                                                                                             \
        return;
#include "backend/cpu/tile_rows.inc"
    }
}

#if NV > 1
static __attribute__((noinline)) void tile_rows_2(const ferry_gemm_s8_tile *t)
{
    switch (t->rows) {
#define ROWS(mr)                                                                                                       \
    case mr:                                                                                                           \
        tile_of(t, mr, 2);                                                                                             \
        return;
#include "backend/cpu/tile_rows.inc"
    }
}
#endif

void KERNEL(const ferry_gemm_s8_tile *tile);
void KERNEL(const ferry_gemm_s8_tile *tile)
{
#if NV > 1
    if (tile->cols > WIDTH) {
        tile_rows_2(tile);
        return;
    }
#endif
    tile_rows_1(tile);
}

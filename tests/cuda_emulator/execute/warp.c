// SPDX-License-Identifier: Apache-2.0
#include "execute/warp.h"

#include "execute/grid.h"

static void shuffle(const emulated_lanes *lanes)
{
    for (int lane = 0; lane < EMULATED_WARP; lane++) {
        if (!(lanes->mask >> lane & 1)) continue;
        const emulated_shuffle *const mine = lanes->operands[lane];
        if (!(lanes->mask >> mine->from & 1))
            emulated_fault("__shfl_sync: lane %d reads lane %u, which takes no part (mask %08x)", lane, mine->from,
                           lanes->mask);
        *(unsigned *)lanes->results[lane] = ((const emulated_shuffle *)lanes->operands[mine->from])->value;
    }
}

static void ballot(const emulated_lanes *lanes)
{
    unsigned votes = 0;
    for (int lane = 0; lane < EMULATED_WARP; lane++)
        if (lanes->mask >> lane & 1) votes |= (*(const unsigned *)lanes->operands[lane] != 0 ? 1u : 0u) << lane;
    for (int lane = 0; lane < EMULATED_WARP; lane++)
        if (lanes->mask >> lane & 1) *(unsigned *)lanes->results[lane] = votes;
}

void emulated_collective_run(emulated_collective what, const emulated_lanes *lanes)
{
    switch (what) {
    case EMULATED_SYNC:
        break;
    case EMULATED_SHUFFLE:
        shuffle(lanes);
        break;
    case EMULATED_BALLOT:
        ballot(lanes);
        break;
    case EMULATED_LDMATRIX:
        emulated_ldmatrix_run(lanes, 0);
        break;
    case EMULATED_LDMATRIX_TRANS:
        emulated_ldmatrix_run(lanes, 1);
        break;
    case EMULATED_MMA_F16:
        emulated_mma_f16_run(lanes);
        break;
    case EMULATED_MMA_BF16:
        emulated_mma_bf16_run(lanes);
        break;
    case EMULATED_MMA_TF32:
        emulated_mma_tf32_run(lanes);
        break;
    case EMULATED_MMA_S8:
        emulated_mma_s8_run(lanes);
        break;
    case EMULATED_MMA_F16_K8:
        emulated_mma_f16_k8_run(lanes);
        break;
    case EMULATED_COLLECTIVES:
        break;
    }
}

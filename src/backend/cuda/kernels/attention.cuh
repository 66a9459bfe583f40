// SPDX-License-Identifier: Apache-2.0
// Attention by matrix instructions, in one pass over the keys: y = softmax(scale * q k) v for tiles of 16 rows a warp.
// Scores never leave registers: each tile of keys rescales what the tiles before it summed up.
// Set before: TYPE (f16 or bf16), MMA and PACK for it; DEPTH of q and k, WIDTH of v (multiples of 8); ROW_WARPS rows of
// warps, each with KEY_WARPS that share its keys out among them; STAGES (1 or 2) of keys and values in shared memory.
#pragma once
#include "types.cuh"

#define DEPTH16 ((DEPTH + 15) / 16 * 16)
#define WIDTH16 ((WIDTH + 15) / 16 * 16)
#define K_PITCH (DEPTH16 + 8) // rows of eight begin in different banks
#define V_PITCH (WIDTH16 + 8)
#define KEYS 64 // of a warp's tile
#define TILE (KEYS * KEY_WARPS)
#define THREADS (32 * ROW_WARPS * KEY_WARPS)

typedef unsigned short half_bits;

template <int LENGTH, int PADDED, int PITCH>
FERRY_INLINE void load_tile(half_bits *to, const half_bits *from, long long step, int first, int keys)
{
    constexpr int words = PADDED / 8;
    for (int i = (int)threadIdx.x; i < TILE * words; i += THREADS) {
        const int key = i / words, at = i % words * 8;
        const bool valid = first + key < keys && at < LENGTH;
        cp_async_16(to + key * PITCH + at, valid ? from + (first + key) * step + at : from, valid);
    }
}

// What a warp knows of its rows: lane / 4 and that + 8.
struct state {
    unsigned q[DEPTH16 / 16][4];
    float sums[WIDTH16 / 8][4];
    float most[2], total[2];
};

FERRY_INLINE void load_queries(state &s, const half_bits *q, long long step, int row0, int rows)
{
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < DEPTH16 / 16; k++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int row = row0 + lane / 4 + (i & 1) * 8, at = k * 16 + lane % 4 * 2 + (i >> 1) * 8;
            s.q[k][i] = row < rows && at < DEPTH ? *reinterpret_cast<const unsigned *>(q + row * step + at) : 0u;
        }
    }
}

// Scores of 16 rows and as many keys as there are, at most KEYS; the others get weight 0. In units of log2.
FERRY_INLINE void score(const state &s, float (&scores)[KEYS / 8][4], const half_bits *keys, int left, float scale)
{
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int j = 0; j < KEYS / 8; j += 2) {
#pragma unroll
        for (int i = 0; i < 4; i++) scores[j][i] = scores[j + 1][i] = 0.0f;
        if (j * 8 >= left) continue;
        const half_bits *at = keys + ((j + lane / 16) * 8 + lane % 8) * K_PITCH + lane / 8 % 2 * 8;
#pragma unroll
        for (int k = 0; k < DEPTH16 / 16; k++) {
            unsigned b[4];
            ldmatrix_x4(b, at + k * 16);
            const unsigned b0[2] = {b[0], b[1]}, b1[2] = {b[2], b[3]};
            MMA(scores[j], s.q[k], b0);
            MMA(scores[j + 1], s.q[k], b1);
        }
    }
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            scores[j][i] = j * 8 + lane % 4 * 2 + (i & 1) < left ? scores[j][i] * scale : -1e30f;
}

// Scores become weights; what was summed before is scaled to the new maximum.
FERRY_INLINE void weigh(state &s, float (&scores)[KEYS / 8][4])
{
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float most = s.most[h], total = 0.0f;
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) most = fmaxf(most, fmaxf(scores[j][2 * h], scores[j][2 * h + 1]));
        most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 1));
        most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 2));
        const float shrink = exp2_fast(s.most[h] - most);
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
            for (int i = 2 * h; i < 2 * h + 2; i++) {
                scores[j][i] = exp2_fast(scores[j][i] - most);
                total += scores[j][i];
            }
        }
        s.total[h] = s.total[h] * shrink + total;
        s.most[h] = most;
#pragma unroll
        for (int n = 0; n < WIDTH16 / 8; n++) {
            s.sums[n][2 * h] *= shrink;
            s.sums[n][2 * h + 1] *= shrink;
        }
    }
}

FERRY_INLINE void mix(state &s, const float (&weights)[KEYS / 8][4], const half_bits *values, int left)
{
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < KEYS / 16; k++) {
        if (k * 16 >= left) continue;
        const float(&w0)[4] = weights[2 * k], (&w1)[4] = weights[2 * k + 1];
        const unsigned a[4] = {PACK(w0[0], w0[1]), PACK(w0[2], w0[3]), PACK(w1[0], w1[1]), PACK(w1[2], w1[3])};
        const half_bits *at = values + (k * 16 + lane / 8 % 2 * 8 + lane % 8) * V_PITCH + lane / 16 * 8;
#pragma unroll
        for (int n = 0; n < WIDTH16 / 8; n += 2) {
            unsigned b[4];
            ldmatrix_x4_trans(b, at + n * 8);
            const unsigned b0[2] = {b[0], b[1]}, b1[2] = {b[2], b[3]};
            MMA(s.sums[n], a, b0);
            MMA(s.sums[n + 1], a, b1);
        }
    }
}

#if KEY_WARPS > 1
// Adds up what the warps of one row of warps found for their keys; the first of them has the result.
FERRY_INLINE void join(state &s, float *shared, int part)
{
    constexpr int each = WIDTH16 / 2 + 4; // floats of a lane
    const int lane = threadIdx.x % 32, group = threadIdx.x / 32 / KEY_WARPS;
    float *mine = shared + (size_t)(group * KEY_WARPS + part) * each * 32 + lane;
    if (part > 0) {
#pragma unroll
        for (int n = 0; n < WIDTH16 / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) mine[(n * 4 + i) * 32] = s.sums[n][i];
#pragma unroll
        for (int h = 0; h < 2; h++) {
            mine[(WIDTH16 / 2 + h) * 32] = s.most[h];
            mine[(WIDTH16 / 2 + 2 + h) * 32] = s.total[h];
        }
    }
    __syncthreads();
    if (part > 0) return;
    for (int p = 1; p < KEY_WARPS; p++) {
        const float *other = mine + (size_t)p * each * 32;
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const float its = other[(WIDTH16 / 2 + h) * 32], most = fmaxf(s.most[h], its);
            const float keep = exp2_fast(s.most[h] - most), take = exp2_fast(its - most);
            s.most[h] = most;
            s.total[h] = s.total[h] * keep + other[(WIDTH16 / 2 + 2 + h) * 32] * take;
#pragma unroll
            for (int n = 0; n < WIDTH16 / 8; n++)
#pragma unroll
                for (int i = 2 * h; i < 2 * h + 2; i++)
                    s.sums[n][i] = s.sums[n][i] * keep + other[(n * 4 + i) * 32] * take;
        }
    }
}
#endif

FERRY_INLINE void finish(state &s, half_bits *y, long long step, int row0, int rows)
{
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float total = s.total[h];
        total += __shfl_xor_sync(0xffffffffu, total, 1);
        total += __shfl_xor_sync(0xffffffffu, total, 2);
        const float factor = 1.0f / total;
        const int row = row0 + lane / 4 + h * 8;
        if (row >= rows) continue;
#pragma unroll
        for (int n = 0; n < WIDTH16 / 8; n++)
            if (n * 8 < WIDTH)
                *reinterpret_cast<unsigned *>(y + row * step + n * 8 + lane % 4 * 2) =
                    PACK(s.sums[n][2 * h] * factor, s.sums[n][2 * h + 1] * factor);
    }
}

#define STEPS(x) long long x##0, long long x##1, long long x##2, long long x##_first, long long x##_step
#define PLACE(x) x += x##_first + i0 * x##0 + i1 * x##1 + i2 * x##2

extern "C" __global__ void __launch_bounds__(THREADS, DEPTH16 + WIDTH16 <= 128 ? 4 : 1)
    ferry_attention(const half_bits *q, const half_bits *k, const half_bits *v, half_bits *y, int rows, int keys,
                    float scale, int d1, int d2, STEPS(q), STEPS(k), STEPS(v), STEPS(y))
{
    FERRY_DYNAMIC_SHARED(half_bits, shared);
    half_bits *const k_tiles = shared, *const v_tiles = shared + STAGES * TILE * K_PITCH;
    const int warp = threadIdx.x / 32, part = warp % KEY_WARPS;
    const int row0 = (int)(blockIdx.x * ROW_WARPS + warp / KEY_WARPS) * 16;
    const int i2 = (int)blockIdx.y % d2, i1 = (int)blockIdx.y / d2 % d1, i0 = (int)blockIdx.y / d2 / d1;
    PLACE(q);
    PLACE(k);
    PLACE(v);
    PLACE(y);
    const int tiles = (keys + TILE - 1) / TILE;
#define LOAD(tile)                                                                                                     \
    {                                                                                                                  \
        load_tile<DEPTH, DEPTH16, K_PITCH>(k_tiles + (tile) % STAGES * TILE * K_PITCH, k, k_step, (tile)*TILE, keys);  \
        load_tile<WIDTH, WIDTH16, V_PITCH>(v_tiles + (tile) % STAGES * TILE * V_PITCH, v, v_step, (tile)*TILE, keys);  \
    }
    LOAD(0)
    cp_async_commit();
    state s;
    load_queries(s, q, q_step, row0, rows);
#pragma unroll
    for (int n = 0; n < WIDTH16 / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) s.sums[n][i] = 0.0f;
    s.most[0] = s.most[1] = -1e30f;
    s.total[0] = s.total[1] = 0.0f;
    for (int tile = 0; tile < tiles; tile++) {
        if (STAGES == 2 && tile + 1 < tiles) LOAD(tile + 1)
        cp_async_commit();
        cp_async_wait<STAGES - 1>();
        __syncthreads();
        const int left = keys - tile * TILE - part * KEYS;
        if (left > 0) {
            float scores[KEYS / 8][4];
            score(s, scores, k_tiles + (tile % STAGES * TILE + part * KEYS) * K_PITCH, left, scale);
            weigh(s, scores);
            mix(s, scores, v_tiles + (tile % STAGES * TILE + part * KEYS) * V_PITCH, left);
        }
        __syncthreads();
        if (STAGES == 1 && tile + 1 < tiles) LOAD(tile + 1)
    }
#if KEY_WARPS > 1
    join(s, reinterpret_cast<float *>(shared), part);
    if (part > 0) return;
#endif
    finish(s, y, y_step, row0, rows);
}

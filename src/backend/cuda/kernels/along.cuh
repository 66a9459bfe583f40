// SPDX-License-Identifier: Apache-2.0
// ArgMax, ArgMin, CumSum and TopK: along the lines of x, [outer][length][inner].
// Set before: KIND, X_TYPE, KEY (an unsigned type as wide as X_TYPE, at least 32 bits), LAST (whether the last of equal
// ones is meant) or SMALLEST, EXCLUSIVE and REVERSE; for TopK also MOST, a power of two that k does not exceed.
#pragma once
#include "types.cuh"

#define ARG_MAX 0
#define ARG_MIN 1
#define CUM_SUM 2
#define TOP_K 3

FERRY_INLINE unsigned key_of_float(float v)
{
    const unsigned bits = (unsigned)__float_as_int(v + 0.0f); // no negative zero
    return v != v ? 0xffffffffu : bits >> 31 ? ~bits : bits | 0x80000000u;
}
// Numbers of the same order. NaN is the largest, of ArgMin's order too.
FERRY_INLINE unsigned key_of(float v)
{
    return key_of_float(KIND == ARG_MIN ? -v : v);
}
FERRY_INLINE unsigned key_of(f16 v)
{
    return key_of(to_float(v));
}
FERRY_INLINE unsigned key_of(bf16 v)
{
    return key_of(to_float(v));
}
FERRY_INLINE unsigned key_of(int v)
{
    const unsigned key = (unsigned)v ^ 0x80000000u;
    return KIND == ARG_MIN ? ~key : key;
}
FERRY_INLINE unsigned key_of(s8 v)
{
    return key_of((int)v);
}
FERRY_INLINE unsigned key_of(unsigned char v)
{
    return key_of((int)v);
}
FERRY_INLINE unsigned long long key_of(long long v)
{
    const unsigned long long key = (unsigned long long)v ^ 0x8000000000000000ull;
    return KIND == ARG_MIN ? ~key : key;
}

#if KIND != TOP_K
// `parts` of a block's threads share a line, neighbouring ones where the line's elements are neighbours.
struct share {
    unsigned line, part;
    bool valid;
    size_t first; // element of x
};
FERRY_INLINE share find_share(unsigned lines, unsigned length, unsigned inner, unsigned parts)
{
    const unsigned each = 256u / parts, t = threadIdx.x;
    share s;
    s.part = inner == 1 ? t % parts : t / each;
    s.line = blockIdx.x * each + (inner == 1 ? t / parts : t % each);
    s.valid = s.line < lines;
    const unsigned outer = s.line / inner;
    s.first = (size_t)outer * length * inner + (s.line - outer * inner);
    return s;
}
#endif

#if KIND == ARG_MAX || KIND == ARG_MIN
FERRY_INLINE bool is_better(KEY key, int at, KEY than, int other)
{
    return key > than || (key == than && (LAST ? at > other : at < other));
}

extern "C" __global__ void __launch_bounds__(256)
    ferry_arg(const X_TYPE *x, long long *y, unsigned lines, int length, unsigned inner, unsigned parts)
{
    __shared__ KEY keys[256];
    __shared__ int places[256];
    const share s = find_share(lines, (unsigned)length, inner, parts);
    grid_dependency_launch();
    grid_dependency_wait();
    KEY best = 0;
    int place = LAST ? -1 : 0x7fffffff; // none yet: worse than any with the same key
    if (s.valid)
        for (int k = (int)s.part; k < length; k += (int)parts) {
            const KEY key = key_of(x[s.first + (size_t)k * inner]);
            if (!is_better(key, k, best, place)) continue;
            best = key;
            place = k;
        }
    const unsigned step = inner == 1 ? 1u : 256u / parts; // from part to part
    keys[threadIdx.x] = best;
    places[threadIdx.x] = place;
    for (unsigned half = parts / 2; half > 0; half /= 2) {
        __syncthreads();
        const unsigned other = threadIdx.x + half * step;
        if (s.part < half && is_better(keys[other], places[other], best, place)) {
            keys[threadIdx.x] = best = keys[other];
            places[threadIdx.x] = place = places[other];
        }
    }
    if (s.valid && s.part == 0) y[s.line] = place;
}
#endif

#if KIND == CUM_SUM
#if SUM_FLOATS
typedef double sum_type;
FERRY_INLINE double to_sum(X_TYPE v)
{
    return (double)to_float(v);
}
FERRY_INLINE X_TYPE of_sum(double v)
{
    return element<X_TYPE>::of((float)v);
}
#else
typedef unsigned long long sum_type;
FERRY_INLINE sum_type to_sum(X_TYPE v)
{
    return (sum_type)v;
}
FERRY_INLINE X_TYPE of_sum(sum_type v)
{
    return (X_TYPE)v;
}
#endif

// Each part sums its run of the line, learns what the runs before it come to, and goes over it again.
extern "C" __global__ void __launch_bounds__(256)
    ferry_cum_sum(const X_TYPE *x, X_TYPE *y, unsigned lines, int length, unsigned inner, unsigned parts)
{
    __shared__ sum_type sums[256];
    const share s = find_share(lines, (unsigned)length, inner, parts);
    const int run = (length + (int)parts - 1) / (int)parts, begin = (int)s.part * run;
    const int end = begin + run < length ? begin + run : length;
    grid_dependency_launch();
    grid_dependency_wait();
#define PLACE(k) (s.first + (size_t)(REVERSE ? length - 1 - (k) : (k)) * inner)
    sum_type sum = 0;
    if (s.valid && s.part + 1 < parts)
        for (int k = begin; k < end; k++) sum += to_sum(x[PLACE(k)]);
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (!s.valid) return;
    const unsigned step = inner == 1 ? 1u : 256u / parts;
    sum = 0;
    for (unsigned p = 0; p < s.part; p++) sum += sums[threadIdx.x - (s.part - p) * step];
    for (int k = begin; k < end; k++) {
        const sum_type before = sum;
        sum += to_sum(x[PLACE(k)]);
        y[PLACE(k)] = of_sum(EXCLUSIVE ? before : sum);
    }
}
#endif

#if KIND == TOP_K
#define THREADS 512
// Key and place in one number that no other element of the line has: the larger the better, and among equal keys the
// earlier.
FERRY_INLINE unsigned long long rank_of(X_TYPE v, int place)
{
    const unsigned key = SMALLEST ? ~key_of(v) : key_of(v);
    return (unsigned long long)key << 32 | (0xffffffffu - (unsigned)place);
}

// The k-th largest rank of a line, a byte at a time from the top: how many ranks with the bytes so far have which byte
// next, until all of those that are left belong.
FERRY_INLINE unsigned long long find_least(const X_TYPE *x, int length, unsigned inner, int k, unsigned *counts)
{
    __shared__ unsigned long long found;
    __shared__ int left, whole;
    if (threadIdx.x == 0) {
        found = 0;
        left = k;
        whole = 0;
    }
    for (int shift = 56; shift >= 0; shift -= 8) {
        for (unsigned i = threadIdx.x; i < 256u; i += THREADS) counts[i] = 0;
        __syncthreads();
        const unsigned long long prefix = found;
        for (int i = (int)threadIdx.x; i < length; i += THREADS) {
            const unsigned long long rank = rank_of(x[(size_t)i * inner], i);
            if (shift == 56 || rank >> (shift + 8) == prefix >> (shift + 8))
                atomicAdd(&counts[(unsigned)(rank >> shift) & 255u], 1u);
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            int byte = 255, wanted = left;
            while ((int)counts[byte] < wanted) wanted -= (int)counts[byte--];
            left = wanted;
            found = prefix | (unsigned long long)byte << shift;
            whole = (int)counts[byte] == wanted;
        }
        __syncthreads();
        if (whole) break;
    }
    return found;
}

// Sorts MOST ranks, the largest first.
FERRY_INLINE void sort(unsigned long long *ranks)
{
    for (unsigned size = 2; size <= MOST; size *= 2)
        for (unsigned step = size / 2; step > 0; step /= 2) {
            __syncthreads();
            for (unsigned i = threadIdx.x; i < MOST / 2; i += THREADS) {
                const unsigned a = i / step * 2 * step + i % step, b = a + step;
                const bool falls = (a & size) == 0;
                const unsigned long long va = ranks[a], vb = ranks[b];
                if ((va < vb) != falls) continue;
                ranks[a] = vb;
                ranks[b] = va;
            }
        }
    __syncthreads();
}

// A block a line.
extern "C" __global__ void __launch_bounds__(THREADS)
    ferry_top_k(const X_TYPE *x, X_TYPE *values, long long *places, int length, unsigned inner, int k)
{
    __shared__ unsigned long long ranks[MOST];
    __shared__ unsigned counts[256], taken;
    const unsigned outer = blockIdx.x / inner, i = blockIdx.x - outer * inner;
    x += (size_t)outer * length * inner + i;
    grid_dependency_launch();
    grid_dependency_wait();
    if (threadIdx.x == 0) taken = 0;
    for (unsigned r = threadIdx.x; r < MOST; r += THREADS) ranks[r] = 0;
    __syncthreads();
    const unsigned long long least = k < length ? find_least(x, length, inner, k, counts) : 0;
    for (int a = (int)threadIdx.x; a < length; a += THREADS) {
        const unsigned long long rank = rank_of(x[(size_t)a * inner], a);
        if (rank >= least) ranks[atomicAdd(&taken, 1u)] = rank;
    }
    sort(ranks);
    for (int r = (int)threadIdx.x; r < k; r += THREADS) {
        const unsigned place = 0xffffffffu - (unsigned)ranks[r];
        const size_t to = ((size_t)outer * k + r) * inner + i;
        if (places) places[to] = place;
        if (values) values[to] = x[(size_t)place * inner];
    }
}
#endif

// SPDX-License-Identifier: Apache-2.0
// The kernels of depthwise_pairs_bf16.h, written once: a file per instruction set includes it after its simd headers,
// with KERNEL and PAIR, the functions' names, and BLOCKS where several columns side by side are faster than one.
#include "backend/cpu/depthwise_pairs_bf16.h"
#include "backend/cpu/finish_rows_bf16.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define PANEL (2 * VEC)
#define COLUMN (2 * PANEL) // elements of a pair of lines in one column
#define MOST 8             // output columns computed side by side, so that they share loads of weights

// --- Bringing lines together -----------------------------------------------------------------------------------------

static ALWAYS_INLINE vp part_of(const uint16_t *line, size_t at, size_t channels, const bool there, const bool whole)
{
    static const uint16_t nothing[PANEL];
    if (!there) return vp_load(nothing);
    return whole ? vp_load(line + at) : vp_load_part(line + at, channels);
}

static ALWAYS_INLINE void pair_lines(const ferry_depthwise_pairing *p, const bool upper, const bool lower,
                                     const bool whole)
{
    uint16_t *to = p->to;
    for (size_t i = 0, at = 0; i < p->columns; i++, at += p->step, to += COLUMN) {
        const vp a = part_of(p->upper, at, p->channels, upper, whole);
        const vp b = part_of(p->lower, at, p->channels, lower, whole);
        vp_store(to, vp_zip_low(a, b));
        vp_store(to + PANEL, vp_zip_high(a, b));
    }
}

static ALWAYS_INLINE void pair_those(const ferry_depthwise_pairing *p, const bool whole)
{
    if (p->upper && p->lower)
        pair_lines(p, true, true, whole);
    else if (p->upper)
        pair_lines(p, true, false, whole);
    else if (p->lower)
        pair_lines(p, false, true, whole);
    else
        pair_lines(p, false, false, whole);
}

void PAIR(const ferry_depthwise_pairing *pairing);
void PAIR(const ferry_depthwise_pairing *pairing)
{
    if (pairing->channels == PANEL)
        pair_those(pairing, true);
    else
        pair_those(pairing, false);
}

// --- Filtering -------------------------------------------------------------------------------------------------------

static ALWAYS_INLINE void store_clamped(const ferry_depthwise_pairs *d, vf (*sums)[2], uint16_t *y,
                                        const size_t columns, const bool whole)
{
    const vf low = vf_set1(d->finish->low), high = vf_set1(d->finish->high);
    UNROLL
    for (size_t m = 0; m < columns; m++) {
        const vp to =
            vp_from_two(vf_at_most(high, vf_at_least(low, sums[m][0])), vf_at_most(high, vf_at_least(low, sums[m][1])));
        if (whole)
            vp_store(y + m * d->y_step, to);
        else
            vp_store_part(y + m * d->y_step, to, d->channels);
    }
}

static ALWAYS_INLINE void store_finished(const ferry_depthwise_pairs *d, vf (*sums)[2], uint16_t *y,
                                         const size_t columns)
{
    float scratch[MOST * PANEL];
    UNROLL
    for (size_t m = 0; m < columns; m++) {
        vf_store(scratch + m * PANEL, sums[m][0]);
        vf_store(scratch + m * PANEL + VEC, sums[m][1]);
    }
    const vf_rows rows = {.finish = d->finish, .rows = columns, .cols = d->channels, .y = y, .y_stride = d->y_step};
    vf_finish_rows(&rows, scratch, PANEL);
}

// A constant stride: all columns of a tap are then at constant distances.
static ALWAYS_INLINE void columns_of(const ferry_depthwise_pairs *d, size_t first, const size_t columns,
                                     const size_t stride)
{
    vf sums[MOST][2];
    const vf bias[2] = {vf_load(d->bias), vf_load(d->bias + VEC)};
    UNROLL
    for (size_t m = 0; m < columns; m++) {
        sums[m][0] = bias[0];
        sums[m][1] = bias[1];
    }
    const size_t next = stride * COLUMN;
    const uint16_t *w = d->w;
    for (size_t p = 0; p < d->pairs; p++) {
        const uint16_t *x = d->x[p] + first * next;
        for (size_t t = 0; t < d->taps; t++, x += COLUMN, w += COLUMN) {
            const vp w0 = vp_load(w), w1 = vp_load(w + PANEL);
            UNROLL
            for (size_t m = 0; m < columns; m++) {
                sums[m][0] = vp_dot(sums[m][0], w0, vp_load(x + m * next));
                sums[m][1] = vp_dot(sums[m][1], w1, vp_load(x + m * next + PANEL));
            }
        }
    }
    uint16_t *y = d->y + first * d->y_step;
    if (d->finish->kind != FERRY_FINISH_CLAMP)
        store_finished(d, sums, y, columns);
    else if (d->channels == PANEL)
        store_clamped(d, sums, y, columns, true);
    else
        store_clamped(d, sums, y, columns, false);
}

#ifdef BLOCKS
// Columns in blocks of 7 where they come to whole ones, as in pictures of 7 x 7 to 56 x 56; else of 8, and what is left
// in smaller ones.
#define ALL_COLUMNS(name, stride)                                                                                      \
    static __attribute__((noinline)) void name(const ferry_depthwise_pairs *d)                                         \
    {                                                                                                                  \
        size_t i = 0;                                                                                                  \
        if (d->columns % 7 == 0)                                                                                       \
            for (; i < d->columns; i += 7) columns_of(d, i, 7, stride);                                                \
        for (; i + 8 <= d->columns; i += 8) columns_of(d, i, 8, stride);                                               \
        if (i + 4 <= d->columns) {                                                                                     \
            columns_of(d, i, 4, stride);                                                                               \
            i += 4;                                                                                                    \
        }                                                                                                              \
        if (i + 2 <= d->columns) {                                                                                     \
            columns_of(d, i, 2, stride);                                                                               \
            i += 2;                                                                                                    \
        }                                                                                                              \
        if (i < d->columns) columns_of(d, i, 1, stride);                                                               \
    }
ALL_COLUMNS(all_at_stride_1, 1)
ALL_COLUMNS(all_at_stride_2, 2)
#endif

void KERNEL(const ferry_depthwise_pairs *d);
void KERNEL(const ferry_depthwise_pairs *d)
{
#ifdef BLOCKS
    if (d->stride == 1 || d->stride == 2) {
        (d->stride == 1 ? all_at_stride_1 : all_at_stride_2)(d);
        return;
    }
#endif
    for (size_t i = 0; i < d->columns; i++) columns_of(d, i, 1, d->stride);
}

// SPDX-License-Identifier: Apache-2.0
// The kernel of depthwise_line_f32.h, written once: a file per instruction set includes it after its simd header, with
// KERNEL, the function's name.
#include <math.h>

#include "backend/cpu/depthwise_line_f32.h"
#include "backend/cpu/finish_rows.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define MOST_TAPS 25 // of filters that may stay in registers
#define COLUMNS 64   // finished at a time where the finish goes through memory

// Columns [begin, end) of the line; those of [inner, inner_end) have windows that lie inside from left to right.
typedef struct span {
    size_t begin, inner, inner_end, end;
} span;

/// Where sums of one vector of channels go, and between which bounds: none where the finish goes through memory.
typedef struct target {
    float *y;
    size_t y_step, left; // left: channels from the vector's first on
    vf low, high;
} target;

static ALWAYS_INLINE void store(const target *to, float *y, vf v)
{
    v = vf_at_most(to->high, vf_at_least(to->low, v));
    if (to->left < VEC)
        vf_store_part(y, v, to->left);
    else
        vf_store(y, v);
}

// --- Any window ------------------------------------------------------------------------------------------------------

static ALWAYS_INLINE vf any_column(const ferry_depthwise_line *l, size_t c, size_t column)
{
    const ptrdiff_t first = l->left + (ptrdiff_t)(column * l->stride);
    vf sum = vf_load(l->bias + c);
    for (size_t h = l->first_line; h < l->end_line; h++)
        for (size_t t = 0; t < l->taps; t++) {
            const ptrdiff_t at = first + (ptrdiff_t)(t * l->dilation);
            if (at < 0 || at >= (ptrdiff_t)l->in_width) continue;
            const vf w = vf_load(l->w + (h * l->taps + t) * l->w_step + c);
            const float *x = l->x[h] + at * (ptrdiff_t)l->x_step + c;
            sum = vf_fma(l->channels - c < VEC && !l->x_padded ? vf_load_part(x, l->channels - c) : vf_load(x), w, sum);
        }
    return sum;
}

static void any_window(const ferry_depthwise_line *l, size_t c, const span *s, const target *to)
{
    float *y = to->y;
    for (size_t column = s->begin; column < s->end; column++, y += to->y_step) store(to, y, any_column(l, c, column));
}

// --- Windows of constant size: their weights stay in registers -------------------------------------------------------

/// Lines [first, end) and all taps of each.
typedef struct filter {
    const float *x[FERRY_DEPTHWISE_LINES]; // under the first tap of output column 0
    vf w[MOST_TAPS], bias;
    size_t step; // between taps
} filter;

// One output column `at` elements from column 0, taps [begin, end) of each line.
static ALWAYS_INLINE vf window_sum(const filter *f, ptrdiff_t at, const size_t first, const size_t last,
                                   const size_t taps, const size_t begin, const size_t end)
{
    vf sum = f->bias;
    UNROLL
    for (size_t h = first; h < last; h++) {
        UNROLL
        for (size_t t = begin; t < end; t++)
            sum = vf_fma(vf_load(f->x[h] + at + (ptrdiff_t)(t * f->step)), f->w[(h - first) * taps + t], sum);
    }
    return sum;
}

// A column at the border, by how many taps are missing before and behind.
static ALWAYS_INLINE vf border_sum(const ferry_depthwise_line *l, const filter *f, size_t c, size_t column,
                                   const size_t first, const size_t last, const size_t taps)
{
    const ptrdiff_t from = l->left + (ptrdiff_t)(column * l->stride), room = (ptrdiff_t)l->in_width - from;
    const ptrdiff_t at = (ptrdiff_t)(column * l->stride * f->step);
    if (from >= 0) {
        if (room == (ptrdiff_t)taps - 1) return window_sum(f, at, first, last, taps, 0, taps - 1);
        if (taps == 5 && room == 3) return window_sum(f, at, first, last, taps, 0, 3);
    } else if (room >= (ptrdiff_t)taps) {
        if (from == -1) return window_sum(f, at, first, last, taps, 1, taps);
        if (taps == 5 && from == -2) return window_sum(f, at, first, last, taps, 2, taps);
    }
    return any_column(l, c, column);
}

static ALWAYS_INLINE void window(const ferry_depthwise_line *l, size_t c, const span *s, const target *given,
                                 const size_t first, const size_t last, const size_t taps)
{
    filter f = {.bias = vf_load(l->bias + c), .step = l->x_step};
    const target to = *given; // which no store can change
    UNROLL
    for (size_t h = first; h < last; h++) {
        f.x[h] = l->x[h] + l->left * (ptrdiff_t)l->x_step + (ptrdiff_t)c;
        UNROLL
        for (size_t t = 0; t < taps; t++) f.w[(h - first) * taps + t] = vf_load(l->w + (h * taps + t) * l->w_step + c);
    }
    const size_t next = l->stride * f.step;
    size_t at = s->inner * next;
    float *y = to.y + (s->inner - s->begin) * to.y_step;
    for (size_t column = s->inner; column < s->inner_end; column++, y += to.y_step, at += next)
        store(&to, y, window_sum(&f, (ptrdiff_t)at, first, last, taps, 0, taps));
    for (int side = 0; side < 2; side++) {
        const size_t end = side ? s->end : s->inner;
        for (size_t column = side ? s->inner_end : s->begin; column < end; column++)
            store(&to, to.y + (column - s->begin) * to.y_step, border_sum(l, &f, c, column, first, last, taps));
    }
}

#define WINDOWS(ROW)                                                                                                   \
    ROW(3, 0, 3) ROW(3, 1, 3) ROW(3, 0, 2) ROW(5, 0, 5) ROW(5, 1, 5) ROW(5, 2, 5) ROW(5, 0, 4) ROW(5, 0, 3)
#define DEFINE(size, first, last)                                                                                      \
    static void window_##size##_##first##_##last(const ferry_depthwise_line *l, size_t c, const span *s,               \
                                                 const target *to)                                                     \
    {                                                                                                                  \
        window(l, c, s, to, first, last, size);                                                                        \
    }
WINDOWS(DEFINE)

// --- All channels ----------------------------------------------------------------------------------------------------

static span make_span(const ferry_depthwise_line *l)
{
    const ptrdiff_t reach = (ptrdiff_t)((l->taps - 1) * l->dilation), stride = (ptrdiff_t)l->stride;
    const ptrdiff_t width = (ptrdiff_t)l->out_width, room = (ptrdiff_t)l->in_width - reach - l->left;
    ptrdiff_t inner = l->left < 0 ? (stride - 1 - l->left) / stride : 0,
              end = room > 0 ? (room + stride - 1) / stride : 0;
    if (inner > width) inner = width;
    if (end > width) end = width;
    if (end < inner) end = inner;
    return (span){.begin = 0, .inner = (size_t)inner, .inner_end = (size_t)end, .end = l->out_width};
}

static span cut_span(const span *s, size_t begin, size_t end)
{
    span cut = {.begin = begin, .inner = s->inner, .inner_end = s->inner_end, .end = end};
    if (cut.inner < begin) cut.inner = begin;
    if (cut.inner > end) cut.inner = end;
    if (cut.inner_end < cut.inner) cut.inner_end = cut.inner;
    if (cut.inner_end > end) cut.inner_end = end;
    return cut;
}

// The last vector takes up some of the channels before it once more, rather than be narrow.
static ALWAYS_INLINE size_t next_vector(const ferry_depthwise_line *l, size_t c)
{
    const size_t next = c + VEC;
    return next < l->channels && l->channels - next < VEC && !l->x_padded ? l->channels - VEC : next;
}

typedef void (*run_vector)(const ferry_depthwise_line *l, size_t c, const span *s, const target *to);

static void finish_columns(const ferry_depthwise_line *l, size_t c, const span *s, float *sums)
{
    const vf_rows to = {.finish = l->finish,
                        .rows = s->end - s->begin,
                        .cols = l->channels - c < VEC ? l->channels - c : VEC,
                        .y = l->y + s->begin * l->y_step + c,
                        .y_stride = l->y_step};
    vf_finish_rows(&to, sums, VEC);
}

// Sums of COLUMNS columns at a time go through memory, where the finish takes them up.
static void run_through_memory(const ferry_depthwise_line *l, size_t c, const span *all, run_vector run)
{
    float sums[COLUMNS * VEC] = {0};
    const target to = {sums, VEC, l->channels - c, vf_set1(-INFINITY), vf_set1(INFINITY)};
    for (size_t begin = 0; begin < l->out_width; begin += COLUMNS) {
        const span cut = cut_span(all, begin, l->out_width - begin < COLUMNS ? l->out_width : begin + COLUMNS);
        run(l, c, &cut, &to);
        finish_columns(l, c, &cut, sums);
    }
}

static run_vector choose(const ferry_depthwise_line *l)
{
    if (l->dilation != 1 || l->lines != l->taps || (l->channels < VEC && !l->x_padded)) return any_window;
#define TRY(size, first, last)                                                                                         \
    if (l->taps == size && l->first_line == first && l->end_line == last) return window_##size##_##first##_##last;
    WINDOWS(TRY)
    return any_window;
}

void KERNEL(const ferry_depthwise_line *l);
void KERNEL(const ferry_depthwise_line *l)
{
    const run_vector run = choose(l);
    const span all = make_span(l);
    const vf low = vf_set1(l->finish->low), high = vf_set1(l->finish->high);
    for (size_t c = 0; c < l->channels; c = next_vector(l, c)) {
        const target to = {l->y + c, l->y_step, l->channels - c, low, high};
        if (l->finish->kind == FERRY_FINISH_CLAMP)
            run(l, c, &all, &to);
        else
            run_through_memory(l, c, &all, run);
    }
}

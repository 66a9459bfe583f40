// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/form.h"

#include <string.h>

#include "backend/cpu/loops.h"

#define SLACK 64         // bytes behind the end that kernels may read: multiplied by zero weights
#define TASK_BYTES 16384 // formed by one task

static size_t in_bytes(ferry_form_type type)
{
    return type == FERRY_FORM_F32 ? 4 : type == FERRY_FORM_HALF ? 2 : 1;
}

static size_t out_bytes(ferry_form_type type)
{
    return type == FERRY_FORM_F32 ? 4 : type == FERRY_FORM_S8_WIDE || type == FERRY_FORM_HALF ? 2 : 1;
}

bool ferry_form_merges(int64_t group, const ferry_window *window)
{
    return group == 1 && window->dilation[2] == 1 && window->kernel[2] > 1;
}

size_t ferry_form_channels(size_t channels, size_t width, size_t c_multiple)
{
    const size_t full = (channels + c_multiple - 1) / c_multiple * c_multiple, row = channels * width;
    return full * width == (row + c_multiple - 1) / c_multiple * c_multiple ? full : channels;
}

static bool count_bytes(ferry_form *f)
{
    size_t bytes = out_bytes(f->type);
    const int64_t counts[] = {f->batch, f->full[0], f->full[1], f->full[2], f->groups, f->c_full};
    for (size_t i = 0; i < FERRY_COUNT_OF(counts); i++)
        if (!ferry_mul_size(bytes, (size_t)counts[i], &bytes)) return false;
    f->bytes = bytes + SLACK;
    return bytes < SIZE_MAX / 2;
}

bool ferry_form_make(ferry_form_type type, const ferry_conv_shape *shape, size_t c_multiple, bool merge,
                     ferry_form *out, ferry_conv_shape *out_shape)
{
    ferry_form f = {.type = type, .batch = shape->batch, .groups = shape->group, .c = shape->c_each};
    const size_t width = merge ? (size_t)shape->window.kernel[2] : 1;
    f.c_full = (int64_t)ferry_form_channels((size_t)f.c, width, c_multiple);
    f.x_batch = shape->x_batch;
    f.x_channel = shape->x_channel;
    ferry_conv_shape s = *shape;
    const ferry_window *w = &shape->window;
    for (int32_t i = 0; i < 3; i++) {
        f.in[i] = shape->in[i];
        f.x_step[i] = shape->x_step[i];
        f.pad[i] = w->pad_begin[i];
        f.full[i] =
            shape->out[i] > 0 ? (shape->out[i] - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1 : 0;
        s.in[i] = f.full[i];
        s.window.pad_begin[i] = s.window.pad_end[i] = 0;
    }
    if (!count_bytes(&f)) return false;
    s.c_each = f.c_full;
    s.c_in = f.c_full * f.groups;
    s.x_channel = 1;
    s.x_step[2] = s.c_in;
    s.x_step[1] = s.x_step[2] * f.full[2];
    s.x_step[0] = s.x_step[1] * f.full[1];
    s.x_batch = s.x_step[0] * f.full[0];
    if (merge) {
        // Taps of one row lie behind one another: together they are one tap.
        s.c_each = f.c_full * w->kernel[2];
        s.taps /= w->kernel[2];
        s.in[2] -= w->kernel[2] - 1;
        s.window.kernel[2] = 1;
    }
    *out = f;
    *out_shape = s;
    return true;
}

bool ferry_form_matrix(ferry_form_type type, size_t rows, size_t k, size_t k_multiple, ferry_form *out)
{
    *out = (ferry_form){.type = type,
                        .batch = 1,
                        .in = {1, 1, (int64_t)rows},
                        .full = {1, 1, (int64_t)rows},
                        .groups = 1,
                        .c = (int64_t)k,
                        .c_full = (int64_t)((k + k_multiple - 1) / k_multiple * k_multiple),
                        .x_channel = 1,
                        .x_step = {0, 0, (int64_t)k}};
    return count_bytes(out);
}

// Padding, and what channels are filled up with: the latter meets weights of zero, whatever it is.
static void fill(const ferry_form *f, void *to, int64_t elements)
{
    if (f->type == FERRY_FORM_S8_WIDE)
        for (int64_t i = 0; i < elements; i++) ((int16_t *)to)[i] = f->padding;
    else
        memset(to, f->padding, (size_t)elements * out_bytes(f->type));
}

static void convert(ferry_form_type type, const void *x, void *to, size_t n)
{
    switch (type) {
    case FERRY_FORM_F32:
        memcpy(to, x, n * sizeof(float));
        break;
    case FERRY_FORM_S8:
        memcpy(to, x, n);
        break;
    case FERRY_FORM_HALF:
        memcpy(to, x, n * sizeof(uint16_t));
        break;
    case FERRY_FORM_S8_WIDE: {
        const int8_t *from = x;
        int16_t *y = to;
        FERRY_VECTORS
        for (size_t i = 0; i < n; i++) y[i] = from[i];
        break;
    }
    }
}

// One channel of n positions, `step` elements apart, to every c_full-th element.
static inline __attribute__((always_inline)) void spread(ferry_form_type type, const void *x, int64_t step, void *to,
                                                         int64_t to_step, int64_t n)
{
    const int8_t *from = x;
    switch (type) {
    case FERRY_FORM_F32:
        for (int64_t i = 0; i < n; i++) ((float *)to)[i * to_step] = ((const float *)x)[i * step];
        break;
    case FERRY_FORM_S8:
        for (int64_t i = 0; i < n; i++) ((int8_t *)to)[i * to_step] = from[i * step];
        break;
    case FERRY_FORM_HALF:
        for (int64_t i = 0; i < n; i++) ((uint16_t *)to)[i * to_step] = ((const uint16_t *)x)[i * step];
        break;
    case FERRY_FORM_S8_WIDE:
        for (int64_t i = 0; i < n; i++) ((int16_t *)to)[i * to_step] = from[i * step];
        break;
    }
}

// Three channels of n positions, those of pictures, side by side: one pass over what is written.
#define INTERLEAVE(type)                                                                                               \
    do {                                                                                                               \
        const type *a = (const type *)x, *b = a + channel, *c = b + channel;                                           \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            ((type *)to)[3 * i] = a[i];                                                                                \
            ((type *)to)[3 * i + 1] = b[i];                                                                            \
            ((type *)to)[3 * i + 2] = c[i];                                                                            \
        }                                                                                                              \
    } while (0)

// False when it is no such case.
static bool interleave(const ferry_form *f, const char *x, char *to, int64_t n)
{
    const int64_t channel = f->x_channel;
    if (f->c != 3 || f->groups != 1 || f->x_step[2] != 1) return false;
    if (f->type == FERRY_FORM_S8 && f->colours && f->c_full <= 4) {
        f->colours((const uint8_t *)x, (size_t)channel, (uint8_t *)to, (size_t)f->c_full, (size_t)n);
        return true;
    }
    if (f->c_full != 3) return false;
    if (f->type == FERRY_FORM_F32)
        INTERLEAVE(float);
    else if (f->type == FERRY_FORM_HALF)
        INTERLEAVE(uint16_t);
    else
        return false;
    return true;
}

// n positions of all groups; the input's channels lie one behind another.
static void form_dense(const ferry_form *f, const char *x, char *to, int64_t n)
{
    const size_t from_bytes = in_bytes(f->type), to_bytes = out_bytes(f->type);
    const int64_t each = f->groups * f->c_full;
    if (f->c == f->c_full && f->x_step[2] == each) {
        convert(f->type, x, to, (size_t)(n * each));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t g = 0; g < f->groups; g++) {
            char *group = to + (size_t)(i * each + g * f->c_full) * to_bytes;
            convert(f->type, x + (size_t)(i * f->x_step[2] + g * f->c) * from_bytes, group, (size_t)f->c);
            if (f->c != f->c_full) fill(f, group + (size_t)f->c * to_bytes, f->c_full - f->c);
        }
}

static void form_planes(const ferry_form *f, const char *x, char *to, int64_t n)
{
    const size_t from_bytes = in_bytes(f->type), to_bytes = out_bytes(f->type);
    const int64_t each = f->groups * f->c_full;
    if (interleave(f, x, to, n)) return;
    if (f->c != f->c_full) fill(f, to, n * each);
    for (int64_t g = 0; g < f->groups; g++)
        for (int64_t c = 0; c < f->c; c++)
            spread(f->type, x + (g * f->c + c) * f->x_channel * (int64_t)from_bytes, f->x_step[2],
                   to + (size_t)(g * f->c_full + c) * to_bytes, each, n);
}

typedef struct form_run {
    const ferry_form *form;
    const char *x;
    char *to;
} form_run;

// Line `row` of batch x depth x height, padding included; positions [begin, begin + count) of it.
static void form_line(const form_run *run, int64_t row, int64_t begin, int64_t count)
{
    const ferry_form *f = run->form;
    const int64_t each = f->groups * f->c_full, rest = row / f->full[1];
    const int64_t h = row % f->full[1] - f->pad[1], d = rest % f->full[0] - f->pad[0], picture = rest / f->full[0];
    char *to = run->to + (size_t)((row * f->full[2] + begin) * each) * out_bytes(f->type);
    const bool inside = h >= 0 && h < f->in[1] && d >= 0 && d < f->in[0];
    // Positions before, of and behind the input.
    int64_t first = f->pad[2] - begin, last = f->pad[2] + f->in[2] - begin;
    first = !inside || first > count ? count : first < 0 ? 0 : first;
    last = !inside || last > count ? count : last < first ? first : last;
    const size_t position_bytes = (size_t)each * out_bytes(f->type);
    if (first > 0) fill(f, to, first * each);
    if (last < count) fill(f, to + (size_t)last * position_bytes, (count - last) * each);
    if (last <= first) return;
    const char *x = run->x + (picture * f->x_batch + d * f->x_step[0] + h * f->x_step[1] +
                              (begin + first - f->pad[2]) * f->x_step[2]) *
                                 (int64_t)in_bytes(f->type);
    (f->x_channel == 1 ? form_dense : form_planes)(f, x, to + (size_t)first * position_bytes, last - first);
}

// i: a line; j: positions in it.
static void form_some(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    const form_run *run = context;
    for (size_t row = i; row < i + count_i; row++) form_line(run, (int64_t)row, (int64_t)j, (int64_t)count_j);
}

void ferry_form_run(const ferry_form *f, ferry_thread_pool *pool, const void *x, void *to)
{
    form_run run = {f, x, to};
    const size_t lines = (size_t)(f->batch * f->full[0] * f->full[1]), line = (size_t)f->full[2];
    const size_t position = (size_t)(f->groups * f->c_full) * out_bytes(f->type);
    if (lines == 0 || line == 0) return;
    const size_t tile = TASK_BYTES / position + 1;
    ferry_parallel_2d(pool, form_some, &run, lines, line, tile > line ? tile / line : 1, tile);
}

// SPDX-License-Identifier: Apache-2.0
// Brings a convolution's input into the form that its kernels want: channels last, filled up, padded, in
// another element type. Kernels then meet neither borders nor layouts.
#ifndef FERRY_SRC_BACKEND_CPU_FORM_H_
#define FERRY_SRC_BACKEND_CPU_FORM_H_

#include "backend/cpu/elementwise_s8.h"
#include "backend/cpu/gemm_s8.h"
#include "backend/reading/conv_shape.h"
#include "base/thread_pool.h"

typedef enum ferry_form_type {
    FERRY_FORM_F32 = 0,
    FERRY_FORM_S8 = 1,      // as it is
    FERRY_FORM_S8_WIDE = 2, // as int16
    FERRY_FORM_HALF = 3     // as it is
} ferry_form_type;

typedef struct ferry_form {
    ferry_form_type type;
    int64_t batch, in[3], full[3],
        pad[3];                // full: with padding, or cropped to what windows reach; pad: before the input
    int8_t padding;            // of int8: the zero point; 0 for others
    int64_t groups, c, c_full; // channels of a group, and filled up
    int64_t x_batch, x_channel, x_step[3]; // of the input
    ferry_colours_s8 colours;              // for three planes of int8; NULL: no faster than others
    size_t bytes;                          // of the formed input, and some that kernels may read behind it
} ferry_form;

/// The form for a convolution: channels of a group are filled up to a multiple of c_multiple. *out_shape is the
/// convolution as it looks on the formed input. With `merge`, a window's row is one tap of width x channels elements,
/// filled up to a multiple of c_multiple in the weights only; see ferry_form_channels. False when it would be too
/// large.
bool ferry_form_make(ferry_form_type type, const ferry_conv_shape *shape, size_t c_multiple, bool merge,
                     ferry_form *out, ferry_conv_shape *out_shape);

/// Whether a window's rows lie in one piece: one group, no dilation, more than one column.
bool ferry_form_merges(int64_t group, const ferry_window *window);

/// Channels of a position in a merged row: filled up where that makes the row no longer than filling up the whole row.
size_t ferry_form_channels(size_t channels, size_t width, size_t c_multiple);

/// The same for a matrix of rows x k.
bool ferry_form_matrix(ferry_form_type type, size_t rows, size_t k, size_t k_multiple, ferry_form *out);

void ferry_form_run(const ferry_form *form, ferry_thread_pool *pool, const void *x, void *to);

#endif // FERRY_SRC_BACKEND_CPU_FORM_H_

// SPDX-License-Identifier: Apache-2.0
// Loops of linear interpolation, in either layout. All of them interpolate along the height first in float, and along
// the width first in INT8, so that layouts agree to the bit.
#ifndef FERRY_SRC_BACKEND_CPU_RESIZE_LOOPS_H_
#define FERRY_SRC_BACKEND_CPU_RESIZE_LOOPS_H_

#include <stddef.h>
#include <stdint.h>

/// The source elements of an output position along one axis, as offsets into the input, and their weights. INT8 has
/// one weight, w1.
typedef struct ferry_resize_tap2 {
    int32_t at0, at1;
    float w0, w1;
} ferry_resize_tap2;

typedef struct ferry_resize_row {
    const char *name; // of the instruction set
    uint32_t isa;
    /// One output position, n channels: top and bottom rows, column offsets as the tap has them.
    void (*channels_f32)(const float *top, const float *bottom, float w_top, float w_bottom,
                         const ferry_resize_tap2 *tap, float *y, size_t n);
    void (*channels_s8)(const int8_t *top, const int8_t *bottom, float w_bottom, const ferry_resize_tap2 *tap,
                        float mult, float shift, int8_t *y, size_t n);
    /// n elements of two rows become one, then n output positions along the width.
    void (*blend_f32)(const float *top, const float *bottom, float w_top, float w_bottom, float *y, size_t n);
    void (*columns_f32)(const float *row, const ferry_resize_tap2 *taps, float *y, size_t n);
    void (*columns_s8)(const int8_t *top, const int8_t *bottom, float w_bottom, const ferry_resize_tap2 *taps,
                       float mult, float shift, int8_t *y, size_t n);
} ferry_resize_row;

/// From plainest to newest; NULL beyond the end.
const ferry_resize_row *ferry_resize_at(size_t index);
/// The newest row that `isa` can run.
const ferry_resize_row *ferry_resize_pick(uint32_t isa);

#endif // FERRY_SRC_BACKEND_CPU_RESIZE_LOOPS_H_

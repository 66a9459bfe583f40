// SPDX-License-Identifier: Apache-2.0
// Pooling against the reference: windows at borders, padding that counts or does not, int8 to the bit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

static void pool__matches_reference(void **unused)
{
    (void)unused;
#define POOL(name, ...)                                                                                                \
    {                                                                                                                  \
        .domain = "", .op = name, .tactics = "pool", __VA_ARGS__                                                       \
    }
#define QPOOL(name, ...)                                                                                               \
    {                                                                                                                  \
        .domain = "ferry", .op = name, .tactics = "pool", __VA_ARGS__                                                  \
    }
    static const kernel_case cases[] = {
        POOL("MaxPool", .inputs = "f32:1x64x9x11", .attrs = "kernel_shape=3,3 strides=2,2 pads=1,1,1,1"),
        POOL("MaxPool", .inputs = "f32:2x5x12x12", .attrs = "kernel_shape=2,2 strides=2,2 ceil_mode=1"),
        POOL("MaxPool", .inputs = "f32:2x5x4x3", .attrs = "kernel_shape=5,4 strides=3,2 ceil_mode=1"),
        POOL("MaxPool", .inputs = "f32:1x100x7x7", .attrs = "kernel_shape=5,5 pads=2,2,2,2 dilations=1,1"),
        POOL("MaxPool", .inputs = "s8:1x33x9x11", .attrs = "kernel_shape=3,3 strides=2,2 pads=1,1,1,1"),
        POOL("MaxPool", .inputs = "u8:1x33x9x11", .attrs = "kernel_shape=3,2 strides=2,2"),
        POOL("MaxPool", .inputs = "bf16:1x33x9x11", .attrs = "kernel_shape=3,2 auto_pad=SAME_UPPER"),
        POOL("MaxPool", .inputs = "bf16:2x64x9x7", .attrs = "kernel_shape=3,3 strides=2,2 pads=1,1,1,1"),
        // A NaN, of either sign, stays; infinities are numbers.
        POOL("MaxPool", .attrs = "kernel_shape=1,2",
             .inputs = "f32:1x18x1x2["
                       "nan,1,1,nan,-nan,2,2,-nan,nan,nan,-1,nan,inf,nan,-inf,nan,-inf,-inf,-0.0,0,-5,2,-2,5,"
                       "1,-3,4,0,-4,3,-1,-5,2,-2,5,1]"),
        POOL("MaxPool", .attrs = "kernel_shape=1,2",
             .inputs = "bf16:1x34x1x2["
                       "nan,1,1,nan,-nan,2,2,-nan,nan,nan,-1,nan,inf,nan,-inf,nan,-inf,-inf,-0.0,0,-5,2,-2,5,"
                       "1,-3,4,0,-4,3,-1,-5,2,-2,5,1,-3,4,0,-4,3,-1,-5,2,-2,5,1,-3,"
                       "4,0,-4,3,-1,-5,2,-2,5,1,-3,4,0,-4,3,-1,-5,2,-2,5]"),
        POOL("AveragePool", .inputs = "bf16:1x65x9x11", .of_each = 0x1p-7, .of_largest = 3e-7,
             .attrs = "kernel_shape=3,3 strides=2,2 pads=1,1,1,1"),
        POOL("GlobalAveragePool", .inputs = "bf16:2x100x13x17", .of_each = 0x1p-7, .of_largest = 1e-6),
        POOL("GlobalMaxPool", .inputs = "bf16:2x70x3x7"),
        POOL("MaxPool", .inputs = "bf16:2x24x9x7", .attrs = "kernel_shape=3,3 strides=2,2 pads=1,1,1,1"),
        POOL("MaxPool", .inputs = "bf16:1x6x1x2[nan,1,1,-nan,-inf,nan,-inf,-inf,-0.0,0,-5,2]",
             .attrs = "kernel_shape=1,2"),
        POOL("MaxPool", .inputs = "f32:2x7x31", .attrs = "kernel_shape=4 strides=3"),
        POOL("MaxPool", .inputs = "f32:2x7x4x5x6", .attrs = "kernel_shape=2,2,2"),
        POOL("AveragePool", .inputs = "f32:1x65x9x11", .attrs = "kernel_shape=3,3 strides=2,2 pads=1,1,1,1",
             .of_largest = 3e-7),
        POOL("AveragePool", .inputs = "f32:1x8x10x10", .of_largest = 3e-7,
             .attrs = "kernel_shape=3,3 strides=2,2 pads=1,1,0,0 count_include_pad=1 ceil_mode=1"),
        POOL("AveragePool", .inputs = "f32:2x5x4x3", .of_largest = 3e-7,
             .attrs = "kernel_shape=5,4 strides=3,2 ceil_mode=1"),
        POOL("AveragePool", .inputs = "f32:2x5x4x3", .of_largest = 3e-7,
             .attrs = "kernel_shape=5,4 strides=3,2 count_include_pad=1 ceil_mode=1"),
        POOL("GlobalAveragePool", .inputs = "f32:2x100x13x17", .of_largest = 1e-6),
        POOL("GlobalAveragePool", .inputs = "f16:2x100x3x7", .of_each = 1e-3, .of_largest = 1e-3),
        POOL("GlobalMaxPool", .inputs = "f32:2x100x3x7"),
        POOL("GlobalMaxPool", .inputs = "s8:2x70x3x7"),
        POOL("GlobalMaxPool", .inputs = "u8:2x70x3x7"),
        QPOOL("QAveragePool", .inputs = "s8:1x65x9x11", .attrs = "kernel_shape=3,3 strides=2,2 pads=1,1,1,1 mult=1.37"),
        QPOOL("QAveragePool", .inputs = "s8:1x65x9x11",
              .attrs = "kernel_shape=3,3 pads=1,1,1,1 count_include_pad=1 mult=0.9 to=1", .may_lack = 1),
        QPOOL("QAveragePool", .inputs = "s8:1x65x9x11",
              .attrs = "kernel_shape=3,3 strides=2,2 pads=1,1,1,1 mult=1.37 shift=-40.5"),
        QPOOL("QGlobalAveragePool", .inputs = "s8:2x130x7x9", .attrs = "mult=2.5"),
        QPOOL("QGlobalAveragePool", .inputs = "s8:2x130x7x9", .attrs = "mult=2.5 shift=17"),
        QPOOL("QGlobalAveragePool", .inputs = "s8:1x40x3x100", .attrs = "mult=3 shift=-384 to=1"),
        QPOOL("QGlobalAveragePool", .inputs = "s8:1x24x30x31", .attrs = "mult=9"),
        QPOOL("QGlobalAveragePool", .inputs = "s8:1x40x3x100", .attrs = "mult=3 to=1"),
    };
    KERNEL_CASES_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pool__matches_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of floats against the reference, in both layouts, broadcast and in place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/loops_half.h"
#include "base/f16.h"
#include "support/kernel_case.h"

static void unary_f32__matches_reference(void **unused)
{
    (void)unused;
#define UNARY(name, ...)                                                                                               \
    {                                                                                                                  \
        .domain = "", .op = name, .tactics = "unary_f32", __VA_ARGS__                                                  \
    }
    static const kernel_case cases[] = {
        UNARY("Relu", .inputs = "f32:2x3x4x5"),
        UNARY("Relu", .inputs = "f16:2x3x4x5"),
        UNARY("Clip", .inputs = "f32:1x37 =f32:@1 =f32:[0.25]", .of_each = 0),
        UNARY("Clip", .inputs = "f32:40x41 =f32:[0.5] =f32:[-0.5]"),
        UNARY("Clip", .inputs = "f32:40x41 - =f32:[-0.5]"),
        UNARY("LeakyRelu", .inputs = "f32:33", .attrs = "alpha=0.2", .of_each = 1e-7),
        UNARY("ThresholdedRelu", .inputs = "f32:33", .attrs = "alpha=0.2"),
        UNARY("HardSigmoid", .inputs = "f32:100@4", .of_largest = 1e-7, .of_each = 2e-7),
        UNARY("HardSwish", .inputs = "f32:2x3x5x7@5", .of_largest = 1e-7, .of_each = 2e-7),
        UNARY("Elu", .inputs = "f32:1000@5", .attrs = "alpha=0.7", .of_each = 4e-7),
        UNARY("Selu", .inputs = "f32:1000@5", .of_each = 6e-7),
        UNARY("Celu", .inputs = "f32:1000@5", .attrs = "alpha=1.5", .of_each = 6e-7),
        UNARY("Sigmoid", .inputs = "f32:1x8x9x9@20", .of_each = 4e-7),
        UNARY("Sigmoid", .inputs = "bf16:1x8x9x9@20", .of_each = 8e-3),
        UNARY("Tanh", .inputs = "bf16:5000@4", .of_each = 0x1p-7),
        UNARY("Clip", .inputs = "bf16:40x41 =bf16:[-0.5] =bf16:[0.5]"),
        UNARY("Tanh", .inputs = "f32:5000@4", .of_each = 4e-7),
        UNARY("Softplus", .inputs = "f32:5000@30", .of_each = 4e-7),
        UNARY("Softsign", .inputs = "f32:100", .of_each = 2e-7),
        UNARY("Gelu", .inputs = "f32:5000@4", .of_largest = 1e-7, .of_each = 4e-7),
        UNARY("Gelu", .inputs = "f32:5000@4", .attrs = "approximate=tanh", .of_largest = 1e-7, .of_each = 4e-7),
        UNARY("Mish", .inputs = "f32:5000@20", .of_each = 1e-6),
        UNARY("Erf", .inputs = "f32:5000@4", .of_each = 3e-7),
        UNARY("Exp", .inputs = "f32:5000@80", .of_each = 2.5e-7),
        UNARY("Log", .inputs = "f32:5000@3", .of_each = 3e-7, .of_largest = 1e-7),
        UNARY("Sqrt", .inputs = "f32:500", .of_each = 1e-7),
        UNARY("Reciprocal", .inputs = "f32:500", .of_each = 1e-7),
        UNARY("Abs", .inputs = "f32:2x3x4"),
        UNARY("Neg", .inputs = "f32:77"),
        UNARY("Sign", .inputs = "f32:77"),
        UNARY("Floor", .inputs = "f32:77@9"),
        UNARY("Ceil", .inputs = "f32:77@9"),
        UNARY("Round", .inputs = "f32:77@9"),
        UNARY("Pow", .inputs = "f32:2x3x5 =f32:[2]", .of_each = 1e-7),
        UNARY("Pow", .inputs = "f32:2x3x5 =f32:1[3]", .of_each = 2e-7),
        UNARY("Pow", .inputs = "f32:2x3x5 =f32:[0.5]", .of_each = 1e-7),
        {.domain = "ferry", .op = "Silu", .tactics = "unary_f32", .inputs = "f32:1x9x10x11@10", .of_each = 4e-7},
    };
    KERNEL_CASES_RUN(cases);
}

// One pass over the tensor for all of them.
static void unary_f32__takes_the_scales_and_shifts_behind(void **unused)
{
    (void)unused;
#define CLOSE .of_each = 1e-6, .of_largest = 1e-6
    static const kernel_case cases[] = {
        UNARY("HardSwish", .inputs = "f32:2x3x5x7@5", .then = "Mul =f32:1[0.7]; Add =f32:@3", CLOSE),
        UNARY("Relu", .inputs = "f32:1x1027", .then = "Sub =f32:[0.5]; Div =f32:1[-3]; Sub =f32:@1; Mul =f32:@2",
              CLOSE),
        UNARY("Mul", .inputs = "=f32:[1.5] f32:2x3x41", .then = "Add =f32:1x1[-0.25]", CLOSE),
        UNARY("Sub", .inputs = "=f32:[1.5] f32:2x3x41", .then = "Div =f32:1[0.3]", CLOSE),
        UNARY("HardSwish", .inputs = "bf16:2x3x5x77@5", .then = "Mul =bf16:1[0.75]; Add =bf16:[0.5]", .of_each = 0x1p-6,
              .of_largest = 0x1p-7),
        UNARY("Sigmoid", .inputs = "f16:2x3x5x7@5", .then = "Mul =f16:1[2]", .of_each = 2e-3),
    };
    KERNEL_CASES_RUN(cases);
}

static void binary_f32__matches_reference_broadcast_and_in_place(void **unused)
{
    (void)unused;
#define BINARY(name, ...)                                                                                              \
    {                                                                                                                  \
        .domain = "", .op = name, .tactics = "binary_f32", __VA_ARGS__                                                 \
    }
    static const kernel_case cases[] = {
        BINARY("Add", .inputs = "f32:2x7x5x6 f32:2x7x5x6"),
        BINARY("Add", .inputs = "f32:2x7x5x6 *0"),
        BINARY("Add", .inputs = "f32:2x7x5x6 =f32:1x7x1x1"),
        BINARY("Add", .inputs = "=f32:7x1x1 f32:2x7x5x6"),
        BINARY("Sub", .inputs = "f32:2x7x5x6 f32:2x7x1x1"),
        BINARY("Sub", .inputs = "=f32:[3] f32:2x7x5x6"),
        BINARY("Mul", .inputs = "f32:2x7x5x6 =f32:1x7x5x6"),
        BINARY("Mul", .inputs = "f32:2x1x5x6 f32:1x7x5x1"),
        BINARY("Mul", .inputs = "f32:2x7x5x6 f32:6"),
        BINARY("Mul", .inputs = "f32:300x200 f32:300x1"),
        BINARY("Mul", .inputs = "f16:2x7x5x6 =f16:7x1x1", .of_each = 1e-3),
        BINARY("Div", .inputs = "f32:2x7x5 f32:7x5", .of_each = 1e-7),
        BINARY("Div", .inputs = "f32:2x7x5 =f32:[0]"),
        BINARY("Max", .inputs = "f32:2x7x5x6 f32:5x6"),
        BINARY("Min", .inputs = "f32:33 f32:33"),
        BINARY("Sum", .inputs = "f32:33x2 f32:33x1"),
        BINARY("PRelu", .inputs = "f32:2x7x5x6 =f32:7x1x1", .of_each = 1e-7),
        BINARY("Add", .inputs = "f32:1 f32:4x2x3x5"),
        BINARY("Add", .inputs = "bf16:2x7x5x6 bf16:2x7x5x6", .of_each = 0x1p-7),
        BINARY("Sub", .inputs = "=bf16:7x1x1 bf16:2x7x5x6", .of_each = 0x1p-7),
        BINARY("Mul", .inputs = "bf16:2x40x5x6 bf16:2x40x1x1", .of_each = 0x1p-7),
        BINARY("Mul", .inputs = "bf16:2x7x5x6 bf16:2x1x5x6", .of_each = 0x1p-7),
        BINARY("Mul", .inputs = "bf16:300x200 =bf16:[3]", .of_each = 0x1p-7),
        BINARY("Max", .inputs = "bf16:2x7x5x6 bf16:5x6"),
        BINARY("Add", .inputs = "f32:2x3x4x5x6 f32:4x5x1"),
        // Rows that share an operand, many of which make one run of the loop: more than once, and each picture's own.
        BINARY("Mul", .inputs = "f32:2x24x19x21 f32:2x24x1x1"),
        BINARY("Sub", .inputs = "=f32:1x7x1x1 f32:1x7x33x41"),
        BINARY("Div", .inputs = "f32:3x512x3x1 f32:3x512x1x1", .of_each = 1e-7),
        BINARY("Mul", .inputs = "bf16:2x24x19x21 bf16:2x24x1x1", .of_each = 0x1p-7),
        BINARY("Sub", .inputs = "bf16:1x1x1x33 bf16:3x100x2x33", .of_each = 0x1p-7),
    };
    KERNEL_CASES_RUN(cases);
}

static void cast_half__matches_reference(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {.domain = "", .op = "Cast", .tactics = "cast_bf16", .inputs = "f32:2x7x5x6@9", .attrs = "to=16"},
        {.domain = "", .op = "Cast", .tactics = "cast_bf16", .inputs = "bf16:1x37x3x3", .attrs = "to=1"},
        {.domain = "", .op = "Cast", .tactics = "cast_f16", .inputs = "f32:2x7x5x6@9", .attrs = "to=10"},
        {.domain = "", .op = "Cast", .tactics = "cast_f16", .inputs = "f16:1x37x3x3", .attrs = "to=1"},
    };
    KERNEL_CASES_RUN(cases);
}

// What a loop of vectors could get wrong and random numbers don't show: halfway cases, the ends of the range, NaN.
static void loops_half__round_as_the_portable_functions(void **unused)
{
    (void)unused;
    const uint32_t bits[] = {0,          0x80000000, 1,          0x00007fff, 0x00008000, 0x00018000, 0x3f808000,
                             0x3f818000, 0x3f808001, 0x3f801000, 0x3f803000, 0x33000000, 0x33000001, 0x387fe000,
                             0x387ff000, 0xb8000fff, 0x477fefff, 0xc77ff000, 0x7f7fffff, 0xff7f8000, 0x7f800000,
                             0xff800000, 0x7f800001, 0xffc00000, 0x7fffffff, 0xffffffff};
    enum { N = sizeof bits / sizeof *bits };
    float x[N], back[N];
    uint16_t y[N];
    memcpy(x, bits, sizeof bits);
    const ferry_loops_half_row *row;
    for (size_t i = 0; (row = ferry_loops_half_at(i)); i++) {
        if ((row->isa & ~ferry_isa_detect()) != 0) continue;
        const bool brain = row->dtype == FERRY_BF16;
        row->narrow(x, y, N);
        row->widen(y, back, N);
        for (size_t k = 0; k < N; k++) {
            assert_int_equal(y[k], brain ? ferry_bf16_from_f32(x[k]) : ferry_f16_from_f32(x[k]));
            const float wide = brain ? ferry_f32_from_bf16(y[k]) : ferry_f32_from_f16(y[k]);
            assert_int_equal(ferry_f32_bits(back[k]), ferry_f32_bits(wide));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary_f32__matches_reference),
        cmocka_unit_test(unary_f32__takes_the_scales_and_shifts_behind),
        cmocka_unit_test(binary_f32__matches_reference_broadcast_and_in_place),
        cmocka_unit_test(cast_half__matches_reference),
        cmocka_unit_test(loops_half__round_as_the_portable_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

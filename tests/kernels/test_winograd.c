// SPDX-License-Identifier: Apache-2.0
// Winograd's filtering in f32, of f32 and bf16 tensors, against the reference: borders, tiles that are not whole, tails
// of channels, blocks, epilogues.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

// Sums of up to some hundred products a point, and the transforms' own rounding; the reference sums in float, too.
#define F2(op_domain, op_name) .domain = op_domain, .op = op_name, .of_largest = 2e-6, .tactics = "conv_f32_winograd2"
#define F4(op_domain, op_name) .domain = op_domain, .op = op_name, .of_largest = 4e-6, .tactics = "conv_f32_winograd4"

// Both sizes of tile.
#define BOTH(...)                                                                                                      \
    {F2("", "Conv"), __VA_ARGS__},                                                                                     \
    {                                                                                                                  \
        F4("", "Conv"), __VA_ARGS__                                                                                    \
    }
#define FUSED(...)                                                                                                     \
    {F2("ferry", "FusedConv"), __VA_ARGS__},                                                                           \
    {                                                                                                                  \
        F4("ferry", "FusedConv"), __VA_ARGS__                                                                          \
    }

static void winograd_f32__matches_reference_for_every_geometry(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        BOTH(.inputs = "f32:1x16x8x8 =f32:32x16x3x3 =f32:32", .attrs = "pads=1,1,1,1"),
        BOTH(.inputs = "f32:1x8x3x3 =f32:1x8x3x3"),
        BOTH(.inputs = "f32:1x8x1x1 =f32:5x8x3x3 =f32:5", .attrs = "pads=1,1,1,1"),
        BOTH(.inputs = "f32:1x9x4x3 =f32:8x9x3x3", .attrs = "pads=1,1,1,1"),
        BOTH(.inputs = "f32:2x17x5x7 =f32:33x17x3x3 =f32:33", .attrs = "pads=1,1,1,1"),
        BOTH(.inputs = "f32:3x24x9x6 =f32:20x24x3x3 =f32:20", .attrs = "pads=0,1,2,1"),
        BOTH(.inputs = "f32:1x12x7x10 =f32:16x12x3x3", .attrs = "auto_pad=SAME_LOWER"),
        BOTH(.inputs = "f32:1x8x2x11 =f32:9x8x3x3 =f32:9", .attrs = "pads=5,4,4,7"),
        BOTH(.inputs = "f32:1x31x13x13 =f32:100x31x3x3 =f32:100", .attrs = "pads=1,1,1,1"),
        BOTH(.inputs = "f32:1x130x6x6 =f32:65x130x3x3 =f32:65", .attrs = "pads=1,1,1,1"),
        BOTH(.inputs = "f32:1x16x8x8@1000 =f32:32x16x3x3@0.001 =f32:32", .attrs = "pads=1,1,1,1"),
    };
    KERNEL_CASES_RUN(cases);
}

// Enough tiles for several blocks, one after the other and side by side.
static void winograd_f32__does_not_depend_on_blocks(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        BOTH(.inputs = "f32:1x64x50x49 =f32:8x64x3x3 =f32:8", .attrs = "pads=1,1,1,1"),
        BOTH(.inputs = "f32:3x48x21x22 =f32:10x48x3x3 =f32:10", .attrs = "pads=1,1,1,1"),
    };
    KERNEL_CASES_RUN(cases);
}

static void winograd_f32__matches_reference_for_every_epilogue(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        FUSED(.inputs = "f32:1x16x7x9 =f32:33x16x3x3 =f32:33", .attrs = "pads=1,1,1,1 act=relu"),
        FUSED(.inputs = "f32:1x16x8x8 =f32:32x16x3x3 =f32:32",
              .attrs = "pads=1,1,1,1 act=clip act_alpha=-8 act_beta=7"),
        FUSED(.inputs = "f32:1x16x7x7 =f32:20x16x3x3 =f32:20", .attrs = "act=leaky_relu act_alpha=0.1"),
        FUSED(.inputs = "f32:1x16x8x8 =f32:32x16x3x3 -",
              .attrs = "pads=1,1,1,1 act=hard_sigmoid act_alpha=0.2 act_beta=0.5"),
        FUSED(.inputs = "f32:1x16x7x7 =f32:33x16x3x3 =f32:33 f32:1x33x7x7", .attrs = "pads=1,1,1,1 act=relu"),
        FUSED(.inputs = "f32:2x16x8x8 =f32:48x16x3x3 - f32:2x48x8x8",
              .attrs = "pads=1,1,1,1 act=relu act_first=1 r_mult=0.5"),
        FUSED(.inputs = "f16:1x16x7x7 =f16:33x16x3x3 =f16:33", .of_each = 1e-3, .leave = "conv_f16_gemm",
              .attrs = "act=relu"),
    };
    KERNEL_CASES_RUN(cases);
}

static void winograd_f32__takes_activations_into_its_store(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        BOTH(.inputs = "f32:1x16x8x8 =f32:32x16x3x3 =f32:32", .attrs = "pads=1,1,1,1", .then = "ferry:Silu"),
        BOTH(.inputs = "f32:2x17x7x5 =f32:33x17x3x3", .attrs = "pads=1,1,1,1", .then = "HardSwish"),
        BOTH(.inputs = "f32:1x16x7x9 =f32:33x16x3x3 =f32:33", .then = "ferry:Silu", .plus = "f32:1x33x5x7"),
        FUSED(.inputs = "f32:1x16x7x7 =f32:40x16x3x3 =f32:40 f32:1x40x5x5", .then = "HardSwish"),
    };
    KERNEL_CASES_RUN(cases);
}

// Instruction sets for which there are no kernels of bf16.
#define LACKS "avx2 neon neonfp16 neondot neoni8mm"

// Sums in f32, rounded once: the reference's element, or the bf16 next to it where the sum lies near the middle. Behind
// other nodes, the reference has rounded before.
#define OF_BF16(op_domain, op_name, tactic) .domain = op_domain, .op = op_name, .lacks = LACKS, .tactics = tactic
#define ONCE .of_largest = 4e-6, .of_each = 0x1p-7
#define TWICE .of_largest = 8e-3, .of_each = 1e-2
#define BOTH_BF16(...)                                                                                                 \
    {OF_BF16("", "Conv", "conv_bf16_winograd2"), __VA_ARGS__},                                                         \
    {                                                                                                                  \
        OF_BF16("", "Conv", "conv_bf16_winograd4"), __VA_ARGS__                                                        \
    }
#define FUSED_BF16(...)                                                                                                \
    {OF_BF16("ferry", "FusedConv", "conv_bf16_winograd2"), __VA_ARGS__},                                               \
    {                                                                                                                  \
        OF_BF16("ferry", "FusedConv", "conv_bf16_winograd4"), __VA_ARGS__                                              \
    }

static void winograd_bf16__matches_reference(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        BOTH_BF16(ONCE, .inputs = "bf16:1x16x8x8 =bf16:32x16x3x3 =bf16:32", .attrs = "pads=1,1,1,1"),
        BOTH_BF16(ONCE, .inputs = "bf16:2x17x5x7 =bf16:33x17x3x3 =bf16:33", .attrs = "pads=1,1,1,1"),
        BOTH_BF16(ONCE, .inputs = "bf16:1x9x4x3 =bf16:8x9x3x3", .attrs = "pads=1,0,0,1"),
        BOTH_BF16(ONCE, .inputs = "bf16:1x40x21x22 =bf16:70x40x3x3 =bf16:70", .attrs = "pads=1,1,1,1"),
        FUSED_BF16(ONCE, .inputs = "bf16:1x16x7x9 =bf16:33x16x3x3 =bf16:33", .attrs = "pads=1,1,1,1 act=relu"),
        FUSED_BF16(ONCE, .inputs = "bf16:1x16x7x7 =bf16:33x16x3x3 =bf16:33 bf16:1x33x7x7",
                   .attrs = "pads=1,1,1,1 act=relu r_mult=0.5"),
        BOTH_BF16(TWICE, .inputs = "bf16:1x16x7x9 =bf16:33x16x3x3 =bf16:33", .then = "ferry:Silu",
                  .plus = "bf16:1x33x5x7"),
        FUSED_BF16(TWICE, .inputs = "bf16:1x16x7x7 =bf16:40x16x3x3 =bf16:40 bf16:1x40x5x5", .then = "HardSwish"),
    };
    KERNEL_CASES_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(winograd_f32__matches_reference_for_every_geometry),
        cmocka_unit_test(winograd_f32__does_not_depend_on_blocks),
        cmocka_unit_test(winograd_f32__matches_reference_for_every_epilogue),
        cmocka_unit_test(winograd_f32__takes_activations_into_its_store),
        cmocka_unit_test(winograd_bf16__matches_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

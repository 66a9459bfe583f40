// SPDX-License-Identifier: Apache-2.0
// Every family of CUDA kernels compiled for every generation of GPU, as a build with --target does: without a GPU.
// FERRY_TEST_TARGETS lists kinds of GPU, joined with commas; by default a few that differ most.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend/backend.h"
#include "support/kernel_case.h"

static const kernel_case cases[] = {
    {"ferry", "FusedConv", "f16:8x64x9x9 =f16:256x64x3x3 =f32:256 f16:8x256x9x9", "pads=1,1,1,1 act=relu",
     .outputs = 1},
    {"", "Conv", "f32:2x3x15x17 =f32:33x3x7x7", "pads=3,3,3,3 strides=2,2", .outputs = 1},
    {"ferry", "FusedConv", "f32:1x64x7x7 =f32:128x64x3x3 =f32:128", "pads=1,1,1,1", .permitted = FERRY_OFFER_TF32,
     .may_lack = 1},
    {"ferry", "FusedConv", "f16:8x3x64x64 =f16:64x3x7x7 =f32:64", "pads=3,3,3,3 strides=2,2 act=relu", .outputs = 1},
    {"", "Conv", "bf16:8x3x64x64 =bf16:32x3x3x3 =bf16:32", "pads=1,1,1,1 strides=2,2", .then = "ferry:Silu",
     .may_lack = 1},
    {"ferry", "Silu", "f16:1x8x4x4", .outputs = 1},
    {"ferry", "QMul", "s8:2x16x5x7 s8:2x16x1x1", .attrs = "mult=0.01 b_zero=-128 shift=-7"},
    {"ferry", "QTable", "s8:1x24x7x5 =s8:256", .outputs = 1},
    {"ferry", "QConv", "s8:8x64x9x9 =s8:256x64x3x3 =f32:256@0.01 =f32:256 s8:8x256x9x9",
     "pads=1,1,1,1 act=relu x_zero=-128", .outputs = 1},
    {"ferry", "QConv", "s8:1x96x9x9 =s8:96x1x3x3 =f32:96@0.01 =f32:96", "group=96 pads=1,1,1,1 x_zero=-128",
     .outputs = 1},
    {"", "QuantizeLinear", "f32:777@300 =f32:[1] =s8:[-100]", .outputs = 1},
    {"ferry", "QGlobalAveragePool", "s8:1x64x7x7", "mult=0.7", .outputs = 1},
    {"", "Mul", "f32:2x16x5x7 f32:2x16x1x1", .then = "HardSwish;Mul =f32:1x16x1x1"},
    {"", "Softmax", "f16:2x7x64", .outputs = 1},
    {"", "LogSoftmax", "f32:2x7x64", .attrs = "axis=1"},
    {"", "LayerNormalization", "f16:7x768 =f16:768 =f16:768", .outputs = 1},
    {"", "GroupNormalization", "f32:2x12x5x4 =f32:12 =f32:12", .attrs = "num_groups=3"},
    {"", "ReduceMean", "f32:2x3000 =s64:1[1]", .outputs = 1},
    {"", "Transpose", "f16:2x33x70", .attrs = "perm=0,2,1"},
    {"", "Gather", "s8:2x33x70 s32:3", .attrs = "axis=1"},
    {"ferry", "FusedConv", "f16:1x96x16x16 =f16:96x1x5x5 =f16:96", "group=96 pads=2,2,2,2 strides=2,2",
     .then = "ferry:Silu"},
    {"", "Conv", "f16:1x96x16x16 =f16:96x1x3x3", "group=96 pads=1,1,1,1 strides=2,2", .outputs = 1},
    {"", "Conv", "f16:1x96x16x16 =f16:96x1x7x7 =f16:96", "group=96 pads=3,3,3,3", .outputs = 1},
    {"", "Conv", "f32:1x32x8x8 =f32:64x8x3x3", "group=4", .outputs = 1},
    {"", "ConvTranspose", "f16:1x16x5x4 =f16:16x12x4x4", "strides=2,2", .outputs = 1},
    {"", "MaxPool", "f16:1x16x8x8", "kernel_shape=3,3 strides=2,2", .outputs = 1},
    {"", "AveragePool", "bf16:1x16x8x8", "kernel_shape=3,3 count_include_pad=1", .outputs = 1},
    {"", "GlobalAveragePool", "f16:1x16x8x8", .outputs = 1},
    {"", "GlobalAveragePool", "f16:1x672x14x14",
     .then = "Conv =f16:28x672x1x1 =f16:28;ferry:Silu;Conv =f16:672x28x1x1 =f16:672;Sigmoid"},
    {"", "GlobalAveragePool", "f16:1x1152x7x7",
     .then = "Conv =f16:48x1152x1x1 =f16:48;ferry:Silu;Conv =f16:1152x48x1x1 =f16:1152;Sigmoid", .may_lack = 1},
    {"", "Resize", "f16:1x16x8x8 - =f32:4[1,1,2,2]", "mode=linear", .outputs = 1},
    {"ferry", "FusedConv", "f16:1x96x1x1 =f16:16x96x1x1 =f16:16", "act=relu", .outputs = 1},
    {"", "Where", "bool:4x1x3 f16:4x5x3 f16:1", .outputs = 1},
    {"", "Div", "s64:2x30 s64:30", .outputs = 1},
    {"ferry", "QMatMul", "s8:2x5x8 s8:2x8x7", "mult=0.7", .outputs = 1},
    {"ferry", "QResize", "s8:2x48x9x7 =f32:4[1,1,2,2]", "mult=1.3", .outputs = 1},
    {"", "LRN", "f16:1x8x5x5", "size=5", .outputs = 1},
    {"", "GridSample", "f32:1x8x4x4 f32:1x5x5x2", "mode=cubic padding_mode=reflection", .outputs = 1},
    {"", "GatherElements", "f16:3x70 s32:3x300@69", "axis=-1", .outputs = 1},
    {"", "GatherND", "f32:6x5x7 s64:40x2", .outputs = 1},
    {"", "ScatterElements", "f16:5x4x6 s32:9x3x6 f16:9x3x6", "reduction=mul", .outputs = 1},
    {"", "ScatterND", "f32:8x5 s64:60x2 f32:60", .outputs = 1},
    {"", "OneHot", "s64:3x7 =s64:[10] f32:2", .outputs = 1},
    {"", "ArgMax", "f16:2x21x5x7", "axis=1", .outputs = 1},
    {"", "CumSum", "f32:3x700 =s64:[1]", .outputs = 1},
    {"", "TopK", "f32:2x3000 =s64:1[300]", .outputs = 2},
    {"", "MatMul", "f16:2x3x17x40 f16:3x40x65", .outputs = 1},
};

static void every_family__compiles_for_every_target(void **state)
{
    (void)state;
    const char *wanted = getenv("FERRY_TEST_TARGETS");
    char list[256];
    strncpy(list, wanted && wanted[0] ? wanted : "sm_62,sm_75,sm_87,sm_90", sizeof list - 1);
    list[sizeof list - 1] = 0;
    int compiled = 0;
    char *rest = NULL;
    for (char *target = strtok_r(list, ",", &rest); target; target = strtok_r(NULL, ",", &rest))
        compiled += kernel_cases_compile_cuda(cases, (int)(sizeof cases / sizeof *cases), target);
    if (compiled == 0) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family__compiles_for_every_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

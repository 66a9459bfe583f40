// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's windows against the reference kernels: depthwise, grouped and transposed convolution, pooling,
// resizing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

static void depthwise_convolutions(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Conv", "f32:2x8x9x11 =f32:8x1x3x3 =f32:8", "group=8 pads=1,1,1,1", .of_largest = 1e-5,
         .tactics = "depthwise_2x4"},
        {"", "Conv", "f16:1x16x13x9 =f16:16x1x3x3", "group=16 pads=1,1,1,1 strides=2,2", .of_largest = 2e-3,
         .tactics = "depthwise"},
        {"", "Conv", "f16:1x24x10x7 =f16:24x1x5x5 =f16:24", "group=24 pads=2,2,2,2 strides=2,1", .of_largest = 2e-3,
         .tactics = "depthwise"},
        {"", "Conv", "bf16:2x12x7x7 =bf16:12x1x7x7 =bf16:12", "group=12 pads=3,3,3,3", .of_largest = 1.6e-2,
         .tactics = "depthwise"},
        {"", "Conv", "f32:1x7x8x8 =f32:7x1x3x2", "group=7 pads=2,0,1,1 dilations=2,3", .of_largest = 1e-5,
         .tactics = "depthwise"},
        {"", "Conv", "f32:3x6x17 =f32:6x1x4", "group=6 pads=2,1 strides=3", .of_largest = 1e-5, .tactics = "depthwise"},
        {"", "Conv", "f16:1x520x5x3 =f16:520x1x3x3 =f16:520", "group=520 auto_pad=SAME_LOWER", .of_largest = 2e-3,
         .tactics = "depthwise"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void depthwise_convolutions__with_what_follows(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"ferry", "FusedConv", "f16:2x16x6x7 =f16:16x1x3x3 =f16:16 f16:2x16x6x7", "group=16 pads=1,1,1,1 act=relu",
         .of_largest = 2e-3, .tactics = "depthwise"},
        {"ferry", "FusedConv", "f32:2x4x6x7 =f32:4x1x3x3 =f32:4 f32:2x4x6x7",
         "group=4 pads=1,1,1,1 act=clip act_alpha=-0.2 act_beta=0.7 act_first=1", .of_largest = 1e-5,
         .tactics = "depthwise"},
        {"ferry", "FusedConv", "f16:1x8x5x5 =f16:8x1x3x3 =f16:8", "group=8 act=hard_sigmoid act_alpha=0.3 act_beta=0.4",
         .then = "Mul =f16:1x8x1x1", .of_largest = 2e-3, .tactics = "depthwise"},
        {"", "Conv", "f16:2x16x6x7 =f16:16x1x3x3 =f16:16", "group=16 pads=1,1,1,1", .then = "ferry:Silu",
         .of_largest = 2e-3, .tactics = "depthwise"},
        {"", "Conv", "f32:2x8x6x7 =f32:8x1x3x3 =f32:8", "group=8 pads=1,1,1,1", .then = "Mul f32:2x8x1x1;Relu",
         .plus = "f32:2x8x6x7", .of_largest = 1e-5, .tactics = "depthwise"},
        {"", "Conv", "f32:2x8x6x7 =f32:8x1x3x3 =f32:8", "group=8 pads=1,1,1,1",
         .then = "Mul =f32:8x1x1;Add =f32:1x8x1x1;HardSwish", .of_largest = 1e-5, .tactics = "depthwise"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void grouped_convolutions(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Conv", "f32:2x12x9x7 =f32:8x3x3x3 =f32:8", "group=4 pads=1,1,1,1", .of_largest = 1e-5,
         .tactics = "conv_simt"},
        {"", "Conv", "f16:1x64x6x6 =f16:32x16x3x3 =f16:32", "group=4 pads=1,0,1,2 strides=2,1", .then = "ferry:Silu",
         .of_largest = 2e-3, .tactics = "conv_simt"},
        {"", "Conv", "bf16:1x8x6x6 =bf16:24x1x3x3", "group=8 dilations=2,1", .of_largest = 1.6e-2,
         .tactics = "conv_simt"},
        {"ferry", "FusedConv", "f32:2x4x5x6x7 =f32:6x4x2x3x3 =f32:6 f32:2x6x5x6x4",
         "pads=1,1,1,0,1,1 strides=1,1,2 act=leaky_relu act_alpha=0.1", .of_largest = 1e-5, .tactics = "conv_simt"},
        {"", "Conv", "f32:1x4x6x6x6 =f32:4x1x3x3x3", "group=4 pads=1,1,1,1,1,1", .of_largest = 1e-5,
         .tactics = "conv_simt"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void transposed_convolutions(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "ConvTranspose", "f32:2x6x5x7 =f32:6x8x2x2 =f32:8", "strides=2,2", .of_largest = 1e-5,
         .tactics = "conv_transpose_simt"},
        {"", "ConvTranspose", "f16:1x16x5x4 =f16:16x12x4x4 =f16:12", "strides=2,2 pads=1,1,1,1", .then = "Relu",
         .of_largest = 2e-3, .tactics = "conv_transpose_simt"},
        {"", "ConvTranspose", "f32:1x8x6x5 =f32:8x3x3x3", "group=2 strides=3,1 dilations=1,2 output_padding=2,0",
         .of_largest = 1e-5, .tactics = "conv_transpose_simt"},
        {"", "ConvTranspose", "f32:2x3x9 =f32:3x5x4", "strides=2 auto_pad=SAME_UPPER", .of_largest = 1e-5,
         .tactics = "conv_transpose_simt"},
        {"", "ConvTranspose", "f32:1x4x3x4x5 =f32:4x4x2x2x3", "strides=2,1,2 pads=0,1,0,1,0,1", .of_largest = 1e-5,
         .tactics = "conv_transpose_simt"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void pooling(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "MaxPool", "f16:2x16x13x11", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", .tactics = "pool_channels_last"},
        {"", "MaxPool", "f32:2x6x13x11", "kernel_shape=2,3 strides=2,1 dilations=2,1 ceil_mode=1",
         .tactics = "pool_plain"},
        {"", "MaxPool", "f32:1x5x7x6x5", "kernel_shape=3,2,2 strides=2,2,1", .tactics = "pool_plain"},
        {"", "MaxPool", "f16:1x8x20x20", "kernel_shape=13,13 pads=6,6,6,6", .tactics = "pool_channels_last"},
        {"", "AveragePool", "f16:2x24x9x9", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", .of_largest = 1e-3,
         .tactics = "pool_channels_last"},
        {"", "AveragePool", "f32:2x4x9x10", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1 count_include_pad=1 ceil_mode=1",
         .of_largest = 1e-6, .tactics = "pool_plain"},
        {"", "AveragePool", "bf16:1x12x30", "kernel_shape=5 strides=2 pads=1,2", .of_largest = 8e-3,
         .tactics = "pool_channels_last"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void pooling_of_planes(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "GlobalAveragePool", "f16:2x96x7x7", .of_largest = 1e-3, .tactics = "pool_global_channels_last"},
        {"", "GlobalAveragePool", "f32:3x5x40x41", .of_largest = 1e-5, .tactics = "pool_global_plain"},
        {"", "GlobalAveragePool", "f16:1x24x33x65", .of_largest = 1e-3, .tactics = "pool_global_channels_last"},
        {"", "GlobalMaxPool", "bf16:2x12x33x21", .tactics = "pool_global_channels_last"},
        {"", "GlobalMaxPool", "f32:2x7x5x3x2", .tactics = "pool_global_plain"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void resizing(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Resize", "f16:2x16x5x7 - =f32:4[1,1,2,2]",
         "mode=nearest coordinate_transformation_mode=asymmetric nearest_mode=floor",
         .tactics = "resize_channels_last"},
        {"", "Resize", "s8:2x6x5x7 - =f32:4[1,1,1.6,0.7]", "mode=nearest", .tactics = "resize_plain"},
        {"", "Resize", "s64:1x3x4x5 - - =s64:4[1,3,9,6]", "mode=nearest nearest_mode=ceil", .tactics = "resize_plain"},
        {"", "Resize", "f32:1x2x7 - =f32:3[1,1,2.5]", "mode=nearest nearest_mode=round_prefer_ceil",
         .tactics = "resize_plain"},
        {"", "Resize", "f32:2x8x5x7 - - =s64:4[2,8,9,4]", "mode=linear", .of_largest = 1e-5,
         .tactics = "resize_channels_last"},
        {"", "Resize", "f16:1x12x5x7 - - =s64:4[1,12,10,14]",
         "mode=linear coordinate_transformation_mode=align_corners", .of_largest = 1e-3,
         .tactics = "resize_channels_last"},
        {"", "Resize", "f32:1x3x4x5x6 - =f32:5[1,1,2,1,1.5]",
         "mode=linear coordinate_transformation_mode=pytorch_half_pixel", .of_largest = 1e-5,
         .tactics = "resize_plain"},
        {"", "Resize", "f32:1x4x6x5 - =f32:4[1,1,1.7,2]", "mode=cubic cubic_coeff_a=-0.5", .of_largest = 1e-5,
         .tactics = "resize_channels_last"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void products_of_few_rows(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"ferry", "FusedGemm", "f16:1x1280 =f16:1280x50 =f16:50", .of_largest = 2e-3, .tactics = "vector_product"},
        {"ferry", "FusedGemm", "f32:3x100 =f32:37x100 =f32:37 f32:3x37", "transB=1 act=relu", .of_largest = 1e-5,
         .tactics = "vector_product"},
        {"ferry", "FusedGemm", "f32:2x3x30 =f32:30x20", .then = "ferry:Silu", .of_largest = 1e-5,
         .tactics = "vector_product"},
        {"ferry", "FusedConv", "f16:1x96x1x1 =f16:4x96x1x1 =f16:4", "act=relu", .of_largest = 2e-3,
         .tactics = "vector_product"},
        {"", "Conv", "f16:2x6x1x1 =f16:144x6x1x1 =f16:144", .then = "Sigmoid", .of_largest = 2e-3,
         .tactics = "vector_product"},
        {"", "Conv", "bf16:5x40x1 =bf16:24x40x1", .then = "Mul =bf16:24x1;HardSwish", .of_largest = 1.6e-2,
         .tactics = "vector_product"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void squeeze_and_excitation(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "GlobalAveragePool", "f16:2x96x9x7",
         .then = "Conv =f16:4x96x1x1 =f16:4;ferry:Silu;Conv =f16:96x4x1x1 =f16:96;Sigmoid", .of_largest = 2e-3,
         .tactics = "squeeze"},
        {"", "GlobalAveragePool", "f32:1x40x33x31",
         .then = "ferry:FusedConv act=relu =f32:10x40x1x1 =f32:10;ferry:FusedConv act=hard_sigmoid act_alpha=0.2 "
                 "act_beta=0.5 =f32:300x10x1x1",
         .of_largest = 1e-5, .tactics = "squeeze"},
        {"", "GlobalAveragePool", "f16:1x1152x7x7",
         .then = "Conv =f16:48x1152x1x1 =f16:48;ferry:Silu;Conv =f16:1152x48x1x1 =f16:1152;Sigmoid", .of_largest = 2e-3,
         .tactics = "squeeze"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void grid_samples__look_where_the_grid_says(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "GridSample", "f32:2x9x5x7 f32:2x4x6x2@1.5", .of_largest = 1e-5, .tactics = "grid_sample"},
        {"", "GridSample", "f32:1x3x5x7 f32:1x4x6x2@3", "mode=nearest padding_mode=border", .tactics = "grid_sample"},
        {"", "GridSample", "f32:1x3x5x7 f32:1x40x6x2@9", "mode=cubic padding_mode=reflection align_corners=1",
         .of_largest = 1e-4, .tactics = "grid_sample"},
        {"", "GridSample", "f16:1x20x5x7 f16:1x4x6x2@2", "padding_mode=reflection", .of_largest = 2e-3,
         .tactics = "grid_sample"},
        {"", "GridSample", "f32:1x3x1x1 =f32:1x2x1x2[nan,-inf,inf,0]", "mode=nearest padding_mode=border",
         .tactics = "grid_sample"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_samples__look_where_the_grid_says),
        cmocka_unit_test(depthwise_convolutions),
        cmocka_unit_test(depthwise_convolutions__with_what_follows),
        cmocka_unit_test(grouped_convolutions),
        cmocka_unit_test(transposed_convolutions),
        cmocka_unit_test(pooling),
        cmocka_unit_test(pooling_of_planes),
        cmocka_unit_test(resizing),
        cmocka_unit_test(products_of_few_rows),
        cmocka_unit_test(squeeze_and_excitation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

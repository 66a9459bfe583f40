// SPDX-License-Identifier: Apache-2.0
// Times the CPU's kernels on shapes of real layers, one thread, every instruction set: bench_kernels [WORD]. With a
// word, only lines whose operator or inputs contain it.
#include <stdio.h>
#include <string.h>

#include "support/kernel_case.h"

#define FUSED .domain = "ferry", .op = "FusedConv"
#define QCONV .domain = "ferry", .op = "QConv"
#define RELU "act=relu "

static const struct {
    kernel_case test;
    double millions; // of multiply-adds
} lines[] = {
    {{FUSED, .inputs = "f32:1x3x224x224 =f32:32x3x3x3 =f32:32", .attrs = RELU "strides=2,2 pads=0,0,1,1"}, 10.8},
    {{FUSED, .inputs = "f32:1x3x224x224 =f32:64x3x7x7 =f32:64", .attrs = RELU "strides=2,2 pads=3,3,3,3"}, 118},
    {{FUSED, .inputs = "f32:1x32x112x112 =f32:64x32x1x1 =f32:64", .attrs = RELU}, 25.7},
    {{FUSED, .inputs = "f32:1x16x112x112 =f32:96x16x1x1 =f32:96", .attrs = RELU}, 19.3},
    {{FUSED, .inputs = "f32:1x96x56x56 =f32:24x96x1x1 =f32:24", .attrs = RELU}, 7.2},
    {{FUSED, .inputs = "f32:1x256x14x14 =f32:256x256x1x1 =f32:256", .attrs = RELU}, 12.8},
    {{FUSED, .inputs = "f32:1x320x7x7 =f32:1280x320x1x1 =f32:1280", .attrs = RELU}, 20.1},
    {{FUSED, .inputs = "f32:1x64x56x56 =f32:64x64x3x3 =f32:64", .attrs = RELU "pads=1,1,1,1"}, 115.6},
    {{FUSED, .inputs = "f32:1x16x80x80 =f32:16x16x3x3 =f32:16", .attrs = RELU "pads=1,1,1,1"}, 14.7},
    {{FUSED, .inputs = "f32:1x32x40x40 =f32:32x32x3x3 =f32:32", .attrs = RELU "pads=1,1,1,1"}, 14.7},
    {{FUSED, .inputs = "f32:1x64x40x40 =f32:64x64x3x3 =f32:64", .attrs = RELU "pads=1,1,1,1"}, 59},
    {{FUSED, .inputs = "f32:1x128x28x28 =f32:128x128x3x3 =f32:128", .attrs = RELU "pads=1,1,1,1"}, 115.6},
    {{FUSED, .inputs = "f32:1x256x14x14 =f32:256x256x3x3 =f32:256", .attrs = RELU "pads=1,1,1,1"}, 115.6},
    {{FUSED, .inputs = "f32:1x512x7x7 =f32:512x512x3x3 =f32:512", .attrs = RELU "pads=1,1,1,1"}, 115.6},
    {{FUSED, .inputs = "f32:1x96x112x112 =f32:96x1x3x3 =f32:96", .attrs = RELU "group=96 strides=2,2 pads=0,0,1,1"},
     2.7},
    {{FUSED, .inputs = "f32:1x144x56x56 =f32:144x1x3x3 =f32:144", .attrs = RELU "group=144 pads=1,1,1,1"}, 4.1},
    {{FUSED, .inputs = "f32:1x240x28x28 =f32:240x1x5x5 =f32:240", .attrs = RELU "group=240 pads=2,2,2,2"}, 4.7},
    {{FUSED, .inputs = "f32:1x512x14x14 =f32:512x1x3x3 =f32:512", .attrs = RELU "group=512 pads=1,1,1,1"}, 0.9},
    {{QCONV, .inputs = "s8:1x3x224x224 =s8:32x3x3x3 =f32:32@0.01 =f32:32", .attrs = RELU "strides=2,2 pads=0,0,1,1"},
     10.8},
    {{QCONV, .inputs = "s8:1x32x112x112 =s8:64x32x1x1 =f32:64@0.01 =f32:64", .attrs = RELU}, 25.7},
    {{QCONV, .inputs = "s8:1x16x112x112 =s8:96x16x1x1 =f32:96@0.01 =f32:96", .attrs = RELU}, 19.3},
    {{QCONV, .inputs = "s8:1x96x56x56 =s8:24x96x1x1 =f32:24@0.01 =f32:24", .attrs = RELU}, 7.2},
    {{QCONV, .inputs = "s8:1x256x14x14 =s8:256x256x1x1 =f32:256@0.01 =f32:256", .attrs = RELU}, 12.8},
    {{QCONV, .inputs = "s8:1x320x7x7 =s8:1280x320x1x1 =f32:1280@0.01 =f32:1280", .attrs = RELU}, 20.1},
    {{QCONV, .inputs = "s8:1x64x56x56 =s8:64x64x3x3 =f32:64@0.01 =f32:64", .attrs = RELU "pads=1,1,1,1"}, 115.6},
    {{QCONV, .inputs = "s8:1x512x7x7 =s8:512x512x3x3 =f32:512@0.01 =f32:512", .attrs = RELU "pads=1,1,1,1"}, 115.6},
    {{QCONV, .inputs = "s8:1x96x112x112 =s8:96x1x3x3 =f32:96@0.01 =f32:96",
      .attrs = RELU "group=96 strides=2,2 pads=0,0,1,1"},
     2.7},
    {{QCONV, .inputs = "s8:1x144x56x56 =s8:144x1x3x3 =f32:144@0.01 =f32:144", .attrs = RELU "group=144 pads=1,1,1,1"},
     4.1},
    {{QCONV, .inputs = "s8:1x240x28x28 =s8:240x1x5x5 =f32:240@0.01 =f32:240", .attrs = RELU "group=240 pads=2,2,2,2"},
     4.7},
    {{FUSED, .inputs = "f32:1x64x14x14 =f32:384x64x1x1 =f32:384", .attrs = RELU,
      .then = "ferry:FusedConv =f32:384x1x3x3 =f32:384 group=384 pads=1,1,1,1 act=relu;"
              "ferry:FusedConv =f32:64x384x1x1 =f32:64"},
     10.3},
    {{FUSED, .inputs = "f32:1x24x56x56 =f32:144x24x1x1 =f32:144", .attrs = RELU,
      .then = "ferry:FusedConv =f32:144x1x3x3 =f32:144 group=144 pads=1,1,1,1 act=relu;"
              "ferry:FusedConv =f32:24x144x1x1 =f32:24"},
     25.7},
    {{.domain = "ferry", .op = "FusedGemm", .inputs = "f32:1x1280 =f32:1280x1000 =f32:1000"}, 1.28},
    {{.domain = "ferry", .op = "QGemm", .inputs = "s8:1x1280 =s8:1280x1000 =f32:1000@0.01 =f32:1000"}, 1.28},
    {{.domain = "ferry", .op = "Silu", .inputs = "f32:1x64x104x104"}, 0},
    {{.domain = "", .op = "Sigmoid", .inputs = "f32:1x64x104x104"}, 0},
    {{.domain = "", .op = "Erf", .inputs = "f32:1x64x104x104"}, 0},
    {{.domain = "", .op = "Add", .inputs = "f32:1x64x56x56 f32:1x64x56x56"}, 0},
    {{.domain = "", .op = "Mul", .inputs = "f32:1x64x56x56 f32:1x64x1x1"}, 0},
    {{.domain = "ferry", .op = "QAdd", .inputs = "s8:1x64x56x56 s8:1x64x56x56", .attrs = "a_mult=0.5 b_mult=0.7"}, 0},
    {{.domain = "ferry", .op = "QTable", .inputs = "s8:1x64x104x104 =s8:256"}, 0},
    {{.domain = "",
      .op = "MaxPool",
      .inputs = "f32:1x64x112x112",
      .attrs = "kernel_shape=3,3 strides=2,2 pads=1,1,1,1"},
     0},
    {{.domain = "", .op = "GlobalAveragePool", .inputs = "f32:1x1280x7x7"}, 0},
    {{.domain = "", .op = "Softmax", .inputs = "f32:40x6625"}, 0},
};

int main(int count, char **arguments)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        kernel_case test = lines[i].test;
        test.may_lack = 1;
        if (count < 2 || strstr(test.op, arguments[1]) || strstr(test.inputs, arguments[1]))
            kernel_case_bench(&test, lines[i].millions * 1e6);
    }
    return 0;
}

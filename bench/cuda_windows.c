// SPDX-License-Identifier: Apache-2.0
// Times the CUDA backend's windows (depthwise convolution, pooling, resizing) and products of few rows on layers of
// real networks, beside what their prices say, at batches of 1 and 64.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/kernel_case.h"

typedef struct layer {
    const char *domain, *op, *inputs, *attrs, *then; // "N" in the inputs is the batch
} layer;

#define DEPTHWISE(channels, size, kernel, pad, stride)                                                                 \
    {                                                                                                                  \
        "", "Conv",                                                                                                    \
            "f16:Nx" #channels "x" #size "x" #size " =f16:" #channels "x1x" #kernel "x" #kernel " =f16:" #channels,    \
            "group=" #channels " pads=" #pad "," #pad "," #pad "," #pad " strides=" #stride "," #stride, "ferry:Silu"  \
    }
#define SQUEEZE(in, out, then)                                                                                         \
    {                                                                                                                  \
        "", "Conv", "f16:Nx" #in "x1x1 =f16:" #out "x" #in "x1x1 =f16:" #out, NULL, then                               \
    }

static const layer layers[] = {
    DEPTHWISE(32, 112, 3, 1, 1),
    DEPTHWISE(96, 112, 3, 1, 2),
    DEPTHWISE(144, 56, 3, 1, 1),
    DEPTHWISE(144, 56, 5, 2, 2),
    DEPTHWISE(240, 28, 5, 2, 1),
    DEPTHWISE(576, 14, 3, 1, 1),
    DEPTHWISE(672, 14, 5, 2, 1),
    DEPTHWISE(960, 7, 3, 1, 1),
    {"", "MaxPool", "f16:Nx64x112x112", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", NULL},
    {"", "GlobalAveragePool", "f16:Nx32x112x112", NULL, NULL},
    {"", "GlobalAveragePool", "f16:Nx144x56x56", NULL, NULL},
    {"", "GlobalAveragePool", "f16:Nx672x14x14", NULL, NULL},
    {"", "GlobalAveragePool", "f16:Nx1280x7x7", NULL, NULL},
    SQUEEZE(96, 4, "ferry:Silu"),
    SQUEEZE(1152, 48, "ferry:Silu"),
    SQUEEZE(48, 1152, "Sigmoid"),
    {"ferry", "FusedGemm", "f16:Nx1280 =f16:1280x1000 =f16:1000", NULL, NULL},
    {"", "Resize", "f16:Nx256x20x20 - =f32:4[1,1,2,2]",
     "mode=nearest coordinate_transformation_mode=asymmetric nearest_mode=floor", NULL},
};

static void put_batch(const char *inputs, int batch, char *out, size_t room)
{
    const char *n = strchr(inputs, 'N');
    snprintf(out, room, "%.*s%d%s", (int)(n - inputs), inputs, batch, n + 1);
}

static void every_layer(void **state)
{
    (void)state;
    const int batches[] = {1, 64};
    for (size_t b = 0; b < 2; b++)
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
            char inputs[128];
            put_batch(layers[i].inputs, batches[b], inputs, sizeof inputs);
            const kernel_case test = {layers[i].domain, layers[i].op,           inputs,
                                      layers[i].attrs,  .then = layers[i].then, .may_lack = 1};
            kernel_case_bench_cuda(&test);
            fflush(stdout);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_layer)};
    return kernel_case_has_cuda() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}

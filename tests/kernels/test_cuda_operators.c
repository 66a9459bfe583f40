// SPDX-License-Identifier: Apache-2.0
// Which operators have a CUDA kernel: a plain case of each is offered one, or docs/CUDA.md says that it has none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ops/op.h"
#include "support/kernel_case.h"

// What operators take that is not one f32 tensor, or two of one shape.
static const kernel_case cases[] = {
    {"", "Conv", "f32:1x8x5x5 =f32:8x8x3x3", .outputs = 1},
    {"", "ConvTranspose", "f32:1x8x5x5 =f32:8x8x3x3", .outputs = 1},
    {"", "ConvInteger", "u8:1x8x5x5 =u8:8x8x3x3", .outputs = 1},
    {"", "MaxPool", "f32:1x8x5x5", "kernel_shape=2,2", .outputs = 1},
    {"", "AveragePool", "f32:1x8x5x5", "kernel_shape=2,2", .outputs = 1},
    {"", "LpPool", "f32:1x8x5x5", "kernel_shape=2,2", .outputs = 1},
    {"", "BatchNormalization", "f32:1x8x5x5 =f32:8 =f32:8 =f32:8 =f32:8", .outputs = 1},
    {"", "InstanceNormalization", "f32:1x8x5x5 =f32:8 =f32:8", .outputs = 1},
    {"", "LayerNormalization", "f32:4x8 =f32:8 =f32:8", .outputs = 1},
    {"", "GroupNormalization", "f32:1x8x5x5 =f32:8 =f32:8", "num_groups=2", .outputs = 1},
    {"", "RMSNormalization", "f32:4x8 =f32:8", .outputs = 1},
    {"", "MeanVarianceNormalization", "f32:1x8x5x5", .outputs = 1},
    {"", "LRN", "f32:1x8x5x5", "size=5", .outputs = 1},
    {"", "MatMul", "f32:4x8 f32:8x4", .outputs = 1},
    {"", "Gemm", "f32:4x8 =f32:8x4", .outputs = 1},
    {"", "MatMulInteger", "u8:4x8 u8:8x4", .outputs = 1},
    {"", "Not", "bool:4x8", .outputs = 1},
    {"", "BitwiseNot", "s32:4x8", .outputs = 1},
    {"", "And", "bool:4x8 bool:4x8", .outputs = 1},
    {"", "Or", "bool:4x8 bool:4x8", .outputs = 1},
    {"", "Xor", "bool:4x8 bool:4x8", .outputs = 1},
    {"", "BitwiseAnd", "s32:4x8 s32:4x8", .outputs = 1},
    {"", "BitwiseOr", "s32:4x8 s32:4x8", .outputs = 1},
    {"", "BitwiseXor", "s32:4x8 s32:4x8", .outputs = 1},
    {"", "BitShift", "u8:4x8 u8:4x8", "direction=LEFT", .outputs = 1},
    {"", "Where", "bool:4x8 f32:4x8 f32:4x8", .outputs = 1},
    {"", "Mod", "s64:4x8 s64:4x8", .outputs = 1},
    {"", "Sum", "f32:4x8 f32:4x8", .outputs = 1},
    {"", "Mean", "f32:4x8 f32:4x8", .outputs = 1},
    {"", "Max", "f32:4x8 f32:4x8", .outputs = 1},
    {"", "Min", "f32:4x8 f32:4x8", .outputs = 1},
    {"", "CumSum", "f32:4x8 =s64:[0]", .outputs = 1},
    {"", "Cast", "f32:4x8", "to=7", .outputs = 1},
    {"", "CastLike", "f32:4x8 s64:1", .outputs = 1},
    {"", "Expand", "f32:4x1 =s64:2[4,8]", .outputs = 1},
    {"", "Concat", "f32:4x8 f32:4x8", "axis=0", .outputs = 1},
    {"", "Split", "f32:4x8", "num_outputs=2", .outputs = 2},
    {"", "Tile", "f32:4x8 =s64:2[1,2]", .outputs = 1},
    {"", "Slice", "f32:4x8 =s64:1[0] =s64:1[2]", .outputs = 1},
    {"", "Pad", "f32:4x8 =s64:4[0,1,0,1]", .outputs = 1},
    {"", "DepthToSpace", "f32:1x8x2x2", "blocksize=2", .outputs = 1},
    {"", "SpaceToDepth", "f32:1x8x2x2", "blocksize=2", .outputs = 1},
    {"", "ReverseSequence", "f32:4x8 s64:8", .outputs = 1},
    {"", "Compress", "f32:4x8 bool:32", .outputs = 1},
    {"", "Gather", "f32:4x8 s64:2", .outputs = 1},
    {"", "GatherElements", "f32:4x8 s64:4x8", .outputs = 1},
    {"", "GatherND", "f32:4x8 s64:3x2", .outputs = 1},
    {"", "Scatter", "f32:4x8 s64:4x8 f32:4x8", .outputs = 1},
    {"", "ScatterElements", "f32:4x8 s64:4x8 f32:4x8", .outputs = 1},
    {"", "ScatterND", "f32:4x8 s64:3x2 f32:3", .outputs = 1},
    {"", "OneHot", "s64:4 =s64:[8] f32:2", .outputs = 1},
    {"", "Resize", "f32:1x8x4x4 - =f32:4[1,1,2,2]", "mode=linear", .outputs = 1},
    {"", "GridSample", "f32:1x8x4x4 f32:1x5x5x2", .outputs = 1},
    {"", "TopK", "f32:4x8 =s64:1[3]", .outputs = 2},
    {"", "NonMaxSuppression", "f32:1x8x4 f32:1x1x8", .outputs = 1},
    {"", "QuantizeLinear", "f32:4x8 =f32:[1] =s8:[0]", .outputs = 1},
    {"", "DequantizeLinear", "s8:4x8 =f32:[1] =s8:[0]", .outputs = 1},
    {"", "DynamicQuantizeLinear", "f32:4x8", .outputs = 3},
    {"ferry", "FusedConv", "f32:1x8x5x5 =f32:8x8x3x3", "act=relu", .outputs = 1},
    {"ferry", "FusedGemm", "f32:4x8 =f32:8x4", "act=relu", .outputs = 1},
    {"ferry", "QConv", "s8:1x8x5x5 =s8:8x8x3x3 =f32:8 =f32:8", .outputs = 1},
    {"ferry", "QGemm", "s8:4x8 =s8:8x4 =f32:4 =f32:4", .outputs = 1},
    {"ferry", "QMatMul", "s8:4x8 s8:8x4", "mult=0.01", .outputs = 1},
    {"ferry", "QAdd", "s8:4x8 s8:4x8", .outputs = 1},
    {"ferry", "QMul", "s8:4x8 s8:4x8", .outputs = 1},
    {"ferry", "QAveragePool", "s8:1x8x5x5", "kernel_shape=2,2", .outputs = 1},
    {"ferry", "QGlobalAveragePool", "s8:1x8x5x5", .outputs = 1},
    {"ferry", "QResize", "s8:1x8x4x4 =f32:4[1,1,2,2]", .outputs = 1},
    {"ferry", "QTable", "s8:4x8 =s8:256", .outputs = 1},
};

// The paragraph of docs/CUDA.md that names them all.
static void read_named(char *out, size_t bytes)
{
    static const char begin[] = "No kernel have";
    char path[1024], line[1024];
    const char *source = getenv("FERRY_SOURCE_DIR");
    assert_non_null(source);
    snprintf(path, sizeof path, "%s/docs/CUDA.md", source);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = 0;
    while (fgets(line, sizeof line, file)) {
        if (length == 0 && strncmp(line, begin, sizeof begin - 1) != 0) continue;
        if (line[0] == '\n') break;
        const int n = snprintf(out + length, bytes - length, "%s", line);
        assert_true(n > 0 && (size_t)n < bytes - length);
        length += (size_t)n;
    }
    fclose(file);
    assert_true(length > 0);
}

static kernel_case case_of(const ferry_op *op)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].op, op->name) == 0 && strcmp(cases[i].domain, op->domain) == 0) return cases[i];
    const bool spatial = strncmp(op->name, "Global", 6) == 0;
    return (kernel_case){.domain = op->domain,
                         .op = op->name,
                         .inputs = spatial               ? "f32:1x8x4x4"
                                   : op->min_inputs == 2 ? "f32:4x8 f32:4x8"
                                                         : "f32:4x8",
                         .outputs = 1};
}

// Views, what only reads shapes, and what is a constant or gone by the time that plans are made.
static bool takes_no_kernel(const ferry_op *op)
{
    static const char *const names[] = {"ConstantOfShape", "Dropout", "EyeLike", "Range"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(op->name, names[i]) == 0) return true;
    return (op->flags & (FERRY_OP_VIEW | FERRY_OP_SHAPE_ONLY)) != 0;
}

static void operators__have_a_kernel_or_are_documented_not_to(void **state)
{
    (void)state;
    char named[4096], word[64];
    read_named(named, sizeof named);
    int wrong = 0;
    const ferry_op *op;
    for (size_t i = 0; (op = ferry_op_at(i)); i++) {
        if (takes_no_kernel(op)) continue;
        const kernel_case test = case_of(op);
        snprintf(word, sizeof word, "`%s`", op->name);
        const bool offered = kernel_case_is_offered_cuda(&test, "sm_87"), documented = strstr(named, word) == NULL;
        if (offered == documented) continue;
        print_error("%s %s, but docs/CUDA.md says otherwise\n", op->name, offered ? "has a kernel" : "has no kernel");
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators__have_a_kernel_or_are_documented_not_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

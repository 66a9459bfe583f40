// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's data movers against the reference kernels of the data movers, for every element size and layout.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "support/kernel_case.h"

#define CASE .domain = "", .tactics = "move"

// Runs a case for elements of 1, 2, 4 and 8 bytes, two of them in turn; %s in the inputs is the type.
static void run_for_every_size(const kernel_case *with_type, size_t turn)
{
    static const char *const types[] = {"s8", "f32", "f16", "s64"};
    for (size_t i = turn % 2; i < sizeof types / sizeof *types; i += 2) {
        char inputs[256];
        kernel_case c = *with_type;
        snprintf(inputs, sizeof inputs, with_type->inputs, types[i], types[i], types[i]);
        c.inputs = inputs;
        kernel_cases_run_cuda(&c, 1);
    }
}
#define RUN_FOR_EVERY_SIZE(cases)                                                                                      \
    for (size_t each = 0; each < sizeof(cases) / sizeof((cases)[0]); each++) run_for_every_size(&(cases)[each], each)

static void concat__joins_parts_in_every_layout(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {CASE, .op = "Concat", .inputs = "%s:1x5x6x7 %s:1x16x6x7", .attrs = "axis=1"},
        {CASE, .op = "Concat", .inputs = "%s:2x5x6x7 %s:2x1x6x7 %s:2x40x6x7", .attrs = "axis=1"},
        {CASE, .op = "Concat", .inputs = "%s:2x5x6x7 %s:2x5x6x2", .attrs = "axis=-1"},
        {CASE, .op = "Concat", .inputs = "%s:2x5x6x7 %s:1x5x6x7", .attrs = "axis=0"},
        {CASE, .op = "Concat", .inputs = "%s:3x4 =%s:3x2 *0", .attrs = "axis=1"},
        {CASE, .op = "Concat", .inputs = "%s:3 %s:0 %s:4", .attrs = "axis=0"},
        {CASE, .op = "Concat", .inputs = "%s:1x1x6x7 %s:1x1x6x7", .attrs = "axis=1"},
    };
    RUN_FOR_EVERY_SIZE(cases);
}

static void split_and_slice__take_parts_in_every_layout(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {CASE, .op = "Split", .inputs = "%s:1x15x6x7 =s64:3[5,9,1]", .attrs = "axis=1", .outputs = 3},
        {CASE, .op = "Split", .inputs = "%s:2x16x6x7", .attrs = "axis=1", .outputs = 2},
        {CASE, .op = "Split", .inputs = "%s:2x16x6x7", .attrs = "axis=-1 num_outputs=3", .outputs = 3},
        {CASE, .op = "Slice", .inputs = "%s:2x8x9x11 =s64:2[0,1] =s64:2[100,100] =s64:2[2,3] =s64:2[2,2]"},
        {CASE, .op = "Slice", .inputs = "%s:2x8x9x11 =s64:1[-1] =s64:1[-100] =s64:1[1] =s64:1[-1]"},
        {CASE, .op = "Slice", .inputs = "%s:2x8x9x11 =s64:1[3] =s64:1[6] =s64:1[1]"},
        {CASE, .op = "Slice", .inputs = "%s:8x9 =s64:2[1,2] =s64:2[-1,-2]"},
        {CASE, .op = "Slice", .inputs = "%s:8x9 =s64:1[5] =s64:1[3]"},
        {CASE, .op = "Slice", .inputs = "%s:8x9 =s64:1[20] =s64:1[-20] =s64:1[1] =s64:1[-3]"},
    };
    RUN_FOR_EVERY_SIZE(cases);
}

static void pad_expand_tile__repeat_in_every_layout(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {CASE, .op = "Pad", .inputs = "%s:1x5x6x7 =s64:8[0,0,1,2,0,0,3,4]"},
        {CASE, .op = "Pad", .inputs = "%s:1x5x6x7 =s64:8[0,2,-1,2,1,0,3,-2] =%s:"},
        {CASE, .op = "Pad", .inputs = "%s:5x6 =s64:2[1,2] =%s: =s64:1[-1]"},
        {CASE, .op = "Pad", .inputs = "%s:5x6 =s64:4[-1,0,0,-2]"},
        {CASE, .op = "Expand", .inputs = "%s:5x1x7 =s64:4[2,1,6,7]"},
        {CASE, .op = "Expand", .inputs = "%s:1 =s64:2[3,40]"},
        {CASE, .op = "Tile", .inputs = "%s:1x5x2x3 =s64:4[2,1,3,2]"},
        {CASE, .op = "Tile", .inputs = "%s:5 =s64:1[7]"},
    };
    RUN_FOR_EVERY_SIZE(cases);
}

static void transpose__turns_in_every_layout(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {CASE, .op = "Transpose", .inputs = "%s:2x5x6x7", .attrs = "perm=0,2,3,1"},
        {CASE, .op = "Transpose", .inputs = "%s:2x65x3x40", .attrs = "perm=0,3,1,2"},
        {CASE, .op = "Transpose", .inputs = "%s:70x33"},
        {CASE, .op = "Transpose", .inputs = "%s:9x7x48", .attrs = "perm=1,0,2"},
        {CASE, .op = "Transpose", .inputs = "%s:3x4x5x37", .attrs = "perm=2,0,1,3"},
        {CASE, .op = "Transpose", .inputs = "%s:4500x3"},
        {CASE, .op = "Transpose", .inputs = "%s:2x2049x34", .attrs = "perm=0,2,1"},
        {CASE, .op = "Transpose", .inputs = "%s:2x40x9x35", .attrs = "perm=0,3,2,1"},
        {CASE, .op = "Transpose", .inputs = "%s:2x3x4x5x6", .attrs = "perm=4,1,0,3,2"},
        {CASE, .op = "Transpose", .inputs = "%s:1x8x5x1", .attrs = "perm=3,1,0,2"},
        {CASE, .op = "DepthToSpace", .inputs = "%s:2x12x5x7", .attrs = "blocksize=2"},
        {CASE, .op = "DepthToSpace", .inputs = "%s:1x36x3x4", .attrs = "blocksize=3 mode=CRD"},
        {CASE, .op = "SpaceToDepth", .inputs = "%s:2x3x6x8", .attrs = "blocksize=2"},
        {CASE, .op = "SpaceToDepth", .inputs = "%s:2x3x6x9", .attrs = "blocksize=3 mode=CRD"},
    };
    RUN_FOR_EVERY_SIZE(cases);
}

static void gather__takes_rows(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {.domain = "", .tactics = "gather", .op = "Gather", .inputs = "%s:2x9x4 =s64:[1]", .attrs = "axis=1"},
        {.domain = "", .tactics = "gather", .op = "Gather", .inputs = "%s:7x5 =s64:2x3[0,-1,6,-7,2,2]"},
        {.domain = "", .tactics = "gather", .op = "Gather", .inputs = "=%s:7x16 =s32:4[0,-1,3,2]", .may_lack = 1},
        {.domain = "", .tactics = "gather", .op = "Gather", .inputs = "%s:3x7x16 s32:4@1", .attrs = "axis=-2"},
    };
    RUN_FOR_EVERY_SIZE(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(concat__joins_parts_in_every_layout),
        cmocka_unit_test(split_and_slice__take_parts_in_every_layout),
        cmocka_unit_test(pad_expand_tile__repeat_in_every_layout),
        cmocka_unit_test(transpose__turns_in_every_layout),
        cmocka_unit_test(gather__takes_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/backend.h"

static void strides__of_impossible_dims_saturate_and_have_no_size(void **state)
{
    (void)state;
    for (int layout = 0; layout < FERRY_LAYOUT_COUNT; layout++) {
        ferry_tensor_desc d = {.dtype = FERRY_F32, .layout = (ferry_tensor_layout)layout, .rank = 4};
        for (int i = 0; i < 4; i++) d.dims[i] = (int64_t)1 << 40;
        size_t bytes = 0;
        ferry_tensor_desc_set_strides(&d);
        assert_false(ferry_tensor_desc_bytes(&d, &bytes));
    }
}

static void strides__put_channels_last(void **state)
{
    (void)state;
    ferry_tensor_desc d = {.dtype = FERRY_S8, .layout = FERRY_LAYOUT_CHANNELS_LAST, .rank = 4, .dims = {2, 3, 5, 7}};
    size_t bytes = 0;
    ferry_tensor_desc_set_strides(&d);
    assert_int_equal(d.strides[0], 105);
    assert_int_equal(d.strides[1], 1);
    assert_int_equal(d.strides[2], 21);
    assert_int_equal(d.strides[3], 3);
    assert_true(ferry_tensor_desc_bytes(&d, &bytes));
    assert_int_equal(bytes, 210);
}

static void row__is_that_of_evenly_lying_positions_only(void **state)
{
    (void)state;
    ferry_tensor_desc d = {.dtype = FERRY_S8, .layout = FERRY_LAYOUT_CHANNELS_LAST, .rank = 4, .dims = {2, 3, 5, 7}};
    ferry_tensor_desc_set_strides(&d);
    assert_int_equal(ferry_tensor_desc_row(&d), 3);
    ferry_tensor_desc wide = d;
    wide.dims[1] = 8;
    ferry_tensor_desc_set_strides(&wide);
    for (int i = 0; i < 4; i++) d.strides[i] = wide.strides[i];
    assert_int_equal(ferry_tensor_desc_row(&d), 8); // a slice
    for (int i = 0; i < 4; i++) {                   // a gap between channels, lines, columns or pictures alone
        ferry_tensor_desc odd = d;
        odd.strides[i] += 8;
        assert_int_equal(ferry_tensor_desc_row(&odd), 0);
    }
    d.dims[1] = 9; // positions that overlap
    assert_int_equal(ferry_tensor_desc_row(&d), 0);
    d.layout = FERRY_LAYOUT_PLAIN;
    ferry_tensor_desc_set_strides(&d);
    assert_int_equal(ferry_tensor_desc_row(&d), 0);
    d.rank = 2;
    assert_int_equal(ferry_tensor_desc_row(&d), 0);
}

static void layouts__coincide_for_one_position_or_one_channel(void **state)
{
    (void)state;
    assert_true(ferry_tensor_layouts_coincide(2, (const int64_t[]){3, 5}));
    assert_true(ferry_tensor_layouts_coincide(4, (const int64_t[]){3, 5, 1, 1}));
    assert_true(ferry_tensor_layouts_coincide(4, (const int64_t[]){3, 1, 5, 7}));
    assert_false(ferry_tensor_layouts_coincide(4, (const int64_t[]){1, 5, 1, 2}));
    assert_false(ferry_tensor_layouts_coincide(3, (const int64_t[]){1, 2, 2}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strides__of_impossible_dims_saturate_and_have_no_size),
        cmocka_unit_test(strides__put_channels_last),
        cmocka_unit_test(row__is_that_of_evenly_lying_positions_only),
        cmocka_unit_test(layouts__coincide_for_one_position_or_one_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

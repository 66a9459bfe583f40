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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strides__of_impossible_dims_saturate_and_have_no_size),
        cmocka_unit_test(strides__put_channels_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

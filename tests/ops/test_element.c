// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "base/f16.h"
#include "ops/element.h"

static ferry_tensor tensor_of(ferry_dtype dtype, void *data)
{
    return (ferry_tensor){.dtype = dtype, .rank = 0, .data = data};
}

static void store__rounds_once_to_half(void **state)
{
    (void)state;
    uint16_t half = 0;
    ferry_tensor t = tensor_of(FERRY_F16, &half);
    // 1 + 2^-11 + 2^-40 lies just above the middle: through float it would become the middle and round down to 1.
    ferry_store_f64(&t, 0, 1 + 0x1p-11 + 0x1p-40);
    assert_int_equal(half, 0x3c01);
    ferry_store_f64(&t, 0, 1 + 0x1p-11 - 0x1p-40);
    assert_int_equal(half, 0x3c00);
    ferry_store_f64(&t, 0, -(1 + 0x1p-11 + 0x1p-40));
    assert_int_equal(half, 0xbc01);
    ferry_store_f64(&t, 0, 1e300);
    assert_int_equal(half, 0x7c00);
    ferry_store_f64(&t, 0, NAN);
    assert_true(isnan(ferry_load_f64(&t, 0)));
    t.dtype = FERRY_BF16;
    ferry_store_f64(&t, 0, 1 + 0x1p-8 + 0x1p-40);
    assert_int_equal(half, 0x3f81);
    ferry_store_s64(&t, 0, (INT64_C(257) << 50) + 1);
    assert_true(ferry_load_f64(&t, 0) == 258 * 0x1p50);
    ferry_store_s64(&t, 0, -((INT64_C(257) << 50) + 1));
    assert_true(ferry_load_f64(&t, 0) == -258 * 0x1p50);
    ferry_store_s64(&t, 0, INT64_C(257) << 50);
    assert_true(ferry_load_f64(&t, 0) == 256 * 0x1p50);
}

static void store__truncates_and_survives_what_does_not_fit(void **state)
{
    (void)state;
    int64_t wide = 0;
    ferry_tensor t = tensor_of(FERRY_S64, &wide);
    ferry_store_f64(&t, 0, -2.9);
    assert_int_equal(wide, -2);
    ferry_store_f64(&t, 0, 1e30);
    assert_true(wide == INT64_MAX);
    ferry_store_f64(&t, 0, NAN);
    assert_int_equal(wide, 0);
    uint64_t natural = 0;
    t = tensor_of(FERRY_U64, &natural);
    ferry_store_f64(&t, 0, 0x1p63 + 4096);
    assert_true(natural == (UINT64_C(1) << 63) + 4096);
    int8_t small = 0;
    t = tensor_of(FERRY_S8, &small);
    ferry_store_s64(&t, 0, 200);
    assert_int_equal(small, -56);
    uint8_t flag = 7;
    t = tensor_of(FERRY_BOOL, &flag);
    assert_int_equal(ferry_load_s64(&t, 0), 1);
    ferry_store_f64(&t, 0, 0.25);
    assert_int_equal(flag, 1);
}

static ferry_shape shape(int32_t rank, int64_t a, int64_t b, int64_t c)
{
    ferry_shape s = {.rank = rank, .dims = {a, b, c}};
    for (int i = 0; i < FERRY_MAX_RANK; i++) s.symbols[i] = FERRY_NO_SYMBOL;
    return s;
}

static void broadcast__follows_numpy_and_keeps_unknowns(void **state)
{
    (void)state;
    ferry_error err;
    ferry_shape out;
    ferry_shape in[3] = {shape(3, 2, 1, 4), shape(1, 4, 0, 0), shape(2, 3, 1, 0)};
    assert_int_equal(ferry_broadcast_shapes(in, 3, &out, &err), FERRY_OK);
    assert_int_equal(out.rank, 3);
    assert_true(out.dims[0] == 2 && out.dims[1] == 3 && out.dims[2] == 4);

    in[0] = shape(2, -1, 3, 0);
    in[0].symbols[0] = 5;
    in[1] = shape(2, 1, -1, 0);
    assert_int_equal(ferry_broadcast_shapes(in, 2, &out, &err), FERRY_OK);
    assert_true(out.dims[0] == -1 && out.symbols[0] == 5 && out.dims[1] == 3);

    in[1] = shape(2, 7, 0, 0);
    in[0] = shape(2, -1, 1, 0);
    assert_int_equal(ferry_broadcast_shapes(in, 2, &out, &err), FERRY_OK);
    assert_true(out.dims[0] == 7 && out.dims[1] == 0);

    in[0] = shape(1, 3, 0, 0);
    in[1] = shape(1, -1, 0, 0);
    in[2] = shape(1, 4, 0, 0);
    assert_int_equal(ferry_broadcast_shapes(in, 3, &out, &err), FERRY_ERR_BAD_MODEL);
    assert_non_null(strstr(err.text, "3 and 4"));
    in[1].rank = FERRY_RANK_UNKNOWN;
    assert_int_equal(ferry_broadcast_shapes(in, 2, &out, &err), FERRY_OK);
    assert_int_equal(out.rank, FERRY_RANK_UNKNOWN);
}

static void broadcast_strides__are_zero_along_what_repeats(void **state)
{
    (void)state;
    const ferry_tensor t = {.dtype = FERRY_F32, .rank = 2, .dims = {3, 1}};
    const int64_t dims[3] = {2, 3, 4};
    int64_t strides[3];
    ferry_broadcast_strides(&t, 3, dims, strides);
    assert_true(strides[0] == 0 && strides[1] == 1 && strides[2] == 0);
}

static void axis__counts_from_the_end_and_names_both_numbers(void **state)
{
    (void)state;
    ferry_error err;
    int32_t axis = 0;
    assert_int_equal(ferry_axis(-1, 4, &axis, &err), FERRY_OK);
    assert_int_equal(axis, 3);
    assert_int_equal(ferry_axis(4, 4, &axis, &err), FERRY_ERR_BAD_MODEL);
    assert_string_equal(err.text, "axis 4 is out of range: the input has 4 dims");
    assert_int_equal(ferry_axis(INT64_MIN, 4, &axis, &err), FERRY_ERR_BAD_MODEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store__rounds_once_to_half),
        cmocka_unit_test(store__truncates_and_survives_what_does_not_fit),
        cmocka_unit_test(broadcast__follows_numpy_and_keeps_unknowns),
        cmocka_unit_test(broadcast_strides__are_zero_along_what_repeats),
        cmocka_unit_test(axis__counts_from_the_end_and_names_both_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

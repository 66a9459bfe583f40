// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file_map.h"
#include "base/npy.h"
#include "support/failing_heap.h"
#include "support/temp_folder.h"

static uint8_t file[4096];

// A file of the given dict and data bytes, in format `major`.
static size_t make_file(int major, const char *dict, size_t data_bytes)
{
    const size_t start = major == 1 ? 10 : 12, length = strlen(dict);
    memset(file, 0, sizeof file);
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (uint8_t)major;
    file[8] = (uint8_t)(length & 255);
    file[9] = (uint8_t)(length >> 8);
    memcpy(file + start, dict, length);
    for (size_t i = 0; i < data_bytes; i++) file[start + length + i] = (uint8_t)(i % 2);
    return start + length + data_bytes;
}

static ferry_status parse(int major, const char *dict, size_t data_bytes, ferry_npy *npy, ferry_error *err)
{
    // An exact-size copy: reading one byte too far shows.
    const size_t bytes = make_file(major, dict, data_bytes);
    uint8_t *copy = malloc(bytes);
    memcpy(copy, file, bytes);
    const ferry_status s = ferry_npy_parse(copy, bytes, npy, err);
    free(copy);
    return s;
}

static void npy__reads_each_version_and_type(void **state)
{
    (void)state;
    const struct {
        const char *code;
        ferry_dtype dtype;
    } types[] = {{"<f4", FERRY_F32},  {"<f2", FERRY_F16},  {"<f8", FERRY_F64}, {"|i1", FERRY_S8},
                 {"|u1", FERRY_U8},   {"<i2", FERRY_S16},  {"<u2", FERRY_U16}, {"<i4", FERRY_S32},
                 {"<u4", FERRY_U32},  {"<i8", FERRY_S64},  {"<u8", FERRY_U64}, {"|b1", FERRY_BOOL},
                 {"<V2", FERRY_BF16}, {"|V2", FERRY_BF16}, {"f4", FERRY_F32},  {">u1", FERRY_U8}};
    for (int major = 1; major <= 3; major++) {
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            char dict[200];
            ferry_npy npy;
            ferry_error err = {{0}};
            snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (2, 3), }   \n",
                     types[i].code);
            const size_t bytes = 6 * ferry_dtype_bytes(types[i].dtype);
            assert_int_equal(parse(major, dict, bytes, &npy, &err), FERRY_OK);
            assert_int_equal(npy.dtype, types[i].dtype);
            assert_int_equal(npy.rank, 2);
            assert_int_equal(npy.shape[1], 3);
            assert_int_equal(npy.elem_count, 6);
            assert_int_equal(npy.bytes, bytes);
        }
    }
}

static void npy__reads_odd_but_lawful_headers(void **state)
{
    (void)state;
    ferry_npy npy;
    assert_int_equal(parse(1, "{\"shape\":(),\"descr\":\"<f4\",\"fortran_order\":False}", 4, &npy, NULL), FERRY_OK);
    assert_int_equal(npy.rank, 0);
    assert_int_equal(npy.elem_count, 1);
    assert_int_equal(parse(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3L,), }\n", 12, &npy, NULL),
                     FERRY_OK);
    assert_int_equal(npy.shape[0], 3);
    assert_int_equal(parse(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 5, 1), }\n", 20, &npy, NULL),
                     FERRY_OK);
    assert_int_equal(parse(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (9, 0, 7), }", 0, &npy, NULL),
                     FERRY_OK);
    assert_int_equal(npy.elem_count, 0);
}

static void npy__refuses_with_a_reason(void **state)
{
    (void)state;
    const struct {
        const char *dict;
        size_t bytes;
        ferry_status status;
        const char *text;
    } bad[] = {
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24, FERRY_ERR_UNSUPPORTED, "ascontiguousarray"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8, FERRY_ERR_UNSUPPORTED, "newbyteorder"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 8, FERRY_ERR_UNSUPPORTED, "'O'"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", 16, FERRY_ERR_UNSUPPORTED, "'c8'"},
        {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8, FERRY_ERR_UNSUPPORTED, "structured"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4, FERRY_ERR_UNSUPPORTED,
         "more than 8"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7, FERRY_ERR_BAD_DATA,
         "truncated .npy file: the shape needs 8"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9, FERRY_ERR_BAD_DATA, "overlong"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, 2), }", 8, FERRY_ERR_BAD_DATA,
         "overflows"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,), }", 8, FERRY_ERR_BAD_DATA,
         "overflows"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 8, FERRY_ERR_BAD_DATA,
         "64 bits"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 8, FERRY_ERR_BAD_DATA, "whole numbers"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3), }", 8, FERRY_ERR_BAD_DATA, "not closed"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 2, }", 8, FERRY_ERR_BAD_DATA, "tuple"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", 8, FERRY_ERR_BAD_DATA, "fortran_order"},
        {"{'descr': '<f4', 'fortran_order': False, }", 8, FERRY_ERR_BAD_DATA, "missing"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': (2,), }", 8, FERRY_ERR_BAD_DATA, "twice"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x", 8, FERRY_ERR_BAD_DATA, "after the dict"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", 8, FERRY_ERR_BAD_DATA, "not closed"},
        {"{'descr': '<f4", 8, FERRY_ERR_BAD_DATA, "not a text"},
        {"{'descr'", 8, FERRY_ERR_BAD_DATA, "key"},
        {"[]", 8, FERRY_ERR_BAD_DATA, "not a dict"},
        {"", 8, FERRY_ERR_BAD_DATA, "not a dict"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ferry_npy npy;
        ferry_error err = {{0}};
        assert_int_equal(parse(1 + (int)(i % 3), bad[i].dict, bad[i].bytes, &npy, &err), bad[i].status);
        if (!strstr(err.text, bad[i].text)) fail_msg("'%s' lacks '%s'", err.text, bad[i].text);
        assert_null(npy.data);
    }
    ferry_npy npy;
    ferry_error err;
    assert_int_equal(ferry_npy_parse("PK\3\4", 4, &npy, &err), FERRY_ERR_BAD_DATA);
    size_t bytes = make_file(4, "{}", 0);
    assert_int_equal(ferry_npy_parse(file, bytes, &npy, &err), FERRY_ERR_UNSUPPORTED);
    bytes = make_file(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", 2);
    file[bytes - 1] = 2;
    assert_int_equal(ferry_npy_parse(file, bytes, &npy, &err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "bool 1"));
}

static void npy__survives_every_truncation_and_bit_flip(void **state)
{
    (void)state;
    const size_t bytes = make_file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n", 24);
    uint8_t *copy = NULL;
    ferry_npy npy;
    for (size_t cut = 0; cut < bytes; cut++) {
        copy = malloc(cut ? cut : 1);
        memcpy(copy, file, cut);
        assert_int_not_equal(ferry_npy_parse(copy, cut, &npy, NULL), FERRY_OK);
        free(copy);
    }
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        copy = malloc(bytes);
        memcpy(copy, file, bytes);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (ferry_npy_parse(copy, bytes, &npy, NULL) == FERRY_OK)
            assert_true((const uint8_t *)npy.data + npy.bytes == copy + bytes);
        free(copy);
    }
}

static ferry_status write_and_parse(const ferry_heap *heap, void *context, ferry_error *err)
{
    const ferry_npy *npy = context;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    const char *path = ferry_temp_path(&folder, "x.npy");
    ferry_file_map map = {0};
    ferry_npy again = {0};
    ferry_status s = ferry_npy_write(heap, path, npy, err);
    if (s == FERRY_OK) s = ferry_file_map_open(&map, path, err);
    if (s == FERRY_OK) s = ferry_npy_parse(map.data, map.bytes, &again, err);
    if (s == FERRY_OK) {
        assert_int_equal(((const uint8_t *)again.data - map.data) % 64, 0);
        assert_int_equal(again.dtype, npy->dtype);
        assert_int_equal(again.rank, npy->rank);
        assert_memory_equal(again.shape, npy->shape, npy->rank * sizeof npy->shape[0]);
        assert_memory_equal(again.data, npy->data, npy->bytes);
    }
    ferry_file_map_close(&map);
    ferry_temp_folder_remove(&folder);
    return s;
}

static void npy__writes_what_it_reads(void **state)
{
    (void)state;
    static uint8_t data[2000];
    for (ferry_dtype dtype = FERRY_F32; dtype <= FERRY_BOOL; dtype++) {
        for (uint32_t rank = 0; rank <= FERRY_MAX_RANK; rank++) {
            ferry_npy npy = {.dtype = dtype, .rank = rank, .elem_count = 1, .data = data};
            for (uint32_t i = 0; i < rank; i++) npy.elem_count *= npy.shape[i] = 1 + (i % 3);
            npy.bytes = (size_t)npy.elem_count * ferry_dtype_bytes(dtype);
            for (size_t i = 0; i < npy.bytes; i++) data[i] = dtype == FERRY_BOOL ? i & 1 : (uint8_t)(i * 31);
            ferry_error err;
            assert_int_equal(write_and_parse(ferry_heap_default(), &npy, &err), FERRY_OK);
        }
    }
    ferry_npy npy = {.dtype = FERRY_F32, .rank = 1, .shape = {5}, .elem_count = 5, .data = data, .bytes = 20};
    assert_int_equal(ferry_failing_heap_loop(write_and_parse, &npy), 2);
    npy.bytes = 19;
    assert_int_equal(ferry_npy_write(ferry_heap_default(), "x.npy", &npy, NULL), FERRY_ERR_INVALID_ARGUMENT);
    npy.dtype = FERRY_DTYPE_NONE;
    assert_int_equal(ferry_npy_write(ferry_heap_default(), "x.npy", &npy, NULL), FERRY_ERR_INVALID_ARGUMENT);
    uint8_t header[FERRY_NPY_MAX_HEADER];
    npy = (ferry_npy){.dtype = FERRY_U8, .rank = 8};
    for (int i = 0; i < 8; i++) npy.shape[i] = UINT64_MAX;
    assert_int_equal(ferry_npy_header(&npy, header) % 64, 0);
    npy.rank = 9;
    assert_int_equal(ferry_npy_header(&npy, header), 0);
}

// What numpy.save writes for np.arange(3, dtype='<f4'), byte for byte.
static void npy__header_is_numpys(void **state)
{
    (void)state;
    const char *dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
    uint8_t header[FERRY_NPY_MAX_HEADER], expected[128];
    const ferry_npy npy = {.dtype = FERRY_F32, .rank = 1, .shape = {3}};
    memset(expected, ' ', sizeof expected);
    memcpy(expected, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(expected + 10, dict, strlen(dict));
    expected[127] = '\n';
    assert_int_equal(ferry_npy_header(&npy, header), 128);
    assert_memory_equal(header, expected, 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy__reads_each_version_and_type),
        cmocka_unit_test(npy__reads_odd_but_lawful_headers),
        cmocka_unit_test(npy__refuses_with_a_reason),
        cmocka_unit_test(npy__survives_every_truncation_and_bit_flip),
        cmocka_unit_test(npy__writes_what_it_reads),
        cmocka_unit_test(npy__header_is_numpys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

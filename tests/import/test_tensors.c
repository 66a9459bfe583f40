// SPDX-License-Identifier: Apache-2.0
// Every form in which ONNX stores a tensor's elements, in the file and beside it, and how much memory weights take.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "import/import.h"
#include "ops/element.h"
#include "support/onnx_bytes.h"
#include "support/temp_folder.h"

// Reads a tensor message through a file, as the conformance tests do.
static ferry_status read_tensor(onnx_bytes *tensor, ferry_arena *arena, ferry_tensor *out, ferry_error *err)
{
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    const char *path = ferry_temp_write(&folder, "t.pb", tensor->data, tensor->size), *name = NULL;
    const ferry_status s = ferry_onnx_read_tensor_file(path, arena, out, &name, err);
    if (s == FERRY_OK) assert_string_equal(name, "t");
    ferry_temp_folder_remove(&folder);
    onnx_bytes_free(tensor);
    return s;
}

static void expect_elements(onnx_bytes *tensor, ferry_dtype dtype, const double *elements, size_t count)
{
    ferry_arena arena;
    ferry_arena_init(&arena, ferry_heap_default());
    ferry_tensor t;
    ferry_error err = {{0}};
    if (read_tensor(tensor, &arena, &t, &err) != FERRY_OK) fail_msg("%s", err.text);
    assert_int_equal(t.dtype, dtype);
    assert_int_equal(ferry_tensor_elements(&t), count);
    for (size_t i = 0; i < count; i++) assert_true(ferry_load_f64(&t, i) == elements[i]);
    ferry_arena_deinit(&arena);
}

// Elements as varints in one packed field.
static void put_packed(onnx_bytes *t, uint32_t field, const int64_t *values, size_t count)
{
    onnx_bytes packed = {0};
    for (size_t i = 0; i < count; i++) onnx_put_varint(&packed, (uint64_t)values[i]);
    onnx_put_message(t, field, &packed);
}

static void typed_fields__hold_every_type(void **state)
{
    (void)state;
    const float f[3] = {1.5f, -2, 0.25f};
    const double d[3] = {1.5, -2, 0.25}, small[3] = {1, -2, 127};
    onnx_bytes t = onnx_tensor("t", 1, "3", NULL, 0);
    onnx_put_field(&t, 4, f, sizeof f);
    expect_elements(&t, FERRY_F32, d, 3);
    t = onnx_tensor("t", 11, "3", NULL, 0);
    onnx_put_field(&t, 10, d, sizeof d);
    expect_elements(&t, FERRY_F64, d, 3);
    static const struct {
        int data_type;
        uint32_t field;
        ferry_dtype dtype;
    } signed_types[] = {{3, 5, FERRY_S8}, {5, 5, FERRY_S16}, {6, 5, FERRY_S32}, {7, 7, FERRY_S64}};
    for (size_t i = 0; i < sizeof signed_types / sizeof *signed_types; i++) {
        t = onnx_tensor("t", signed_types[i].data_type, "3", NULL, 0);
        put_packed(&t, signed_types[i].field, (const int64_t[]){1, -2, 127}, 3);
        expect_elements(&t, signed_types[i].dtype, small, 3);
    }
    static const struct {
        int data_type;
        uint32_t field;
        ferry_dtype dtype;
    } unsigned_types[] = {{2, 5, FERRY_U8}, {4, 5, FERRY_U16}, {12, 11, FERRY_U32}, {13, 11, FERRY_U64}};
    for (size_t i = 0; i < sizeof unsigned_types / sizeof *unsigned_types; i++) {
        t = onnx_tensor("t", unsigned_types[i].data_type, "2", NULL, 0);
        put_packed(&t, unsigned_types[i].field, (const int64_t[]){0, 255}, 2);
        expect_elements(&t, unsigned_types[i].dtype, (const double[]){0, 255}, 2);
    }
    t = onnx_tensor("t", 9, "3", NULL, 0);
    put_packed(&t, 5, (const int64_t[]){0, 1, 7}, 3);
    expect_elements(&t, FERRY_BOOL, (const double[]){0, 1, 1}, 3);
    t = onnx_tensor("t", 10, "2", NULL, 0);
    put_packed(&t, 5, (const int64_t[]){0x3c00, 0xc000}, 2);
    expect_elements(&t, FERRY_F16, (const double[]){1, -2}, 2);
    t = onnx_tensor("t", 16, "2", NULL, 0);
    put_packed(&t, 5, (const int64_t[]){0x3f80, 0xc000}, 2);
    expect_elements(&t, FERRY_BF16, (const double[]){1, -2}, 2);
}

static void unpacked_and_split_fields__are_joined(void **state)
{
    (void)state;
    onnx_bytes t = onnx_tensor("t", 1, "5", NULL, 0);
    const float two[2] = {4, 5};
    onnx_put_float(&t, 4, 1);
    onnx_put_float(&t, 4, 2);
    onnx_put_text(&t, 12, "a doc string between");
    onnx_put_float(&t, 4, 3);
    onnx_put_field(&t, 4, two, sizeof two);
    expect_elements(&t, FERRY_F32, (const double[]){1, 2, 3, 4, 5}, 5);
    t = onnx_tensor("t", 7, "2x2", NULL, 0);
    onnx_put_int(&t, 7, -1);
    onnx_put_int(&t, 7, INT64_C(1) << 40);
    put_packed(&t, 7, (const int64_t[]){7, 8}, 2);
    expect_elements(&t, FERRY_S64, (const double[]){-1, 1099511627776.0, 7, 8}, 4);
}

static void raw_data__wins_and_may_be_empty(void **state)
{
    (void)state;
    const int64_t raw[2] = {5, -6};
    onnx_bytes t = onnx_tensor("t", 7, "2", raw, sizeof raw);
    expect_elements(&t, FERRY_S64, (const double[]){5, -6}, 2);
    t = onnx_tensor("t", 1, "0x4", "", 0);
    expect_elements(&t, FERRY_F32, NULL, 0);
    t = onnx_tensor("t", 1, "0", NULL, 0);
    expect_elements(&t, FERRY_F32, NULL, 0);
    const float scalar = 2.5f;
    t = onnx_tensor("t", 1, "", &scalar, sizeof scalar);
    expect_elements(&t, FERRY_F32, (const double[]){2.5}, 1);
    t = onnx_tensor("t", 1, "1", "", 0); // an empty raw_data beside the real thing
    onnx_put_float(&t, 4, 3);
    expect_elements(&t, FERRY_F32, (const double[]){3}, 1);
    t = onnx_tensor("t", 9, "2", "\0\x05", 2);
    expect_elements(&t, FERRY_BOOL, (const double[]){0, 1}, 2);
}

static void expect_refused(onnx_bytes *tensor, const char *text)
{
    ferry_arena arena;
    ferry_arena_init(&arena, ferry_heap_default());
    ferry_tensor t;
    ferry_error err = {{0}};
    assert_int_not_equal(read_tensor(tensor, &arena, &t, &err), FERRY_OK);
    if (!strstr(err.text, text)) fail_msg("%s", err.text);
    ferry_arena_deinit(&arena);
}

static void wrong_elements__are_refused(void **state)
{
    (void)state;
    onnx_bytes t = onnx_tensor("t", 3, "2", NULL, 0);
    put_packed(&t, 5, (const int64_t[]){1, 128}, 2);
    expect_refused(&t, "element 1 is 128, which does not fit the type int8");
    t = onnx_tensor("t", 2, "1", NULL, 0);
    put_packed(&t, 5, (const int64_t[]){-1}, 1);
    expect_refused(&t, "uint8");
    t = onnx_tensor("t", 12, "1", NULL, 0);
    put_packed(&t, 11, (const int64_t[]){INT64_C(1) << 32}, 1);
    expect_refused(&t, "uint32");
    t = onnx_tensor("t", 1, "2", NULL, 0);
    onnx_put_field(&t, 4, "12345", 5);
    expect_refused(&t, "middle of an element");
    t = onnx_tensor("t", 7, "1", NULL, 0);
    onnx_put_field(&t, 7, "\xff", 1);
    expect_refused(&t, "middle of an element");
    t = onnx_tensor("t", 7, "3", NULL, 0);
    put_packed(&t, 7, (const int64_t[]){1, 2}, 2);
    expect_refused(&t, "holds 2 elements, its shape and type need 3");
    t = onnx_tensor("t", 99, "1", NULL, 0);
    expect_refused(&t, "unknown number 99");
    t = onnx_tensor("t", 14, "1", NULL, 0);
    expect_refused(&t, "complex64");
}

// --- External data -------------------------------------------------------------------------------------------------

static void put_entry(onnx_bytes *tensor, const char *key, const char *value)
{
    onnx_bytes entry = {0};
    onnx_put_text(&entry, 1, key);
    onnx_put_text(&entry, 2, value);
    onnx_put_message(tensor, 13, &entry);
}

// A model whose weights "w" [4] lie in another file. NULL leaves an entry out.
static onnx_bytes external_model(const char *location, const char *offset, const char *length)
{
    onnx_bytes graph = {0}, node = onnx_node("Add", "sum", "x w", "y"), w = onnx_tensor("w", ONNX_FLOAT, "4", NULL, 0);
    onnx_put_int(&w, 14, 1);
    if (location) put_entry(&w, "location", location);
    if (offset) put_entry(&w, "offset", offset);
    if (length) put_entry(&w, "length", length);
    onnx_bytes in = onnx_value_info("x", ONNX_FLOAT, "4"), out = onnx_value_info("y", ONNX_FLOAT, "4");
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &node);
    onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &w);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &in);
    onnx_put_message(&graph, ONNX_GRAPH_OUTPUT, &out);
    return onnx_model(&graph, 13);
}

static const float weights[6] = {9, 1, 2, 3, 4, 9};

static void external_data__are_mapped_from_beside_the_model(void **state)
{
    (void)state;
    static const char *const offsets[] = {"4", "2"}; // aligned for its type, and not
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    for (size_t i = 0; i < 2; i++) {
        uint8_t data[40] = {0};
        memcpy(data + (i == 0 ? 4 : 2), weights + 1, 16);
        ferry_temp_write(&folder, "sub/weights.bin", data, sizeof data);
        onnx_bytes model = external_model("sub/weights.bin", offsets[i], i == 0 ? "16" : NULL);
        const char *path = ferry_temp_write(&folder, "model.onnx", model.data, model.size);
        ferry_graph graph, copy;
        ferry_error err = {{0}};
        if (ferry_import(path, NULL, &graph, NULL, NULL, &err) != FERRY_OK) fail_msg("%s", err.text);
        // The copy must keep the file after the first graph is gone.
        assert_int_equal(ferry_graph_copy(&graph, &copy, &err), FERRY_OK);
        ferry_graph_deinit(&graph);
        const float *w = copy.values[ferry_graph_find_value(&copy, "w")].data;
        assert_memory_equal(w, weights + 1, 16);
        ferry_graph_deinit(&copy);
        onnx_bytes_free(&model);
    }
    ferry_temp_folder_remove(&folder);
}

static void external_data__are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *location, *offset, *length, *text;
        ferry_status status;
    } cases[] = {
        {"missing.bin", NULL, NULL, "missing.bin', which is missing", FERRY_ERR_BAD_MODEL},
        {"/etc/hostname", NULL, NULL, "own folder", FERRY_ERR_BAD_MODEL},
        {"../weights.bin", NULL, NULL, "own folder", FERRY_ERR_BAD_MODEL},
        {"sub/../../weights.bin", NULL, NULL, "own folder", FERRY_ERR_BAD_MODEL},
        {"", NULL, NULL, "own folder", FERRY_ERR_BAD_MODEL},
        {"link.bin", NULL, NULL, "leaves the model's folder", FERRY_ERR_BAD_MODEL},
        {"sub", NULL, NULL, "is a folder", FERRY_ERR_BAD_MODEL},
        {NULL, NULL, NULL, "no location", FERRY_ERR_BAD_MODEL},
        {"weights.bin", "12", NULL, "should be 16 bytes at offset 12", FERRY_ERR_BAD_MODEL},
        {"weights.bin", "18446744073709551615", NULL, "which has only 24 bytes", FERRY_ERR_BAD_MODEL},
        {"weights.bin", "-1", NULL, "offset of its external data is '-1'", FERRY_ERR_BAD_MODEL},
        {"weights.bin", "0", "15", "have 15 bytes, its shape and type need 16", FERRY_ERR_BAD_MODEL},
        {"weights.bin", "0", "many", "length of its external data is 'many'", FERRY_ERR_BAD_MODEL},
    };
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    ferry_temp_write(&folder, "weights.bin", weights, sizeof weights);
    ferry_temp_write(&folder, "model/weights.bin", weights, sizeof weights);
    ferry_temp_write(&folder, "model/sub/other.bin", weights, sizeof weights);
    assert_int_equal(symlink("../weights.bin", ferry_temp_path(&folder, "model/link.bin")), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        onnx_bytes model = external_model(cases[i].location, cases[i].offset, cases[i].length);
        const char *path = ferry_temp_write(&folder, "model/model.onnx", model.data, model.size);
        ferry_graph graph;
        ferry_error err = {{0}};
        const ferry_status s = ferry_import(path, NULL, &graph, NULL, NULL, &err);
        if (s != cases[i].status || !strstr(err.text, cases[i].text) || !strstr(err.text, "initializer 'w'"))
            fail_msg("case %zu: %s", i, err.text);
        onnx_bytes_free(&model);
    }
    ferry_temp_folder_remove(&folder);
}

static void external_data__of_a_linked_model_lie_beside_its_real_file(void **state)
{
    (void)state;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    ferry_temp_write(&folder, "blobs/b2", weights, sizeof weights);
    onnx_bytes model = external_model("weights.bin", "4", NULL);
    ferry_temp_write(&folder, "blobs/b1", model.data, model.size);
    ferry_temp_write(&folder, "snapshot/readme", "x", 1);
    assert_int_equal(symlink("../blobs/b1", ferry_temp_path(&folder, "snapshot/model.onnx")), 0);
    assert_int_equal(symlink("../blobs/b2", ferry_temp_path(&folder, "snapshot/weights.bin")), 0);
    ferry_graph graph;
    ferry_error err = {{0}};
    if (ferry_import(ferry_temp_path(&folder, "snapshot/model.onnx"), NULL, &graph, NULL, NULL, &err) != FERRY_OK)
        fail_msg("%s", err.text);
    ferry_graph_deinit(&graph);
    onnx_bytes_free(&model);
    ferry_temp_folder_remove(&folder);
}

static void external_data__of_a_model_in_memory_need_a_folder(void **state)
{
    (void)state;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    ferry_temp_write(&folder, "weights.bin", weights, sizeof weights);
    onnx_bytes model = external_model("weights.bin", NULL, NULL);
    ferry_graph graph;
    ferry_error err = {{0}};
    assert_int_equal(ferry_import_memory(model.data, model.size, NULL, &graph, NULL, NULL, &err),
                     FERRY_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "came from memory"));
    const ferry_import_options options = {.folder = folder.path};
    assert_int_equal(ferry_import_memory(model.data, model.size, &options, &graph, NULL, NULL, &err), FERRY_OK);
    ferry_graph_deinit(&graph);
    onnx_bytes_free(&model);
    ferry_temp_folder_remove(&folder);
}

// --- Memory --------------------------------------------------------------------------------------------------------

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

// Most memory, in KiB, that a process has while it imports the file (NULL: does nothing) and looks at all its weights.
static long peak_kib(const char *path)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        ferry_graph graph;
        if (path && ferry_import(path, NULL, &graph, NULL, NULL, NULL) != FERRY_OK) _exit(1);
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        const long kib = usage.ru_maxrss;
        _exit(write(ends[1], &kib, sizeof kib) == (ssize_t)sizeof kib ? 0 : 1);
    }
    close(ends[1]);
    long peak = -1;
    if (read(ends[0], &peak, sizeof peak) != (ssize_t)sizeof peak) peak = -1;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return peak;
}

static void peak_memory__counts_a_large_tensor_once_wherever_it_lies(void **state)
{
    (void)state;
#ifdef SANITIZED
    print_message("skipped: a sanitizer's own memory would be counted\n");
    skip();
#endif
    enum { FLOATS = 12 << 20 };
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    for (int i = 0; i < 4; i++) {
        float *data = calloc(FLOATS, sizeof *data);
        assert_non_null(data);
        char name[8], inputs[16];
        snprintf(name, sizeof name, "%.*sw", i, "aaaa"); // moves the data by a byte
        snprintf(inputs, sizeof inputs, "x %s", name);
        onnx_bytes graph = {0}, in = onnx_value_info("x", ONNX_FLOAT, "12582912");
        onnx_bytes out = onnx_value_info("y", ONNX_FLOAT, NULL), node = onnx_node("Add", "", inputs, "y");
        onnx_bytes w = onnx_tensor(name, ONNX_FLOAT, "12582912", data, FLOATS * sizeof *data);
        onnx_put_message(&graph, ONNX_GRAPH_NODE, &node);
        onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &w);
        onnx_put_message(&graph, ONNX_GRAPH_INPUT, &in);
        onnx_put_message(&graph, ONNX_GRAPH_OUTPUT, &out);
        onnx_bytes model = onnx_model(&graph, 13);
        const long file_kib = (long)(model.size / 1024);
        const char *path = ferry_temp_write(&folder, "one.onnx", model.data, model.size);
        onnx_bytes_free(&model);
        free(data);
        const long idle = peak_kib(NULL), busy = peak_kib(path);
        print_message("file %ld KiB, idle %ld KiB, importing %ld KiB\n", file_kib, idle, busy);
        assert_true(idle > 0 && busy > 0);
        assert_true(busy - idle <= file_kib + file_kib / 5);
    }
    ferry_temp_folder_remove(&folder);
}

static void peak_memory__stays_below_one_and_a_fifth_of_the_file(void **state)
{
    (void)state;
#ifdef SANITIZED
    print_message("skipped: a sanitizer's own memory would be counted\n");
    skip();
#endif
    enum { TENSORS = 12, FLOATS = 1 << 20 };
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    float *data = calloc(FLOATS, sizeof *data);
    assert_non_null(data);
    onnx_bytes graph = {0}, in = onnx_value_info("x", ONNX_FLOAT, "1048576");
    for (int i = 0; i < TENSORS; i++) {
        char inputs[40], name[16], output[16];
        snprintf(name, sizeof name, "%.*sw%d", i % 4, "aaaa", i); // of several lengths: not all data are aligned
        snprintf(output, sizeof output, "y%d", i - 1);
        snprintf(inputs, sizeof inputs, "%s %s", i ? output : "x", name);
        snprintf(output, sizeof output, "y%d", i);
        onnx_bytes node = onnx_node("Add", "", inputs, output);
        onnx_bytes w = onnx_tensor(name, ONNX_FLOAT, "1048576", i % 3 ? data : NULL, FLOATS * sizeof *data);
        if (i % 3 == 0) onnx_put_field(&w, 4, data, FLOATS * sizeof *data); // as float_data
        onnx_put_message(&graph, ONNX_GRAPH_NODE, &node);
        onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &w);
    }
    onnx_bytes out = onnx_value_info("y11", ONNX_FLOAT, NULL);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &in);
    onnx_put_message(&graph, ONNX_GRAPH_OUTPUT, &out);
    onnx_bytes model = onnx_model(&graph, 13);
    const long file_kib = (long)(model.size / 1024);
    char path[300];
    snprintf(path, sizeof path, "%s", ferry_temp_write(&folder, "big.onnx", model.data, model.size));
    onnx_bytes_free(&model);
    free(data);
    const long idle = peak_kib(NULL), busy = peak_kib(path);
    ferry_temp_folder_remove(&folder);
    assert_true(idle > 0 && busy > 0);
    print_message("file %ld KiB, idle %ld KiB, importing %ld KiB\n", file_kib, idle, busy);
    assert_true(busy - idle <= file_kib + file_kib / 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_fields__hold_every_type),
        cmocka_unit_test(unpacked_and_split_fields__are_joined),
        cmocka_unit_test(raw_data__wins_and_may_be_empty),
        cmocka_unit_test(wrong_elements__are_refused),
        cmocka_unit_test(external_data__are_mapped_from_beside_the_model),
        cmocka_unit_test(external_data__are_refused_with_the_reason),
        cmocka_unit_test(external_data__of_a_linked_model_lie_beside_its_real_file),
        cmocka_unit_test(external_data__of_a_model_in_memory_need_a_folder),
        cmocka_unit_test(peak_memory__counts_a_large_tensor_once_wherever_it_lies),
        cmocka_unit_test(peak_memory__stays_below_one_and_a_fifth_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

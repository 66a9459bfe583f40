// SPDX-License-Identifier: Apache-2.0
// Reading and writing pictures, hostile ones first. With "serve" as its argument: the helper of test_pillow.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/heap.h"
#include "serve.h"
#include "support/failing_heap.h"
#include "support/temp_folder.h"

// Smooth colours with a little noise: compresses, and differs everywhere.
static void paint(ferry_picture *p, uint32_t width, uint32_t height, uint32_t channels)
{
    assert_int_equal(ferry_picture_init(p, NULL, width, height, channels, NULL), FERRY_OK);
    uint32_t noise = 12345;
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t i = 0; i < width * channels; i++) {
            noise = noise * 1664525u + 1013904223u;
            p->pixels[y * p->stride_bytes + i] = (uint8_t)(3 * y + 2 * i + (noise >> 29));
        }
    }
}

static void assert_same_pixels(const ferry_picture *a, const ferry_picture *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->channels, b->channels);
    for (uint32_t y = 0; y < a->height; y++) {
        assert_memory_equal(a->pixels + y * a->stride_bytes, b->pixels + y * b->stride_bytes,
                            (size_t)a->width * a->channels);
    }
}

static void expect_refusal(const void *data, size_t bytes, ferry_status status, const char *text)
{
    ferry_error err = {""};
    ferry_picture out;
    assert_int_equal(ferry_picture_decode(data, bytes, NULL, NULL, &out, &err), status);
    if (!strstr(err.text, text)) fail_msg("'%s' does not say '%s'", err.text, text);
    assert_null(out.pixels);
}

static void init__refuses_what_cannot_be(void **state)
{
    (void)state;
    ferry_picture p;
    ferry_error err;
    assert_int_equal(ferry_picture_init(&p, NULL, 0, 5, 3, &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_picture_init(&p, NULL, 5, 5, 2, &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_picture_init(&p, NULL, UINT32_MAX, 5, 3, &err), FERRY_ERR_INVALID_ARGUMENT);
    ferry_picture_deinit(&p);
    ferry_picture_deinit(NULL);
}

static void png__comes_back_the_same(void **state)
{
    (void)state;
    for (uint32_t channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1) {
        ferry_picture p, back;
        ferry_error err;
        paint(&p, 37, 23, channels);
        ferry_picture part = p; // a part of a picture: rows are further apart than they are long
        part.width = 19;
        part.height = 11;
        part.pixels += 4 * channels;
        part.owned_bytes = 0;
        void *data = NULL;
        size_t bytes = 0;
        assert_int_equal(ferry_picture_encode_png(&part, NULL, &data, &bytes, &err), FERRY_OK);
        const ferry_picture_options index = {sizeof index, 0, channels == 1 ? FERRY_PICTURE_INDEX : FERRY_PICTURE_RGB};
        assert_int_equal(ferry_picture_decode(data, bytes, &index, NULL, &back, &err), FERRY_OK);
        if (channels != 4) assert_same_pixels(&part, &back);
        if (channels == 4) {
            for (uint32_t y = 0; y < back.height; y++) {
                for (uint32_t x = 0; x < back.width; x++) {
                    assert_memory_equal(back.pixels + y * back.stride_bytes + 3 * x,
                                        part.pixels + y * part.stride_bytes + 4 * x, 3);
                }
            }
        }
        ferry_picture_deinit(&back);
        ferry_picture_free_encoded(NULL, data, bytes);
        ferry_picture_deinit(&p);
    }
}

static void jpeg__comes_back_similar(void **state)
{
    (void)state;
    for (uint32_t channels = 1; channels <= 3; channels += 2) {
        ferry_picture p, back;
        ferry_error err;
        assert_int_equal(ferry_picture_init(&p, NULL, 64, 48, channels, &err), FERRY_OK);
        for (size_t i = 0; i < p.owned_bytes; i++)
            p.pixels[i] = (uint8_t)(i / p.stride_bytes * 3 + i % p.stride_bytes / channels);
        void *data = NULL;
        size_t bytes = 0;
        assert_int_equal(ferry_picture_encode_jpeg(&p, 0, NULL, &data, &bytes, &err), FERRY_OK);
        assert_int_equal(ferry_picture_decode(data, bytes, NULL, NULL, &back, &err), FERRY_OK);
        assert_int_equal(back.channels, 3);
        for (uint32_t y = 0; y < 48; y++) {
            for (uint32_t x = 0; x < 64; x++) {
                const int ours = back.pixels[y * back.stride_bytes + 3 * x],
                          was = p.pixels[y * p.stride_bytes + channels * x];
                if (abs(ours - was) > 6) fail_msg("at %u,%u: %d was %d", x, y, ours, was);
            }
        }
        ferry_picture_deinit(&back);
        ferry_picture_free_encoded(NULL, data, bytes);
        ferry_picture_deinit(&p);
    }
}

static void write__goes_by_the_ending_and_leaves_nothing_behind(void **state)
{
    (void)state;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    ferry_picture p, back;
    ferry_error err;
    paint(&p, 20, 10, 3);
    assert_int_equal(ferry_picture_write(&p, ferry_temp_path(&folder, "a.png"), NULL, &err), FERRY_OK);
    assert_int_equal(ferry_picture_write(&p, ferry_temp_path(&folder, "b.JPEG"), NULL, &err), FERRY_OK);
    assert_int_equal(ferry_picture_read(ferry_temp_path(&folder, "a.png"), NULL, NULL, &back, &err), FERRY_OK);
    assert_same_pixels(&p, &back);
    ferry_picture_deinit(&back);
    assert_int_equal(ferry_picture_read(ferry_temp_path(&folder, "b.JPEG"), NULL, NULL, &back, &err), FERRY_OK);
    ferry_picture_deinit(&back);
    assert_int_equal(ferry_picture_write(&p, ferry_temp_path(&folder, "c.bmp"), NULL, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "c.bmp: the name must end in .png, .jpg or .jpeg"));
    assert_int_equal(ferry_picture_write(&p, ferry_temp_path(&folder, "none/c.png"), NULL, &err), FERRY_ERR_IO);
    assert_int_equal(ferry_picture_write_jpeg(&p, ferry_temp_path(&folder, "d.jpg"), 101, NULL, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    p.channels = 4;
    p.width = 15;
    assert_int_equal(ferry_picture_write(&p, ferry_temp_path(&folder, "d.jpg"), NULL, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    p.width = 20;
    assert_int_equal(ferry_picture_write(&p, ferry_temp_path(&folder, "d.png"), NULL, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_temp_count(&folder), 2);
    ferry_picture_deinit(&p);
    ferry_temp_folder_remove(&folder);
}

static void read__goes_by_content_and_names_what_it_is_not(void **state)
{
    (void)state;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    ferry_picture out;
    ferry_error err;
    const char *path = ferry_temp_write(&folder, "cat.jpg", "hello, I am text", 16);
    assert_int_equal(ferry_picture_read(path, NULL, NULL, &out, &err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "cat.jpg: not a JPEG or PNG picture (starts with 'hello, I am text')"));
    assert_int_equal(ferry_picture_read(ferry_temp_path(&folder, "none.jpg"), NULL, NULL, &out, &err), FERRY_ERR_IO);
    assert_int_equal(ferry_picture_read(folder.path, NULL, NULL, &out, &err), FERRY_ERR_IO);
    expect_refusal("", 0, FERRY_ERR_BAD_DATA, "the file is empty");
    expect_refusal("\1\2\3", 3, FERRY_ERR_BAD_DATA, "starts with 01 02 03)");
    expect_refusal("RIFF\1\2\3\4WEBPVP8 ", 16, FERRY_ERR_UNSUPPORTED, "a WebP file");
    expect_refusal("GIF89a", 6, FERRY_ERR_UNSUPPORTED, "convert it to JPEG or PNG");
    expect_refusal("\0\0\0\30ftypheic", 12, FERRY_ERR_UNSUPPORTED, "HEIC");
    expect_refusal("BM\1\2\3\4\0\0\0\0", 10, FERRY_ERR_UNSUPPORTED, "BMP");
    ferry_temp_folder_remove(&folder);
}

static uint32_t crc32_of(const uint8_t *data, size_t bytes)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        for (int b = 0; b < 8; b++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void put_u32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void claims__of_enormous_sizes_are_refused_before_memory_is_taken(void **state)
{
    (void)state;
    ferry_picture p, out;
    ferry_error err;
    paint(&p, 8, 8, 3);
    void *data = NULL;
    size_t bytes = 0;
    assert_int_equal(ferry_picture_encode_png(&p, NULL, &data, &bytes, &err), FERRY_OK);
    uint8_t *png = data;
    put_u32(png + 16, 100000);
    put_u32(png + 20, 100000);
    put_u32(png + 29, crc32_of(png + 12, 17));
    ferry_failing_heap heap;
    ferry_failing_heap_init(&heap);
    assert_int_equal(ferry_picture_decode(data, bytes, NULL, &heap.heap, &out, &err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "claims a size of 100000x100000, more than the limit of 178956970 pixels"));
    assert_true(heap.peak_bytes < 100000);
    ferry_picture_free_encoded(NULL, data, bytes);

    assert_int_equal(ferry_picture_encode_jpeg(&p, 90, NULL, &data, &bytes, &err), FERRY_OK);
    uint8_t *jpeg = data;
    size_t at = 2;
    while (jpeg[at + 1] != 0xc0) at += 2 + (size_t)(jpeg[at + 2] << 8 | jpeg[at + 3]);
    jpeg[at + 5] = jpeg[at + 7] = 0xf0;
    assert_int_equal(ferry_picture_decode(data, bytes, NULL, &heap.heap, &out, &err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "claims a size of 61448x61448"));
    assert_true(heap.peak_bytes < 100000);
    ferry_picture_free_encoded(NULL, data, bytes);
    ferry_picture_deinit(&p);

    paint(&p, 30, 20, 3);
    assert_int_equal(ferry_picture_encode_png(&p, NULL, &data, &bytes, &err), FERRY_OK);
    ferry_picture_options limit = {.size = sizeof limit, .max_pixels = 599};
    assert_int_equal(ferry_picture_decode(data, bytes, &limit, NULL, &out, &err), FERRY_ERR_BAD_DATA);
    limit.max_pixels = 600;
    assert_int_equal(ferry_picture_decode(data, bytes, &limit, NULL, &out, &err), FERRY_OK);
    ferry_picture_deinit(&out);
    limit.size = 3;
    assert_int_equal(ferry_picture_decode(data, bytes, &limit, NULL, &out, &err), FERRY_ERR_INVALID_ARGUMENT);
    ferry_picture_free_encoded(NULL, data, bytes);
    ferry_picture_deinit(&p);
}

// A copy of exactly that many bytes, so that a sanitizer sees the first byte read beyond.
static ferry_status decode_copy(const uint8_t *data, size_t bytes, ferry_error *err)
{
    uint8_t *copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, data, bytes);
    ferry_failing_heap heap;
    ferry_failing_heap_init(&heap);
    ferry_picture out;
    const ferry_picture_options limit = {.size = sizeof limit, .max_pixels = 1 << 20};
    const ferry_status s = ferry_picture_decode(copy, bytes, &limit, &heap.heap, &out, err);
    ferry_picture_deinit(&out);
    assert_int_equal(heap.bytes_in_use, 0);
    assert_int_equal(heap.wrong_sizes, 0);
    free(copy);
    return s;
}

static void hostile__cuts_are_refused_and_flips_never_crash(void **state)
{
    (void)state;
    ferry_picture p;
    ferry_error err;
    paint(&p, 50, 40, 3);
    for (int kind = 0; kind < 2; kind++) {
        void *data = NULL;
        size_t bytes = 0;
        if (kind == 0)
            assert_int_equal(ferry_picture_encode_jpeg(&p, 60, NULL, &data, &bytes, &err), FERRY_OK);
        else
            assert_int_equal(ferry_picture_encode_png(&p, NULL, &data, &bytes, &err), FERRY_OK);
        // A PNG's last chunk (12 bytes) says only that it is the last.
        for (size_t length = 0; length < bytes - (kind ? 12 : 0); length += 1 + length / 40) {
            err.text[0] = 0;
            const ferry_status s = decode_copy(data, length, &err);
            if (s != FERRY_ERR_BAD_DATA) fail_msg("kind %d cut at %zu of %zu: %d", kind, length, bytes, (int)s);
            if (length > 20) assert_non_null(strstr(err.text, "ends early"));
        }
        uint32_t seed = 7;
        for (int round = 0; round < 3000; round++) {
            uint8_t *changed = malloc(bytes);
            memcpy(changed, data, bytes);
            for (int n = 0; n < 1 + round % 4; n++) {
                seed = seed * 1664525u + 1013904223u;
                // Half of the flips in the headers, where they do most.
                const size_t at = (seed >> 8) % (round % 2 ? bytes : bytes < 700 ? bytes : 700);
                changed[at] ^= (uint8_t)(1u << (seed >> 29));
            }
            const ferry_status s = decode_copy(changed, bytes, &err);
            assert_true(s == FERRY_OK || s == FERRY_ERR_BAD_DATA || s == FERRY_ERR_UNSUPPORTED);
            free(changed);
        }
        ferry_picture_free_encoded(NULL, data, bytes);
    }
    ferry_picture_deinit(&p);
}

typedef struct encoded {
    void *data;
    size_t bytes;
} encoded;

static ferry_status read_and_write(const ferry_heap *heap, void *context, ferry_error *err)
{
    const encoded *e = context;
    ferry_picture p, small = {0};
    void *data = NULL;
    size_t bytes = 0;
    ferry_status s = ferry_picture_decode(e->data, e->bytes, NULL, heap, &p, err);
    if (s == FERRY_OK) s = ferry_picture_resize(&p, NULL, 5, 7, FERRY_FILTER_LANCZOS, heap, &small, err);
    if (s == FERRY_OK) s = ferry_picture_encode_jpeg(&small, 80, heap, &data, &bytes, err);
    ferry_picture_free_encoded(heap, data, bytes);
    data = NULL;
    if (s == FERRY_OK) s = ferry_picture_encode_png(&small, heap, &data, &bytes, err);
    ferry_picture_free_encoded(heap, data, bytes);
    ferry_picture_deinit(&small);
    ferry_picture_deinit(&p);
    return s;
}

static void memory__failing_anywhere_leaves_nothing(void **state)
{
    (void)state;
    ferry_picture p;
    ferry_error err;
    paint(&p, 16, 12, 3);
    encoded e;
    assert_int_equal(ferry_picture_encode_png(&p, NULL, &e.data, &e.bytes, &err), FERRY_OK);
    assert_true(ferry_failing_heap_loop(read_and_write, &e) >= 5);
    ferry_picture_free_encoded(NULL, e.data, e.bytes);
    assert_int_equal(ferry_picture_encode_jpeg(&p, 90, NULL, &e.data, &e.bytes, &err), FERRY_OK);
    assert_true(ferry_failing_heap_loop(read_and_write, &e) >= 6);
    ferry_picture_free_encoded(NULL, e.data, e.bytes);
    ferry_picture_deinit(&p);
}

static void resize__refuses_boxes_outside(void **state)
{
    (void)state;
    ferry_picture p, out;
    ferry_error err;
    paint(&p, 16, 12, 3);
    const ferry_picture_box boxes[] = {
        {-1, 0, 5, 5}, {0, 0, 17, 5}, {3, 3, 3, 5}, {0, 5, 5, 4}, {0, 0, 0.0f / 0.0f, 4}};
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++) {
        assert_int_equal(ferry_picture_resize(&p, &boxes[i], 4, 4, FERRY_FILTER_BOX, NULL, &out, &err),
                         FERRY_ERR_INVALID_ARGUMENT);
    }
    assert_int_equal(ferry_picture_resize(&p, NULL, 4, 4, (ferry_filter)77, NULL, &out, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_picture_resize(&p, NULL, 0, 4, FERRY_FILTER_BOX, NULL, &out, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_picture_resize(&p, NULL, 16, 12, FERRY_FILTER_BOX, NULL, &out, &err), FERRY_OK);
    assert_same_pixels(&p, &out);
    ferry_picture_deinit(&out);
    ferry_picture_deinit(&p);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "serve") == 0) return serve();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init__refuses_what_cannot_be),
        cmocka_unit_test(png__comes_back_the_same),
        cmocka_unit_test(jpeg__comes_back_similar),
        cmocka_unit_test(write__goes_by_the_ending_and_leaves_nothing_behind),
        cmocka_unit_test(read__goes_by_content_and_names_what_it_is_not),
        cmocka_unit_test(claims__of_enormous_sizes_are_refused_before_memory_is_taken),
        cmocka_unit_test(hostile__cuts_are_refused_and_flips_never_crash),
        cmocka_unit_test(memory__failing_anywhere_leaves_nothing),
        cmocka_unit_test(resize__refuses_boxes_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

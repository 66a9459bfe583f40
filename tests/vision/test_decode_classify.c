// SPDX-License-Identifier: Apache-2.0
// Classes and class maps.
#include "decode_support.h"

#include "ferry/picture.h"

static ferry_result *classify(const char *decoder, const ferry_tensor_view *v, const ferry_decode_options *options)
{
    ferry_decoder *d = get_decoder(decoder);
    ferry_result *r = get_result();
    ferry_error error;
    assert_ok(ferry_decoder_run(d, v, 1, NULL, options, r, &error), &error);
    ferry_decoder_destroy(d);
    return r;
}

static void assert_class(const ferry_result *r, size_t place, int class_index, double score)
{
    assert_true(place < r->class_count);
    assert_int_equal(r->classes[place].class_index, class_index);
    assert_near(r->classes[place].score, score, 1e-6);
}

static void classify__ranks_with_ties_by_index(void **state)
{
    (void)state;
    ferry_tensor_view v = make_tensor("p", 0.1f, 2, 1, 8);
    *at(&v, 0, 5) = 0.3f;
    ferry_result *r = classify("classify", &v, NULL);
    assert_int_equal(r->class_count, 5);
    assert_int_equal(r->class_total, 8);
    assert_class(r, 0, 5, 0.3);
    for (int i = 0; i < 4; i++) assert_class(r, (size_t)i + 1, i, 0.1);
    ferry_result_destroy(r);
    r = classify("classify", &v, &(ferry_decode_options){.size = sizeof(ferry_decode_options), .top_k = 100});
    assert_int_equal(r->class_count, 8);
    ferry_result_destroy(r);
    free_tensor(&v);
}

static void classify__tells_logits_from_probabilities(void **state)
{
    (void)state;
    ferry_tensor_view v = make_tensor("p", 0, 4, 1, 1, 1, 4); // channels last
    *at(&v, 0, 0, 0, 2) = 1.0986123f;                         // softmax: 3 / 6
    ferry_result *r = classify("classify", &v, NULL);
    assert_class(r, 0, 2, 0.5);
    assert_class(r, 1, 0, 1.0 / 6);
    ferry_result_destroy(r);
    r = classify("{\"task\":\"classify\",\"scores\":\"probability\"}", &v, NULL);
    assert_class(r, 0, 2, 1.0986123);
    ferry_result_destroy(r);
    *at(&v, 0, 0, 0, 2) = 1; // one-hot: adds up to 1
    r = classify("classify", &v, NULL);
    assert_class(r, 0, 2, 1);
    ferry_result_destroy(r);
    r = classify("{\"task\":\"classify\",\"scores\":\"logit\"}", &v, NULL);
    assert_class(r, 0, 2, 2.7182818 / (2.7182818 + 3));
    ferry_result_destroy(r);
    *at(&v, 0, 0, 0, 2) = 3e38f; // no overflow
    r = classify("classify", &v, NULL);
    assert_class(r, 0, 2, 1);
    assert_class(r, 1, 0, 0);
    ferry_result_destroy(r);
    free_tensor(&v);
}

static void classify__leaves_the_background_out(void **state)
{
    (void)state;
    ferry_tensor_view v = make_tensor("p", 0, 2, 2, 4);
    *at(&v, 1, 0) = 0.6f;
    *at(&v, 1, 3) = 0.4f;
    ferry_result *r = classify("{\"task\":\"classify\",\"class_offset\":1}", &v,
                               &(ferry_decode_options){.size = sizeof(ferry_decode_options), .batch_index = 1});
    assert_int_equal(r->class_count, 3);
    assert_int_equal(r->class_total, 3);
    assert_class(r, 0, 2, 0.4);
    ferry_result_destroy(r);
    free_tensor(&v);
}

static void classify__drops_and_counts_nan(void **state)
{
    (void)state;
    ferry_tensor_view v = make_tensor("p", NAN, 2, 1, 4);
    ferry_result *r = classify("classify", &v, NULL);
    assert_int_equal(r->class_count, 0);
    assert_int_equal(r->nonfinite_count, 4);
    ferry_result_destroy(r);
    *at(&v, 0, 1) = 5;
    *at(&v, 0, 2) = -INFINITY;
    r = classify("classify", &v, NULL);
    assert_int_equal(r->class_count, 2);
    assert_class(r, 0, 1, 1);
    assert_class(r, 1, 2, 0);
    assert_int_equal(r->nonfinite_count, 2);
    ferry_result_destroy(r);
    *at(&v, 0, 1) = INFINITY;
    r = classify("classify", &v, NULL);
    assert_int_equal(r->class_count, 0); // only minus infinity is left
    ferry_result_destroy(r);
    free_tensor(&v);
}

static void classify__refuses_other_shapes(void **state)
{
    (void)state;
    ferry_decoder *d = get_decoder("classify");
    ferry_result *r = get_result();
    ferry_error error;
    ferry_tensor_view v = make_tensor("m", 0, 3, 1, 4, 5);
    assert_int_equal(ferry_decoder_run(d, &v, 1, NULL, NULL, r, &error), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(error.text, "'m' is float [1, 4, 5]"));
    const ferry_tensor_view two[2] = {v, v};
    assert_int_equal(ferry_decoder_run(d, two, 2, NULL, NULL, r, &error), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(error.text, "which of the 2 outputs?"));
    assert_int_equal(ferry_decoder_run(d, NULL, 0, NULL, NULL, r, &error), FERRY_ERR_BAD_DATA);
    const ferry_tensor_view empty = {.name = "e", .dtype = FERRY_F32, .rank = 2, .dims = {1, 3}};
    assert_int_equal(ferry_decoder_run(d, &empty, 1, NULL, NULL, r, &error), FERRY_ERR_INVALID_ARGUMENT);
    free_tensor(&v);
    ferry_result_destroy(r);
    ferry_decoder_destroy(d);
}

static ferry_result *segment(const char *decoder, const ferry_tensor_view *v, const ferry_preprocess_geometry *g)
{
    ferry_decoder *d = get_decoder(decoder);
    ferry_result *r = get_result();
    ferry_error error;
    assert_ok(ferry_decoder_run(d, v, 1, g, NULL, r, &error), &error);
    assert_non_null(r->class_map);
    assert_int_equal(r->class_map->width, g->source_width);
    assert_int_equal(r->class_map->height, g->source_height);
    assert_int_equal(r->class_map->channels, 1);
    ferry_decoder_destroy(d);
    return r;
}

static uint8_t pixel(const ferry_result *r, uint32_t x, uint32_t y)
{
    return r->class_map->pixels[y * r->class_map->stride_bytes + x];
}

static void segment__takes_the_best_class_in_both_layouts(void **state)
{
    (void)state;
    ferry_tensor_view chw = make_tensor("m", 0, 4, 1, 3, 4, 4), hwc = make_tensor("m", 0, 4, 1, 4, 4, 3);
    *at(&chw, 0, 2, 1, 3) = *at(&hwc, 0, 1, 3, 2) = 5;
    *at(&chw, 0, 1, 0, 0) = *at(&hwc, 0, 0, 0, 1) = 1;
    *at(&chw, 0, 2, 0, 0) = *at(&hwc, 0, 0, 0, 2) = NAN;
    const ferry_preprocess_geometry g = identity(4, 4);
    const ferry_tensor_view both[2] = {chw, hwc};
    for (int i = 0; i < 2; i++) {
        ferry_result *r = segment("segment", &both[i], &g);
        assert_int_equal(r->class_total, 3);
        assert_int_equal(pixel(r, 3, 1), 2);
        assert_int_equal(pixel(r, 0, 0), 1);
        assert_int_equal(pixel(r, 2, 2), 0);
        assert_int_equal(r->nonfinite_count, 1);
        ferry_result_destroy(r);
    }
    free_tensor(&chw);
    free_tensor(&hwc);
}

static void segment__cuts_the_padding_and_enlarges(void **state)
{
    (void)state;
    // A picture of 8 x 4 put at the top left of 4 x 4; the indices are whole numbers of 64 bits.
    int64_t map[16];
    for (int i = 0; i < 16; i++) map[i] = i < 8 ? i : 99;
    map[7] = -3; // no class
    map[6] = 1000;
    const ferry_tensor_view v = {.name = "m", .dtype = FERRY_S64, .rank = 4, .dims = {1, 1, 4, 4}, .data = map};
    ferry_preprocess_geometry g = identity(4, 4);
    g.source_width = 8;
    g.resized_height = 2;
    g.content_height = 2;
    g.scale_x = g.scale_y = 0.5;
    ferry_result *r = segment("segment", &v, &g);
    for (uint32_t y = 0; y < 4; y++) {
        for (uint32_t x = 0; x < 8; x++) {
            const int index = (int)(y / 2 * 4 + x / 2);
            assert_int_equal(pixel(r, x, y), index >= 6 ? FERRY_CLASS_NONE : index);
        }
    }
    ferry_labels *labels = NULL;
    assert_int_equal(ferry_labels_parse("sky\nsea", 7, NULL, &labels, NULL), FERRY_OK);
    char *text = NULL;
    assert_int_equal(ferry_result_to_json(r, labels, NULL, &text, NULL), FERRY_OK);
    assert_string_equal(text,
                        "{\"task\":\"segment\",\"width\":8,\"height\":4,\"classes\":[{\"class\":0,\"label\":\"sky\","
                        "\"pixels\":4},{\"class\":1,\"label\":\"sea\",\"pixels\":4},{\"class\":2,\"pixels\":4},{"
                        "\"class\":3,\"pixels\":4},{\"class\":4,\"pixels\":4},{\"class\":5,\"pixels\":4}]}");
    ferry_text_free(NULL, text);
    ferry_result_destroy(r);
    r = segment("{\"task\":\"segment\",\"class_offset\":1}", &v, &g);
    assert_int_equal(pixel(r, 0, 0), FERRY_CLASS_NONE);
    assert_int_equal(pixel(r, 2, 0), 0);
    ferry_labels_destroy(labels);
    ferry_result_destroy(r);
}

static void segment__refuses_what_it_would_have_to_guess(void **state)
{
    (void)state;
    ferry_decoder *d = get_decoder("segment");
    ferry_result *r = get_result();
    ferry_error error;
    const ferry_preprocess_geometry g = identity(4, 4);
    ferry_tensor_view one = make_tensor("m", 1, 4, 1, 1, 4, 4), many = make_tensor("m", 1, 4, 1, 300, 4, 301);
    assert_int_equal(ferry_decoder_run(d, &one, 1, &g, NULL, r, &error), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(error.text, "\"layout\" in a decoder file"));
    assert_int_equal(ferry_decoder_run(d, &many, 1, &g, NULL, r, &error), FERRY_ERR_UNSUPPORTED);
    assert_int_equal(ferry_decoder_run(d, &one, 1, NULL, NULL, r, &error), FERRY_ERR_INVALID_ARGUMENT);
    ferry_decoder_destroy(d);
    d = get_decoder("{\"task\":\"segment\",\"layout\":\"indices\"}");
    assert_ok(ferry_decoder_run(d, &one, 1, &g, NULL, r, &error), &error);
    assert_int_equal(pixel(r, 3, 3), 1);
    ferry_decoder_destroy(d);
    ferry_result_destroy(r);
    free_tensor(&one);
    free_tensor(&many);
}

static void result__writes_classes_with_labels(void **state)
{
    (void)state;
    ferry_tensor_view v = make_tensor("p", 0, 2, 1, 3);
    *at(&v, 0, 1) = 0.75f;
    *at(&v, 0, 2) = 0.25f;
    ferry_result *r =
        classify("classify", &v, &(ferry_decode_options){.size = sizeof(ferry_decode_options), .top_k = 2});
    ferry_labels *labels = NULL;
    assert_int_equal(ferry_labels_parse("a\nquote \" \xc3\xa9", 12, NULL, &labels, NULL), FERRY_OK);
    char *text = NULL;
    assert_int_equal(ferry_result_to_json(r, labels, NULL, &text, NULL), FERRY_OK);
    assert_string_equal(text, "{\"task\":\"classify\",\"classes\":[{\"class\":1,\"label\":\"quote \\\" \xc3\xa9\","
                              "\"score\":0.75},{\"class\":2,\"score\":0.25}]}");
    ferry_text_free(NULL, text);
    ferry_labels_destroy(labels);
    ferry_result_destroy(r);
    r = get_result();
    assert_int_equal(ferry_result_to_json(r, NULL, NULL, &text, NULL), FERRY_OK);
    assert_string_equal(text, "{\"task\":\"raw\"}");
    ferry_text_free(NULL, text);
    ferry_result_destroy(r);
    ferry_result_destroy(NULL);
    free_tensor(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classify__ranks_with_ties_by_index),
        cmocka_unit_test(classify__tells_logits_from_probabilities),
        cmocka_unit_test(classify__leaves_the_background_out),
        cmocka_unit_test(classify__drops_and_counts_nan),
        cmocka_unit_test(classify__refuses_other_shapes),
        cmocka_unit_test(segment__takes_the_best_class_in_both_layouts),
        cmocka_unit_test(segment__cuts_the_padding_and_enlarges),
        cmocka_unit_test(segment__refuses_what_it_would_have_to_guess),
        cmocka_unit_test(result__writes_classes_with_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

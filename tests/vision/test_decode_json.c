// SPDX-License-Identifier: Apache-2.0
// Decoder files: what is read is written back, and what is wrong is named with its place.
#include "decode_support.h"

#include <stdio.h>

#include "support/failing_heap.h"

static char *to_json(const ferry_decoder *d)
{
    char *text = NULL;
    assert_int_equal(ferry_decoder_to_json(d, NULL, &text, NULL), FERRY_OK);
    return text;
}

static void presets__come_back_the_same(void **state)
{
    (void)state;
    const char *name;
    size_t count = 0;
    for (; (name = ferry_decoder_preset_name(count)) != NULL; count++) {
        ferry_decoder *d = get_decoder(name);
        assert_string_equal(ferry_decoder_name(d), name);
        char *first = to_json(d);
        ferry_decoder *again = get_decoder(first);
        char *second = to_json(again);
        assert_string_equal(first, second);
        ferry_decoder_destroy(d);
        ferry_decoder_destroy(again);
        ferry_text_free(NULL, first);
        ferry_text_free(NULL, second);
    }
    assert_true(count >= 10);
    assert_null(ferry_decoder_preset_json("no such preset"));
    assert_null(ferry_decoder_preset_json(NULL));
}

static void to_json__keeps_every_member(void **state)
{
    (void)state;
    static const char text[] =
        "{\"name\":\"all\",\"task\":\"detect\",\"class_offset\":2,\"classes\":3,\"forms\":[{\"name\":\"f\",\"box\":{"
        "\"form\":\"cxcywh\",\"bins\":4,\"swap_xy\":true,\"variances\":[0.1,2],\"origin\":\"prior\",\"origin_shift\":-"
        "0.5,"
        "\"center\":\"sigmoid\",\"center_scale\":1.05,\"center_unit\":\"stride\",\"size\":\"exp\",\"size_unit\":"
        "\"anchor\","
        "\"anchor_unit\":\"input\",\"clip_anchors\":true,\"prior_form\":\"cxcywh\",\"prior_unit\":\"input\"},"
        "\"score\":{\"objectness\":\"sigmoid\",\"classes\":\"softmax\",\"objectness_power\":0.6,\"classes_power\":0.4,"
        "\"multi_label\":true},\"heads\":[{\"row_order\":\"anchor_last\",\"levels\":[{\"stride\":8,\"anchors\":[[1,2],["
        "3.5,4]],"
        "\"center_scale\":1.1},{\"stride\":16,\"anchors\":[[5,6]]}],\"outputs\":[{\"output\":\"x\",\"layout\":"
        "\"columns\","
        "\"fields\":[\"boxes\",{\"skip\":7},\"objectness\",\"classes\"]},{\"output\":3,\"fields\":[\"priors\"]}]}]}]}";
    ferry_decoder *d = get_decoder(text);
    char *back = to_json(d);
    assert_string_equal(back, text);
    ferry_text_free(NULL, back);
    ferry_decoder_destroy(d);
    static const char classify[] =
        "{\"task\":\"classify\",\"class_offset\":1,\"output\":\"prob\",\"scores\":\"logit\"}";
    d = get_decoder(classify);
    assert_int_equal(ferry_decoder_class_offset(d), 1);
    back = to_json(d);
    assert_string_equal(back, classify);
    ferry_text_free(NULL, back);
    ferry_decoder_destroy(d);
}

static void from_json__accepts_one_form_without_a_list(void **state)
{
    (void)state;
    ferry_decoder *d = get_decoder("{\"task\":\"detect\",\"box\":{\"form\":\"xyxy\",\"unit\":\"input\"},\"heads\":[{"
                                   "\"outputs\":[{\"fields\":[\"boxes\",\"objectness\",\"class_index\"]}]}]}");
    char *text = to_json(d);
    assert_string_equal(text,
                        "{\"task\":\"detect\",\"forms\":[{\"box\":{\"form\":\"xyxy\",\"unit\":\"input\"},\"heads\":[{"
                        "\"outputs\":[{\"fields\":[\"boxes\",\"objectness\",\"class_index\"]}]}]}]}");
    ferry_text_free(NULL, text);
    ferry_decoder_destroy(d);
}

#define DETECT(box, heads) "{\"task\":\"detect\",\"box\":" box ",\"heads\":" heads "}"
#define XYXY "{\"form\":\"xyxy\"}"
#define ROWS(fields) "[{\"outputs\":[{\"fields\":[" fields "]}]}]"
#define BC "\"boxes\",\"classes\""

static void from_json__names_the_place_of_each_mistake(void **state)
{
    (void)state;
    static const struct {
        const char *json, *expected;
    } cases[] = {
        {"", "not valid JSON"},
        {"[1]", "must be an object"},
        {"{\"task\":\"detect\"", "not valid JSON at line 1"},
        {"{\"task\":\"classify\",\"task\":\"classify\"}", "duplicate"},
        {"{}", "'task' is missing"},
        {"{\"task\":3}", "'task' must be a text, not a whole number"},
        {"{\"task\":\"raw\"}", "'task' is 'raw'"},
        {"{\"task\":\"dance\"}", "'task' is 'dance'"},
        {"{\"task\":\"classify\",\"heads\":[]}", "unknown key 'heads'; known are name, task, class_offset, output"},
        {"{\"task\":\"classify\",\"scores\":\"loud\"}", "must be one of auto, probability, logit"},
        {"{\"task\":\"classify\",\"class_offset\":-1}", "'class_offset' is -1"},
        {"{\"task\":\"classify\",\"class_offset\":1e3}", "must be a whole number"},
        {"{\"task\":\"classify\",\"class_offset\":99999999999999999999}", "not valid JSON"},
        {"{\"task\":\"classify\",\"output\":-2}", "'output' is -2"},
        {"{\"task\":\"segment\",\"layout\":\"rows\"}", "'layout' is 'rows'"},
        {"{\"task\":\"detect\"}", "'box' is missing"},
        {"{\"task\":\"detect\",\"box\":" XYXY "}", "'heads' is missing"},
        {DETECT(XYXY, "[]"), "'heads' has 0 elements"},
        {DETECT(XYXY, "{}"), "'heads' must be a list"},
        {DETECT(XYXY, "[7]"), "heads[0] must be an object"},
        {DETECT(XYXY, "[{}]"), "heads[0]: 'outputs' is missing"},
        {DETECT(XYXY, "[{\"outputs\":[{}]}]"), "heads[0].outputs[0]: 'fields' is missing"},
        {DETECT(XYXY, ROWS("\"boxes\",\"flowers\"")), "heads[0].outputs[0].fields[1]: a field is one of"},
        {DETECT(XYXY, ROWS("\"boxes\",{\"skip\":0}")), "'skip' is 0"},
        {DETECT(XYXY, ROWS("\"boxes\"")), "boxes would have no score"},
        {DETECT(XYXY, ROWS("\"classes\"")), "no output holds the field 'boxes'"},
        {DETECT(XYXY, ROWS("\"boxes\",\"boxes\",\"classes\"")), "'boxes' occurs twice"},
        {DETECT(XYXY, ROWS("\"boxes\",\"classes\",\"class_index\"")), "exclude each other"},
        {DETECT(XYXY, ROWS("\"boxes\",\"classes\",\"priors\"")), "the field 'priors' go together"},
        {DETECT("{\"form\":\"round\"}", ROWS(BC)), "box: 'form' is 'round'"},
        {DETECT("{\"form\":\"xyxy\",\"center\":\"tanh\"}", ROWS(BC)), "'center' is for the form cxcywh"},
        {DETECT("{\"form\":\"cxcywh\",\"unit\":\"input\"}", ROWS(BC)), "not 'unit'"},
        {DETECT("{\"form\":\"cxcywh\",\"center\":\"exp\"}", ROWS(BC)), "'center' cannot be 'exp' here"},
        {DETECT("{\"form\":\"cxcywh\",\"center_scale\":2}", ROWS(BC)), "needs 'center' to be 'sigmoid'"},
        {DETECT("{\"form\":\"ltrb\"}", ROWS(BC)), "needs an 'origin'"},
        {DETECT("{\"variances\":[1]}", ROWS(BC)), "'variances' must be two numbers"},
        {DETECT("{\"origin_shift\":1e300}", ROWS(BC)), "'origin_shift' is 1e+300"},
        {DETECT("{\"origin_shift\":1e999}", ROWS(BC)), "not valid JSON"},
        {DETECT("{\"bins\":100000}", ROWS(BC)), "'bins' is 100000"},
        {DETECT("{\"form\":\"cxcywh\",\"size_unit\":\"stride\"}", ROWS(BC)), "'levels' is missing"},
        {DETECT("{\"form\":\"cxcywh\",\"size_unit\":\"anchor\"}", ROWS(BC)), "'anchors' are missing"},
        {DETECT(XYXY, "[{\"levels\":[{}],\"outputs\":[{\"fields\":[" BC "]}]}]"), "'stride' is missing"},
        {DETECT(XYXY, "[{\"levels\":[{\"stride\":0.5}],\"outputs\":[{\"fields\":[" BC "]}]}]"), "below 1 pixel"},
        {DETECT(XYXY, "[{\"levels\":[{\"anchors\":[[1]]}],\"outputs\":[{\"fields\":[" BC "]}]}]"),
         "heads[0].levels[0]: anchors[0] must be [width, height]"},
        {DETECT(XYXY, "[{\"levels\":[{\"stride\":8},{\"stride\":16}],\"outputs\":[{\"layout\":\"chw\",\"fields\":[" BC
                      "]}]}]"),
         "holds one level"},
        {DETECT(XYXY, "[{\"outputs\":[{\"layout\":\"caffe_priors\",\"fields\":[" BC "]}]}]"), "caffe_priors holds"},
        {"{\"task\":\"detect\",\"forms\":[],\"box\":{}}", "'forms' has 0 elements"},
        {"{\"task\":\"detect\",\"forms\":[{}],\"box\":{}}", "lie in the forms"},
        {"{\"task\":\"detect\",\"forms\":[{\"box\":{},\"colour\":1}]}", "forms[0]: unknown key 'colour'"},
        {"{\"task\":\"detect\",\"forms\":[{\"box\":{\"bins\":true}}]}", "forms[0].box: 'bins' must be a whole number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ferry_decoder *d = (ferry_decoder *)&d;
        ferry_error error = {{0}};
        const ferry_status s = ferry_decoder_from_json(cases[i].json, strlen(cases[i].json), NULL, &d, &error);
        assert_null(d);
        if (s != FERRY_ERR_BAD_DATA || !strstr(error.text, cases[i].expected)) {
            fail_msg("%s\n  said '%s'\n  and not '%s'", cases[i].json, error.text, cases[i].expected);
        }
    }
}

static void from_json__survives_depth_and_length(void **state)
{
    (void)state;
    enum { DEEP = 200000 };
    char *text = malloc((2 << 20) + 1);
    assert_non_null(text);
    memset(text, '[', DEEP);
    ferry_decoder *d = NULL;
    ferry_error error;
    assert_int_equal(ferry_decoder_from_json(text, DEEP, NULL, &d, &error), FERRY_ERR_BAD_DATA);
    memset(text, ' ', 2 << 20);
    assert_int_equal(ferry_decoder_from_json(text, 2 << 20, NULL, &d, &error), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(error.text, "at most"));
    // Every prefix of a preset is an error and nothing worse.
    const char *json = ferry_decoder_preset_json("ultraface-raw");
    for (size_t n = 0; n < strlen(json); n++) {
        assert_int_equal(ferry_decoder_from_json(json, n, NULL, &d, NULL), FERRY_ERR_BAD_DATA);
    }
    free(text);
}

static void parse__tells_presets_from_files(void **state)
{
    (void)state;
    ferry_decoder *d = NULL;
    ferry_error error;
    assert_int_equal(ferry_decoder_parse("yolo99", NULL, &d, &error), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "classify, segment, yolov3, yolov5"));
    assert_int_equal(ferry_decoder_parse("./no/such", NULL, &d, &error), FERRY_ERR_IO);
    assert_int_equal(ferry_decoder_parse("nothing.json", NULL, &d, &error), FERRY_ERR_IO);
    char path[] = "/tmp/ferry-decoder-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    fputs("{\"task\":\"classify\",\"name\":\"mine\"}", f);
    fclose(f);
    assert_ok(ferry_decoder_parse(path, NULL, &d, &error), &error);
    assert_string_equal(ferry_decoder_name(d), "mine");
    assert_int_equal(ferry_decoder_task(d), FERRY_TASK_CLASSIFY);
    assert_int_equal(ferry_decoder_set_class_offset(d, -1, &error), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_decoder_set_class_offset(d, 1000001, &error), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_decoder_set_class_offset(d, 1, &error), FERRY_OK);
    assert_int_equal(ferry_decoder_class_offset(d), 1);
    ferry_decoder_destroy(d);
    f = fopen(path, "w");
    fputs("{\"task\":\"classify\",\"nome\":\"mine\"}", f);
    fclose(f);
    assert_int_equal(ferry_decoder_parse(path, NULL, &d, &error), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, "unknown key 'nome'"));
    remove(path);
}

static void task__has_a_name_both_ways(void **state)
{
    (void)state;
    for (int t = 0; t < 4; t++) {
        ferry_task task;
        assert_int_equal(ferry_task_parse(ferry_task_name((ferry_task)t), &task, NULL), FERRY_OK);
        assert_int_equal(task, t);
    }
    ferry_task task;
    assert_null(ferry_task_name((ferry_task)9));
    assert_int_equal(ferry_task_parse("x", &task, NULL), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_task_parse(NULL, &task, NULL), FERRY_ERR_INVALID_ARGUMENT);
}

static ferry_status attempt(const ferry_heap *heap, void *context, ferry_error *err)
{
    ferry_decoder *d = NULL;
    char *text = NULL;
    ferry_status s = ferry_decoder_parse(context, heap, &d, err);
    if (s == FERRY_OK) s = ferry_decoder_to_json(d, heap, &text, err);
    ferry_text_free(heap, text);
    ferry_decoder_destroy(d);
    return s;
}

static void decoder__survives_every_failed_allocation(void **state)
{
    (void)state;
    char name[] = "ultraface-raw";
    assert_true(ferry_failing_heap_loop(attempt, name) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets__come_back_the_same),
        cmocka_unit_test(to_json__keeps_every_member),
        cmocka_unit_test(from_json__accepts_one_form_without_a_list),
        cmocka_unit_test(from_json__names_the_place_of_each_mistake),
        cmocka_unit_test(from_json__survives_depth_and_length),
        cmocka_unit_test(parse__tells_presets_from_files),
        cmocka_unit_test(task__has_a_name_both_ways),
        cmocka_unit_test(decoder__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
// Matching decoders with outputs: what does not fit is explained, doubts are named, and proposals have reasons.
#include "decode_support.h"

#include "support/failing_heap.h"

static ferry_tensor_view shape(const char *name, int rank, ...)
{
    ferry_tensor_view v = {.name = name, .dtype = FERRY_F32, .rank = rank};
    va_list args;
    va_start(args, rank);
    for (int i = 0; i < rank; i++) v.dims[i] = va_arg(args, int);
    va_end(args);
    return v;
}

static void check_fails(const char *decoder, const ferry_tensor_view *outputs, size_t count, uint32_t w, uint32_t h,
                        const char *const *expected)
{
    ferry_decoder *d = get_decoder(decoder);
    ferry_error error = {{0}};
    assert_int_equal(ferry_decoder_check(d, outputs, count, w, h, NULL, &error), FERRY_ERR_BAD_DATA);
    for (size_t i = 0; expected[i]; i++) {
        if (!strstr(error.text, expected[i])) fail_msg("'%s' lacks '%s'", error.text, expected[i]);
    }
    ferry_decoder_destroy(d);
}

static void check__says_what_was_expected_and_found(void **state)
{
    (void)state;
    const ferry_tensor_view one = shape("out", 3, 1, 8400, 85);
    check_fails("yolox", &one, 1, 416, 416,
                (const char *const[]){"yolox does not fit", "'out' float [1, 8400, 85]", "the input is 416x416",
                                      "raw rows: heads[0].outputs[0] (boxes, objectness, classes) expects "
                                      "[batch, 3549, 5 + classes]",
                                      "FILE.json", NULL});
    check_fails("yolov3", &one, 1, 416, 416,
                (const char *const[]){"three raw heads: heads[0].outputs[0]", "stride 8",
                                      "[batch, 3 * (5 + classes), 52, 52]", "two raw heads (tiny)", NULL});
    check_fails("yolox", &one, 1, 0, 0, (const char *const[]){"the size of the network's input is not known", NULL});
    // The classes of the second head are those of the first.
    const ferry_tensor_view heads[3] = {shape("a", 4, 1, 255, 52, 52), shape("b", 4, 1, 252, 26, 26),
                                        shape("c", 4, 1, 255, 13, 13)};
    check_fails("yolov3", heads, 3, 416, 416, (const char *const[]){"[batch, 3 * (85), 26, 26]", NULL});
}

#define NAMED(first, second)                                                                                           \
    "{\"task\":\"detect\",\"box\":{\"form\":\"xyxy\"},\"heads\":[{\"outputs\":[{" first                                \
    "\"fields\":[\"boxes\"]},{" second "\"fields\":[\"classes\"]}]}]}"

static void check__wants_names_where_shapes_leave_a_doubt(void **state)
{
    (void)state;
    const ferry_tensor_view outputs[2] = {shape("p", 3, 1, 100, 4), shape("q", 3, 1, 100, 4)};
    check_fails(NAMED("", ""), outputs, 2, 64, 64,
                (const char *const[]){"'p' and 'q' both fit heads[0].outputs[0]", "\"output\"", NULL});
    ferry_decoder *d = get_decoder(NAMED("\"output\":\"q\",", ""));
    size_t classes = 0;
    assert_int_equal(ferry_decoder_check(d, outputs, 2, 64, 64, &classes, NULL), FERRY_OK);
    assert_int_equal(classes, 4);
    ferry_decoder_destroy(d);
    check_fails(NAMED("\"output\":\"r\",", ""), outputs, 2, 64, 64,
                (const char *const[]){"there is no output 'r'; the outputs are 'p'", NULL});
    check_fails(NAMED("", "\"output\":2,"), outputs, 2, 64, 64,
                (const char *const[]){"there is no output 2; the network has 2", NULL});
    const ferry_tensor_view wrong[2] = {shape("p", 3, 1, 100, 5), shape("q", 3, 1, 100, 4)};
    check_fails(NAMED("\"output\":\"p\",", ""), wrong, 2, 64, 64,
                (const char *const[]){"expects [batch, positions, 4], but 'p' is float [1, 100, 5]", NULL});
}

static void check__stops_trying_hostile_files(void **state)
{
    (void)state;
    // Sixteen heads, each of which every output but the last one fits.
    char json[4000] = "{\"task\":\"detect\",\"box\":{\"form\":\"xyxy\"},\"heads\":[";
    for (int i = 0; i < 16; i++) {
        strcat(json, i < 15 ? "{\"outputs\":[{\"fields\":[\"boxes\",\"classes\"]}]},"
                            : "{\"outputs\":[{\"fields\":[\"boxes\",\"objectness\"]}]}]}");
    }
    ferry_tensor_view outputs[40];
    for (int i = 0; i < 40; i++) outputs[i] = shape("x", 3, 1, 10, 84);
    check_fails(json, outputs, 40, 64, 64, (const char *const[]){"too many ways", NULL});
}

static void check__refuses_impossible_shapes(void **state)
{
    (void)state;
    ferry_tensor_view bad[] = {shape("x", 3, 1, 0, 85), shape("x", 3, 1, -1, 85), shape("x", 0), shape("x", 1, 85),
                               shape("x", 4, 1, 2, 84, 85)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_fails("yolov8", &bad[i], 1, 64, 64, (const char *const[]){"yolov8 does not fit", NULL});
    }
    ferry_tensor_view huge = {.name = "x", .dtype = FERRY_F32, .rank = 3, .dims = {INT64_MAX, INT64_MAX, 85}};
    check_fails("yolov8", &huge, 1, 64, 64, (const char *const[]){"yolov8 does not fit", NULL});
    check_fails("yolov8", NULL, 0, 64, 64, (const char *const[]){"yolov8 does not fit", NULL});
}

static void check__counts_classes_above_the_offset(void **state)
{
    (void)state;
    ferry_decoder *d = get_decoder("classify");
    size_t classes = 0;
    const ferry_tensor_view out = shape("p", 4, 1, 1001, 1, 1);
    assert_int_equal(ferry_decoder_set_class_offset(d, 1, NULL), FERRY_OK);
    assert_int_equal(ferry_decoder_check(d, &out, 1, 0, 0, &classes, NULL), FERRY_OK);
    assert_int_equal(classes, 1000);
    assert_int_equal(ferry_decoder_set_class_offset(d, 1001, NULL), FERRY_OK);
    ferry_error error;
    assert_int_equal(ferry_decoder_check(d, &out, 1, 0, 0, &classes, &error), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(error.text, "leaves none of the 1001 classes"));
    ferry_decoder_destroy(d);
}

typedef struct proposal {
    const char *preset, *text; // expected; NULL preset: an error with the text
    uint32_t w, h;
    size_t labels;
    int count;
    ferry_tensor_view outputs[6];
} proposal;

static void check_proposal(const proposal *p)
{
    const char *preset = NULL;
    char reason[1000] = "";
    ferry_error error = {{0}};
    const ferry_status s = ferry_decoder_propose(p->outputs, (size_t)p->count, p->w, p->h, p->labels, &preset, reason,
                                                 sizeof reason, &error);
    if (p->preset) {
        assert_ok(s, &error);
        if (strcmp(preset, p->preset) != 0) fail_msg("%s proposed, not %s: %s", preset, p->preset, reason);
        if (p->text && !strstr(reason, p->text)) fail_msg("'%s' lacks '%s'", reason, p->text);
    } else {
        if (s != FERRY_ERR_UNSUPPORTED) fail_msg("proposed %s: %s", preset, reason);
        assert_null(preset);
        if (!strstr(error.text, p->text)) fail_msg("'%s' lacks '%s'", error.text, p->text);
    }
}

static void propose__knows_families_by_their_shapes(void **state)
{
    (void)state;
    const proposal all[] = {
        {"yolox",
         "80 classes; the shapes would also fit yolov8 (decoded rows, 81 classes)",
         416,
         416,
         0,
         1,
         {shape("o", 3, 1, 3549, 85)}},
        {"yolov8", "decoded columns of 80 classes", 640, 640, 0, 1, {shape("o", 3, 1, 84, 8400)}},
        {"yolov8", NULL, 640, 640, 80, 1, {shape("o", 3, 1, 8400, 84)}},
        {"yolox", NULL, 640, 640, 79, 1, {shape("o", 3, 1, 8400, 84)}},
        {"yolov5", "decoded rows", 640, 640, 0, 1, {shape("o", 3, 1, 25200, 85)}},
        {"yolov5",
         "by anchor",
         640,
         640,
         0,
         3,
         {shape("a", 5, 1, 3, 80, 80, 85), shape("b", 5, 1, 3, 40, 40, 85), shape("c", 5, 1, 3, 20, 20, 85)}},
        {"yolov3",
         "two raw heads (tiny) of 20 classes",
         320,
         320,
         0,
         2,
         {shape("a", 4, 1, 75, 10, 10), shape("b", 4, 1, 75, 20, 20)}},
        {"nanodet",
         "six outputs",
         416,
         416,
         0,
         6,
         {shape("792", 3, 1, 2704, 80), shape("795", 3, 1, 2704, 32), shape("814", 3, 1, 676, 80),
          shape("817", 3, 1, 676, 32), shape("836", 3, 1, 169, 80), shape("839", 3, 1, 169, 32)}},
        {"fastestdet", "80 classes", 352, 352, 0, 1, {shape("758", 4, 1, 85, 22, 22)}},
        {"ultraface", "ultraface-raw", 320, 240, 0, 2, {shape("s", 3, 1, 4420, 2), shape("b", 3, 1, 4420, 4)}},
        {"ssd", "20 classes", 300, 300, 0, 2, {shape("s", 3, 1, 3000, 21), shape("b", 3, 1, 3000, 4)}},
        {"classify", "1000 classes", 224, 224, 0, 1, {shape("p", 2, 1, 1000)}},
        {"classify", "perhaps class offset 1", 224, 224, 1000, 1, {shape("p", 4, 1, 1001, 1, 1)}},
        {"segment", "21 classes", 513, 513, 0, 1, {shape("m", 4, 1, 21, 65, 65)}},
        {NULL,
         "yolov3 (three raw heads, 80 classes), yolov5 (raw heads, 80 classes); choose one",
         416,
         416,
         0,
         3,
         {shape("a", 4, 1, 255, 52, 52), shape("b", 4, 1, 255, 26, 26), shape("c", 4, 1, 255, 13, 13)}},
        {NULL,
         "no decoder preset fits the outputs 'o' float [1, 40, 6625]",
         320,
         48,
         0,
         1,
         {shape("o", 3, 1, 40, 6625)}},
        {NULL, "no decoder preset fits", 720, 720, 0, 1, {shape("o", 4, 1, 3, 720, 720)}},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) check_proposal(&all[i]);
    proposal indices = {"segment", "one class per pixel", 513, 513, 0, 1, {shape("m", 4, 1, 1, 513, 513)}};
    indices.outputs[0].dtype = FERRY_S64;
    check_proposal(&indices);
}

static ferry_status attempt(const ferry_heap *heap, void *context, ferry_error *err)
{
    const ferry_tensor_view *out = context;
    ferry_decoder *d = NULL;
    ferry_result *r = NULL;
    const ferry_preprocess_geometry g = identity(64, 64);
    ferry_status s = ferry_decoder_parse("yolox", heap, &d, err);
    if (s == FERRY_OK) s = ferry_result_create(heap, &r, err);
    if (s == FERRY_OK) s = ferry_decoder_run(d, out, 1, &g, NULL, r, err);
    if (s == FERRY_OK) assert_int_equal(r->detection_count, 1);
    ferry_result_destroy(r);
    ferry_decoder_destroy(d);
    return s;
}

static void run__survives_every_failed_allocation(void **state)
{
    (void)state;
    ferry_tensor_view out = make_tensor("o", 0, 3, 1, 84, 7);
    *at(&out, 0, 70, 4) = *at(&out, 0, 70, 5) = 1;
    assert_true(ferry_failing_heap_loop(attempt, &out) > 5);
    free_tensor(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check__says_what_was_expected_and_found),
        cmocka_unit_test(check__wants_names_where_shapes_leave_a_doubt),
        cmocka_unit_test(check__stops_trying_hostile_files),
        cmocka_unit_test(check__refuses_impossible_shapes),
        cmocka_unit_test(check__counts_classes_above_the_offset),
        cmocka_unit_test(propose__knows_families_by_their_shapes),
        cmocka_unit_test(run__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

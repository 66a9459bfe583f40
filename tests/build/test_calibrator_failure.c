// SPDX-License-Identifier: Apache-2.0
// A calibrator's functions without an answer of their own (a cache, a batch size) can fail too, as a script's do: the
// build ends there, with their reason, and nothing is left behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ferry/build.h"
#include "support/engine_case.h"

enum { SAMPLE = 3 * 12 * 10 };

typedef enum place { NOWHERE, ALGORITHM, READ, SIZE, WRITE } place;

typedef struct script {
    place fails;
    bool failed, silent;
    int batches, left;
    float sample[SAMPLE];
} script;

static bool reach(script *s, place where)
{
    if (s->fails == where) s->failed = true;
    return s->failed;
}

static ferry_calibration_algorithm get_algorithm(void *user)
{
    reach(user, ALGORITHM);
    return FERRY_CALIBRATION_MINMAX;
}

static const void *read_cache(void *user, size_t *length)
{
    *length = 3;
    return reach(user, READ) ? "bad" : NULL;
}

static int32_t batch_size(void *user)
{
    return reach(user, SIZE) ? -1 : 1;
}

static int get_batch(void *user, const void **bindings, const char *const *names, int32_t count, ferry_error *error)
{
    script *s = user;
    (void)names;
    (void)count;
    (void)error;
    s->batches++;
    bindings[0] = s->sample;
    return s->left-- > 0;
}

static void write_cache(void *user, const void *text, size_t length)
{
    (void)text;
    assert_true(length > 0);
    reach(user, WRITE);
}

static int get_failure(void *user, ferry_error *error)
{
    const script *s = user;
    if (s->failed && !s->silent) snprintf(error->text, sizeof error->text, "KeyError: 'images' at %d", (int)s->fails);
    return s->failed;
}

static ferry_status build_with(script *s, ferry_error *why)
{
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    const ferry_calibrator calibrator = {.size = sizeof calibrator,
                                         .get_batch_size = batch_size,
                                         .get_batch = get_batch,
                                         .read_calibration_cache = read_cache,
                                         .write_calibration_cache = write_cache,
                                         .get_algorithm = get_algorithm,
                                         .get_failure = get_failure,
                                         .user = s};
    const ferry_calibration_options c = {.size = sizeof c, .calibrator = &calibrator};
    const ferry_build_options options = {
        .size = sizeof options, .precisions = FERRY_PRECISION_INT8, .calibration = &c, .threads = 1};
    ferry_engine *engine = NULL;
    const ferry_status status = test_build(runtime, &b.graph, &options, &engine, why);
    assert_int_equal(engine != NULL, status == FERRY_OK);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
    return status;
}

static void failures__end_the_build_with_their_reason(void **state)
{
    (void)state;
    for (int at = NOWHERE; at <= WRITE; at++) {
        script s = {.fails = (place)at, .left = 2};
        for (size_t i = 0; i < SAMPLE; i++) s.sample[i] = (float)i / SAMPLE;
        ferry_error why = {""};
        char reason[80];
        snprintf(reason, sizeof reason, "the calibrator failed: KeyError: 'images' at %d", at);
        const ferry_status status = build_with(&s, &why);
        assert_int_equal(status, at == NOWHERE ? FERRY_OK : FERRY_ERR_BAD_DATA);
        if (at != NOWHERE) assert_string_equal(why.text, reason);
        // What failed before the first batch asks for none.
        assert_int_equal(s.batches, at == NOWHERE || at == WRITE ? 3 : 0);
    }
}

static void a_failure_without_a_reason__is_one(void **state)
{
    (void)state;
    script s = {.fails = SIZE, .silent = true};
    ferry_error why = {""};
    assert_int_equal(build_with(&s, &why), FERRY_ERR_BAD_DATA);
    assert_string_equal(why.text, "the calibrator failed: (no reason given)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures__end_the_build_with_their_reason),
        cmocka_unit_test(a_failure_without_a_reason__is_one),
    };
    return cmocka_run_group_tests_name("calibrator_failure", tests, NULL, NULL);
}

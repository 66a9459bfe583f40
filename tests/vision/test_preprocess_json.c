// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ferry/preprocess.h"

static void to_json__reads_back_the_same_for_every_shorter_side(void **state)
{
    (void)state;
    for (uint32_t shorter = 0; shorter <= 2000; shorter += 10) {
        ferry_preprocess p, again;
        char text[1024], second[1024];
        ferry_error err = {.text = ""};
        ferry_preprocess_default(&p);
        p.width = p.height = 100 + shorter;
        p.mode = FERRY_RESIZE_CROP;
        p.resize_shorter = shorter;
        p.mean[0] = 127.5;
        p.mean[1] = 100;
        p.std[2] = 0.003921568627450981;
        assert_int_equal(ferry_preprocess_to_json(&p, text, sizeof text, &err), FERRY_OK);
        if (ferry_preprocess_from_json(text, strlen(text), &again, &err) != FERRY_OK) fail_msg("%s", err.text);
        assert_int_equal(again.resize_shorter, shorter);
        assert_int_equal(again.width, p.width);
        assert_int_equal(ferry_preprocess_to_json(&again, second, sizeof second, &err), FERRY_OK);
        assert_string_equal(second, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(to_json__reads_back_the_same_for_every_shorter_side)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
// Minimum cuts against all labellings of small random problems.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/heap.h"
#include "plan/cut.h"

#define MOST_VARIABLES 10
#define MOST_PAIRS 40

typedef struct pair {
    int32_t zero, one;
    int64_t cost;
} pair;

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % limit;
}

static int64_t cost_of(const pair *pairs, int n, const uint8_t *labels)
{
    int64_t cost = 0;
    for (int i = 0; i < n; i++)
        if (!labels[pairs[i].zero] && labels[pairs[i].one]) cost += pairs[i].cost;
    return cost;
}

// The least cost of all labellings, and the most zeros that one of that cost has.
static int64_t least_of_all(const pair *pairs, int n, int variables, int *out_zeros)
{
    int64_t least = INT64_MAX;
    *out_zeros = 0;
    for (uint32_t bits = 0; bits < 1u << variables; bits++) {
        uint8_t labels[MOST_VARIABLES];
        int zeros = 0;
        for (int v = 0; v < variables; v++) {
            labels[v] = bits >> v & 1;
            zeros += !labels[v];
        }
        if (labels[FERRY_CUT_ZERO] != 0 || labels[FERRY_CUT_ONE] != 1) continue;
        const int64_t cost = cost_of(pairs, n, labels);
        if (cost < least) *out_zeros = 0;
        if (cost <= least && zeros > *out_zeros) *out_zeros = zeros;
        least = cost < least ? cost : least;
    }
    return least;
}

static void try_random(ferry_arena *arena, uint64_t *state)
{
    pair pairs[MOST_PAIRS];
    ferry_cut cut;
    const int variables = 2 + (int)random_below(state, MOST_VARIABLES - 1),
              n = (int)random_below(state, MOST_PAIRS + 1);
    assert_int_equal(ferry_cut_init(&cut, arena, NULL), FERRY_OK);
    for (int v = 2; v < variables; v++) {
        int32_t made = 0;
        assert_int_equal(ferry_cut_variable(&cut, &made, NULL), FERRY_OK);
        assert_int_equal(made, v);
    }
    for (int i = 0; i < n; i++) {
        pairs[i] = (pair){.zero = (int32_t)random_below(state, (uint32_t)variables),
                          .one = (int32_t)random_below(state, (uint32_t)variables),
                          .cost = random_below(state, 8)}; // small numbers: many ties
        assert_int_equal(ferry_cut_pair(&cut, pairs[i].zero, pairs[i].one, pairs[i].cost, NULL), FERRY_OK);
    }
    uint8_t *labels = NULL;
    int zeros = 0, most_zeros = 0;
    assert_int_equal(ferry_cut_solve(&cut, &labels, NULL), FERRY_OK);
    for (int v = 0; v < variables; v++) zeros += !labels[v];
    assert_int_equal(labels[FERRY_CUT_ZERO], 0);
    assert_int_equal(labels[FERRY_CUT_ONE], 1);
    assert_int_equal(cost_of(pairs, n, labels), least_of_all(pairs, n, variables, &most_zeros));
    assert_int_equal(zeros, most_zeros);
}

static void cuts__are_the_least_of_all_labellings(void **unused)
{
    (void)unused;
    uint64_t state = 20;
    for (int i = 0; i < 3000; i++) {
        ferry_arena arena;
        ferry_arena_init(&arena, ferry_heap_default());
        try_random(&arena, &state);
        ferry_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cuts__are_the_least_of_all_labellings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

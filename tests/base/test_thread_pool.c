// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/thread_pool.h"
#include "support/failing_heap.h"

enum { SIDE = 101 };

typedef struct grid {
    int cells[SIDE][SIDE]; // plain: ThreadSanitizer sees whether the loops order the accesses
    size_t tile_i, tile_j;
    atomic_int bad;
} grid;

static void mark_1d(void *context, size_t begin, size_t count)
{
    grid *g = context;
    if (count == 0 || count > g->tile_i || begin % g->tile_i) g->bad++;
    for (size_t i = begin; i < begin + count; i++) g->cells[i / SIDE][i % SIDE]++;
}

static void mark_2d(void *context, size_t i, size_t j, size_t count_i, size_t count_j)
{
    grid *g = context;
    if (count_i == 0 || count_j == 0 || count_i > g->tile_i || count_j > g->tile_j) g->bad++;
    for (size_t a = i; a < i + count_i; a++)
        for (size_t b = j; b < j + count_j; b++) g->cells[a][b]++;
}

static void loops__visit_each_item_once(void **state)
{
    (void)state;
    static grid g;
    const size_t threads[] = {1, 2, 3, 8}, tiles[] = {1, 7, 100, 101, 5000, SIZE_MAX};
    for (size_t t = 0; t <= 4; t++) {
        ferry_thread_pool *pool = NULL;
        if (t < 4) assert_int_equal(ferry_thread_pool_create(ferry_heap_default(), threads[t], &pool, NULL), FERRY_OK);
        assert_int_equal(ferry_thread_pool_threads(pool), t < 4 ? threads[t] : 1);
        for (size_t k = 0; k < 36; k++) {
            memset(&g, 0, sizeof g);
            g.tile_i = tiles[k % 6];
            g.tile_j = tiles[k / 6];
            if (k % 2) ferry_thread_pool_begin(pool);
            ferry_parallel_2d(pool, mark_2d, &g, SIDE, SIDE, g.tile_i, g.tile_j);
            ferry_parallel_1d(pool, mark_1d, &g, SIDE * SIDE, g.tile_i);
            if (k % 2) ferry_thread_pool_end(pool);
            assert_int_equal(atomic_load(&g.bad), 0);
            for (size_t i = 0; i < SIDE * SIDE; i++) assert_int_equal(g.cells[i / SIDE][i % SIDE], 2);
        }
        ferry_parallel_1d(pool, mark_1d, NULL, 0, 1);
        ferry_parallel_2d(pool, mark_2d, NULL, 0, 5, 1, 1);
        ferry_parallel_2d(pool, mark_2d, NULL, 5, 0, 1, 1);
        ferry_thread_pool_destroy(pool);
    }
}

typedef struct count_of_tasks {
    atomic_size_t tasks, items;
} count_of_tasks;

static void count_task(void *context, size_t begin, size_t count)
{
    count_of_tasks *c = context;
    (void)begin;
    c->tasks++;
    c->items += count;
}

static void even_loops__give_each_thread_as_many_tasks(void **state)
{
    (void)state;
    static const struct {
        size_t threads, range, least, tasks;
    } cases[] = {{1, 1000, 1, 1},   {2, 1000, 1, 8},    {3, 1000, 1, 12}, {2, 7, 1, 4},
                 {2, 0, 1, 0},      {2, 1000, 600, 1},  {2, 10, 3, 2},    {2, 1000, 250, 4},
                 {3, 1000, 200, 3}, {2, 100000, 64, 8}, {3, 5, 0, 3}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        ferry_thread_pool *pool = NULL;
        count_of_tasks c = {0};
        assert_int_equal(ferry_thread_pool_create(ferry_heap_default(), cases[k].threads, &pool, NULL), FERRY_OK);
        ferry_parallel_even(pool, count_task, &c, cases[k].range, cases[k].least);
        ferry_thread_pool_destroy(pool);
        assert_int_equal(atomic_load(&c.items), cases[k].range);
        assert_int_equal(atomic_load(&c.tasks), cases[k].tasks);
    }
}

static void remember_thread(void *context, size_t begin, size_t count)
{
    pthread_t *thread = context;
    (void)begin;
    (void)count;
    assert_true(pthread_equal(*thread, pthread_self()));
}

static void one_thread__is_the_caller(void **state)
{
    (void)state;
    ferry_thread_pool *pool = NULL;
    pthread_t self = pthread_self();
    assert_int_equal(ferry_thread_pool_create(ferry_heap_default(), 1, &pool, NULL), FERRY_OK);
    ferry_parallel_1d(pool, remember_thread, &self, 100, 1);
    ferry_parallel_1d(NULL, remember_thread, &self, 100, 1);
    ferry_thread_pool_destroy(pool);
    ferry_thread_pool_destroy(NULL);
}

static double cpu_seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

static void idle_workers__sleep(void **state)
{
    (void)state;
    static grid g;
    ferry_thread_pool *pool = NULL;
    g.tile_i = 10;
    for (size_t threads = 2; threads <= 4; threads += 2)
        for (int bracket = 0; bracket < 2; bracket++) {
            assert_int_equal(ferry_thread_pool_create(ferry_heap_default(), threads, &pool, NULL), FERRY_OK);
            if (bracket) ferry_thread_pool_begin(pool);
            ferry_parallel_1d(pool, mark_1d, &g, SIDE * SIDE, 10);
            if (bracket) ferry_thread_pool_end(pool);
            const double before = cpu_seconds();
            nanosleep(&(struct timespec){0, 200000000}, NULL);
            assert_true(cpu_seconds() - before < 0.1); // spinning workers would burn 0.2 s each
            ferry_thread_pool_destroy(pool);
        }
}

static void *call_from_another_thread(void *argument)
{
    ferry_thread_pool *pool = argument;
    static _Thread_local grid g;
    g.tile_i = 100;
    for (int round = 0; round < 50; round++) ferry_parallel_1d(pool, mark_1d, &g, SIDE * SIDE, 100);
    for (size_t i = 0; i < SIDE * SIDE; i++)
        if (g.cells[i / SIDE][i % SIDE] != 50) return argument;
    return NULL;
}

static void loops__may_come_from_several_threads(void **state)
{
    (void)state;
    ferry_thread_pool *pool = NULL;
    pthread_t callers[3];
    assert_int_equal(ferry_thread_pool_create(ferry_heap_default(), 2, &pool, NULL), FERRY_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&callers[i], NULL, call_from_another_thread, pool), 0);
    for (int i = 0; i < 3; i++) {
        void *bad = NULL;
        pthread_join(callers[i], &bad);
        assert_null(bad);
    }
    ferry_thread_pool_destroy(pool);
}

static ferry_status create_pool(const ferry_heap *heap, void *context, ferry_error *err)
{
    ferry_thread_pool *pool = NULL;
    (void)context;
    const ferry_status s = ferry_thread_pool_create(heap, 2, &pool, err);
    ferry_thread_pool_destroy(pool);
    return s;
}

static void create__checks_its_count_and_memory(void **state)
{
    (void)state;
    ferry_thread_pool *pool = NULL;
    ferry_error err;
    assert_int_equal(ferry_thread_pool_create(ferry_heap_default(), 100000, &pool, &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "100000"));
    assert_int_equal(ferry_thread_pool_create(ferry_heap_default(), 0, &pool, &err), FERRY_OK);
    assert_int_equal(ferry_thread_pool_threads(pool), ferry_processor_count());
    ferry_thread_pool_destroy(pool);
    assert_int_equal(ferry_failing_heap_loop(create_pool, NULL), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops__visit_each_item_once),
        cmocka_unit_test(even_loops__give_each_thread_as_many_tasks),
        cmocka_unit_test(one_thread__is_the_caller),
        cmocka_unit_test(idle_workers__sleep),
        cmocka_unit_test(loops__may_come_from_several_threads),
        cmocka_unit_test(create__checks_its_count_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "backend/cuda/device.h"
#include "support/kernel_internal.h"

typedef struct taken {
    kernel_state *s;
    ferry_device *device;
} taken;

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

// FERRY_TEST_SHARE=N: every Nth tactic of all cases alone, under tools that are too slow for all of them.
static int share(void)
{
    const char *text = getenv("FERRY_TEST_SHARE");
    return text && atoi(text) > 1 ? atoi(text) : 1;
}

static ferry_status take_offer(void *user, const ferry_offer *offer, ferry_error *err)
{
    (void)err;
    taken *t = user;
    const kernel_case *test = t->s->test;
    if ((offer->flags & FERRY_OFFER_REFERENCE) || offer->n_nodes != t->s->n_nodes) return FERRY_OK;
    if (offer->flags & FERRY_OFFER_PERMITTED_ONLY & ~test->permitted) return FERRY_OK;
    if (test->leave && begins(offer->tactic, test->leave)) return FERRY_OK;
    if (!test->tactics || begins(offer->tactic, test->tactics)) t->s->matching++;
    if (t->s->ask) return FERRY_OK;
    if (t->s->compile) {
        kernel_compile_offer(t->s, t->device, offer);
        return FERRY_OK;
    }
    static int offers;
    if (offers++ % share() == 0) kernel_try_offer(t->s, t->device, offer);
    return FERRY_OK;
}

static bool has_word(const char *text, const char *word)
{
    const size_t length = strlen(word);
    for (const char *p = text; p && (p = strstr(p, word)); p += length)
        if ((p == text || p[-1] == ' ') && (p[length] == ' ' || p[length] == 0)) return true;
    return false;
}

// Every tactic of a device that is open.
void kernel_run_device(kernel_state *s, ferry_device *device)
{
    taken t = {s, device};
    s->matching = 0;
    const ferry_offer_sink sink = {take_offer, &t};
    assert_int_equal(device->backend->offer(device, &s->view, s->nodes[s->n_nodes - 1], &sink, NULL), FERRY_OK);
    if (!s->matching && !s->ask && !s->test->may_lack && !has_word(s->test->lacks, s->isa))
        fail_msg("%s '%s' '%s', %s: no tactic '%s' is offered", s->test->op, s->test->inputs,
                 s->test->attrs ? s->test->attrs : "", s->isa, s->test->tactics ? s->test->tactics : "");
}

static void run_isas(kernel_state *s)
{
    static const char *const isas[] = {"none",       "avx2", "avx512",   "avx512vnni", "avx512bf16",
                                       "avx512vbmi", "neon", "neonfp16", "neondot",    "neoni8mm"};
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        ferry_device *device = NULL;
        s->isa = isas[i];
        if (ferry_backend_cpu.open(isas[i], ferry_heap_default(), NULL, &device, NULL) != FERRY_OK) continue;
        kernel_run_device(s, device);
        ferry_backend_cpu.close(device);
    }
}

static void run_cuda(kernel_state *s)
{
    ferry_device *device = NULL;
    ferry_error err = {.text = ""};
    if (ferry_backend_cuda.open("", ferry_heap_default(), NULL, &device, &err) != FERRY_OK) fail_msg("%s", err.text);
    s->isa = "cuda";
    s->gap_before = 16; // slices are aligned there
    s->gap = 32;
    kernel_run_device(s, device);
    ferry_backend_cuda.close(device);
}

static int run_filled(const kernel_case *test, uint64_t seed, int fill, void (*run)(kernel_state *))
{
    kernel_state s = {.test = test, .seed = seed, .fill = fill, .gap_before = GAP_BEFORE, .gap = GAP};
    kernel_build(&s);
    run(&s);
    const int ran = s.ran;
    ferry_graph_deinit(&s.graph);
    ferry_arena_deinit(&s.arena);
    return ran;
}

void kernel_case_bench(const kernel_case *test, double work)
{
    kernel_state s = {.test = test, .seed = 1, .bench = true, .work = work, .gap_before = GAP_BEFORE, .gap = GAP};
    printf("%s %s %s\n", test->op, test->inputs, test->attrs ? test->attrs : "");
    kernel_build(&s);
    run_isas(&s);
    ferry_graph_deinit(&s.graph);
    ferry_arena_deinit(&s.arena);
}

void kernel_case_bench_cuda(const kernel_case *test)
{
    kernel_state s = {.test = test, .seed = 1, .bench = true, .gap_before = GAP_BEFORE, .gap = GAP};
    printf("%s %s %s%s%s\n", test->op, test->inputs, test->attrs ? test->attrs : "", test->then ? "; " : "",
           test->then ? test->then : "");
    kernel_build(&s);
    run_cuda(&s);
    ferry_graph_deinit(&s.graph);
    ferry_arena_deinit(&s.arena);
}

static int run_fills(const kernel_case *test, uint64_t seed, void (*run)(kernel_state *))
{
    int ran = 0;
    const bool bytes = strstr(test->inputs, "s8:") || strstr(test->inputs, "u8:");
    for (int fill = 0; fill < (bytes ? FILLS : 1); fill++) ran += run_filled(test, seed, fill, run);
    return ran;
}

int kernel_case_run(const kernel_case *test, uint64_t seed)
{
    return run_fills(test, seed, run_isas);
}

void kernel_cases_run(const kernel_case *tests, int count)
{
    int ran = 0;
    for (int i = 0; i < count; i++) ran += kernel_case_run(&tests[i], 1 + (uint64_t)i * 7919);
    assert_true(ran > 0);
}

bool kernel_case_has_cuda(void)
{
    ferry_device *device = NULL;
    ferry_error err = {.text = ""};
    if (ferry_backend_cuda.open("", ferry_heap_default(), NULL, &device, &err) == FERRY_OK) {
        ferry_backend_cuda.close(device);
        return true;
    }
    print_message("[  SKIPPED ] cuda: %s\n", err.text);
    return false;
}

void kernel_cases_run_cuda(const kernel_case *tests, int count)
{
    int ran = 0;
    if (!kernel_case_has_cuda()) skip();
    for (int i = 0; i < count; i++) ran += run_fills(&tests[i], 1 + (uint64_t)i * 7919, run_cuda);
    assert_true(ran > 0 || share() > 1);
}

bool kernel_case_is_offered_cuda(const kernel_case *test, const char *target)
{
    ferry_device *device = NULL;
    ferry_error err = {.text = ""};
    if (ferry_backend_cuda.open(target, ferry_heap_default(), NULL, &device, &err) != FERRY_OK)
        fail_msg("%s", err.text);
    kernel_state s = {.test = test, .seed = 1, .bench = true, .ask = true, .isa = target};
    kernel_build(&s);
    kernel_run_device(&s, device);
    ferry_backend_cuda.close(device);
    ferry_graph_deinit(&s.graph);
    ferry_arena_deinit(&s.arena);
    return s.matching > 0;
}

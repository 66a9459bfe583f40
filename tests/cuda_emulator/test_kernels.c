// SPDX-License-Identifier: Apache-2.0
// The emulated device runs kernels by CUDA's rules: places, barriers, warps, matrices, copies that come late, and words
// for those who break a rule. Everything but the words holds on a real device too.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/cuda_case.h"

static char *text; // of kernels.cuh
static cuda_case device;

static void launch(const char *name, unsigned blocks, unsigned threads, unsigned shared_bytes, void **arguments)
{
    cuda_case_launch(&device, name, blocks, threads, shared_bytes, arguments);
}

static uint32_t next_random(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

// --- Threads ---------------------------------------------------------------------------------------------------------

static void arguments_arrive(void **unused)
{
    (void)unused;
    struct {
        char tag;
        double wide;
        int narrow;
    } mixed = {7, 30.0, 200};
    signed char small = -5;
    float real = 42.5f;
    long long big = 3ll << 32;
    int32_t out[5];
    ferry_cu_pointer y = cuda_case_upload(&device, NULL, sizeof out);
    launch("arguments", 1, 64, 0, (void *[]){&y, &small, &real, &mixed, &big});
    small = 0;
    real = 0; // copied at the launch
    cuda_case_download(&device, out, y, sizeof out);
    assert_int_equal(out[0], -5);
    assert_int_equal(out[1], 42);
    assert_int_equal(out[2], 237);
    assert_int_equal(out[3], 3);
    assert_int_equal(out[4], 5);
    cuda_case_free(&device, y);
}

static void threads_have_places(void **unused)
{
    (void)unused;
    enum { BLOCKS = 3 * 2 * 2, THREADS = 5 * 3 * 2 };
    uint32_t out[BLOCKS * THREADS];
    ferry_cu_pointer y = cuda_case_upload(&device, NULL, sizeof out);
    const ferry_cu_function f = cuda_case_function(&device, "places");
    cuda_case_check(&device, device.driver->cuLaunchKernel(f, 3, 2, 2, 5, 3, 2, 0, device.stream, (void *[]){&y}, NULL),
                    "launch");
    cuda_case_download(&device, out, y, sizeof out);
    for (int i = 0; i < BLOCKS * THREADS; i++) assert_int_equal(out[i], i / THREADS * 1000 + i % THREADS);
    cuda_case_free(&device, y);
}

/// Wrong results of `blocks` blocks.
static int count_wrong_neighbours(int with_barrier, int blocks, int threads)
{
    int32_t out[4 * 256];
    ferry_cu_pointer y = cuda_case_upload(&device, NULL, sizeof out);
    launch("neighbours", (unsigned)blocks, (unsigned)threads, 0, (void *[]){&y, &with_barrier});
    cuda_case_download(&device, out, y, sizeof out);
    int wrong = 0;
    for (int i = 0; i < blocks * threads; i++) {
        const int t = i % threads;
        wrong += out[i] != (t + 1) % threads * 1000 + (t + threads - 1) % threads;
    }
    cuda_case_free(&device, y);
    return wrong;
}

static void barriers_separate(void **unused)
{
    (void)unused;
    assert_int_equal(count_wrong_neighbours(1, 4, 256), 0);
    assert_int_equal(count_wrong_neighbours(1, 3, 77), 0);
}

static void missing_barrier_shows(void **unused)
{
    (void)unused;
    assert_true(count_wrong_neighbours(0, 1, 256) > 0);
    assert_true(count_wrong_neighbours(0, 2, 32) > 0);
}

static void barriers_count_votes(void **unused)
{
    (void)unused;
    int32_t out[96];
    ferry_cu_pointer y = cuda_case_upload(&device, NULL, sizeof out);
    launch("votes", 1, 96, 0, (void *[]){&y});
    cuda_case_download(&device, out, y, sizeof out);
    for (int i = 0; i < 96; i++) assert_int_equal(out[i], 32 + 1000 + 2000);
    cuda_case_free(&device, y);
}

static void shared_memory_begins_as_garbage(void **unused)
{
    (void)unused;
    int32_t out[32];
    ferry_cu_pointer y = cuda_case_upload(&device, NULL, sizeof out);
    launch("never_written", 1, 32, 0, (void *[]){&y});
    cuda_case_download(&device, out, y, sizeof out);
    for (int i = 0; i < 32; i++) assert_int_equal(out[i], -1);
    cuda_case_free(&device, y);
}

// --- Warps -----------------------------------------------------------------------------------------------------------

static void lanes_exchange(void **unused)
{
    (void)unused;
    int32_t out[32][8];
    ferry_cu_pointer y = cuda_case_upload(&device, NULL, sizeof out);
    launch("shuffles", 1, 32, 0, (void *[]){&y});
    cuda_case_download(&device, out, y, sizeof out);
    for (int lane = 0; lane < 32; lane++) {
        assert_int_equal(out[lane][0], lane * 7 % 32);
        assert_int_equal(out[lane][1], lane % 16 < 3 ? lane : lane - 3);
        assert_int_equal(out[lane][2], lane % 8 + 3 >= 8 ? lane : lane + 3);
        assert_int_equal(out[lane][3], lane ^ 5);
        assert_int_equal(out[lane][4], (int)((float)(lane ^ 1) * 0.5f) + 4);
        assert_int_equal(out[lane][5], 1 | 1 << 5 | 1 << 10 | 1 << 15 | 1 << 20 | 1 << 25 | 1 << 30);
        assert_int_equal(out[lane][6], 3);
        if (lane < 8) assert_int_equal(out[lane][7], lane ^ 1);
    }
    cuda_case_free(&device, y);
}

static void matrices_are_loaded(void **unused)
{
    (void)unused;
    uint16_t x[32][8];
    uint32_t out[32][12];
    for (int i = 0; i < 32 * 8; i++) x[i / 8][i % 8] = (uint16_t)(i + 1);
    ferry_cu_pointer from = cuda_case_upload(&device, x, sizeof x), y = cuda_case_upload(&device, NULL, sizeof out);
    launch("matrices", 1, 32, sizeof x, (void *[]){&from, &y});
    cuda_case_download(&device, out, y, sizeof out);
    for (int lane = 0; lane < 32; lane++) {
        const int group = lane / 4, pair = lane % 4 * 2;
        for (int m = 0; m < 4; m++) {
            const uint32_t plain = x[m * 8 + group][pair] | (uint32_t)x[m * 8 + group][pair + 1] << 16;
            const uint32_t turned = x[m * 8 + pair][group] | (uint32_t)x[m * 8 + pair + 1][group] << 16;
            assert_int_equal(out[lane][m], plain);
            assert_int_equal(out[lane][4 + m], turned);
            if (m >= 2) continue;
            assert_int_equal(out[lane][8 + m], plain);
            assert_int_equal(out[lane][10 + m], turned);
        }
    }
    cuda_case_free(&device, from);
    cuda_case_free(&device, y);
}

// --- Products --------------------------------------------------------------------------------------------------------

/// Small numbers that every format holds exactly, so that sums are exact too.
static float small_number(void)
{
    return (float)((int)(next_random() % 31) - 15) * 0.25f;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint16_t to_bf16(float x)
{
    return (uint16_t)(bits_of(x) >> 16);
}

/// Of multiples of 1/4 below 4.
static uint16_t to_f16(float x)
{
    if (x == 0) return 0;
    const uint32_t bits = bits_of(x);
    return (uint16_t)((bits >> 16 & 0x8000) | (((bits >> 23 & 0xff) - 112) << 10) | (bits >> 13 & 0x3ff));
}

static void check_halves(const char *kernel, int k, uint16_t (*convert)(float))
{
    float a[16][16], b[8][16], d[16][8], got[16][8];
    uint16_t ha[16 * 16], hb[8 * 16];
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < k; j++) ha[i * k + j] = convert(a[i][j] = small_number());
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < k; j++) hb[i * k + j] = convert(b[i][j] = small_number());
    for (int i = 0; i < 16 * 8; i++) d[i / 8][i % 8] = small_number();
    ferry_cu_pointer pa = cuda_case_upload(&device, ha, sizeof ha), pb = cuda_case_upload(&device, hb, sizeof hb);
    ferry_cu_pointer pd = cuda_case_upload(&device, d, sizeof d);
    launch(kernel, 1, 32, 0, (void *[]){&pa, &pb, &pd});
    cuda_case_download(&device, got, pd, sizeof got);
    for (int i = 0; i < 16; i++) {
        for (int j = 0; j < 8; j++) {
            for (int m = 0; m < k; m++) d[i][j] += a[i][m] * b[j][m];
            assert_true(d[i][j] == got[i][j]);
        }
    }
    cuda_case_free(&device, pa);
    cuda_case_free(&device, pb);
    cuda_case_free(&device, pd);
}

static void products_of_halves(void **unused)
{
    (void)unused;
    check_halves("products_f16", 16, to_f16);
    check_halves("products_f16_k8", 8, to_f16);
    check_halves("products_bf16", 16, to_bf16);
}

static void products_of_tf32(void **unused)
{
    (void)unused;
    float a[16][8], b[8][8], d[16][8], got[16][8];
    for (int i = 0; i < 16 * 8; i++) a[i / 8][i % 8] = small_number();
    for (int i = 0; i < 8 * 8; i++) b[i / 8][i % 8] = small_number();
    for (int i = 0; i < 16 * 8; i++) d[i / 8][i % 8] = small_number();
    float cut[16][8];
    for (int i = 0; i < 16 * 8; i++) {
        const uint32_t more = bits_of(a[i / 8][i % 8]) | 0x1fff; // bits that the instruction doesn't read
        memcpy(&cut[i / 8][i % 8], &more, sizeof more);
        if (a[i / 8][i % 8] == 0) cut[i / 8][i % 8] = 0;
    }
    ferry_cu_pointer pa = cuda_case_upload(&device, cut, sizeof cut), pb = cuda_case_upload(&device, b, sizeof b);
    ferry_cu_pointer pd = cuda_case_upload(&device, d, sizeof d);
    launch("products_tf32", 1, 32, 0, (void *[]){&pa, &pb, &pd});
    cuda_case_download(&device, got, pd, sizeof got);
    for (int i = 0; i < 16; i++) {
        for (int j = 0; j < 8; j++) {
            for (int m = 0; m < 8; m++) d[i][j] += a[i][m] * b[j][m];
            assert_true(d[i][j] == got[i][j]);
        }
    }
    cuda_case_free(&device, pa);
    cuda_case_free(&device, pb);
    cuda_case_free(&device, pd);
}

static void products_of_bytes(void **unused)
{
    (void)unused;
    int8_t a[16][32], b[8][32];
    int32_t d[16][8], got[16][8];
    for (int i = 0; i < 16 * 32; i++) a[i / 32][i % 32] = (int8_t)next_random();
    for (int i = 0; i < 8 * 32; i++) b[i / 32][i % 32] = (int8_t)next_random();
    for (int i = 0; i < 16 * 8; i++) d[i / 8][i % 8] = (int32_t)next_random();
    ferry_cu_pointer pa = cuda_case_upload(&device, a, sizeof a), pb = cuda_case_upload(&device, b, sizeof b);
    ferry_cu_pointer pd = cuda_case_upload(&device, d, sizeof d);
    launch("products_s8", 1, 32, 0, (void *[]){&pa, &pb, &pd});
    cuda_case_download(&device, got, pd, sizeof got);
    for (int i = 0; i < 16; i++) {
        for (int j = 0; j < 8; j++) {
            for (int m = 0; m < 32; m++) d[i][j] += a[i][m] * b[j][m];
            assert_int_equal(d[i][j], got[i][j]);
        }
    }
    cuda_case_free(&device, pa);
    cuda_case_free(&device, pb);
    cuda_case_free(&device, pd);
}

// --- Halves ----------------------------------------------------------------------------------------------------------

static void halves_are_rounded(void **unused)
{
    (void)unused;
    static const struct {
        float x;
        uint16_t f16, bf16;
    } rows[] = {{0.0f, 0, 0},
                {-0.0f, 0x8000, 0x8000},
                {1.0f, 0x3c00, 0x3f80},
                {65504.0f, 0x7bff, 0x4780},
                {65519.9f, 0x7bff, 0x4780},
                {65520.0f, 0x7c00, 0x4780},
                {-1e30f, 0xfc00, 0xf14a},
                {0x1p-14f, 0x0400, 0x3880},
                {0x1.ff8p-15f, 0x03ff, 0x3880},
                {0x1.ffcp-15f, 0x0400, 0x3880}, // a tie that becomes normal
                {0x1p-24f, 0x0001, 0x3380},
                {0x1p-25f, 0x0000, 0x3300}, // a tie to even
                {0x1.000002p-25f, 0x0001, 0x3300},
                {1.0f + 0x1p-11f, 0x3c00, 0x3f80}, // ties to even, both ways
                {1.0f + 0x3p-11f, 0x3c02, 0x3f80},
                {2047.5f, 0x6800, 0x4500},
                {INFINITY, 0x7c00, 0x7f80}};
    enum { N = sizeof rows / sizeof *rows };
    float x[N], back[N];
    uint16_t f16[N], bf16[N];
    int n = N;
    for (int i = 0; i < N; i++) x[i] = rows[i].x;
    ferry_cu_pointer px = cuda_case_upload(&device, x, sizeof x), ph = cuda_case_upload(&device, NULL, sizeof f16);
    ferry_cu_pointer pb = cuda_case_upload(&device, NULL, sizeof bf16);
    ferry_cu_pointer pr = cuda_case_upload(&device, NULL, sizeof back);
    launch("halves", 1, 32, 0, (void *[]){&px, &ph, &pb, &pr, &n});
    cuda_case_download(&device, f16, ph, sizeof f16);
    cuda_case_download(&device, bf16, pb, sizeof bf16);
    cuda_case_download(&device, back, pr, sizeof back);
    for (int i = 0; i < N; i++) {
        assert_int_equal(f16[i], rows[i].f16);
        assert_int_equal(bf16[i], rows[i].bf16);
        if (fabsf(x[i]) <= 65504 && fabsf(x[i]) >= 0x1p-14f)
            assert_true(fabsf(back[i] - x[i]) <= fabsf(x[i]) * 0x1p-11f);
    }
    assert_true(back[0] == 0 && back[10] == 0x1p-24f && isinf(back[16]));
    cuda_case_free(&device, px);
    cuda_case_free(&device, ph);
    cuda_case_free(&device, pb);
    cuda_case_free(&device, pr);
}

static void fused_halves_are_rounded_once(void **unused)
{
    (void)unused;
    // (1 + 2^-10)^2 - 2^-24; and 1.5 * (1 + 2^-10), a tie, with the smallest addend on either side of it.
    const uint32_t a[2] = {0x3c01, 0x3c01 | 0x3c01u << 16}, b[2] = {0x3c01, 0x3e00 | 0x3e00u << 16};
    const uint32_t c[2] = {0x8001, 0x0001 | 0x8001u << 16};
    uint32_t out[2];
    ferry_cu_pointer pa = cuda_case_upload(&device, a, sizeof a), pb = cuda_case_upload(&device, b, sizeof b);
    ferry_cu_pointer pc = cuda_case_upload(&device, c, sizeof c), y = cuda_case_upload(&device, NULL, sizeof out);
    launch("fused", 1, 2, 0, (void *[]){&pa, &pb, &pc, &y});
    cuda_case_download(&device, out, y, sizeof out);
    assert_int_equal(out[0] & 0xffff, 0x3c02);
    assert_int_equal(out[1] & 0xffff, 0x3e02);
    assert_int_equal(out[1] >> 16, 0x3e01);
    cuda_case_free(&device, pa);
    cuda_case_free(&device, pb);
    cuda_case_free(&device, pc);
    cuda_case_free(&device, y);
}

// --- Copies in the background ----------------------------------------------------------------------------------------

static int count_wrong_copies(int wait, int *out_zeros)
{
    enum { N = 64 };
    uint32_t x[2 * N][4], y[2 * N][4];
    for (int i = 0; i < 2 * N * 4; i++) x[i / 4][i % 4] = (uint32_t)i + 1;
    ferry_cu_pointer px = cuda_case_upload(&device, x, sizeof x), py = cuda_case_upload(&device, NULL, sizeof y);
    launch("copy_through", 1, N, sizeof x, (void *[]){&px, &py, &wait});
    cuda_case_download(&device, y, py, sizeof y);
    cuda_case_free(&device, px);
    cuda_case_free(&device, py);
    int wrong = 0;
    *out_zeros = 0;
    for (int i = 0; i < 2 * N; i++) {
        const bool zero = i >= N && i % 2 == 1;
        *out_zeros += zero && y[i][0] == 0 && y[i][3] == 0;
        wrong += !zero && memcmp(x[i], y[i], sizeof x[i]) != 0;
    }
    return wrong;
}

static void copies_come_with_the_wait(void **unused)
{
    (void)unused;
    int zeros;
    assert_int_equal(count_wrong_copies(1, &zeros), 0);
    assert_int_equal(zeros, 32);
    assert_int_equal(count_wrong_copies(0, &zeros), 64); // all of the stage that nobody waited for
}

// --- Broken rules ----------------------------------------------------------------------------------------------------

/// Runs the kernel in a child process, which is expected to die with these words.
static void expect_words(const char *words, const char *kernel, unsigned threads, unsigned shared_bytes, long long at)
{
    int pipes[2];
    char said[2048] = "";
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        cuda_case c;
        if (!cuda_case_open(&c, text)) _exit(1);
        ferry_cu_pointer y = cuda_case_upload(&c, NULL, 128), x = cuda_case_upload(&c, NULL, 128);
        void *const two[] = {&x, &y}, *const one[] = {&y, &at};
        cuda_case_launch(&c, kernel, 1, threads, shared_bytes, (void **)(strcmp(kernel, "misaligned") ? one : two));
        cuda_case_wait(&c);
        _exit(0);
    }
    close(pipes[1]);
    size_t n = 0;
    for (ssize_t got; n < sizeof said - 1 && (got = read(pipes[0], said + n, sizeof said - 1 - n)) > 0;)
        n += (size_t)got;
    close(pipes[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || !strstr(said, words) || !strstr(said, kernel))
        fail_msg("%s ended with status %d, saying '%s', not '%s'", kernel, status, said, words);
}

static void broken_rules_are_named(void **unused)
{
    (void)unused;
    expect_words("divergence", "diverge", 32, 0, 0);
    expect_words("wrote 0 bytes behind the end of a block of 128 bytes", "write_beyond", 1, 0, 32);
    expect_words("wrote 1 bytes before a block of 128 bytes", "write_beyond", 1, 0, -1);
    expect_words("no memory to touch", "write_beyond", 1, 0, -(1ll << 38));
    expect_words("a write 0 bytes behind the 32 of dynamic shared memory", "write_beyond_shared", 32, 32, 0);
    expect_words("misaligned", "misaligned", 1, 0, 0);
}

static char *read_kernels(void)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/cuda_emulator/kernels.cuh", getenv("FERRY_SOURCE_DIR"));
    FILE *const f = fopen(path, "rb");
    if (!f) return NULL;
    char *const all = calloc(1, 65536);
    if (all && fread(all, 1, 65535, f) == 0) all[0] = 0;
    fclose(f);
    return all;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_arrive),
        cmocka_unit_test(threads_have_places),
        cmocka_unit_test(barriers_separate),
        cmocka_unit_test(missing_barrier_shows),
        cmocka_unit_test(barriers_count_votes),
        cmocka_unit_test(shared_memory_begins_as_garbage),
        cmocka_unit_test(lanes_exchange),
        cmocka_unit_test(matrices_are_loaded),
        cmocka_unit_test(products_of_halves),
        cmocka_unit_test(products_of_tf32),
        cmocka_unit_test(products_of_bytes),
        cmocka_unit_test(halves_are_rounded),
        cmocka_unit_test(fused_halves_are_rounded_once),
        cmocka_unit_test(copies_come_with_the_wait),
    };
    const struct CMUnitTest rules[] = {cmocka_unit_test(broken_rules_are_named)};
    if (!getenv("FERRY_LIBCUDA")) {
        puts("[  SKIPPED ] no emulated device: FERRY_LIBCUDA names none");
        return 77;
    }
    text = read_kernels();
    // Children open the device themselves: before this process has threads of it.
    int failed = cmocka_run_group_tests_name("broken rules", rules, NULL, NULL);
    if (!cuda_case_open(&device, text)) return 77;
    failed += cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
    cuda_case_close(&device);
    free(text);
    return failed;
}

// SPDX-License-Identifier: Apache-2.0
// What this machine's cores can do at most: figures of a benchmark mean more beside the ceiling.
//
//     cc -O3 -march=native -pthread peak.c -o peak
//     ./peak 2           one JSON object: for 1 and 2 threads, billions of operations a second, each the best of 7 runs
//     ./peak --probe 2   for every line read: a few milliseconds of FP32 on two threads, printed as GFLOP/s
//
// fp32: multiply and add of floats, 2 operations. int8: products of bytes summed in 32 bits, 2 operations each (absent
// without such instructions). bf16: likewise. The probe is for telling whether the machine is disturbed right now.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif
// As many independent sums as hide the latency of two units; with their operands they fit into 16 registers.
#define CHAINS 12

typedef float f32s __attribute__((vector_size(4 * LANES)));
typedef int s32s __attribute__((vector_size(4 * LANES)));
#if defined(__AVX512F__)
#define KEEP(x) __asm__ volatile("" : "+v"(x))
#elif defined(__x86_64__)
#define KEEP(x) __asm__ volatile("" : "+x"(x))
#else
#define KEEP(x) __asm__ volatile("" : "+w"(x))
#endif

// One round: an independent STEP of each sum. KEEP stops the compiler from computing less. The sums have names of their
// own because gcc keeps an array of them in memory.
#define EACH(DO) DO(s0) DO(s1) DO(s2) DO(s3) DO(s4) DO(s5) DO(s6) DO(s7) DO(s8) DO(s9) DO(s10) DO(s11)
#define START_F32(s) f32s s = {0};
#define START_S32(s) s32s s = {0};
#define RUN(s)                                                                                                         \
    s = STEP(s);                                                                                                       \
    KEEP(s);

static double run_fp32(long n)
{
    f32s a = (f32s){0} + 1.0000001f, b = (f32s){0} + 1e-9f;
    KEEP(a);
    KEEP(b);
#define STEP(s) s *a + b
    EACH(START_F32)
    for (long i = 0; i < n; i++) {
        EACH(RUN)
    }
#undef STEP
    return 2.0 * LANES * CHAINS * (double)n;
}

// Adds, lane by lane, four products of bytes; `b` are ones of 16 bits.
#if defined(__AVX512VNNI__)
#define HAS_INT8
#define BYTES __m512i a = _mm512_set1_epi8(1)
#define BYTES_STEP(s) (s32s) _mm512_dpbusd_epi32((__m512i)s, a, a)
#elif defined(__AVX512BW__)
#define HAS_INT8
#define BYTES __m512i a = _mm512_set1_epi8(1), b = _mm512_set1_epi16(1)
#define BYTES_STEP(s) (s32s) add_products((__m512i)s, a, b)
static inline __m512i add_products(__m512i sums, __m512i a, __m512i b)
{
    KEEP(a); // or the product would be taken out of the loop
    return _mm512_add_epi32(sums, _mm512_madd_epi16(_mm512_maddubs_epi16(a, a), b));
}
#elif defined(__AVX2__)
#define HAS_INT8
#define BYTES __m256i a = _mm256_set1_epi8(1), b = _mm256_set1_epi16(1)
#define BYTES_STEP(s) (s32s) add_products((__m256i)s, a, b)
static inline __m256i add_products(__m256i sums, __m256i a, __m256i b)
{
    KEEP(a);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(a, a), b));
}
#elif defined(__ARM_FEATURE_DOTPROD)
#define HAS_INT8
#define BYTES int8x16_t a = vdupq_n_s8(1)
#define BYTES_STEP(s) (s32s) vdotq_s32((int32x4_t)s, a, a)
#endif
#ifdef HAS_INT8
static double run_int8(long n)
{
    BYTES;
    KEEP(a);
#define STEP(s) BYTES_STEP(s)
    EACH(START_S32)
    for (long i = 0; i < n; i++) {
        EACH(RUN)
    }
#undef STEP
    return 8.0 * LANES * CHAINS * (double)n;
}
#endif

#if defined(__AVX512BF16__)
static double run_bf16(long n)
{
    __m512i bits = _mm512_set1_epi16(0x3f80);
    KEEP(bits);
#define STEP(s) (f32s) _mm512_dpbf16_ps((__m512)s, (__m512bh)bits, (__m512bh)bits)
    EACH(START_F32)
    for (long i = 0; i < n; i++) {
        EACH(RUN)
    }
#undef STEP
    return 4.0 * LANES * CHAINS * (double)n;
}
#endif

static const struct {
    const char *name;
    double (*run)(long n);
} figures[] = {
    {"fp32", run_fp32},
#ifdef HAS_INT8
    {"int8", run_int8},
#endif
#ifdef __AVX512BF16__
    {"bf16", run_bf16},
#endif
};

enum { MOST_THREADS = 256 };

typedef struct share {
    pthread_barrier_t *start;
    double (*run)(long n);
    long n;
    double work, begin_s, end_s;
} share;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *work(void *argument)
{
    share *s = argument;
    pthread_barrier_wait(s->start);
    s->begin_s = now_s();
    s->work = s->run(s->n);
    s->end_s = now_s();
    return NULL;
}

// Operations a second of all threads together, until the last has finished; 1e9 of them are 1.
static double rate(double (*run)(long n), long n, int threads)
{
    pthread_t ids[MOST_THREADS];
    share shares[MOST_THREADS];
    pthread_barrier_t start;
    double total = 0, begin = 1e300, end = 0;
    pthread_barrier_init(&start, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        shares[i] = (share){.start = &start, .run = run, .n = n};
        if (pthread_create(&ids[i], NULL, work, &shares[i])) exit(1);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        total += shares[i].work;
        if (shares[i].begin_s < begin) begin = shares[i].begin_s;
        if (shares[i].end_s > end) end = shares[i].end_s;
    }
    pthread_barrier_destroy(&start);
    return total / (end - begin) * 1e-9;
}

static void probe(int threads)
{
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        printf("%.1f\n", rate(run_fp32, 1000000, threads));
        fflush(stdout);
    }
}

static void survey(int most)
{
    for (int threads = 1; threads <= most; threads++) {
        printf("%s\"%d\":{", threads > 1 ? "," : "{", threads);
        for (size_t f = 0; f < sizeof figures / sizeof *figures; f++) {
            double best = 0;
            for (int i = 0; i < 7; i++) {
                const double r = rate(figures[f].run, 2000000, threads);
                if (r > best) best = r;
            }
            printf("%s\"%s\":%.1f", f ? "," : "", figures[f].name, best);
        }
        printf("}");
    }
    printf("}\n");
}

int main(int argc, char **argv)
{
    const int is_probe = argc > 1 && strcmp(argv[1], "--probe") == 0;
    const int threads = argc > 1 + is_probe ? atoi(argv[1 + is_probe]) : 1;
    if (threads < 1 || threads > MOST_THREADS) {
        fprintf(stderr, "usage: peak [--probe] THREADS\n");
        return 2;
    }
    if (is_probe)
        probe(threads);
    else
        survey(threads);
    return 0;
}

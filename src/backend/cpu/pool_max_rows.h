// SPDX-License-Identifier: Apache-2.0
// Maxima of pool_loops.h, part of pool_rows.h: whole vectors stay in registers while the window passes. In the
// compilers' own vectors, so that all types and instruction sets share one text.
#include <math.h>
#include <string.h>

#if defined(__AVX512BW__)
#define MAX_BYTES 64
#elif defined(__AVX2__)
#define MAX_BYTES 32
#else
#define MAX_BYTES 16
#endif
#define MAX_VECTORS 4 // side by side, so that one's compare hides behind another's load

typedef float vec_f32 __attribute__((vector_size(MAX_BYTES)));
typedef int32_t vec_s32 __attribute__((vector_size(MAX_BYTES)));
typedef int16_t vec_s16 __attribute__((vector_size(MAX_BYTES)));
typedef int8_t vec_s8 __attribute__((vector_size(MAX_BYTES)));
typedef uint8_t vec_u8 __attribute__((vector_size(MAX_BYTES)));

#define CHOOSE(bits, mask, yes, no) (((bits)(mask) & (bits)(yes)) | (~(bits)(mask) & (bits)(no)))

// A NaN stays: nothing is larger.
static inline vec_f32 larger_f32(vec_f32 a, vec_f32 b)
{
    return (vec_f32)CHOOSE(vec_s32, (b > a) | (b != b), b, a);
}

#ifndef OWN_S8
static inline vec_s8 larger_s8(vec_s8 a, vec_s8 b)
{
    return CHOOSE(vec_s8, b > a, b, a);
}
#endif

static inline vec_u8 larger_u8(vec_u8 a, vec_u8 b)
{
    return CHOOSE(vec_u8, b > a, b, a);
}

#ifndef OWN_MAX_BF16
static inline vec_s16 larger_s16(vec_s16 a, vec_s16 b)
{
    return CHOOSE(vec_s16, b > a, b, a);
}

// bf16 as integers of the same order, and back; NaNs become the largest of all.
static inline vec_s16 order_bf16(vec_s16 x)
{
    const vec_s16 ordered = x ^ ((x >> 15) & 0x7fff);
    const vec_s16 nan = (x & 0x7fff) > 0x7f80;
    return CHOOSE(vec_s16, nan, ordered - ordered + 0x7fff, ordered);
}

static inline vec_s16 unorder_bf16(vec_s16 x)
{
    return x ^ ((x >> 15) & 0x7fff);
}
#endif

#define AS_IT_IS(x) (x)
#define UNROLL _Pragma("GCC unroll 4")

// `vectors` vectors from channel `c` on; there is an element at least.
#define MAX_BLOCK(name, type, vec, larger, load, store)                                                                \
    static inline __attribute__((always_inline)) vec name##_at(const type *from)                                       \
    {                                                                                                                  \
        vec b;                                                                                                         \
        memcpy(&b, from, sizeof b);                                                                                    \
        return load(b);                                                                                                \
    }                                                                                                                  \
    static inline __attribute__((always_inline)) void name##_block(const ferry_pool_window *w, const type *x, type *y, \
                                                                   size_t c, const size_t vectors)                     \
    {                                                                                                                  \
        const size_t each = MAX_BYTES / sizeof(type);                                                                  \
        vec most[MAX_VECTORS];                                                                                         \
        UNROLL                                                                                                         \
        for (size_t v = 0; v < vectors; v++) most[v] = name##_at(x + element(w, 0) + c + v * each);                    \
        for (size_t i = 1; i < w->n; i++) {                                                                            \
            const type *from = x + element(w, i) + c;                                                                  \
            UNROLL                                                                                                     \
            for (size_t v = 0; v < vectors; v++) most[v] = larger(most[v], name##_at(from + v * each));                \
        }                                                                                                              \
        UNROLL                                                                                                         \
        for (size_t v = 0; v < vectors; v++) {                                                                         \
            const vec b = store(most[v]);                                                                              \
            memcpy(y + c + v * each, &b, sizeof b);                                                                    \
        }                                                                                                              \
    }

// As many channels as fill vectors, the last one taking up some once more; returns false when there are too few for one
// vector or no element at all.
#define MAX_ALL(name, type, vec, larger, load, store)                                                                  \
    MAX_BLOCK(name, type, vec, larger, load, store)                                                                    \
    static bool name##_vectors(const ferry_pool_window *w, const type *x, type *y)                                     \
    {                                                                                                                  \
        const size_t each = MAX_BYTES / sizeof(type), all = each * MAX_VECTORS;                                        \
        if (w->channels < each || w->n == 0) return false;                                                             \
        size_t c = 0;                                                                                                  \
        for (; c + all <= w->channels; c += all) name##_block(w, x, y, c, MAX_VECTORS);                                \
        for (; c < w->channels; c += each) name##_block(w, x, y, c + each > w->channels ? w->channels - each : c, 1);  \
        return true;                                                                                                   \
    }

MAX_ALL(max_f32, float, vec_f32, larger_f32, AS_IT_IS, AS_IT_IS)
#ifndef OWN_MAX_BF16
MAX_ALL(max_bf16, uint16_t, vec_s16, larger_s16, order_bf16, unorder_bf16)
#endif
#ifndef OWN_S8
MAX_ALL(max_s8, int8_t, vec_s8, larger_s8, AS_IT_IS, AS_IT_IS)
#endif
MAX_ALL(max_u8, uint8_t, vec_u8, larger_u8, AS_IT_IS, AS_IT_IS)

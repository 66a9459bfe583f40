// SPDX-License-Identifier: Apache-2.0
// Little-endian primitives of the engine file: a writer that grows, a reader that never leaves its section.
#ifndef FERRY_SRC_ENGINE_CODER_H_
#define FERRY_SRC_ENGINE_CODER_H_

#include <string.h>

#include "base/heap.h"
#include "base/status.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "engine files are used in place: a big-endian machine needs a converting reader"
#endif

typedef struct ferry_coder {
    const ferry_heap *heap;
    uint8_t *data;
    size_t used, capacity;
    bool failed; // memory is gone
} ferry_coder;

static inline void ferry_coder_deinit(ferry_coder *c)
{
    ferry_heap_free(c->heap, c->data, c->capacity);
}

static inline void ferry_put(ferry_coder *c, const void *data, size_t bytes)
{
    void *grown = c->data;
    if (c->failed || !ferry_heap_reserve(c->heap, &grown, &c->capacity, 1, c->used + bytes)) {
        c->failed = true;
        return;
    }
    c->data = grown;
    if (bytes) memcpy(c->data + c->used, data, bytes);
    c->used += bytes;
}

static inline void ferry_put_u32(ferry_coder *c, uint32_t x)
{
    ferry_put(c, &x, sizeof x);
}
static inline void ferry_put_s32(ferry_coder *c, int32_t x)
{
    ferry_put(c, &x, sizeof x);
}
static inline void ferry_put_u64(ferry_coder *c, uint64_t x)
{
    ferry_put(c, &x, sizeof x);
}
static inline void ferry_put_s64(ferry_coder *c, int64_t x)
{
    ferry_put(c, &x, sizeof x);
}
static inline void ferry_put_f64(ferry_coder *c, double x)
{
    ferry_put(c, &x, sizeof x);
}
/// Length in bytes, bytes, a zero; NULL as length UINT32_MAX.
static inline void ferry_put_text(ferry_coder *c, const char *text)
{
    const size_t n = text ? strlen(text) : 0;
    ferry_put_u32(c, text ? (uint32_t)n : UINT32_MAX);
    if (text) ferry_put(c, text, n + 1);
}

/// Reads from [data, data + bytes). After the first read beyond the end, `bad` is set and everything reads as 0.
typedef struct ferry_decoder_bytes {
    const uint8_t *data;
    size_t bytes, at;
    bool bad;
} ferry_decoder_bytes;

static inline const void *ferry_take(ferry_decoder_bytes *d, size_t bytes)
{
    if (d->bad || bytes > d->bytes - d->at) {
        d->bad = true;
        return NULL;
    }
    const void *p = d->data + d->at;
    d->at += bytes;
    return p;
}

#define FERRY_TAKE(name, type)                                                                                         \
    static inline type ferry_take_##name(ferry_decoder_bytes *d)                                                       \
    {                                                                                                                  \
        type x = 0;                                                                                                    \
        const void *p = ferry_take(d, sizeof x);                                                                       \
        if (p) memcpy(&x, p, sizeof x);                                                                                \
        return x;                                                                                                      \
    }
FERRY_TAKE(u32, uint32_t)
FERRY_TAKE(s32, int32_t)
FERRY_TAKE(u64, uint64_t)
FERRY_TAKE(s64, int64_t)
FERRY_TAKE(f64, double)
#undef FERRY_TAKE

/// A count of things of which each takes at least `least_bytes`: refused when the section could not hold them.
static inline uint32_t ferry_take_count(ferry_decoder_bytes *d, size_t least_bytes)
{
    const uint32_t n = ferry_take_u32(d);
    if (!d->bad && n > (d->bytes - d->at) / least_bytes) d->bad = true;
    return d->bad ? 0 : n;
}

/// Points into the section; NULL for a stored NULL, or when bad.
static inline const char *ferry_take_text(ferry_decoder_bytes *d)
{
    const uint32_t n = ferry_take_u32(d);
    if (d->bad || n == UINT32_MAX) return NULL;
    const char *p = ferry_take(d, (size_t)n + 1);
    if (p && (p[n] != 0 || memchr(p, 0, n))) {
        d->bad = true;
        return NULL;
    }
    return p;
}
/// The same where a NULL is an error.
static inline const char *ferry_take_name(ferry_decoder_bytes *d)
{
    const char *p = ferry_take_text(d);
    if (!p) d->bad = true;
    return p ? p : "";
}

#endif // FERRY_SRC_ENGINE_CODER_H_

// SPDX-License-Identifier: Apache-2.0
// Checksums and content hashes: XXH3, seed 0, as `xxhsum -H3` and `xxhsum -H2` print them. Not meant against forgery.
#ifndef FERRY_SRC_BASE_HASH_H_
#define FERRY_SRC_BASE_HASH_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY // for the state's size: it lies in the caller's memory
#include <xxhash.h>

typedef struct ferry_hash128 {
    uint64_t low, high;
} ferry_hash128;

/// A hash in progress. 64-byte aligned: put it on the stack or at the start of memory from ferry_heap.
typedef struct ferry_hasher {
    XXH3_state_t state;
    int wide;
} ferry_hasher;

static inline uint64_t ferry_hash64_of(const void *data, size_t bytes)
{
    return XXH3_64bits(data, bytes);
}

static inline ferry_hash128 ferry_hash128_of(const void *data, size_t bytes)
{
    const XXH128_hash_t h = XXH3_128bits(data, bytes);
    return (ferry_hash128){h.low64, h.high64};
}

static inline void ferry_hasher_init64(ferry_hasher *hasher)
{
    XXH3_64bits_reset(&hasher->state);
    hasher->wide = 0;
}

static inline void ferry_hasher_init128(ferry_hasher *hasher)
{
    XXH3_128bits_reset(&hasher->state);
    hasher->wide = 1;
}

static inline void ferry_hasher_update(ferry_hasher *hasher, const void *data, size_t bytes)
{
    if (bytes == 0) return;
    if (hasher->wide)
        XXH3_128bits_update(&hasher->state, data, bytes);
    else
        XXH3_64bits_update(&hasher->state, data, bytes);
}

/// The number as 8 little-endian bytes, so that the hash is the same on every machine.
static inline void ferry_hasher_update_u64(ferry_hasher *hasher, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> (8 * i));
    ferry_hasher_update(hasher, bytes, sizeof bytes);
}

/// Length, then bytes: "ab" + "c" and "a" + "bc" hash differently. NULL is told from "".
static inline void ferry_hasher_update_text(ferry_hasher *hasher, const char *text)
{
    const size_t length = text ? strlen(text) : 0;
    ferry_hasher_update_u64(hasher, text ? length : UINT64_MAX);
    ferry_hasher_update(hasher, text, length);
}

/// The hash of what was given so far; more may follow. Each only after the init of the same width.
static inline uint64_t ferry_hasher_digest64(const ferry_hasher *hasher)
{
    return XXH3_64bits_digest(&hasher->state);
}

static inline ferry_hash128 ferry_hasher_digest128(const ferry_hasher *hasher)
{
    const XXH128_hash_t h = XXH3_128bits_digest(&hasher->state);
    return (ferry_hash128){h.low64, h.high64};
}

/// 16 lower-case hex digits, most significant first, and a zero byte. Returns `out`.
static inline char *ferry_hash64_text(uint64_t hash, char out[17])
{
    for (int i = 0; i < 16; i++) out[i] = "0123456789abcdef"[(hash >> (60 - 4 * i)) & 15];
    out[16] = 0;
    return out;
}

/// 32 lower-case hex digits, most significant first, and a zero byte. Returns `out`.
static inline char *ferry_hash128_text(ferry_hash128 hash, char out[33])
{
    ferry_hash64_text(hash.high, out);
    ferry_hash64_text(hash.low, out + 16);
    return out;
}

#endif // FERRY_SRC_BASE_HASH_H_

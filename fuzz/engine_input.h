// SPDX-License-Identifier: Apache-2.0
// What is tried with bytes that claim to be an engine: shared by the fuzzer and the tests of hostile files.
#ifndef FERRY_FUZZ_ENGINE_INPUT_H_
#define FERRY_FUZZ_ENGINE_INPUT_H_

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/format.h"
#include "runtime/internal.h"

enum { ENGINE_INPUT_MOST_BINDINGS = 16 };

/// No honest engine of a test's size needs more in one block, so that a size that is believed unchecked is found.
static inline void *engine_input_alloc(void *user, size_t bytes)
{
    (void)user;
    return bytes > ((size_t)64 << 20) ? NULL : ferry_heap_default()->alloc(NULL, bytes);
}

static inline void engine_input_free(void *user, void *pointer, size_t bytes)
{
    (void)user;
    ferry_heap_default()->free(NULL, pointer, bytes);
}

/// Makes every checksum right again, as someone would who alters a file on purpose: what lies behind them is then
/// reached.
static inline void engine_input_reseal(uint8_t *data, size_t size)
{
    ferry_engine_header header;
    if (size < sizeof header || memcmp(data, FERRY_ENGINE_MAGIC, 8) != 0) return;
    memcpy(&header, data, sizeof header);
    const size_t room = (size - sizeof header) / sizeof(ferry_section_entry);
    const size_t n = header.section_count < room ? header.section_count : room;
    for (size_t i = 0; i < n; i++) {
        ferry_section_entry e;
        uint8_t *at = data + sizeof header + i * sizeof e;
        memcpy(&e, at, sizeof e);
        if (e.offset > size || e.bytes > size - e.offset) continue;
        e.checksum = ferry_hash64_of(data + e.offset, (size_t)e.bytes);
        memcpy(at, &e, sizeof e);
    }
    header.table_checksum = ferry_hash64_of(data + sizeof header, n * sizeof(ferry_section_entry));
    header.checksum = ferry_hash64_of(&header, offsetof(ferry_engine_header, checksum));
    memcpy(data, &header, sizeof header);
}

/// Bindings in blocks of exactly their size, one run, and everything released. Failing is fine at any point.
static inline ferry_status engine_input_run(ferry_engine *engine, ferry_stream *stream, ferry_error *err)
{
    ferry_context *context = NULL;
    void *data[ENGINE_INPUT_MOST_BINDINGS] = {0};
    size_t bytes[ENGINE_INPUT_MOST_BINDINGS] = {0};
    const int32_t n = ferry_engine_binding_count(engine);
    if (n > ENGINE_INPUT_MOST_BINDINGS) return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "many bindings");
    ferry_status s = ferry_context_create(engine, NULL, &context, err);
    if (s == FERRY_OK) s = ferry_context_prepare(context, err);
    for (int32_t i = 0; s == FERRY_OK && i < n; i++) {
        s = ferry_context_binding_bytes(context, i, &bytes[i], err);
        if (s == FERRY_OK && bytes[i] > ((size_t)16 << 20)) s = ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY, "too large");
        if (s != FERRY_OK) break;
        data[i] = malloc(bytes[i] ? bytes[i] : 1);
        const ferry_dtype dtype = engine->image.graph.values[ferry_engine_binding_value(engine, i)].dtype;
        if (data[i]) memset(data[i], dtype == FERRY_F32 ? 0x3C : 0, bytes[i]); // 0.0115, and indices that exist
    }
    if (s == FERRY_OK)
        s = ferry_context_run(context, stream, (const void *const *)data, data + engine->image.graph.n_inputs, err);
    ferry_context_release(context);
    for (int32_t i = 0; i < n; i++) free(data[i]);
    return s;
}

/// Loads the bytes and, when they load, runs them. A refusal has a reason.
static inline ferry_status engine_input_try(ferry_runtime *runtime, ferry_stream *stream, const uint8_t *data,
                                            size_t size, ferry_error *err)
{
    ferry_engine *engine = NULL;
    err->text[0] = 0;
    ferry_status s = ferry_engine_load_memory(runtime, data, size, NULL, &engine, err);
    if (s == FERRY_OK) s = engine_input_run(engine, stream, err);
    if (s != FERRY_OK && !err->text[0]) abort();
    ferry_engine_release(engine);
    return s;
}

#endif // FERRY_FUZZ_ENGINE_INPUT_H_

// SPDX-License-Identifier: Apache-2.0
// A stream with a context and random data, as `ferry bench` runs several at a time.
#include <stdlib.h>
#include <string.h>

#include "bench.h"

// Random numbers in [-1, 1) for floats and over the whole range for bytes; other integers stay 0, which is a valid
// index. Another seed gives other numbers.
static void fill_random(void *data, size_t bytes, ferry_dtype dtype, uint64_t seed)
{
    uint64_t state = 0x853c49e6748fea9bu + seed;
    memset(data, 0, bytes);
    for (size_t i = 0; i < bytes; i += 4) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const uint32_t r = (uint32_t)(state >> 33);
        const float x = (float)(int32_t)(r & 0xffff) / 32768.0f - 1.0f;
        if (dtype == FERRY_F32 && i + 4 <= bytes) memcpy((char *)data + i, &x, 4);
        if (dtype == FERRY_S8 || dtype == FERRY_U8) memcpy((char *)data + i, &r, bytes - i < 4 ? bytes - i : 4);
    }
}

// Inputs and outputs as a program would best keep them.
static void *alloc_buffer(const cli_session *s, size_t bytes)
{
    return ferry_runtime_shares_memory(s->runtime) ? ferry_pinned_alloc(s->runtime, bytes)
                                                   : ferry_memory_alloc(s->runtime, bytes);
}

static void free_buffer(const cli_session *s, void *buffer, size_t bytes)
{
    if (ferry_runtime_shares_memory(s->runtime))
        ferry_pinned_free(s->runtime, buffer, bytes);
    else
        ferry_memory_free(s->runtime, buffer, bytes);
}

static ferry_status make_buffer(const cli_session *s, cli_bench_lane *l, const ferry_binding_info *info, size_t bytes,
                                size_t set, void **out, ferry_error *err)
{
    *out = alloc_buffer(s, bytes);
    void *host = ferry_pinned_alloc(s->runtime, bytes);
    ferry_status status = *out && host ? FERRY_OK : FERRY_ERR_OUT_OF_MEMORY;
    if (status == FERRY_OK) {
        fill_random(host, bytes, info->is_input ? info->dtype : FERRY_DTYPE_NONE, set);
        status = ferry_stream_copy(l->stream, FERRY_COPY_TO_DEVICE, *out, host, bytes, err);
    }
    if (status == FERRY_OK) status = ferry_stream_wait(l->stream, err);
    ferry_pinned_free(s->runtime, host, bytes);
    return status;
}

static int fill_binding(const cli_session *s, cli_bench_lane *l, int32_t i)
{
    ferry_error err = {.text = ""};
    ferry_binding_info info;
    int32_t rank = 0;
    int64_t dims[FERRY_MAX_RANK];
    if (ferry_engine_binding(s->engine, i, &info, &err) != FERRY_OK ||
        ferry_context_binding_shape(l->context, i, &rank, dims, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    size_t bytes = ferry_dtype_bytes(info.dtype);
    for (int32_t d = 0; d < rank; d++) bytes *= (size_t)dims[d];
    l->bytes[i] = bytes;
    l->n_inputs += info.is_input;
    ferry_status status = FERRY_OK;
    for (size_t set = 0; status == FERRY_OK && set < (info.is_input ? CLI_BENCH_SETS : 1); set++)
        status = make_buffer(s, l, &info, bytes, set, &l->buffers[set * (size_t)l->n_bindings + (size_t)i], &err);
    if (status == FERRY_OK) status = ferry_context_bind(l->context, i, l->buffers[i], &err);
    return status == FERRY_OK
               ? CLI_OK
               : cli_fail("input or output '%s': %s", info.name, err.text[0] ? err.text : "out of memory");
}

int cli_bench_lane_open(const cli_settings *settings, const cli_session *s, cli_bench_lane *l)
{
    ferry_error err = {.text = ""};
    const ferry_stream_options stream_options = {.size = sizeof stream_options, .threads = settings->threads};
    const ferry_context_options context_options = {.size = sizeof context_options, .memory_limit_bytes = settings->ram};
    l->n_bindings = ferry_engine_binding_count(s->engine);
    if (ferry_stream_create(s->runtime, &stream_options, &l->stream, &err) != FERRY_OK ||
        ferry_context_create(s->engine, &context_options, &l->context, &err) != FERRY_OK ||
        ferry_context_prepare(l->context, &err) != FERRY_OK)
        return cli_fail("%s", err.text);
    return CLI_OK;
}

int cli_bench_lane_fill(const cli_session *s, cli_bench_lane *l)
{
    l->buffers = calloc((size_t)l->n_bindings * CLI_BENCH_SETS, sizeof *l->buffers);
    l->bytes = calloc((size_t)l->n_bindings, sizeof *l->bytes);
    if (!l->buffers || !l->bytes) return cli_fail("out of memory");
    int status = CLI_OK;
    for (int32_t i = 0; status == CLI_OK && i < l->n_bindings; i++) status = fill_binding(s, l, i);
    return status;
}

ferry_status cli_bench_lane_enqueue(cli_bench_lane *l, ferry_error *err)
{
    void **set = l->buffers + l->runs++ % CLI_BENCH_SETS * (size_t)l->n_bindings;
    ferry_status status = FERRY_OK;
    for (int32_t i = 0; status == FERRY_OK && i < l->n_inputs; i++)
        status = ferry_context_bind(l->context, i, set[i], err);
    return status == FERRY_OK ? ferry_context_enqueue(l->context, l->stream, err) : status;
}

void cli_bench_lane_close(const cli_session *s, cli_bench_lane *l)
{
    ferry_context_release(l->context);
    ferry_stream_release(l->stream);
    for (size_t i = 0; l->buffers && l->bytes && i < (size_t)l->n_bindings * CLI_BENCH_SETS; i++)
        free_buffer(s, l->buffers[i], l->bytes[i % (size_t)l->n_bindings]);
    free(l->buffers);
    free(l->bytes);
}

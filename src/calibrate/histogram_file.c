// SPDX-License-Identifier: Apache-2.0
// Histograms as bytes: docs/CALIBRATION.md describes the format. What is read is believed only where it could have been
// counted.
#include <inttypes.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/file_map.h"
#include "base/hash.h"
#include "calibrate/histogram_set.h"

enum {
    VERSION = 1,
    AT_VERSION = 8,
    AT_TENSORS = 12,
    AT_SAMPLES = 16,
    AT_TEXT_BYTES = 24,
    AT_MODEL = 32,
    AT_PREPROCESSING = 64,
    AT_CHECKSUM = 96,
    HEADER_BYTES = 104,
    TENSOR_BYTES = 40 + 8 * FERRY_HISTOGRAM_BINS
};

static const char magic[8] = {'f', 'e', 'r', 'r', 'y', 'h', 's', 't'};

// --- Numbers -------------------------------------------------------------------------------------------------------

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static void put_u64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) value |= (uint32_t)at[i] << (8 * i);
    return value;
}

static uint64_t get_u64(const uint8_t *at)
{
    return get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

static uint64_t checksum(const uint8_t *data, size_t bytes)
{
    ferry_hasher h;
    ferry_hasher_init64(&h);
    ferry_hasher_update(&h, data, AT_CHECKSUM);
    ferry_hasher_update(&h, data + HEADER_BYTES, bytes - HEADER_BYTES);
    return ferry_hasher_digest64(&h);
}

// --- Writing -------------------------------------------------------------------------------------------------------

static void put_tensor(uint8_t *at, const ferry_histogram *h)
{
    put_u32(at, (uint32_t)h->exponent);
    put_u32(at + 4, (uint32_t)h->min_key);
    put_u32(at + 8, (uint32_t)h->max_key);
    put_u32(at + 12, 0);
    put_u64(at + 16, h->zero_count);
    put_u64(at + 24, h->nan_count);
    put_u64(at + 32, h->infinite_count);
    for (size_t i = 0; i < FERRY_HISTOGRAM_BINS; i++) put_u64(at + 40 + 8 * i, h->bins[i]);
}

static size_t text_bytes(const ferry_histograms *h)
{
    size_t bytes = strlen(h->inputs) + 1;
    for (size_t i = 0; i < h->count; i++) bytes += strlen(h->names[i]) + 1;
    return ferry_align_size(bytes, 8);
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
    const size_t bytes = strlen(text) + 1;
    memcpy(at, text, bytes);
    return at + bytes;
}

ferry_status ferry_histograms_serialize(const ferry_histograms *histograms, void **out_data, size_t *out_bytes,
                                        ferry_error *error)
{
    const ferry_histograms *h = histograms;
    const size_t texts = text_bytes(h), bytes = HEADER_BYTES + texts + h->count * TENSOR_BYTES;
    *out_data = NULL;
    *out_bytes = 0;
    uint8_t *data = ferry_heap_alloc(ferry_heap_default(), bytes);
    if (!data) return ferry_fail_memory(error, "the bytes of histograms");
    memcpy(data, magic, sizeof magic);
    put_u32(data + AT_VERSION, VERSION);
    put_u32(data + AT_TENSORS, (uint32_t)h->count);
    put_u64(data + AT_SAMPLES, h->samples);
    put_u64(data + AT_TEXT_BYTES, texts);
    memcpy(data + AT_MODEL, h->model, 32);
    memcpy(data + AT_PREPROCESSING, h->preprocessing, 32);
    uint8_t *at = put_text(data + HEADER_BYTES, h->inputs);
    for (size_t i = 0; i < h->count; i++) at = put_text(at, h->names[i]);
    for (size_t i = 0; i < h->count; i++) put_tensor(data + HEADER_BYTES + texts + i * TENSOR_BYTES, &h->tensors[i]);
    put_u64(data + AT_CHECKSUM, checksum(data, bytes));
    *out_data = data;
    *out_bytes = bytes;
    return FERRY_OK;
}

// --- Reading -------------------------------------------------------------------------------------------------------

typedef struct reading {
    const uint8_t *data;
    size_t bytes, texts, tensors;
} reading;

static ferry_status check_header(reading *r, ferry_error *err)
{
    if (r->bytes < HEADER_BYTES || memcmp(r->data, magic, sizeof magic) != 0)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "is no file of histograms (%zu bytes)", r->bytes);
    const uint32_t version = get_u32(r->data + AT_VERSION);
    if (version != VERSION)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "holds histograms of format %" PRIu32
                          ", this ferry reads format %d: observe the samples anew",
                          version, VERSION);
    const uint64_t tensors = get_u32(r->data + AT_TENSORS), texts = get_u64(r->data + AT_TEXT_BYTES);
    const uint64_t left = r->bytes - HEADER_BYTES;
    if (texts > left || texts % 8 != 0 || left - texts != tensors * TENSOR_BYTES)
        return ferry_fail(err, FERRY_ERR_BAD_DATA,
                          "has %zu bytes, its header speaks of %" PRIu64 " tensors and %" PRIu64
                          " bytes of text: it is "
                          "cut off or damaged",
                          r->bytes, tensors, texts);
    r->texts = (size_t)texts;
    r->tensors = (size_t)tensors;
    if (checksum(r->data, r->bytes) != get_u64(r->data + AT_CHECKSUM))
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "is damaged: its checksum does not fit");
    return FERRY_OK;
}

static bool is_hash(const uint8_t *text)
{
    size_t digits = 0, zeros = 0;
    for (size_t i = 0; i < 32; i++) {
        digits += (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        zeros += text[i] == 0;
    }
    return digits == 32 || zeros == 32; // 32 zeros: not known
}

// Points texts[0 .. count) at the zero-terminated texts; what follows them must be less than 8 zeros.
static ferry_status read_texts(const reading *r, const char **texts, size_t count, ferry_error *err)
{
    const uint8_t *at = r->data + HEADER_BYTES, *end = at + r->texts;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *zero = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
        if (!zero || (i > 0 && zero == at)) return ferry_fail(err, FERRY_ERR_BAD_DATA, "tensor names are missing");
        texts[i] = (const char *)at;
        at = zero + 1;
    }
    bool padding = end - at < 8;
    for (; at < end; at++) padding = padding && *at == 0;
    return padding ? FERRY_OK : ferry_fail(err, FERRY_ERR_BAD_DATA, "has text behind the last tensor's name");
}

static ferry_status read_tensor(const uint8_t *at, const char *name, ferry_histogram *out, ferry_error *err)
{
    out->exponent = (int32_t)get_u32(at);
    out->min_key = (int32_t)get_u32(at + 4);
    out->max_key = (int32_t)get_u32(at + 8);
    out->zero_count = get_u64(at + 16);
    out->nan_count = get_u64(at + 24);
    out->infinite_count = get_u64(at + 32);
    for (size_t i = 0; i < FERRY_HISTOGRAM_BINS; i++) out->bins[i] = get_u64(at + 40 + 8 * i);
    const char *flaw = get_u32(at + 12) == 0 ? ferry_histogram_flaw(out) : "a field that is not zero";
    if (!flaw) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "the histogram of tensor '%.200s' has %s", name, flaw);
}

static ferry_status read_tensors(const reading *r, ferry_histograms *h, ferry_error *err)
{
    h->tensors = ferry_heap_alloc_array(h->heap, h->count, sizeof *h->tensors);
    if (!h->tensors) return ferry_fail_memory(err, "histograms");
    const uint8_t *at = r->data + HEADER_BYTES + r->texts;
    for (size_t i = 0; i < h->count; i++, at += TENSOR_BYTES)
        FERRY_TRY(read_tensor(at, h->names[i], &h->tensors[i], err));
    return FERRY_OK;
}

static ferry_status read_texts_and_tensors(const reading *r, ferry_arena *scratch, const ferry_heap *heap,
                                           ferry_histograms **out, ferry_error *err)
{
    const char **texts = ferry_arena_alloc_array(scratch, r->tensors + 1, sizeof *texts);
    if (!texts) return ferry_fail_memory(err, "histograms");
    FERRY_TRY(read_texts(r, texts, r->tensors + 1, err));
    FERRY_TRY(ferry_histograms_create(heap, texts + 1, r->tensors, texts[0], out, err));
    return read_tensors(r, *out, err);
}

static ferry_status read_histograms(reading *r, const ferry_heap *heap, ferry_histograms **out, ferry_error *err)
{
    FERRY_TRY(check_header(r, err));
    const uint64_t samples = get_u64(r->data + AT_SAMPLES);
    if (!is_hash(r->data + AT_MODEL) || !is_hash(r->data + AT_PREPROCESSING) || samples > UINT64_MAX / 2)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "has a header that no ferry writes");
    ferry_arena scratch;
    ferry_arena_init(&scratch, heap);
    const ferry_status s = read_texts_and_tensors(r, &scratch, heap, out, err);
    ferry_arena_deinit(&scratch);
    if (s != FERRY_OK) {
        ferry_histograms_release(*out);
        *out = NULL;
        return s;
    }
    (*out)->samples = samples;
    memcpy((*out)->model, r->data + AT_MODEL, 32);
    memcpy((*out)->preprocessing, r->data + AT_PREPROCESSING, 32);
    return FERRY_OK;
}

ferry_status ferry_histograms_deserialize(const void *data, size_t bytes, const ferry_heap *heap,
                                          ferry_histograms **out, ferry_error *error)
{
    *out = NULL;
    reading r = {.data = data, .bytes = data ? bytes : 0};
    const ferry_status s = read_histograms(&r, ferry_heap_or_default(heap), out, error);
    return s == FERRY_ERR_BAD_DATA || s == FERRY_ERR_UNSUPPORTED ? ferry_within(error, s, "histograms") : s;
}

// --- Files ---------------------------------------------------------------------------------------------------------

ferry_status ferry_histograms_save(const ferry_histograms *histograms, const char *path, ferry_error *error)
{
    void *data = NULL;
    size_t bytes = 0;
    if (!path) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a file's path is NULL");
    FERRY_TRY(ferry_histograms_serialize(histograms, &data, &bytes, error));
    const ferry_status s = ferry_atomic_file_write(histograms->heap, path, data, bytes, error);
    ferry_heap_free(ferry_heap_default(), data, bytes);
    return s;
}

ferry_status ferry_histograms_load(const char *path, const ferry_heap *heap, ferry_histograms **out, ferry_error *error)
{
    enum { MOST_TENSORS = 1 << 16 };
    char *data = NULL;
    size_t bytes = 0;
    *out = NULL;
    heap = ferry_heap_or_default(heap);
    if (!path) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a file's path is NULL");
    FERRY_TRY(ferry_file_read(heap, path, (size_t)MOST_TENSORS * TENSOR_BYTES, &data, &bytes, error));
    reading r = {.data = (const uint8_t *)data, .bytes = bytes};
    const ferry_status s = read_histograms(&r, heap, out, error);
    ferry_heap_free(heap, data, bytes + 1);
    return s == FERRY_ERR_BAD_DATA || s == FERRY_ERR_UNSUPPORTED ? ferry_within(error, s, "%s", path) : s;
}

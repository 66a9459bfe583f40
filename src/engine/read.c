// SPDX-License-Identifier: Apache-2.0
// Reading an engine file in place. Weights and packed constants are used where they lie in the map.
#include "base/hash.h"
#include "engine/format.h"

static ferry_status check_header(const uint8_t *data, size_t bytes, ferry_engine_header *out, ferry_error *err)
{
    if (bytes < sizeof *out || memcmp(data, FERRY_ENGINE_MAGIC, sizeof out->magic) != 0)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "not a ferry engine (it does not begin with '%s')",
                          FERRY_ENGINE_MAGIC);
    memcpy(out, data, sizeof *out);
    if (out->version != FERRY_ENGINE_VERSION)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE,
                          "engine format %u, this ferry reads %u; build the engine again from its model", out->version,
                          FERRY_ENGINE_VERSION);
    if (ferry_hash64_of(data, offsetof(ferry_engine_header, checksum)) != out->checksum)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "header: wrong checksum; the file is damaged");
    if (out->file_bytes != bytes)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE,
                          "the file has %zu bytes and should have %llu; it is truncated "
                          "or was appended to",
                          bytes, (unsigned long long)out->file_bytes);
    if (out->header_bytes != sizeof *out || out->entry_bytes != sizeof(ferry_section_entry) ||
        out->table_offset != sizeof *out || out->section_count > FERRY_ENGINE_MOST_SECTIONS ||
        out->section_count * sizeof(ferry_section_entry) > bytes - sizeof *out)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "header: impossible sizes");
    return FERRY_OK;
}

static ferry_status check_table(const uint8_t *data, const ferry_engine_header *header, ferry_section_entry *table,
                                ferry_error *err)
{
    const size_t table_bytes = header->section_count * sizeof *table;
    memcpy(table, data + header->table_offset, table_bytes);
    if (ferry_hash64_of(table, table_bytes) != header->table_checksum)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "section table: wrong checksum; the file is damaged");
    for (uint32_t i = 0; i < header->section_count; i++) {
        const ferry_section_entry *s = &table[i];
        if (s->name[sizeof s->name - 1] != 0)
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "section %u: its name does not end", i);
        if (s->offset % FERRY_ENGINE_ALIGN || s->offset > header->file_bytes ||
            s->bytes > header->file_bytes - s->offset)
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "section '%s': outside the file", s->name);
    }
    return FERRY_OK;
}

static ferry_status check_checksums(const uint8_t *data, const ferry_engine_header *header,
                                    const ferry_section_entry *table, bool verify, ferry_error *err)
{
    for (uint32_t i = 0; i < header->section_count; i++) {
        const bool large = table[i].kind == FERRY_SECTION_WEIGHTS || table[i].kind == FERRY_SECTION_PACKED;
        if (large && !verify) continue;
        if (ferry_hash64_of(data + table[i].offset, (size_t)table[i].bytes) != table[i].checksum)
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE,
                              "section '%s' at offset %llu: wrong checksum; the file is damaged", table[i].name,
                              (unsigned long long)table[i].offset);
    }
    return FERRY_OK;
}

static const ferry_section_entry *find(const ferry_engine_header *header, const ferry_section_entry *table,
                                       ferry_section_kind kind, uint32_t index)
{
    for (uint32_t i = 0; i < header->section_count; i++)
        if (table[i].kind == (uint32_t)kind && table[i].index == index) return &table[i];
    return NULL;
}

static ferry_decoder_bytes open_section(const uint8_t *data, const ferry_section_entry *s)
{
    return (ferry_decoder_bytes){.data = data + s->offset, .bytes = (size_t)s->bytes};
}

static ferry_status read_texts(ferry_decoder_bytes *in, ferry_engine_image *out, ferry_error *err)
{
    const uint32_t n = ferry_take_count(in, 10);
    out->texts = ferry_arena_alloc_array(&out->arena, n, sizeof *out->texts);
    if (!out->texts) return ferry_fail_memory(err, "an engine's texts");
    for (uint32_t i = 0; i < n && !in->bad; i++) {
        const char *key = ferry_take_name(in), *value = ferry_take_name(in);
        out->texts[out->n_texts++] = (ferry_engine_text_entry){key, value};
    }
    return in->bad || in->at != in->bytes ? ferry_fail(err, FERRY_ERR_BAD_ENGINE, "texts section: damaged") : FERRY_OK;
}

static bool fits_profile(const ferry_shape *value, const ferry_engine_profile *p)
{
    if (!ferry_shape_is_known(&p->min) || !ferry_shape_is_known(&p->opt) || !ferry_shape_is_known(&p->max))
        return false;
    if (p->min.rank != p->opt.rank || p->opt.rank != p->max.rank || p->opt.rank != value->rank) return false;
    for (int32_t d = 0; d < value->rank; d++) {
        if (p->min.dims[d] > p->opt.dims[d] || p->opt.dims[d] > p->max.dims[d]) return false;
        if (value->dims[d] >= 0 && (p->min.dims[d] != value->dims[d] || p->max.dims[d] != value->dims[d])) return false;
    }
    return true;
}

static ferry_status read_profiles(ferry_decoder_bytes *in, ferry_engine_image *out, ferry_error *err)
{
    const uint32_t n = ferry_take_count(in, 16);
    out->profiles = ferry_arena_alloc_array(&out->arena, n, sizeof *out->profiles);
    if (!out->profiles) return ferry_fail_memory(err, "an engine's profiles");
    for (uint32_t i = 0; i < n && !in->bad; i++) {
        ferry_engine_profile p = {.input = ferry_take_s32(in)};
        p.min = ferry_take_shape(in);
        p.opt = ferry_take_shape(in);
        p.max = ferry_take_shape(in);
        if (in->bad || p.input < 0 || (size_t)p.input >= out->graph.n_values || !out->graph.values[p.input].is_input ||
            !fits_profile(&out->graph.values[p.input].shape, &p))
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "profiles section: profile %u does not fit an input", i);
        out->profiles[out->n_profiles++] = p;
    }
    return in->bad || in->at != in->bytes ? ferry_fail(err, FERRY_ERR_BAD_ENGINE, "profiles section: damaged")
                                          : FERRY_OK;
}

static ferry_status read_tuned(const uint8_t *data, const ferry_engine_header *header, const ferry_section_entry *table,
                               ferry_engine_image *out, ferry_error *err)
{
    uint32_t n = 0;
    while (find(header, table, FERRY_SECTION_PLAN, n)) n++;
    out->tuned = ferry_arena_alloc_array(&out->arena, n, sizeof *out->tuned);
    if (!out->tuned) return ferry_fail_memory(err, "an engine's plans");
    for (uint32_t i = 0; i < n; i++) {
        const ferry_section_entry *packed = find(header, table, FERRY_SECTION_PACKED, i);
        if (!packed) return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "plan %u has no packed constants", i);
        ferry_decoder_bytes in = open_section(data, find(header, table, FERRY_SECTION_PLAN, i));
        FERRY_TRY(ferry_engine_decode_plan(&in, data + packed->offset, packed->bytes, out->heap, &out->tuned[i], err));
        const ferry_section_entry *pictures = find(header, table, FERRY_SECTION_PICTURES, i);
        if (pictures) {
            out->tuned[i].pictures = data + pictures->offset;
            out->tuned[i].pictures_bytes = pictures->bytes;
        }
        out->n_tuned++;
        FERRY_TRY(ferry_plan_verify(&out->tuned[i], &out->graph, err));
    }
    return FERRY_OK;
}

static ferry_status read_image(const uint8_t *data, size_t bytes, bool verify, ferry_engine_image *out,
                               ferry_error *err)
{
    ferry_engine_header header;
    ferry_section_entry table[FERRY_ENGINE_MOST_SECTIONS];
    FERRY_TRY(check_header(data, bytes, &header, err));
    FERRY_TRY(check_table(data, &header, table, err));
    FERRY_TRY(check_checksums(data, &header, table, verify, err));
    const ferry_section_entry *graph = find(&header, table, FERRY_SECTION_GRAPH, 0);
    const ferry_section_entry *texts = find(&header, table, FERRY_SECTION_TEXTS, 0);
    const ferry_section_entry *profiles = find(&header, table, FERRY_SECTION_PROFILES, 0);
    const ferry_section_entry *weights = find(&header, table, FERRY_SECTION_WEIGHTS, 0);
    if (!graph || !texts || !profiles || !weights)
        return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a section is missing (graph, texts, profiles or weights)");
    out->portable = (header.flags & FERRY_ENGINE_PORTABLE) != 0;
    out->file_bytes = bytes;
    ferry_decoder_bytes in = open_section(data, graph);
    FERRY_TRY(ferry_engine_decode_graph(&in, data + weights->offset, weights->bytes, &out->graph, err));
    in = open_section(data, texts);
    FERRY_TRY(read_texts(&in, out, err));
    in = open_section(data, profiles);
    FERRY_TRY(read_profiles(&in, out, err));
    return read_tuned(data, &header, table, out, err);
}

ferry_status ferry_engine_read(const void *data, size_t bytes, bool verify, const ferry_heap *heap,
                               ferry_engine_image *out, ferry_error *err)
{
    ferry_engine_image_init(out, heap);
    const ferry_status s = read_image(data, bytes, verify, out, err);
    if (s != FERRY_OK) ferry_engine_image_deinit(out);
    return s;
}

ferry_status ferry_engine_read_file(const char *path, bool verify, const ferry_heap *heap, ferry_engine_image *out,
                                    ferry_error *err)
{
    ferry_engine_image_init(out, heap);
    ferry_status s = ferry_file_map_open(&out->map, path, err);
    if (s == FERRY_OK) {
        s = read_image(out->map.data, out->map.bytes, verify, out, err);
        if (s != FERRY_OK) s = ferry_within(err, s, "%s", path);
    }
    if (s != FERRY_OK) ferry_engine_image_deinit(out);
    return s;
}

ferry_status ferry_engine_sections(const void *data, size_t bytes, ferry_engine_section *out, size_t capacity,
                                   size_t *out_count, ferry_error *err)
{
    ferry_engine_header header;
    ferry_section_entry table[FERRY_ENGINE_MOST_SECTIONS];
    *out_count = 0;
    FERRY_TRY(check_header(data, bytes, &header, err));
    FERRY_TRY(check_table(data, &header, table, err));
    *out_count = header.section_count;
    for (uint32_t i = 0; i < header.section_count && i < capacity; i++) {
        out[i] =
            (ferry_engine_section){.offset = table[i].offset, .bytes = table[i].bytes, .checksum = table[i].checksum};
        memcpy(out[i].name, table[i].name, sizeof out[i].name);
    }
    return FERRY_OK;
}

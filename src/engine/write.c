// SPDX-License-Identifier: Apache-2.0
// Writing an engine: sections are encoded in memory, but for weights and packed constants, which go straight to the
// sink.
#include <stdio.h>

#include "base/atomic_file.h"
#include "base/hash.h"
#include "engine/format.h"

// What the CPU behind another device runs may be packed again, for another CPU.
static bool is_behind(const ferry_plan *plan, const ferry_plan_step *step)
{
    return plan->n_devices > 1 && step->device == plan->n_devices - 1;
}

// True when every node that reads the constant has its own packed copy of it. Vectors stay: kernels read biases in
// place.
static bool is_superfluous(const ferry_engine_image *image, const int32_t *offsets, const ferry_node_id *users,
                           ferry_value_id value)
{
    if (image->graph.values[value].shape.rank < 2 || image->graph.values[value].data_bytes < 256) return false;
    for (size_t t = 0; t < image->n_tuned; t++)
        for (int32_t u = offsets[value]; u < offsets[value + 1]; u++) {
            bool packed = false;
            for (size_t s = 0; s < image->tuned[t].n_steps; s++) {
                const ferry_plan_step *step = &image->tuned[t].steps[s];
                if (!step->packed_bytes || is_behind(&image->tuned[t], step)) continue;
                for (int32_t n = 0; n < step->n_nodes; n++) packed |= step->nodes[n] == users[u];
            }
            if (!packed) return false;
        }
    return image->n_tuned > 0 && offsets[value] < offsets[value + 1];
}

ferry_status ferry_engine_place_weights(const ferry_engine_image *image, uint64_t *offsets, uint64_t *out_bytes,
                                        ferry_error *err)
{
    ferry_arena scratch;
    ferry_arena_init(&scratch, image->heap);
    int32_t *user_offsets = NULL;
    ferry_node_id *users = NULL;
    const ferry_status s =
        image->portable ? FERRY_OK : ferry_graph_users(&image->graph, &scratch, &user_offsets, &users, err);
    uint64_t end = 0;
    for (size_t i = 0; s == FERRY_OK && i < image->graph.n_values; i++) {
        const ferry_value *v = &image->graph.values[i];
        offsets[i] = 0;
        if (!ferry_value_is_constant(v)) continue;
        if (!image->portable && is_superfluous(image, user_offsets, users, (ferry_value_id)i)) {
            offsets[i] = FERRY_STRIPPED;
            continue;
        }
        offsets[i] = end;
        end = ferry_align_size(end + v->data_bytes, FERRY_ENGINE_ALIGN);
    }
    ferry_arena_deinit(&scratch);
    *out_bytes = end;
    return s;
}

typedef struct section {
    ferry_section_entry entry;
    ferry_coder coder;      // of encoded sections
    const uint8_t *data;    // of packed ones: written from where they lie
    const uint64_t *places; // of weights
} section;

typedef struct writing {
    const ferry_engine_image *image;
    section sections[FERRY_ENGINE_MOST_SECTIONS];
    size_t count;
} writing;

#define MOST_TUNED ((FERRY_ENGINE_MOST_SECTIONS - 4) / 3)

static const uint8_t zeros[FERRY_ENGINE_ALIGN];

// Calls `take` with the weights section's bytes, gaps included.
static ferry_status walk_weights(const writing *w, const uint64_t *places, uint64_t bytes,
                                 const ferry_engine_sink *sink, ferry_error *err)
{
    uint64_t at = 0;
    for (size_t i = 0; i < w->image->graph.n_values; i++) {
        const ferry_value *v = &w->image->graph.values[i];
        if (!ferry_value_is_constant(v) || places[i] == FERRY_STRIPPED) continue;
        FERRY_TRY(sink->write(sink->user, zeros, (size_t)(places[i] - at), err));
        FERRY_TRY(sink->write(sink->user, v->data, v->data_bytes, err));
        at = places[i] + v->data_bytes;
    }
    return sink->write(sink->user, zeros, (size_t)(bytes - at), err);
}

static ferry_status hash_bytes(void *user, const void *data, size_t bytes, ferry_error *err)
{
    (void)err;
    ferry_hasher_update(user, data, bytes);
    return FERRY_OK;
}

static section *add_section(writing *w, ferry_section_kind kind, uint32_t index, const char *name)
{
    section *s = &w->sections[w->count++];
    *s = (section){.entry = {.kind = (uint32_t)kind, .index = index}, .coder = {.heap = w->image->heap}};
    snprintf(s->entry.name, sizeof s->entry.name, "%s", name);
    return s;
}

static ferry_status close_section(section *s, ferry_error *err)
{
    if (s->coder.failed) return ferry_fail_memory(err, "an engine file");
    s->entry.bytes = s->coder.used;
    s->entry.checksum = ferry_hash64_of(s->coder.data, s->coder.used);
    return FERRY_OK;
}

static void add_pictures(writing *w, uint32_t tuned)
{
    char name[16];
    snprintf(name, sizeof name, "pictures.%u", (unsigned)tuned % 100u);
    section *s = add_section(w, FERRY_SECTION_PICTURES, tuned, name);
    s->data = w->image->tuned[tuned].pictures;
    s->entry.bytes = w->image->tuned[tuned].pictures_bytes;
    s->entry.checksum = ferry_hash64_of(s->data, (size_t)s->entry.bytes);
}

static void put_profiles(const ferry_engine_image *image, ferry_coder *out)
{
    ferry_put_u32(out, (uint32_t)image->n_profiles);
    for (size_t i = 0; i < image->n_profiles; i++) {
        ferry_put_s32(out, image->profiles[i].input);
        ferry_put_shape(out, &image->profiles[i].min);
        ferry_put_shape(out, &image->profiles[i].opt);
        ferry_put_shape(out, &image->profiles[i].max);
    }
}

static void put_texts(const ferry_engine_image *image, ferry_coder *out)
{
    ferry_put_u32(out, (uint32_t)image->n_texts);
    for (size_t i = 0; i < image->n_texts; i++) {
        ferry_put_text(out, image->texts[i].key);
        ferry_put_text(out, image->texts[i].value);
    }
}

static ferry_status make_sections(writing *w, uint64_t *places, ferry_error *err)
{
    const ferry_engine_image *image = w->image;
    uint64_t weights_bytes = 0;
    FERRY_TRY(ferry_engine_place_weights(image, places, &weights_bytes, err));
    section *s = add_section(w, FERRY_SECTION_GRAPH, 0, "graph");
    ferry_engine_encode_graph(&image->graph, places, &s->coder);
    FERRY_TRY(close_section(s, err));
    s = add_section(w, FERRY_SECTION_TEXTS, 0, "texts");
    put_texts(image, &s->coder);
    FERRY_TRY(close_section(s, err));
    s = add_section(w, FERRY_SECTION_PROFILES, 0, "profiles");
    put_profiles(image, &s->coder);
    FERRY_TRY(close_section(s, err));
    if (image->n_tuned > MOST_TUNED)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "an engine file holds at most %u tuned parts", MOST_TUNED);
    for (size_t i = 0; i < image->n_tuned; i++) {
        char name[16];
        snprintf(name, sizeof name, "plan.%u", (unsigned)i % 100u);
        s = add_section(w, FERRY_SECTION_PLAN, (uint32_t)i, name);
        ferry_engine_encode_plan(&image->tuned[i], &s->coder);
        FERRY_TRY(close_section(s, err));
        snprintf(name, sizeof name, "packed.%u", (unsigned)i % 100u);
        s = add_section(w, FERRY_SECTION_PACKED, (uint32_t)i, name);
        s->data = image->tuned[i].packed;
        s->entry.bytes = image->tuned[i].packed_bytes;
        s->entry.checksum = ferry_hash64_of(s->data, (size_t)s->entry.bytes);
        if (image->tuned[i].pictures) add_pictures(w, (uint32_t)i);
    }
    s = add_section(w, FERRY_SECTION_WEIGHTS, 0, "weights");
    s->places = places;
    s->entry.bytes = weights_bytes;
    ferry_hasher h;
    ferry_hasher_init64(&h);
    const ferry_engine_sink sink = {hash_bytes, &h};
    FERRY_TRY(walk_weights(w, places, weights_bytes, &sink, err));
    s->entry.checksum = ferry_hasher_digest64(&h);
    return FERRY_OK;
}

static ferry_status emit(writing *w, const ferry_engine_sink *sink, ferry_error *err)
{
    ferry_section_entry table[FERRY_ENGINE_MOST_SECTIONS];
    uint64_t at = ferry_align_size(sizeof(ferry_engine_header) + w->count * sizeof *table, FERRY_ENGINE_ALIGN);
    for (size_t i = 0; i < w->count; i++) {
        w->sections[i].entry.offset = at;
        table[i] = w->sections[i].entry;
        at = ferry_align_size(at + table[i].bytes, FERRY_ENGINE_ALIGN);
    }
    ferry_engine_header header = {.version = FERRY_ENGINE_VERSION,
                                  .header_bytes = sizeof header,
                                  .file_bytes = at,
                                  .section_count = (uint32_t)w->count,
                                  .entry_bytes = sizeof *table,
                                  .table_offset = sizeof header,
                                  .table_checksum = ferry_hash64_of(table, w->count * sizeof *table),
                                  .flags = w->image->portable ? FERRY_ENGINE_PORTABLE : 0};
    memcpy(header.magic, FERRY_ENGINE_MAGIC, sizeof header.magic);
    header.checksum = ferry_hash64_of(&header, offsetof(ferry_engine_header, checksum));
    FERRY_TRY(sink->write(sink->user, &header, sizeof header, err));
    FERRY_TRY(sink->write(sink->user, table, w->count * sizeof *table, err));
    for (size_t i = 0; i < w->count; i++) {
        const section *s = &w->sections[i];
        if (s->places) {
            FERRY_TRY(walk_weights(w, s->places, s->entry.bytes, sink, err));
        } else {
            FERRY_TRY(sink->write(sink->user, s->data ? s->data : s->coder.data, (size_t)s->entry.bytes, err));
        }
        const uint64_t end = s->entry.offset + s->entry.bytes;
        FERRY_TRY(sink->write(sink->user, zeros, (size_t)(ferry_align_size(end, FERRY_ENGINE_ALIGN) - end), err));
    }
    return FERRY_OK;
}

ferry_status ferry_engine_write(const ferry_engine_image *image, const ferry_engine_sink *sink, ferry_error *err)
{
    writing *w = ferry_new(image->heap, writing);
    uint64_t *places = ferry_heap_alloc_array(image->heap, image->graph.n_values, sizeof *places);
    ferry_status s = w && places ? FERRY_OK : ferry_fail_memory(err, "an engine file");
    if (s == FERRY_OK) {
        w->image = image;
        s = make_sections(w, places, err);
        if (s == FERRY_OK) s = emit(w, sink, err);
        for (size_t i = 0; i < w->count; i++) ferry_coder_deinit(&w->sections[i].coder);
    }
    ferry_heap_free(image->heap, places, image->graph.n_values * sizeof *places);
    ferry_heap_free(image->heap, w, sizeof *w);
    return s;
}

static ferry_status append(void *user, const void *data, size_t bytes, ferry_error *err)
{
    return bytes ? ferry_atomic_file_append(user, data, bytes, err) : FERRY_OK;
}

ferry_status ferry_engine_write_file(const ferry_engine_image *image, const char *path, ferry_error *err)
{
    ferry_atomic_file file;
    FERRY_TRY(ferry_atomic_file_open(&file, image->heap, path, err));
    const ferry_engine_sink sink = {append, &file};
    const ferry_status s = ferry_engine_write(image, &sink, err);
    if (s == FERRY_OK) return ferry_atomic_file_commit(&file, false, err);
    ferry_atomic_file_abandon(&file);
    return s;
}

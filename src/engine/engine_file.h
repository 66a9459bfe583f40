// SPDX-License-Identifier: Apache-2.0
// The engine file: what it holds, and its writer and reader. docs/ENGINE_FORMAT.md has the bytes.
#ifndef FERRY_SRC_ENGINE_ENGINE_FILE_H_
#define FERRY_SRC_ENGINE_ENGINE_FILE_H_

#include "base/file_map.h"
#include "plan/plan.h"

/// A text of the engine by key: "name", "task", "preprocess", "decoder", "labels", "numeric_plan", "build",
/// "winograd", "low_memory", "tactics", "tf32", "libraries", "metadata:KEY".
typedef struct ferry_engine_text_entry {
    const char *key, *value;
} ferry_engine_text_entry;

/// "off": planning anew leaves out tactics that multiply in a transformed domain.
#define FERRY_ENGINE_TEXT_WINOGRAD "winograd"
#define FERRY_ENGINE_TEXT_LOW_MEMORY "low_memory"
/// "own": planning anew leaves out tactics that run a vendor's library.
#define FERRY_ENGINE_TEXT_TACTICS "tactics"
/// "on": planning anew may round products of f32 to TF32.
#define FERRY_ENGINE_TEXT_TF32 "tf32"

/// Shapes of one input that contexts may choose: min <= chosen <= max.
typedef struct ferry_engine_profile {
    ferry_value_id input;
    ferry_shape min, opt, max;
} ferry_engine_profile;

/// An engine in memory: what is written, and what reading gives. After reading, constants of the graph and packed blobs
/// point into `map` (or `bytes`), which the image keeps.
typedef struct ferry_engine_image {
    const ferry_heap *heap;
    ferry_arena arena;
    ferry_graph graph; // the portable part: typed, lowered; shapes with unknown dims where dynamic
    bool portable;     // false: stripped; only a fitting tuned part can be run
    ferry_engine_text_entry *texts;
    ferry_engine_profile *profiles; // [n_profiles], one an input of the graph
    ferry_plan *tuned;              // [n_tuned], one a device (list)
    size_t n_texts, n_profiles, n_tuned;
    uint64_t file_bytes; // after reading: its size
    ferry_file_map map;  // after reading a file
} ferry_engine_image;

void ferry_engine_image_init(ferry_engine_image *image, const ferry_heap *heap);
void ferry_engine_image_deinit(ferry_engine_image *image); // a zeroed image is accepted

/// Adds or replaces a text (copied).
ferry_status ferry_engine_image_set_text(ferry_engine_image *image, const char *key, const char *value,
                                         ferry_error *err);
const char *ferry_engine_image_text(const ferry_engine_image *image, const char *key); // NULL when absent

/// Where the writer puts bytes, in order. Returns a failure of its own to stop.
typedef struct ferry_engine_sink {
    ferry_status (*write)(void *user, const void *data, size_t bytes, ferry_error *err);
    void *user;
} ferry_engine_sink;

/// Equal images give equal bytes. Constants that packed blobs make superfluous are left out when !image->portable.
ferry_status ferry_engine_write(const ferry_engine_image *image, const ferry_engine_sink *sink, ferry_error *err);
/// To a file: temporary name, then rename.
ferry_status ferry_engine_write_file(const ferry_engine_image *image, const char *path, ferry_error *err);

/// Always checked: header, format version, bounds, alignment and enums of everything, the plan against the graph, the
/// checksum of every section but weights and packed blobs; with `verify` those too. FERRY_ERR_BAD_ENGINE names section
/// and offset.
ferry_status ferry_engine_read_file(const char *path, bool verify, const ferry_heap *heap, ferry_engine_image *out,
                                    ferry_error *err);
/// From memory that outlives the image; 64-byte aligned.
ferry_status ferry_engine_read(const void *data, size_t bytes, bool verify, const ferry_heap *heap,
                               ferry_engine_image *out, ferry_error *err);

/// One section of a file, for `ferry check` and `ferry inspect`.
typedef struct ferry_engine_section {
    char name[16];
    uint64_t offset, bytes, checksum;
} ferry_engine_section;
/// Lists the sections of a file whose header is sound; `capacity` entries at most; *out_count is how many there are.
ferry_status ferry_engine_sections(const void *data, size_t bytes, ferry_engine_section *out, size_t capacity,
                                   size_t *out_count, ferry_error *err);

#endif // FERRY_SRC_ENGINE_ENGINE_FILE_H_

// SPDX-License-Identifier: Apache-2.0
// The frame of an engine file: header and section table. See docs/ENGINE_FORMAT.md.
#ifndef FERRY_SRC_ENGINE_FORMAT_H_
#define FERRY_SRC_ENGINE_FORMAT_H_

#include "engine/coder.h"
#include "engine/engine_file.h"

#define FERRY_ENGINE_MAGIC "FERRYENG"
#define FERRY_ENGINE_VERSION 1u
#define FERRY_ENGINE_ALIGN 64u
#define FERRY_ENGINE_MOST_SECTIONS 64u

enum { FERRY_ENGINE_PORTABLE = 1 }; // flags

typedef struct ferry_engine_header {
    char magic[8];
    uint32_t version, header_bytes;
    uint64_t file_bytes;
    uint32_t section_count, entry_bytes;
    uint64_t table_offset, table_checksum;
    uint64_t flags;
    uint64_t checksum; // XXH3-64 of the bytes before it
} ferry_engine_header;

/// What is in a section. Stored: values never change.
typedef enum ferry_section_kind {
    FERRY_SECTION_GRAPH = 1,
    FERRY_SECTION_TEXTS = 2,
    FERRY_SECTION_PROFILES = 3,
    FERRY_SECTION_PLAN = 4,   // one a tuned part, followed by its
    FERRY_SECTION_PACKED = 5, // packed constants
    FERRY_SECTION_WEIGHTS = 6,
    FERRY_SECTION_PICTURES = 7 // of a tuned part: what its device preprocesses pictures with; may be missing
} ferry_section_kind;

typedef struct ferry_section_entry {
    char name[16];
    uint64_t offset, bytes, checksum;
    uint32_t kind, index; // index: of the tuned part
    uint64_t reserved[2]; // 0
} ferry_section_entry;

_Static_assert(sizeof(ferry_engine_header) == 64, "header size");
_Static_assert(sizeof(ferry_section_entry) == 64, "section entry size");

/// Marks a constant whose data was stripped.
#define FERRY_STRIPPED UINT64_MAX

/// Where each constant lies in the weights section: offsets[n_values], FERRY_STRIPPED for stripped ones.
ferry_status ferry_engine_place_weights(const ferry_engine_image *image, uint64_t *offsets, uint64_t *out_bytes,
                                        ferry_error *err);

void ferry_engine_encode_graph(const ferry_graph *graph, const uint64_t *weight_offsets, ferry_coder *out);
void ferry_engine_encode_plan(const ferry_plan *plan, ferry_coder *out);
ferry_status ferry_engine_decode_graph(ferry_decoder_bytes *in, const uint8_t *weights, uint64_t weights_bytes,
                                       ferry_graph *out, ferry_error *err);
ferry_status ferry_engine_decode_plan(ferry_decoder_bytes *in, const uint8_t *packed, uint64_t packed_bytes,
                                      const ferry_heap *heap, ferry_plan *out, ferry_error *err);

void ferry_put_shape(ferry_coder *out, const ferry_shape *shape);
ferry_shape ferry_take_shape(ferry_decoder_bytes *in);

#endif // FERRY_SRC_ENGINE_FORMAT_H_

// SPDX-License-Identifier: Apache-2.0
// The scan of an ONNX file's bytes that comes before protobuf-c: it checks every length and the nesting, and makes a
// slim copy in which the tensors' data are references into the file, so that gigabytes of weights are never copied.
#ifndef FERRY_SRC_IMPORT_ONNX_WIRE_H_
#define FERRY_SRC_IMPORT_ONNX_WIRE_H_

#include "base/heap.h"
#include "base/status.h"

/// Messages nested deeper are refused: recursion stays bounded.
#define FERRY_ONNX_MOST_NESTING 200

/// What a reference looks like in the slim copy: offset and size, 8 little-endian bytes each, then 1 for packed
/// elements (or raw bytes), 0 for a run of single fields with their tags.
#define FERRY_ONNX_REF_BYTES ((size_t)17)

typedef enum ferry_onnx_root { FERRY_ONNX_ROOT_MODEL, FERRY_ONNX_ROOT_TENSOR } ferry_onnx_root;

/// A part of the file. `packed`: the payload only; else a run of (tag, element) pairs of one field.
typedef struct ferry_onnx_ref {
    size_t offset, bytes;
    bool packed;
} ferry_onnx_ref;

/// The slim copy of a message; freed with ferry_onnx_slim_free.
typedef struct ferry_onnx_slim {
    const ferry_heap *heap;
    uint8_t *data;
    size_t bytes, capacity;
} ferry_onnx_slim;

/// Scans `file` and fills in `out`. FERRY_ERR_BAD_MODEL names the byte and the message in which the trouble is.
ferry_status ferry_onnx_slim_make(const uint8_t *file, size_t bytes, ferry_onnx_root root, const ferry_heap *heap,
                                  ferry_onnx_slim *out, ferry_error *err);
void ferry_onnx_slim_free(ferry_onnx_slim *slim); // a zeroed one is accepted

/// Reads a reference that the slim copy holds. False when it is not one (never the case for what slim_make wrote).
bool ferry_onnx_ref_read(const uint8_t *data, size_t bytes, ferry_onnx_ref *out);

/// Reads one base-128 number at *at, before `end`, and moves on. False when it is cut off or longer than 64 bits.
bool ferry_onnx_varint(const uint8_t *file, size_t *at, size_t end, uint64_t *out);

#endif // FERRY_SRC_IMPORT_ONNX_WIRE_H_

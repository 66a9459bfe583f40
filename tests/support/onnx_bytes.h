// SPDX-License-Identifier: Apache-2.0
// Writes ONNX messages byte by byte, so that tests can make models that no library would write.
#ifndef FERRY_TESTS_SUPPORT_ONNX_BYTES_H_
#define FERRY_TESTS_SUPPORT_ONNX_BYTES_H_

#include <stddef.h>
#include <stdint.h>

/// A growing message. Zeroed to start with; freed with onnx_bytes_free. The put_ functions exit when memory is gone.
typedef struct onnx_bytes {
    uint8_t *data;
    size_t size, capacity;
} onnx_bytes;

void onnx_bytes_free(onnx_bytes *b);
void onnx_put(onnx_bytes *b, const void *data, size_t size);
void onnx_put_varint(onnx_bytes *b, uint64_t value);

void onnx_put_int(onnx_bytes *b, uint32_t field, int64_t value);
void onnx_put_float(onnx_bytes *b, uint32_t field, float value);
void onnx_put_text(onnx_bytes *b, uint32_t field, const char *text);
void onnx_put_field(onnx_bytes *b, uint32_t field, const void *data, size_t size);
/// A nested message; `inner` is freed and zeroed.
void onnx_put_message(onnx_bytes *b, uint32_t field, onnx_bytes *inner);

/// A TensorProto with raw_data. dims as "2x3", "" for a scalar.
onnx_bytes onnx_tensor(const char *name, int data_type, const char *dims, const void *raw, size_t raw_size);
/// A ValueInfoProto of a tensor; dims as "Nx3x?", NULL for unknown rank.
onnx_bytes onnx_value_info(const char *name, int data_type, const char *dims);
/// A NodeProto. Inputs and outputs are separated by blanks; "-" is an empty name. Attributes can be put as field 5.
onnx_bytes onnx_node(const char *op_type, const char *name, const char *inputs, const char *outputs);
onnx_bytes onnx_attr_int(const char *name, int64_t value);
onnx_bytes onnx_attr_ints(const char *name, const int64_t *values, size_t count);

/// Fields of GraphProto and ModelProto, for onnx_put_message.
enum {
    ONNX_GRAPH_NODE = 1,
    ONNX_GRAPH_INITIALIZER = 5,
    ONNX_GRAPH_INPUT = 11,
    ONNX_GRAPH_OUTPUT = 12,
    ONNX_NODE_ATTRIBUTE = 5
};
/// A ModelProto around the graph, which is freed and zeroed.
onnx_bytes onnx_model(onnx_bytes *graph, int64_t opset);

/// "x" [2, 3] f32 -> Add with the initializer "w" [3] -> "y": what the hostile tests break.
onnx_bytes onnx_small_model(void);

enum { ONNX_FLOAT = 1, ONNX_UINT8 = 2, ONNX_INT8 = 3, ONNX_INT64 = 7, ONNX_STRING = 8, ONNX_BOOL = 9 };

#endif // FERRY_TESTS_SUPPORT_ONNX_BYTES_H_

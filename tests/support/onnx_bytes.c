// SPDX-License-Identifier: Apache-2.0
#include "support/onnx_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void onnx_bytes_free(onnx_bytes *b)
{
    free(b->data);
    *b = (onnx_bytes){0};
}

void onnx_put(onnx_bytes *b, const void *data, size_t size)
{
    if (b->capacity - b->size < size) {
        b->capacity = 2 * (b->size + size) + 64;
        b->data = realloc(b->data, b->capacity);
        if (!b->data) {
            fprintf(stderr, "no memory for a test's model\n");
            exit(1);
        }
    }
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
}

void onnx_put_varint(onnx_bytes *b, uint64_t value)
{
    uint8_t byte;
    for (; value >= 0x80; value >>= 7) {
        byte = (uint8_t)(value | 0x80);
        onnx_put(b, &byte, 1);
    }
    byte = (uint8_t)value;
    onnx_put(b, &byte, 1);
}

void onnx_put_int(onnx_bytes *b, uint32_t field, int64_t value)
{
    onnx_put_varint(b, (uint64_t)field << 3);
    onnx_put_varint(b, (uint64_t)value);
}

void onnx_put_float(onnx_bytes *b, uint32_t field, float value)
{
    onnx_put_varint(b, (uint64_t)field << 3 | 5);
    onnx_put(b, &value, sizeof value);
}

void onnx_put_field(onnx_bytes *b, uint32_t field, const void *data, size_t size)
{
    onnx_put_varint(b, (uint64_t)field << 3 | 2);
    onnx_put_varint(b, size);
    onnx_put(b, data, size);
}

void onnx_put_text(onnx_bytes *b, uint32_t field, const char *text)
{
    onnx_put_field(b, field, text, strlen(text));
}

void onnx_put_message(onnx_bytes *b, uint32_t field, onnx_bytes *inner)
{
    onnx_put_field(b, field, inner->data, inner->size);
    onnx_bytes_free(inner);
}

// The next item of a list; false at its end.
static int next_item(const char **list, char separator, char *out, size_t out_size)
{
    while (**list == separator && separator == ' ') ++*list;
    if (!**list) return 0;
    size_t n = 0;
    for (; **list && **list != separator; ++*list)
        if (n + 1 < out_size) out[n++] = **list;
    out[n] = 0;
    if (**list == separator) ++*list;
    return 1;
}

onnx_bytes onnx_tensor(const char *name, int data_type, const char *dims, const void *raw, size_t raw_size)
{
    onnx_bytes t = {0};
    char item[40];
    while (next_item(&dims, 'x', item, sizeof item)) onnx_put_int(&t, 1, strtoll(item, NULL, 10));
    onnx_put_int(&t, 2, data_type);
    onnx_put_text(&t, 8, name);
    if (raw) onnx_put_field(&t, 9, raw, raw_size);
    return t;
}

onnx_bytes onnx_value_info(const char *name, int data_type, const char *dims)
{
    onnx_bytes info = {0}, type = {0}, tensor = {0}, shape = {0};
    char item[40];
    onnx_put_int(&tensor, 1, data_type);
    if (dims) {
        while (next_item(&dims, 'x', item, sizeof item)) {
            onnx_bytes dim = {0};
            if (item[0] == '-' || (item[0] >= '0' && item[0] <= '9'))
                onnx_put_int(&dim, 1, strtoll(item, NULL, 10));
            else if (strcmp(item, "?") != 0)
                onnx_put_text(&dim, 2, item);
            onnx_put_message(&shape, 1, &dim);
        }
        onnx_put_message(&tensor, 2, &shape);
    }
    onnx_put_message(&type, 1, &tensor);
    onnx_put_text(&info, 1, name);
    onnx_put_message(&info, 2, &type);
    return info;
}

onnx_bytes onnx_node(const char *op_type, const char *name, const char *inputs, const char *outputs)
{
    onnx_bytes n = {0};
    char item[100];
    while (next_item(&inputs, ' ', item, sizeof item)) onnx_put_text(&n, 1, strcmp(item, "-") == 0 ? "" : item);
    while (next_item(&outputs, ' ', item, sizeof item)) onnx_put_text(&n, 2, strcmp(item, "-") == 0 ? "" : item);
    if (*name) onnx_put_text(&n, 3, name);
    onnx_put_text(&n, 4, op_type);
    return n;
}

onnx_bytes onnx_attr_int(const char *name, int64_t value)
{
    onnx_bytes a = {0};
    onnx_put_text(&a, 1, name);
    onnx_put_int(&a, 3, value);
    onnx_put_int(&a, 20, 2);
    return a;
}

onnx_bytes onnx_attr_ints(const char *name, const int64_t *values, size_t count)
{
    onnx_bytes a = {0};
    onnx_put_text(&a, 1, name);
    for (size_t i = 0; i < count; i++) onnx_put_int(&a, 8, values[i]);
    onnx_put_int(&a, 20, 7);
    return a;
}

onnx_bytes onnx_model(onnx_bytes *graph, int64_t opset)
{
    onnx_bytes m = {0}, import = {0};
    onnx_put_int(&m, 1, 8);
    onnx_put_message(&m, 7, graph);
    onnx_put_text(&import, 1, "");
    onnx_put_int(&import, 2, opset);
    onnx_put_message(&m, 8, &import);
    return m;
}

onnx_bytes onnx_small_model(void)
{
    const float w[3] = {1, 2, 3};
    onnx_bytes graph = {0};
    onnx_bytes node = onnx_node("Add", "sum", "x w", "y"), weights = onnx_tensor("w", ONNX_FLOAT, "3", w, sizeof w);
    onnx_bytes in = onnx_value_info("x", ONNX_FLOAT, "2x3"), out = onnx_value_info("y", ONNX_FLOAT, "2x3");
    onnx_put_message(&graph, ONNX_GRAPH_NODE, &node);
    onnx_put_text(&graph, 2, "small");
    onnx_put_message(&graph, ONNX_GRAPH_INITIALIZER, &weights);
    onnx_put_message(&graph, ONNX_GRAPH_INPUT, &in);
    onnx_put_message(&graph, ONNX_GRAPH_OUTPUT, &out);
    return onnx_model(&graph, 13);
}

// SPDX-License-Identifier: Apache-2.0
// Networks built by a program that makes every mistake: the input is a list of steps, with any operator of the table on
// any tensors. Whatever is refused must leave every rule of a graph kept.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build/internal.h"
#include "ferry/network.h"

typedef struct steps {
    const uint8_t *data;
    size_t size, at;
} steps;

static uint8_t next(steps *s)
{
    return s->at < s->size ? s->data[s->at++] : 0;
}

// Mostly a tensor that is there; sometimes none, or one that is not.
static int32_t next_tensor(steps *s, const ferry_network *network)
{
    const int32_t n = ferry_network_tensor_count(network), v = next(s);
    return v >= 250 ? v - 252 : n ? v % n : 0;
}

static int32_t next_dims(steps *s, int64_t dims[FERRY_MAX_RANK])
{
    const int32_t rank = next(s) % 6;
    for (int32_t d = 0; d < rank; d++) dims[d] = (int64_t)(next(s) % 8) - 1;
    return rank;
}

static const ferry_dtype dtypes[] = {FERRY_F32, FERRY_S64, FERRY_F16, FERRY_BOOL, FERRY_S8, FERRY_U8, FERRY_S32};

static void add_input(steps *s, ferry_network *network)
{
    int64_t dims[FERRY_MAX_RANK];
    int32_t id;
    char name[16];
    const int32_t rank = next_dims(s, dims);
    snprintf(name, sizeof name, "in%d", next(s));
    ferry_network_add_input(network, name, dtypes[next(s) % FERRY_COUNT_OF(dtypes)], rank, dims, &id, NULL);
}

static ferry_tensor_view next_view(steps *s, int64_t data[64])
{
    ferry_tensor_view view = {.dtype = dtypes[next(s) % FERRY_COUNT_OF(dtypes)], .rank = next(s) % 4, .data = data};
    for (int32_t d = 0; d < view.rank; d++) view.dims[d] = next(s) % 5; // 64 elements at most
    for (size_t i = 0; i < 64; i++) data[i] = 0;
    const int64_t n = ferry_tensor_view_elements(&view);
    for (int64_t i = 0; i < n; i++) {
        const int8_t value = (int8_t)next(s);
        if (view.dtype == FERRY_F32) ((float *)data)[i] = (float)value / 4;
        if (view.dtype == FERRY_S64) data[i] = value;
        if (view.dtype == FERRY_S32) ((int32_t *)data)[i] = value;
        if (ferry_dtype_bytes(view.dtype) == 1) ((int8_t *)data)[i] = value;
    }
    return view;
}

typedef struct payload {
    int64_t ints[8], tensor[64];
    float floats[8];
    const char *strings[2];
} payload;

// An attribute that the operator has, or nearly.
static ferry_attribute next_attribute(steps *s, const ferry_op *op, payload *p)
{
    static const char *const texts[] = {"SAME_UPPER", "NOTSET",       "linear", "nearest",    "cubic",
                                        "reflect",    "constant",     "floor",  "half_pixel", "align_corners",
                                        "tanh",       "bij,bjk->bik", "",       "VALID"};
    size_t n = 0;
    while (op->attrs && op->attrs[n].name) n++;
    const ferry_attr_schema *schema = n ? &op->attrs[next(s) % n] : NULL;
    const uint8_t odd = next(s);
    ferry_attribute a = {.name = schema && odd < 250 ? schema->name : "axis",
                         .kind = (ferry_attribute_kind)(schema && odd < 240 ? (int)schema->kind : odd % 9),
                         .count = 1,
                         .ints = p->ints,
                         .floats = p->floats,
                         .strings = p->strings};
    if (a.kind >= FERRY_ATTRIBUTE_INTS) a.count = next(s) % 9;
    for (int32_t i = 0; i < 8; i++) {
        const int8_t value = i < a.count ? (int8_t)next(s) : 0;
        p->ints[i] = value;
        p->floats[i] = (float)value / 8;
    }
    p->strings[0] = p->strings[1] = texts[next(s) % FERRY_COUNT_OF(texts)];
    if (a.kind == FERRY_ATTRIBUTE_STRINGS) a.count %= 3;
    if (a.kind == FERRY_ATTRIBUTE_TENSOR) a.tensor = next_view(s, p->tensor);
    return a;
}

static void add_node(steps *s, ferry_network *network, size_t n_ops)
{
    static const char *const old[] = {"Upsample", "Scatter", "Constant", "LSTM"};
    const ferry_op *op = ferry_op_at((size_t)(next(s) | next(s) << 8) % n_ops);
    int32_t inputs[6], outputs[3];
    const char *names[3] = {NULL, NULL, NULL};
    ferry_attribute attributes[4];
    payload payloads[4];
    const uint8_t odd = next(s);
    ferry_node_description node = {.size = sizeof node,
                                   .op_type = odd < 16 ? old[odd % 4] : op->name,
                                   .domain = odd == 255 ? "ferry" : NULL,
                                   .inputs = inputs,
                                   .output_names = names,
                                   .attributes = attributes,
                                   .n_inputs = next(s) % 7,
                                   .n_outputs = 1 + (odd % 16 == 0) + (odd % 32 == 0),
                                   .n_attributes = next(s) % 5};
    for (int32_t i = 0; i < node.n_inputs; i++) inputs[i] = next_tensor(s, network);
    for (int32_t i = 0; i < node.n_attributes; i++) attributes[i] = next_attribute(s, op, &payloads[i]);
    if (odd % 8 == 7) names[0] = "same"; // taken from the second time on
    if (odd % 64 == 63) names[0] = "";
    ferry_network_add_node(network, &node, outputs, NULL);
}

// Everything but that a finished graph has outputs.
static void check(const ferry_network *network)
{
    ferry_report report;
    ferry_report_init(&report, ferry_heap_default());
    ferry_graph_verify(&network->graph, &report, NULL);
    for (size_t i = 0; i < report.count; i++) {
        if (strstr(report.findings[i].text, "has no outputs")) continue;
        fprintf(stderr, "%s: %s\n", report.findings[i].subject, report.findings[i].text);
        abort();
    }
    for (int32_t t = 0; t < ferry_network_tensor_count(network); t++) {
        ferry_tensor_info info;
        if (ferry_network_tensor(network, t, &info, NULL) != FERRY_OK) abort();
        if (ferry_network_find_tensor(network, info.name) != t) abort();
    }
    ferry_report_deinit(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t opsets[] = {0, 7, 9, 10, 11, 13, 17, 18};
    static size_t n_ops;
    while (ferry_op_at(n_ops)) n_ops++;
    steps s = {data, size, 0};
    ferry_network *network = NULL;
    int64_t dims[FERRY_MAX_RANK];
    char name[16];
    if (ferry_network_create(NULL, opsets[next(&s) % FERRY_COUNT_OF(opsets)], &network, NULL) != FERRY_OK) abort();
    for (int step = 0; step < 64 && s.at < s.size; step++) {
        const uint8_t what = next(&s) % 16;
        const int32_t tensor = what > 2 && what < 8 ? next_tensor(&s, network) : 0;
        int64_t room[64];
        int32_t id;
        switch (what) {
        case 0:
        case 1:
            add_input(&s, network);
            break;
        case 2: {
            const ferry_tensor_view view = next_view(&s, room);
            ferry_network_add_constant(network, NULL, &view, &id, NULL);
            break;
        }
        case 3:
            ferry_network_mark_output(network, tensor, NULL);
            break;
        case 4:
            ferry_network_unmark_output(network, tensor, NULL);
            break;
        case 5:
            snprintf(name, sizeof name, "in%d", next(&s));
            ferry_network_set_tensor_name(network, tensor, name, NULL);
            break;
        case 6:
            ferry_network_set_input_dims(network, tensor, next_dims(&s, dims), dims, NULL);
            break;
        case 7:
            ferry_network_set_dynamic_range(network, tensor, (float)(int8_t)next(&s), NULL);
            break;
        default:
            add_node(&s, network, n_ops);
        }
    }
    check(network);
    ferry_network_release(network);
    return 0;
}

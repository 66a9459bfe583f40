// SPDX-License-Identifier: Apache-2.0
// The numeric plan as text: canonical JSON, one line an entry, so that plans can be compared with diff and replayed.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/f16.h"
#include "base/hash.h"
#include "base/json.h"
#include "ops/op.h"
#include "passes/precision.h"

static const struct {
    const char *word;
    ferry_dtype dtype;
} precisions[] = {
    {"as model", FERRY_DTYPE_NONE}, {"fp32", FERRY_F32}, {"fp16", FERRY_F16}, {"bf16", FERRY_BF16}, {"int8", FERRY_S8}};

typedef struct text {
    const ferry_heap *heap;
    char *data;
    size_t length, capacity;
    bool failed;
} text;

static void put(text *t, const char *piece, size_t length)
{
    if (!ferry_heap_reserve(t->heap, (void **)&t->data, &t->capacity, 1, t->length + length + 1)) {
        t->failed = true;
        return;
    }
    memcpy(t->data + t->length, piece, length);
    t->length += length;
    t->data[t->length] = 0;
}

static void put_text(text *t, const char *piece)
{
    put(t, piece, strlen(piece));
}

static void put_quoted(text *t, const char *s)
{
    put(t, "\"", 1);
    for (; *s; s++) {
        char escaped[8];
        const unsigned char ch = (unsigned char)*s;
        if (ch == '"' || ch == '\\') {
            snprintf(escaped, sizeof escaped, "\\%c", ch);
            put_text(t, escaped);
        } else if (ch < 0x20) {
            snprintf(escaped, sizeof escaped, "\\u%04x", ch);
            put_text(t, escaped);
        } else {
            put(t, s, 1);
        }
    }
    put(t, "\"", 1);
}

static void put_field(text *t, const char *before, const char *value)
{
    put_text(t, before);
    put_quoted(t, value);
}

static bool is_listed(const ferry_graph *graph, size_t v)
{
    return !ferry_value_is_constant(&graph->values[v]);
}

static void put_plan(text *t, const ferry_numeric_plan *plan, const ferry_graph *graph)
{
    put_text(t, "{\"ferry_numeric_plan\": 1,\n\"nodes\": [");
    for (size_t n = 0; n < plan->n_nodes; n++) {
        const ferry_plan_node *p = &plan->nodes[n];
        put_field(t, n ? ",\n{\"name\": " : "\n{\"name\": ", p->name);
        put_field(t, ", \"op\": ", p->op);
        put_field(t, ", \"absorbed\": ", p->absorbed);
        for (size_t i = 0; i < FERRY_COUNT_OF(precisions); i++)
            if (precisions[i].dtype == p->precision) put_field(t, ", \"precision\": ", precisions[i].word);
        if (*p->kept) put_field(t, ", \"kept\": ", p->kept);
        put_text(t, "}");
    }
    put_text(t, "],\n\"values\": [");
    bool first = true;
    for (size_t v = 0; v < plan->n_values; v++) {
        if (!is_listed(graph, v)) continue;
        char bits[16];
        snprintf(bits, sizeof bits, "%08" PRIx32, ferry_f32_bits(plan->values[v].scale));
        put_field(t, first ? "\n{\"name\": " : ",\n{\"name\": ", plan->values[v].name);
        put_field(t, ", \"type\": ", ferry_dtype_name(plan->values[v].dtype));
        put_field(t, ", \"scale\": ", bits);
        if (plan->values[v].zero != 0) {
            snprintf(bits, sizeof bits, "%" PRId32, plan->values[v].zero);
            put_text(t, ", \"zero\": ");
            put_text(t, bits);
        }
        put_text(t, "}");
        first = false;
    }
    put_text(t, "]}\n");
}

ferry_status ferry_numeric_plan_write(const ferry_numeric_plan *plan, const ferry_graph *graph, ferry_arena *arena,
                                      const char **out_text, ferry_error *err)
{
    text t = {.heap = graph->heap};
    put_plan(&t, plan, graph);
    const char *own = t.failed ? NULL : ferry_arena_strndup(arena, t.data, t.length);
    ferry_heap_free(t.heap, t.data, t.capacity);
    if (!own) return ferry_fail_memory(err, "the text of a numeric plan");
    *out_text = own;
    return FERRY_OK;
}

ferry_status ferry_numeric_plan_hash(const ferry_numeric_plan *plan, const ferry_graph *graph, uint64_t *out,
                                     ferry_error *err)
{
    text t = {.heap = graph->heap};
    put_plan(&t, plan, graph);
    if (!t.failed) *out = ferry_hash64_of(t.data, t.length);
    ferry_heap_free(t.heap, t.data, t.capacity);
    return t.failed ? ferry_fail_memory(err, "the text of a numeric plan") : FERRY_OK;
}

static const char *string_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static ferry_status read_node(const json_t *item, const ferry_node *node, size_t index, ferry_plan_node *out,
                              ferry_error *err)
{
    const char *absorbed = node->absorbed ? node->absorbed : "";
    if (strcmp(string_of(item, "name"), node->name) != 0 || strcmp(string_of(item, "op"), node->op->name) != 0 ||
        strcmp(string_of(item, "absorbed"), absorbed) != 0)
        return ferry_fail(
            err, FERRY_ERR_BAD_DATA,
            "numeric plan: layer %zu is '%s' (%s; with %s) there and '%s' (%s; with %s) in this model: the "
            "plan was made for another model or other passes",
            index, string_of(item, "name"), string_of(item, "op"),
            *string_of(item, "absorbed") ? string_of(item, "absorbed") : "nothing", node->name, node->op->name,
            *absorbed ? absorbed : "nothing");
    for (size_t i = 0; i < FERRY_COUNT_OF(precisions); i++) {
        if (strcmp(string_of(item, "precision"), precisions[i].word) == 0) {
            out->precision = precisions[i].dtype;
            return FERRY_OK;
        }
    }
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: layer '%s' has the precision '%s'", node->name,
                      string_of(item, "precision"));
}

static bool read_bits(const char *s, float *out)
{
    uint32_t bits = 0;
    if (strlen(s) != 8) return false;
    for (; *s; s++) {
        const char *digit = strchr("0123456789abcdef", *s);
        if (!digit) return false;
        bits = bits << 4 | (uint32_t)(digit - "0123456789abcdef");
    }
    *out = ferry_f32_from_bits(bits);
    return true;
}

static bool read_dtype(const char *word, ferry_dtype *out)
{
    for (int d = FERRY_DTYPE_NONE; d <= FERRY_BOOL; d++) {
        if (strcmp(word, ferry_dtype_name((ferry_dtype)d)) != 0) continue;
        *out = (ferry_dtype)d;
        return true;
    }
    return false;
}

static ferry_status read_value(const json_t *item, const ferry_value *value, ferry_plan_value *out, ferry_error *err)
{
    if (strcmp(string_of(item, "name"), value->name) != 0)
        return ferry_fail(
            err, FERRY_ERR_BAD_DATA,
            "numeric plan: it has the tensor '%s' where this model has '%s': the plan was made for another "
            "model or other passes",
            string_of(item, "name"), value->name);
    if (!read_dtype(string_of(item, "type"), &out->dtype) || !read_bits(string_of(item, "scale"), &out->scale) ||
        !(out->scale >= 0.0f) || !isfinite(out->scale))
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: tensor '%s' has the type '%s' and the scale '%s'",
                          value->name, string_of(item, "type"), string_of(item, "scale"));
    const json_t *zero = json_object_get(item, "zero");
    const json_int_t number = zero ? json_integer_value(zero) : 0;
    if ((zero && !json_is_integer(zero)) || number < -128 || number > 127)
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: tensor '%s' has a zero point that is none of int8",
                          value->name);
    out->zero = (int32_t)number;
    return FERRY_OK;
}

static ferry_status read_all(const json_t *root, const ferry_graph *graph, ferry_numeric_plan *plan, ferry_error *err)
{
    static const char *const keys[] = {"ferry_numeric_plan", "nodes", "values", NULL};
    int64_t version = 0;
    FERRY_TRY(ferry_json_expect_object(root, "numeric plan", keys, err));
    FERRY_TRY(ferry_json_get_integer(root, "ferry_numeric_plan", "numeric plan", 1, 1, &version, err));
    const json_t *nodes = json_object_get(root, "nodes"), *values = json_object_get(root, "values");
    if (version != 1 || !json_is_array(nodes) || !json_is_array(values))
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "numeric plan: not a version 1 plan with nodes and values");
    for (size_t n = 0; n < graph->n_nodes; n++) {
        plan->nodes[n].name = ferry_arena_strdup(&plan->arena, graph->nodes[n].name);
        plan->nodes[n].absorbed =
            ferry_arena_strdup(&plan->arena, graph->nodes[n].absorbed ? graph->nodes[n].absorbed : "");
        plan->nodes[n].kept = ferry_arena_strdup(&plan->arena, string_of(json_array_get(nodes, n), "kept"));
        plan->nodes[n].op = graph->nodes[n].op->name;
        if (!plan->nodes[n].name || !plan->nodes[n].absorbed || !plan->nodes[n].kept)
            return ferry_fail_memory(err, "a numeric plan");
        FERRY_TRY(read_node(json_array_get(nodes, n), &graph->nodes[n], n, &plan->nodes[n], err));
    }
    size_t listed = 0;
    for (size_t v = 0; v < graph->n_values; v++) {
        plan->values[v].name = ferry_arena_strdup(&plan->arena, graph->values[v].name);
        if (!plan->values[v].name) return ferry_fail_memory(err, "a numeric plan");
        plan->values[v].dtype = graph->values[v].dtype;
        if (is_listed(graph, v))
            FERRY_TRY(read_value(json_array_get(values, listed++), &graph->values[v], &plan->values[v], err));
    }
    if (json_array_size(nodes) != graph->n_nodes || json_array_size(values) != listed)
        return ferry_fail(err, FERRY_ERR_BAD_DATA,
                          "numeric plan: it has %zu layers and %zu tensors, this model %zu and %zu",
                          json_array_size(nodes), json_array_size(values), graph->n_nodes, listed);
    return FERRY_OK;
}

ferry_status ferry_numeric_plan_read(const char *json, size_t bytes, const ferry_graph *graph, ferry_numeric_plan *out,
                                     ferry_error *err)
{
    *out = (ferry_numeric_plan){0};
    ferry_arena_init(&out->arena, graph->heap);
    out->values = ferry_arena_alloc_array(&out->arena, graph->n_values + 1, sizeof *out->values);
    out->nodes = ferry_arena_alloc_array(&out->arena, graph->n_nodes + 1, sizeof *out->nodes);
    out->n_values = graph->n_values;
    out->n_nodes = graph->n_nodes;
    if (!out->values || !out->nodes) return ferry_fail_memory(err, "a numeric plan");
    json_t *root = NULL;
    ferry_status s = ferry_json_parse(json, bytes, &root, err);
    if (s != FERRY_OK) return ferry_within(err, s, "numeric plan");
    s = read_all(root, graph, out, err);
    json_decref(root);
    return s;
}

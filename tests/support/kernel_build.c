// SPDX-License-Identifier: Apache-2.0
// The graph of a case, out of its words, and what the reference kernels make of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/element.h"
#include "ops/infer.h"
#include "support/kernel_internal.h"
#include "support/run_graph.h"

static ferry_dtype dtype_named(const char *name, size_t length)
{
    for (int d = 1; d < 32; d++) {
        const char *known = ferry_dtype_name((ferry_dtype)d);
        if (known && strlen(known) == length && strncmp(known, name, length) == 0) return (ferry_dtype)d;
    }
    static const struct {
        const char *name;
        ferry_dtype dtype;
    } own[] = {{"f32", FERRY_F32}, {"f16", FERRY_F16}, {"bf16", FERRY_BF16}, {"f64", FERRY_F64}, {"s8", FERRY_S8},
               {"u8", FERRY_U8},   {"s16", FERRY_S16}, {"s32", FERRY_S32},   {"s64", FERRY_S64}, {"bool", FERRY_BOOL}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strlen(own[i].name) == length && strncmp(own[i].name, name, length) == 0) return own[i].dtype;
    fail_msg("no type '%.*s'", (int)length, name);
    return FERRY_DTYPE_NONE;
}

static void fill_extreme(ferry_tensor *t, int fill)
{
    const size_t n = ferry_tensor_elements(t);
    if (fill == FILL_RANDOM || (t->dtype != FERRY_S8 && t->dtype != FERRY_U8)) return;
    memset(t->data, t->dtype == FERRY_S8 ? (fill == FILL_LOWEST ? 0x80 : 0x7f) : (fill == FILL_LOWEST ? 0 : 0xff), n);
}

// One word of kernel_case.inputs.
static void add_input(kernel_state *s, const char *word)
{
    const int32_t i = s->n_values++;
    assert_true(i < MOST);
    s->values[i] = FERRY_NO_VALUE;
    if (word[0] == '-') return;
    if (word[0] == '*') {
        const int same = atoi(word + 1);
        s->values[i] = s->values[same];
        s->in[i] = s->in[same];
        return;
    }
    const bool constant = word[0] == '=';
    word += constant;
    const char *colon = strchr(word, ':');
    assert_non_null(colon);
    const ferry_dtype dtype = dtype_named(word, (size_t)(colon - word));
    int64_t dims[FERRY_MAX_RANK];
    int32_t rank = 0;
    char *p = (char *)(uintptr_t)colon + 1;
    while (*p >= '0' && *p <= '9') {
        dims[rank++] = strtoll(p, &p, 10);
        if (*p == 'x') p++;
    }
    float range = 1;
    if (*p == '@') range = strtof(p + 1, &p);
    ferry_tensor t = ferry_random_tensor(&s->arena, dtype, rank, dims, range, &s->seed);
    if (dtype == FERRY_U8) // all of its numbers
        for (size_t e = 0; e < ferry_tensor_elements(&t); e++)
            ((uint8_t *)t.data)[e] = (uint8_t)(int)((ferry_random(&s->seed) + 1) * 127.99f);
    if (dtype == FERRY_BOOL)
        for (size_t e = 0; e < ferry_tensor_elements(&t); e++) ((uint8_t *)t.data)[e] = ferry_random(&s->seed) > 0;
    fill_extreme(&t, s->fill);
    if (*p == '[') {
        p++;
        for (size_t e = 0; e < ferry_tensor_elements(&t); e++) {
            ferry_store_f64(&t, e, strtod(p, &p));
            if (*p == ',') p++;
        }
    }
    const ferry_shape shape = ferry_shape_of(rank, dims);
    if (constant) {
        assert_int_equal(ferry_graph_add_constant(&s->graph, NULL, dtype, &shape, t.data, ferry_tensor_bytes(&t), true,
                                                  &s->values[i], NULL),
                         FERRY_OK);
        t = ferry_value_tensor(&s->graph.values[s->values[i]]);
    } else {
        assert_int_equal(ferry_graph_add_value(&s->graph, NULL, dtype, &shape, &s->values[i], NULL), FERRY_OK);
        assert_int_equal(ferry_graph_mark_input(&s->graph, s->values[i], NULL), FERRY_OK);
    }
    s->in[i] = t;
}

static void add_attr(kernel_state *s, char *word)
{
    char *equals = strchr(word, '=');
    assert_non_null(equals);
    *equals = 0;
    const ferry_attr_schema *schema = s->op->attrs;
    while (schema && schema->name && strcmp(schema->name, word) != 0) schema++;
    if (!schema || !schema->name) fail_msg("%s has no attribute '%s'", s->op->name, word);
    ferry_attr *attr = &s->attrs[s->n_attrs++];
    *attr = (ferry_attr){.name = schema->name, .kind = schema->kind, .count = 1};
    int64_t ints[MOST];
    float floats[MOST];
    char *p = equals + 1;
    const char *text = ferry_arena_strdup(&s->arena, p);
    int32_t n = 0;
    switch (schema->kind) {
    case FERRY_ATTR_INT:
    case FERRY_ATTR_INTS:
        do ints[n++] = strtoll(p, &p, 10);
        while (*p++ == ',');
        attr->u.ints = ferry_arena_copy(&s->arena, ints, sizeof ints);
        attr->count = n;
        break;
    case FERRY_ATTR_FLOAT:
    case FERRY_ATTR_FLOATS:
        do floats[n++] = strtof(p, &p);
        while (*p++ == ',');
        attr->u.floats = ferry_arena_copy(&s->arena, floats, sizeof floats);
        attr->count = n;
        break;
    case FERRY_ATTR_STRING:
        attr->u.strings = ferry_arena_copy(&s->arena, &text, sizeof text);
        break;
    default:
        fail_msg("attribute '%s' is of a kind that tests cannot write", word);
    }
}

static void each_word(kernel_state *s, const char *text, void (*take)(kernel_state *, char *))
{
    char *copy = ferry_arena_strdup(&s->arena, text ? text : ""), *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) take(s, word);
}

static void take_input(kernel_state *s, char *word)
{
    add_input(s, word);
}

// A node that reads those values, with the attributes that wait in the state.
static void add_node(kernel_state *s, const ferry_value_id *inputs, int32_t n_inputs, int32_t n_out)
{
    const ferry_shape unknown = ferry_shape_unknown();
    ferry_value_id *outs = &s->results[s->n_results];
    for (int32_t o = 0; o < n_out; o++)
        assert_int_equal(ferry_graph_add_value(&s->graph, NULL, FERRY_DTYPE_NONE, &unknown, &outs[o], NULL), FERRY_OK);
    assert_int_equal(ferry_graph_add_node(&s->graph, s->op, NULL, inputs, n_inputs, outs, n_out, s->attrs, s->n_attrs,
                                          &s->nodes[s->n_nodes++], NULL),
                     FERRY_OK);
    s->n_results += n_out;
    s->n_attrs = 0;
}

static void find_op(kernel_state *s, const char *domain, const char *name)
{
    s->op = ferry_op_find(domain, name);
    if (!s->op) fail_msg("no operator '%s'", name);
}

// The first word of a node in kernel_case.then, an input besides the result before, or an attribute.
static void take_then(kernel_state *s, char *word)
{
    if (word[0] == '=' || strncmp(word, "f32:", 4) == 0)
        add_input(s, word);
    else if (strchr(word, '='))
        add_attr(s, word);
    else if (strncmp(word, "ferry:", 6) == 0)
        find_op(s, "ferry", word + 6);
    else
        find_op(s, "", word);
}

static void add_followers(kernel_state *s)
{
    char *copy = ferry_arena_strdup(&s->arena, s->test->then ? s->test->then : ""), *rest = NULL;
    for (char *node = strtok_r(copy, ";", &rest); node; node = strtok_r(NULL, ";", &rest)) {
        const int32_t first = s->n_values;
        each_word(s, node, take_then);
        ferry_value_id inputs[MOST] = {s->results[s->n_results - 1]};
        for (int32_t i = first; i < s->n_values; i++) inputs[1 + i - first] = s->values[i];
        add_node(s, inputs, 1 + s->n_values - first, 1);
    }
    if (!s->test->plus) return;
    const bool swapped = s->seed & 1;
    const ferry_value_id before = s->results[s->n_results - 1];
    each_word(s, s->test->plus, take_input);
    ferry_value_id terms[] = {before, s->values[s->n_values - 1]};
    if (swapped) terms[0] = terms[1], terms[1] = before;
    find_op(s, "", "Add");
    add_node(s, terms, 2, 1);
}

const ferry_tensor *kernel_tensor(const kernel_state *s, ferry_value_id value)
{
    for (int32_t i = 0; i < s->n_values; i++)
        if (s->values[i] == value) return &s->in[i];
    for (int32_t o = 0; o < s->n_results; o++)
        if (s->results[o] == value) return &s->out[o];
    return NULL;
}

// What the reference kernels make of it, node by node.
static void expect(kernel_state *s)
{
    for (int32_t n = 0, made = 0; n < s->n_nodes; n++) {
        const ferry_node *node = &s->graph.nodes[s->nodes[n]];
        ferry_error err = {.text = ""};
        ferry_tensor in[MOST] = {{0}};
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] != FERRY_NO_VALUE) in[i] = *kernel_tensor(s, node->inputs[i]);
        if (ferry_node_eval(&s->graph, node, in, &s->out[made], &s->arena, &err) != FERRY_OK)
            fail_msg("%s %s: reference: %s", s->test->op, s->test->inputs, err.text);
        made += node->n_outputs;
    }
}

void kernel_build(kernel_state *s)
{
    const kernel_case *test = s->test;
    ferry_error err = {.text = ""};
    ferry_graph_init(&s->graph, ferry_heap_default());
    ferry_arena_init(&s->arena, ferry_heap_default());
    find_op(s, test->domain, test->op);
    each_word(s, test->inputs, take_input);
    each_word(s, test->attrs, add_attr);
    const int32_t n_out = test->outputs ? test->outputs : 1;
    add_node(s, s->values, s->n_values, n_out);
    add_followers(s);
    for (int32_t o = s->n_nodes == 1 ? 0 : s->n_results - 1; o < s->n_results; o++)
        assert_int_equal(ferry_graph_mark_output(&s->graph, s->results[o], NULL), FERRY_OK);
    ferry_report report;
    ferry_report_init(&report, ferry_heap_default());
    if (ferry_graph_infer(&s->graph, NULL, 0, true, &report, &err) != FERRY_OK)
        fail_msg("%s %s: %s", test->op, test->inputs, err.text);
    ferry_report_deinit(&report);
    if (!s->bench) expect(s);
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    assert_int_equal(ferry_graph_users(&s->graph, &s->arena, &offsets, &users, NULL), FERRY_OK);
    assert_int_equal(ferry_region_make(&s->graph, offsets, users, s->nodes, s->n_nodes, &s->arena, &s->region, NULL),
                     FERRY_OK);
    s->view =
        (ferry_graph_view){.graph = &s->graph, .user_offsets = offsets, .users = users, .permitted = test->permitted};
}

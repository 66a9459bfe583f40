// SPDX-License-Identifier: Apache-2.0
// Building small graphs in a few lines, and comparing what two graphs compute.
#include "support/build_graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ops/element.h"
#include "ops/infer.h"
#include "support/run_graph.h"

static void must(ferry_status status, const ferry_error *err)
{
    if (status != FERRY_OK) fail_msg("%s", err->text);
}

static ferry_shape parse_dims(const char *dims)
{
    ferry_shape s = ferry_shape_of(0, NULL);
    while (*dims) {
        char *end = (char *)(uintptr_t)dims;
        s.dims[s.rank] = *dims == '?' ? FERRY_DIM_UNKNOWN : strtoll(dims, &end, 10);
        s.rank++;
        dims = *dims == '?' ? dims + 1 : end;
        if (*dims == 'x') dims++;
    }
    return s;
}

void build_begin(graph_builder *b, uint64_t seed)
{
    memset(b, 0, sizeof *b);
    ferry_graph_init(&b->graph, ferry_heap_default());
    b->seed = seed;
}

void build_end(graph_builder *b)
{
    ferry_graph_deinit(&b->graph);
}

ferry_value_id build_input(graph_builder *b, const char *name, ferry_dtype dtype, const char *dims)
{
    ferry_error err;
    ferry_value_id v = FERRY_NO_VALUE;
    const ferry_shape s = parse_dims(dims);
    must(ferry_graph_add_value(&b->graph, name, dtype, &s, &v, &err), &err);
    must(ferry_graph_mark_input(&b->graph, v, &err), &err);
    return v;
}

static ferry_value_id add_constant(graph_builder *b, const char *name, ferry_dtype dtype, const char *dims,
                                   const void *data)
{
    ferry_error err;
    ferry_value_id v = FERRY_NO_VALUE;
    size_t n = 0;
    const ferry_shape s = parse_dims(dims);
    assert_true(ferry_shape_elements(&s, &n));
    must(ferry_graph_add_constant(&b->graph, name, dtype, &s, data, n * ferry_dtype_bytes(dtype), true, &v, &err),
         &err);
    return v;
}

ferry_value_id build_between(graph_builder *b, const char *name, const char *dims, float low, float high)
{
    const ferry_shape s = parse_dims(dims);
    size_t n = 0;
    assert_true(ferry_shape_elements(&s, &n));
    float *values = malloc(n * sizeof *values + 1);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++) values[i] = low + (high - low) * 0.5f * (1.0f + ferry_random(&b->seed));
    const ferry_value_id v = add_constant(b, name, FERRY_F32, dims, values);
    free(values);
    return v;
}

ferry_value_id build_constant(graph_builder *b, const char *name, const char *dims, float range)
{
    return build_between(b, name, dims, -range, range);
}

ferry_value_id build_floats(graph_builder *b, const char *name, const char *dims, const float *values)
{
    return add_constant(b, name, FERRY_F32, dims, values);
}

ferry_value_id build_scalar(graph_builder *b, float value)
{
    return add_constant(b, "c", FERRY_F32, "", &value);
}

ferry_value_id build_bytes(graph_builder *b, const char *name, const char *dims, const int8_t *values)
{
    return add_constant(b, name, FERRY_S8, dims, values);
}

ferry_value_id build_ints(graph_builder *b, const char *name, int32_t count, const int64_t *values)
{
    ferry_error err;
    ferry_value_id v = FERRY_NO_VALUE;
    must(ferry_graph_add_constant_s64(&b->graph, name, values, count, &v, &err), &err);
    return v;
}

static void set_attr(graph_builder *b, ferry_node_id node, const char *name, const char *text)
{
    ferry_error err;
    int64_t ints[16];
    float floats[16];
    int32_t count = 0;
    const ferry_attr_schema *s = b->graph.nodes[node].op->attrs;
    while (s && s->name && strcmp(s->name, name) != 0) s++;
    if (!s || !s->name) fail_msg("%s has no attribute '%s'", b->graph.nodes[node].op->name, name);
    ferry_attr attr = {.name = name, .kind = s->kind, .count = 1};
    for (const char *t = text; s->kind != FERRY_ATTR_STRING && *t;) {
        char *end = NULL;
        floats[count] = strtof(t, &end);
        ints[count] = strtoll(t, NULL, 10);
        count++;
        t = *end == ',' ? end + 1 : end;
    }
    if (s->kind == FERRY_ATTR_STRING) {
        attr.u.strings = &text;
    } else if (s->kind == FERRY_ATTR_FLOAT || s->kind == FERRY_ATTR_FLOATS) {
        attr.u.floats = floats;
        attr.count = count;
    } else {
        attr.u.ints = ints;
        attr.count = count;
    }
    must(ferry_node_set_attr(&b->graph, node, &attr, &err), &err);
}

ferry_value_id build_node(graph_builder *b, const char *op, const char *name, const char *attrs, int32_t n_inputs,
                          const ferry_value_id *inputs)
{
    ferry_error err;
    const bool own = strncmp(op, "ferry.", 6) == 0;
    const ferry_op *row = ferry_op_find(own ? "ferry" : "", own ? op + 6 : op);
    if (!row) fail_msg("no operator %s", op);
    const ferry_shape unknown = ferry_shape_unknown();
    ferry_value_id out = FERRY_NO_VALUE;
    ferry_node_id node = FERRY_NO_NODE;
    must(ferry_graph_add_value(&b->graph, name, FERRY_DTYPE_NONE, &unknown, &out, &err), &err);
    must(ferry_graph_add_node(&b->graph, row, name, inputs, n_inputs, &out, 1, NULL, 0, &node, &err), &err);
    char copy[512];
    assert_true(strlen(attrs) < sizeof copy);
    strcpy(copy, attrs);
    char *state = NULL;
    for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        char *equals = strchr(word, '=');
        assert_non_null(equals);
        *equals = 0;
        set_attr(b, node, word, equals + 1);
    }
    return out;
}

ferry_value_id build_second_output(graph_builder *b, ferry_value_id first, const char *name)
{
    ferry_error err;
    const ferry_shape unknown = ferry_shape_unknown();
    ferry_value_id out = FERRY_NO_VALUE;
    must(ferry_graph_add_value(&b->graph, name, FERRY_DTYPE_NONE, &unknown, &out, &err), &err);
    const ferry_node_id id = b->graph.values[first].producer;
    ferry_node *node = &b->graph.nodes[id];
    ferry_value_id *outputs = ferry_arena_alloc_array(&b->graph.arena, (size_t)node->n_outputs + 1, sizeof *outputs);
    assert_non_null(outputs);
    memcpy(outputs, node->outputs, (size_t)node->n_outputs * sizeof *outputs);
    outputs[node->n_outputs++] = out;
    node->outputs = outputs;
    b->graph.values[out].producer = id;
    return out;
}

void build_output(graph_builder *b, ferry_value_id value)
{
    ferry_error err;
    must(ferry_graph_mark_output(&b->graph, value, &err), &err);
}

void build_finish(graph_builder *b)
{
    ferry_error err;
    ferry_report report;
    ferry_report_init(&report, ferry_heap_default());
    must(ferry_graph_compact(&b->graph, &err), &err);
    must(ferry_graph_infer(&b->graph, NULL, 0, false, &report, &err), &err);
    must(ferry_graph_verify(&b->graph, &report, &err), &err);
    ferry_report_deinit(&report);
}

size_t graph_count(const ferry_graph *graph, const char *op)
{
    size_t count = 0;
    for (size_t n = 0; n < graph->n_nodes; n++) count += ferry_node_is(&graph->nodes[n], op);
    return count;
}

const ferry_node *graph_node(const ferry_graph *graph, const char *op)
{
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (ferry_node_is(&graph->nodes[n], op)) return &graph->nodes[n];
    fail_msg("the graph has no %s", op);
    return NULL;
}

enum { MOST_ENDS = 16 };

static void run(const ferry_graph *graph, float range, uint64_t seed, ferry_tensor *outputs, ferry_arena *arena)
{
    ferry_error err;
    ferry_tensor inputs[MOST_ENDS];
    assert_true(graph->n_inputs <= MOST_ENDS && graph->n_outputs <= MOST_ENDS);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const ferry_value *v = &graph->values[graph->inputs[i]];
        int64_t dims[FERRY_MAX_RANK];
        for (int32_t d = 0; d < v->shape.rank; d++)
            dims[d] = v->shape.dims[d] == FERRY_DIM_UNKNOWN ? 2 : v->shape.dims[d];
        inputs[i] = ferry_random_tensor(arena, v->dtype, v->shape.rank, dims, range, &seed);
    }
    must(ferry_run_graph(graph, inputs, outputs, arena, NULL, NULL, &err), &err);
}

void expect_same_outputs(const ferry_graph *a, const ferry_graph *b, float range, uint64_t seed, double tolerance)
{
    ferry_arena arena;
    ferry_arena_init(&arena, ferry_heap_default());
    ferry_tensor x[MOST_ENDS], y[MOST_ENDS];
    assert_int_equal(a->n_inputs, b->n_inputs);
    assert_int_equal(a->n_outputs, b->n_outputs);
    run(a, range, seed, x, &arena);
    run(b, range, seed, y, &arena);
    for (size_t o = 0; o < a->n_outputs; o++) {
        double most = 0, worst = 0;
        assert_string_equal(a->values[a->outputs[o]].name, b->values[b->outputs[o]].name);
        assert_int_equal(x[o].dtype, y[o].dtype);
        assert_int_equal(x[o].rank, y[o].rank);
        for (int32_t d = 0; d < x[o].rank; d++) assert_int_equal(x[o].dims[d], y[o].dims[d]);
        for (size_t i = 0; i < ferry_tensor_elements(&x[o]); i++) {
            const double p = ferry_load_f64(&x[o], i), q = ferry_load_f64(&y[o], i);
            most = fmax(most, fabs(p));
            if (!(fabs(p - q) <= worst)) worst = fabs(p - q); // NaN counts as a difference
        }
        if (!(worst <= tolerance * most)) fail_msg("output %zu differs by %g, its largest value is %g", o, worst, most);
    }
    ferry_arena_deinit(&arena);
}

double signal_to_noise_db(const ferry_graph *reference, const ferry_graph *other, float range, uint64_t seed, int runs)
{
    double signal = 0, noise = 0;
    for (int r = 0; r < runs; r++) {
        ferry_arena arena;
        ferry_arena_init(&arena, ferry_heap_default());
        ferry_tensor x[MOST_ENDS], y[MOST_ENDS];
        run(reference, range, seed + (uint64_t)r, x, &arena);
        run(other, range, seed + (uint64_t)r, y, &arena);
        for (size_t i = 0; i < ferry_tensor_elements(&x[0]); i++) {
            const double p = ferry_load_f64(&x[0], i), q = ferry_load_f64(&y[0], i);
            signal += p * p;
            noise += (p - q) * (p - q);
        }
        ferry_arena_deinit(&arena);
    }
    return 10.0 * log10(signal / (noise + 1e-30));
}

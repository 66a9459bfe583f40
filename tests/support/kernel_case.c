// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/cpu/cpu.h"
#include "backend/cuda/device.h"
#include "backend/cuda/nvrtc.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "support/cubin.h"
#include "support/device_memory.h"
#include "support/run_graph.h"

#define MOST 16
#define GAP_BEFORE 3    // channels of the wider tensor before a slice, where any number will do
#define GAP 8           // those besides the slice's, altogether
#define INPUT_GAP 0xFF  // bytes there: no number as a float
#define OUTPUT_GAP 0xA5 // what guarded memory is filled with

#define MOST_FRAME 16 // bytes of local memory: a few words lie there for calls, on older chips

enum { FILL_RANDOM, FILL_LOWEST, FILL_HIGHEST, FILLS };

typedef struct state {
    const kernel_case *test;
    uint64_t seed;
    int fill;
    ferry_graph graph;
    ferry_arena arena;
    const ferry_op *op;
    ferry_value_id values[MOST];
    int32_t n_values;
    ferry_tensor in[MOST], out[MOST]; // of all nodes; out: expected
    ferry_value_id results[MOST];     // the values of `out`
    int32_t n_results;
    ferry_node_id nodes[MOST];
    int32_t n_nodes;
    ferry_attr attrs[MOST];
    int32_t n_attrs;
    ferry_region region;
    ferry_graph_view view;
    const char *isa;        // of the CPU, or what other device it is
    size_t gap_before, gap; // channels of the wider tensor before a slice, and altogether
    int ran, matching;
    bool bench;
    const ferry_nvrtc *text_compiler; // of packages that hold texts; NULL: they hold cubins
    bool compile;                     // pack alone, for a kind of GPU that need not be there
    bool ask;                         // whether anything is offered, and no more
    bool slices;                      // tensors are slices of wider ones where the offer allows it
    double work, plain_us;            // of the bench: multiply-adds of a run; time of the plain C row, 0 until known
} state;

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
static void add_input(state *s, const char *word)
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

static void add_attr(state *s, char *word)
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

static void each_word(state *s, const char *text, void (*take)(state *, char *))
{
    char *copy = ferry_arena_strdup(&s->arena, text ? text : ""), *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) take(s, word);
}

static void take_input(state *s, char *word)
{
    add_input(s, word);
}

// A node that reads those values, with the attributes that wait in the state.
static void add_node(state *s, const ferry_value_id *inputs, int32_t n_inputs, int32_t n_out)
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

static void find_op(state *s, const char *domain, const char *name)
{
    s->op = ferry_op_find(domain, name);
    if (!s->op) fail_msg("no operator '%s'", name);
}

// The first word of a node in kernel_case.then, an input besides the result before, or an attribute.
static void take_then(state *s, char *word)
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

static void add_followers(state *s)
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

static const ferry_tensor *tensor_of(const state *s, ferry_value_id value)
{
    for (int32_t i = 0; i < s->n_values; i++)
        if (s->values[i] == value) return &s->in[i];
    for (int32_t o = 0; o < s->n_results; o++)
        if (s->results[o] == value) return &s->out[o];
    return NULL;
}

// What the reference kernels make of it, node by node.
static void expect(state *s)
{
    for (int32_t n = 0, made = 0; n < s->n_nodes; n++) {
        const ferry_node *node = &s->graph.nodes[s->nodes[n]];
        ferry_error err = {.text = ""};
        ferry_tensor in[MOST] = {{0}};
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] != FERRY_NO_VALUE) in[i] = *tensor_of(s, node->inputs[i]);
        if (ferry_node_eval(&s->graph, node, in, &s->out[made], &s->arena, &err) != FERRY_OK)
            fail_msg("%s %s: reference: %s", s->test->op, s->test->inputs, err.text);
        made += node->n_outputs;
    }
}

static void build(state *s)
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

static ferry_tensor_desc describe(const state *s, ferry_value_id value, ferry_tensor_layout layout)
{
    const ferry_value *v = &s->graph.values[value];
    ferry_tensor_desc d = {.dtype = v->dtype,
                           .layout = v->shape.rank < 3 ? FERRY_LAYOUT_PLAIN : layout,
                           .rank = v->shape.rank,
                           .quant = &v->quant};
    memcpy(d.dims, v->shape.dims, sizeof d.dims);
    ferry_tensor_desc_set_strides(&d);
    return d;
}

// Copies between a plain tensor and one as described, an element at a time.
static void relayout(const ferry_tensor_desc *desc, char *there, char *plain, bool to_plain)
{
    const size_t bytes = ferry_dtype_bytes(desc->dtype);
    size_t n = 1;
    for (int32_t d = 0; d < desc->rank; d++) n *= (size_t)desc->dims[d];
    for (size_t i = 0; i < n; i++) {
        size_t rest = i;
        int64_t at = 0;
        for (int32_t d = desc->rank - 1; d >= 0; d--) {
            at += (int64_t)(rest % (size_t)desc->dims[d]) * desc->strides[d];
            rest /= (size_t)desc->dims[d];
        }
        char *a = plain + i * bytes, *b = there + (size_t)at * bytes;
        memcpy(to_plain ? a : b, to_plain ? b : a, bytes);
    }
}

static void compare(const state *s, const ferry_offer *o, int32_t output, const ferry_tensor_desc *desc, char *data,
                    const char *how)
{
    const ferry_tensor *expected = tensor_of(s, s->region.outputs[output]);
    ferry_tensor got = *expected;
    const size_t n = ferry_tensor_elements(expected);
    got.data = malloc(ferry_tensor_bytes(expected) + 1);
    relayout(desc, data, got.data, true);
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        const double b = fabs(ferry_load_f64(expected, i));
        if (isfinite(b) && b > largest) largest = b;
    }
    for (size_t i = 0; i < n; i++) {
        const double a = ferry_load_f64(&got, i), b = ferry_load_f64(expected, i);
        if (a == b || (isnan(a) && isnan(b))) continue;
        const double allowed = s->test->of_largest * largest + s->test->of_each * fabs(b);
        if (fabs(a - b) <= allowed) continue;
        fail_msg("%s '%s' '%s': tactic %s, %s, layout %s to %s, %s, fill %d, seed %llu: element %zu of output %d is "
                 "%.9g, not %.9g (allowed %.3g)",
                 s->test->op, s->test->inputs, s->test->attrs ? s->test->attrs : "", o->tactic, s->isa,
                 ferry_tensor_layout_name(o->in_layout), ferry_tensor_layout_name(o->out_layout), how, s->fill,
                 (unsigned long long)s->seed, i, output, a, b, allowed);
    }
    free(got.data);
}

static bool is_slice(const state *s, const ferry_offer *o, const ferry_tensor_desc *desc, bool in)
{
    return s->slices && desc->rank >= 3 && desc->layout == FERRY_LAYOUT_CHANNELS_LAST &&
           (o->flags & (in ? FERRY_OFFER_READS_SLICES : FERRY_OFFER_WRITES_SLICES));
}

// Whether what lies between and before the positions of a slice is still what it was.
static bool gaps_are_whole(const state *s, const ferry_tensor_desc *desc, const guarded *memory, unsigned char expected)
{
    const size_t elem = ferry_dtype_bytes(desc->dtype), row = (size_t)desc->strides[desc->rank - 1];
    const unsigned char *p = memory->data;
    for (size_t e = 0; e < memory->bytes / elem; e++) {
        const size_t channel = (e + row - s->gap_before) % row;
        if (e >= s->gap_before && channel < (size_t)desc->dims[1]) continue;
        for (size_t i = 0; i < elem; i++)
            if (p[e * elem + i] != expected) return false;
    }
    return true;
}

typedef struct bound {
    ferry_tensor_desc in[MOST], out[MOST];
    ferry_binding in_bindings[MOST], out_bindings[MOST];
    guarded in_memory[MOST], out_memory[MOST];
} bound;

static void bind(const state *s, const ferry_offer *o, bound *b)
{
    for (int32_t i = 0; i < s->region.n_inputs + s->region.n_outputs; i++) {
        const bool in = i < s->region.n_inputs;
        const int32_t k = in ? i : i - s->region.n_inputs;
        const ferry_value_id value = in ? s->region.inputs[k] : s->region.outputs[k];
        ferry_tensor_desc *desc = in ? &b->in[k] : &b->out[k];
        guarded *memory = in ? &b->in_memory[k] : &b->out_memory[k];
        *desc = describe(s, value, in ? o->in_layout : o->out_layout);
        size_t bytes = 0, skipped = 0;
        if (is_slice(s, o, desc, in)) {
            ferry_tensor_desc wide = *desc;
            wide.dims[1] += (int64_t)s->gap;
            ferry_tensor_desc_set_strides(&wide);
            memcpy(desc->strides, wide.strides, sizeof desc->strides);
            skipped = s->gap_before * ferry_dtype_bytes(desc->dtype);
        }
        assert_true(ferry_tensor_desc_bytes(desc, &bytes));
        *memory = guarded_make(skipped + bytes, ferry_dtype_bytes(desc->dtype));
        if (in && skipped) memset(memory->data, INPUT_GAP, skipped + bytes);
        char *data = (char *)memory->data + skipped;
        if (in && s->bench) // whichever element lies where
            memcpy(data, tensor_of(s, value)->data, bytes);
        else if (in)
            relayout(desc, data, tensor_of(s, value)->data, false);
        *(in ? &b->in_bindings[k] : &b->out_bindings[k]) = (ferry_binding){.data = data, .dims = desc->dims};
    }
}

static bool gaps_of_all_are_whole(const state *s, const ferry_offer *o, const bound *b)
{
    bool whole = true;
    for (int32_t i = 0; i < s->region.n_inputs; i++)
        if (is_slice(s, o, &b->in[i], true)) whole &= gaps_are_whole(s, &b->in[i], &b->in_memory[i], INPUT_GAP);
    for (int32_t i = 0; i < s->region.n_outputs; i++)
        if (is_slice(s, o, &b->out[i], false)) whole &= gaps_are_whole(s, &b->out[i], &b->out_memory[i], OUTPUT_GAP);
    return whole;
}

// Runs the kernel on what is bound.
static ferry_status enqueue(const state *s, ferry_device_stream *stream, const ferry_kernel *kernel, bound *b,
                            guarded *workspace, bool *whole, ferry_error *err)
{
    device_tensor in[MOST], out[MOST];
    for (int32_t i = 0; i < s->region.n_inputs; i++) in[i] = (device_tensor){&b->in_memory[i], &b->in_bindings[i]};
    for (int32_t i = 0; i < s->region.n_outputs; i++) out[i] = (device_tensor){&b->out_memory[i], &b->out_bindings[i]};
    return device_run(stream, kernel, in, s->region.n_inputs, out, s->region.n_outputs, workspace->data, whole, err);
}

static void unbind(const state *s, bound *b)
{
    for (int32_t i = 0; i < s->region.n_inputs; i++) guarded_free(&b->in_memory[i]);
    for (int32_t i = 0; i < s->region.n_outputs; i++) guarded_free(&b->out_memory[i]);
}

// over: the input that output 0 takes the memory of; -1: none.
static void run_once(state *s, const ferry_offer *o, const ferry_kernel *kernel, ferry_device_stream *stream,
                     int32_t over, const char *how)
{
    ferry_error err = {.text = ""};
    bound b = {0};
    bind(s, o, &b);
    guarded workspace = guarded_make(kernel->workspace_bytes, 64);
    ferry_binding aliased = b.out_bindings[0];
    if (over >= 0) {
        aliased = b.in_bindings[over];
        b.out_bindings[0].data = aliased.data;
    }
    bool whole = true;
    if (enqueue(s, stream, kernel, &b, &workspace, &whole, &err) != FERRY_OK)
        fail_msg("%s '%s': tactic %s: %s", s->test->op, s->test->inputs, o->tactic, err.text);
    whole &= guarded_is_whole(&workspace);
    for (int32_t i = 0; i < s->region.n_outputs; i++) {
        whole &= guarded_is_whole(&b.out_memory[i]);
        compare(s, o, i, &b.out[i], b.out_bindings[i].data, how);
    }
    for (int32_t i = 0; i < s->region.n_inputs; i++) whole &= guarded_is_whole(&b.in_memory[i]);
    whole &= gaps_of_all_are_whole(s, o, &b);
    if (!whole)
        fail_msg("%s '%s': tactic %s, %s, %s: wrote outside of its buffers", s->test->op, s->test->inputs, o->tactic,
                 s->isa, how);
    guarded_free(&workspace);
    unbind(s, &b);
    s->ran++;
}

// A blob that is too short must be refused, not read.
static void expect_refusal(state *s, ferry_device *device, const ferry_offer *o, const bound *b, const void *packed,
                           size_t bytes)
{
    ferry_kernel *kernel = NULL;
    ferry_error err = {.text = ""};
    guarded shorter = guarded_make(bytes - 1, 64);
    memcpy(shorter.data, packed, bytes - 1);
    if (device->backend->prepare(device, &s->region, o->tactic, b->in, b->out, shorter.data, bytes - 1, &kernel,
                                 &err) == FERRY_OK)
        fail_msg("%s '%s': tactic %s took packed data that is a byte too short", s->test->op, s->test->inputs,
                 o->tactic);
    guarded_free(&shorter);
}

// --- Descriptions that do not fit ------------------------------------------------------------------------------------

// What a file may say of a tensor; 0 <= way < MUTATIONS. False when this way changes nothing here.
enum { MUTATIONS = 9 + 3 * FERRY_MAX_RANK };
static bool mutate(ferry_tensor_desc *desc, int way)
{
    const ferry_tensor_desc before = *desc;
    const int32_t d = way < 9 ? 0 : (way - 9) / 3;
    switch (way) {
    case 0:
        desc->layout = desc->layout == FERRY_LAYOUT_PLAIN ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;
        break;
    case 1:
        desc->dtype = FERRY_F32;
        break;
    case 2:
        desc->dtype = FERRY_F16;
        break;
    case 3:
        desc->dtype = FERRY_S8;
        break;
    case 4:
        desc->dtype = FERRY_S64;
        break;
    case 5:
        desc->rank--;
        break;
    case 6:
        if (desc->rank < FERRY_MAX_RANK) desc->dims[desc->rank++] = 2;
        break;
    case 7:
        desc->bounded = true;
        return true;
    case 8:
        if (desc->rank >= 2) desc->dims[0] = desc->dims[1] = (int64_t)1 << 40;
        break;
    default:
        if (d >= desc->rank) return false;
        desc->dims[d] = (way - 9) % 3 == 0 ? 0 : (way - 9) % 3 == 1 ? desc->dims[d] + 1 : desc->dims[d] / 2;
        break;
    }
    if (desc->rank < 0) return false;
    ferry_tensor_desc_set_strides(desc);
    return memcmp(&before, desc, sizeof before) != 0;
}

// A kernel that took it must stay inside tensors of that description.
static void run_mutated(state *s, const ferry_offer *o, ferry_device_stream *stream, const ferry_kernel *kernel,
                        bound *b, int way)
{
    const int32_t n_in = s->region.n_inputs, n = n_in + s->region.n_outputs;
    ferry_error err = {.text = ""};
    bool whole = true, fits = kernel->workspace_bytes < (1 << 24);
    size_t bytes[2 * MOST] = {0};
    for (int32_t i = 0; i < n; i++)
        fits = fits && ferry_tensor_desc_bytes(i < n_in ? &b->in[i] : &b->out[i - n_in], &bytes[i]) &&
               bytes[i] < (1 << 24);
    if (!fits) return;
    for (int32_t i = 0; i < n; i++) {
        ferry_tensor_desc *desc = i < n_in ? &b->in[i] : &b->out[i - n_in];
        guarded *memory = i < n_in ? &b->in_memory[i] : &b->out_memory[i - n_in];
        *memory = guarded_make(bytes[i], ferry_dtype_bytes(desc->dtype));
        memset(memory->data, 0, bytes[i]);
        if (way == 0 && i < n_in) relayout(desc, memory->data, tensor_of(s, s->region.inputs[i])->data, false);
        *(i < n_in ? &b->in_bindings[i] : &b->out_bindings[i - n_in]) = (ferry_binding){memory->data, desc->dims};
    }
    guarded workspace = guarded_make(kernel->workspace_bytes, 64);
    const ferry_status status = enqueue(s, stream, kernel, b, &workspace, &whole, &err);
    whole &= guarded_is_whole(&workspace);
    for (int32_t i = 0; i < n; i++) whole &= guarded_is_whole(i < n_in ? &b->in_memory[i] : &b->out_memory[i - n_in]);
    if (!whole)
        fail_msg("%s '%s': tactic %s, mutation %d: wrote outside of its buffers", s->test->op, s->test->inputs,
                 o->tactic, way);
    // Only the layout changed: whoever takes it must compute with it.
    for (int32_t i = 0; way == 0 && status == FERRY_OK && i < s->region.n_outputs; i++)
        compare(s, o, i, &b->out[i], b->out_bindings[i].data, "another layout");
    guarded_free(&workspace);
    unbind(s, b);
}

static void try_mutations(state *s, ferry_device *device, const ferry_offer *o, const void *packed, size_t packed_bytes)
{
    ferry_device_stream *stream = NULL;
    assert_int_equal(device->backend->stream_create(device, 1, &stream, NULL), FERRY_OK);
    for (int32_t i = 0; i < s->region.n_inputs + s->region.n_outputs; i++)
        for (int way = 0; way < MUTATIONS; way++) {
            bound b = {0};
            for (int32_t k = 0; k < s->region.n_inputs; k++) b.in[k] = describe(s, s->region.inputs[k], o->in_layout);
            for (int32_t k = 0; k < s->region.n_outputs; k++)
                b.out[k] = describe(s, s->region.outputs[k], o->out_layout);
            if (!mutate(i < s->region.n_inputs ? &b.in[i] : &b.out[i - s->region.n_inputs], way)) continue;
            ferry_kernel *kernel = NULL;
            ferry_error err = {.text = ""};
            if (device->backend->prepare(device, &s->region, o->tactic, b.in, b.out, packed, packed_bytes, &kernel,
                                         &err) != FERRY_OK) {
                assert_true(err.text[0] != 0);
                assert_null(kernel);
                continue;
            }
            run_mutated(s, o, stream, kernel, &b, way);
            device->backend->release(kernel);
        }
    device->backend->stream_destroy(stream);
}

static double processor_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void *on_device(ferry_device *device, ferry_device_stream *stream, const guarded *memory, ferry_binding *binding)
{
    binding->data = device->backend->alloc(device, memory->bytes);
    assert_non_null(binding->data);
    assert_int_equal(
        device->backend->copy(stream, FERRY_COPY_HOST_TO_DEVICE, binding->data, memory->data, memory->bytes, NULL),
        FERRY_OK);
    return binding->data;
}

// Microseconds of a run in the middle of others, as a graph of many.
static double time_graph(const ferry_kernel *kernel, ferry_device_stream *stream, const bound *b, void *workspace)
{
    enum { RUNS = 20, ROUNDS = 9 };
    const ferry_backend *backend = kernel->device->backend;
    ferry_device_event *events[2];
    void *graph = NULL;
    double least = INFINITY;
    for (int i = 0; i < 2; i++) assert_int_equal(backend->event_create(kernel->device, &events[i], NULL), FERRY_OK);
    assert_int_equal(backend->capture_begin(stream, NULL), FERRY_OK);
    for (int i = 0; i < RUNS; i++) backend->enqueue(stream, kernel, b->in_bindings, b->out_bindings, workspace, NULL);
    assert_int_equal(backend->capture_end(stream, &graph, NULL), FERRY_OK);
    for (int i = 0; i < ROUNDS; i++) {
        double ms = 0;
        assert_int_equal(backend->event_record(stream, events[0], NULL), FERRY_OK);
        assert_int_equal(backend->capture_launch(graph, stream, NULL), FERRY_OK);
        assert_int_equal(backend->event_record(stream, events[1], NULL), FERRY_OK);
        assert_int_equal(backend->event_elapsed(events[0], events[1], &ms, NULL), FERRY_OK);
        if (i > 1 && ms * 1e3 / RUNS < least) least = ms * 1e3 / RUNS;
    }
    backend->capture_destroy(graph);
    for (int i = 0; i < 2; i++) backend->event_destroy(events[i]);
    return least;
}

// The same for a device with a memory of its own.
static void time_offer_there(state *s, const ferry_offer *o, const ferry_kernel *kernel, ferry_device_stream *stream)
{
    bound b = {0};
    bind(s, o, &b);
    ferry_device *device = kernel->device;
    size_t bytes = kernel->workspace_bytes;
    void *workspace = bytes ? device->backend->alloc(device, bytes) : NULL;
    for (int32_t i = 0; i < s->region.n_inputs; i++)
        bytes += b.in_memory[i].bytes, on_device(device, stream, &b.in_memory[i], &b.in_bindings[i]);
    for (int32_t i = 0; i < s->region.n_outputs; i++)
        bytes += b.out_memory[i].bytes, on_device(device, stream, &b.out_memory[i], &b.out_bindings[i]);
    const double us = time_graph(kernel, stream, &b, workspace);
    printf("  %-26s %s to %s: %8.2f us (price %8.2f), %6.0f GB/s\n", o->tactic, o->in_layout ? "last " : "plain",
           o->out_layout ? "last " : "plain", us, o->cost_us, (double)bytes / us * 1e-3);
    for (int32_t i = 0; i < s->region.n_inputs; i++)
        device->backend->free(device, b.in_bindings[i].data, b.in_memory[i].bytes);
    for (int32_t i = 0; i < s->region.n_outputs; i++)
        device->backend->free(device, b.out_bindings[i].data, b.out_memory[i].bytes);
    if (workspace) device->backend->free(device, workspace, kernel->workspace_bytes);
    unbind(s, &b);
    s->ran++;
}

static void time_offer(state *s, const ferry_offer *o, const ferry_kernel *kernel, ferry_device_stream *stream)
{
    bound b = {0};
    bind(s, o, &b);
    guarded workspace = guarded_make(kernel->workspace_bytes, 64);
    double least = INFINITY, total = 0;
    for (int i = 0; i < 1000 && (i < 5 || total < 3e5); i++) {
        const double begin = processor_us();
        kernel->device->backend->enqueue(stream, kernel, b.in_bindings, b.out_bindings, workspace.data, NULL);
        const double us = processor_us() - begin;
        if (us < least) least = us;
        total += us;
    }
    if (s->plain_us == 0) s->plain_us = least;
    printf("%-14s %-22s %-11s %s to %s: %10.1f us, %5.1f x", s->test->op, o->tactic, s->isa,
           o->in_layout ? "last " : "plain", o->out_layout ? "last " : "plain", least, s->plain_us / least);
    if (s->work > 0) printf(", %7.1f G/s", s->work / least / 1e3);
    printf("\n");
    guarded_free(&workspace);
    unbind(s, &b);
    s->ran++;
}

// The same with tensors that are slices of wider ones.
// A GPU makes nothing of the number of threads.
static int32_t most_threads(const ferry_device *device)
{
    ferry_device_info info;
    device->backend->describe(device, &info);
    return info.synchronous ? 3 : 1;
}

static void try_slices(state *s, ferry_device *device, const ferry_offer *o, const void *packed, size_t packed_bytes)
{
    if (!(o->flags & (FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES))) return;
    ferry_error err = {.text = ""};
    ferry_kernel *kernel = NULL;
    bound b = {0};
    s->slices = true;
    bind(s, o, &b);
    if (device->backend->prepare(device, &s->region, o->tactic, b.in, b.out, packed, packed_bytes, &kernel, &err) !=
        FERRY_OK)
        fail_msg("%s '%s' '%s': tactic %s, %s: prepare for slices: %s", s->test->op, s->test->inputs,
                 s->test->attrs ? s->test->attrs : "", o->tactic, s->isa, err.text);
    for (int32_t threads = 1; threads <= most_threads(device); threads += 2) {
        ferry_device_stream *stream = NULL;
        assert_int_equal(device->backend->stream_create(device, threads, &stream, NULL), FERRY_OK);
        run_once(s, o, kernel, stream, -1, threads == 1 ? "slices, 1 thread" : "slices, 3 threads");
        device->backend->stream_destroy(stream);
    }
    s->slices = false;
    device->backend->release(kernel);
    unbind(s, &b);
}

// Whether the tactic says that output 0 may take the memory of that input.
static bool may_lie_over(const ferry_offer *o, int32_t input, const ferry_tensor_desc *in, const ferry_tensor_desc *out)
{
    size_t in_bytes = 0, out_bytes = 0;
    if (!(o->flags & FERRY_OFFER_IN_PLACE_ANY) && (!(o->flags & FERRY_OFFER_IN_PLACE) || input > 0)) return false;
    return ferry_tensor_desc_bytes(in, &in_bytes) && ferry_tensor_desc_bytes(out, &out_bytes) &&
           in_bytes == out_bytes && in->rank == out->rank &&
           memcmp(in->dims, out->dims, (size_t)in->rank * sizeof *in->dims) == 0;
}

static void try_offer(state *s, ferry_device *device, const ferry_offer *o)
{
    ferry_error err = {.text = ""};
    const ferry_backend *backend = device->backend;
    void *packed = NULL;
    size_t packed_bytes = 0;
    ferry_kernel *kernel = NULL;
    bound b = {0};
    bind(s, o, &b);
    if (backend->pack(device, &s->region, o->tactic, &packed, &packed_bytes, &err) != FERRY_OK)
        fail_msg("%s '%s': tactic %s: pack: %s", s->test->op, s->test->inputs, o->tactic, err.text);
    if (packed_bytes && !s->bench) expect_refusal(s, device, o, &b, packed, packed_bytes);
    // The packed data ends at a forbidden page too, where it would lie in an engine file.
    guarded exact = guarded_make(packed_bytes, 64);
    if (packed_bytes) memcpy(exact.data, packed, packed_bytes);
    if (backend->prepare(device, &s->region, o->tactic, b.in, b.out, packed_bytes ? exact.data : NULL, packed_bytes,
                         &kernel, &err) != FERRY_OK)
        fail_msg("%s '%s' '%s': tactic %s, %s: prepare: %s", s->test->op, s->test->inputs,
                 s->test->attrs ? s->test->attrs : "", o->tactic, s->isa, err.text);
    if (s->fill == 0 && !s->bench) try_mutations(s, device, o, packed_bytes ? exact.data : NULL, packed_bytes);
    for (int32_t threads = 1; threads <= most_threads(device); threads += 2) {
        ferry_device_stream *stream = NULL;
        assert_int_equal(backend->stream_create(device, threads, &stream, NULL), FERRY_OK);
        if (s->bench) {
            ferry_device_info info;
            backend->describe(device, &info);
            (info.host_memory ? time_offer : time_offer_there)(s, o, kernel, stream);
            backend->stream_destroy(stream);
            break;
        }
        run_once(s, o, kernel, stream, -1, threads == 1 ? "1 thread" : "3 threads");
        for (int32_t i = 0; i < s->region.n_inputs; i++)
            if (may_lie_over(o, i, &b.in[i], &b.out[0])) run_once(s, o, kernel, stream, i, "in place");
        backend->stream_destroy(stream);
    }
    backend->release(kernel);
    if (!s->bench) try_slices(s, device, o, packed_bytes ? exact.data : NULL, packed_bytes);
    guarded_free(&exact);
    unbind(s, &b);
    ferry_heap_free(device->heap, packed, packed_bytes);
}

// Compiled kernels: none may spill registers or ask for more shared memory than a block has for certain. `what` they
// are.
static void check_package(ferry_device *device, const void *packed, size_t packed_bytes,
                          const ferry_nvrtc *text_compiler, const char *what)
{
    ferry_error err = {.text = ""};
    ferry_cuda_package_view package;
    if (ferry_cuda_package_read(packed, packed_bytes, &package, &err) != FERRY_OK) fail_msg("%s: %s", what, err.text);
    for (int32_t i = 0; i < package.n_cubins; i++) {
        cubin_needs needs;
        const void *cubin = package.cubins[i];
        size_t cubin_bytes = package.cubin_bytes[i];
        void *made = NULL;
        if (text_compiler) {
            char arch[16];
            ferry_cuda_target_arch(&((ferry_cuda_device *)device)->target, arch);
            if (ferry_nvrtc_compile(text_compiler, cubin, NULL, 0, arch, device->heap, &made, &cubin_bytes, &err) !=
                FERRY_OK)
                fail_msg("%s: %s", what, err.text);
            cubin = made;
        }
        assert_true(cubin_read(cubin, cubin_bytes, &needs));
        ferry_heap_free(device->heap, made, cubin_bytes);
        if (needs.frame_bytes > MOST_FRAME || needs.shared_bytes > 48 * 1024)
            fail_msg("%s, cubin %d: %u bytes of local memory, %u of shared memory", what, i, needs.frame_bytes,
                     needs.shared_bytes);
    }
}

static void compile_offer(state *s, ferry_device *device, const ferry_offer *o)
{
    ferry_error err = {.text = ""};
    void *packed = NULL;
    size_t packed_bytes = 0;
    char what[512];
    snprintf(what, sizeof what, "%s '%s': tactic %s, %s", s->test->op, s->test->inputs, o->tactic, s->isa);
    if (device->backend->pack(device, &s->region, o->tactic, &packed, &packed_bytes, &err) != FERRY_OK)
        fail_msg("%s: %s", what, err.text);
    check_package(device, packed, packed_bytes, s->text_compiler, what);
    ferry_heap_free(device->heap, packed, packed_bytes);
    s->ran++;
}

typedef struct taken {
    state *s;
    ferry_device *device;
} taken;

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

// FERRY_TEST_SHARE=N: every Nth tactic of all cases alone, under tools that are too slow for all of them.
static int share(void)
{
    const char *text = getenv("FERRY_TEST_SHARE");
    return text && atoi(text) > 1 ? atoi(text) : 1;
}

static ferry_status take_offer(void *user, const ferry_offer *offer, ferry_error *err)
{
    (void)err;
    taken *t = user;
    const kernel_case *test = t->s->test;
    if ((offer->flags & FERRY_OFFER_REFERENCE) || offer->n_nodes != t->s->n_nodes) return FERRY_OK;
    if (offer->flags & FERRY_OFFER_PERMITTED_ONLY & ~test->permitted) return FERRY_OK;
    if (test->leave && begins(offer->tactic, test->leave)) return FERRY_OK;
    if (!test->tactics || begins(offer->tactic, test->tactics)) t->s->matching++;
    if (t->s->ask) return FERRY_OK;
    if (t->s->compile) {
        compile_offer(t->s, t->device, offer);
        return FERRY_OK;
    }
    static int offers;
    if (offers++ % share() == 0) try_offer(t->s, t->device, offer);
    return FERRY_OK;
}

static bool has_word(const char *text, const char *word)
{
    const size_t length = strlen(word);
    for (const char *p = text; p && (p = strstr(p, word)); p += length)
        if ((p == text || p[-1] == ' ') && (p[length] == ' ' || p[length] == 0)) return true;
    return false;
}

// Every tactic of a device that is open.
static void run_device(state *s, ferry_device *device)
{
    taken t = {s, device};
    s->matching = 0;
    const ferry_offer_sink sink = {take_offer, &t};
    assert_int_equal(device->backend->offer(device, &s->view, s->nodes[s->n_nodes - 1], &sink, NULL), FERRY_OK);
    if (!s->matching && !s->ask && !s->test->may_lack && !has_word(s->test->lacks, s->isa))
        fail_msg("%s '%s' '%s', %s: no tactic '%s' is offered", s->test->op, s->test->inputs,
                 s->test->attrs ? s->test->attrs : "", s->isa, s->test->tactics ? s->test->tactics : "");
}

static void run_isas(state *s)
{
    static const char *const isas[] = {"none",       "avx2", "avx512",   "avx512vnni", "avx512bf16",
                                       "avx512vbmi", "neon", "neonfp16", "neondot",    "neoni8mm"};
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        ferry_device *device = NULL;
        s->isa = isas[i];
        if (ferry_backend_cpu.open(isas[i], ferry_heap_default(), NULL, &device, NULL) != FERRY_OK) continue;
        run_device(s, device);
        ferry_backend_cpu.close(device);
    }
}

static void run_cuda(state *s)
{
    ferry_device *device = NULL;
    ferry_error err = {.text = ""};
    if (ferry_backend_cuda.open("", ferry_heap_default(), NULL, &device, &err) != FERRY_OK) fail_msg("%s", err.text);
    s->isa = "cuda";
    s->gap_before = 16; // slices are aligned there
    s->gap = 32;
    run_device(s, device);
    ferry_backend_cuda.close(device);
}

static int run_filled(const kernel_case *test, uint64_t seed, int fill, void (*run)(state *))
{
    state s = {.test = test, .seed = seed, .fill = fill, .gap_before = GAP_BEFORE, .gap = GAP};
    build(&s);
    run(&s);
    const int ran = s.ran;
    ferry_graph_deinit(&s.graph);
    ferry_arena_deinit(&s.arena);
    return ran;
}

void kernel_case_bench(const kernel_case *test, double work)
{
    state s = {.test = test, .seed = 1, .bench = true, .work = work, .gap_before = GAP_BEFORE, .gap = GAP};
    printf("%s %s %s\n", test->op, test->inputs, test->attrs ? test->attrs : "");
    build(&s);
    run_isas(&s);
    ferry_graph_deinit(&s.graph);
    ferry_arena_deinit(&s.arena);
}

void kernel_case_bench_cuda(const kernel_case *test)
{
    state s = {.test = test, .seed = 1, .bench = true, .gap_before = GAP_BEFORE, .gap = GAP};
    printf("%s %s %s%s%s\n", test->op, test->inputs, test->attrs ? test->attrs : "", test->then ? "; " : "",
           test->then ? test->then : "");
    build(&s);
    run_cuda(&s);
    ferry_graph_deinit(&s.graph);
    ferry_arena_deinit(&s.arena);
}

static int run_fills(const kernel_case *test, uint64_t seed, void (*run)(state *))
{
    int ran = 0;
    const bool bytes = strstr(test->inputs, "s8:") || strstr(test->inputs, "u8:");
    for (int fill = 0; fill < (bytes ? FILLS : 1); fill++) ran += run_filled(test, seed, fill, run);
    return ran;
}

int kernel_case_run(const kernel_case *test, uint64_t seed)
{
    return run_fills(test, seed, run_isas);
}

void kernel_cases_run(const kernel_case *tests, int count)
{
    int ran = 0;
    for (int i = 0; i < count; i++) ran += kernel_case_run(&tests[i], 1 + (uint64_t)i * 7919);
    assert_true(ran > 0);
}

bool kernel_case_has_cuda(void)
{
    ferry_device *device = NULL;
    ferry_error err = {.text = ""};
    if (ferry_backend_cuda.open("", ferry_heap_default(), NULL, &device, &err) == FERRY_OK) {
        ferry_backend_cuda.close(device);
        return true;
    }
    print_message("[  SKIPPED ] cuda: %s\n", err.text);
    return false;
}

void kernel_cases_run_cuda(const kernel_case *tests, int count)
{
    int ran = 0;
    if (!kernel_case_has_cuda()) skip();
    for (int i = 0; i < count; i++) ran += run_fills(&tests[i], 1 + (uint64_t)i * 7919, run_cuda);
    assert_true(ran > 0 || share() > 1);
}

static int compile_for(const kernel_case *test, ferry_device *device, const char *target,
                       const ferry_nvrtc *text_compiler)
{
    state s = {.test = test, .seed = 1, .compile = true, .isa = target, .text_compiler = text_compiler};
    build(&s);
    run_device(&s, device);
    ferry_graph_deinit(&s.graph);
    ferry_arena_deinit(&s.arena);
    return s.ran;
}

static void compile_preprocess(ferry_device *device, const ferry_nvrtc *text_compiler)
{
    ferry_error err = {.text = ""};
    void *packed = NULL;
    size_t packed_bytes = 0;
    if (device->backend->pack_preprocess(device, &packed, &packed_bytes, &err) != FERRY_OK) fail_msg("%s", err.text);
    check_package(device, packed, packed_bytes, text_compiler, "preprocessing");
    ferry_heap_free(device->heap, packed, packed_bytes);
}

bool kernel_cases_compile_cuda(const kernel_case *tests, int count, const char *target)
{
    ferry_device *device = NULL;
    const ferry_nvrtc *nvrtc = NULL;
    ferry_cuda_target found;
    ferry_error err = {.text = ""};
    assert_true(ferry_cuda_target_find(target, &found));
    const bool text = ferry_cuda_carries_text(&found); // which any compiler may try
    if (ferry_nvrtc_get(found.chip, text ? 0 : found.most_cuda, &nvrtc, &err) != FERRY_OK) {
        print_message("[  SKIPPED ] %s: %s\n", target, err.text);
        return false;
    }
    assert_int_equal(ferry_backend_cuda.open(target, ferry_heap_default(), NULL, &device, &err), FERRY_OK);
    int ran = 0;
    for (int i = 0; i < count; i++) ran += compile_for(&tests[i], device, target, text ? nvrtc : NULL);
    compile_preprocess(device, text ? nvrtc : NULL);
    ferry_backend_cuda.close(device);
    assert_true(ran > 0);
    print_message("%s: %d tactics compiled by NVRTC %d.%d\n", target, ran, ferry_nvrtc_version(nvrtc) / 1000,
                  ferry_nvrtc_version(nvrtc) % 1000 / 10);
    return true;
}

bool kernel_case_is_offered_cuda(const kernel_case *test, const char *target)
{
    ferry_device *device = NULL;
    ferry_error err = {.text = ""};
    if (ferry_backend_cuda.open(target, ferry_heap_default(), NULL, &device, &err) != FERRY_OK)
        fail_msg("%s", err.text);
    state s = {.test = test, .seed = 1, .bench = true, .ask = true, .isa = target};
    build(&s);
    run_device(&s, device);
    ferry_backend_cuda.close(device);
    ferry_graph_deinit(&s.graph);
    ferry_arena_deinit(&s.arena);
    return s.matching > 0;
}

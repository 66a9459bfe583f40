// SPDX-License-Identifier: Apache-2.0
// Numeric plans: what runs in INT8, what stays in float and why; text, replay, rules; and what lowering makes of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/element.h"
#include "passes/choose.h"
#include "passes/lower.h"
#include "passes/pass.h"
#include "support/build_graph.h"
#include "support/run_graph.h"

enum { MOST_SCALES = 256 };

typedef struct fixture {
    graph_builder model; // G0, then left as it is
    ferry_graph passed, lowered;
    ferry_named_scale scales[MOST_SCALES];
    size_t n_scales;
    ferry_precision_options options;
    ferry_numeric_plan plan;
    ferry_report report;
    ferry_error err;
} fixture;

static void note_scale(void *user, ferry_value_id value, const ferry_tensor *tensor)
{
    fixture *f = user;
    const char *name = f->model.graph.values[value].name;
    size_t i = 0;
    if (!ferry_dtype_is_float(tensor->dtype)) return;
    while (i < f->n_scales && strcmp(f->scales[i].name, name) != 0) i++;
    if (i == f->n_scales) f->scales[f->n_scales++] = (ferry_named_scale){.name = name};
    assert_true(f->n_scales < MOST_SCALES);
    for (size_t k = 0; k < ferry_tensor_elements(tensor); k++) {
        const float s = (float)(fabs(ferry_load_f64(tensor, k)) / 127.0);
        if (s > f->scales[i].scale) f->scales[i].scale = s;
    }
}

// Passes, and min-max scales from random runs of the model.
static void prepare(fixture *f)
{
    build_finish(&f->model);
    ferry_report_init(&f->report, ferry_heap_default());
    assert_int_equal(ferry_graph_copy(&f->model.graph, &f->passed, &f->err), FERRY_OK);
    const ferry_passes_options options = {.verify = true};
    assert_int_equal(ferry_passes_run(&f->passed, &options, NULL, &f->err), FERRY_OK);
    uint64_t seed = 5;
    for (int run = 0; run < 4; run++) {
        ferry_arena arena;
        ferry_arena_init(&arena, ferry_heap_default());
        ferry_tensor inputs[4], outputs[8];
        for (size_t i = 0; i < f->model.graph.n_inputs; i++) {
            const ferry_value *v = &f->model.graph.values[f->model.graph.inputs[i]];
            inputs[i] = ferry_random_tensor(&arena, v->dtype, v->shape.rank, v->shape.dims, 1.0f, &seed);
        }
        if (ferry_run_graph(&f->model.graph, inputs, outputs, &arena, note_scale, f, &f->err) != FERRY_OK)
            fail_msg("%s", f->err.text);
        ferry_arena_deinit(&arena);
    }
    f->options.scales = f->scales;
    f->options.n_scales = f->n_scales;
}

static void lower(fixture *f)
{
    ferry_status s = ferry_numeric_plan_choose(&f->passed, &f->options, &f->plan, &f->report, &f->err);
    if (s != FERRY_OK) fail_msg("%s", f->err.text);
    s = ferry_lower(&f->passed, &f->plan, &f->lowered, &f->report, &f->err);
    if (s != FERRY_OK) fail_msg("%s", f->err.text);
    for (size_t i = 0; i < f->passed.n_outputs; i++) { // inputs and outputs keep the model's names and types
        const ferry_value *a = &f->passed.values[f->passed.outputs[i]];
        const ferry_value *b = &f->lowered.values[f->lowered.outputs[i]];
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->dtype, b->dtype);
    }
}

static void relower(fixture *f)
{
    ferry_graph_deinit(&f->lowered);
    ferry_numeric_plan_deinit(&f->plan);
    lower(f);
}

static void done(fixture *f)
{
    ferry_graph_deinit(&f->lowered);
    ferry_graph_deinit(&f->passed);
    ferry_numeric_plan_deinit(&f->plan);
    ferry_report_deinit(&f->report);
    build_end(&f->model);
}

static bool reported(const fixture *f, const char *subject, const char *text)
{
    for (size_t i = 0; i < f->report.count; i++)
        if (strcmp(f->report.findings[i].subject, subject) == 0 && strstr(f->report.findings[i].text, text))
            return true;
    return false;
}

static ferry_dtype stored_as(const fixture *f, const char *name)
{
    const ferry_value_id v = ferry_graph_find_value(&f->passed, name);
    assert_int_not_equal(v, FERRY_NO_VALUE);
    return f->plan.values[v].dtype;
}

static ferry_dtype precision_of(const fixture *f, const char *node)
{
    for (size_t n = 0; n < f->plan.n_nodes; n++)
        if (strcmp(f->plan.nodes[n].name, node) == 0) return f->plan.nodes[n].precision;
    fail_msg("no node %s", node);
    return FERRY_DTYPE_NONE;
}

static ferry_value_id conv(graph_builder *b, const char *name, const char *attrs, ferry_value_id x, const char *w)
{
    char channels[16];
    snprintf(channels, sizeof channels, "%ld", strtol(w, NULL, 10));
    return BUILD_NODE(b, "Conv", name, attrs, x, build_constant(b, "w", w, 0.4f),
                      build_constant(b, "b", channels, 0.3f));
}

// A residual block, a depthwise step, a SiLU, a squeeze and excitation, pooling, resizing, concatenation, and a
// classifier: everything that has an integer form.
static void build_everything(graph_builder *b)
{
    build_begin(b, 99);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x3x12x12");
    const ferry_value_id a =
        BUILD_NODE(b, "Relu", "a", "", conv(b, "c1", "kernel_shape=3,3 pads=1,1,1,1", x, "8x3x3x3"));
    const ferry_value_id d =
        BUILD_NODE(b, "Clip", "d", "", conv(b, "dw", "kernel_shape=3,3 pads=1,1,1,1 group=8", a, "8x1x3x3"),
                   build_scalar(b, 0.0f), build_scalar(b, 6.0f));
    const ferry_value_id p = conv(b, "pw", "kernel_shape=1,1", d, "8x8x1x1");
    const ferry_value_id r = BUILD_NODE(b, "Relu", "r", "", BUILD_NODE(b, "Add", "sum", "", p, a));
    const ferry_value_id s = conv(b, "s_conv", "kernel_shape=1,1", r, "8x8x1x1");
    const ferry_value_id silu = BUILD_NODE(b, "Mul", "silu", "", s, BUILD_NODE(b, "Sigmoid", "sig", "", s));
    const ferry_value_id gap = BUILD_NODE(b, "GlobalAveragePool", "se_gap", "", silu);
    const ferry_value_id gate =
        BUILD_NODE(b, "Sigmoid", "gate", "", conv(b, "se_fc", "kernel_shape=1,1", gap, "8x8x1x1"));
    const ferry_value_id se = BUILD_NODE(b, "Mul", "se", "", silu, gate);
    const ferry_value_id pool = BUILD_NODE(b, "AveragePool", "pool", "kernel_shape=2,2 strides=2,2", se);
    const float two[] = {1, 1, 2, 2};
    const ferry_value_id up =
        BUILD_NODE(b, "Resize", "up", "mode=linear", pool, FERRY_NO_VALUE, build_floats(b, "scales", "4", two));
    const ferry_value_id cat = BUILD_NODE(b, "Concat", "cat", "axis=1", up, BUILD_NODE(b, "Sub", "diff", "", se, r));
    const ferry_value_id max = BUILD_NODE(b, "MaxPool", "max", "kernel_shape=2,2 strides=2,2", cat);
    const ferry_value_id last =
        BUILD_NODE(b, "LeakyRelu", "last", "alpha=0.1", conv(b, "c_last", "kernel_shape=3,3", max, "16x16x3x3"));
    const ferry_value_id flat =
        BUILD_NODE(b, "Flatten", "flat", "", BUILD_NODE(b, "GlobalAveragePool", "gap", "", last));
    const ferry_value_id fc = BUILD_NODE(b, "Gemm", "fc", "", flat, build_constant(b, "fw", "16x10", 0.5f),
                                         build_constant(b, "fb", "10", 0.2f));
    build_output(b, BUILD_NODE(b, "Softmax", "y", "axis=1", fc));
}

static void int8__runs_every_integer_operator_and_stays_accurate(void **state)
{
    (void)state;
    fixture f = {0};
    build_everything(&f.model);
    prepare(&f);
    f.options.int8 = true;
    lower(&f);
    static const char *const expected[] = {
        "QConv",   "QGemm",  "QMul",    "QAdd",  "QAveragePool", "QGlobalAveragePool",
        "QResize", "QTable", "MaxPool", "Concat"};
    for (size_t i = 0; i < FERRY_COUNT_OF(expected); i++)
        if (graph_count(&f.lowered, expected[i]) == 0) fail_msg("no %s", expected[i]);
    assert_int_equal(graph_count(&f.lowered, "QuantizeLinear"), 1);
    assert_int_equal(graph_count(&f.lowered, "DequantizeLinear"), 0); // the classifier writes floats itself
    assert_int_equal(graph_count(&f.lowered, "FusedConv") + graph_count(&f.lowered, "FusedGemm"), 0);
    const double db = signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 321, 4);
    if (!(db > 30.0)) fail_msg("%g dB", db);
    done(&f);
}

static void int8__is_deterministic_to_the_byte(void **state)
{
    (void)state;
    fixture f = {0}, g = {0};
    fixture *both[2] = {&f, &g};
    for (int i = 0; i < 2; i++) {
        build_everything(&both[i]->model);
        prepare(both[i]);
        both[i]->options.int8 = true;
        lower(both[i]);
    }
    uint64_t a = 0, b = 1;
    assert_int_equal(ferry_numeric_plan_hash(&f.plan, &f.passed, &a, &f.err), FERRY_OK);
    assert_int_equal(ferry_numeric_plan_hash(&g.plan, &g.passed, &b, &g.err), FERRY_OK);
    assert_true(a == b);
    assert_int_equal(f.lowered.n_values, g.lowered.n_values);
    for (size_t v = 0; v < f.lowered.n_values; v++) {
        const ferry_value *x = &f.lowered.values[v], *y = &g.lowered.values[v];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->data_bytes, y->data_bytes);
        if (x->data) assert_memory_equal(x->data, y->data, x->data_bytes);
    }
    done(&f);
    done(&g);
}

static void text__is_read_back_and_replayed_to_the_bit(void **state)
{
    (void)state;
    fixture f = {0};
    ferry_arena arena;
    const char *text = NULL, *again = NULL;
    ferry_arena_init(&arena, ferry_heap_default());
    build_everything(&f.model);
    prepare(&f);
    f.options.int8 = f.options.zero_points = true;
    lower(&f);
    assert_int_equal(ferry_numeric_plan_write(&f.plan, &f.passed, &arena, &text, &f.err), FERRY_OK);
    ferry_numeric_plan read;
    const ferry_status s = ferry_numeric_plan_read(text, strlen(text), &f.passed, &read, &f.err);
    if (s != FERRY_OK) fail_msg("%s", f.err.text);
    assert_int_equal(ferry_numeric_plan_write(&read, &f.passed, &arena, &again, &f.err), FERRY_OK);
    assert_string_equal(text, again);
    ferry_graph replayed;
    assert_int_equal(ferry_lower(&f.passed, &read, &replayed, &f.report, &f.err), FERRY_OK);
    expect_same_outputs(&f.lowered, &replayed, 1.0f, 9, 0.0);
    ferry_graph_deinit(&replayed);
    ferry_numeric_plan_deinit(&read);
    ferry_arena_deinit(&arena);
    done(&f);
}

static void replace(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from);
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

static void text__that_does_not_fit_names_the_first_difference(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *expected;
    } cases[] = {{"\"name\": \"pw\"", "\"name\": \"pq\"", "'pq'"},
                 {"\"name\": \"cat\", \"type\"", "\"name\": \"car\", \"type\"", "'car' where this model has 'cat'"},
                 {"\"absorbed\": \"sum + r\"", "\"absorbed\": \"sum + s\"", "sum + s"},
                 {"\"type\": \"int8\"", "\"type\": \"intx\"", "'intx'"},
                 {"\"precision\": \"int8\"", "\"precision\": \"int9\"", "int9"},
                 {"plan\": 1", "plan\": 2", "ferry_numeric_plan"},
                 {"\"nodes\"", "\"nodez\"", "nodez"}};
    fixture f = {0};
    ferry_arena arena;
    const char *text = NULL;
    ferry_arena_init(&arena, ferry_heap_default());
    build_everything(&f.model);
    prepare(&f);
    f.options.int8 = true;
    lower(&f);
    assert_int_equal(ferry_numeric_plan_write(&f.plan, &f.passed, &arena, &text, &f.err), FERRY_OK);
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) {
        char *changed = ferry_arena_strdup(&arena, text);
        ferry_numeric_plan read;
        replace(changed, cases[i].from, cases[i].to);
        assert_int_equal(ferry_numeric_plan_read(changed, strlen(changed), &f.passed, &read, &f.err),
                         FERRY_ERR_BAD_DATA);
        if (!strstr(f.err.text, cases[i].expected)) fail_msg("%s", f.err.text);
        ferry_numeric_plan_deinit(&read);
    }
    // A plan that is well-formed but contradicts itself is refused by lowering, never obeyed.
    static const struct {
        const char *from, *to;
    } lies[] = {{"\"type\": \"int8\"", "\"type\": \"bool\""},
                {"\"name\": \"max\", \"type\": \"int8\"", "\"name\": \"max\", \"type\": \"none\""},
                {"\"op\": \"Softmax\", \"absorbed\": \"\", \"precision\": \"fp32\"",
                 "\"op\": \"Softmax\", \"absorbed\": \"\", \"precision\": \"int8\""}};
    for (size_t i = 0; i < FERRY_COUNT_OF(lies); i++) {
        char *changed = ferry_arena_strdup(&arena, text);
        ferry_numeric_plan read;
        ferry_graph out;
        replace(changed, lies[i].from, lies[i].to);
        assert_int_equal(ferry_numeric_plan_read(changed, strlen(changed), &f.passed, &read, &f.err), FERRY_OK);
        assert_int_equal(ferry_lower(&f.passed, &read, &out, NULL, &f.err), FERRY_ERR_BAD_DATA);
        ferry_numeric_plan_deinit(&read);
    }
    ferry_arena_deinit(&arena);
    done(&f);
}

static void scales__missing_mean_float_and_are_listed(void **state)
{
    (void)state;
    fixture f = {0};
    build_everything(&f.model);
    prepare(&f);
    f.options.int8 = true;
    for (size_t i = 0; i < f.n_scales; i++)
        if (strcmp(f.scales[i].name, "r") == 0) f.scales[i].scale = 0.0f;
    lower(&f);
    assert_true(reported(&f, "r", "no scale"));
    assert_int_equal(stored_as(&f, "r"), FERRY_F32);
    assert_int_equal(stored_as(&f, "d"), FERRY_S8);
    assert_int_equal(graph_count(&f.lowered, "FusedConv"), 1); // s_conv, which reads r
    assert_true(signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 3, 2) > 30.0);
    done(&f);
}

static void scales__that_nothing_has_leave_no_integers_which_is_said(void **state)
{
    (void)state;
    fixture f = {0};
    build_everything(&f.model);
    prepare(&f);
    f.options.int8 = true;
    lower(&f);
    assert_false(reported(&f, "INT8", "no layer runs in integers"));
    f.options.n_scales = 0;
    relower(&f);
    assert_true(reported(&f, "INT8", "no layer runs in integers"));
    done(&f);
}

static void scales__of_channels_are_not_used_which_is_said(void **state)
{
    (void)state;
    static const float scales[] = {0.02f, 0.03f, 0.02f};
    static const int8_t zeros[] = {0, 0, 0};
    for (int several = 0; several < 2; several++) {
        fixture f = {0};
        graph_builder *b = &f.model;
        build_begin(b, 3);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x3x8x8");
        const ferry_value_id scale = build_floats(b, "s", several ? "3" : "", scales);
        const ferry_value_id z = build_bytes(b, "z", several ? "3" : "", zeros);
        const ferry_value_id q = BUILD_NODE(b, "QuantizeLinear", "q", "axis=1", x, scale, z);
        const ferry_value_id dq = BUILD_NODE(b, "DequantizeLinear", "dq", "axis=1", q, scale, z);
        build_output(b, BUILD_NODE(b, "Conv", "c", "", dq, build_constant(b, "w", "4x3x3x3", 0.3f)));
        prepare(&f);
        f.options.int8 = true;
        f.options.n_scales = 0;
        lower(&f);
        assert_int_equal(graph_count(&f.lowered, "QConv"), !several);
        assert_int_equal(reported(&f, "q", "1 of the model's QuantizeLinear nodes"), several);
        done(&f);
    }
}

static const ferry_plan_value *planned(const fixture *f, const char *name)
{
    return &f->plan.values[ferry_graph_find_value(&f->passed, name)];
}

static void residuals__that_floats_read_stay_floats(void **state)
{
    (void)state;
    for (int floats = 0; floats < 2; floats++) {
        fixture f = {0};
        graph_builder *b = &f.model;
        build_begin(b, 3);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x8x8");
        const ferry_value_id y = conv(b, "stream", "kernel_shape=1,1", x, "4x4x1x1");
        const ferry_value_id in = floats ? BUILD_NODE(b, "Softmax", "norm", "axis=1", y) : x;
        const ferry_value_id sum = BUILD_NODE(b, "Add", "sum", "", conv(b, "c2", "kernel_shape=1,1", in, "4x4x1x1"), y);
        build_output(b, conv(b, "c3", "kernel_shape=1,1", sum, "4x4x1x1"));
        prepare(&f);
        f.options.int8 = true;
        lower(&f);
        assert_int_equal(graph_count(&f.lowered, "QConv"), 3);
        assert_int_equal(stored_as(&f, "stream"), floats ? FERRY_F32 : FERRY_S8);
        done(&f);
    }
}

static void zeros__of_the_model_are_kept(void **state)
{
    (void)state;
    fixture f = {0};
    graph_builder *b = &f.model;
    const int8_t zero = -101;
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x3x8x8"), scale = build_scalar(b, 0.02f);
    const ferry_value_id z = build_bytes(b, "z", "", &zero);
    const ferry_value_id dq =
        BUILD_NODE(b, "DequantizeLinear", "dq", "", BUILD_NODE(b, "QuantizeLinear", "q", "", x, scale, z), scale, z);
    build_output(b, conv(b, "c", "kernel_shape=3,3 pads=1,1,1,1", dq, "4x3x3x3"));
    prepare(&f);
    f.options.int8 = true;
    f.options.n_scales = 0;
    lower(&f);
    const ferry_node *q = graph_node(&f.lowered, "QuantizeLinear"), *c = graph_node(&f.lowered, "QConv");
    assert_int_equal(*(const int8_t *)f.lowered.values[q->inputs[2]].data, zero);
    assert_int_equal(ferry_node_int(c, "x_zero", 0), zero);
    // Inputs stay inside the grid, so that INT8 differs from the pair by rounding weights alone.
    const double db = signal_to_noise_db(&f.model.graph, &f.lowered, 0.5f, 321, 4);
    if (!(db > 35.0)) fail_msg("%g dB", db);
    done(&f);
}

static void zeros__of_the_model_that_do_not_fit_leave_floats(void **state)
{
    (void)state;
    fixture f = {0};
    graph_builder *b = &f.model;
    const int8_t zero = -101;
    const char *rules[] = {"mm=int8"};
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x8x8"), scale = build_scalar(b, 0.02f);
    const ferry_value_id z = build_bytes(b, "z", "", &zero);
    const ferry_value_id c = conv(b, "c", "kernel_shape=1,1", x, "4x4x1x1");
    const ferry_value_id dq =
        BUILD_NODE(b, "DequantizeLinear", "dq", "", BUILD_NODE(b, "QuantizeLinear", "q", "", c, scale, z), scale, z);
    const ferry_value_id t = BUILD_NODE(b, "Transpose", "t", "perm=0,1,3,2", dq);
    build_output(b, BUILD_NODE(b, "MatMul", "mm", "", t, conv(b, "c2", "kernel_shape=1,1", x, "4x4x1x1")));
    prepare(&f);
    f.options.int8 = true;
    f.options.rules = rules;
    f.options.n_rules = 1;
    lower(&f);
    assert_int_equal(graph_count(&f.lowered, "QConv"), 2);
    assert_int_equal(graph_count(&f.lowered, "QMatMul"), 0);
    assert_true(reported(&f, "t", "has a zero point"));
    done(&f);
}

static void zeros__use_the_codes_that_an_activation_leaves(void **state)
{
    (void)state;
    for (int with = 0; with < 2; with++) {
        fixture f = {0};
        build_everything(&f.model);
        prepare(&f);
        f.options.int8 = true;
        f.options.zero_points = with;
        lower(&f);
        assert_int_equal(planned(&f, "x")->zero, 0);
        assert_int_equal(planned(&f, "a")->zero, with ? -128 : 0);    // Relu
        assert_int_equal(planned(&f, "gate")->zero, with ? -128 : 0); // Sigmoid
        assert_true(!with || (planned(&f, "silu")->zero > -128 && planned(&f, "silu")->zero < -60));
        for (size_t k = 0; with && k < f.n_scales; k++)
            if (strcmp(f.scales[k].name, "a") == 0)
                assert_true(planned(&f, "a")->scale == (float)(127.0 * (double)f.scales[k].scale / 255.0));
        const double db = signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 321, 8);
        if (!(db > 30.0)) fail_msg("%g dB", db);
        done(&f);
    }
}

// Weights that INT8 holds exactly, so that what is lost is lost at the Sigmoid: half its step there is 6 dB.
static void zeros__halve_the_step_behind_a_sigmoid(void **state)
{
    (void)state;
    static const float one[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    double db[2];
    for (int with = 0; with < 2; with++) {
        fixture f = {0};
        graph_builder *b = &f.model;
        build_begin(b, 3);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x8x8");
        const ferry_value_id w = build_floats(b, "w", "4x4x1x1", one);
        const ferry_value_id s =
            BUILD_NODE(b, "Sigmoid", "s", "", BUILD_NODE(b, "Conv", "c", "kernel_shape=1,1", x, w));
        build_output(b, BUILD_NODE(b, "Conv", "y", "kernel_shape=1,1", s, w));
        prepare(&f);
        f.options.int8 = true;
        f.options.zero_points = with;
        lower(&f);
        db[with] = signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 321, 16);
        done(&f);
    }
    if (!(db[1] > db[0] + 3.0)) fail_msg("%g dB with zero points, %g without", db[1], db[0]);
}

static void zeros__that_arithmetic_has_no_place_for_are_not_made(void **state)
{
    (void)state;
    fixture f = {0};
    graph_builder *b = &f.model;
    const char *rules[] = {"mm=int8"};
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x8x8");
    const ferry_value_id r = BUILD_NODE(b, "Relu", "r", "", conv(b, "c", "kernel_shape=1,1", x, "4x4x1x1"));
    const ferry_value_id s = BUILD_NODE(b, "Relu", "s", "", conv(b, "c2", "kernel_shape=1,1", r, "4x4x1x1"));
    const ferry_value_id t = BUILD_NODE(b, "Relu", "t", "", conv(b, "c3", "kernel_shape=1,1", s, "4x4x1x1"));
    const ferry_value_id padded =
        BUILD_NODE(b, "AveragePool", "padded", "kernel_shape=3,3 pads=1,1,1,1 count_include_pad=1", t);
    build_output(b, BUILD_NODE(b, "MatMul", "mm", "", padded, r));
    prepare(&f);
    f.options.int8 = f.options.zero_points = true;
    f.options.rules = rules;
    f.options.n_rules = 1;
    lower(&f);
    assert_int_equal(graph_count(&f.lowered, "QMatMul"), 1);
    assert_int_equal(graph_count(&f.lowered, "QAveragePool"), 1);
    assert_int_equal(planned(&f, "s")->zero, -128);
    static const char *const symmetric[] = {"r", "t", "padded"};
    for (size_t i = 0; i < FERRY_COUNT_OF(symmetric); i++) assert_int_equal(planned(&f, symmetric[i])->zero, 0);
    // A plan that says otherwise is refused, not misread.
    f.plan.values[ferry_graph_find_value(&f.passed, "t")].zero = 3;
    ferry_graph out;
    assert_int_equal(ferry_lower(&f.passed, &f.plan, &out, &f.report, &f.err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(f.err.text, "no form for the zero point of 't'"));
    done(&f);
}

static void scales__of_a_concat_group_become_one(void **state)
{
    (void)state;
    fixture f = {0};
    build_everything(&f.model);
    prepare(&f);
    f.options.int8 = true;
    lower(&f);
    const float s = f.plan.values[ferry_graph_find_value(&f.passed, "cat")].scale;
    float most = 0;
    static const char *const names[] = {"up", "diff", "cat", "max"};
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++) {
        assert_true(f.plan.values[ferry_graph_find_value(&f.passed, names[i])].scale == s);
        for (size_t k = 0; k < f.n_scales; k++)
            if (strcmp(f.scales[k].name, names[i]) == 0) most = fmaxf(most, f.scales[k].scale);
    }
    assert_true(s == most);
    done(&f);
}

static void rules__pin_layers_and_must_match(void **state)
{
    (void)state;
    fixture f = {0};
    const char *rules[4] = {"s_*=fp32", "c_last=fp32"};
    build_everything(&f.model);
    prepare(&f);
    f.options.int8 = true;
    f.options.rules = rules;
    f.options.n_rules = 2;
    lower(&f);
    assert_int_equal(precision_of(&f, "s_conv"), FERRY_F32);
    assert_int_equal(precision_of(&f, "c_last"), FERRY_F32);
    assert_int_equal(precision_of(&f, "pw"), FERRY_S8);
    rules[0] = "sum=fp32";  // the name of an absorbed node
    rules[1] = "gat?=fp32"; // the name of a tensor
    relower(&f);
    assert_int_equal(precision_of(&f, "pw"), FERRY_F32);
    assert_int_equal(precision_of(&f, "s_conv"), FERRY_S8);
    assert_int_equal(graph_count(&f.lowered, "Sigmoid"), 1);
    rules[0] = "*=fp32";
    rules[1] = "pw=int8"; // the last rule counts
    relower(&f);
    assert_int_equal(graph_count(&f.lowered, "QConv"), 1);
    rules[1] = "y=int8";
    relower(&f);
    assert_true(reported(&f, "y", "stays in floating point"));
    static const struct {
        const char *rule, *expected;
    } wrong[] = {{"nothing*=fp32", "matches no layer"}, {"pw=fp8", "fp8"}, {"pw", "NAME=PRECISION"}, {"=fp32", "NAME"}};
    for (size_t i = 0; i < FERRY_COUNT_OF(wrong); i++) {
        ferry_numeric_plan plan;
        rules[0] = wrong[i].rule;
        assert_int_equal(ferry_numeric_plan_choose(&f.passed, &f.options, &plan, NULL, &f.err),
                         FERRY_ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(f.err.text, wrong[i].expected));
        ferry_numeric_plan_deinit(&plan);
    }
    done(&f);
}

// --- The FP16 guard ------------------------------------------------------------------------------------------------

// x -> c1 -> t1 -> c2 -> t2 -> c3, with a sigmoid between; and a sum that lies between two layers.
static void build_chain(graph_builder *b, float weights)
{
    build_begin(b, 7);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x3x6x6");
    const ferry_value_id c1 = conv(b, "c1", "kernel_shape=3,3", x, "8x3x3x3");
    const ferry_value_id t1 = BUILD_NODE(b, "Tanh", "t1", "", c1);
    const ferry_value_id c2 =
        BUILD_NODE(b, "Conv", "c2", "kernel_shape=1,1", t1, build_constant(b, "w_c2", "8x8x1x1", weights));
    const ferry_value_id t2 = BUILD_NODE(b, "Sigmoid", "t2", "", BUILD_NODE(b, "Exp", "e2", "", c2));
    build_output(b, conv(b, "c3", "kernel_shape=1,1", t2, "4x8x1x1"));
}

static void guard(fixture *f, ferry_dtype type, const ferry_named_scale *ranges, size_t count)
{
    f->options = (ferry_precision_options){.fp16 = true, .guard = type, .ranges = ranges, .n_ranges = count};
    if (f->plan.nodes) {
        relower(f);
    } else {
        lower(f);
    }
}

static void guard__keeps_makers_and_readers_of_what_overflows(void **state)
{
    fixture f = {0};
    ferry_named_scale ranges[] = {{"c1", 40000.0f}, {"c2", 100.0f}, {"x", 3.0f}};
    (void)state;
    build_chain(&f.model, 0.4f);
    prepare(&f);
    guard(&f, FERRY_BF16, ranges, 3);
    assert_int_equal(precision_of(&f, "c1"), FERRY_BF16);
    assert_int_equal(precision_of(&f, "t1"), FERRY_BF16);
    assert_int_equal(precision_of(&f, "c2"), FERRY_F16);
    assert_int_equal(precision_of(&f, "c3"), FERRY_F16);
    assert_int_equal(stored_as(&f, "c1"), FERRY_BF16);
    assert_true(reported(&f, "c1", "'c1', which it makes, reaches 4e+04"));
    assert_true(reported(&f, "t1", "kept in bf16 instead of fp16: 'c1', which it reads"));
    guard(&f, FERRY_F32, ranges, 3);
    assert_int_equal(precision_of(&f, "c1"), FERRY_F32);
    ranges[0].scale = 3e38f; // BF16 has not got that either
    guard(&f, FERRY_BF16, ranges, 3);
    assert_int_equal(precision_of(&f, "c1"), FERRY_F32);
    ranges[0].scale = 32000.0f; // FP16 has twice that
    guard(&f, FERRY_BF16, ranges, 3);
    assert_int_equal(precision_of(&f, "c1"), FERRY_F16);
    ranges[0].scale = 1e6f;
    guard(&f, FERRY_DTYPE_NONE, ranges, 3);
    assert_int_equal(precision_of(&f, "c1"), FERRY_F16);
    ranges[0] = (ferry_named_scale){"x", 1e6f}; // an input: its readers are kept
    guard(&f, FERRY_BF16, ranges, 1);
    assert_int_equal(precision_of(&f, "c1"), FERRY_BF16);
    assert_int_equal(precision_of(&f, "t1"), FERRY_F16);
    done(&f);
}

static void guard__keeps_what_lies_between_but_no_products(void **state)
{
    fixture f = {0};
    const ferry_named_scale around[] = {{"c2", 1e5f}, {"c3", 1e5f}}, over[] = {{"c1", 1e5f}, {"e2", 1e5f}};
    (void)state;
    build_chain(&f.model, 0.4f);
    prepare(&f);
    guard(&f, FERRY_BF16, around, 2); // c2 and e2, and c3; t2 is between
    assert_int_equal(precision_of(&f, "e2"), FERRY_BF16);
    assert_int_equal(precision_of(&f, "t2"), FERRY_BF16);
    assert_true(reported(&f, "t2", "its neighbours are, too"));
    guard(&f, FERRY_BF16, over, 2); // c1 and t1, e2 and t2; the product c2 is between
    assert_int_equal(precision_of(&f, "t1"), FERRY_BF16);
    assert_int_equal(precision_of(&f, "c2"), FERRY_F16);
    assert_int_equal(precision_of(&f, "e2"), FERRY_BF16);
    done(&f);
}

static void guard__looks_at_constants_without_samples(void **state)
{
    fixture f = {0}, g = {0};
    (void)state;
    build_chain(&f.model, 200000.0f);
    prepare(&f);
    guard(&f, FERRY_BF16, NULL, 0);
    assert_int_equal(precision_of(&f, "c2"), FERRY_BF16);
    assert_int_equal(precision_of(&f, "c1"), FERRY_F16);
    assert_true(reported(&f, "c2", "its constant 'w_c2' reaches"));
    guard(&f, FERRY_DTYPE_NONE, NULL, 0); // an engine of infinities serves nobody
    assert_int_equal(precision_of(&f, "c2"), FERRY_F32);
    done(&f);
    build_chain(&g.model, 1e-6f);
    prepare(&g);
    guard(&g, FERRY_BF16, NULL, 0);
    assert_int_equal(precision_of(&g, "c2"), FERRY_BF16);
    assert_true(reported(&g, "c2", "so small that FP16 changes them by"));
    done(&g);
}

static void guard__yields_to_rules(void **state)
{
    fixture f = {0};
    const char *rules[] = {"c1=fp16"};
    const ferry_named_scale ranges[] = {{"c1", 1e6f}};
    (void)state;
    build_chain(&f.model, 0.4f);
    prepare(&f);
    f.options = (ferry_precision_options){
        .fp16 = true, .guard = FERRY_BF16, .ranges = ranges, .n_ranges = 1, .rules = rules, .n_rules = 1};
    lower(&f);
    assert_int_equal(precision_of(&f, "c1"), FERRY_F16);
    assert_int_equal(precision_of(&f, "t1"), FERRY_BF16);
    assert_true(reported(&f, "c1", "runs in fp16 as a rule says, though 'c1', which it makes, reaches 1e+06"));
    done(&f);
}

static void glob__matches_stars_and_question_marks(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {{"*", "", true},        {"a*c", "abbbc", true},   {"a*c", "abbbd", false}, {"?", "a", true},
                 {"?", "", false},       {"a?c", "abc", true},     {"*b*b", "abab", true},  {"*b*b", "aba", false},
                 {"abc", "abcd", false}, {"a[b]*", "a[b]c", true}, {"**", "x", true},       {"", "", true}};
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++)
        assert_int_equal(
            ferry_glob_matches(cases[i].pattern, strlen(cases[i].pattern), cases[i].text, strlen(cases[i].text)),
            cases[i].matches);
}

static void float16__is_stored_narrow_and_guards_against_overflow(void **state)
{
    (void)state;
    for (int brain = 0; brain < 2; brain++) {
        fixture f = {0};
        build_everything(&f.model);
        prepare(&f);
        f.options.fp16 = !brain;
        f.options.bf16 = brain;
        lower(&f);
        assert_int_equal(stored_as(&f, "a"), brain ? FERRY_BF16 : FERRY_F16);
        assert_int_equal(graph_count(&f.lowered, "Cast"), 2);
        assert_true(signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 3, 2) > (brain ? 35.0 : 55.0));
        done(&f);
    }
    fixture f = {0};
    build_begin(&f.model, 1);
    const ferry_value_id x = build_input(&f.model, "x", FERRY_F32, "1x2x3x3");
    const ferry_value_id c = BUILD_NODE(&f.model, "Conv", "c", "kernel_shape=1,1", x,
                                        build_floats(&f.model, "w", "2x2x1x1", (float[]){1e5f, 1, 1, 1}));
    build_output(&f.model, BUILD_NODE(&f.model, "Sigmoid", "y", "", c));
    prepare(&f);
    f.options.fp16 = true;
    lower(&f);
    assert_int_equal(stored_as(&f, "c"), FERRY_F32);
    assert_true(reported(&f, "c", "beyond the range"));
    done(&f);
}

static void float16_and_int8__mix(void **state)
{
    (void)state;
    fixture f = {0};
    const char *rule = "s_conv=fp16";
    build_everything(&f.model);
    prepare(&f);
    f.options.fp16 = f.options.int8 = true;
    f.options.rules = &rule;
    f.options.n_rules = 1;
    lower(&f);
    assert_int_equal(stored_as(&f, "s_conv"), FERRY_F16);
    assert_int_equal(graph_count(&f.lowered, "FusedConv"), 1);
    assert_true(signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 3, 2) > 30.0);
    done(&f);
}

static void islands__are_not_converted_for(void **state)
{
    (void)state;
    fixture f = {0};
    graph_builder *b = &f.model;
    build_begin(b, 7);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x8x6x6");
    // A depthwise convolution between float operators: nine products an element don't pay for two conversions.
    const ferry_value_id s = BUILD_NODE(b, "Softmax", "s", "axis=1", x);
    const ferry_value_id d = conv(b, "dw", "kernel_shape=3,3 pads=1,1,1,1 group=8", s, "8x1x3x3");
    build_output(b, BUILD_NODE(b, "Softmax", "y", "axis=1", d));
    prepare(&f);
    f.options.int8 = true;
    lower(&f);
    assert_int_equal(graph_count(&f.lowered, "QConv"), 0);
    const char *rule = "dw=int8";
    f.options.rules = &rule;
    f.options.n_rules = 1;
    relower(&f);
    assert_int_equal(graph_count(&f.lowered, "QConv"), 1);
    done(&f);
}

static void matmul__of_two_activations_is_int8_when_asked_for(void **state)
{
    (void)state;
    fixture f = {0};
    graph_builder *b = &f.model;
    build_begin(b, 8);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x5x16");
    const ferry_value_id q = BUILD_NODE(b, "MatMul", "q", "", x, build_constant(b, "wq", "16x16", 0.5f));
    const ferry_value_id k = BUILD_NODE(b, "MatMul", "k", "", x, build_constant(b, "wk", "16x16", 0.5f));
    const ferry_value_id kt = BUILD_NODE(b, "Transpose", "kt", "perm=0,2,1", k);
    build_output(b, BUILD_NODE(b, "Softmax", "y", "axis=-1", BUILD_NODE(b, "MatMul", "scores", "", q, kt)));
    prepare(&f);
    f.options.int8 = true;
    lower(&f);
    assert_int_equal(graph_count(&f.lowered, "QMatMul"), 0);
    const char *rule = "scores=int8";
    f.options.rules = &rule;
    f.options.n_rules = 1;
    relower(&f);
    assert_int_equal(graph_count(&f.lowered, "QMatMul"), 1);
    assert_true(signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 3, 2) > 20.0);
    done(&f);
}

static void outputs__that_others_read_in_int8_are_given_in_float_too(void **state)
{
    (void)state;
    fixture f = {0};
    graph_builder *b = &f.model;
    build_begin(b, 9);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x8x6x6");
    const ferry_value_id a = conv(b, "a", "kernel_shape=3,3 pads=1,1,1,1", x, "8x8x3x3");
    const ferry_value_id c = conv(b, "c", "kernel_shape=3,3 pads=1,1,1,1", a, "8x8x3x3");
    build_output(b, c);
    build_output(b, a);
    prepare(&f);
    f.options.int8 = true;
    lower(&f);
    assert_int_equal(stored_as(&f, "a"), FERRY_S8);
    assert_int_equal(graph_count(&f.lowered, "DequantizeLinear"), 1);
    assert_true(signal_to_noise_db(&f.model.graph, &f.lowered, 1.0f, 3, 2) > 30.0);
    done(&f);
}

static void refused__scales_and_weights_that_would_overflow(void **state)
{
    (void)state;
    fixture f = {0};
    graph_builder *b = &f.model;
    build_begin(b, 10);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x2x6x6");
    const ferry_value_id a =
        BUILD_NODE(b, "Conv", "a", "kernel_shape=1,1", x, build_floats(b, "w", "2x2x1x1", (float[]){1, 2, 3e30f, 4}));
    const ferry_value_id c = BUILD_NODE(b, "Conv", "c", "kernel_shape=1,1", BUILD_NODE(b, "Tanh", "t", "", a),
                                        build_constant(b, "w2", "64x2x1x1", 1.0f));
    build_output(b, c);
    prepare(&f);
    f.options.int8 = true;
    for (size_t i = 0; i < f.n_scales; i++)
        if (strcmp(f.scales[i].name, "t") == 0) f.scales[i].scale = 1e-30f;
    lower(&f);
    assert_true(reported(&f, "a", "not finite, or huge"));
    assert_true(reported(&f, "t", "not usable"));
    assert_int_equal(graph_count(&f.lowered, "QConv"), 0);
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8__runs_every_integer_operator_and_stays_accurate),
        cmocka_unit_test(int8__is_deterministic_to_the_byte),
        cmocka_unit_test(text__is_read_back_and_replayed_to_the_bit),
        cmocka_unit_test(text__that_does_not_fit_names_the_first_difference),
        cmocka_unit_test(scales__missing_mean_float_and_are_listed),
        cmocka_unit_test(scales__that_nothing_has_leave_no_integers_which_is_said),
        cmocka_unit_test(scales__of_channels_are_not_used_which_is_said),
        cmocka_unit_test(residuals__that_floats_read_stay_floats),
        cmocka_unit_test(zeros__of_the_model_are_kept),
        cmocka_unit_test(zeros__of_the_model_that_do_not_fit_leave_floats),
        cmocka_unit_test(zeros__use_the_codes_that_an_activation_leaves),
        cmocka_unit_test(zeros__halve_the_step_behind_a_sigmoid),
        cmocka_unit_test(zeros__that_arithmetic_has_no_place_for_are_not_made),
        cmocka_unit_test(scales__of_a_concat_group_become_one),
        cmocka_unit_test(rules__pin_layers_and_must_match),
        cmocka_unit_test(guard__keeps_makers_and_readers_of_what_overflows),
        cmocka_unit_test(guard__keeps_what_lies_between_but_no_products),
        cmocka_unit_test(guard__looks_at_constants_without_samples),
        cmocka_unit_test(guard__yields_to_rules),
        cmocka_unit_test(glob__matches_stars_and_question_marks),
        cmocka_unit_test(float16__is_stored_narrow_and_guards_against_overflow),
        cmocka_unit_test(float16_and_int8__mix),
        cmocka_unit_test(islands__are_not_converted_for),
        cmocka_unit_test(matmul__of_two_activations_is_int8_when_asked_for),
        cmocka_unit_test(outputs__that_others_read_in_int8_are_given_in_float_too),
        cmocka_unit_test(refused__scales_and_weights_that_would_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
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
#include "passes/pass.h"
#include "support/precision_case.h"
#include "support/run_graph.h"

static void note_scale(void *user, ferry_value_id value, const ferry_tensor *tensor)
{
    precision_case *f = user;
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
void precision_prepare(precision_case *f)
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

void precision_lower(precision_case *f)
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

void precision_relower(precision_case *f)
{
    ferry_graph_deinit(&f->lowered);
    ferry_numeric_plan_deinit(&f->plan);
    precision_lower(f);
}

void precision_done(precision_case *f)
{
    ferry_graph_deinit(&f->lowered);
    ferry_graph_deinit(&f->passed);
    ferry_numeric_plan_deinit(&f->plan);
    ferry_report_deinit(&f->report);
    build_end(&f->model);
}

bool precision_reported(const precision_case *f, const char *subject, const char *text)
{
    for (size_t i = 0; i < f->report.count; i++)
        if (strcmp(f->report.findings[i].subject, subject) == 0 && strstr(f->report.findings[i].text, text))
            return true;
    return false;
}

ferry_dtype precision_stored_as(const precision_case *f, const char *name)
{
    const ferry_value_id v = ferry_graph_find_value(&f->passed, name);
    assert_int_not_equal(v, FERRY_NO_VALUE);
    return f->plan.values[v].dtype;
}

ferry_dtype precision_of_node(const precision_case *f, const char *node)
{
    for (size_t n = 0; n < f->plan.n_nodes; n++)
        if (strcmp(f->plan.nodes[n].name, node) == 0) return f->plan.nodes[n].precision;
    fail_msg("no node %s", node);
    return FERRY_DTYPE_NONE;
}

ferry_value_id precision_conv(graph_builder *b, const char *name, const char *attrs, ferry_value_id x, const char *w)
{
    char channels[16];
    snprintf(channels, sizeof channels, "%ld", strtol(w, NULL, 10));
    return BUILD_NODE(b, "Conv", name, attrs, x, build_constant(b, "w", w, 0.4f),
                      build_constant(b, "b", channels, 0.3f));
}

// A residual block, a depthwise step, a SiLU, a squeeze and excitation, pooling, resizing, concatenation, and a
// classifier: everything that has an integer form.
void precision_build_everything(graph_builder *b)
{
    build_begin(b, 99);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x3x12x12");
    const ferry_value_id a =
        BUILD_NODE(b, "Relu", "a", "", precision_conv(b, "c1", "kernel_shape=3,3 pads=1,1,1,1", x, "8x3x3x3"));
    const ferry_value_id d =
        BUILD_NODE(b, "Clip", "d", "", precision_conv(b, "dw", "kernel_shape=3,3 pads=1,1,1,1 group=8", a, "8x1x3x3"),
                   build_scalar(b, 0.0f), build_scalar(b, 6.0f));
    const ferry_value_id p = precision_conv(b, "pw", "kernel_shape=1,1", d, "8x8x1x1");
    const ferry_value_id r = BUILD_NODE(b, "Relu", "r", "", BUILD_NODE(b, "Add", "sum", "", p, a));
    const ferry_value_id s = precision_conv(b, "s_conv", "kernel_shape=1,1", r, "8x8x1x1");
    const ferry_value_id silu = BUILD_NODE(b, "Mul", "silu", "", s, BUILD_NODE(b, "Sigmoid", "sig", "", s));
    const ferry_value_id gap = BUILD_NODE(b, "GlobalAveragePool", "se_gap", "", silu);
    const ferry_value_id gate =
        BUILD_NODE(b, "Sigmoid", "gate", "", precision_conv(b, "se_fc", "kernel_shape=1,1", gap, "8x8x1x1"));
    const ferry_value_id se = BUILD_NODE(b, "Mul", "se", "", silu, gate);
    const ferry_value_id pool = BUILD_NODE(b, "AveragePool", "pool", "kernel_shape=2,2 strides=2,2", se);
    const float two[] = {1, 1, 2, 2};
    const ferry_value_id up =
        BUILD_NODE(b, "Resize", "up", "mode=linear", pool, FERRY_NO_VALUE, build_floats(b, "scales", "4", two));
    const ferry_value_id cat = BUILD_NODE(b, "Concat", "cat", "axis=1", up, BUILD_NODE(b, "Sub", "diff", "", se, r));
    const ferry_value_id max = BUILD_NODE(b, "MaxPool", "max", "kernel_shape=2,2 strides=2,2", cat);
    const ferry_value_id last = BUILD_NODE(b, "LeakyRelu", "last", "alpha=0.1",
                                           precision_conv(b, "c_last", "kernel_shape=3,3", max, "16x16x3x3"));
    const ferry_value_id flat =
        BUILD_NODE(b, "Flatten", "flat", "", BUILD_NODE(b, "GlobalAveragePool", "gap", "", last));
    const ferry_value_id fc = BUILD_NODE(b, "Gemm", "fc", "", flat, build_constant(b, "fw", "16x10", 0.5f),
                                         build_constant(b, "fb", "10", 0.2f));
    build_output(b, BUILD_NODE(b, "Softmax", "y", "axis=1", fc));
}

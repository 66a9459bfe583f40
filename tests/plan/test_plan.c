// SPDX-License-Identifier: Apache-2.0
// Plans: what the choice keeps to (workspace cap, views, in place), and what the verifier refuses.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/mock_device.h"

static ferry_engine *conv_engine(graph_builder *b, ferry_runtime **out_runtime)
{
    build_conv_net(b, "1");
    *out_runtime = test_runtime(mock_and_cpu, "mock", true, NULL);
    return test_engine(*out_runtime, &b->graph, test_no_passes());
}

static void views__need_no_step(void **state)
{
    (void)state;
    graph_builder b;
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    build_conv_net(&b, "1");
    ferry_engine *engine = test_engine(runtime, &b.graph, test_no_passes());
    size_t views = 0;
    for (size_t i = 0; i < engine->plan->n_buffers; i++) views += engine->plan->buffers[i].view;
    assert_int_equal(views, 1);
    for (size_t s = 0; s < engine->plan->n_steps; s++)
        for (int32_t n = 0; n < engine->plan->steps[s].n_nodes; n++)
            assert_string_not_equal(engine->image.graph.nodes[engine->plan->steps[s].nodes[n]].op->name, "Reshape");
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static bool holds(const ferry_buffer_id *buffers, int32_t count, ferry_buffer_id wanted)
{
    for (int32_t i = 0; i < count; i++)
        if (buffers[i] == wanted) return true;
    return false;
}

// No step after the one that makes `alias` reads what lay in its memory before.
static void assert_overwritten_is_done(const ferry_plan *plan, ferry_buffer_id alias)
{
    bool made = false;
    for (size_t s = 0; s < plan->n_steps; s++) {
        const ferry_plan_step *step = &plan->steps[s];
        if (made) assert_false(holds(step->inputs, step->n_inputs, plan->buffers[alias].alias_of));
        made = made || holds(step->outputs, step->n_outputs, alias);
    }
    assert_true(made);
}

// What reads a value after an in-place layer must still find it. (Which layers are in place depends on the devices that
// measured times chose for them: a copy on another device may be overwritten where the value itself may not.)
static void in_place__spares_what_is_read_later(void **state)
{
    (void)state;
    graph_builder b;
    build_begin(&b, 5);
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "1x4x5x6");
    const ferry_value_id a = BUILD_NODE(&b, "Mul", "a", "", x, x);
    const ferry_value_id r1 = BUILD_NODE(&b, "Relu", "r1", "", a); // a is read again: not in place
    const ferry_value_id s = BUILD_NODE(&b, "Add", "s", "", r1, a);
    const ferry_value_id r2 = BUILD_NODE(&b, "Relu", "r2", "", s); // the only reader: in place
    const ferry_value_id r3 = BUILD_NODE(&b, "Relu", "r3", "", r2);
    build_output(&b, BUILD_NODE(&b, "Mul", "y", "", r3, r3));
    build_finish(&b);
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock", true, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, test_no_passes());
    size_t in_place = 0;
    for (size_t i = 0; i < engine->plan->n_buffers; i++) {
        const ferry_plan_buffer *buffer = &engine->plan->buffers[i];
        if (buffer->alias_of == FERRY_NO_BUFFER || buffer->view) continue;
        assert_overwritten_is_done(engine->plan, (ferry_buffer_id)i);
        in_place++;
    }
    assert_true(in_place >= 1);
    test_expect_reference(engine, &b.graph, 2, 1e-6);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static ferry_buffer_id buffer_named(const ferry_engine *engine, const char *name)
{
    for (size_t b = 0; b < engine->plan->n_buffers; b++)
        if (strcmp(engine->image.graph.values[engine->plan->buffers[b].value].name, name) == 0)
            return (ferry_buffer_id)b;
    fail_msg("no buffer of '%s'", name);
    return FERRY_NO_BUFFER;
}

static void in_place__takes_whichever_input_is_read_last(void **state)
{
    (void)state;
    graph_builder b;
    build_begin(&b, 9);
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "1x4x5x6"), z = build_input(&b, "z", FERRY_F32, "4x1x1");
    const ferry_value_id a = BUILD_NODE(&b, "Mul", "a", "", x, x);
    const ferry_value_id r = BUILD_NODE(&b, "Sigmoid", "r", "", a);
    const ferry_value_id s = BUILD_NODE(&b, "Sub", "s", "", a, r); // a is read again, r is not
    const ferry_value_id small = BUILD_NODE(&b, "Exp", "small", "", z);
    const ferry_value_id t = BUILD_NODE(&b, "Max", "t", "", small, s); // small has another shape
    build_output(&b, BUILD_NODE(&b, "Mul", "y", "", a, t));
    build_finish(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, test_no_passes());
    const ferry_plan *plan = engine->plan;
    assert_int_equal(plan->buffers[buffer_named(engine, "s")].alias_of, buffer_named(engine, "r"));
    assert_int_equal(plan->buffers[buffer_named(engine, "t")].alias_of, buffer_named(engine, "s"));
    test_expect_reference(engine, &b.graph, 2, 1e-6);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// The same cap with and without measured times, and with times out of a cache: no kernel needs more.
static void workspace_cap__is_kept_or_refused_with_the_numbers(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "4");
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock", true, NULL);
    ferry_build_options options = *test_no_passes();
    options.workspace_bytes = (uint64_t)1 << 30;
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    ferry_context *context = NULL;
    MUST(ferry_context_create(engine, NULL, &context, err));
    MUST(ferry_context_prepare(context, err));
    size_t most = 0;
    for (size_t i = 0; i < engine->plan->n_steps; i++)
        if (context->kernels[i] && context->kernels[i]->workspace_bytes > most)
            most = context->kernels[i]->workspace_bytes;
    assert_true(most > 4096);
    ferry_context_release(context);
    ferry_engine_release(engine);
    for (int no_fusion = 0; no_fusion < 2; no_fusion++) { // with no_fusion nothing is timed
        options.no_fusion = no_fusion;
        options.workspace_bytes = 4096;
        ferry_error why = {.text = ""};
        engine = NULL;
        const ferry_status s = test_build(runtime, &b.graph, &options, &engine, &why);
        assert_int_equal(s, FERRY_ERR_OUT_OF_MEMORY);
        assert_non_null(strstr(why.text, "4096"));
        assert_non_null(strstr(why.text, "--workspace"));
        assert_null(engine);
    }
    ferry_runtime_release(runtime);
    build_end(&b);
}

// --- The verifier --------------------------------------------------------------------------------------------------

typedef struct change {
    const char *what;
    void (*apply)(ferry_plan *plan);
} change;

static ferry_plan_step *region_step(ferry_plan *p, int32_t least_inputs)
{
    for (size_t i = p->n_steps; i-- > 0;)
        if (p->steps[i].kind == FERRY_STEP_REGION && p->steps[i].n_inputs >= least_inputs) return &p->steps[i];
    fail_msg("no such step");
    return NULL;
}

static ferry_plan_step *step_of(ferry_plan *p, ferry_step_kind kind)
{
    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].kind == kind) return &p->steps[i];
    fail_msg("no such step");
    return NULL;
}

static void no_devices(ferry_plan *p)
{
    p->n_devices = 0;
}
static void many_devices(ferry_plan *p)
{
    p->n_devices = 5;
}
static void value_beyond(ferry_plan *p)
{
    p->buffers[1].value = 1000;
}
static void value_below(ferry_plan *p)
{
    p->buffers[1].value = -1;
}
static void odd_layout(ferry_plan *p)
{
    p->buffers[1].layout = (ferry_tensor_layout)7;
}
static void buffer_elsewhere(ferry_plan *p)
{
    p->buffers[1].device = 3;
}
static void alias_forward(ferry_plan *p)
{
    p->buffers[1].alias_of = 2;
}
static void alias_itself(ferry_plan *p)
{
    p->buffers[1].alias_of = 1;
}
static void alias_below(ferry_plan *p)
{
    p->buffers[1].alias_of = -2;
}
static void view_of_nothing(ferry_plan *p)
{
    p->buffers[1].view = true;
    p->buffers[1].alias_of = FERRY_NO_BUFFER;
}
static void binding_beyond(ferry_plan *p)
{
    p->buffers[1].binding = 99;
}
static void binding_of_another(ferry_plan *p)
{
    p->buffers[1].binding = 0;
}
static void odd_kind(ferry_plan *p)
{
    p->steps[0].kind = (ferry_step_kind)9;
}
static void step_elsewhere(ferry_plan *p)
{
    p->steps[0].device = -1;
}
static void no_tactic(ferry_plan *p)
{
    p->steps[0].tactic = NULL;
}
static void node_beyond(ferry_plan *p)
{
    region_step(p, 1)->nodes[0] = 1000;
}
static void no_nodes(ferry_plan *p)
{
    region_step(p, 1)->n_nodes = 0;
}
static void input_beyond(ferry_plan *p)
{
    region_step(p, 1)->inputs[0] = 1000;
}
static void input_of_another(ferry_plan *p)
{
    region_step(p, 2)->inputs[1] = region_step(p, 2)->inputs[0];
}
static void input_missing(ferry_plan *p)
{
    region_step(p, 2)->n_inputs--;
}
static void output_twice(ferry_plan *p)
{
    region_step(p, 1)->outputs[0] = p->steps[0].outputs[0];
}
static void packed_beyond(ferry_plan *p)
{
    p->steps[0].packed_offset = 64;
    p->steps[0].packed_bytes = UINT64_MAX - 10;
}
static void packed_odd(ferry_plan *p)
{
    p->steps[0].packed_offset = 1;
}
static void last_step_gone(ferry_plan *p)
{
    p->n_steps--;
}
static void first_step_gone(ferry_plan *p)
{
    p->steps++;
    p->n_steps--;
}
static void copy_to_itself(ferry_plan *p)
{
    step_of(p, FERRY_STEP_COPY)->device = 1;
}
static void copy_of_two(ferry_plan *p)
{
    step_of(p, FERRY_STEP_COPY)->n_inputs = 0;
}
static void reformat_of_another(ferry_plan *p)
{
    p->buffers[step_of(p, FERRY_STEP_REFORMAT)->outputs[0]].value ^= 1;
}
static void kernel_on_the_wrong_device(ferry_plan *p)
{
    region_step(p, 1)->device ^= 1;
}

static void altered_plans__are_refused(void **state)
{
    (void)state;
#define CHANGE(name)                                                                                                   \
    {                                                                                                                  \
#name, name                                                                                                    \
    }
    static const change changes[] = {
        CHANGE(no_devices),
        CHANGE(many_devices),
        CHANGE(value_beyond),
        CHANGE(value_below),
        CHANGE(odd_layout),
        CHANGE(buffer_elsewhere),
        CHANGE(alias_forward),
        CHANGE(alias_itself),
        CHANGE(alias_below),
        CHANGE(view_of_nothing),
        CHANGE(binding_beyond),
        CHANGE(binding_of_another),
        CHANGE(odd_kind),
        CHANGE(step_elsewhere),
        CHANGE(no_tactic),
        CHANGE(node_beyond),
        CHANGE(no_nodes),
        CHANGE(input_beyond),
        CHANGE(input_of_another),
        CHANGE(input_missing),
        CHANGE(output_twice),
        CHANGE(packed_beyond),
        CHANGE(packed_odd),
        CHANGE(last_step_gone),
        CHANGE(first_step_gone),
        CHANGE(copy_to_itself),
        CHANGE(copy_of_two),
        CHANGE(reformat_of_another),
        CHANGE(kernel_on_the_wrong_device),
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        graph_builder b;
        ferry_runtime *runtime = NULL;
        ferry_engine *engine = conv_engine(&b, &runtime);
        ferry_error why = {.text = ""};
        ferry_plan plan = *engine->plan; // arrays are the engine's, which is thrown away
        MUST(ferry_plan_verify(&plan, &engine->image.graph, err));
        changes[i].apply(&plan);
        if (ferry_plan_verify(&plan, &engine->image.graph, &why) != FERRY_ERR_BAD_ENGINE)
            fail_msg("%s was taken", changes[i].what);
        assert_memory_equal(why.text, "plan", 4);
        ferry_engine_release(engine);
        ferry_runtime_release(runtime);
        build_end(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views__need_no_step),
        cmocka_unit_test(in_place__spares_what_is_read_later),
        cmocka_unit_test(in_place__takes_whichever_input_is_read_last),
        cmocka_unit_test(workspace_cap__is_kept_or_refused_with_the_numbers),
        cmocka_unit_test(altered_plans__are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

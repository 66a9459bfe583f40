// SPDX-License-Identifier: Apache-2.0
// Slices: which Concats, Splits and Slices a plan does without, that results stay those of the reference kernels at all
// shapes, and that plans are refused whose slices lie elsewhere than the graph has them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/run_graph.h"

static ferry_value_id conv(graph_builder *b, const char *name, ferry_value_id x, int from, int to, int kernel)
{
    char dims[64], attrs[64], weights[64];
    snprintf(dims, sizeof dims, "%dx%dx%dx%d", to, from, kernel, kernel);
    snprintf(attrs, sizeof attrs, "kernel_shape=%d,%d pads=%d,%d,%d,%d", kernel, kernel, kernel / 2, kernel / 2,
             kernel / 2, kernel / 2);
    snprintf(weights, sizeof weights, "%s_w", name);
    return BUILD_NODE(b, "Conv", name, attrs, x, build_constant(b, weights, dims, 0.5f));
}

// Two convolutions side by side, joined: what SqueezeNet is made of.
static void build_fire(graph_builder *b, const char *dims)
{
    build_begin(b, 3);
    const ferry_value_id x = conv(b, "squeeze", build_input(b, "x", FERRY_F32, dims), 16, 16, 1);
    const ferry_value_id narrow = conv(b, "narrow", x, 16, 24, 1), wide = conv(b, "wide", x, 16, 40, 3);
    const ferry_value_id joined = BUILD_NODE(b, "Concat", "joined", "axis=1", narrow, wide);
    build_output(b, conv(b, "y", joined, 64, 8, 1));
    build_finish(b);
}

// Halves of which one goes on, joined with what becomes of it: what YOLOv8 is made of.
static void build_halves(graph_builder *b, const char *dims)
{
    build_begin(b, 5);
    const ferry_value_id x = conv(b, "x2", build_input(b, "x", FERRY_F32, dims), 16, 32, 1);
    const ferry_value_id left = BUILD_NODE(b, "Split", "left", "axis=1", x);
    const ferry_value_id right = build_second_output(b, left, "right");
    const ferry_value_id more = conv(b, "more2", conv(b, "more1", right, 16, 16, 3), 16, 16, 3);
    const ferry_value_id sum = BUILD_NODE(b, "Add", "sum", "", right, more);
    const ferry_value_id joined = BUILD_NODE(b, "Concat", "joined", "axis=1", left, right, sum);
    build_output(b, conv(b, "y", joined, 48, 8, 1));
    build_finish(b);
}

typedef struct session {
    graph_builder b;
    ferry_runtime *runtime;
    ferry_engine *engine;
} session;

// No time decides which tactics a test meets.
static ferry_build_options untimed(void)
{
    ferry_build_options options = *test_no_passes();
    options.no_timing = true;
    return options;
}

static session open_session(void (*build)(graph_builder *, const char *), const char *dims)
{
    session s;
    build(&s.b, dims);
    s.runtime = test_runtime(NULL, "cpu", false, NULL);
    const ferry_build_options options = untimed();
    s.engine = test_engine(s.runtime, &s.b.graph, &options);
    return s;
}

static void close_session(session *s)
{
    ferry_engine_release(s->engine);
    ferry_runtime_release(s->runtime);
    build_end(&s->b);
}

static size_t steps_with(const ferry_engine *engine, const char *op)
{
    size_t count = 0;
    for (size_t s = 0; s < engine->plan->n_steps; s++)
        for (int32_t n = 0; n < engine->plan->steps[s].n_nodes; n++)
            count += ferry_node_is(&engine->image.graph.nodes[engine->plan->steps[s].nodes[n]], op);
    return count;
}

static ferry_buffer_id buffer_of(const ferry_plan *plan, const ferry_graph *graph, const char *name, bool slice)
{
    for (size_t b = 0; b < plan->n_buffers; b++)
        if (strcmp(graph->values[plan->buffers[b].value].name, name) == 0 && plan->buffers[b].slice == slice)
            return (ferry_buffer_id)b;
    return FERRY_NO_BUFFER;
}

static size_t reformats_between_slices(const ferry_plan *plan)
{
    size_t count = 0;
    for (size_t s = 0; s < plan->n_steps; s++)
        count += plan->steps[s].kind == FERRY_STEP_REFORMAT && plan->buffers[plan->steps[s].outputs[0]].slice;
    return count;
}

static void joined_convolutions__write_into_one_tensor(void **state)
{
    (void)state;
    session s = open_session(build_fire, "1x16x9x7");
    assert_int_equal(steps_with(s.engine, "Concat"), 0);
    assert_int_equal(reformats_between_slices(s.engine->plan), 0);
    test_expect_reference(s.engine, &s.b.graph, 1, 1e-5);
    close_session(&s);
}

static void halves__are_read_and_joined_where_they_lie(void **state)
{
    (void)state;
    session s = open_session(build_halves, "2x16x9x7");
    assert_int_equal(steps_with(s.engine, "Concat") + steps_with(s.engine, "Split"), 0);
    assert_int_equal(reformats_between_slices(s.engine->plan), 0);
    test_expect_reference(s.engine, &s.b.graph, 1, 1e-5);
    close_session(&s);
}

// A graph's input, a value twice, one that lies elsewhere already: copied to their places, once each.
static void build_copies(graph_builder *b, const char *dims)
{
    build_begin(b, 7);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, dims);
    const ferry_value_id a = conv(b, "a", x, 16, 16, 3);
    const ferry_value_id first = BUILD_NODE(b, "Concat", "first", "axis=1", a, x, a);
    const ferry_value_id second = BUILD_NODE(b, "Concat", "second", "axis=1", conv(b, "c", a, 16, 8, 1), a);
    build_output(b, conv(b, "y1", first, 48, 8, 1));
    build_output(b, conv(b, "y2", second, 24, 8, 1));
    build_finish(b);
}

static void what_is_not_made_in_its_place__is_copied_there(void **state)
{
    (void)state;
    session s = open_session(build_copies, "1x16x5x6");
    assert_int_equal(steps_with(s.engine, "Concat"), 0);
    assert_int_equal(reformats_between_slices(s.engine->plan), 3);
    test_expect_reference(s.engine, &s.b.graph, 1, 1e-5);
    close_session(&s);
}

static void build_cut(graph_builder *b, const char *dims)
{
    build_begin(b, 13);
    const ferry_value_id a = conv(b, "a", build_input(b, "x", FERRY_F32, dims), 16, 24, 3);
    const int64_t starts[] = {8}, ends[] = {-4}, axes[] = {1};
    const ferry_value_id cut = BUILD_NODE(b, "Slice", "cut", "", a, build_ints(b, "starts", 1, starts),
                                          build_ints(b, "ends", 1, ends), build_ints(b, "axes", 1, axes));
    build_output(b, conv(b, "y1", a, 24, 8, 1));
    build_output(b, conv(b, "y2", cut, 12, 8, 1));
    build_finish(b);
}

static void cuts__are_read_where_they_lie(void **state)
{
    (void)state;
    session s = open_session(build_cut, "2x16x5x6");
    assert_int_equal(steps_with(s.engine, "Slice"), 0);
    assert_int_equal(reformats_between_slices(s.engine->plan), 0);
    test_expect_reference(s.engine, &s.b.graph, 1, 1e-5);
    close_session(&s);
}

// Outputs of the graph inside of others, joined tensors inside of joined ones, a Slice, and readers that want tensors
// whole.
static void build_mixture(graph_builder *b, const char *dims)
{
    build_begin(b, 11);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, dims);
    const ferry_value_id a = conv(b, "a", x, 16, 16, 1), c = conv(b, "c", a, 16, 16, 3);
    const ferry_value_id one = BUILD_NODE(b, "Concat", "one", "axis=1", c, a);
    const ferry_value_id d = conv(b, "d", one, 32, 16, 1);
    const ferry_value_id two = BUILD_NODE(b, "Concat", "two", "axis=1", one, d);
    const int64_t starts[] = {8}, ends[] = {-8}, axes[] = {1};
    const ferry_value_id cut = BUILD_NODE(b, "Slice", "cut", "", two, build_ints(b, "starts", 1, starts),
                                          build_ints(b, "ends", 1, ends), build_ints(b, "axes", 1, axes));
    const ferry_value_id pooled = BUILD_NODE(b, "MaxPool", "pooled", "kernel_shape=2,2 strides=1,1", cut);
    const ferry_value_id e = BUILD_NODE(b, "Sigmoid", "e", "", conv(b, "e0", pooled, 32, 8, 1));
    build_output(b, c);
    build_output(b, cut);
    build_output(b, BUILD_NODE(b, "Softmax", "whole", "axis=1", two));
    build_output(b, BUILD_NODE(b, "Concat", "joined_output", "axis=1", e, BUILD_NODE(b, "Tanh", "f", "", e)));
    build_finish(b);
}

static void slices_of_slices__and_outputs_are_right(void **state)
{
    (void)state;
    session s = open_session(build_mixture, "2x16x5x6");
    test_expect_reference(s.engine, &s.b.graph, 1, 1e-5);
    close_session(&s);
}

// --- At other shapes ------------------------------------------------------------------------------------------------

static void other_shapes__move_the_slices_along(void **state)
{
    (void)state;
    const int64_t least[] = {1, 16, 3, 3}, best[] = {1, 16, 9, 7}, most[] = {3, 16, 12, 12};
    ferry_profile_shape shape = {.input = "x", .rank = 4};
    memcpy(shape.min_dims, least, sizeof least);
    memcpy(shape.opt_dims, best, sizeof best);
    memcpy(shape.max_dims, most, sizeof most);
    ferry_build_options options = untimed();
    options.shapes = &shape;
    options.n_shapes = 1;
    graph_builder b;
    build_halves(&b, "?x16x?x?");
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    assert_int_equal(steps_with(engine, "Concat") + steps_with(engine, "Split"), 0);
    const int64_t *const tried[] = {least, best, most};
    for (int i = 0; i < 3; i++) {
        ferry_context *context = NULL;
        ferry_stream *stream = NULL;
        test_io io;
        MUST(ferry_context_create(engine, NULL, &context, err));
        MUST(ferry_stream_create(runtime, NULL, &stream, err));
        MUST(ferry_context_set_input_shape(context, "x", 4, tried[i], err));
        test_io_open(&io, context, 8);
        MUST(test_io_run(&io, stream, err));
        test_io_expect(&io, &b.graph, 1e-5);
        test_io_close(&io);
        ferry_stream_release(stream);
        ferry_context_release(context);
    }
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// --- Observers ------------------------------------------------------------------------------------------------------

typedef struct seen {
    const ferry_graph *graph;
    int times[64];
    double sums[64];
} seen;

static int count_seen(void *user, const ferry_tensor_view *tensor, float scale, int32_t zero)
{
    (void)scale;
    (void)zero;
    seen *s = user;
    for (size_t v = 0; v < s->graph->n_values; v++) {
        if (strcmp(s->graph->values[v].name, tensor->name) != 0) continue;
        size_t n = 1;
        for (int32_t d = 0; d < tensor->rank; d++) n *= (size_t)tensor->dims[d];
        s->times[v]++;
        s->sums[v] = 0;
        for (size_t i = 0; i < n; i++) s->sums[v] += (double)(i % 17) * (double)((const float *)tensor->data)[i];
    }
    return 0;
}

static void add_expected(void *user, ferry_value_id value, const ferry_tensor *tensor)
{
    double *sums = user;
    const size_t n = ferry_tensor_elements(tensor);
    sums[value] = 0;
    for (size_t i = 0; i < n; i++) sums[value] += (double)(i % 17) * (double)((const float *)tensor->data)[i];
}

static void observer__sees_every_slice_and_joined_tensor_once(void **state)
{
    (void)state;
    session s = open_session(build_halves, "1x16x5x6");
    const ferry_graph *g = &s.engine->image.graph;
    seen seen_all = {.graph = g};
    double expected[64] = {0};
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    test_io io;
    ferry_arena arena;
    ferry_tensor outputs[4];
    ferry_arena_init(&arena, ferry_heap_default());
    MUST(ferry_context_create(s.engine, NULL, &context, err));
    MUST(ferry_context_set_observer(context, count_seen, &seen_all, err));
    MUST(ferry_stream_create(s.runtime, NULL, &stream, err));
    test_io_open(&io, context, 8);
    MUST(test_io_run(&io, stream, err));
    MUST(ferry_run_graph(g, io.tensors, outputs, &arena, add_expected, expected, err));
    static const char *const names[] = {"x", "x2", "left", "right", "more1", "sum", "joined", "y"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ferry_value_id v = 0;
        while (strcmp(g->values[v].name, names[i]) != 0) v++;
        if (seen_all.times[v] != 1) fail_msg("'%s' was shown %d times", names[i], seen_all.times[v]);
        if (fabs(seen_all.sums[v] - expected[v]) > 1e-5 * (100 + fabs(expected[v])))
            fail_msg("'%s' was shown with other elements: %g, not %g", names[i], seen_all.sums[v], expected[v]);
    }
    test_io_close(&io);
    ferry_stream_release(stream);
    ferry_context_release(context);
    ferry_arena_deinit(&arena);
    close_session(&s);
}

// --- Files ----------------------------------------------------------------------------------------------------------

static void file__keeps_slices(void **state)
{
    (void)state;
    session s = open_session(build_halves, "1x16x5x6");
    void *data = NULL;
    size_t bytes = 0;
    ferry_engine *loaded = NULL;
    MUST(ferry_engine_serialize(s.engine, &data, &bytes, err));
    MUST(ferry_engine_load_memory(s.runtime, data, bytes, NULL, &loaded, err));
    assert_false(loaded->replanned);
    assert_int_equal(loaded->plan->n_buffers, s.engine->plan->n_buffers);
    for (size_t b = 0; b < loaded->plan->n_buffers; b++) {
        const ferry_plan_buffer *x = &loaded->plan->buffers[b], *y = &s.engine->plan->buffers[b];
        assert_true(x->slice == y->slice && x->view == y->view && x->alias_of == y->alias_of);
        assert_int_equal(x->joined_at, y->joined_at);
    }
    test_expect_reference(loaded, &s.b.graph, 1, 1e-5);
    ferry_engine_release(loaded);
    ferry_bytes_free(data, bytes);
    close_session(&s);
}

typedef struct change {
    const char *what;
    void (*apply)(ferry_plan *plan, const ferry_graph *graph);
} change;

static ferry_plan_buffer *slice(ferry_plan *plan, const ferry_graph *graph, const char *name)
{
    const ferry_buffer_id b = buffer_of(plan, graph, name, true);
    assert_true(b != FERRY_NO_BUFFER);
    return &plan->buffers[b];
}
static void at_another_input(ferry_plan *p, const ferry_graph *g)
{
    slice(p, g, "sum")->joined_at = 1;
}
static void before_all_inputs(ferry_plan *p, const ferry_graph *g)
{
    slice(p, g, "sum")->joined_at = -1;
}
static void beyond_all_inputs(ferry_plan *p, const ferry_graph *g)
{
    slice(p, g, "sum")->joined_at = INT32_MAX;
}
static void whole_at_its_second_half(ferry_plan *p, const ferry_graph *g)
{
    slice(p, g, "x2")->joined_at = 1;
}
static void of_nothing(ferry_plan *p, const ferry_graph *g)
{
    slice(p, g, "sum")->alias_of = FERRY_NO_BUFFER;
}
static void of_another_value(ferry_plan *p, const ferry_graph *g)
{
    slice(p, g, "sum")->alias_of = buffer_of(p, g, "x2", true);
}
static void of_a_plain_tensor(ferry_plan *p, const ferry_graph *g)
{
    p->buffers[buffer_of(p, g, "joined", false)].layout = FERRY_LAYOUT_PLAIN;
}
static void plain_itself(ferry_plan *p, const ferry_graph *g)
{
    slice(p, g, "sum")->layout = FERRY_LAYOUT_PLAIN;
}
static void cut_that_is_made(ferry_plan *p, const ferry_graph *g)
{
    slice(p, g, "right")->view = false;
}
static void joined_that_is_a_view(ferry_plan *p, const ferry_graph *g)
{
    slice(p, g, "sum")->view = true;
}
static void alias_of_a_slice(ferry_plan *p, const ferry_graph *g)
{
    slice(p, g, "right")->slice = false;
}
static void one_missing(ferry_plan *p, const ferry_graph *g)
{
    ferry_plan_buffer *sum = slice(p, g, "sum");
    sum->slice = false;
    sum->alias_of = FERRY_NO_BUFFER;
}
static void in_place_of_the_joined(ferry_plan *p, const ferry_graph *g)
{
    // What the tensor consists of is computed over before the rest of it is there.
    const ferry_buffer_id more = buffer_of(p, g, "more2", false), joined = buffer_of(p, g, "joined", false);
    if (more > joined) p->buffers[more].alias_of = joined;
}

static void altered_slices__are_refused(void **state)
{
    (void)state;
#define CHANGE(name)                                                                                                   \
    {                                                                                                                  \
#name, name                                                                                                    \
    }
    static const change changes[] = {
        CHANGE(at_another_input),         CHANGE(before_all_inputs), CHANGE(beyond_all_inputs),
        CHANGE(whole_at_its_second_half), CHANGE(of_nothing),        CHANGE(of_another_value),
        CHANGE(of_a_plain_tensor),        CHANGE(plain_itself),      CHANGE(cut_that_is_made),
        CHANGE(joined_that_is_a_view),    CHANGE(alias_of_a_slice),  CHANGE(one_missing),
        CHANGE(in_place_of_the_joined),
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        session s = open_session(build_halves, "1x16x5x6");
        ferry_error why = {.text = ""};
        ferry_plan plan = *s.engine->plan; // arrays are the engine's, which is thrown away
        MUST(ferry_plan_verify(&plan, &s.engine->image.graph, err));
        changes[i].apply(&plan, &s.engine->image.graph);
        if (ferry_plan_verify(&plan, &s.engine->image.graph, &why) != FERRY_ERR_BAD_ENGINE)
            fail_msg("%s was taken", changes[i].what);
        assert_memory_equal(why.text, "plan", 4);
        close_session(&s);
    }
}

// A tactic that never said that it could is not given slices, whatever the file says.
static void kernels_that_want_tensors_whole__are_not_given_slices(void **state)
{
    (void)state;
    graph_builder b;
    build_begin(&b, 13);
    const ferry_value_id x = conv(&b, "x2", build_input(&b, "x", FERRY_F32, "1x16x6x6"), 16, 32, 1);
    const ferry_value_id left = BUILD_NODE(&b, "Split", "left", "axis=1", x);
    const ferry_value_id right = build_second_output(&b, left, "right");
    build_output(&b, conv(&b, "y1", left, 16, 8, 1));
    build_output(&b, BUILD_NODE(&b, "ConvTranspose", "y2", "kernel_shape=2,2 strides=2,2", right,
                                build_constant(&b, "w", "16x8x2x2", 0.5f)));
    build_finish(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    const ferry_build_options options = untimed();
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    test_expect_reference(engine, &b.graph, 1, 1e-5);
    const ferry_buffer_id cut = buffer_of(engine->plan, &engine->image.graph, "right", true);
    bool fits = true, changed = false;
    ferry_error why = {.text = ""};
    ferry_shaped_graph shaped = {0};
    MUST(ferry_shaped_graph_make(engine, &shaped, err));
    MUST(ferry_engine_check_plan(engine, engine->plan, &shaped.view, &fits, &why, err));
    assert_true(fits);
    for (size_t s = 0; cut != FERRY_NO_BUFFER && s < engine->plan->n_steps; s++) {
        ferry_plan_step *step = &engine->plan->steps[s];
        if (step->kind != FERRY_STEP_REGION || strstr(step->name, "y2") == NULL) continue;
        assert_true(step->inputs[0] != cut);
        step->inputs[0] = cut;
        changed = true;
    }
    assert_true(changed);
    MUST(ferry_plan_verify(engine->plan, &engine->image.graph, err));
    MUST(ferry_engine_check_plan(engine, engine->plan, &shaped.view, &fits, &why, err));
    assert_false(fits);
    assert_non_null(strstr(why.text, "y2"));
    ferry_shaped_graph_deinit(&shaped);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined_convolutions__write_into_one_tensor),
        cmocka_unit_test(halves__are_read_and_joined_where_they_lie),
        cmocka_unit_test(what_is_not_made_in_its_place__is_copied_there),
        cmocka_unit_test(cuts__are_read_where_they_lie),
        cmocka_unit_test(slices_of_slices__and_outputs_are_right),
        cmocka_unit_test(other_shapes__move_the_slices_along),
        cmocka_unit_test(observer__sees_every_slice_and_joined_tensor_once),
        cmocka_unit_test(file__keeps_slices),
        cmocka_unit_test(altered_slices__are_refused),
        cmocka_unit_test(kernels_that_want_tensors_whole__are_not_given_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

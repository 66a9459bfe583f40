// SPDX-License-Identifier: Apache-2.0
// Execution contexts: shapes, bindings, memory, lifetimes, and that running allocates nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/failing_heap.h"
#include "support/mock_device.h"

typedef struct session {
    graph_builder b;
    ferry_runtime *runtime;
    ferry_engine *engine;
    ferry_context *context;
    ferry_stream *stream;
} session;

static session open_session(void (*build)(graph_builder *), const ferry_heap *heap, const char *device, int32_t threads)
{
    session s;
    memset(&s, 0, sizeof s);
    build(&s.b);
    const ferry_runtime_options options = {.size = sizeof options, .device = device, .fallback = true, .heap = heap};
    MUST(ferry_runtime_create_with(mock_and_cpu, &options, &s.runtime, err));
    s.engine = test_engine(s.runtime, &s.b.graph, NULL);
    MUST(ferry_context_create(s.engine, NULL, &s.context, err));
    const ferry_stream_options stream_options = {.size = sizeof stream_options, .threads = threads};
    MUST(ferry_stream_create(s.runtime, &stream_options, &s.stream, err));
    return s;
}

static void close_session(session *s)
{
    ferry_stream_release(s->stream);
    ferry_context_release(s->context);
    ferry_engine_release(s->engine);
    ferry_runtime_release(s->runtime);
    build_end(&s->b);
}

static void conv_net(graph_builder *b)
{
    build_conv_net(b, "1");
}

// --- Memory --------------------------------------------------------------------------------------------------------

static void running_allocates_nothing_on(const char *device, void (*build)(graph_builder *), int32_t threads)
{
    ferry_failing_heap heap;
    ferry_failing_heap_init(&heap);
    session s = open_session(build, &heap.heap, device, threads);
    test_io io;
    MUST(ferry_context_prepare(s.context, err));
    test_io_open(&io, s.context, 1);
    void *memory[16];
    for (int32_t i = 0; i < io.n; i++) {
        memory[i] = ferry_memory_alloc(s.runtime, io.bytes[i]);
        MUST(ferry_context_bind(s.context, i, memory[i], err));
    }
    ferry_event *event = NULL;
    MUST(ferry_event_create(s.runtime, &event, err));
    // From here on every allocation is refused.
    ferry_failing_heap_arm(&heap, 1, true);
    for (int run = 0; run < 3; run++) {
        for (int32_t i = 0; i < io.n_in; i++)
            MUST(ferry_stream_copy(s.stream, FERRY_COPY_TO_DEVICE, memory[i], io.data[i], io.bytes[i], err));
        MUST(ferry_context_enqueue(s.context, s.stream, err));
        for (int32_t i = io.n_in; i < io.n; i++)
            MUST(ferry_stream_copy(s.stream, FERRY_COPY_FROM_DEVICE, io.data[i], memory[i], io.bytes[i], err));
        MUST(ferry_event_record(event, s.stream, err));
        MUST(ferry_stream_wait_event(s.stream, event, err));
        MUST(ferry_stream_wait(s.stream, err));
    }
    test_io_dims(&io);
    assert_int_equal(atomic_load(&heap.allocations), 0);
    ferry_failing_heap_arm(&heap, 0, false);
    test_io_expect(&io, &s.b.graph, 1e-5);
    ferry_event_release(event);
    for (int32_t i = 0; i < io.n; i++) ferry_memory_free(s.runtime, memory[i], io.bytes[i]);
    test_io_close(&io);
    close_session(&s);
    assert_int_equal(atomic_load(&heap.blocks_in_use), 0);
    assert_int_equal(atomic_load(&heap.wrong_sizes), 0);
}

static void prepared_context__allocates_nothing(void **state)
{
    (void)state;
    running_allocates_nothing_on("cpu", conv_net, 1);
    running_allocates_nothing_on("cpu", conv_net, 2);
    running_allocates_nothing_on("cpu", build_data_shapes, 1);
    running_allocates_nothing_on("mock", conv_net, 1);
    running_allocates_nothing_on("mock", build_data_shapes, 2);
}

static void context_run__allocates_nothing_after_prepare(void **state)
{
    (void)state;
    ferry_failing_heap heap;
    ferry_failing_heap_init(&heap);
    session s = open_session(conv_net, &heap.heap, "cpu", 2);
    test_io io;
    MUST(ferry_context_prepare(s.context, err));
    test_io_open(&io, s.context, 1);
    ferry_failing_heap_arm(&heap, 1, true);
    for (int run = 0; run < 3; run++) MUST(test_io_run(&io, s.stream, err));
    assert_int_equal(atomic_load(&heap.allocations), 0);
    ferry_failing_heap_arm(&heap, 0, false);
    test_io_expect(&io, &s.b.graph, 1e-5);
    test_io_close(&io);
    close_session(&s);
}

static void memory_limit__is_refused_with_the_numbers(void **state)
{
    (void)state;
    session s = open_session(conv_net, NULL, "cpu", 1);
    MUST(ferry_context_prepare(s.context, err));
    const size_t need = ferry_context_memory_bytes(s.context);
    char text[64];
    snprintf(text, sizeof text, "needs %zu bytes", need);
    for (int i = 0; i < 2; i++) {
        ferry_context *context = NULL;
        ferry_error why = {.text = ""};
        const ferry_context_options options = {.size = sizeof options, .memory_limit_bytes = need - (size_t)i};
        MUST(ferry_context_create(s.engine, &options, &context, err));
        assert_int_equal(ferry_context_prepare(context, &why), i ? FERRY_ERR_OUT_OF_MEMORY : FERRY_OK);
        if (i) assert_non_null(strstr(why.text, text));
        assert_int_equal(ferry_context_memory_bytes(context), i ? 0 : need);
        ferry_context_release(context);
    }
    close_session(&s);
}

// --- Bindings and shapes -------------------------------------------------------------------------------------------

static void bindings__are_checked(void **state)
{
    (void)state;
    session s = open_session(conv_net, NULL, "cpu", 1);
    test_io io;
    ferry_error why = {.text = ""};
    ferry_binding_info info;
    int32_t rank;
    int64_t dims[FERRY_MAX_RANK];
    assert_int_equal(ferry_engine_binding_count(s.engine), 3);
    assert_int_equal(ferry_engine_find_binding(s.engine, "x"), 0);
    assert_int_equal(ferry_engine_find_binding(s.engine, "pool1"), 2);
    assert_int_equal(ferry_engine_find_binding(s.engine, "conv1"), -1);
    assert_int_equal(ferry_engine_binding(s.engine, 3, &info, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_engine_binding(s.engine, -1, &info, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_context_binding_shape(s.context, 3, &rank, dims, &why), FERRY_ERR_INVALID_ARGUMENT);
    bool varies;
    assert_int_equal(ferry_context_binding_varies(s.context, 3, &varies, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_string_equal(why.text, "binding 3 of 3");
    assert_int_equal(ferry_context_bind(s.context, 3, &io, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_context_bind(s.context, -1, &io, &why), FERRY_ERR_INVALID_ARGUMENT);
    test_io_open(&io, s.context, 1);
    for (int32_t i = 0; i < 2; i++) MUST(ferry_context_bind(s.context, i, io.data[i], err));
    assert_int_equal(ferry_context_enqueue(s.context, s.stream, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_string_equal(why.text, "binding 2, 'pool1', has no address");
    MUST(ferry_context_bind(s.context, 2, io.data[2], err));
    MUST(ferry_context_enqueue(s.context, s.stream, err));
    MUST(ferry_context_bind(s.context, 0, NULL, err)); // unbound again; the queued run keeps its own
    MUST(ferry_stream_wait(s.stream, err));
    test_io_expect(&io, &s.b.graph, 1e-5);
    assert_int_equal(ferry_context_enqueue(s.context, s.stream, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_string_equal(why.text, "binding 0, 'x', has no address");
    test_io_close(&io);
    close_session(&s);
}

static ferry_engine *build_dynamic(ferry_runtime *runtime, graph_builder *b, const char *input, int64_t least,
                                   int64_t opt, int64_t most)
{
    const ferry_value *v = &b->graph.values[ferry_graph_find_value(&b->graph, input)];
    ferry_profile_shape shape = {.input = input, .rank = v->shape.rank};
    for (int32_t d = 0; d < shape.rank; d++) {
        const bool open = v->shape.dims[d] < 0;
        shape.min_dims[d] = open ? least : v->shape.dims[d];
        shape.opt_dims[d] = open ? opt : v->shape.dims[d];
        shape.max_dims[d] = open ? most : v->shape.dims[d];
    }
    const ferry_build_options options = {.size = sizeof options, .shapes = &shape, .n_shapes = 1, .threads = 1};
    return test_engine(runtime, &b->graph, &options);
}

static void shapes__stay_within_the_profile(void **state)
{
    (void)state;
    static const char *const devices[] = {"cpu", "mock"};
    for (size_t d = 0; d < 2; d++) {
        graph_builder b;
        build_conv_net(&b, "?");
        ferry_runtime *runtime = test_runtime(mock_and_cpu, devices[d], true, NULL);
        ferry_engine *engine = build_dynamic(runtime, &b, "x", 1, 2, 5);
        ferry_context *context = NULL;
        ferry_stream *stream = NULL;
        ferry_error why = {.text = ""};
        MUST(ferry_context_create(engine, NULL, &context, err));
        MUST(ferry_stream_create(runtime, NULL, &stream, err));
        int32_t rank;
        int64_t dims[FERRY_MAX_RANK];
        MUST(ferry_context_binding_shape(context, 1, &rank, dims, err));
        assert_int_equal(dims[0], 2); // the opt shape until another is chosen
        static const int64_t batches[] = {5, 1, 3, 3, 2};
        for (size_t i = 0; i < 5; i++) {
            const int64_t shape[4] = {batches[i], 3, 12, 10};
            test_io io;
            MUST(ferry_context_set_input_shape(context, "x", 4, shape, err));
            test_io_open(&io, context, i);
            MUST(test_io_run(&io, stream, err));
            assert_int_equal(io.tensors[1].dims[0], batches[i]);
            test_io_expect(&io, &b.graph, 1e-5);
            test_io_close(&io);
        }
        const int64_t large[4] = {6, 3, 12, 10}, wide[4] = {2, 3, 12, 11};
        assert_int_equal(ferry_context_set_input_shape(context, "x", 4, large, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(why.text, "6 is outside the engine's profile, 1 to 5"));
        assert_int_equal(ferry_context_set_input_shape(context, "x", 4, wide, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_int_equal(ferry_context_set_input_shape(context, "x", 3, large, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(why.text, "has 4 dimensions, not 3"));
        assert_int_equal(ferry_context_set_input_shape(context, "y", 2, large, &why), FERRY_ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(why.text, "no input 'y'"));
        ferry_stream_release(stream);
        ferry_context_release(context);
        ferry_engine_release(engine);
        ferry_runtime_release(runtime);
        build_end(&b);
    }
}

// At batch 1 Add has equal shapes and may work in place of its first input; at batch 4 that input is a fourth of the
// output.
static void in_place__ends_where_broadcasting_begins(void **state)
{
    (void)state;
    graph_builder b;
    build_begin(&b, 3);
    const ferry_value_id small = build_input(&b, "small", FERRY_F32, "1x33"),
                         x = build_input(&b, "x", FERRY_F32, "?x33");
    const ferry_value_id first = BUILD_NODE(&b, "Exp", "first", "", small);
    const ferry_value_id sum = BUILD_NODE(&b, "Add", "sum", "", first, x);
    build_output(&b, BUILD_NODE(&b, "Tanh", "out", "", sum));
    build_finish(&b);
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "cpu", false, NULL);
    ferry_engine *engine = build_dynamic(runtime, &b, "x", 1, 1, 4);
    // As a device that offers Add in place would have planned it.
    ferry_plan *plan = (ferry_plan *)engine->plan;
    ferry_buffer_id from = FERRY_NO_BUFFER, to = FERRY_NO_BUFFER;
    for (size_t i = 0; i < plan->n_buffers; i++) {
        const char *name = engine->image.graph.values[plan->buffers[i].value].name;
        if (strcmp(name, "first") == 0) from = (ferry_buffer_id)i;
        if (strcmp(name, "sum") == 0) to = (ferry_buffer_id)i;
    }
    if (from != FERRY_NO_BUFFER && to != FERRY_NO_BUFFER && from < to) plan->buffers[to].alias_of = from;
    assert_true(from != FERRY_NO_BUFFER);
    for (int64_t batch = 4; batch >= 2; batch -= 2) {
        ferry_context *context = NULL;
        ferry_stream *stream = NULL;
        test_io io;
        const int64_t dims[2] = {batch, 33};
        MUST(ferry_context_create(engine, NULL, &context, err));
        MUST(ferry_stream_create(runtime, NULL, &stream, err));
        MUST(ferry_context_set_input_shape(context, "x", 2, dims, err));
        test_io_open(&io, context, 8);
        MUST(test_io_run(&io, stream, err));
        test_io_expect(&io, &b.graph, 1e-6);
        test_io_close(&io);
        ferry_stream_release(stream);
        ferry_context_release(context);
    }
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// With one position both layouts are the same bytes, and changing from one to the other is nothing; with more it is
// not.
static void a_change_of_layout__is_left_out_where_layouts_coincide(void **state)
{
    (void)state;
    const int64_t flat[2] = {1, -1};
    graph_builder b;
    build_begin(&b, 3);
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "1x64x?x1");
    const ferry_value_id conv =
        BUILD_NODE(&b, "Conv", "conv", "kernel_shape=1,1", x, build_constant(&b, "w", "64x64x1x1", 0.3f));
    const ferry_value_id view = BUILD_NODE(&b, "Reshape", "view", "", conv, build_ints(&b, "flat", 2, flat));
    build_output(&b, BUILD_NODE(&b, "Tanh", "out", "", view));
    build_finish(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = build_dynamic(runtime, &b, "x", 1, 1, 4);
    size_t left_out = 0;
    for (size_t i = 0; i < engine->plan->n_steps; i++) {
        const ferry_plan_step *step = &engine->plan->steps[i];
        left_out +=
            step->kind == FERRY_STEP_REFORMAT && engine->plan->buffers[step->outputs[0]].alias_of == step->inputs[0];
    }
    assert_true(left_out >= 1);
    for (int64_t height = 1; height <= 4; height += 3) {
        ferry_context *context = NULL;
        ferry_stream *stream = NULL;
        test_io io;
        const int64_t dims[4] = {1, 64, height, 1};
        MUST(ferry_context_create(engine, NULL, &context, err));
        MUST(ferry_stream_create(runtime, NULL, &stream, err));
        MUST(ferry_context_set_input_shape(context, "x", 4, dims, err));
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

static void data_shapes__are_known_after_the_run(void **state)
{
    (void)state;
    session s = open_session(build_data_shapes, NULL, "cpu", 1);
    int32_t rank;
    int64_t dims[FERRY_MAX_RANK];
    MUST(ferry_context_binding_shape(s.context, ferry_engine_find_binding(s.engine, "kept"), &rank, dims, err));
    assert_int_equal(rank, 2);
    assert_int_equal(dims[0], 6); // an upper bound
    bool varies;
    MUST(ferry_context_binding_varies(s.context, ferry_engine_find_binding(s.engine, "kept"), &varies, err));
    assert_true(varies);
    MUST(ferry_context_binding_varies(s.context, ferry_engine_find_binding(s.engine, "mask"), &varies, err));
    assert_false(varies);
    for (int64_t ones = 0; ones <= 6; ones += 3) {
        test_io io;
        test_io_open(&io, s.context, (uint64_t)ones);
        int64_t *mask = io.data[ferry_engine_find_binding(s.engine, "mask")];
        for (int64_t i = 0; i < 6; i++) mask[i] = i < ones;
        MUST(test_io_run(&io, s.stream, err));
        MUST(ferry_context_binding_shape(s.context, ferry_engine_find_binding(s.engine, "kept"), &rank, dims, err));
        assert_int_equal(dims[0], ones);
        MUST(ferry_context_binding_shape(s.context, ferry_engine_find_binding(s.engine, "line"), &rank, dims, err));
        assert_int_equal(dims[0], ones * 4);
        test_io_expect(&io, &s.b.graph, 0);
        test_io_close(&io);
    }
    close_session(&s);
}

// --- Threads -------------------------------------------------------------------------------------------------------

typedef struct worker {
    session *s;
    uint64_t seed;
} worker;

static void *run_many(void *argument)
{
    const worker *w = argument;
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    const ferry_stream_options options = {.size = sizeof options, .threads = 1};
    MUST(ferry_context_create(w->s->engine, NULL, &context, err));
    MUST(ferry_stream_create(w->s->runtime, &options, &stream, err));
    for (uint64_t i = 0; i < 5; i++) {
        test_io io;
        test_io_open(&io, context, w->seed + i);
        MUST(test_io_run(&io, stream, err));
        test_io_expect(&io, &w->s->b.graph, 1e-5);
        test_io_close(&io);
    }
    ferry_stream_release(stream);
    ferry_context_release(context);
    return NULL;
}

static void contexts__run_in_parallel_threads(void **state)
{
    (void)state;
    static const char *const devices[] = {"cpu", "mock"};
    for (size_t d = 0; d < 2; d++) {
        session s = open_session(conv_net, NULL, devices[d], 1);
        pthread_t threads[4];
        worker workers[4];
        for (uint64_t i = 0; i < 4; i++) {
            workers[i] = (worker){&s, i * 100};
            assert_int_equal(pthread_create(&threads[i], NULL, run_many, &workers[i]), 0);
        }
        for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
        close_session(&s);
    }
}

static void outputs__do_not_depend_on_the_threads(void **state)
{
    (void)state;
    session one = open_session(conv_net, NULL, "cpu", 1), two = open_session(conv_net, NULL, "cpu", 2);
    test_io a, b;
    test_io_open(&a, one.context, 4);
    test_io_open(&b, two.context, 4);
    MUST(test_io_run(&a, one.stream, err));
    MUST(test_io_run(&b, two.stream, err));
    for (int32_t i = 0; i < a.n; i++) assert_memory_equal(a.data[i], b.data[i], a.bytes[i]);
    test_io_close(&a);
    test_io_close(&b);
    close_session(&one);
    close_session(&two);
}

// --- Lifetimes -----------------------------------------------------------------------------------------------------

static void release(session *s, ferry_event *event, int which)
{
    switch (which) {
    case 0:
        ferry_runtime_release(s->runtime);
        break;
    case 1:
        ferry_engine_release(s->engine);
        break;
    case 2:
        ferry_context_release(s->context);
        break;
    case 3:
        ferry_stream_release(s->stream);
        break;
    default:
        ferry_event_release(event);
        break;
    }
}

// All 120 orders, each with a run and an event queued.
static void objects__are_released_in_any_order(void **state)
{
    (void)state;
    for (int order = 0; order < 120; order++) {
        ferry_failing_heap heap;
        ferry_failing_heap_init(&heap);
        session s = open_session(conv_net, &heap.heap, "cpu", 1);
        test_io io;
        ferry_event *event = NULL;
        MUST(ferry_event_create(s.runtime, &event, err));
        test_io_open(&io, s.context, 1);
        for (int32_t i = 0; i < io.n; i++) MUST(ferry_context_bind(s.context, i, io.data[i], err));
        MUST(ferry_context_enqueue(s.context, s.stream, err));
        MUST(ferry_event_record(event, s.stream, err));
        int left[5] = {0, 1, 2, 3, 4}, n = 5;
        for (int rest = order; n > 0; n--) {
            const int at = rest % n;
            rest /= n;
            release(&s, event, left[at]);
            memmove(&left[at], &left[at + 1], (size_t)(n - at - 1) * sizeof *left);
        }
        assert_int_equal(atomic_load(&heap.blocks_in_use), 0);
        assert_int_equal(atomic_load(&heap.wrong_sizes), 0);
        test_io_close(&io);
        build_end(&s.b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepared_context__allocates_nothing),
        cmocka_unit_test(context_run__allocates_nothing_after_prepare),
        cmocka_unit_test(memory_limit__is_refused_with_the_numbers),
        cmocka_unit_test(bindings__are_checked),
        cmocka_unit_test(shapes__stay_within_the_profile),
        cmocka_unit_test(in_place__ends_where_broadcasting_begins),
        cmocka_unit_test(a_change_of_layout__is_left_out_where_layouts_coincide),
        cmocka_unit_test(data_shapes__are_known_after_the_run),
        cmocka_unit_test(contexts__run_in_parallel_threads),
        cmocka_unit_test(outputs__do_not_depend_on_the_threads),
        cmocka_unit_test(objects__are_released_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

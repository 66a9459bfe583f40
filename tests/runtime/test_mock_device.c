// SPDX-License-Identifier: Apache-2.0
// Engines on a device whose memory the host can't touch and whose work is done later, alone and with the CPU behind it.
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

static void mock__shares_a_network_with_the_cpu(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "2");
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock:smash", true, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, test_no_passes());
    assert_true(test_count_steps(engine, "mock", FERRY_STEP_REGION) >= 4);
    assert_true(test_count_steps(engine, "cpu", FERRY_STEP_REGION) >= 3);
    assert_true(test_count_steps(engine, "mock", FERRY_STEP_COPY) >= 2);
    assert_true(test_count_steps(engine, "mock", FERRY_STEP_REFORMAT) >= 1);
    const size_t before = mock_commands_run();
    test_expect_reference(engine, &b.graph, 1, 1e-5);
    assert_true(mock_commands_run() > before);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    assert_int_equal(mock_blocks_in_use(), 0);
    build_end(&b);
}

static void mock__fuses_and_converts_layouts(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock:steady", true, NULL);
    ferry_build_options options = *test_no_passes();
    options.no_timing = true;
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    size_t fused = 0, last = 0;
    for (size_t i = 0; i < engine->plan->n_steps; i++) {
        fused += strcmp(engine->plan->steps[i].tactic, "mock_conv_relu") == 0;
        last += strcmp(engine->plan->steps[i].tactic, "mock_last") == 0;
    }
    assert_int_equal(fused, 1);
    assert_true(last >= 2);
    test_expect_reference(engine, &b.graph, 3, 1e-5);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void mock__without_fallback_names_every_layer_it_lacks(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    test_log log;
    test_log_init(&log);
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock", false, &log);
    ferry_engine *engine = NULL;
    ferry_error why = {.text = ""};
    assert_int_equal(test_build(runtime, &b.graph, test_no_passes(), &engine, &why), FERRY_ERR_UNSUPPORTED);
    assert_null(engine);
    static const char *const missing[] = {"sigmoid2", "fc", "'y'"};
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(strstr(log.text, missing[i]));
        assert_non_null(strstr(why.text, missing[i]));
    }
    assert_non_null(strstr(log.text, "the mock device has no Sigmoid"));
    assert_non_null(strstr(log.text, "--gpu-fallback"));
    assert_null(strstr(log.text, "conv1"));
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void absent_device__is_unavailable_in_words(void **state)
{
    (void)state;
    static const char *const names[] = {"cuda", "dla:0"};
    for (size_t i = 0; i < 2; i++) {
        static const ferry_backend *none[2];
        none[0] = ferry_backend_find("cpu");
        ferry_runtime *runtime = NULL;
        ferry_error why = {.text = ""};
        const ferry_runtime_options options = {.size = sizeof options, .device = names[i]};
        assert_int_equal(ferry_runtime_create_with(none, &options, &runtime, &why), FERRY_ERR_UNAVAILABLE);
        assert_null(runtime);
        assert_non_null(strstr(why.text, names[i]));
        assert_non_null(strstr(why.text, "not available"));
        assert_non_null(strstr(why.text, "--gpu-fallback"));
    }
    ferry_runtime *runtime = NULL;
    ferry_error why = {.text = ""};
    const ferry_runtime_options options = {.size = sizeof options, .device = "cuda:absent"};
    assert_int_equal(ferry_runtime_create_with(mock_gpu_dla_cpu, &options, &runtime, &why), FERRY_ERR_UNAVAILABLE);
    assert_non_null(strstr(why.text, "libmock.so.1"));
    const ferry_runtime_options wrong = {.size = sizeof wrong, .device = "tpu", .fallback = true};
    assert_int_equal(ferry_runtime_create(&wrong, &runtime, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "expected cpu, cuda[:N] or dla[:CORE]"));
}

static void absent_device__falls_back_to_the_cpu_with_a_warning(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    test_log log;
    test_log_init(&log);
    ferry_runtime *runtime = test_runtime(mock_gpu_dla_cpu, "cuda:absent", true, &log);
    assert_non_null(strstr(log.text, "warning: device 'cuda:absent'"));
    assert_non_null(strstr(log.text, "run on the CPU instead"));
    assert_int_equal(runtime->n_devices, 1);
    ferry_engine *engine = test_engine(runtime, &b.graph, test_no_passes());
    test_expect_reference(engine, &b.graph, 5, 1e-5);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void default_device__is_never_a_dla(void **state)
{
    (void)state;
    static const ferry_backend *const backends[] = {&mock_backend_dla, &mock_backend_cuda, NULL};
    ferry_runtime *runtime = test_runtime(backends, NULL, false, NULL);
    assert_string_equal(runtime->infos[0].fingerprint, "cuda/mock/1");
    ferry_runtime_release(runtime);
}

// DLA, GPU and CPU: what a DLA leaves goes to the GPU, and values travel between the two by way of the host.
static void dla__hands_on_to_the_gpu_and_then_the_cpu(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(mock_gpu_dla_cpu, "dla:noconv+slow", true, NULL);
    assert_int_equal(runtime->n_devices, 3);
    ferry_engine *engine = test_engine(runtime, &b.graph, test_no_passes());
    assert_true(test_count_steps(engine, "dla", FERRY_STEP_REGION) >= 2);
    assert_true(test_count_steps(engine, "cuda", FERRY_STEP_REGION) >= 2);
    assert_true(test_count_steps(engine, "cpu", FERRY_STEP_REGION) >= 2);
    for (uint64_t seed = 0; seed < 6; seed++) test_expect_reference(engine, &b.graph, seed, 1e-5);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void data_shapes__run_on_the_host(void **state)
{
    (void)state;
    graph_builder b;
    build_data_shapes(&b);
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock", true, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, test_no_passes());
    for (uint64_t seed = 0; seed < 4; seed++) test_expect_reference(engine, &b.graph, seed, 0);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// --- Observers, profilers, failures --------------------------------------------------------------------------------

typedef struct seen {
    ferry_context *context;
    const ferry_graph *graph;
    char names[2048];
    int count, stop_at;
    double sum;
} seen;

static int look(void *user, const ferry_tensor_view *tensor, float scale, int32_t zero)
{
    seen *s = user;
    (void)scale;
    (void)zero;
    size_t n = 1;
    for (int32_t d = 0; d < tensor->rank; d++) n *= (size_t)tensor->dims[d];
    for (size_t i = 0; i < n && tensor->dtype == FERRY_F32; i++)
        s->sum += (double)((const float *)tensor->data)[i] * (double)(i % 7 + 1);
    char name[80];
    snprintf(name, sizeof name, "[%s]", tensor->name);
    assert_null(strstr(s->names, name)); // each tensor once
    strcat(s->names, name);
    return ++s->count == s->stop_at;
}

static seen observe(const ferry_backend *const *backends, const char *device, const ferry_graph *graph, int stop_at)
{
    seen s = {.stop_at = stop_at};
    ferry_runtime *runtime = test_runtime(backends, device, true, NULL);
    const ferry_build_options options = {.size = sizeof options, .no_fusion = true, .threads = 1};
    ferry_engine *engine = test_engine(runtime, graph, &options);
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    test_io io;
    MUST(ferry_context_create(engine, NULL, &context, err));
    MUST(ferry_stream_create(runtime, NULL, &stream, err));
    MUST(ferry_context_prepare(context, err)); // before: the memory to show tensors in has to come all the same
    test_io_open(&io, context, 9);
    MUST(ferry_context_set_observer(context, look, &s, err));
    ferry_error why = {.text = ""};
    const ferry_status status = test_io_run(&io, stream, &why);
    assert_int_equal(status, stop_at ? FERRY_ERR_CANCELLED : FERRY_OK);
    if (stop_at) assert_non_null(strstr(why.text, "the observer stopped the run at tensor"));
    // Without it the same context runs on.
    MUST(ferry_context_set_observer(context, NULL, NULL, err));
    MUST(test_io_run(&io, stream, err));
    test_io_expect(&io, graph, 1e-5);
    test_io_close(&io);
    ferry_stream_release(stream);
    ferry_context_release(context);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    return s;
}

static void observer__sees_the_same_on_the_mock_as_on_the_cpu(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    const seen cpu = observe(NULL, "cpu", &b.graph, 0), mock = observe(mock_and_cpu, "mock", &b.graph, 0);
    assert_int_equal(cpu.count, 11); // the input and what ten nodes make
    assert_int_equal(mock.count, cpu.count);
    assert_true(cpu.sum != 0);
    assert_float_equal(mock.sum, cpu.sum, 1e-3);
    observe(mock_and_cpu, "mock", &b.graph, 4);
    observe(NULL, "cpu", &b.graph, 1);
    build_end(&b);
}

typedef struct layers {
    int regions, copies, reformats;
    double ms;
} layers;

static void time_layer(void *user, const ferry_layer_time *layer)
{
    layers *l = user;
    l->ms += layer->ms;
    assert_true(layer->ms >= 0);
    if (strcmp(layer->tactic, "copy") == 0)
        l->copies++;
    else if (strcmp(layer->tactic, "reformat") == 0)
        l->reformats++;
    else
        l->regions++;
}

static void profiler__times_every_step_on_the_mock(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock", true, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, test_no_passes());
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    test_io io;
    layers l = {0};
    MUST(ferry_context_create(engine, NULL, &context, err));
    MUST(ferry_stream_create(runtime, NULL, &stream, err));
    MUST(ferry_context_set_profiler(context, time_layer, &l, err));
    test_io_open(&io, context, 2);
    MUST(test_io_run(&io, stream, err));
    assert_int_equal(l.regions + l.copies + l.reformats, engine->plan->n_steps);
    assert_true(l.copies > 0 && l.reformats > 0 && l.ms > 0);
    test_io_expect(&io, &b.graph, 1e-5);
    test_io_close(&io);
    ferry_stream_release(stream);
    ferry_context_release(context);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void broken_device__fails_the_wait_and_only_once(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "1");
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock:broken", true, NULL);
    const ferry_build_options options = {.size = sizeof options, .threads = 1, .no_fusion = true}; // nothing is timed
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    test_io io;
    MUST(ferry_context_create(engine, NULL, &context, err));
    MUST(ferry_stream_create(runtime, NULL, &stream, err));
    test_io_open(&io, context, 2);
    ferry_error why = {.text = ""};
    assert_int_equal(test_io_run(&io, stream, &why), FERRY_ERR_INTERNAL);
    assert_string_equal(why.text, "the mock device is broken");
    MUST(ferry_stream_wait(stream, err));
    test_io_close(&io);
    ferry_context_release(context);
    ferry_stream_release(stream);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void small_device__is_out_of_memory_with_the_number(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "64");
    ferry_runtime *runtime = test_runtime(mock_and_cpu, "mock:small", true, NULL);
    const ferry_build_options options = {.size = sizeof options, .threads = 1, .no_fusion = true};
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    ferry_context *context = NULL;
    ferry_error why = {.text = ""};
    MUST(ferry_context_create(engine, NULL, &context, err));
    assert_int_equal(ferry_context_prepare(context, &why), FERRY_ERR_OUT_OF_MEMORY);
    assert_non_null(strstr(why.text, "device mock: no "));
    ferry_context_release(context);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    assert_int_equal(mock_blocks_in_use(), 0);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mock__shares_a_network_with_the_cpu),
        cmocka_unit_test(mock__fuses_and_converts_layouts),
        cmocka_unit_test(mock__without_fallback_names_every_layer_it_lacks),
        cmocka_unit_test(absent_device__is_unavailable_in_words),
        cmocka_unit_test(absent_device__falls_back_to_the_cpu_with_a_warning),
        cmocka_unit_test(default_device__is_never_a_dla),
        cmocka_unit_test(dla__hands_on_to_the_gpu_and_then_the_cpu),
        cmocka_unit_test(data_shapes__run_on_the_host),
        cmocka_unit_test(observer__sees_the_same_on_the_mock_as_on_the_cpu),
        cmocka_unit_test(profiler__times_every_step_on_the_mock),
        cmocka_unit_test(broken_device__fails_the_wait_and_only_once),
        cmocka_unit_test(small_device__is_out_of_memory_with_the_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

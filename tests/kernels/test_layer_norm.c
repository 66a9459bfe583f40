// SPDX-License-Identifier: Apache-2.0
// LayerNormalization for every instruction set and element type, where rows are hard, and with conversions around it.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/elementwise_s8.h"
#include "backend/cpu/norm_rows.h"
#include "support/engine_case.h"
#include "support/guarded.h"
#include "support/kernel_case.h"
#include "support/run_graph.h"

#define NORM .domain = "", .op = "LayerNormalization", .tactics = "layer_norm"

static void normalisations__match_reference(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {NORM, .inputs = "f32:2x5x48@4 =f32:48 =f32:48", .of_largest = 2e-6},
        {NORM, .inputs = "f32:197x192@4 =f32:192 =f32:192", .of_largest = 2e-6},
        {NORM, .inputs = "f32:2x5x6x8 =f32:6x8", .attrs = "axis=2 epsilon=0.001", .of_largest = 2e-6},
        {NORM, .inputs = "f32:3x1 =f32:1 =f32:1", .of_largest = 2e-6},
        {NORM, .inputs = "f32:5x77 =f32:77", .of_largest = 2e-6},
        {NORM, .inputs = "f32:2x5000@9 =f32:5000 =f32:5000", .of_largest = 2e-6},
        {NORM, .inputs = "f32:7x33 =f32:33 =f32:33", .attrs = "epsilon=0", .of_largest = 2e-6},
        {NORM, .inputs = "f32:2x4[1e30,-1e30,3e30,2e30,1e-30,2e-30,-3e-30,0] =f32:4", .attrs = "epsilon=0",
         .of_largest = 2e-6},
        {NORM, .inputs = "bf16:9x96@4 =f32:96 =f32:96", .of_each = 0x1p-7, .of_largest = 0x1p-8, .may_lack = 1},
        {NORM, .inputs = "bf16:9x96@4 =bf16:96 =bf16:96", .of_each = 0x1p-8, .of_largest = 1e-4},
        {NORM, .inputs = "f16:9x45@4 =f16:45 =f16:45", .of_each = 2e-3, .of_largest = 1e-4},
    };
    KERNEL_CASES_RUN(cases);
}

// A mean far from 0 costs nothing but what the floats themselves have lost.
static void means__may_be_large_beside_the_variance(void **unused)
{
    (void)unused;
    static const char *const isas[] = {"none", "avx2", "avx512", "neon"};
    enum { N = 203 };
    float x[N], y[N], wanted[N], scale[N];
    uint64_t seed = 5;
    for (size_t i = 0; i < N; i++) {
        x[i] = 10000 + ferry_random(&seed);
        scale[i] = 1;
    }
    const ferry_norm norm = {.n = N, .epsilon = 1e-6, .scale = scale};
    ferry_norm_in_double(&norm, x, wanted);
    for (size_t k = 0; k < sizeof isas / sizeof *isas; k++) {
        ferry_device *device = NULL;
        if (ferry_backend_cpu.open(isas[k], ferry_heap_default(), NULL, &device, NULL) != FERRY_OK) continue;
        ferry_norm_pick(((const ferry_cpu_device *)device)->isa)->run(&norm, x, y);
        for (size_t i = 0; i < N; i++) assert_true(fabsf(y[i] - wanted[i]) < 1e-5f);
        ferry_norm_pick(((const ferry_cpu_device *)device)->isa)->run(&norm, x, x); // in place
        assert_memory_equal(x, y, sizeof x);
        for (size_t i = 0; i < N; i++) x[i] = 10000 + ferry_random(&seed);
        ferry_norm_in_double(&norm, x, wanted);
        device->backend->close(device);
    }
}

// --- With conversions ------------------------------------------------------------------------------------------------

typedef struct chain_case {
    bool from_s8, to_s8, by_bf16;
    int8_t zero; // of the output
} chain_case;

static ferry_value_id s8_number(graph_builder *b, const char *name, int8_t value)
{
    const ferry_shape scalar = ferry_shape_of(0, NULL);
    ferry_value_id id = FERRY_NO_VALUE;
    MUST(ferry_graph_add_constant(&b->graph, name, FERRY_S8, &scalar, &value, 1, true, &id, err));
    return id;
}

#define X_SCALE 0.037f
#define Y_SCALE 0.021f
enum { ROWS = 23, WIDTH = 75 };

static void build_chain(graph_builder *b, const chain_case *c)
{
    build_begin(b, 9);
    ferry_value_id x = build_input(b, "x", c->from_s8 ? FERRY_S8 : FERRY_F32, "23x75");
    if (c->from_s8)
        x = BUILD_NODE(b, "DequantizeLinear", "wide", "", x, build_scalar(b, X_SCALE), s8_number(b, "zx", 4));
    if (c->by_bf16) x = BUILD_NODE(b, "Cast", "narrow", "to=16", x);
    ferry_value_id y = BUILD_NODE(b, "LayerNormalization", "norm", "axis=-1", x, build_constant(b, "scale", "75", 1),
                                  build_constant(b, "bias", "75", 1));
    if (c->by_bf16) y = BUILD_NODE(b, "Cast", "wide_again", "to=1", y);
    if (c->to_s8)
        y = BUILD_NODE(b, "QuantizeLinear", "q", "", y, build_scalar(b, Y_SCALE), s8_number(b, "zy", c->zero));
    build_output(b, y);
    build_finish(b);
}

typedef struct chosen {
    ferry_node_id nodes[8];
    int32_t n_nodes;
} chosen;

// One node at a time, or as many as there are.
typedef struct wanted_size {
    chosen *chosen;
    int32_t n_nodes;
} wanted_size;

static ferry_status keep(void *user, const ferry_offer *offer, ferry_error *err)
{
    (void)err;
    const wanted_size *w = user;
    if (offer->n_nodes != w->n_nodes || strcmp(offer->tactic, "layer_norm") != 0) return FERRY_OK;
    w->chosen->n_nodes = offer->n_nodes;
    memcpy(w->chosen->nodes, offer->nodes, (size_t)offer->n_nodes * sizeof *offer->nodes);
    return FERRY_OK;
}

static void run_chain(ferry_device *device, const ferry_graph *graph, const void *x, void *y, size_t y_bytes)
{
    ferry_arena arena;
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    ferry_region region;
    chosen found = {.n_nodes = 0};
    wanted_size wanted = {&found, (int32_t)graph->n_nodes};
    ferry_arena_init(&arena, ferry_heap_default());
    MUST(ferry_graph_users(graph, &arena, &offsets, &users, err));
    const ferry_graph_view view = {.graph = graph, .user_offsets = offsets, .users = users};
    const ferry_offer_sink sink = {keep, &wanted};
    MUST(device->backend->offer(device, &view, (ferry_node_id)graph->n_nodes - 1, &sink, err));
    assert_int_equal(found.n_nodes, graph->n_nodes);
    MUST(ferry_region_make(graph, offsets, users, found.nodes, found.n_nodes, &arena, &region, err));
    ferry_tensor_desc in = {.dtype = graph->values[region.inputs[0]].dtype, .rank = 2, .dims = {ROWS, WIDTH}};
    ferry_tensor_desc out = {.dtype = graph->values[region.outputs[0]].dtype, .rank = 2, .dims = {ROWS, WIDTH}};
    ferry_tensor_desc_set_strides(&in);
    ferry_tensor_desc_set_strides(&out);
    ferry_kernel *kernel = NULL;
    ferry_device_stream *stream = NULL;
    MUST(device->backend->prepare(device, &region, "layer_norm", &in, &out, NULL, 0, &kernel, err));
    guarded to = guarded_make(y_bytes, out.dtype == FERRY_S8 ? 1 : 4),
            workspace = guarded_make(kernel->workspace_bytes, 64);
    const ferry_binding from = {(void *)(uintptr_t)x, in.dims}, result = {to.data, out.dims};
    MUST(device->backend->stream_create(device, 2, &stream, err));
    MUST(device->backend->enqueue(stream, kernel, &from, &result, workspace.data, err));
    assert_true(guarded_is_whole(&to) && guarded_is_whole(&workspace));
    memcpy(y, to.data, y_bytes);
    device->backend->stream_destroy(stream);
    device->backend->release(kernel);
    guarded_free(&to);
    guarded_free(&workspace);
    out.dims[1]--;
    ferry_tensor_desc_set_strides(&out);
    assert_int_not_equal(device->backend->prepare(device, &region, "layer_norm", &in, &out, NULL, 0, &kernel, NULL),
                         FERRY_OK);
    ferry_arena_deinit(&arena);
}

// The bits are those of the normalisation alone between the conversions: the same floats rounded the same way.
static void conversions__are_those_of_their_nodes_to_the_bit(void **unused)
{
    (void)unused;
    static const char *const isas[] = {"none", "avx2", "avx512", "avx512bf16", "neon"};
    int ran = 0;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
        for (int kind = 1; kind < 8; kind++) {
            ferry_device *device = NULL;
            graph_builder whole, alone;
            const chain_case c = {.from_s8 = kind & 1, .to_s8 = kind & 2, .zero = kind & 4 ? -2 : 0}, none = {0};
            if (kind == 4 || ferry_backend_cpu.open(isas[i], ferry_heap_default(), NULL, &device, NULL) != FERRY_OK)
                continue; // 4: nothing around it
            build_chain(&whole, &c);
            build_chain(&alone, &none);
            int8_t bytes[ROWS * WIDTH], rounded[ROWS * WIDTH];
            float x[ROWS * WIDTH], y[ROWS * WIDTH], got[ROWS * WIDTH];
            for (size_t e = 0; e < ROWS * WIDTH; e++) {
                bytes[e] = (int8_t)(e * 89 + e / 7);
                x[e] = (float)(bytes[e] - 4) * X_SCALE;
            }
            run_chain(device, &alone.graph, x, y, sizeof y);
            run_chain(device, &whole.graph, c.from_s8 ? (const void *)bytes : x, c.to_s8 ? (void *)rounded : got,
                      c.to_s8 ? sizeof rounded : sizeof got);
            for (size_t e = 0; e < ROWS * WIDTH; e++) {
                const float t = nearbyintf(y[e] / Y_SCALE) + (float)c.zero;
                if (c.to_s8)
                    assert_int_equal(rounded[e], (int8_t)(t > 127 ? 127 : t < -128 ? -128 : t));
                else
                    assert_memory_equal(&got[e], &y[e], sizeof y[e]);
            }
            build_end(&whole);
            build_end(&alone);
            device->backend->close(device);
            ran++;
        }
    assert_true(ran >= 3);
}

// In an engine that rounds to bf16 in between, against nodes that run one by one.
static void bf16__is_rounded_to_between_them(void **unused)
{
    (void)unused;
    const chain_case c = {.from_s8 = true, .to_s8 = true, .by_bf16 = true};
    graph_builder b;
    build_chain(&b, &c);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_build_options options = *test_no_passes();
    options.no_timing = true;
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    // How much it takes in is a matter of what processors' conversions are priced at.
    const ferry_plan *plan = engine->plan;
    size_t norms = 0;
    for (size_t s = 0; s < plan->n_steps; s++) norms += strcmp(plan->steps[s].tactic, "layer_norm") == 0;
    assert_int_equal(norms, 1);
    test_expect_reference(engine, &b.graph, 3, 1.0 / 100); // a step, where a bf16 lies between two
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalisations__match_reference),
        cmocka_unit_test(means__may_be_large_beside_the_variance),
        cmocka_unit_test(conversions__are_those_of_their_nodes_to_the_bit),
        cmocka_unit_test(bf16__is_rounded_to_between_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
// Channel shuffles as one region, for every instruction set, size of element and way of cutting the result apart.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "backend/cuda/device.h"
#include "support/device_memory.h"
#include "support/engine_case.h"
#include "support/guarded.h"

typedef struct shuffle_case {
    ferry_dtype dtype;
    int64_t parts, each, batch, height, width;
    const char *cut; // "": none; "Slice": two halves; "Split": two unequal ones
} shuffle_case;

static ferry_value_id build_shuffle(graph_builder *b, const shuffle_case *c, ferry_value_id *inputs)
{
    char dims[64], name[8];
    snprintf(dims, sizeof dims, "%dx%dx%dx%d", (int)c->batch, (int)c->each, (int)c->height, (int)c->width);
    for (int i = 0; i < (int)c->parts; i++) {
        snprintf(name, sizeof name, "x%d", i);
        inputs[i] = build_input(b, name, c->dtype, dims);
    }
    const int64_t spread[] = {c->batch, c->parts, c->each, c->height, c->width};
    const int64_t gathered[] = {c->batch, -1, c->height, c->width};
    ferry_value_id y = build_node(b, "Concat", "join", "axis=1", (int32_t)c->parts, inputs);
    y = BUILD_NODE(b, "Reshape", "spread", "", y, build_ints(b, "to5", 5, spread));
    y = BUILD_NODE(b, "Transpose", "turn", "perm=0,2,1,3,4", y);
    return BUILD_NODE(b, "Reshape", "gather", "", y, build_ints(b, "to4", 4, gathered));
}

static void cut_apart(graph_builder *b, const shuffle_case *c, ferry_value_id y)
{
    const int64_t all = c->parts * c->each, first = strcmp(c->cut, "Slice") == 0 ? all / 2 : c->parts, one = 1,
                  zero = 0;
    const int64_t sizes[] = {first, all - first};
    if (!c->cut[0]) {
        build_output(b, y);
    } else if (strcmp(c->cut, "Split") == 0) {
        const ferry_value_id s = BUILD_NODE(b, "Split", "s", "axis=1", y, build_ints(b, "sizes", 2, sizes));
        build_output(b, s);
        build_output(b, build_second_output(b, s, "s2"));
    } else {
        const ferry_value_id axis = build_ints(b, "axis", 1, &one), middle = build_ints(b, "middle", 1, &first);
        const ferry_value_id from = build_ints(b, "from", 1, &zero), end = build_ints(b, "end", 1, &all);
        build_output(b, BUILD_NODE(b, "Slice", "s1", "", y, from, middle, axis));
        build_output(b, BUILD_NODE(b, "Slice", "s2", "", y, middle, end, axis));
    }
}

// The offer that takes in all of the graph's nodes.
typedef struct found {
    const char *tactic;
    ferry_node_id nodes[16];
    int32_t n_nodes;
} found;

static ferry_status keep_largest(void *user, const ferry_offer *offer, ferry_error *err)
{
    (void)err;
    found *f = user;
    if (offer->n_nodes <= f->n_nodes || offer->n_nodes < 4) return FERRY_OK;
    f->tactic = offer->tactic;
    f->n_nodes = offer->n_nodes;
    memcpy(f->nodes, offer->nodes, (size_t)offer->n_nodes * sizeof *offer->nodes);
    return FERRY_OK;
}

static ferry_tensor_desc describe(const ferry_graph *graph, ferry_value_id id)
{
    const ferry_value *v = &graph->values[id];
    ferry_tensor_desc d = {.dtype = v->dtype, .layout = FERRY_LAYOUT_CHANNELS_LAST, .rank = v->shape.rank};
    memcpy(d.dims, v->shape.dims, sizeof d.dims);
    ferry_tensor_desc_set_strides(&d);
    return d;
}

static guarded memory_of(const ferry_tensor_desc *desc)
{
    size_t bytes = 0;
    assert_true(ferry_tensor_desc_bytes(desc, &bytes));
    return guarded_make(bytes, ferry_dtype_bytes(desc->dtype));
}

static uint8_t byte_of(size_t part, size_t element, size_t byte)
{
    return (uint8_t)(part * 89 + element * 7 + (element >> 8) * 31 + byte * 53);
}

// Output `first` channels into the shuffled tensor: channel c comes from part c % parts.
static void expect_output(const shuffle_case *c, const ferry_tensor_desc *desc, const uint8_t *y, int64_t first)
{
    const size_t bytes = ferry_dtype_bytes(desc->dtype), channels = (size_t)desc->dims[1];
    const size_t positions = (size_t)(c->batch * c->height * c->width);
    for (size_t p = 0; p < positions; p++)
        for (size_t k = 0; k < channels; k++) {
            const size_t from = (size_t)first + k, part = from % (size_t)c->parts;
            const size_t element = p * (size_t)c->each + from / (size_t)c->parts;
            for (size_t byte = 0; byte < bytes; byte++)
                assert_int_equal(y[(p * channels + k) * bytes + byte], byte_of(part, element, byte));
        }
}

static void run_shuffle(const shuffle_case *c, ferry_device *device, const ferry_region *region, const char *tactic)
{
    ferry_tensor_desc in[8], out[2];
    ferry_binding from[8], to[2];
    guarded inputs[8], outputs[2];
    for (int32_t i = 0; i < region->n_inputs; i++) {
        in[i] = describe(region->graph, region->inputs[i]);
        inputs[i] = memory_of(&in[i]);
        const size_t bytes = ferry_dtype_bytes(c->dtype);
        for (size_t b = 0; b < inputs[i].bytes; b++)
            ((uint8_t *)inputs[i].data)[b] = byte_of((size_t)i, b / bytes, b % bytes);
        from[i] = (ferry_binding){inputs[i].data, in[i].dims};
    }
    for (int32_t o = 0; o < region->n_outputs; o++) {
        out[o] = describe(region->graph, region->outputs[o]);
        outputs[o] = memory_of(&out[o]);
        to[o] = (ferry_binding){outputs[o].data, out[o].dims};
    }
    ferry_kernel *kernel = NULL;
    ferry_device_stream *stream = NULL;
    void *packed = NULL;
    size_t packed_bytes = 0;
    bool whole = false;
    device_tensor inward[8], outward[2];
    for (int32_t i = 0; i < region->n_inputs; i++) inward[i] = (device_tensor){&inputs[i], &from[i]};
    for (int32_t o = 0; o < region->n_outputs; o++) outward[o] = (device_tensor){&outputs[o], &to[o]};
    MUST(device->backend->pack(device, region, tactic, &packed, &packed_bytes, err));
    MUST(device->backend->prepare(device, region, tactic, in, out, packed, packed_bytes, &kernel, err));
    MUST(device->backend->stream_create(device, 2, &stream, err));
    MUST(device_run(stream, kernel, inward, region->n_inputs, outward, region->n_outputs, NULL, &whole, err));
    assert_true(whole);
    int64_t first = 0;
    for (int32_t o = 0; o < region->n_outputs; first += out[o++].dims[1]) {
        expect_output(c, &out[o], outputs[o].data, first);
        assert_true(guarded_is_whole(&outputs[o]));
    }
    device->backend->stream_destroy(stream);
    device->backend->release(kernel);
    // Sizes that do not belong together are refused.
    ferry_error why = {.text = ""};
    out[0].dims[1]--;
    ferry_tensor_desc_set_strides(&out[0]);
    assert_int_not_equal(device->backend->prepare(device, region, tactic, in, out, packed, packed_bytes, &kernel, &why),
                         FERRY_OK);
    ferry_heap_free(ferry_heap_default(), packed, packed_bytes);
    for (int32_t i = 0; i < region->n_inputs; i++) guarded_free(&inputs[i]);
    for (int32_t o = 0; o < region->n_outputs; o++) guarded_free(&outputs[o]);
}

static int run_case(const shuffle_case *c, const char *isa)
{
    ferry_device *device = NULL;
    const bool cuda = strcmp(isa, "cuda") == 0;
    const ferry_backend *backend = cuda ? &ferry_backend_cuda : &ferry_backend_cpu;
    if (backend->open(cuda ? "" : isa, ferry_heap_default(), NULL, &device, NULL) != FERRY_OK) return 0;
    graph_builder b;
    ferry_value_id inputs[8];
    build_begin(&b, 1);
    cut_apart(&b, c, build_shuffle(&b, c, inputs));
    build_finish(&b);
    ferry_arena arena;
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    ferry_region region;
    ferry_arena_init(&arena, ferry_heap_default());
    MUST(ferry_graph_users(&b.graph, &arena, &offsets, &users, err));
    const ferry_graph_view view = {.graph = &b.graph, .user_offsets = offsets, .users = users};
    found f = {0};
    const ferry_offer_sink sink = {keep_largest, &f};
    MUST(device->backend->offer(device, &view, (ferry_node_id)b.graph.n_nodes - 1, &sink, err));
    assert_int_equal(f.n_nodes, b.graph.n_nodes);
    assert_string_equal(f.tactic, "channel_shuffle");
    MUST(ferry_region_make(&b.graph, offsets, users, f.nodes, f.n_nodes, &arena, &region, err));
    run_shuffle(c, device, &region, f.tactic);
    ferry_arena_deinit(&arena);
    build_end(&b);
    device->backend->close(device);
    return 1;
}

static void shuffles__take_channels_from_each_part_in_turn(void **state)
{
    (void)state;
    static const char *const isas[] = {"none", "avx2", "avx512", "neon", "cuda"};
    static const shuffle_case cases[] = {
        {FERRY_F32, 2, 58, 1, 7, 5, "Slice"}, {FERRY_S8, 2, 58, 2, 3, 5, "Slice"}, {FERRY_F16, 2, 4, 1, 9, 9, "Slice"},
        {FERRY_F32, 2, 16, 1, 5, 5, ""},      {FERRY_S8, 2, 33, 1, 6, 7, ""},      {FERRY_S64, 2, 17, 1, 3, 3, "Split"},
        {FERRY_F32, 3, 10, 2, 4, 4, "Split"}, {FERRY_S8, 4, 8, 1, 40, 40, ""},     {FERRY_BF16, 2, 1, 1, 4, 4, ""},
    };
    int ran = 0;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) ran += run_case(&cases[k], isas[i]);
    assert_true(ran >= (int)(sizeof cases / sizeof *cases));
}

// In a whole engine, with what reads and makes the parts, and beside a reader that needs the joined tensor itself.
static void engines__compute_the_same_with_shuffles(void **state)
{
    (void)state;
    const shuffle_case c = {FERRY_F32, 2, 24, 2, 9, 9, ""};
    for (int kept = 0; kept < 2; kept++) {
        graph_builder b;
        ferry_value_id inputs[8];
        build_begin(&b, 2);
        const ferry_value_id y = build_shuffle(&b, &c, inputs);
        const ferry_value_id w = build_constant(&b, "w", "16x48x1x1", 0.3f);
        build_output(&b, BUILD_NODE(&b, "Conv", "c", "", y, w));
        if (kept) build_output(&b, y);
        build_finish(&b);
        ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
        ferry_engine *engine = test_engine(runtime, &b.graph, test_no_passes());
        test_expect_reference(engine, &b.graph, 3, 1e-5);
        ferry_engine_release(engine);
        ferry_runtime_release(runtime);
        build_end(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffles__take_channels_from_each_part_in_turn),
        cmocka_unit_test(engines__compute_the_same_with_shuffles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
// Attention as one region, in the forms that exporters write, for every instruction set, element type and number of
// threads: held against the reference kernels, node by node, in float.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "backend/cuda/device.h"
#include "base/f16.h"
#include "ops/epilogue.h"
#include "support/device_memory.h"
#include "support/engine_case.h"
#include "support/guarded.h"
#include "support/kernel_case.h"
#include "support/run_graph.h"

typedef enum form {
    SPLIT,     // packed, cut by Split and Squeeze after a Transpose to [3, n, heads, l, d]
    GATHERED,  // the same cut by Gather
    SLICED,    // packed, cut by Slice before each is transposed; both q and k are scaled
    APART,     // three inputs, scores divided
    MULTIHEAD, // [l, n, e], heads and batch in one dimension
    BARE,      // nothing around the products
} form;

typedef struct attention_case {
    form form;
    int64_t n, heads, rows, keys, depth, columns; // packed forms have rows = keys, depth = columns
    float range;                                  // of the inputs
} attention_case;

// Dimensions as texts and lists, for building.
static ferry_value_id input(graph_builder *b, const char *name, ferry_dtype dtype, int rank, const int64_t *dims)
{
    char text[96] = "";
    for (int i = 0; i < rank; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), i ? "x%d" : "%d", (int)dims[i]);
    return build_input(b, name, dtype, text);
}
#define INPUT(b, name, dtype, ...)                                                                                     \
    input((b), (name), (dtype), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static ferry_value_id ints(graph_builder *b, const char *name, int count, const int64_t *values)
{
    return build_ints(b, name, count, values);
}
#define INTS(b, name, ...)                                                                                             \
    ints((b), (name), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static ferry_value_id number(graph_builder *b, ferry_dtype dtype, float value)
{
    const uint16_t narrow = dtype == FERRY_BF16 ? ferry_bf16_from_f32(value) : ferry_f16_from_f32(value);
    const ferry_shape scalar = ferry_shape_of(0, NULL);
    ferry_value_id id = FERRY_NO_VALUE;
    const void *data = dtype == FERRY_F32 ? (const void *)&value : &narrow;
    MUST(ferry_graph_add_constant(&b->graph, "number", dtype, &scalar, data, ferry_dtype_bytes(dtype), true, &id, err));
    return id;
}

static ferry_value_id zero_point(graph_builder *b)
{
    const ferry_shape scalar = ferry_shape_of(0, NULL);
    const int8_t zero = 3;
    ferry_value_id id = FERRY_NO_VALUE;
    MUST(ferry_graph_add_constant(&b->graph, "zero", FERRY_S8, &scalar, &zero, 1, true, &id, err));
    return id;
}

#define Y_SCALE 0.0131f

// The second product and, for int8 results, what rounds them.
static ferry_value_id finish_products(graph_builder *b, ferry_value_id scores, ferry_value_id v, bool quantised)
{
    const ferry_value_id p = BUILD_NODE(b, "Softmax", "softmax", "axis=-1", scores);
    const ferry_value_id y = BUILD_NODE(b, "MatMul", "mix", "", p, v);
    if (!quantised) return y;
    return BUILD_NODE(b, "QuantizeLinear", "rounded", "", y, build_scalar(b, Y_SCALE), zero_point(b));
}

static ferry_value_id build_packed(graph_builder *b, const attention_case *c, ferry_dtype dtype, bool quantised)
{
    const int64_t e = c->heads * c->depth;
    ferry_value_id part[3];
    const ferry_value_id qkv = INPUT(b, "qkv", dtype, c->n, c->rows, 3 * e);
    if (c->form == SLICED) {
        for (int i = 0; i < 3; i++) {
            char name[3][8];
            snprintf(name[0], 8, "s%d", i);
            snprintf(name[1], 8, "r%d", i);
            snprintf(name[2], 8, "t%d", i);
            const ferry_value_id s = BUILD_NODE(b, "Slice", name[0], "", qkv, INTS(b, "from", i * e),
                                                INTS(b, "to", i == 2 ? INT64_MAX : (i + 1) * e), INTS(b, "axis", -1));
            const ferry_value_id r =
                BUILD_NODE(b, "Reshape", name[1], "", s, INTS(b, "heads", 0, -1, c->heads, c->depth));
            part[i] = BUILD_NODE(b, "Transpose", name[2], i == 1 ? "perm=0,2,3,1" : "perm=0,2,1,3", r);
        }
        const float root = powf((float)c->depth, -0.25f);
        part[0] = BUILD_NODE(b, "Mul", "q", "", part[0], number(b, dtype, root));
        part[1] = BUILD_NODE(b, "Mul", "k", "", number(b, dtype, root), part[1]);
    } else {
        const ferry_value_id five =
            BUILD_NODE(b, "Reshape", "five", "", qkv, INTS(b, "to5", c->n, c->rows, 3, c->heads, c->depth));
        const ferry_value_id turned = BUILD_NODE(b, "Transpose", "turned", "perm=2,0,3,1,4", five);
        ferry_value_id cut[3];
        if (c->form == SPLIT) {
            cut[0] = BUILD_NODE(b, "Split", "cut", "axis=0", turned, INTS(b, "ones", 1, 1, 1));
            cut[1] = build_second_output(b, cut[0], "cut1");
            cut[2] = build_second_output(b, cut[0], "cut2");
        }
        for (int i = 0; i < 3; i++) {
            char name[8];
            snprintf(name, sizeof name, "p%d", i);
            if (c->form == SPLIT) {
                part[i] = BUILD_NODE(b, "Squeeze", name, "", cut[i], INTS(b, "first", 0));
                continue;
            }
            const ferry_shape scalar = ferry_shape_of(0, NULL);
            const int64_t at = i == 2 ? -1 : i;
            ferry_value_id index = FERRY_NO_VALUE;
            MUST(ferry_graph_add_constant(&b->graph, "index", FERRY_S64, &scalar, &at, sizeof at, true, &index, err));
            part[i] = BUILD_NODE(b, "Gather", name, "axis=0", turned, index);
        }
        part[0] = BUILD_NODE(b, "Mul", "q", "", part[0], number(b, dtype, 0.25f));
        part[1] = BUILD_NODE(b, "Transpose", "k", "perm=0,1,3,2", part[1]);
    }
    const ferry_value_id scores = BUILD_NODE(b, "MatMul", "scores", "", part[0], part[1]);
    const ferry_value_id y = finish_products(b, scores, part[2], quantised);
    const ferry_value_id back = BUILD_NODE(b, "Transpose", "back", "perm=0,2,1,3", y);
    return BUILD_NODE(b, "Reshape", "flat", "", back, INTS(b, "to3", 0, 0, e));
}

static ferry_value_id build_apart(graph_builder *b, const attention_case *c, ferry_dtype dtype, bool quantised)
{
    const int64_t lengths[3] = {c->rows, c->keys, c->keys}, widths[3] = {c->depth, c->depth, c->columns};
    ferry_value_id part[3];
    for (int i = 0; i < 3; i++) {
        static const char *const names[3][3] = {{"q", "k", "v"}, {"q4", "k4", "v4"}, {"qt", "kt", "vt"}};
        const ferry_value_id x = INPUT(b, names[0][i], dtype, c->n, lengths[i], c->heads * widths[i]);
        const ferry_value_id four =
            BUILD_NODE(b, "Reshape", names[1][i], "", x, INTS(b, "to4", c->n, lengths[i], c->heads, widths[i]));
        part[i] = BUILD_NODE(b, "Transpose", names[2][i], i == 1 ? "perm=0,2,3,1" : "perm=0,2,1,3", four);
    }
    const ferry_value_id product = BUILD_NODE(b, "MatMul", "product", "", part[0], part[1]);
    const ferry_value_id scores = BUILD_NODE(b, "Div", "scores", "", product, number(b, dtype, 4));
    const ferry_value_id y = finish_products(b, scores, part[2], quantised);
    return BUILD_NODE(b, "Transpose", "back", "perm=0,2,1,3", y);
}

static ferry_value_id build_multihead(graph_builder *b, const attention_case *c, ferry_dtype dtype, bool quantised)
{
    const int64_t lengths[3] = {c->rows, c->keys, c->keys}, widths[3] = {c->depth, c->depth, c->columns};
    ferry_value_id part[3];
    for (int i = 0; i < 3; i++) {
        static const char *const names[3][3] = {{"q", "k", "v"}, {"q3", "k3", "v3"}, {"qt", "kt", "vt"}};
        const ferry_value_id x = INPUT(b, names[0][i], dtype, lengths[i], c->n, c->heads * widths[i]);
        const ferry_value_id three =
            BUILD_NODE(b, "Reshape", names[1][i], "", x, INTS(b, "to3", lengths[i], c->n * c->heads, widths[i]));
        part[i] = BUILD_NODE(b, "Transpose", names[2][i], i == 1 ? "perm=1,2,0" : "perm=1,0,2", three);
    }
    const ferry_value_id scores = BUILD_NODE(b, "MatMul", "scores", "", part[0], part[1]);
    const ferry_value_id y = finish_products(b, scores, part[2], quantised);
    const ferry_value_id back = BUILD_NODE(b, "Transpose", "back", "perm=1,0,2", y);
    return BUILD_NODE(b, "Reshape", "flat", "", back, INTS(b, "to2", c->rows * c->n, c->heads * c->columns));
}

static ferry_value_id build_bare(graph_builder *b, const attention_case *c, ferry_dtype dtype, bool quantised)
{
    const ferry_value_id q = INPUT(b, "q", dtype, c->n, c->heads, c->rows, c->depth);
    const ferry_value_id k = INPUT(b, "k", dtype, 1, c->heads, c->depth, c->keys); // broadcast
    const ferry_value_id v = INPUT(b, "v", dtype, c->n, c->heads, c->keys, c->columns);
    return finish_products(b, BUILD_NODE(b, "MatMul", "scores", "", q, k), v, quantised);
}

static void build(graph_builder *b, const attention_case *c, ferry_dtype dtype, bool quantised)
{
    build_begin(b, 1);
    build_output(b, (c->form == APART       ? build_apart
                     : c->form == MULTIHEAD ? build_multihead
                     : c->form == BARE      ? build_bare
                                            : build_packed)(b, c, dtype, quantised));
    build_finish(b);
}

// --- Running ---------------------------------------------------------------------------------------------------------

typedef struct tensors {
    ferry_tensor_desc in[3], out[1];
    ferry_binding from[3], to[1];
    guarded inputs[3], output;
    int32_t n_in;
} tensors;

static ferry_tensor_desc describe(const ferry_graph *graph, ferry_value_id id)
{
    const ferry_value *v = &graph->values[id];
    ferry_tensor_desc d = {.dtype = v->dtype, .layout = FERRY_LAYOUT_PLAIN, .rank = v->shape.rank};
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

static size_t elements_of(const ferry_tensor_desc *desc)
{
    size_t bytes = 0;
    assert_true(ferry_tensor_desc_bytes(desc, &bytes));
    return bytes / ferry_dtype_bytes(desc->dtype);
}

static float element(const ferry_tensor_desc *desc, const void *data, size_t i)
{
    if (desc->dtype == FERRY_BF16) return ferry_f32_from_bf16(((const uint16_t *)data)[i]);
    if (desc->dtype == FERRY_F16) return ferry_f32_from_f16(((const uint16_t *)data)[i]);
    return ((const float *)data)[i];
}

static void set_element(const ferry_tensor_desc *desc, void *data, size_t i, float value)
{
    if (desc->dtype == FERRY_BF16)
        ((uint16_t *)data)[i] = ferry_bf16_from_f32(value);
    else if (desc->dtype == FERRY_F16)
        ((uint16_t *)data)[i] = ferry_f16_from_f32(value);
    else
        ((float *)data)[i] = value;
}

static void open_tensors(tensors *t, const ferry_region *region, const attention_case *c)
{
    uint64_t seed = 7;
    t->n_in = region->n_inputs;
    for (int32_t i = 0; i < t->n_in; i++) {
        t->in[i] = describe(region->graph, region->inputs[i]);
        t->inputs[i] = memory_of(&t->in[i]);
        t->from[i] = (ferry_binding){t->inputs[i].data, t->in[i].dims};
        for (size_t e = 0; e < elements_of(&t->in[i]); e++)
            set_element(&t->in[i], t->inputs[i].data, e, c->range * ferry_random(&seed));
    }
    t->out[0] = describe(region->graph, region->outputs[0]);
    t->output = memory_of(&t->out[0]);
    t->to[0] = (ferry_binding){t->output.data, t->out[0].dims};
}

static void close_tensors(tensors *t)
{
    for (int32_t i = 0; i < t->n_in; i++) guarded_free(&t->inputs[i]);
    guarded_free(&t->output);
}

// What the reference kernels make of the same inputs, in float.
static const float *expected(const attention_case *c, const tensors *t, ferry_arena *arena)
{
    graph_builder b;
    build(&b, c, FERRY_F32, false);
    ferry_tensor in[3], out[1];
    for (int32_t i = 0; i < t->n_in; i++) {
        uint64_t unused = 1;
        const ferry_value *v = &b.graph.values[b.graph.inputs[i]];
        in[i] = ferry_random_tensor(arena, FERRY_F32, v->shape.rank, v->shape.dims, 1, &unused);
        for (size_t e = 0; e < elements_of(&t->in[i]); e++)
            ((float *)in[i].data)[e] = element(&t->in[i], t->inputs[i].data, e);
    }
    MUST(ferry_run_graph(&b.graph, in, out, arena, NULL, NULL, err));
    build_end(&b);
    return out[0].data;
}

static void expect_floats(const tensors *t, const float *wanted, double tolerance, const char *what)
{
    double largest = 0;
    const size_t n = elements_of(&t->out[0]);
    for (size_t i = 0; i < n; i++)
        if (isfinite(wanted[i]) && fabs((double)wanted[i]) > largest) largest = fabs((double)wanted[i]);
    for (size_t i = 0; i < n; i++) {
        const float got = element(&t->out[0], t->output.data, i);
        if (isnan(wanted[i]) ? !isnan(got) : !(fabs((double)got - (double)wanted[i]) <= tolerance * largest))
            fail_msg("%s: element %zu is %g, not %g", what, i, (double)got, (double)wanted[i]);
    }
}

// The offers that take in all of the graph's nodes.
typedef struct found {
    const char *tactics[4];
    ferry_node_id nodes[32];
    int32_t n, n_nodes, wanted;
} found;

static ferry_status keep_whole(void *user, const ferry_offer *offer, ferry_error *err)
{
    (void)err;
    found *f = user;
    if (offer->n_nodes != f->wanted || f->n == 4) return FERRY_OK;
    f->tactics[f->n++] = offer->tactic;
    f->n_nodes = offer->n_nodes;
    memcpy(f->nodes, offer->nodes, (size_t)offer->n_nodes * sizeof *offer->nodes);
    return FERRY_OK;
}

typedef struct opened {
    ferry_device *device;
    graph_builder b;
    ferry_arena arena;
    ferry_region region;
    found found;
    tensors t;
} opened;

static bool open_case(opened *o, const attention_case *c, ferry_dtype dtype, bool quantised, const char *isa)
{
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    const bool cuda = strcmp(isa, "cuda") == 0;
    const ferry_backend *backend = cuda ? &ferry_backend_cuda : &ferry_backend_cpu;
    if (backend->open(cuda ? "" : isa, ferry_heap_default(), NULL, &o->device, NULL) != FERRY_OK) return false;
    build(&o->b, c, dtype, quantised);
    ferry_arena_init(&o->arena, ferry_heap_default());
    MUST(ferry_graph_users(&o->b.graph, &o->arena, &offsets, &users, err));
    const ferry_graph_view view = {.graph = &o->b.graph, .user_offsets = offsets, .users = users};
    o->found = (found){.wanted = (int32_t)o->b.graph.n_nodes};
    const ferry_offer_sink sink = {keep_whole, &o->found};
    MUST(o->device->backend->offer(o->device, &view, (ferry_node_id)o->b.graph.n_nodes - 1, &sink, err));
    if (o->found.n == 0) fail_msg("form %d on %s: no region of all %d nodes", (int)c->form, isa, o->found.wanted);
    MUST(ferry_region_make(&o->b.graph, offsets, users, o->found.nodes, o->found.n_nodes, &o->arena, &o->region, err));
    open_tensors(&o->t, &o->region, c);
    return true;
}

static void close_case(opened *o)
{
    close_tensors(&o->t);
    ferry_arena_deinit(&o->arena);
    build_end(&o->b);
    o->device->backend->close(o->device);
}

static void run_tactic(opened *o, const char *tactic, int32_t threads)
{
    const ferry_backend *backend = o->device->backend;
    ferry_kernel *kernel = NULL;
    ferry_device_stream *stream = NULL;
    void *packed = NULL;
    size_t packed_bytes = 0;
    bool whole = false;
    assert_int_equal(strncmp(tactic, "attention_", 10), 0);
    MUST(backend->pack(o->device, &o->region, tactic, &packed, &packed_bytes, err));
    MUST(backend->prepare(o->device, &o->region, tactic, o->t.in, o->t.out, packed, packed_bytes, &kernel, err));
    guarded workspace = guarded_make(kernel->workspace_bytes, 64);
    MUST(backend->stream_create(o->device, threads, &stream, err));
    memset(o->t.output.data, 0x55, o->t.output.bytes);
    device_tensor in[3];
    for (int32_t i = 0; i < o->t.n_in; i++) in[i] = (device_tensor){&o->t.inputs[i], &o->t.from[i]};
    MUST(device_run(stream, kernel, in, o->t.n_in, &(device_tensor){&o->t.output, &o->t.to[0]}, 1, workspace.data,
                    &whole, err));
    assert_true(whole && guarded_is_whole(&o->t.output) && guarded_is_whole(&workspace));
    for (int32_t i = 0; i < o->t.n_in; i++) assert_true(guarded_is_whole(&o->t.inputs[i]));
    backend->stream_destroy(stream);
    backend->release(kernel);
    ferry_heap_free(ferry_heap_default(), packed, packed_bytes);
    guarded_free(&workspace);
}

// Sizes that do not belong together are refused.
static void expect_refusal(opened *o, const char *tactic)
{
    ferry_kernel *kernel = NULL;
    ferry_tensor_desc out = o->t.out[0];
    out.dims[out.rank - 1]++;
    ferry_tensor_desc_set_strides(&out);
    assert_int_not_equal(
        o->device->backend->prepare(o->device, &o->region, tactic, o->t.in, &out, NULL, 0, &kernel, NULL), FERRY_OK);
}

static const char *const isas[] = {"none", "avx2", "avx512", "avx512bf16", "neon"};
static const attention_case cases[] = {
    {SPLIT, 1, 3, 197, 197, 64, 64, 2}, {SPLIT, 2, 2, 17, 17, 32, 32, 2},    {GATHERED, 2, 3, 50, 50, 16, 16, 2},
    {SLICED, 2, 4, 33, 33, 24, 24, 2},  {SLICED, 1, 1, 5, 5, 7, 7, 2},       {APART, 2, 2, 13, 70, 16, 40, 2},
    {APART, 1, 2, 70, 1, 15, 33, 2},    {MULTIHEAD, 2, 3, 29, 31, 8, 20, 2}, {MULTIHEAD, 1, 1, 1, 64, 64, 64, 2},
    {BARE, 2, 2, 40, 65, 33, 31, 2},    {BARE, 1, 1, 3, 1200, 5, 3, 2},      {APART, 1, 2, 30, 60, 32, 32, 60},
};
#define N_CASES (sizeof cases / sizeof *cases)
#define N_ISAS (sizeof isas / sizeof *isas)

static int run_case(const attention_case *c, ferry_dtype dtype, const char *isa)
{
    opened o;
    if (!open_case(&o, c, dtype, false, isa)) return 0;
    const float *wanted = expected(c, &o.t, &o.arena);
    for (int32_t i = 0; i < o.found.n; i++)
        for (int32_t threads = 1; threads <= 3; threads += 2) {
            char what[96];
            // The weights, like the result, are rounded to the type.
            const double tolerance = dtype == FERRY_BF16  ? 0x1p-7
                                     : dtype == FERRY_F16 ? 0x1p-10
                                                          : 3e-6 * (double)c->range;
            snprintf(what, sizeof what, "case %d, %s, %s, %d threads", (int)(c - cases), o.found.tactics[i], isa,
                     threads);
            run_tactic(&o, o.found.tactics[i], threads);
            expect_floats(&o.t, wanted, tolerance, what);
            expect_refusal(&o, o.found.tactics[i]);
        }
    close_case(&o);
    return 1;
}

static void attention__is_what_its_nodes_are_one_by_one(void **state)
{
    (void)state;
    static const ferry_dtype dtypes[] = {FERRY_F32, FERRY_BF16, FERRY_F16};
    int ran = 0;
    for (size_t i = 0; i < N_ISAS; i++)
        for (size_t k = 0; k < N_CASES; k++)
            for (size_t d = 0; d < 3; d++) ran += run_case(&cases[k], dtypes[d], isas[i]);
    assert_true(ran >= (int)(3 * N_CASES));
}

static void attention__gives_the_same_bits_with_any_number_of_threads(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_CASES; k++) {
        opened o;
        uint8_t first[1 << 18];
        assert_true(open_case(&o, &cases[k], FERRY_F32, false, "") && o.t.output.bytes <= sizeof first);
        for (int32_t threads = 1; threads <= 5; threads++) {
            run_tactic(&o, o.found.tactics[0], threads);
            if (threads == 1) memcpy(first, o.t.output.data, o.t.output.bytes);
            assert_memory_equal(first, o.t.output.data, o.t.output.bytes);
        }
        close_case(&o);
    }
}

// QuantizeLinear behind the same floats.
static void attention__rounds_to_int8_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ISAS; i++)
        for (size_t k = 0; k < N_CASES; k++) {
            opened real, rounded;
            if (!open_case(&real, &cases[k], FERRY_F32, false, isas[i])) continue;
            assert_true(open_case(&rounded, &cases[k], FERRY_F32, true, isas[i]));
            run_tactic(&real, real.found.tactics[0], 1);
            run_tactic(&rounded, rounded.found.tactics[0], 2);
            for (size_t e = 0; e < elements_of(&real.t.out[0]); e++) {
                const float t = nearbyintf(((const float *)real.t.output.data)[e] / Y_SCALE) + 3;
                assert_int_equal(((const int8_t *)rounded.t.output.data)[e], (int8_t)(t > 127    ? 127
                                                                                      : t < -128 ? -128
                                                                                                 : t));
            }
            close_case(&real);
            close_case(&rounded);
        }
}

// A NaN, and scores that are all infinite, spoil the rows that they belong to and no others.
static void attention__keeps_nans_in_their_rows(void **state)
{
    (void)state;
    const attention_case c = {APART, 1, 2, 30, 37, 16, 16, 2};
    for (size_t i = 0; i < N_ISAS; i++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            opened o;
            if (!open_case(&o, &c, bf16 ? FERRY_BF16 : FERRY_F32, false, isas[i])) continue;
            set_element(&o.t.in[0], o.t.inputs[0].data, 5 * 32 + 3, NAN);
            set_element(&o.t.in[0], o.t.inputs[0].data, 9 * 32 + 20, INFINITY);
            const float *wanted = expected(&c, &o.t, &o.arena);
            size_t nans = 0;
            for (size_t e = 0; e < elements_of(&o.t.out[0]); e++) nans += isnan(wanted[e]);
            assert_true(nans == 2 * 16);
            for (int32_t k = 0; k < o.found.n; k++) {
                run_tactic(&o, o.found.tactics[k], 1);
                expect_floats(&o.t, wanted, bf16 ? 0x1p-7 : 1e-5, isas[i]);
            }
            close_case(&o);
        }
}

// On a GPU, in the types and for the widths that its matrix instructions take.
static void attention__is_the_same_on_a_gpu(void **state)
{
    (void)state;
    static const ferry_dtype dtypes[] = {FERRY_BF16, FERRY_F16};
    int ran = 0;
    if (!kernel_case_has_cuda()) skip();
    for (size_t k = 0; k < N_CASES; k++)
        for (size_t d = 0; d < 2 && cases[k].depth % 8 == 0 && cases[k].columns % 8 == 0; d++)
            ran += run_case(&cases[k], dtypes[d], "cuda");
    assert_true(ran >= 12);
}

// --- In engines ------------------------------------------------------------------------------------------------------

static size_t count_steps(const ferry_engine *engine, const char *tactic)
{
    size_t n = 0;
    for (size_t i = 0; i < engine->plan->n_steps; i++)
        n += strncmp(engine->plan->steps[i].tactic, tactic, strlen(tactic)) == 0;
    return n;
}

// One block of a vision transformer. kept: something else reads what is transposed, so the region must begin behind it.
static void build_block(graph_builder *b, bool kept)
{
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x65x96");
    const ferry_value_id norm =
        BUILD_NODE(b, "LayerNormalization", "norm", "axis=-1", x, build_between(b, "scale", "96", 0.5f, 1.5f),
                   build_constant(b, "shift", "96", 0.2f));
    const ferry_value_id product =
        BUILD_NODE(b, "MatMul", "product", "", norm, build_constant(b, "w_qkv", "96x288", 0.2f));
    const ferry_value_id qkv = BUILD_NODE(b, "Add", "qkv", "", product, build_constant(b, "b_qkv", "288", 0.2f));
    const ferry_value_id five = BUILD_NODE(b, "Reshape", "five", "", qkv, INTS(b, "to5", 1, 65, 3, 3, 32));
    const ferry_value_id turned = BUILD_NODE(b, "Transpose", "turned", "perm=2,0,3,1,4", five);
    if (kept) build_output(b, turned);
    ferry_value_id part[3];
    part[0] = BUILD_NODE(b, "Split", "q", "axis=0", turned, INTS(b, "ones", 1, 1, 1));
    part[1] = build_second_output(b, part[0], "k");
    part[2] = build_second_output(b, part[0], "v");
    static const char *const names[3] = {"q4", "k4", "v4"};
    for (int i = 0; i < 3; i++) part[i] = BUILD_NODE(b, "Squeeze", names[i], "", part[i], INTS(b, "first", 0));
    const ferry_value_id q = BUILD_NODE(b, "Mul", "scaled", "", part[0], build_scalar(b, 0.1767767f));
    const ferry_value_id k = BUILD_NODE(b, "Transpose", "kt", "perm=0,1,3,2", part[1]);
    const ferry_value_id p = BUILD_NODE(b, "Softmax", "p", "axis=-1", BUILD_NODE(b, "MatMul", "scores", "", q, k));
    const ferry_value_id mix = BUILD_NODE(b, "MatMul", "mix", "", p, part[2]);
    const ferry_value_id back = BUILD_NODE(b, "Transpose", "back", "perm=0,2,1,3", mix);
    const ferry_value_id flat = BUILD_NODE(b, "Reshape", "flat", "", back, INTS(b, "to3", 1, 65, 96));
    const ferry_value_id out = BUILD_NODE(b, "MatMul", "out", "", flat, build_constant(b, "w_out", "96x96", 0.2f));
    build_output(b, BUILD_NODE(b, "Add", "y", "", x, out));
    build_finish(b);
}

static void engines__choose_it_for_a_transformer(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            graph_builder b;
            build_block(&b, kept);
            ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
            const ferry_build_options options = {
                .size = sizeof options, .threads = 1, .precisions = bf16 ? FERRY_PRECISION_BF16 : 0, .no_timing = true};
            ferry_engine *engine = test_engine(runtime, &b.graph, &options);
            assert_int_equal(count_steps(engine, "attention_"), 1);
            assert_int_equal(count_steps(engine, "matmul_"), 0);
            if (!kept) assert_int_equal(count_steps(engine, "strided_copy"), 0);
            test_expect_reference(engine, &b.graph, 3, bf16 ? 0.03 : 1e-5);
            ferry_engine_release(engine);
            ferry_runtime_release(runtime);
            build_end(&b);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention__is_what_its_nodes_are_one_by_one),
        cmocka_unit_test(attention__gives_the_same_bits_with_any_number_of_threads),
        cmocka_unit_test(attention__rounds_to_int8_exactly),
        cmocka_unit_test(attention__is_the_same_on_a_gpu),
        cmocka_unit_test(attention__keeps_nans_in_their_rows),
        cmocka_unit_test(engines__choose_it_for_a_transformer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

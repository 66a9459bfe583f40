// SPDX-License-Identifier: Apache-2.0
// Products that cuBLASLt computes for the CUDA backend: with every epilogue that is asked of it, in graphs whose
// addresses change, and with packed algorithms of another version. On the emulated device, a stand-in for the library
// looks at what its manual asks of callers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cuda/device.h"
#include "backend/cuda/vendor_blas_product.h"
#include "support/engine_case.h"
#include "support/kernel_case.h"

#define OF_LIBRARY .tactics = "cublaslt_", .permitted = FERRY_OFFER_LIBRARY
#define FLOATS .of_largest = 3e-6, OF_LIBRARY
#define HALVES .of_largest = 1e-3, OF_LIBRARY
#define BRAINS .of_largest = 6e-3, OF_LIBRARY
#define ROUNDED .of_largest = 2e-3, .tactics = "cublaslt_tf32_", .permitted = FERRY_OFFER_LIBRARY | FERRY_OFFER_TF32
#define CONV .domain = "", .op = "Conv", .leave = "conv_"
#define FUSED_CONV .domain = "ferry", .op = "FusedConv", .leave = "conv_"

static bool skip_without_library(void)
{
    const ferry_cublaslt *library = NULL;
    ferry_error err = {.text = ""};
    if (!kernel_case_has_cuda()) return true;
    if (ferry_cublaslt_get(0, &library, &err) == FERRY_OK) return false;
    print_message("[  SKIPPED ] cuBLASLt: %s\n", err.text);
    return true;
}

static void run_cases(const kernel_case *cases, int count)
{
    if (skip_without_library()) skip();
    kernel_cases_run_cuda(cases, count);
}
#define RUN_CASES(cases) run_cases((cases), (int)(sizeof(cases) / sizeof((cases)[0])))

static void conv__of_single_positions(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {CONV, .inputs = "f16:1x16x5x7 =f16:24x16x1x1 =f16:24", HALVES},
        {CONV, .inputs = "f16:2x72x3x3 =f16:40x72x1x1", HALVES},
        {CONV, .inputs = "f32:2x16x5x5 =f32:20x16x1x1 =f32:20", FLOATS},
        {CONV, .inputs = "bf16:1x24x9x9 =bf16:16x24x1x1", BRAINS},
        {CONV, .inputs = "f16:3x16x9 =f16:24x16x1 =f16:24", HALVES},
        {FUSED_CONV, .inputs = "f16:2x16x5x7 =f16:24x16x1x1 =f32:24", .attrs = "act=relu", HALVES},
        {FUSED_CONV, .inputs = "f16:1x16x5x5 =f16:24x16x1x1 =f32:24 f16:1x24x5x5", .attrs = "act=relu r_mult=0.5",
         HALVES},
        {CONV, .inputs = "f16:1x16x5x7 =f16:24x16x1x1 =f16:24", .plus = "f16:1x24x5x7", HALVES},
        {CONV, .inputs = "f32:1x16x5x7 =f32:24x16x1x1", .then = "Relu", FLOATS},
    };
    RUN_CASES(cases);
}

static void matrix__products(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Gemm", "f16:3x136 =f16:136x48 =f16:48", HALVES, .leave = "matrix_"},
        {"", "Gemm", "f16:37x64 =f16:72x64 =f16:72", "transB=1 alpha=0.5 beta=2", HALVES, .leave = "matrix_"},
        {"", "Gemm", "f32:5x40 =f32:40x32 =f32:1", FLOATS, .leave = "matrix_", .then = "Relu"},
        {"", "MatMul", "f16:2x19x32 =f16:32x48", HALVES, .leave = "matrix_", .plus = "f16:2x19x48"},
        {"", "MatMul", "bf16:9x32 =bf16:32x48", BRAINS, .leave = "matrix_"},
        {"", "MatMul", "f32:9x32 =f32:32x48", ROUNDED, .leave = "matrix_"},
        {"", "Gemm", "f16:37x64 =f16:64x72 =f16:72", HALVES, .leave = "matrix_", .then = "Gelu approximate=tanh"},
        {"ferry", "FusedGemm", "f32:2x7x16 =f32:16x8 =f32:8 f32:2x7x8", "act=relu", FLOATS, .leave = "matrix_"},
    };
    RUN_CASES(cases);
}

// --- What is left to others ------------------------------------------------------------------------------------------

typedef struct heard {
    int32_t offered, absent, most_nodes;
} heard;

static ferry_status count(void *user, const ferry_offer *offer, ferry_error *err)
{
    (void)err;
    heard *h = user;
    if (!(offer->flags & FERRY_OFFER_LIBRARY)) return FERRY_OK;
    h->offered++;
    h->absent += (offer->flags & FERRY_OFFER_ABSENT) != 0;
    if (offer->n_nodes > h->most_nodes) h->most_nodes = offer->n_nodes;
    return FERRY_OK;
}

static heard hear(ferry_device *device, const ferry_graph *graph, uint32_t permitted)
{
    heard h = {0};
    ferry_arena arena;
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    ferry_arena_init(&arena, ferry_heap_default());
    MUST(ferry_graph_users(graph, &arena, &offsets, &users, err));
    const ferry_graph_view view = {.graph = graph, .user_offsets = offsets, .users = users, .permitted = permitted};
    const ferry_offer_sink sink = {count, &h};
    MUST(device->backend->offer(device, &view, (ferry_node_id)graph->n_nodes - 1, &sink, err));
    ferry_arena_deinit(&arena);
    return h;
}

static void epilogues__that_the_library_has_not_are_left_alone(void **state)
{
    (void)state;
    if (skip_without_library()) skip();
    static const struct {
        const char *follower, *attrs;
        int32_t most_nodes; // of a region that is offered
    } rows[] = {{"Gelu", "approximate=tanh", 2}, {"Gelu", "", 0}, {"Sigmoid", "", 0}, {"Relu", "", 2}};
    ferry_device *device = NULL;
    MUST(ferry_backend_cuda.open("", ferry_heap_default(), NULL, &device, err));
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++) {
        graph_builder b;
        build_begin(&b, 1);
        const ferry_value_id x = build_input(&b, "x", FERRY_F32, "8x32");
        const ferry_value_id y = BUILD_NODE(&b, "MatMul", "y", "", x, build_constant(&b, "w", "32x16", 1));
        build_output(&b, BUILD_NODE(&b, rows[i].follower, "z", rows[i].attrs, y));
        build_finish(&b);
        assert_int_equal(hear(device, &b.graph, FERRY_OFFER_LIBRARY).most_nodes, rows[i].most_nodes);
        assert_int_equal(hear(device, &b.graph, 0).offered, 0);
        build_end(&b);
    }
    ferry_backend_cuda.close(device);
}

static void targets__are_built_for_without_it(void **state)
{
    (void)state;
    graph_builder b;
    build_begin(&b, 1);
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "8x32");
    build_output(&b, BUILD_NODE(&b, "MatMul", "y", "", x, build_constant(&b, "w", "32x16", 1)));
    build_finish(&b);
    ferry_device *device = NULL;
    MUST(ferry_backend_cuda.open("sm_90", ferry_heap_default(), NULL, &device, err));
    assert_int_equal(hear(device, &b.graph, FERRY_OFFER_LIBRARY).offered, 0);
    const heard all = hear(device, &b.graph, FERRY_OFFER_PERMITTED_ONLY); // a plan is checked with it all the same
    assert_true(all.offered > 0);
    assert_int_equal(all.absent, all.offered);
    ferry_backend_cuda.close(device);
    build_end(&b);
}

// --- In graphs -------------------------------------------------------------------------------------------------------

enum { ROWS = 24, K = 32, N = 16, X_BYTES = ROWS * K * 4, Y_BYTES = ROWS * N * 4 };

typedef struct product_case {
    graph_builder b;
    ferry_arena arena;
    ferry_region region;
    ferry_device *device;
    ferry_device_stream *stream;
    void *packed;
    size_t packed_bytes;
    ferry_tensor_desc x, y;
} product_case;

static ferry_tensor_desc describe(int64_t columns)
{
    ferry_tensor_desc d = {.dtype = FERRY_F32, .rank = 2, .dims = {ROWS, columns}};
    ferry_tensor_desc_set_strides(&d);
    return d;
}

static void open_case(product_case *c, const char *tactic)
{
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    static const ferry_node_id node = 0;
    *c = (product_case){.x = describe(K), .y = describe(N)};
    build_begin(&c->b, 3);
    const ferry_value_id x = build_input(&c->b, "x", FERRY_F32, "24x32");
    build_output(&c->b, BUILD_NODE(&c->b, "MatMul", "y", "", x, build_constant(&c->b, "w", "32x16", 1)));
    build_finish(&c->b);
    ferry_arena_init(&c->arena, ferry_heap_default());
    MUST(ferry_graph_users(&c->b.graph, &c->arena, &offsets, &users, err));
    MUST(ferry_region_make(&c->b.graph, offsets, users, &node, 1, &c->arena, &c->region, err));
    MUST(ferry_backend_cuda.open("", ferry_heap_default(), NULL, &c->device, err));
    MUST(ferry_backend_cuda.stream_create(c->device, 1, &c->stream, err));
    MUST(ferry_backend_cuda.pack(c->device, &c->region, tactic, &c->packed, &c->packed_bytes, err));
}

static void close_case(product_case *c)
{
    ferry_heap_free(ferry_heap_default(), c->packed, c->packed_bytes);
    ferry_backend_cuda.stream_destroy(c->stream);
    ferry_backend_cuda.close(c->device);
    ferry_arena_deinit(&c->arena);
    build_end(&c->b);
}

static ferry_kernel *prepare(product_case *c, const char *tactic)
{
    ferry_kernel *kernel = NULL;
    MUST(ferry_backend_cuda.prepare(c->device, &c->region, tactic, &c->x, &c->y, c->packed, c->packed_bytes, &kernel,
                                    err));
    return kernel;
}

// Input and output on the device, the input with numbers that follow from `seed`, the output with none.
typedef struct tensors {
    void *x, *y;
    float host_x[ROWS * K], expected[ROWS * N];
} tensors;

static void make_tensors(product_case *c, float seed, tensors *t)
{
    const float *w = NULL;
    for (size_t v = 0; v < c->b.graph.n_values; v++)
        if (ferry_value_is_constant(&c->b.graph.values[v])) w = c->b.graph.values[v].data;
    for (int i = 0; i < ROWS * K; i++) t->host_x[i] = (float)(i * 37 % 101) / 101.0f - seed;
    for (int r = 0; r < ROWS; r++)
        for (int n = 0; n < N; n++) {
            double sum = 0;
            for (int k = 0; k < K; k++) sum += (double)t->host_x[r * K + k] * (double)w[k * N + n];
            t->expected[r * N + n] = (float)sum;
        }
    t->x = ferry_backend_cuda.alloc(c->device, X_BYTES);
    t->y = ferry_backend_cuda.alloc(c->device, Y_BYTES);
    assert_true(t->x && t->y);
    MUST(ferry_backend_cuda.copy(c->stream, FERRY_COPY_HOST_TO_DEVICE, t->x, t->host_x, X_BYTES, err));
}

static void expect_result(product_case *c, const tensors *t, bool there)
{
    float y[ROWS * N];
    MUST(ferry_backend_cuda.copy(c->stream, FERRY_COPY_DEVICE_TO_HOST, y, t->y, Y_BYTES, err));
    MUST(ferry_backend_cuda.stream_wait(c->stream, err));
    int equal = 0;
    for (int i = 0; i < ROWS * N; i++) {
        const float difference = y[i] - t->expected[i];
        equal += difference < 1e-4f && difference > -1e-4f;
    }
    assert_int_equal(equal, there ? ROWS * N : 0);
}

static void free_tensors(product_case *c, tensors *t)
{
    ferry_backend_cuda.free(c->device, t->x, X_BYTES);
    ferry_backend_cuda.free(c->device, t->y, Y_BYTES);
}

// Captured with addresses that are no memory and lie anyhow, then given one pair after the other.
static void graph__takes_new_addresses(void **state)
{
    (void)state;
    if (skip_without_library()) skip();
    static const char *const tactics[] = {"cublaslt_1", "cublaslt_2"}; // of one kernel, and of several
    for (size_t i = 0; i < FERRY_COUNT_OF(tactics); i++) {
        const ferry_backend *backend = &ferry_backend_cuda;
        product_case c;
        tensors pairs[2];
        open_case(&c, tactics[i]);
        ferry_kernel *kernel = prepare(&c, tactics[i]);
        void *graph = NULL, *workspace = backend->alloc(c.device, kernel->workspace_bytes + 1);
        static char placeholders[2]; // at odd distances
        const ferry_binding x = {&placeholders[0], c.x.dims}, y = {&placeholders[1], c.y.dims};
        MUST(backend->capture_begin(c.stream, err));
        MUST(backend->enqueue(c.stream, kernel, &x, &y, workspace, err));
        MUST(backend->capture_end(c.stream, &graph, err));
        for (int p = 0; p < 2; p++) make_tensors(&c, (float)p, &pairs[p]);
        for (int p = 0; p < 2; p++) {
            MUST(backend->capture_rebind(graph, &placeholders[0], pairs[p].x, err));
            MUST(backend->capture_rebind(graph, &placeholders[1], pairs[p].y, err));
            MUST(backend->capture_launch(graph, c.stream, err));
            expect_result(&c, &pairs[p], true);
            if (p == 0) expect_result(&c, &pairs[1], false);
        }
        backend->capture_destroy(graph);
        backend->release(kernel);
        for (int p = 0; p < 2; p++) free_tensors(&c, &pairs[p]);
        backend->free(c.device, workspace, 0);
        close_case(&c);
    }
}

// --- Packed algorithms -----------------------------------------------------------------------------------------------

static void run_once(product_case *c, const ferry_kernel *kernel)
{
    tensors t;
    make_tensors(c, 0.5f, &t);
    void *workspace = ferry_backend_cuda.alloc(c->device, kernel->workspace_bytes + 1);
    const ferry_binding x = {t.x, c->x.dims}, y = {t.y, c->y.dims};
    MUST(ferry_backend_cuda.enqueue(c->stream, kernel, &x, &y, workspace, err));
    expect_result(c, &t, true);
    ferry_backend_cuda.free(c->device, workspace, 0);
    free_tensors(c, &t);
}

static ferry_blas_packed *packed_of(product_case *c)
{
    ferry_cuda_package_view view;
    MUST(ferry_cuda_package_read(c->packed, c->packed_bytes, &view, err));
    return (ferry_blas_packed *)(uintptr_t)view.constants;
}

static void algorithms__are_packed_and_asked_for_again_where_they_do_not_fit(void **state)
{
    (void)state;
    if (skip_without_library()) skip();
    for (int spoilt = 0; spoilt < 4; spoilt++) {
        product_case c;
        open_case(&c, "cublaslt_2");
        ferry_blas_packed *packed = packed_of(&c);
        assert_int_equal(packed->rows, ROWS);
        assert_true(packed->version[0] > 0);
        if (spoilt == 1) packed->version[1]++;
        if (spoilt == 2) packed->rows++;
        if (spoilt == 3) memset(&packed->algorithm, 0xAB, sizeof packed->algorithm);
        ferry_kernel *kernel = prepare(&c, "cublaslt_2");
        run_once(&c, kernel);
        ferry_backend_cuda.release(kernel);
        close_case(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv__of_single_positions),
        cmocka_unit_test(matrix__products),
        cmocka_unit_test(epilogues__that_the_library_has_not_are_left_alone),
        cmocka_unit_test(targets__are_built_for_without_it),
        cmocka_unit_test(graph__takes_new_addresses),
        cmocka_unit_test(algorithms__are_packed_and_asked_for_again_where_they_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

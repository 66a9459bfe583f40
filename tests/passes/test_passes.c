// SPDX-License-Identifier: Apache-2.0
// Every pass, before and after: the rewritten graph has the expected nodes and computes the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "passes/pass.h"
#include "support/build_graph.h"

typedef struct rewritten {
    graph_builder before;
    ferry_graph after;
} rewritten;

static void passes(rewritten *r, const char *disabled)
{
    ferry_error err;
    const ferry_passes_options options = {.verify = true, .disabled = &disabled, .n_disabled = disabled ? 1 : 0};
    build_finish(&r->before);
    assert_int_equal(ferry_graph_copy(&r->before.graph, &r->after, &err), FERRY_OK);
    const ferry_status s = ferry_passes_run(&r->after, &options, NULL, &err);
    if (s != FERRY_OK) fail_msg("%s", err.text);
    for (uint64_t seed = 1; seed < 4; seed++) expect_same_outputs(&r->before.graph, &r->after, 2.0f, seed * 77, 2e-5);
}

static void done(rewritten *r)
{
    build_end(&r->before);
    ferry_graph_deinit(&r->after);
}

static ferry_value_id batch_norm(graph_builder *b, const char *name, ferry_value_id x, const char *dims)
{
    return BUILD_NODE(b, "BatchNormalization", name, "epsilon=0.001", x, build_between(b, "scale", dims, 0.5f, 2.0f),
                      build_constant(b, "shift", dims, 1.0f), build_constant(b, "mean", dims, 1.0f),
                      build_between(b, "var", dims, 0.2f, 3.0f));
}

static void fold__evaluates_constants_and_known_shapes(void **state)
{
    (void)state;
    rewritten r;
    graph_builder *b = &r.before;
    build_begin(b, 1);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x3x4");
    const ferry_value_id shape = BUILD_NODE(b, "Shape", "shape", "", x);
    const ferry_value_id first = BUILD_NODE(b, "Gather", "g", "axis=0", shape, build_ints(b, "i", 1, (int64_t[]){0}));
    const ferry_value_id target = BUILD_NODE(b, "Concat", "t", "axis=0", first, build_ints(b, "m", 1, (int64_t[]){-1}));
    const ferry_value_id flat = BUILD_NODE(b, "Reshape", "flat", "", x, target);
    const ferry_value_id c = BUILD_NODE(b, "Exp", "e", "", build_constant(b, "k", "12", 1.0f));
    build_output(b, BUILD_NODE(b, "Mul", "y", "", flat, c));
    passes(&r, NULL);
    assert_int_equal(r.after.n_nodes, 2);
    assert_int_equal(graph_count(&r.after, "Reshape") + graph_count(&r.after, "Mul"), 2);
    done(&r);
}

static void fold__takes_known_dims_of_a_partly_known_shape(void **state)
{
    (void)state;
    rewritten r;
    graph_builder *b = &r.before;
    build_begin(b, 2);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "?x6");
    const ferry_value_id shape = BUILD_NODE(b, "Shape", "shape", "", x);
    const ferry_value_id six = BUILD_NODE(b, "Gather", "g", "axis=0", shape, build_ints(b, "i", 1, (int64_t[]){1}));
    const ferry_value_id target = BUILD_NODE(b, "Concat", "t", "axis=0", six, build_ints(b, "m", 1, (int64_t[]){-1}));
    build_output(b, BUILD_NODE(b, "Reshape", "y", "", x, target));
    passes(&r, NULL);
    assert_int_equal(r.after.n_nodes, 1);
    done(&r);
}

static void fold__respects_its_limit(void **state)
{
    (void)state;
    graph_builder b;
    ferry_error err;
    build_begin(&b, 3);
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "64x64");
    const ferry_value_id big = BUILD_NODE(&b, "Expand", "big", "", build_constant(&b, "k", "64x1", 1.0f),
                                          build_ints(&b, "s", 2, (int64_t[]){64, 64}));
    build_output(&b, BUILD_NODE(&b, "Add", "y", "", x, big));
    build_finish(&b);
    const ferry_passes_options options = {.fold_limit_bytes = 64 * 64 * 4 - 1, .verify = true};
    assert_int_equal(ferry_passes_run(&b.graph, &options, NULL, &err), FERRY_OK);
    assert_int_equal(graph_count(&b.graph, "Expand"), 1);
    assert_int_equal(ferry_passes_run(&b.graph, NULL, NULL, &err), FERRY_OK);
    assert_int_equal(graph_count(&b.graph, "Expand"), 0);
    build_end(&b);
}

static void dead__removes_what_changes_nothing(void **state)
{
    (void)state;
    rewritten r;
    graph_builder *b = &r.before;
    build_begin(b, 4);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x3");
    ferry_value_id v = BUILD_NODE(b, "Identity", "id", "", x);
    v = BUILD_NODE(b, "Cast", "cast", "to=1", v);
    v = BUILD_NODE(b, "Dropout", "drop", "", v);
    v = BUILD_NODE(b, "Transpose", "keep", "perm=0,1", v);
    v = BUILD_NODE(b, "Add", "plus0", "", v, build_scalar(b, 0.0f));
    BUILD_NODE(b, "Exp", "unused", "", v);
    v = BUILD_NODE(b, "Relu", "relu", "", v);
    build_output(b, BUILD_NODE(b, "Identity", "y", "", v));
    passes(&r, NULL);
    assert_int_equal(r.after.n_nodes, 1);
    assert_string_equal(r.after.nodes[0].op->name, "Relu");
    done(&r);
}

static void dead__keeps_identity_between_input_and_output(void **state)
{
    (void)state;
    rewritten r;
    build_begin(&r.before, 5);
    build_output(&r.before, BUILD_NODE(&r.before, "Identity", "y", "", build_input(&r.before, "x", FERRY_F32, "3")));
    passes(&r, NULL);
    assert_int_equal(r.after.n_nodes, 1);
    done(&r);
}

static void transpose__cancels_and_goes_past_elementwise(void **state)
{
    (void)state;
    rewritten r;
    graph_builder *b = &r.before;
    build_begin(b, 6);
    ferry_value_id v = build_input(b, "x", FERRY_F32, "1x4x5x3");
    v = BUILD_NODE(b, "Transpose", "t1", "perm=0,3,1,2", v);
    v = BUILD_NODE(b, "Relu", "relu", "", v);
    v = BUILD_NODE(b, "Transpose", "t2", "perm=0,2,3,1", v);
    build_output(b, BUILD_NODE(b, "Sigmoid", "y", "", v));
    passes(&r, NULL);
    assert_int_equal(graph_count(&r.after, "Transpose"), 0);
    assert_int_equal(r.after.n_nodes, 2);
    done(&r);
}

static void transpose__of_ones_becomes_a_reshape(void **state)
{
    (void)state;
    rewritten r;
    graph_builder *b = &r.before;
    build_begin(b, 7);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x6x1x1");
    const ferry_value_id t = BUILD_NODE(b, "Transpose", "t", "perm=0,2,3,1", x);
    build_output(b, BUILD_NODE(b, "Reshape", "y", "", t, build_ints(b, "s", 2, (int64_t[]){1, -1})));
    passes(&r, NULL);
    assert_int_equal(graph_count(&r.after, "Transpose"), 0);
    assert_int_equal(graph_count(&r.after, "Reshape"), 1);
    done(&r);
}

static void layer_norm__is_recognised(void **state)
{
    (void)state;
    for (int affine = 0; affine < 2; affine++) {
        rewritten r;
        graph_builder *b = &r.before;
        build_begin(b, 8);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x5x8");
        const ferry_value_id axes = build_ints(b, "axes", 1, (int64_t[]){-1});
        const ferry_value_id mean = BUILD_NODE(b, "ReduceMean", "mean", "keepdims=1", x, axes);
        const ferry_value_id d = BUILD_NODE(b, "Sub", "d", "", x, mean);
        const ferry_value_id q = BUILD_NODE(b, "Pow", "q", "", d, build_scalar(b, 2.0f));
        const ferry_value_id var = BUILD_NODE(b, "ReduceMean", "var", "keepdims=1", q, axes);
        const ferry_value_id e = BUILD_NODE(b, "Add", "e", "", var, build_scalar(b, 1e-3f));
        ferry_value_id v = BUILD_NODE(b, "Div", "n", "", d, BUILD_NODE(b, "Sqrt", "s", "", e));
        if (affine) {
            v = BUILD_NODE(b, "Mul", "g", "", v, build_constant(b, "gain", "8", 1.0f));
            v = BUILD_NODE(b, "Add", "y", "", build_constant(b, "offset", "8", 1.0f), v);
        }
        build_output(b, v);
        passes(&r, NULL);
        assert_int_equal(r.after.n_nodes, 1);
        assert_string_equal(r.after.nodes[0].op->name, "LayerNormalization");
        done(&r);
    }
}

static void gelu__is_recognised_in_each_order(void **state)
{
    (void)state;
    for (int form = 0; form < 3; form++) {
        rewritten r;
        graph_builder *b = &r.before;
        build_begin(b, 9);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "3x7");
        const ferry_value_id u = form == 1 ? BUILD_NODE(b, "Mul", "u", "", x, build_scalar(b, 0.70710677f))
                                           : BUILD_NODE(b, "Div", "u", "", x, build_scalar(b, 1.41421356f));
        const ferry_value_id a =
            BUILD_NODE(b, "Add", "a", "", BUILD_NODE(b, "Erf", "erf", "", u), build_scalar(b, 1.0f));
        const ferry_value_id half = build_scalar(b, 0.5f);
        if (form == 0)
            build_output(b, BUILD_NODE(b, "Mul", "y", "", BUILD_NODE(b, "Mul", "p", "", x, a), half));
        else if (form == 1)
            build_output(b, BUILD_NODE(b, "Mul", "y", "", BUILD_NODE(b, "Mul", "p", "", x, half), a));
        else
            build_output(b, BUILD_NODE(b, "Mul", "y", "", BUILD_NODE(b, "Mul", "p", "", a, half), x));
        passes(&r, NULL);
        assert_int_equal(r.after.n_nodes, 1);
        assert_string_equal(r.after.nodes[0].op->name, "Gelu");
        done(&r);
    }
}

static void swish__is_recognised_in_each_form(void **state)
{
    (void)state;
    static const char *const expected[] = {"Silu", "HardSwish", "HardSwish", "HardSwish", "HardSigmoid"};
    for (int form = 0; form < 5; form++) {
        rewritten r;
        graph_builder *b = &r.before;
        build_begin(b, 10);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "3x7");
        const ferry_value_id three = BUILD_NODE(b, "Add", "x3", "", x, build_scalar(b, 3.0f));
        const ferry_value_id six = BUILD_NODE(b, "Clip", "r6", "", three, build_scalar(b, 0.0f), build_scalar(b, 6.0f));
        ferry_value_id y = FERRY_NO_VALUE;
        if (form == 0) y = BUILD_NODE(b, "Mul", "y", "", BUILD_NODE(b, "Sigmoid", "s", "", x), x);
        if (form == 1) y = BUILD_NODE(b, "Div", "y", "", BUILD_NODE(b, "Mul", "p", "", x, six), build_scalar(b, 6.0f));
        if (form == 2) y = BUILD_NODE(b, "Mul", "y", "", BUILD_NODE(b, "Div", "p", "", six, build_scalar(b, 6.0f)), x);
        if (form == 3)
            y = BUILD_NODE(b, "Mul", "y", "", x, BUILD_NODE(b, "HardSigmoid", "h", "alpha=0.16666667 beta=0.5", x));
        if (form == 4) y = BUILD_NODE(b, "Mul", "y", "", six, build_scalar(b, 1.0f / 6.0f));
        build_output(b, y);
        passes(&r, NULL);
        assert_int_equal(r.after.n_nodes, 1);
        assert_string_equal(r.after.nodes[0].op->name, expected[form]);
        done(&r);
    }
}

static void gate__takes_its_shortcut_in(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        rewritten r;
        graph_builder *b = &r.before;
        build_begin(b, 11);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x3x4x5");
        const ferry_value_id g = build_input(b, "g", FERRY_F32, form == 2 ? "2x3x4x5" : "2x3x1x1");
        const ferry_value_id p = form == 1 ? BUILD_NODE(b, "Mul", "p", "", g, x) : BUILD_NODE(b, "Mul", "p", "", x, g);
        if (form == 3) build_output(b, p);
        build_output(b, form == 1 ? BUILD_NODE(b, "Add", "y", "", x, p) : BUILD_NODE(b, "Add", "y", "", p, x));
        passes(&r, NULL);
        // Not a gate where it is as large as the picture, and nothing is saved where others read the product.
        const bool taken = form < 2;
        const ferry_node *last = &r.after.nodes[r.after.n_nodes - 1];
        assert_int_equal(r.after.n_nodes, 2);
        assert_string_equal(last->op->name, taken ? "Mul" : "Add");
        done(&r);
    }
}

static void mean_pool__becomes_global_average_pool(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        rewritten r;
        graph_builder *b = &r.before;
        build_begin(b, 11);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "2x3x4x5");
        build_output(b, BUILD_NODE(b, "ReduceMean", "y", keep ? "keepdims=1" : "keepdims=0", x,
                                   build_ints(b, "axes", 2, (int64_t[]){-1, 2})));
        passes(&r, NULL);
        assert_int_equal(graph_count(&r.after, "GlobalAveragePool"), 1);
        assert_int_equal(r.after.n_nodes, keep ? 1 : 2);
        done(&r);
    }
}

static void pad__goes_into_convolution_and_pooling(void **state)
{
    (void)state;
    for (int pool = 0; pool < 2; pool++) {
        rewritten r;
        graph_builder *b = &r.before;
        build_begin(b, 12);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x2x5x6");
        const ferry_value_id padded = BUILD_NODE(b, "Pad", "pad", "mode=constant", x,
                                                 build_ints(b, "pads", 8, (int64_t[]){0, 0, 1, 0, 0, 0, 2, 3}));
        build_output(b, pool ? BUILD_NODE(b, "AveragePool", "y", "kernel_shape=3,3 strides=2,1", padded)
                             : BUILD_NODE(b, "Conv", "y", "kernel_shape=3,3 pads=1,1,0,0", padded,
                                          build_constant(b, "w", "4x2x3x3", 1.0f)));
        passes(&r, NULL);
        assert_int_equal(r.after.n_nodes, 1);
        done(&r);
    }
}

static void pad__stays_before_a_pooling_that_does_not_count_its_own(void **state)
{
    (void)state;
    rewritten r;
    graph_builder *b = &r.before;
    build_begin(b, 13);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x2x5x6");
    const ferry_value_id padded =
        BUILD_NODE(b, "Pad", "pad", "mode=constant", x, build_ints(b, "pads", 8, (int64_t[]){0, 0, 1, 0, 0, 0, 2, 3}));
    build_output(b, BUILD_NODE(b, "AveragePool", "y", "kernel_shape=3,3 pads=1,1,1,1", padded));
    passes(&r, NULL);
    assert_int_equal(r.after.n_nodes, 2);
    done(&r);
}

static void batch_norm__folds_into_the_convolution_before(void **state)
{
    (void)state;
    static const struct {
        const char *op, *weights, *attrs, *channels;
    } cases[] = {{"Conv", "6x4x3x3", "kernel_shape=3,3 pads=1,1,1,1", "6"},
                 {"Conv", "4x1x3x3", "kernel_shape=3,3 group=4", "4"},
                 {"ConvTranspose", "4x3x2x2", "kernel_shape=2,2 strides=2,2", "3"},
                 {"ConvTranspose", "4x3x2x2", "kernel_shape=2,2 strides=2,2 group=2", "6"}};
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) {
        rewritten r;
        graph_builder *b = &r.before;
        build_begin(b, 14);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x6x6");
        const ferry_value_id conv =
            BUILD_NODE(b, cases[i].op, "conv", cases[i].attrs, x, build_constant(b, "w", cases[i].weights, 1.0f),
                       build_constant(b, "b", cases[i].channels, 1.0f));
        build_output(b, batch_norm(b, "y", conv, cases[i].channels));
        passes(&r, NULL);
        assert_int_equal(r.after.n_nodes, 1);
        assert_string_equal(r.after.nodes[0].absorbed, "y");
        done(&r);
    }
}

static void batch_norm__folds_into_the_next_convolution_without_pads(void **state)
{
    (void)state;
    for (int padded = 0; padded < 2; padded++) {
        rewritten r;
        graph_builder *b = &r.before;
        build_begin(b, 15);
        const ferry_value_id bn = batch_norm(b, "bn", build_input(b, "x", FERRY_F32, "2x4x6x6"), "4");
        build_output(b, BUILD_NODE(b, "Conv", "y",
                                   padded ? "kernel_shape=3,3 pads=1,1,1,1 group=2" : "kernel_shape=3,3 group=2", bn,
                                   build_constant(b, "w", "6x2x3x3", 1.0f)));
        passes(&r, NULL);
        // With pads the offset can't move, so it becomes an Add; the factor moves all the same.
        assert_int_equal(graph_count(&r.after, "BatchNormalization"), 0);
        assert_int_equal(graph_count(&r.after, "FusedConv"), 1);
        assert_int_equal(graph_count(&r.after, "Add"), padded);
        done(&r);
    }
}

static void batch_norm__alone_becomes_mul_and_add(void **state)
{
    (void)state;
    rewritten r;
    graph_builder *b = &r.before;
    build_begin(b, 16);
    build_output(b, batch_norm(b, "y", build_input(b, "x", FERRY_F32, "2x4x3"), "4"));
    passes(&r, NULL);
    assert_int_equal(graph_count(&r.after, "Mul") + graph_count(&r.after, "Add"), 2);
    assert_int_equal(r.after.n_nodes, 2);
    done(&r);
}

static void scale__folds_constants_before_and_after(void **state)
{
    (void)state;
    rewritten r;
    graph_builder *b = &r.before;
    build_begin(b, 17);
    ferry_value_id v = build_input(b, "x", FERRY_F32, "1x3x5x5");
    v = BUILD_NODE(b, "Sub", "sub", "", v, build_constant(b, "mean", "3x1x1", 1.0f));
    v = BUILD_NODE(b, "Div", "div", "", v, build_between(b, "std", "1x3x1x1", 0.5f, 2.0f));
    v = BUILD_NODE(b, "Conv", "conv", "kernel_shape=3,3", v, build_constant(b, "w", "4x3x3x3", 1.0f));
    v = BUILD_NODE(b, "Mul", "mul", "", build_constant(b, "m", "4x1x1", 2.0f), v);
    v = BUILD_NODE(b, "Sub", "rsub", "", build_scalar(b, 0.25f), v);
    build_output(b, BUILD_NODE(b, "Add", "y", "", v, build_constant(b, "a", "1x4x1x1", 2.0f)));
    passes(&r, NULL);
    assert_int_equal(r.after.n_nodes, 1);
    done(&r);
}

static void scale__leaves_constants_that_vary_in_space(void **state)
{
    (void)state;
    rewritten r;
    graph_builder *b = &r.before;
    build_begin(b, 18);
    const ferry_value_id conv =
        BUILD_NODE(b, "Conv", "conv", "kernel_shape=1,1", build_input(b, "x", FERRY_F32, "1x3x2x4"),
                   build_constant(b, "w", "4x3x1x1", 1.0f));
    build_output(b, BUILD_NODE(b, "Mul", "y", "", conv, build_constant(b, "m", "4", 2.0f))); // along the width
    passes(&r, NULL);
    assert_int_equal(r.after.n_nodes, 2);
    done(&r);
}

static void gemm__takes_alpha_beta_and_bias(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        rewritten r;
        graph_builder *b = &r.before;
        build_begin(b, 19);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, form == 3 ? "2x3x5" : form == 1 ? "5x3" : "3x5");
        if (form == 3) {
            const ferry_value_id mm = BUILD_NODE(b, "MatMul", "mm", "", x, build_constant(b, "w", "5x4", 1.0f));
            build_output(b, BUILD_NODE(b, "Add", "y", "", build_constant(b, "b", "4", 1.0f), mm));
        } else {
            static const char *const attrs[] = {"alpha=0.5 beta=2", "transA=1", "transB=1 alpha=3"};
            build_output(b, BUILD_NODE(b, "Gemm", "y", attrs[form], x,
                                       build_constant(b, "w", form == 2 ? "4x5" : "5x4", 1.0f),
                                       build_constant(b, "b", form == 1 ? "1x4" : "4", 1.0f)));
        }
        passes(&r, NULL);
        assert_int_equal(r.after.n_nodes, 1);
        assert_string_equal(r.after.nodes[0].op->name, "FusedGemm");
        done(&r);
    }
}

static void conv__makes_same_padding_explicit(void **state)
{
    (void)state;
    static const char *const modes[] = {"auto_pad=SAME_UPPER strides=2,2", "auto_pad=SAME_LOWER strides=1,2",
                                        "auto_pad=VALID", "auto_pad=SAME_UPPER dilations=2,1"};
    for (size_t i = 0; i < FERRY_COUNT_OF(modes); i++) {
        rewritten r;
        graph_builder *b = &r.before;
        build_begin(b, 20);
        build_output(b, BUILD_NODE(b, "Conv", "y", modes[i], build_input(b, "x", FERRY_F32, "1x2x7x8"),
                                   build_constant(b, "w", "3x2x3x2", 1.0f)));
        passes(&r, NULL);
        assert_int_equal(graph_count(&r.after, "FusedConv"), 1);
        done(&r);
    }
}

static void epilogue__fuses_activation_and_residual(void **state)
{
    (void)state;
    for (int form = 0; form < 5; form++) {
        rewritten r;
        graph_builder *b = &r.before;
        build_begin(b, 21);
        const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x5x5");
        const ferry_value_id one = BUILD_NODE(b, "Conv", "conv1", "kernel_shape=3,3 pads=1,1,1,1", x,
                                              build_constant(b, "w1", "4x4x3x3", 1.0f));
        ferry_value_id v = one;
        if (form == 0) v = BUILD_NODE(b, "Relu", "y", "", BUILD_NODE(b, "Add", "add", "", v, x));
        if (form == 1) v = BUILD_NODE(b, "Add", "y", "", x, BUILD_NODE(b, "LeakyRelu", "a", "alpha=0.1", v));
        if (form == 2) v = BUILD_NODE(b, "Clip", "y", "", v, build_scalar(b, -1.0f), build_scalar(b, 2.0f));
        if (form == 3) v = BUILD_NODE(b, "HardSigmoid", "y", "alpha=0.3 beta=0.4", v);
        if (form == 4) v = BUILD_NODE(b, "Clip", "y", "", v, build_scalar(b, 0.0f));
        build_output(b, v);
        passes(&r, NULL);
        assert_int_equal(r.after.n_nodes, 1);
        if (form == 0) assert_string_equal(r.after.nodes[0].absorbed, "add + y");
        if (form == 4) assert_string_equal(ferry_node_string(&r.after.nodes[0], "act", ""), "relu");
        done(&r);
    }
}

static void epilogue__gives_the_residual_to_the_later_of_two_convolutions(void **state)
{
    (void)state;
    rewritten r;
    graph_builder *b = &r.before;
    build_begin(b, 22);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x4x5x5");
    const ferry_value_id shortcut =
        BUILD_NODE(b, "Conv", "shortcut", "kernel_shape=1,1", x, build_constant(b, "w1", "4x4x1x1", 1.0f));
    const ferry_value_id a =
        BUILD_NODE(b, "Conv", "main1", "kernel_shape=1,1", x, build_constant(b, "w2", "4x4x1x1", 1.0f));
    const ferry_value_id c = BUILD_NODE(b, "Conv", "main2", "kernel_shape=1,1", BUILD_NODE(b, "Sigmoid", "s", "", a),
                                        build_constant(b, "w3", "4x4x1x1", 1.0f));
    build_output(b, BUILD_NODE(b, "Relu", "y", "", BUILD_NODE(b, "Add", "add", "", c, shortcut)));
    passes(&r, NULL);
    assert_int_equal(graph_count(&r.after, "Add") + graph_count(&r.after, "Relu"), 0);
    for (size_t n = 0; n < r.after.n_nodes; n++)
        assert_int_equal(r.after.nodes[n].absorbed != NULL, strcmp(r.after.nodes[n].name, "main2") == 0);
    done(&r);
}

static void epilogue__leaves_what_others_read(void **state)
{
    (void)state;
    rewritten r;
    graph_builder *b = &r.before;
    build_begin(b, 23);
    const ferry_value_id conv =
        BUILD_NODE(b, "Conv", "c", "kernel_shape=1,1", build_input(b, "x", FERRY_F32, "1x2x3x3"),
                   build_constant(b, "w", "2x2x1x1", 1.0f));
    build_output(b, BUILD_NODE(b, "Relu", "y", "", conv));
    build_output(b, conv);
    passes(&r, NULL);
    assert_int_equal(r.after.n_nodes, 2);
    done(&r);
}

static ferry_value_id fake_quantise(graph_builder *b, const char *name, ferry_value_id x, float scale, int8_t zero)
{
    const ferry_value_id s = build_scalar(b, scale), z = build_bytes(b, "z", "", &zero);
    char q_name[64];
    strcpy(q_name, name);
    strcat(q_name, "_q");
    return BUILD_NODE(b, "DequantizeLinear", name, "", BUILD_NODE(b, "QuantizeLinear", q_name, "", x, s, z), s, z);
}

static void qdq__records_scales_and_keeps_weights_on_their_grid(void **state)
{
    (void)state;
    graph_builder b;
    ferry_error err;
    build_begin(&b, 24);
    const ferry_value_id x = fake_quantise(&b, "xd", build_input(&b, "x", FERRY_F32, "1x1x2x2"), 0.125f, 0);
    const ferry_value_id w =
        BUILD_NODE(&b, "DequantizeLinear", "w", "axis=0", build_bytes(&b, "wq", "2x1x1x1", (int8_t[]){-128, 5}),
                   build_floats(&b, "ws", "2", (float[]){0.5f, 0.25f}), build_bytes(&b, "wz", "2", (int8_t[]){0, 0}));
    const ferry_value_id y = BUILD_NODE(&b, "Conv", "conv", "kernel_shape=1,1", x, w);
    build_output(&b, BUILD_NODE(&b, "Relu", "y", "", fake_quantise(&b, "cd", y, 0.5f, 0)));
    build_finish(&b);
    assert_int_equal(ferry_passes_run(&b.graph, NULL, NULL, &err), FERRY_OK);
    assert_int_equal(b.graph.n_nodes, 1);
    const ferry_node *conv = graph_node(&b.graph, "FusedConv");
    const ferry_value *in = &b.graph.values[conv->inputs[0]], *weights = &b.graph.values[conv->inputs[1]];
    assert_string_equal(in->name, "x");
    assert_int_equal(in->quant.dtype, FERRY_S8);
    assert_true(in->quant.scales[0] == 0.125f);
    assert_int_equal(weights->dtype, FERRY_F32);
    assert_int_equal(weights->quant.axis, 0);
    assert_true(weights->quant.scales[0] == 0.5f && weights->quant.scales[1] == 0.25f);
    assert_true(((const float *)weights->data)[0] == -64.0f && ((const float *)weights->data)[1] == 1.25f);
    build_end(&b);
}

static void qdq__records_zero_points(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) { // int8, uint8
        graph_builder b;
        ferry_error err;
        const int8_t z = 3;
        build_begin(&b, 25);
        const ferry_value_id x = build_input(&b, "x", FERRY_F32, "4"), scale = build_scalar(&b, 0.125f);
        const ferry_value_id zero = build_bytes(&b, "z", "", &z);
        if (i) b.graph.values[zero].dtype = FERRY_U8;
        const ferry_value_id q = BUILD_NODE(&b, "QuantizeLinear", "q", "", x, scale, zero);
        build_output(&b, BUILD_NODE(&b, "Relu", "y", "", BUILD_NODE(&b, "DequantizeLinear", "dq", "", q, scale, zero)));
        build_finish(&b);
        assert_int_equal(ferry_passes_run(&b.graph, NULL, NULL, &err), FERRY_OK);
        assert_int_equal(b.graph.n_nodes, 1);
        const ferry_value *in = &b.graph.values[b.graph.nodes[0].inputs[0]];
        assert_string_equal(in->name, "x");
        assert_int_equal(in->quant.dtype, FERRY_S8);
        assert_true(in->quant.scales[0] == 0.125f);
        assert_int_equal(in->quant.zero_points[0], i ? 3 - 128 : 3);
        build_end(&b);
    }
}

static void qdq__leaves_pairs_of_two_grids_to_be_executed(void **state)
{
    (void)state;
    rewritten r;
    build_begin(&r.before, 25);
    const ferry_value_id x = build_input(&r.before, "x", FERRY_F32, "4"), scale = build_scalar(&r.before, 0.125f);
    const ferry_value_id q =
        BUILD_NODE(&r.before, "QuantizeLinear", "q", "", x, scale, build_bytes(&r.before, "z", "", (int8_t[]){3}));
    const ferry_value_id dq =
        BUILD_NODE(&r.before, "DequantizeLinear", "dq", "", q, scale, build_bytes(&r.before, "z2", "", (int8_t[]){2}));
    build_output(&r.before, BUILD_NODE(&r.before, "Relu", "y", "", dq));
    passes(&r, NULL);
    assert_int_equal(r.after.n_nodes, 3);
    done(&r);
}

static void table__disables_by_name_and_refuses_unknown_names(void **state)
{
    (void)state;
    rewritten r;
    ferry_error err;
    build_begin(&r.before, 26);
    const ferry_value_id conv =
        BUILD_NODE(&r.before, "Conv", "c", "kernel_shape=1,1", build_input(&r.before, "x", FERRY_F32, "1x2x3x3"),
                   build_constant(&r.before, "w", "2x2x1x1", 1.0f));
    build_output(&r.before, BUILD_NODE(&r.before, "Relu", "y", "", conv));
    passes(&r, "epilogue");
    assert_int_equal(r.after.n_nodes, 2);
    const char *unknown = "no_such_pass";
    const ferry_passes_options options = {.disabled = &unknown, .n_disabled = 1};
    assert_int_equal(ferry_passes_run(&r.after, &options, NULL, &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "no_such_pass"));
    for (size_t i = 0; ferry_pass_at(i); i++)
        assert_ptr_equal(ferry_pass_find(ferry_pass_at(i)->name), ferry_pass_at(i));
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fold__evaluates_constants_and_known_shapes),
        cmocka_unit_test(fold__takes_known_dims_of_a_partly_known_shape),
        cmocka_unit_test(fold__respects_its_limit),
        cmocka_unit_test(dead__removes_what_changes_nothing),
        cmocka_unit_test(dead__keeps_identity_between_input_and_output),
        cmocka_unit_test(transpose__cancels_and_goes_past_elementwise),
        cmocka_unit_test(transpose__of_ones_becomes_a_reshape),
        cmocka_unit_test(layer_norm__is_recognised),
        cmocka_unit_test(gelu__is_recognised_in_each_order),
        cmocka_unit_test(swish__is_recognised_in_each_form),
        cmocka_unit_test(gate__takes_its_shortcut_in),
        cmocka_unit_test(mean_pool__becomes_global_average_pool),
        cmocka_unit_test(pad__goes_into_convolution_and_pooling),
        cmocka_unit_test(pad__stays_before_a_pooling_that_does_not_count_its_own),
        cmocka_unit_test(batch_norm__folds_into_the_convolution_before),
        cmocka_unit_test(batch_norm__folds_into_the_next_convolution_without_pads),
        cmocka_unit_test(batch_norm__alone_becomes_mul_and_add),
        cmocka_unit_test(scale__folds_constants_before_and_after),
        cmocka_unit_test(scale__leaves_constants_that_vary_in_space),
        cmocka_unit_test(gemm__takes_alpha_beta_and_bias),
        cmocka_unit_test(conv__makes_same_padding_explicit),
        cmocka_unit_test(epilogue__fuses_activation_and_residual),
        cmocka_unit_test(epilogue__gives_the_residual_to_the_later_of_two_convolutions),
        cmocka_unit_test(epilogue__leaves_what_others_read),
        cmocka_unit_test(qdq__records_scales_and_keeps_weights_on_their_grid),
        cmocka_unit_test(qdq__records_zero_points),
        cmocka_unit_test(qdq__leaves_pairs_of_two_grids_to_be_executed),
        cmocka_unit_test(table__disables_by_name_and_refuses_unknown_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

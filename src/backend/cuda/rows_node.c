// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/rows_node.h"

#include "backend/reading/conv_shape.h"
#include "ops/element.h"
#include "ops/op.h"
#include "ops/rules.h"

static const struct {
    const char *op, *text;
} reductions[] = {
    {"ReduceSum", "#define FIRST 0.0f\n#define TAKE(v) (v)\n#define JOIN(a, b) ((a) + (b))\n#define END(a, n) (a)\n"},
    {"ReduceMean",
     "#define FIRST 0.0f\n#define TAKE(v) (v)\n#define JOIN(a, b) ((a) + (b))\n#define END(a, n) ((a) / (n))\n"},
    {"ReduceProd", "#define FIRST 1.0f\n#define TAKE(v) (v)\n#define JOIN(a, b) ((a) * (b))\n#define END(a, n) (a)\n"},
    {"ReduceMax",
     "#define FIRST __int_as_float((int)0xff800000u)\n#define TAKE(v) (v)\n#define JOIN(a, b) fn_max(a, b)\n"
     "#define END(a, n) (a)\n"},
    {"ReduceMin", "#define FIRST __int_as_float(0x7f800000)\n#define TAKE(v) (v)\n#define JOIN(a, b) fn_min(a, b)\n"
                  "#define END(a, n) (a)\n"},
    {"ReduceL1",
     "#define FIRST 0.0f\n#define TAKE(v) fabsf(v)\n#define JOIN(a, b) ((a) + (b))\n#define END(a, n) (a)\n"},
    {"ReduceL2",
     "#define FIRST 0.0f\n#define TAKE(v) ((v) * (v))\n#define JOIN(a, b) ((a) + (b))\n#define END(a, n) sqrtf(a)\n"},
    {"ReduceSumSquare",
     "#define FIRST 0.0f\n#define TAKE(v) ((v) * (v))\n#define JOIN(a, b) ((a) + (b))\n#define END(a, n) (a)\n"},
    {"ReduceLogSum",
     "#define FIRST 0.0f\n#define TAKE(v) (v)\n#define JOIN(a, b) ((a) + (b))\n#define END(a, n) logf(a)\n"},
};

bool ferry_cuda_rows_cut(const ferry_tensor_desc *x, const bool *over, ferry_cuda_rows *out)
{
    out->outer = out->length = out->inner = 1;
    int state = 0; // before, in and behind the lines
    const bool last = x->layout == FERRY_LAYOUT_CHANNELS_LAST && x->rank >= 3;
    for (int32_t i = 0; i < x->rank; i++) { // in the order of memory
        const int32_t d = !last || i == 0 ? i : i + 1 < x->rank ? i + 1 : 1;
        if (x->dims[d] == 1) continue;
        if (over[d] && state == 2) return false;
        state = over[d] ? 1 : state == 1 ? 2 : state;
        if (state == 0)
            out->outer *= x->dims[d];
        else if (state == 1)
            out->length *= x->dims[d];
        else
            out->inner *= x->dims[d];
    }
    return true;
}

static bool cut_axis(const ferry_node *node, const ferry_tensor_desc *x, int64_t otherwise, bool to_end,
                     ferry_cuda_rows *out)
{
    int32_t axis = 0;
    bool over[FERRY_MAX_RANK] = {false};
    if (ferry_axis(ferry_node_int(node, "axis", otherwise), x->rank, &axis, NULL) != FERRY_OK) return false;
    for (int32_t d = axis; d < (to_end ? x->rank : axis + 1); d++) over[d] = true;
    return ferry_cuda_rows_cut(x, over, out);
}

// --- Reductions -----------------------------------------------------------------------------------------------------

static bool read_axes(const ferry_graph *g, const ferry_node *node, int32_t rank, bool *over)
{
    int64_t axes[FERRY_MAX_RANK];
    int32_t count = 0;
    const ferry_value *value = ferry_node_value(g, node, 1);
    if (value) {
        if (!ferry_value_is_constant(value) || value->dtype != FERRY_S64 ||
            ferry_value_elements(value) > FERRY_MAX_RANK)
            return false;
        const ferry_tensor t = ferry_value_tensor(value);
        count = (int32_t)ferry_tensor_elements(&t);
        for (int32_t i = 0; i < count; i++) axes[i] = ferry_load_s64(&t, (size_t)i);
    }
    if (count == 0 && ferry_node_int(node, "noop_with_empty_axes", 0)) return false;
    if (ferry_axes_flags(axes, count, rank, over, NULL) != FERRY_OK) return false;
    for (int32_t d = 0; d < rank && count == 0; d++) over[d] = true;
    return true;
}

static bool read_reduce(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x,
                        const ferry_tensor_desc *y, ferry_cuda_rows *out)
{
    bool over[FERRY_MAX_RANK] = {false};
    for (size_t i = 0; i < FERRY_COUNT_OF(reductions); i++)
        if (ferry_node_is(node, reductions[i].op)) out->text = reductions[i].text;
    if (!out->text || !read_axes(g, node, x->rank, over) || !ferry_cuda_rows_cut(x, over, out)) return false;
    int64_t elements = 0;
    // What stays keeps its order only where the output has the input's dimensions, or both are plain.
    if (y->rank != x->rank && x->layout != FERRY_LAYOUT_PLAIN && x->rank >= 3) return false;
    for (int32_t d = 0; d < x->rank && y->rank == x->rank; d++)
        if (y->dims[d] != (over[d] ? 1 : x->dims[d])) return false;
    return ferry_cuda_elements(y, &elements) && elements == out->outer * out->inner;
}

// --- Normalisations -------------------------------------------------------------------------------------------------

static bool is_vector(const ferry_value *v, int64_t elements)
{
    return ferry_value_is_constant(v) && ferry_dtype_widens_to_f32(v->dtype) &&
           ferry_value_elements(v) == (double)elements;
}

// LayerNormalization and RMSNormalization: an element of scale for each of the line.
static bool read_layer_norm(const ferry_node *node, const ferry_tensor_desc *x, ferry_cuda_rows *out)
{
    out->groups = out->plane = 1;
    if (x->rank >= 3 && x->layout != FERRY_LAYOUT_PLAIN) return false; // scales lie as the model has them
    for (int32_t o = 1; o < node->n_outputs; o++)
        if (node->outputs[o] != FERRY_NO_VALUE) return false;
    return cut_axis(node, x, -1, true, out) && out->inner == 1 && out->scale && is_vector(out->scale, out->length);
}

// Instances and groups of channels: the channels of a picture in so many parts.
static bool read_group_norm(const ferry_node *node, const ferry_tensor_desc *x, int64_t groups, ferry_cuda_rows *out)
{
    if (x->rank < 2 || (x->rank >= 3 && x->layout != FERRY_LAYOUT_PLAIN) || groups < 1 || x->dims[1] % groups != 0)
        return false;
    out->groups = groups;
    out->plane = ferry_cuda_plane(x);
    out->outer = x->dims[0] * groups;
    out->length = x->dims[1] / groups * out->plane;
    out->inner = 1;
    (void)node;
    return out->scale && is_vector(out->scale, x->dims[1]) && out->plane > 0;
}

static bool read_norm(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x, ferry_cuda_rows *out)
{
    out->kind = FERRY_CUDA_NORM;
    out->scale = ferry_node_value(g, node, 1);
    out->bias = ferry_node_value(g, node, 2);
    out->centred = !ferry_node_is(node, "RMSNormalization");
    out->epsilon = ferry_node_float(node, "epsilon", 1e-5f);
    const bool layer = ferry_node_is(node, "LayerNormalization") || !out->centred;
    const int64_t groups = ferry_node_is(node, "GroupNormalization") ? ferry_node_int(node, "num_groups", 0)
                                                                     : (x->rank >= 2 ? x->dims[1] : 0);
    if (!(layer ? read_layer_norm(node, x, out) : read_group_norm(node, x, groups, out))) return false;
    return !out->bias || is_vector(out->bias, (int64_t)ferry_value_elements(out->scale));
}

bool ferry_cuda_rows_read(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x,
                          const ferry_tensor_desc *y, ferry_cuda_rows *out)
{
    *out = (ferry_cuda_rows){.groups = 1, .plane = 1};
    int64_t elements = 0;
    if (!ferry_dtype_widens_to_f32(x->dtype) || !ferry_dtype_widens_to_f32(y->dtype) ||
        !ferry_cuda_elements(x, &elements) || elements == 0 || !ferry_tensor_desc_is_dense(x, x->layout) ||
        !ferry_tensor_desc_is_dense(y, y->layout))
        return false;
    bool fits = false;
    if (ferry_node_is(node, "Softmax") || ferry_node_is(node, "LogSoftmax")) {
        out->kind = ferry_node_is(node, "Softmax") ? FERRY_CUDA_SOFTMAX : FERRY_CUDA_LOG_SOFTMAX;
        fits = cut_axis(node, x, -1, false, out);
    } else if (ferry_node_is(node, "LayerNormalization") || ferry_node_is(node, "RMSNormalization") ||
               ferry_node_is(node, "GroupNormalization") || ferry_node_is(node, "InstanceNormalization")) {
        fits = read_norm(g, node, x, out);
    } else {
        out->kind = FERRY_CUDA_REDUCE;
        return read_reduce(g, node, x, y, out);
    }
    return fits && ferry_tensor_desc_same_dims(x, y) && (x->layout == y->layout || x->rank < 3);
}

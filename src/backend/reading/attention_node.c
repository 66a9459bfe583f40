// SPDX-License-Identifier: Apache-2.0
// Reads a region of attention: from its output back over both products to q, k and v.
#include "backend/reading/attention_node.h"

#include <math.h>
#include <string.h>

#include "backend/reading/conv_stages.h"
#include "ops/element.h"
#include "ops/op.h"

typedef struct reader {
    const ferry_region *region;
    const ferry_tensor_desc *in;
    int32_t left; // nodes that may still be walked over: no region makes it go on for ever
} reader;

// The node of the region that makes the value; NULL when none does.
static const ferry_node *maker(const reader *r, ferry_value_id value)
{
    const ferry_graph *g = r->region->graph;
    if (value < 0) return NULL;
    for (int32_t i = 0; i < r->region->n_nodes; i++)
        if (r->region->nodes[i] == g->values[value].producer) return &g->nodes[r->region->nodes[i]];
    return NULL;
}

// Mul and Div by one constant number: which input is scaled, and by how much.
bool ferry_attention_factor(const ferry_graph *g, const ferry_node *node, int32_t *input, double *factor)
{
    const bool divides = ferry_node_is(node, "Div");
    if ((!divides && !ferry_node_is(node, "Mul")) || node->n_inputs != 2) return false;
    *input = !divides && ferry_node_has_constant(g, node, 0) ? 1 : 0;
    const ferry_value *number = ferry_node_value(g, node, 1 - *input), *x = ferry_node_value(g, node, *input);
    if (!x || !number || !ferry_value_is_constant(number) || !ferry_dtype_widens_to_f32(number->dtype) ||
        ferry_value_elements(number) != 1 || number->shape.rank > x->shape.rank)
        return false;
    const ferry_tensor t = ferry_value_tensor(number);
    *factor = divides ? 1 / ferry_load_f64(&t, 0) : ferry_load_f64(&t, 0);
    return true;
}

// How the value is seen from the region's input that it comes from. scale: takes up factors on the way; NULL: there
// may be none.
static bool see(reader *r, ferry_value_id value, double *scale, ferry_strided_view *view, int32_t *at)
{
    const ferry_graph *g = r->region->graph;
    const ferry_node *node = maker(r, value);
    int32_t input = 0;
    double factor = 1;
    if (!node) {
        *at = ferry_region_input(r->region, value);
        if (*at < 0 || !ferry_tensor_desc_is_dense(&r->in[*at], FERRY_LAYOUT_PLAIN)) return false;
        *view = ferry_strided_view_of(&r->in[*at]);
        return true;
    }
    if (r->left-- <= 0) return false;
    if (scale && ferry_attention_factor(g, node, &input, &factor)) {
        *scale *= factor;
        return see(r, node->inputs[input], scale, view, at);
    }
    ferry_strided_view x;
    int32_t o = 0;
    while (o < node->n_outputs && node->outputs[o] != value) o++;
    return o < node->n_outputs && node->n_inputs > 0 && see(r, node->inputs[0], scale, &x, at) &&
           ferry_strided_view_through(g, node, o, &x, view);
}

// The last two dims become rows and columns, the others batch dims of `node`; those of 1 are broadcast.
static bool take_matrix(const ferry_strided_view *view, const ferry_attention_node *node, int64_t rows, int64_t columns,
                        ferry_attention_matrix *out)
{
    if (view->rank != node->rank + 2 || view->dims[node->rank] != rows || view->dims[node->rank + 1] != columns)
        return false;
    out->first = view->first;
    out->row = view->strides[node->rank];
    out->column = view->strides[node->rank + 1];
    for (int32_t d = 0; d < node->rank; d++) {
        if (view->dims[d] != node->dims[d] && view->dims[d] != 1) return false;
        out->steps[d] = view->dims[d] == 1 ? 0 : view->strides[d];
    }
    return true;
}

static bool take_matrices(const ferry_strided_view *q, const ferry_strided_view *k, const ferry_strided_view *v,
                          ferry_attention_node *node)
{
    if (q->rank < 2 || k->rank != q->rank || v->rank != q->rank) return false;
    node->rank = q->rank - 2;
    node->batches = 1;
    for (int32_t d = 0; d < node->rank; d++) {
        const int64_t of_k = k->dims[d] > v->dims[d] ? k->dims[d] : v->dims[d];
        node->dims[d] = q->dims[d] > of_k ? q->dims[d] : of_k;
        if (!ferry_mul_size(node->batches, (size_t)node->dims[d], &node->batches)) return false;
    }
    const int64_t rows = q->dims[node->rank], depth = q->dims[node->rank + 1], keys = k->dims[node->rank + 1];
    const int64_t columns = v->dims[node->rank + 1];
    node->rows = (size_t)rows;
    node->depth = (size_t)depth;
    node->keys = (size_t)keys;
    node->columns = (size_t)columns;
    return take_matrix(q, node, rows, depth, &node->q) && take_matrix(k, node, depth, keys, &node->k) &&
           take_matrix(v, node, keys, columns, &node->v) && rows > 0 && depth > 0 && keys > 0 && columns > 0;
}

// The nodes behind the second product, last first. Their number, or -1.
static int32_t walk_back(reader *r, ferry_value_id value, const ferry_node **out, const ferry_node **product)
{
    int32_t n = 0;
    for (;; n++) {
        const ferry_node *node = maker(r, value);
        if (!node || node->n_outputs < 1 || node->outputs[0] != value || node->n_inputs < 1) return -1;
        *product = node;
        if (ferry_node_is(node, "MatMul")) return n;
        const bool moves = (node->op->flags & FERRY_OP_VIEW) || ferry_node_is(node, "Transpose");
        if ((!moves && !ferry_node_is(node, "QuantizeLinear")) || r->left-- <= 0) return -1;
        out[n] = node;
        value = node->inputs[0];
    }
}

static bool make_dense(ferry_strided_view *view)
{
    int64_t span = 1;
    for (int32_t d = view->rank - 1; d >= 0; d--) {
        view->strides[d] = span;
        if (__builtin_mul_overflow(span, view->dims[d], &span)) return false;
    }
    return true;
}

// The dims of what each node behind the product makes: seen[n] is the product's, seen[0] the last one's.
static bool see_dims(const ferry_graph *g, const ferry_node *const *behind, int32_t n, ferry_attention_node *node,
                     ferry_strided_view *seen)
{
    seen[n] = (ferry_strided_view){.rank = node->rank + 2};
    memcpy(seen[n].dims, node->dims, sizeof node->dims);
    seen[n].dims[node->rank] = (int64_t)node->rows;
    seen[n].dims[node->rank + 1] = (int64_t)node->columns;
    for (int32_t i = n - 1; i >= 0; i--) {
        if (!make_dense(&seen[i + 1])) return false;
        if (ferry_node_is(behind[i], "QuantizeLinear")) {
            if (node->quantise) return false;
            node->quantise = behind[i];
            seen[i] = seen[i + 1];
        } else if (!ferry_strided_view_through(g, behind[i], 0, &seen[i + 1], &seen[i])) {
            return false;
        }
    }
    return true;
}

// Where the product has to write, so that the output comes out as described.
static bool place_result(const ferry_graph *g, const ferry_node *const *behind, int32_t n, const ferry_tensor_desc *y,
                         ferry_attention_node *node)
{
    ferry_strided_view seen[FERRY_ATTENTION_NODES + 1];
    const ferry_strided_view whole = ferry_strided_view_of(y);
    if (!see_dims(g, behind, n, node, seen) || !ferry_tensor_desc_is_dense(y, FERRY_LAYOUT_PLAIN) ||
        whole.rank != seen[0].rank || memcmp(whole.dims, seen[0].dims, (size_t)whole.rank * sizeof *whole.dims) != 0)
        return false;
    seen[0] = whole;
    for (int32_t i = 0; i < n; i++) {
        if (behind[i] == node->quantise)
            seen[i + 1] = seen[i];
        else if (!ferry_strided_view_back(behind[i], &seen[i], &seen[i + 1]))
            return false;
    }
    node->y.at = -1;
    return take_matrix(&seen[n], node, (int64_t)node->rows, (int64_t)node->columns, &node->y);
}

bool ferry_attention_read(const ferry_region *region, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                          ferry_attention_node *node)
{
    const ferry_graph *g = region->graph;
    reader r = {region, in, FERRY_ATTENTION_NODES};
    const ferry_node *behind[FERRY_ATTENTION_NODES], *mix = NULL;
    *node = (ferry_attention_node){.scale = 1};
    if (region->n_outputs != 1 || region->n_inputs < 1 || region->n_nodes > FERRY_ATTENTION_NODES) return false;
    const int32_t n = walk_back(&r, region->outputs[0], behind, &mix);
    if (n < 0) return false;
    const ferry_node *softmax = maker(&r, mix->inputs[0]);
    if (!softmax || !ferry_node_is(softmax, "Softmax")) return false;
    const int64_t axis = ferry_node_int(softmax, "axis", -1);
    double scale = 1, factor = 1;
    int32_t input = 0;
    ferry_value_id scores = softmax->inputs[0];
    const ferry_node *product = maker(&r, scores);
    for (; product && ferry_attention_factor(g, product, &input, &factor) && r.left-- > 0; scale *= factor) {
        scores = product->inputs[input];
        product = maker(&r, scores);
    }
    ferry_strided_view q, k, v;
    if (!product || !ferry_node_is(product, "MatMul") || !see(&r, product->inputs[0], &scale, &q, &node->q.at) ||
        !see(&r, product->inputs[1], &scale, &k, &node->k.at) || !see(&r, mix->inputs[1], NULL, &v, &node->v.at) ||
        !take_matrices(&q, &k, &v, node) || (axis != -1 && axis != node->rank + 1))
        return false;
    node->scale = (float)scale;
    node->dtype = in[node->q.at].dtype;
    if (!(node->scale > 0) || !isfinite(node->scale) || in[node->k.at].dtype != node->dtype ||
        in[node->v.at].dtype != node->dtype || node->q.column != 1)
        return false;
    return place_result(g, behind, n, &out[0], node) && node->y.column == 1;
}

int64_t ferry_attention_offset(const ferry_attention_node *node, const ferry_attention_matrix *matrix, size_t batch)
{
    int64_t at = matrix->first;
    for (int32_t d = node->rank - 1; d >= 0; d--) {
        at += (int64_t)(batch % (size_t)node->dims[d]) * matrix->steps[d];
        batch /= (size_t)node->dims[d];
    }
    return at;
}

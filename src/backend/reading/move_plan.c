// SPDX-License-Identifier: Apache-2.0
// Concat, Split, Slice, Pad with a constant, Transpose, Expand, Tile, DepthToSpace and SpaceToDepth as strided copies.
// Shapes and parameters may come from a hostile file: every copy is checked to lie inside both of its tensors.
#include "backend/reading/move_plan.h"

#include <string.h>

#include "ops/element.h"

typedef struct making {
    const ferry_move_node *n;
    ferry_move *moves;
    int32_t count;
    bool fills;
    uint64_t value;
} making;

static void add(making *m, int32_t input, int32_t output, int32_t rank, const int64_t *dims, const int64_t *to,
                int64_t to_first, const int64_t *from, int64_t from_first)
{
    ferry_move *move = &m->moves[m->count++];
    move->input = input;
    move->output = output;
    ferry_strided_copy_make(&move->copy, ferry_dtype_bytes(m->n->y[output].dtype), rank, dims, to, to_first, from,
                            from_first);
}

// The elements of a small constant input of integers. False when it is something else.
static bool read_ints(const ferry_move_node *n, int32_t i, int32_t most, int64_t *out, int32_t *out_count)
{
    const ferry_value *value = ferry_node_value(n->graph, n->node, i);
    if (!value || !ferry_value_is_constant(value) || ferry_value_elements(value) > (double)most ||
        (value->dtype != FERRY_S64 && value->dtype != FERRY_S32))
        return false;
    const ferry_tensor t = ferry_value_tensor(value);
    *out_count = (int32_t)ferry_tensor_elements(&t);
    for (int32_t e = 0; e < *out_count; e++) out[e] = ferry_load_s64(&t, (size_t)e);
    return true;
}

static bool axis_of(int64_t axis, int32_t rank, int32_t *out)
{
    return ferry_axis(axis, rank, out, NULL) == FERRY_OK;
}

// --- Concat and Split: parts of one tensor along an axis ------------------------------------------------------------

static bool same_but(const ferry_tensor_desc *a, const ferry_tensor_desc *b, int32_t axis)
{
    if (a->rank != b->rank || a->dtype != b->dtype) return false;
    for (int32_t d = 0; d < a->rank; d++)
        if (d != axis && a->dims[d] != b->dims[d]) return false;
    return true;
}

static bool plan_concat(making *m)
{
    const ferry_tensor_desc *y = &m->n->y[0];
    int32_t axis = 0;
    int64_t at = 0;
    if (!axis_of(ferry_node_int(m->n->node, "axis", 0), y->rank, &axis)) return false;
    for (int32_t i = 0; i < m->n->node->n_inputs; i++) {
        const ferry_tensor_desc *x = &m->n->x[i];
        if (!same_but(x, y, axis) || x->dims[axis] > y->dims[axis] - at) return false;
        add(m, i, 0, y->rank, x->dims, y->strides, at * y->strides[axis], x->strides, 0);
        at += x->dims[axis];
    }
    return at == y->dims[axis];
}

static bool plan_split(making *m)
{
    const ferry_node *node = m->n->node;
    const ferry_tensor_desc *x = &m->n->x[0];
    int32_t axis = 0, count = 0;
    int64_t at = 0, sizes[64];
    const int64_t named = ferry_node_int(node, "num_outputs", node->n_outputs);
    const int64_t parts = named > node->n_outputs ? named : node->n_outputs;
    if (!axis_of(ferry_node_int(node, "axis", 0), x->rank, &axis) || parts > 64) return false;
    const bool given = ferry_node_value(m->n->graph, node, 1) != NULL;
    if (given && (!read_ints(m->n, 1, 64, sizes, &count) || count < node->n_outputs)) return false;
    const int64_t each = (x->dims[axis] + parts - 1) / parts;
    for (int32_t o = 0; o < node->n_outputs; o++) {
        const int64_t left = x->dims[axis] - at;
        const int64_t size = given ? sizes[o] : each < left ? each : left;
        if (size < 0 || size > left) return false;
        const ferry_tensor_desc *y = &m->n->y[o];
        if (y->rank >= 0) {
            if (!same_but(x, y, axis) || y->dims[axis] != size) return false;
            add(m, 0, o, y->rank, y->dims, y->strides, 0, x->strides, at * x->strides[axis]);
        }
        at += size;
    }
    return true;
}

// --- Slice and Pad: an inner box ------------------------------------------------------------------------------------

static bool plan_slice(making *m)
{
    const ferry_tensor_desc *x = &m->n->x[0], *y = &m->n->y[0];
    int64_t starts[FERRY_MAX_RANK], axes[FERRY_MAX_RANK], steps[FERRY_MAX_RANK], from[FERRY_MAX_RANK], first = 0;
    int32_t count = 0, n = 0;
    bool seen[FERRY_MAX_RANK] = {false};
    if (x->rank != y->rank || x->dtype != y->dtype || !read_ints(m->n, 1, x->rank, starts, &count)) return false;
    for (int32_t i = 0; i < FERRY_MAX_RANK; i++) axes[i] = i, steps[i] = 1;
    if (ferry_node_value(m->n->graph, m->n->node, 3) && (!read_ints(m->n, 3, x->rank, axes, &n) || n != count))
        return false;
    if (ferry_node_value(m->n->graph, m->n->node, 4) && (!read_ints(m->n, 4, x->rank, steps, &n) || n != count))
        return false;
    memcpy(from, x->strides, sizeof from);
    for (int32_t i = 0; i < count; i++) {
        int32_t d = 0;
        if (!axis_of(axes[i], x->rank, &d) || seen[d] || steps[i] == 0) return false;
        seen[d] = true;
        const int64_t dim = x->dims[d], most = steps[i] > 0 ? dim : dim - 1;
        int64_t start = starts[i] < -dim ? 0 : starts[i] < 0 ? starts[i] + dim : starts[i];
        if (start > most) start = most;
        if (y->dims[d] == 0) continue;
        int64_t reach = 0, last = 0;
        if (__builtin_mul_overflow(y->dims[d] - 1, steps[i], &reach) || __builtin_add_overflow(start, reach, &last) ||
            start < 0 || start >= dim || last < 0 || last >= dim)
            return false;
        first += start * x->strides[d];
        from[d] = y->dims[d] > 1 ? x->strides[d] * steps[i] : 0;
    }
    for (int32_t d = 0; d < x->rank; d++)
        if (!seen[d] && x->dims[d] != y->dims[d]) return false;
    add(m, 0, 0, y->rank, y->dims, y->strides, 0, from, first);
    return true;
}

static bool read_fill(making *m)
{
    const ferry_value *value = ferry_node_value(m->n->graph, m->n->node, 2);
    m->value = 0;
    if (!value) return true;
    if (!ferry_value_is_constant(value) || value->dtype != m->n->x[0].dtype || ferry_value_elements(value) != 1)
        return false;
    memcpy(&m->value, value->data, ferry_dtype_bytes(value->dtype));
    return true;
}

static bool plan_pad(making *m)
{
    const ferry_tensor_desc *x = &m->n->x[0], *y = &m->n->y[0];
    int64_t pads[2 * FERRY_MAX_RANK], axes[FERRY_MAX_RANK], dims[FERRY_MAX_RANK], to = 0, from = 0;
    int32_t count = 0, n_axes = x->rank;
    bool seen[FERRY_MAX_RANK] = {false};
    if (strcmp(ferry_node_string(m->n->node, "mode", "constant"), "constant") != 0 || x->rank != y->rank ||
        x->dtype != y->dtype || !read_fill(m) || !read_ints(m->n, 1, 2 * x->rank, pads, &count))
        return false;
    for (int32_t i = 0; i < FERRY_MAX_RANK; i++) axes[i] = i;
    if (ferry_node_value(m->n->graph, m->n->node, 3) && !read_ints(m->n, 3, x->rank, axes, &n_axes)) return false;
    if (count != 2 * n_axes) return false;
    memcpy(dims, x->dims, sizeof dims);
    for (int32_t i = 0; i < n_axes; i++) {
        int32_t d = 0;
        if (!axis_of(axes[i], x->rank, &d) || seen[d]) return false;
        seen[d] = true;
        const int64_t begin = pads[i], end = pads[n_axes + i], most = (int64_t)1 << 47;
        if (begin < -most || begin > most || end < -most || end > most || x->dims[d] + begin + end != y->dims[d])
            return false;
        const int64_t cut = (begin < 0 ? -begin : 0) + (end < 0 ? -end : 0);
        if (cut > x->dims[d]) return false;
        dims[d] -= cut;
        if (begin > 0)
            to += begin * y->strides[d];
        else
            from += -begin * x->strides[d];
        m->fills |= begin > 0 || end > 0;
    }
    for (int32_t d = 0; d < x->rank; d++)
        if (!seen[d] && x->dims[d] != y->dims[d]) return false;
    add(m, 0, 0, x->rank, dims, y->strides, to, x->strides, from);
    return true;
}

// --- Transpose, Expand, Tile: dimensions in another order, or read several times ------------------------------------

static bool plan_transpose(making *m)
{
    const ferry_tensor_desc *x = &m->n->x[0], *y = &m->n->y[0];
    int32_t count = 0;
    const int64_t *perm = ferry_node_ints(m->n->node, "perm", &count);
    int64_t from[FERRY_MAX_RANK];
    bool seen[FERRY_MAX_RANK] = {false};
    if (x->rank != y->rank || x->dtype != y->dtype || (perm && count != x->rank)) return false;
    for (int32_t d = 0; d < x->rank; d++) {
        int32_t p = x->rank - 1 - d;
        if ((perm && !axis_of(perm[d], x->rank, &p)) || seen[p] || x->dims[p] != y->dims[d]) return false;
        seen[p] = true;
        from[d] = x->strides[p];
    }
    add(m, 0, 0, y->rank, y->dims, y->strides, 0, from, 0);
    return true;
}

static bool plan_expand(making *m)
{
    const ferry_tensor_desc *x = &m->n->x[0], *y = &m->n->y[0];
    int64_t from[FERRY_MAX_RANK];
    if (x->dtype != y->dtype || !ferry_nd_broadcast(x, y->rank, y->dims, from)) return false;
    add(m, 0, 0, y->rank, y->dims, y->strides, 0, from, 0);
    return true;
}

static bool plan_tile(making *m)
{
    const ferry_tensor_desc *x = &m->n->x[0], *y = &m->n->y[0];
    int64_t dims[FERRY_MAX_RANK], to[FERRY_MAX_RANK], from[FERRY_MAX_RANK];
    int32_t n = 0;
    if (x->rank != y->rank || x->dtype != y->dtype) return false;
    for (int32_t d = 0; d < x->rank; d++) { // each dimension is two: which repeat, and where in it
        if (x->dims[d] < 1 || y->dims[d] < 1 || y->dims[d] % x->dims[d] != 0) return false;
        for (int part = 0; part < 2; part++) {
            const int64_t size = part == 0 ? y->dims[d] / x->dims[d] : x->dims[d];
            if (size == 1) continue;
            if (n == FERRY_MAX_RANK) return false;
            dims[n] = size;
            to[n] = part == 0 ? y->strides[d] * x->dims[d] : y->strides[d];
            from[n++] = part == 0 ? 0 : x->strides[d];
        }
    }
    add(m, 0, 0, n, dims, to, 0, from, 0);
    return true;
}

// --- DepthToSpace and SpaceToDepth ----------------------------------------------------------------------------------

static bool plan_blocks(making *m, bool to_space)
{
    const ferry_node *node = m->n->node;
    const ferry_tensor_desc *x = &m->n->x[0], *y = &m->n->y[0];
    const ferry_tensor_desc *deep = to_space ? x : y, *wide = to_space ? y : x;
    const int64_t b = ferry_node_int(node, "blocksize", 0);
    const bool crd = strcmp(ferry_node_string(node, "mode", "DCR"), "CRD") == 0;
    if (deep->rank != 4 || wide->rank != 4 || x->dtype != y->dtype || b < 1 || b > INT32_MAX) return false;
    const int64_t c = wide->dims[1];
    if (deep->dims[0] != wide->dims[0] || deep->dims[1] % (b * b) != 0 || deep->dims[1] / (b * b) != c) return false;
    for (int32_t d = 2; d < 4; d++)
        if (wide->dims[d] % b != 0 || wide->dims[d] / b != deep->dims[d]) return false;
    const int64_t *w = wide->strides, *p = deep->strides;
    const int64_t dims[6] = {wide->dims[0], c, deep->dims[2], b, deep->dims[3], b};
    const int64_t wide_strides[6] = {w[0], w[1], w[2] * b, w[2], w[3] * b, w[3]};
    const int64_t deep_strides[6] = {p[0], crd ? p[1] * b * b : p[1], p[2], crd ? p[1] * b : p[1] * c * b,
                                     p[3], crd ? p[1] : p[1] * c};
    add(m, 0, 0, 6, dims, to_space ? wide_strides : deep_strides, 0, to_space ? deep_strides : wide_strides, 0);
    return true;
}

static bool plan_depth_to_space(making *m)
{
    return plan_blocks(m, true);
}

static bool plan_space_to_depth(making *m)
{
    return plan_blocks(m, false);
}

static const struct {
    const char *op;
    bool (*plan)(making *);
} table[] = {
    {"Concat", plan_concat},
    {"Split", plan_split},
    {"Slice", plan_slice},
    {"Pad", plan_pad},
    {"Expand", plan_expand},
    {"Tile", plan_tile},
    {"Transpose", plan_transpose},
    {"DepthToSpace", plan_depth_to_space},
    {"SpaceToDepth", plan_space_to_depth},
};

static int find(const ferry_node *node)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(table); i++)
        if (ferry_node_is(node, table[i].op)) return (int)i;
    return -1;
}

int32_t ferry_move_most(const ferry_node *node)
{
    if (find(node) < 0) return 0;
    return ferry_node_is(node, "Concat") ? node->n_inputs : node->n_outputs;
}

bool ferry_move_plan(const ferry_move_node *node, ferry_move *out, int32_t *out_count, bool *out_fills,
                     uint64_t *out_value)
{
    const int at = find(node->node);
    making m = {.n = node, .moves = out};
    if (at < 0 || node->x[0].rank < 0 || node->y[0].rank < 0 || !table[at].plan(&m)) return false;
    *out_count = m.count;
    *out_fills = m.fills;
    *out_value = m.value;
    return true;
}

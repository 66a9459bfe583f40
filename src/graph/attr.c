// SPDX-License-Identifier: Apache-2.0
// Attributes of nodes: deep copies in, typed answers out.
#include "graph/internal.h"

#include <string.h>

static const void *copy_strings(ferry_arena *arena, const char *const *strings, int32_t count)
{
    const char **out = ferry_arena_alloc_array(arena, (size_t)count, sizeof *out);
    for (int32_t i = 0; out && i < count; i++)
        if (!(out[i] = ferry_arena_strdup(arena, strings[i]))) return NULL;
    return out;
}

static const ferry_tensor *copy_tensor(ferry_arena *arena, const ferry_tensor *from)
{
    ferry_tensor *t = ferry_arena_copy(arena, from, sizeof *from);
    if (!t) return NULL;
    t->quant = NULL;
    t->data = ferry_arena_copy(arena, from->data, ferry_tensor_bytes(from));
    return t->data ? t : NULL;
}

static bool copy_attr(ferry_arena *arena, const ferry_attr *from, ferry_attr *to)
{
    *to = *from;
    to->name = ferry_arena_strdup(arena, from->name);
    const size_t n = (size_t)from->count;
    switch (from->kind) {
    case FERRY_ATTR_INT:
    case FERRY_ATTR_INTS:
        to->u.ints = ferry_arena_copy(arena, from->u.ints, n * sizeof(int64_t));
        break;
    case FERRY_ATTR_FLOAT:
    case FERRY_ATTR_FLOATS:
        to->u.floats = ferry_arena_copy(arena, from->u.floats, n * sizeof(float));
        break;
    case FERRY_ATTR_STRING:
    case FERRY_ATTR_STRINGS:
        to->u.strings = copy_strings(arena, from->u.strings, from->count);
        break;
    case FERRY_ATTR_TENSOR:
        to->u.tensor = copy_tensor(arena, from->u.tensor);
        break;
    }
    return to->name && to->u.ints; // all members of the union are pointers
}

ferry_status ferry_attrs_copy(ferry_graph *graph, const ferry_attr *attrs, int32_t n_attrs, const ferry_attr **out,
                              ferry_error *err)
{
    ferry_attr *own = ferry_arena_alloc_array(&graph->arena, (size_t)n_attrs, sizeof *own);
    if (!own) return ferry_fail_memory(err, "attributes");
    for (int32_t i = 0; i < n_attrs; i++)
        if (!copy_attr(&graph->arena, &attrs[i], &own[i])) return ferry_fail_memory(err, "attributes");
    *out = own;
    return FERRY_OK;
}

ferry_status ferry_node_set_attr(ferry_graph *graph, ferry_node_id node, const ferry_attr *attr, ferry_error *err)
{
    ferry_node *n = &graph->nodes[node];
    int32_t at = 0;
    while (at < n->n_attrs && strcmp(n->attrs[at].name, attr->name) != 0) at++;
    const int32_t count = at == n->n_attrs ? at + 1 : n->n_attrs;
    ferry_attr *attrs = ferry_arena_alloc_array(&graph->arena, (size_t)count, sizeof *attrs);
    if (!attrs) return ferry_fail_memory(err, "attributes");
    if (n->n_attrs) memcpy(attrs, n->attrs, (size_t)n->n_attrs * sizeof *attrs);
    if (!copy_attr(&graph->arena, attr, &attrs[at])) return ferry_fail_memory(err, "attributes");
    n->attrs = attrs;
    n->n_attrs = count;
    return FERRY_OK;
}

const ferry_attr *ferry_node_attr(const ferry_node *node, const char *name)
{
    for (int32_t i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0) return &node->attrs[i];
    return NULL;
}

static const ferry_attr *attr_of_kind(const ferry_node *node, const char *name, ferry_attr_kind kind)
{
    const ferry_attr *a = ferry_node_attr(node, name);
    return a && a->kind == kind ? a : NULL;
}

int64_t ferry_node_int(const ferry_node *node, const char *name, int64_t otherwise)
{
    const ferry_attr *a = attr_of_kind(node, name, FERRY_ATTR_INT);
    return a ? a->u.ints[0] : otherwise;
}

float ferry_node_float(const ferry_node *node, const char *name, float otherwise)
{
    const ferry_attr *a = attr_of_kind(node, name, FERRY_ATTR_FLOAT);
    return a ? a->u.floats[0] : otherwise;
}

const char *ferry_node_string(const ferry_node *node, const char *name, const char *otherwise)
{
    const ferry_attr *a = attr_of_kind(node, name, FERRY_ATTR_STRING);
    return a ? a->u.strings[0] : otherwise;
}

const int64_t *ferry_node_ints(const ferry_node *node, const char *name, int32_t *out_count)
{
    const ferry_attr *a = attr_of_kind(node, name, FERRY_ATTR_INTS);
    *out_count = a ? a->count : 0;
    return a ? a->u.ints : NULL;
}

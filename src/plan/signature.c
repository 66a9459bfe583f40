// SPDX-License-Identifier: Apache-2.0
// What a region computes, as text: operators, types and sizes readable, attributes hashed.
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "ops/op.h"
#include "plan/select.h"

static void hash_attr(ferry_hasher *h, const ferry_attr *a)
{
    ferry_hasher_update_text(h, a->name);
    ferry_hasher_update_u64(h, (uint64_t)a->kind);
    ferry_hasher_update_u64(h, (uint64_t)a->count);
    switch (a->kind) {
    case FERRY_ATTR_INT:
    case FERRY_ATTR_INTS:
        ferry_hasher_update(h, a->u.ints, (size_t)a->count * sizeof *a->u.ints);
        break;
    case FERRY_ATTR_FLOAT:
    case FERRY_ATTR_FLOATS:
        ferry_hasher_update(h, a->u.floats, (size_t)a->count * sizeof *a->u.floats);
        break;
    case FERRY_ATTR_STRING:
    case FERRY_ATTR_STRINGS:
        for (int32_t i = 0; i < a->count; i++) ferry_hasher_update_text(h, a->u.strings[i]);
        break;
    case FERRY_ATTR_TENSOR:
        ferry_hasher_update(h, a->u.tensor->data, ferry_tensor_bytes(a->u.tensor));
        break;
    }
}

typedef struct text {
    char *data;
    size_t used, capacity;
} text;

static void add(text *t, const char *s)
{
    const size_t n = strlen(s);
    if (t->data && t->used + n < t->capacity) memcpy(t->data + t->used, s, n + 1);
    t->used += n;
}

static void add_value(text *t, const ferry_graph *graph, ferry_value_id id)
{
    if (id == FERRY_NO_VALUE) {
        add(t, " -");
        return;
    }
    const ferry_value *v = &graph->values[id];
    char shape[128];
    ferry_shape_text(graph, &v->shape, shape, sizeof shape);
    add(t, ferry_value_is_constant(v) ? " const:" : " ");
    add(t, ferry_dtype_name(v->dtype));
    add(t, ":");
    add(t, shape);
}

static void write_region(text *t, const ferry_region *region)
{
    for (int32_t i = 0; i < region->n_nodes; i++) {
        const ferry_node *node = &region->graph->nodes[region->nodes[i]];
        ferry_hasher h;
        ferry_hasher_init64(&h);
        for (int32_t k = 0; k < node->n_attrs; k++) hash_attr(&h, &node->attrs[k]);
        char hash[17];
        ferry_hash64_text(ferry_hasher_digest64(&h), hash);
        add(t, i ? "; " : "");
        add(t, node->op->name);
        add(t, "#");
        add(t, hash);
        for (int32_t k = 0; k < node->n_inputs; k++) add_value(t, region->graph, node->inputs[k]);
        add(t, " ->");
        for (int32_t k = 0; k < node->n_outputs; k++) add_value(t, region->graph, node->outputs[k]);
    }
}

const char *ferry_region_signature(const ferry_region *region, ferry_arena *arena)
{
    text t = {0};
    write_region(&t, region);
    t = (text){.data = ferry_arena_alloc(arena, t.used + 1), .capacity = t.used + 1};
    if (t.data) write_region(&t, region);
    return t.data;
}

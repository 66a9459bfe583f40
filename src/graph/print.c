// SPDX-License-Identifier: Apache-2.0
// A graph as text, for --print-after and for a person in a debugger.
#include "graph/graph.h"
#include "ops/op.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct printer {
    const ferry_graph *graph;
    void (*write)(void *user, const char *text);
    void *user;
} printer;

static void put(const printer *p, const char *text)
{
    p->write(p->user, text);
}

static void put_value(const printer *p, ferry_value_id id, bool with_shape)
{
    if (id == FERRY_NO_VALUE) {
        put(p, "_");
        return;
    }
    const ferry_value *v = &p->graph->values[id];
    put(p, v->name);
    if (!with_shape) return;
    char text[256];
    ferry_shape_text(p->graph, &v->shape, text, sizeof text);
    put(p, " ");
    put(p, ferry_dtype_name(v->dtype));
    put(p, "[");
    put(p, text);
    put(p, "]");
}

static void put_attr(const printer *p, const ferry_attr *a)
{
    enum { MOST_SHOWN = 16 };
    char text[64];
    const bool list = a->kind == FERRY_ATTR_INTS || a->kind == FERRY_ATTR_FLOATS || a->kind == FERRY_ATTR_STRINGS;
    put(p, a->name);
    put(p, list ? "=[" : "=");
    for (int32_t i = 0; i < a->count && i < MOST_SHOWN && a->kind != FERRY_ATTR_TENSOR; i++) {
        if (i) put(p, ",");
        switch (a->kind) {
        case FERRY_ATTR_FLOAT:
        case FERRY_ATTR_FLOATS:
            snprintf(text, sizeof text, "%.9g", (double)a->u.floats[i]);
            break;
        case FERRY_ATTR_STRING:
        case FERRY_ATTR_STRINGS:
            snprintf(text, sizeof text, "\"%.50s\"", a->u.strings[i]);
            break;
        default:
            snprintf(text, sizeof text, "%" PRId64, a->u.ints[i]);
            break;
        }
        put(p, text);
    }
    if (a->kind == FERRY_ATTR_TENSOR) put(p, "<tensor>");
    if (list) put(p, a->count > MOST_SHOWN ? ",...]" : "]");
}

static void put_node(const printer *p, const ferry_node *node)
{
    put(p, node->name);
    put(p, " = ");
    put(p, node->op->name);
    put(p, "(");
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (i) put(p, ", ");
        put_value(p, node->inputs[i], false);
    }
    put(p, ")");
    for (int32_t i = 0; i < node->n_attrs; i++) {
        put(p, i ? ", " : " {");
        put_attr(p, &node->attrs[i]);
    }
    put(p, node->n_attrs ? "} -> " : " -> ");
    for (int32_t i = 0; i < node->n_outputs; i++) {
        if (i) put(p, ", ");
        put_value(p, node->outputs[i], true);
    }
    if (node->absorbed) {
        put(p, "  # ");
        put(p, node->absorbed);
    }
    put(p, "\n");
}

static void put_ends(const printer *p, const char *word, const ferry_value_id *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put(p, word);
        put_value(p, ids[i], true);
        put(p, "\n");
    }
}

void ferry_node_label(const ferry_node *node, char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "node '%s' (%s)", node->name, node->op ? node->op->name : "deleted");
}

void ferry_graph_print(const ferry_graph *graph, void (*write)(void *user, const char *text), void *user)
{
    const printer p = {graph, write, user};
    put_ends(&p, "input  ", graph->inputs, graph->n_inputs);
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (graph->nodes[n].op) put_node(&p, &graph->nodes[n]);
    put_ends(&p, "output ", graph->outputs, graph->n_outputs);
}

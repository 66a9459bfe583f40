// SPDX-License-Identifier: Apache-2.0
// Choosing a numeric plan: rules, scales, INT8, then the floating-point type of everything else.
#include "passes/precision.h"

#include <math.h>
#include <string.h>

#include "ops/element.h"
#include "passes/choose.h"

void ferry_numeric_plan_deinit(ferry_numeric_plan *plan)
{
    ferry_arena_deinit(&plan->arena);
    *plan = (ferry_numeric_plan){0};
}

static ferry_status make_room(ferry_chooser *c, const ferry_graph *graph, ferry_numeric_plan *plan, ferry_error *err)
{
    c->kinds = ferry_arena_alloc_array(&c->scratch, graph->n_nodes + 1, sizeof *c->kinds);
    c->why = ferry_arena_alloc_array(&c->scratch, graph->n_nodes + 1, sizeof *c->why);
    c->rules = ferry_arena_alloc_array(&c->scratch, graph->n_nodes + 1, sizeof *c->rules);
    c->int8 = ferry_arena_alloc_array(&c->scratch, graph->n_nodes + 1, sizeof *c->int8);
    c->scales = ferry_arena_alloc_array(&c->scratch, graph->n_values + 1, sizeof *c->scales);
    c->zeros = ferry_arena_alloc_array(&c->scratch, graph->n_values + 1, sizeof *c->zeros);
    c->seen = ferry_arena_alloc_array(&c->scratch, graph->n_values + 1, sizeof *c->seen);
    c->wide = ferry_arena_alloc_array(&c->scratch, graph->n_nodes + 1, sizeof *c->wide);
    c->kept = ferry_arena_alloc_array(&c->scratch, graph->n_nodes + 1, sizeof *c->kept);
    plan->values = ferry_arena_alloc_array(&plan->arena, graph->n_values + 1, sizeof *plan->values);
    plan->nodes = ferry_arena_alloc_array(&plan->arena, graph->n_nodes + 1, sizeof *plan->nodes);
    if (!c->kinds || !c->why || !c->rules || !c->int8 || !c->scales || !c->zeros || !c->seen || !c->wide || !c->kept ||
        !plan->values || !plan->nodes)
        return ferry_fail_memory(err, "a numeric plan");
    plan->n_values = graph->n_values;
    plan->n_nodes = graph->n_nodes;
    return ferry_graph_users(graph, &c->scratch, &c->offsets, &c->users, err);
}

// A constant that would become infinite in a 16-bit type.
static bool overflows(const ferry_graph *graph, ferry_value_id value, ferry_dtype dtype)
{
    const ferry_tensor t = ferry_value_tensor(&graph->values[value]);
    const double most = dtype == FERRY_F16 ? 65519.99 : dtype == FERRY_BF16 ? 3.3961e38 : INFINITY;
    const size_t n = ferry_tensor_elements(&t);
    for (size_t i = 0; i < n; i++) {
        const double v = ferry_load_f64(&t, i);
        if (isfinite(v) && fabs(v) > most) return true;
    }
    return false;
}

static ferry_dtype wanted_float(const ferry_chooser *c, size_t n, ferry_dtype model)
{
    const ferry_dtype rule = c->rules[n];
    if (rule == FERRY_F32 || rule == FERRY_F16 || rule == FERRY_BF16) return rule;
    if (model != FERRY_F32) return model;
    if (c->options->fp16) return c->wide[n] != FERRY_DTYPE_NONE ? c->wide[n] : FERRY_F16;
    return c->options->bf16 ? FERRY_BF16 : FERRY_F32;
}

ferry_dtype ferry_chooser_model_type(const ferry_chooser *c, size_t n)
{
    const ferry_node *node = &c->graph->nodes[n];
    const uint32_t mask = ferry_float_inputs(node);
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != FERRY_NO_VALUE && ferry_float_input(mask, i))
            return c->graph->values[node->inputs[i]].dtype;
    return FERRY_DTYPE_NONE;
}

// The type that the node's float inputs are given in; FERRY_DTYPE_NONE: as the model has them.
static ferry_dtype float_precision(ferry_chooser *c, size_t n)
{
    const ferry_graph *g = c->graph;
    const ferry_node *node = &g->nodes[n];
    const uint32_t mask = ferry_float_inputs(node);
    const ferry_dtype model = ferry_chooser_model_type(c, n);
    if (!ferry_rewrite_is_real(model)) {
        if (c->rules[n] != FERRY_DTYPE_NONE && c->rules[n] != FERRY_S8 && c->rules[n] != FERRY_F32)
            ferry_report_add(c->report, FERRY_SEVERITY_WARNING, node->name,
                             "the operator %s runs in the model's own type here", node->op->name);
        return FERRY_DTYPE_NONE;
    }
    const ferry_dtype wanted = wanted_float(c, n, model);
    if (wanted == FERRY_F32 || wanted == model) return wanted;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_value_id v = node->inputs[i];
        if (!ferry_rewrite_is_constant(g, v) || !ferry_float_input(mask, i) || !overflows(g, v, wanted)) continue;
        ferry_report_add(c->report, FERRY_SEVERITY_WARNING, node->name,
                         "stays in %s: constant '%s' has values beyond the range of %s", ferry_dtype_name(model),
                         g->values[v].name, ferry_dtype_name(wanted));
        return model;
    }
    return wanted;
}

// `residual`: as the residual of a sum counts, too; there a float would do as well.
static bool has_int8_reader(const ferry_chooser *c, ferry_value_id v, bool residual)
{
    for (int32_t u = c->offsets[v]; u < c->offsets[v + 1]; u++) {
        const ferry_node_id n = c->users[u];
        if (!c->int8[n]) continue;
        const ferry_node *node = &c->graph->nodes[n];
        int32_t in[256];
        const int32_t count = ferry_int8_inputs(c->kinds[n], node, in, 256);
        if (c->kinds[n] == FERRY_INT8_TABLE) in[0] = ferry_int8_table_input(c->graph, node);
        for (int32_t i = 0; i < count; i++)
            if (node->inputs[in[i]] == v) return true;
        if (residual && (c->kinds[n] == FERRY_INT8_CONV || c->kinds[n] == FERRY_INT8_GEMM) &&
            ferry_rewrite_input(node, 3) == v)
            return true;
    }
    return false;
}

static bool has_float_reader(const ferry_chooser *c, ferry_value_id v)
{
    for (int32_t u = c->offsets[v]; u < c->offsets[v + 1]; u++)
        if (!c->int8[c->users[u]] && !(c->graph->nodes[c->users[u]].op->flags & FERRY_OP_SHAPE_ONLY)) return true;
    return c->graph->values[v].is_output;
}

// A sum that floats read, and INT8 as a residual alone, stays a float: in a transformer that is the stream which all
// blocks add to, and rounding it at each would cost more than all products together.
static bool is_wanted_in_int8(const ferry_chooser *c, ferry_value_id v)
{
    return has_int8_reader(c, v, false) || (has_int8_reader(c, v, true) && !has_float_reader(c, v));
}

// Mean and deviation that a LayerNormalization gives away have a type of their own (stash_type).
static bool follows_inputs(const ferry_node *node, int32_t output)
{
    return output == 0 || !ferry_node_is(node, "LayerNormalization");
}

static void decide_node(ferry_chooser *c, size_t n, ferry_numeric_plan *plan)
{
    const ferry_node *node = &c->graph->nodes[n];
    ferry_plan_node *p = &plan->nodes[n];
    p->precision = c->int8[n] ? FERRY_S8 : float_precision(c, n);
    for (int32_t o = 0; o < node->n_outputs; o++) {
        const ferry_value_id v = node->outputs[o];
        if (v == FERRY_NO_VALUE) continue;
        const ferry_dtype model = c->graph->values[v].dtype;
        plan->values[v].dtype = model;
        if (!ferry_rewrite_is_real(model)) continue;
        if (!c->int8[n]) {
            if (p->precision != FERRY_DTYPE_NONE && follows_inputs(node, o)) plan->values[v].dtype = p->precision;
        } else if (c->kinds[n] == FERRY_INT8_MOVE || (ferry_rewrite_is_rounded(c->graph, v) && c->scales[v] > 0.0f) ||
                   (c->scales[v] > 0.0f && is_wanted_in_int8(c, v))) {
            plan->values[v].dtype = FERRY_S8;
        } else {
            plan->values[v].dtype =
                model != FERRY_F32 || c->rules[n] != FERRY_DTYPE_NONE ? model : wanted_float(c, n, model);
        }
    }
}

static ferry_status decide(ferry_chooser *c, ferry_numeric_plan *plan, ferry_error *err)
{
    const ferry_graph *g = c->graph;
    for (size_t n = 0; n < g->n_nodes; n++)
        c->kinds[n] = ferry_int8_kind_of(g, (ferry_node_id)n, &c->scratch, &c->why[n]);
    FERRY_TRY(ferry_choose_rules(c, err));
    if (c->options->int8) {
        FERRY_TRY(ferry_choose_scales(c, err));
        ferry_choose_int8(c);
        FERRY_TRY(ferry_choose_groups(c, err));
    }
    if (c->options->fp16 && c->options->guard != FERRY_DTYPE_NONE) FERRY_TRY(ferry_choose_guard(c, err));
    for (size_t v = 0; v < g->n_values; v++) plan->values[v].dtype = g->values[v].dtype;
    for (size_t n = 0; n < g->n_nodes; n++) decide_node(c, n, plan);
    ferry_choose_tell_guard(c, plan);
    for (size_t v = 0; v < g->n_values; v++) {
        plan->values[v].name = ferry_arena_strdup(&plan->arena, g->values[v].name);
        if (plan->values[v].dtype == FERRY_S8 || has_int8_reader(c, (ferry_value_id)v, false) ||
            (c->options->int8 && ferry_rewrite_is_rounded(g, (ferry_value_id)v)))
            plan->values[v].scale = c->scales[v], plan->values[v].zero = c->zeros[v];
        if (!plan->values[v].name) return ferry_fail_memory(err, "a numeric plan");
    }
    for (size_t n = 0; n < g->n_nodes; n++) {
        const ferry_node *node = &g->nodes[n];
        plan->nodes[n].name = ferry_arena_strdup(&plan->arena, node->name);
        plan->nodes[n].op = node->op->name;
        plan->nodes[n].absorbed = ferry_arena_strdup(&plan->arena, node->absorbed ? node->absorbed : "");
        plan->nodes[n].kept = ferry_arena_strdup(&plan->arena, c->kept[n] ? c->kept[n] : "");
        if (!plan->nodes[n].name || !plan->nodes[n].absorbed || !plan->nodes[n].kept)
            return ferry_fail_memory(err, "a numeric plan");
    }
    return FERRY_OK;
}

// 8 bits, with one scale and zero point.
static bool gives_grid(const ferry_graph *graph, const ferry_node *quantise)
{
    const ferry_value_id zero = ferry_rewrite_input(quantise, 2);
    const ferry_dtype dtype = graph->values[quantise->outputs[0]].dtype;
    double s = 0;
    return (dtype == FERRY_S8 || dtype == FERRY_U8) && ferry_rewrite_scalar(graph, quantise->inputs[1], &s) &&
           (zero == FERRY_NO_VALUE || ferry_rewrite_scalar(graph, zero, &s));
}

// Who asks for INT8 of a model with Q/DQ nodes expects integers: where they give none, that is said.
static void tell_unused(const ferry_chooser *c)
{
    const ferry_graph *g = c->graph;
    const ferry_node *first = NULL;
    int count = 0;
    for (size_t n = 0; n < g->n_nodes; n++) {
        const ferry_node *node = &g->nodes[n];
        if (!ferry_node_is(node, "QuantizeLinear") || ferry_rewrite_is_constant(g, node->inputs[0]) ||
            gives_grid(g, node))
            continue;
        if (count++ == 0) first = node;
    }
    bool used = false;
    for (size_t n = 0; n < g->n_nodes; n++) used |= c->int8[n];
    if (count == 0 && !used)
        ferry_report_add(c->report, FERRY_SEVERITY_WARNING, "INT8",
                         "no layer runs in integers: none has an integer form and scales for all that it reads; the "
                         "messages of severity info say which tensors lack them");
    if (count == 0) return;
    ferry_report_add(
        c->report, FERRY_SEVERITY_WARNING, first->name,
        "%d of the model's QuantizeLinear nodes, this one first, are not of 8 bits with one scale and so give no "
        "scales: "
        "without others, the layers that they feed run in float, as ONNX defines them; for integers quantise "
        "activations per tensor to int8 or uint8",
        count);
}

ferry_status ferry_numeric_plan_choose(const ferry_graph *graph, const ferry_precision_options *options,
                                       ferry_numeric_plan *out, ferry_report *report, ferry_error *err)
{
    static const ferry_precision_options defaults;
    *out = (ferry_numeric_plan){0};
    ferry_arena_init(&out->arena, graph->heap);
    ferry_chooser c = {.graph = graph, .options = options ? options : &defaults, .report = report};
    ferry_arena_init(&c.scratch, graph->heap);
    ferry_status s = make_room(&c, graph, out, err);
    if (s == FERRY_OK) s = decide(&c, out, err);
    if (s == FERRY_OK && c.options->int8) tell_unused(&c);
    ferry_arena_deinit(&c.scratch);
    return s;
}

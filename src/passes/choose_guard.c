// SPDX-License-Identifier: Apache-2.0
// The FP16 guard: what FP16 can't hold, by what was seen of the tensors and by the constants themselves, is kept in a
// type with a wider exponent, with the layers that make and read it.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/element.h"
#include "passes/choose.h"

// Half of what BF16 holds.
#define BF16_SAFE 1.69e38f
// Weights below FP16's normal numbers lose digits; this much of the whole (relative L2) is ten times what rounding
// normal ones costs.
#define MOST_LOSS 0.002
// So many layers are told of each on its own.
enum { MOST_TOLD = 8 };

static ferry_dtype wide_type(const ferry_chooser *c, float seen)
{
    return c->options->guard == FERRY_BF16 && seen <= BF16_SAFE ? FERRY_BF16 : FERRY_F32;
}

// A node that FP16 was chosen for, not asked for by a rule.
static bool is_guarded(const ferry_chooser *c, size_t n)
{
    const ferry_dtype rule = c->rules[n];
    return (rule == FERRY_DTYPE_NONE || rule == FERRY_S8) && !(c->graph->nodes[n].op->flags & FERRY_OP_SHAPE_ONLY);
}

static ferry_status keep(ferry_chooser *c, size_t n, ferry_dtype type, const char *why, ferry_error *err)
{
    if (!why) return ferry_fail_memory(err, "the FP16 guard");
    if (!is_guarded(c, n)) {
        if (c->rules[n] == FERRY_F16)
            ferry_report_add(c->report, FERRY_SEVERITY_WARNING, c->graph->nodes[n].name,
                             "runs in fp16 as a rule says, though %s", why);
        return FERRY_OK;
    }
    if (c->wide[n] == FERRY_DTYPE_NONE) c->kept[n] = why;
    if (c->wide[n] != FERRY_F32) c->wide[n] = type;
    return FERRY_OK;
}

// --- Tensors -------------------------------------------------------------------------------------------------------

static bool is_activation(const ferry_chooser *c, ferry_value_id v)
{
    return v != FERRY_NO_VALUE && c->graph->values[v].dtype == FERRY_F32 && !ferry_rewrite_is_constant(c->graph, v);
}

// What passes made has no name that anybody saw: where elements are only moved, the range is that of the input.
static void hand_on(ferry_chooser *c, const ferry_node *node)
{
    if (!(node->op->flags & FERRY_OP_MOVES_DATA)) return;
    float most = 0.0f;
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (is_activation(c, node->inputs[i])) most = fmaxf(most, c->seen[node->inputs[i]]);
    for (int32_t o = 0; o < node->n_outputs; o++)
        if (is_activation(c, node->outputs[o]) && c->seen[node->outputs[o]] == 0.0f) c->seen[node->outputs[o]] = most;
}

static ferry_status find_ranges(ferry_chooser *c, ferry_error *err)
{
    const size_t count = c->options->n_ranges;
    const ferry_named_scale **sorted = ferry_sort_scales(c->options->ranges, count, &c->scratch);
    if (!sorted) return ferry_fail_memory(err, "the FP16 guard");
    for (size_t v = 0; v < c->graph->n_values; v++) {
        const ferry_named_scale *found =
            is_activation(c, (ferry_value_id)v) ? ferry_find_scale(sorted, count, c->graph->values[v].name) : NULL;
        if (found) c->seen[v] = found->scale;
    }
    for (size_t n = 0; n < c->graph->n_nodes; n++) hand_on(c, &c->graph->nodes[n]);
    return FERRY_OK;
}

static ferry_status keep_readers(ferry_chooser *c, ferry_value_id v, ferry_dtype type, ferry_error *err)
{
    const ferry_value *value = &c->graph->values[v];
    for (int32_t u = c->offsets[v]; u < c->offsets[v + 1]; u++) {
        const size_t n = (size_t)c->users[u];
        const ferry_node *node = &c->graph->nodes[n];
        bool reads = false;
        for (int32_t i = 0; i < node->n_inputs; i++)
            reads |= node->inputs[i] == v && ferry_float_input(ferry_float_inputs(node), i);
        if (!reads || c->int8[n]) continue;
        FERRY_TRY(
            keep(c, n, type,
                 ferry_arena_printf(&c->scratch, "'%s', which it reads, reaches %.3g", value->name, (double)c->seen[v]),
                 err));
    }
    return FERRY_OK;
}

static ferry_status keep_tensors(ferry_chooser *c, ferry_error *err)
{
    for (size_t v = 0; v < c->graph->n_values; v++) {
        const ferry_value *value = &c->graph->values[v];
        if (c->seen[v] <= FERRY_FP16_SAFE) continue;
        const ferry_dtype type = wide_type(c, c->seen[v]);
        if (value->producer != FERRY_NO_NODE)
            FERRY_TRY(keep(
                c, (size_t)value->producer, type,
                ferry_arena_printf(&c->scratch, "'%s', which it makes, reaches %.3g", value->name, (double)c->seen[v]),
                err));
        FERRY_TRY(keep_readers(c, (ferry_value_id)v, type, err));
    }
    return FERRY_OK;
}

// --- Constants -----------------------------------------------------------------------------------------------------

static bool is_product(const ferry_node *node)
{
    return ferry_node_is(node, "FusedConv") || ferry_node_is(node, "FusedGemm") || ferry_node_is(node, "MatMul") ||
           ferry_node_is(node, "ConvTranspose");
}

// The largest |x| of a constant, and which part of it (relative L2) FP16 loses below its normal numbers.
static void measure(const ferry_graph *graph, ferry_value_id v, double *out_most, double *out_loss)
{
    const ferry_tensor t = ferry_value_tensor(&graph->values[v]);
    const size_t n = ferry_tensor_elements(&t);
    double most = 0, sum = 0, lost = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = fabs(t.dtype == FERRY_F32 ? (double)((const float *)t.data)[i] : ferry_load_f64(&t, i));
        if (!isfinite(x)) continue;
        const double e = x < 0x1p-14 ? x - rint(x * 0x1p24) * 0x1p-24 : 0.0;
        if (x > most) most = x;
        sum += x * x;
        lost += e * e;
    }
    *out_most = most;
    *out_loss = sum > 0 ? sqrt(lost / sum) : 0.0;
}

static ferry_status keep_constants(ferry_chooser *c, size_t n, ferry_error *err)
{
    const ferry_node *node = &c->graph->nodes[n];
    const uint32_t mask = ferry_float_inputs(node);
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_value_id v = node->inputs[i];
        if (!ferry_rewrite_is_constant(c->graph, v) || !ferry_float_input(mask, i)) continue;
        double most, loss;
        measure(c->graph, v, &most, &loss);
        const char *name = c->graph->values[v].name;
        if (most > 65519.99)
            FERRY_TRY(keep(c, n, wide_type(c, (float)most),
                           ferry_arena_printf(&c->scratch, "its constant '%s' reaches %.3g", name, most), err));
        else if (i == 1 && is_product(node) && loss > MOST_LOSS)
            FERRY_TRY(
                keep(c, n, wide_type(c, (float)most),
                     ferry_arena_printf(&c->scratch, "its weights '%s' are so small that FP16 changes them by %.2g %%",
                                        name, 100 * loss),
                     err));
    }
    return FERRY_OK;
}

// --- What lies between ---------------------------------------------------------------------------------------------

// A node between kept ones, which alone would have every tensor around it converted there and back.
static ferry_dtype type_around(const ferry_chooser *c, size_t n)
{
    const ferry_node *node = &c->graph->nodes[n];
    const uint32_t mask = ferry_float_inputs(node);
    ferry_dtype type = FERRY_DTYPE_NONE;
    if (is_product(node) || c->int8[n] || c->wide[n] != FERRY_DTYPE_NONE) return FERRY_DTYPE_NONE;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_value_id v = node->inputs[i];
        if (!is_activation(c, v) || !ferry_float_input(mask, i)) continue;
        const ferry_node_id maker = c->graph->values[v].producer;
        if (maker == FERRY_NO_NODE || c->wide[maker] == FERRY_DTYPE_NONE || c->int8[maker]) return FERRY_DTYPE_NONE;
        type = c->wide[maker];
    }
    for (int32_t o = 0; o < node->n_outputs; o++) {
        const ferry_value_id v = node->outputs[o];
        if (v == FERRY_NO_VALUE) continue;
        if (c->graph->values[v].is_output || c->offsets[v] == c->offsets[v + 1]) return FERRY_DTYPE_NONE;
        for (int32_t u = c->offsets[v]; u < c->offsets[v + 1]; u++)
            if (c->wide[c->users[u]] == FERRY_DTYPE_NONE || c->int8[c->users[u]]) return FERRY_DTYPE_NONE;
    }
    return type;
}

static ferry_status fill(ferry_chooser *c, ferry_error *err)
{
    for (size_t n = 0; n < c->graph->n_nodes; n++) {
        const ferry_dtype type = type_around(c, n);
        if (type == FERRY_DTYPE_NONE) continue;
        FERRY_TRY(keep(c, n, type, "its neighbours are, too", err));
    }
    return FERRY_OK;
}

ferry_status ferry_choose_guard(ferry_chooser *c, ferry_error *err)
{
    FERRY_TRY(find_ranges(c, err));
    FERRY_TRY(keep_tensors(c, err));
    for (size_t n = 0; n < c->graph->n_nodes; n++)
        if (!c->int8[n] && ferry_chooser_model_type(c, n) == FERRY_F32) FERRY_TRY(keep_constants(c, n, err));
    return fill(c, err);
}

// --- Telling -------------------------------------------------------------------------------------------------------

// A kept node may have nothing in floats after all: its operator has another type, or INT8 takes it.
static ferry_dtype kept_type(const ferry_chooser *c, size_t n, const ferry_numeric_plan *plan)
{
    const ferry_node *node = &c->graph->nodes[n];
    if (!c->kept[n]) return FERRY_DTYPE_NONE;
    if (!c->int8[n]) return plan->nodes[n].precision == c->wide[n] ? c->wide[n] : FERRY_DTYPE_NONE;
    for (int32_t o = 0; o < node->n_outputs; o++)
        if (node->outputs[o] != FERRY_NO_VALUE && plan->values[node->outputs[o]].dtype == c->wide[n]) return c->wide[n];
    return FERRY_DTYPE_NONE;
}

void ferry_choose_tell_guard(ferry_chooser *c, const ferry_numeric_plan *plan)
{
    size_t told = 0;
    for (size_t n = 0; n < c->graph->n_nodes; n++) {
        const ferry_dtype type = kept_type(c, n, plan);
        if (type == FERRY_DTYPE_NONE) {
            c->kept[n] = NULL;
            continue;
        }
        ferry_report_add(c->report, told++ < MOST_TOLD ? FERRY_SEVERITY_WARNING : FERRY_SEVERITY_INFO,
                         c->graph->nodes[n].name, "kept in %s instead of fp16: %s", type == FERRY_F32 ? "fp32" : "bf16",
                         c->kept[n]);
    }
    if (told > MOST_TOLD)
        ferry_report_add(c->report, FERRY_SEVERITY_WARNING, "FP16 guard",
                         "and %zu more layers: the engine's description lists all", told - MOST_TOLD);
}

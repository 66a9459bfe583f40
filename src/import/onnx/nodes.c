// SPDX-License-Identifier: Apache-2.0
// NodeProtos to nodes of the graph. What is wrong with one node does not keep the others from being looked at.
#include "import/onnx/reader.h"

#include <stdio.h>
#include <string.h>

// --- What is refused, and the way round ----------------------------------------------------------------------------

static const char *way_round(const char *op_type)
{
    static const struct {
        const char *op_type, *text;
    } ways[] = {
        {"If", "control flow: export with fixed control flow (torch.jit.trace), or let onnxsim fold it"},
        {"Loop", "control flow: export with fixed control flow (torch.jit.trace), or let onnxsim unroll it"},
        {"Scan", "control flow: export with fixed control flow, or let onnxsim unroll it"},
        {"LSTM", "recurrent layers are not supported yet"},
        {"GRU", "recurrent layers are not supported yet"},
        {"RNN", "recurrent layers are not supported yet"},
        {"ImageScaler",
         "ONNX dropped it in version 1.5: scale the picture while preprocessing, or export with Mul and Add"},
        {"Affine", "ONNX dropped it in version 1.5: export with Mul and Add instead"},
        {"Crop", "ONNX dropped it in version 1.5: export with Slice instead"},
        {"ParametricSoftplus", "ONNX dropped it in version 1.5: export with Softplus and Mul"},
        {"ScaledTanh", "ONNX dropped it in version 1.5: export with Tanh and Mul"},
        {"StringNormalizer", "text operators are not supported: leave them to the program that feeds the model"},
        {"TfIdfVectorizer", "text operators are not supported: leave them to the program that feeds the model"},
        {"DFT", "signal operators are not supported: compute the spectrum before the model"},
        {"STFT", "signal operators are not supported: compute the spectrum before the model"},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(ways); i++)
        if (strcmp(ways[i].op_type, op_type) == 0) return ways[i].text;
    if (strncmp(op_type, "Sequence", 8) == 0 || strncmp(op_type, "Optional", 8) == 0)
        return "only tensors are supported, no sequences and optionals: export with tensors alone";
    return "export the model with operators that ferry knows, or let onnxsim fold it";
}

static bool is_default_domain(const char *domain)
{
    return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

static ferry_status refuse_domain(const ferry_onnx_reader *r, const char *domain, const char *op_type, ferry_error *err)
{
    for (size_t i = 0; i < r->model->n_functions; i++) {
        const Ferry__Onnx__Function *f = r->model->functions[i];
        if (f->name && strcmp(f->name, op_type) == 0 && strcmp(f->domain ? f->domain : "", domain) == 0)
            return ferry_fail(
                err, FERRY_ERR_UNSUPPORTED,
                "calls the model's own function %s::%s: inline it first, with onnx.inliner.inline_local_functions",
                domain, op_type);
    }
    if (strcmp(domain, "com.microsoft") == 0)
        return ferry_fail(
            err, FERRY_ERR_UNSUPPORTED,
            "operator %s::%s belongs to ONNX Runtime: import the model as it was before ONNX Runtime's tools "
            "optimised or quantised it",
            domain, op_type);
    return ferry_fail(
        err, FERRY_ERR_UNSUPPORTED,
        "operator %s::%s is of a custom domain, which ferry does not know: export with ONNX's own operators", domain,
        op_type);
}

static ferry_status check_known(const ferry_onnx_reader *r, const Ferry__Onnx__Node *n, ferry_error *err)
{
    const char *op_type = n->op_type ? n->op_type : "";
    if (!*op_type) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "has no operator");
    if (!is_default_domain(n->domain)) return refuse_domain(r, n->domain, op_type, err);
    if (strcmp(op_type, "Constant") == 0 || ferry_onnx_is_upgraded(op_type) || ferry_op_find("", op_type))
        return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "operator %s is not supported; %s", op_type, way_round(op_type));
}

// --- Adding to the graph -------------------------------------------------------------------------------------------

static ferry_status check_arity(const ferry_onnx_node *n, const ferry_op *op, ferry_error *err)
{
    if (n->n_inputs < op->min_inputs || (op->max_inputs >= 0 && n->n_inputs > op->max_inputs))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "has %d inputs, %s takes %s%d", n->n_inputs, op->name,
                          n->n_inputs < op->min_inputs ? "at least " : "at most ",
                          n->n_inputs < op->min_inputs ? op->min_inputs : op->max_inputs);
    if (n->n_outputs < op->min_outputs || (op->max_outputs >= 0 && n->n_outputs > op->max_outputs))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "has %d outputs, %s gives %s%d", n->n_outputs, op->name,
                          n->n_outputs < op->min_outputs ? "at least " : "at most ",
                          n->n_outputs < op->min_outputs ? op->min_outputs : op->max_outputs);
    for (int32_t i = 0; i < op->min_inputs && i < n->n_inputs; i++)
        if (n->inputs[i] == FERRY_NO_VALUE)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "input %d of %s is required, but left out", i, op->name);
    int32_t used = 0;
    for (int32_t i = 0; i < n->n_outputs; i++) used += n->outputs[i] != FERRY_NO_VALUE;
    if (used == 0) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "all its outputs are left out");
    return FERRY_OK;
}

static const char *kind_name(ferry_attr_kind kind)
{
    static const char *const names[] = {"nothing", "an int", "a float", "a string",
                                        "ints",    "floats", "strings", "a tensor"};
    return (size_t)kind < FERRY_COUNT_OF(names) ? names[kind] : "something else";
}

static ferry_status check_attrs(const ferry_onnx_node *n, const ferry_op *op, ferry_error *err)
{
    for (int32_t i = 0; i < n->n_attrs; i++) {
        const ferry_attr *a = &n->attrs[i];
        const ferry_attr_schema *s = op->attrs;
        while (s && s->name && strcmp(s->name, a->name) != 0) s++;
        if (!s || !s->name)
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "attribute '%s' is unknown for %s in opset %d", a->name,
                              op->name, (int)n->reader->opset);
        if (s->kind != a->kind)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "attribute '%s' holds %s, %s needs %s", a->name,
                              kind_name(a->kind), op->name, kind_name(s->kind));
        for (int32_t k = 0; k < i; k++)
            if (strcmp(n->attrs[k].name, a->name) == 0)
                return ferry_fail(err, FERRY_ERR_BAD_MODEL, "attribute '%s' is given twice", a->name);
    }
    for (const ferry_attr_schema *s = op->attrs; s && s->name; s++)
        if (s->required && !ferry_onnx_find_attr(n, s->name))
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "lacks the attribute '%s', which %s needs", s->name, op->name);
    return FERRY_OK;
}

static void drop_absent_at_end(ferry_onnx_node *n)
{
    while (n->n_inputs > 0 && n->inputs[n->n_inputs - 1] == FERRY_NO_VALUE) n->n_inputs--;
    while (n->n_outputs > 1 && n->outputs[n->n_outputs - 1] == FERRY_NO_VALUE) n->n_outputs--;
}

// Made already: a file may list its nodes in any order, though it shouldn't.
static bool is_ready(const ferry_onnx_reader *r, ferry_value_id id)
{
    if (id == FERRY_NO_VALUE) return true;
    const ferry_value *v = &r->graph->values[id];
    return v->data || v->is_input || v->producer != FERRY_NO_NODE;
}

static void mark_failed(ferry_onnx_reader *r, const ferry_value_id *ids, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (ids[i] != FERRY_NO_VALUE && (size_t)ids[i] < r->walk.n_values) r->walk.values[ids[i]].failed = true;
}

ferry_status ferry_onnx_emit(ferry_onnx_node *n, ferry_error *err)
{
    ferry_onnx_reader *r = n->reader;
    const ferry_op *op = ferry_op_find("", n->op_type);
    if (!op)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "operator %s is not supported; %s", n->op_type,
                          way_round(n->op_type));
    drop_absent_at_end(n);
    FERRY_TRY(check_arity(n, op, err));
    FERRY_TRY(check_attrs(n, op, err));
    ferry_node_id id;
    FERRY_TRY(ferry_graph_add_node(r->graph, op, n->name, n->inputs, n->n_inputs, n->outputs, n->n_outputs, n->attrs,
                                   n->n_attrs, &id, err));
    bool ready = true;
    for (int32_t i = 0; i < n->n_inputs; i++) ready = ready && is_ready(r, n->inputs[i]);
    if (ready) return ferry_infer_walk_step(&r->walk, &r->graph->nodes[id], err);
    FERRY_TRY(ferry_infer_walk_sync(&r->walk, err));
    mark_failed(r, n->outputs, n->n_outputs); // told after sorting, if nothing else is wrong
    return FERRY_OK;
}

// --- Constant ------------------------------------------------------------------------------------------------------

static ferry_status constant_tensor(ferry_onnx_node *n, const Ferry__Onnx__Tensor *t, ferry_error *err)
{
    ferry_onnx_reader *r = n->reader;
    ferry_dtype dtype = FERRY_DTYPE_NONE;
    ferry_shape shape = ferry_shape_unknown();
    const void *data = NULL;
    size_t bytes = 0;
    FERRY_TRY(ferry_onnx_constant_data(r, t, &dtype, &shape, &data, &bytes, err));
    return ferry_graph_make_constant(r->graph, n->outputs[0], dtype, &shape, data, bytes, err);
}

static ferry_status constant_list(ferry_onnx_node *n, const ferry_attr *a, ferry_error *err)
{
    const bool ints = a->kind == FERRY_ATTR_INT || a->kind == FERRY_ATTR_INTS;
    const bool scalar = a->kind == FERRY_ATTR_INT || a->kind == FERRY_ATTR_FLOAT;
    const int64_t dims[1] = {a->count};
    const ferry_shape shape = ferry_shape_of(scalar ? 0 : 1, dims);
    const size_t bytes = (size_t)a->count * (ints ? sizeof(int64_t) : sizeof(float));
    void *room = ferry_graph_constant_room(n->reader->graph, bytes);
    if (!room) return ferry_fail_memory(err, "constants");
    if (bytes) memcpy(room, a->u.ints, bytes); // floats lie at the same address
    return ferry_graph_make_constant(n->reader->graph, n->outputs[0], ints ? FERRY_S64 : FERRY_F32, &shape, room, bytes,
                                     err);
}

static ferry_status read_constant(ferry_onnx_node *n, const Ferry__Onnx__Node *from, ferry_error *err)
{
    if (n->n_outputs != 1 || n->outputs[0] == FERRY_NO_VALUE || n->n_inputs != 0 || from->n_attribute != 1)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a Constant has one attribute, one output and no inputs");
    const Ferry__Onnx__Attribute *a = from->attribute[0];
    const char *name = a->name ? a->name : "";
    ferry_status s;
    if (strcmp(name, "value") == 0 && a->t) {
        s = constant_tensor(n, a->t, err);
    } else if (strncmp(name, "value_int", 9) == 0 || strncmp(name, "value_float", 11) == 0) {
        ferry_attr attr;
        s = ferry_onnx_read_attribute(n->reader, a, &attr, err);
        if (s == FERRY_OK && attr.kind != FERRY_ATTR_STRING && attr.kind != FERRY_ATTR_STRINGS &&
            attr.kind != FERRY_ATTR_TENSOR)
            s = constant_list(n, &attr, err);
        else if (s == FERRY_OK)
            s = ferry_fail(err, FERRY_ERR_BAD_MODEL, "attribute '%s' is of the wrong kind", name);
    } else {
        s = ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                       "its value is given as '%s', which ferry does not take: export it as a dense tensor of numbers",
                       name);
    }
    FERRY_TRY(s);
    FERRY_TRY(ferry_infer_walk_sync(&n->reader->walk, err));
    ferry_infer_walk_refresh(&n->reader->walk, n->outputs[0]);
    return FERRY_OK;
}

// --- One node ------------------------------------------------------------------------------------------------------

static ferry_status read_inputs(ferry_onnx_node *n, const Ferry__Onnx__Node *from, ferry_error *err)
{
    for (size_t i = 0; i < from->n_input; i++) {
        n->inputs[i] = FERRY_NO_VALUE;
        if (!*from->input[i]) continue; // an optional input that is left out
        n->inputs[i] = ferry_graph_find_value(n->reader->graph, from->input[i]);
        if (n->inputs[i] == FERRY_NO_VALUE)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "input %zu is '%s', which neither a node nor the model gives",
                              i, from->input[i]);
    }
    n->n_inputs = (int32_t)from->n_input;
    return FERRY_OK;
}

static ferry_status read_attrs(ferry_onnx_node *n, const Ferry__Onnx__Node *from, ferry_error *err)
{
    for (size_t i = 0; i < from->n_attribute; i++)
        FERRY_TRY(ferry_onnx_read_attribute(n->reader, from->attribute[i], &n->attrs[i], err));
    n->n_attrs = (int32_t)from->n_attribute;
    return FERRY_OK;
}

static ferry_status convert(ferry_onnx_node *n, const Ferry__Onnx__Node *from, ferry_error *err)
{
    FERRY_TRY(check_known(n->reader, from, err));
    FERRY_TRY(read_inputs(n, from, err));
    if (strcmp(from->op_type, "Constant") == 0) return read_constant(n, from, err);
    FERRY_TRY(read_attrs(n, from, err));
    bool done = false;
    FERRY_TRY(ferry_onnx_upgrade(n, &done, err));
    return done ? FERRY_OK : ferry_onnx_emit(n, err);
}

static void report_node(ferry_onnx_reader *r, const Ferry__Onnx__Node *n, ferry_status status, const char *text)
{
    const char *name = n->name && *n->name ? n->name : "";
    for (size_t i = 0; i < n->n_output && !*name; i++) name = n->output[i];
    char subject[300];
    snprintf(subject, sizeof subject, "node '%.200s' (%.80s)", name, n->op_type ? n->op_type : "");
    ferry_onnx_problem(r, status, subject, NULL, text);
}

static ferry_status read_node(ferry_onnx_reader *r, const Ferry__Onnx__Node *from, const ferry_value_id *outputs,
                              ferry_error *err)
{
    const size_t most = 1 << 20; // of inputs, outputs and attributes, so that sums of counts fit an int
    if (from->n_input > most || from->n_output > most || from->n_attribute > most) {
        report_node(r, from, FERRY_ERR_UNSUPPORTED, "has more than a million inputs, outputs or attributes");
        return FERRY_OK;
    }
    ferry_onnx_node n = {.reader = r, .op_type = from->op_type, .name = from->name ? from->name : ""};
    n.inputs = ferry_arena_alloc_array(&r->scratch, from->n_input + FERRY_ONNX_ROOM, sizeof *n.inputs);
    n.outputs = ferry_arena_alloc_array(&r->scratch, from->n_output + FERRY_ONNX_ROOM, sizeof *n.outputs);
    n.attrs = ferry_arena_alloc_array(&r->scratch, from->n_attribute + FERRY_ONNX_ROOM, sizeof *n.attrs);
    if (!n.inputs || !n.outputs || !n.attrs) return ferry_fail_memory(err, "the model's nodes");
    // A name that others make too is reported already, and what would follow from it is of no interest.
    for (size_t i = 0; i < from->n_output; i++) {
        if (!*from->output[i] || outputs[i] != FERRY_NO_VALUE) continue;
        mark_failed(r, outputs, (int32_t)from->n_output);
        return FERRY_OK;
    }
    n.n_outputs = (int32_t)from->n_output;
    if (from->n_output) memcpy(n.outputs, outputs, from->n_output * sizeof *outputs);
    for (size_t i = 0; i < from->n_output && !*n.name; i++) n.name = from->output[i];
    ferry_error reason = {{0}};
    const ferry_status s = convert(&n, from, &reason);
    if (s == FERRY_OK) return FERRY_OK;
    if (s == FERRY_ERR_OUT_OF_MEMORY) return ferry_fail(err, s, "%s", reason.text);
    report_node(r, from, s, reason.text);
    FERRY_TRY(ferry_infer_walk_sync(&r->walk, err));
    mark_failed(r, outputs, (int32_t)from->n_output);
    return FERRY_OK;
}

// --- All nodes -----------------------------------------------------------------------------------------------------

// A value for every output, so that nodes may come in any order. ids has one entry for each output, in order.
static ferry_status add_outputs(ferry_onnx_reader *r, ferry_value_id *ids, ferry_error *err)
{
    const Ferry__Onnx__Graph *g = r->model->graph;
    for (size_t n = 0; n < g->n_node; n++) {
        for (size_t o = 0; o < g->node[n]->n_output; o++, ids++) {
            const char *name = g->node[n]->output[o];
            *ids = FERRY_NO_VALUE;
            if (!*name) continue;
            const ferry_value_id other = ferry_graph_find_value(r->graph, name);
            if (other != FERRY_NO_VALUE) {
                char text[400];
                snprintf(text, sizeof text, "its output '%.300s' is made elsewhere in the model too", name);
                report_node(r, g->node[n], FERRY_ERR_BAD_MODEL, text);
                continue;
            }
            FERRY_TRY(ferry_graph_add_value(r->graph, name, FERRY_DTYPE_NONE, NULL, ids, err));
        }
    }
    return FERRY_OK;
}

static void mark_used(ferry_onnx_reader *r, const char *name)
{
    const ferry_value_id id = name && *name ? ferry_graph_find_value(r->graph, name) : FERRY_NO_VALUE;
    if (id != FERRY_NO_VALUE) r->used[id] = true;
}

ferry_status ferry_onnx_read_nodes(ferry_onnx_reader *r, ferry_error *err)
{
    const Ferry__Onnx__Graph *g = r->model->graph;
    size_t n_outputs = 0;
    for (size_t n = 0; n < g->n_node; n++) n_outputs += g->node[n]->n_output;
    ferry_value_id *ids = ferry_arena_alloc_array(&r->scratch, n_outputs, sizeof *ids);
    if (!ids) return ferry_fail_memory(err, "the model's nodes");
    FERRY_TRY(add_outputs(r, ids, err));
    FERRY_TRY(ferry_infer_walk_sync(&r->walk, err));
    r->n_used = r->graph->n_values;
    r->used = ferry_arena_alloc_array(&r->scratch, r->n_used, sizeof *r->used);
    if (!r->used) return ferry_fail_memory(err, "the model's nodes");
    for (size_t n = 0; n < g->n_node; n++)
        for (size_t i = 0; i < g->node[n]->n_input; i++) mark_used(r, g->node[n]->input[i]);
    for (size_t i = 0; i < g->n_output; i++) mark_used(r, g->output[i]->name);
    for (size_t n = 0; n < g->n_node; n++) {
        FERRY_TRY(read_node(r, g->node[n], ids, err));
        ids += g->node[n]->n_output;
    }
    return FERRY_OK;
}

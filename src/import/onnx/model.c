// SPDX-License-Identifier: Apache-2.0
// ModelProto to graph: versions, inputs, outputs, metadata; constants and nodes have files of their own.
#include "import/onnx/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void ferry_onnx_problem(ferry_onnx_reader *r, ferry_status status, const char *what, const char *name, const char *text)
{
    char subject[300];
    if (name)
        snprintf(subject, sizeof subject, "%s '%.270s'", what, name);
    else
        snprintf(subject, sizeof subject, "%s", what);
    ferry_report_add(r->report, FERRY_SEVERITY_ERROR, subject, "%s", text);
    if (status != FERRY_ERR_UNSUPPORTED) r->bad = true;
}

static void warn(ferry_onnx_reader *r, const char *what, const char *name, const char *text)
{
    char subject[300];
    snprintf(subject, sizeof subject, "%s '%.270s'", what, name ? name : "");
    ferry_report_add(r->report, FERRY_SEVERITY_WARNING, name ? subject : what, "%s", text);
}

// --- Versions ------------------------------------------------------------------------------------------------------

static void check_versions(ferry_onnx_reader *r)
{
    const Ferry__Onnx__Model *m = r->model;
    r->opset = m->n_opset_import == 0 ? 1 : 0; // before there were imports, there was opset 1
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const char *domain = m->opset_import[i]->domain;
        if (!domain || !*domain || strcmp(domain, "ai.onnx") == 0) r->opset = m->opset_import[i]->version;
    }
    char text[300];
    if (r->opset < FERRY_ONNX_OLDEST_OPSET && r->opset != 0) {
        snprintf(text, sizeof text,
                 "is of opset %" PRId64 ", ferry reads %d to %d: export with opset 13, or convert it with "
                 "onnx.version_converter.convert_version(model, 13)",
                 r->opset, FERRY_ONNX_OLDEST_OPSET, FERRY_ONNX_NEWEST_OPSET);
        ferry_onnx_problem(r, FERRY_ERR_UNSUPPORTED, "model", NULL, text);
    } else if (r->opset == 0) {
        r->opset = FERRY_ONNX_NEWEST_OPSET; // so that the nodes are looked at all the same
        ferry_onnx_problem(r, FERRY_ERR_BAD_MODEL, "model", NULL,
                           "does not say which opset of ONNX's own operators it uses");
    } else if (r->opset > FERRY_ONNX_NEWEST_OPSET) {
        snprintf(text, sizeof text,
                 "is of opset %" PRId64
                 ", newer than %d, the newest that ferry was made for: its operators are read in the "
                 "form of opset %d",
                 r->opset, FERRY_ONNX_NEWEST_OPSET, FERRY_ONNX_NEWEST_OPSET);
        warn(r, "model", NULL, text);
    }
    if (m->ir_version > FERRY_ONNX_NEWEST_IR) {
        snprintf(text, sizeof text, "is of IR version %" PRId64 ", newer than %d, the newest that ferry was made for",
                 m->ir_version, FERRY_ONNX_NEWEST_IR);
        warn(r, "model", NULL, text);
    }
}

// --- Inputs and outputs --------------------------------------------------------------------------------------------

static ferry_status read_shape(ferry_onnx_reader *r, const Ferry__Onnx__TensorShape *from, ferry_shape *to,
                               ferry_error *err)
{
    *to = ferry_shape_unknown();
    if (!from) return FERRY_OK;
    if (from->n_dim > FERRY_MAX_RANK)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "has %zu dimensions, at most %d can be handled", from->n_dim,
                          FERRY_MAX_RANK);
    *to = ferry_shape_of((int32_t)from->n_dim, NULL);
    for (size_t i = 0; i < from->n_dim; i++) {
        const Ferry__Onnx__Dimension *d = from->dim[i];
        to->dims[i] = d->has_dim_value ? d->dim_value : FERRY_DIM_UNKNOWN;
        if (to->dims[i] < FERRY_DIM_UNKNOWN)
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "dimension %zu is %" PRId64, i, to->dims[i]);
        if (!d->has_dim_value && d->dim_param && *d->dim_param)
            to->symbols[i] = ferry_graph_symbol(r->graph, d->dim_param);
    }
    return FERRY_OK;
}

static ferry_status read_type(ferry_onnx_reader *r, const Ferry__Onnx__ValueInfo *info, ferry_dtype *dtype,
                              ferry_shape *shape, ferry_error *err)
{
    *dtype = FERRY_DTYPE_NONE;
    *shape = ferry_shape_unknown();
    if (!info->type) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "has no type");
    if (!info->type->tensor_type)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "is a sequence, map, optional or sparse tensor: only dense tensors are "
                          "supported");
    FERRY_TRY(ferry_onnx_dtype(info->type->tensor_type->elem_type, dtype, err));
    FERRY_TRY(read_shape(r, info->type->tensor_type->shape, shape, err));
    if (!ferry_shape_fits(shape, *dtype)) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "is larger than 2^47 bytes");
    return FERRY_OK;
}

static ferry_status read_input(ferry_onnx_reader *r, const Ferry__Onnx__ValueInfo *info, ferry_error *err)
{
    ferry_error reason = {{0}};
    ferry_dtype dtype;
    ferry_shape shape;
    if (!info->name || !*info->name) {
        ferry_onnx_problem(r, FERRY_ERR_BAD_MODEL, "input", "", "has no name");
        return FERRY_OK;
    }
    const ferry_value_id known = ferry_graph_find_value(r->graph, info->name);
    if (known != FERRY_NO_VALUE) {
        // Old files list initialisers among the inputs, and newer ones may, to give an input a default.
        if (r->graph->values[known].is_input)
            ferry_onnx_problem(r, FERRY_ERR_BAD_MODEL, "input", info->name, "there are two of that name");
        return FERRY_OK;
    }
    const ferry_status s = read_type(r, info, &dtype, &shape, &reason);
    if (s != FERRY_OK) ferry_onnx_problem(r, s, "input", info->name, reason.text);
    ferry_value_id id;
    FERRY_TRY(ferry_graph_add_value(r->graph, info->name, dtype, &shape, &id, err));
    FERRY_TRY(ferry_graph_mark_input(r->graph, id, err));
    FERRY_TRY(ferry_infer_walk_sync(&r->walk, err));
    r->walk.values[id].failed = s != FERRY_OK;
    return FERRY_OK;
}

// A declared type that differs from what the nodes give hints at a broken export; the nodes are believed.
static void check_output_type(ferry_onnx_reader *r, const Ferry__Onnx__ValueInfo *info, ferry_value_id id)
{
    ferry_dtype dtype;
    ferry_shape shape;
    const ferry_inferred *found = &r->walk.values[id];
    if (found->failed || read_type(r, info, &dtype, &shape, NULL) != FERRY_OK) return;
    char text[200];
    if (found->dtype != FERRY_DTYPE_NONE && dtype != found->dtype) {
        snprintf(text, sizeof text, "is declared as %s, but its node gives %s", ferry_dtype_name(dtype),
                 ferry_dtype_name(found->dtype));
        warn(r, "output", info->name, text);
    }
    if (found->shape.rank < 0 || shape.rank < 0) return;
    bool differs = found->shape.rank != shape.rank;
    for (int32_t d = 0; d < shape.rank && !differs; d++)
        differs = shape.dims[d] >= 0 && found->shape.dims[d] >= 0 && shape.dims[d] != found->shape.dims[d];
    if (!differs) return;
    char declared[64], given[64];
    ferry_shape_text(r->graph, &shape, declared, sizeof declared);
    ferry_shape_text(r->graph, &found->shape, given, sizeof given);
    snprintf(text, sizeof text, "is declared as %s, but its node gives %s", declared, given);
    warn(r, "output", info->name, text);
}

static ferry_status read_output(ferry_onnx_reader *r, const Ferry__Onnx__ValueInfo *info, ferry_error *err)
{
    const ferry_value_id id = info->name && *info->name ? ferry_graph_find_value(r->graph, info->name) : FERRY_NO_VALUE;
    if (id == FERRY_NO_VALUE) {
        ferry_onnx_problem(r, FERRY_ERR_BAD_MODEL, "output", info->name ? info->name : "", "no node makes it");
        return FERRY_OK;
    }
    if (r->graph->values[id].is_output) {
        ferry_onnx_problem(r, FERRY_ERR_BAD_MODEL, "output", info->name, "there are two of that name");
        return FERRY_OK;
    }
    check_output_type(r, info, id);
    return ferry_graph_mark_output(r->graph, id, err);
}

static ferry_status read_metadata(ferry_onnx_reader *r, ferry_error *err)
{
    for (size_t i = 0; i < r->model->n_metadata_props; i++) {
        const Ferry__Onnx__Entry *e = r->model->metadata_props[i];
        if (e->key && *e->key) FERRY_TRY(ferry_graph_add_metadata(r->graph, e->key, e->value ? e->value : "", err));
    }
    return FERRY_OK;
}

ferry_status ferry_onnx_read_model(ferry_onnx_reader *r, ferry_error *err)
{
    const Ferry__Onnx__Graph *g = r->model->graph;
    const size_t errors_before = r->report->error_count;
    check_versions(r);
    r->graph->opset = r->opset;
    r->graph->name = ferry_arena_strdup(&r->graph->arena, g->name ? g->name : "");
    if (!r->graph->name) return ferry_fail_memory(err, "the model");
    // Operators had other forms then: complaints about each of them would hide this one.
    if (r->opset < FERRY_ONNX_OLDEST_OPSET) return ferry_report_status(r->report, FERRY_ERR_UNSUPPORTED, err);
    FERRY_TRY(read_metadata(r, err));
    FERRY_TRY(ferry_onnx_read_initializers(r, err));
    for (size_t i = 0; i < g->n_input; i++) FERRY_TRY(read_input(r, g->input[i], err));
    FERRY_TRY(ferry_onnx_read_nodes(r, err));
    if (g->n_output == 0) ferry_onnx_problem(r, FERRY_ERR_BAD_MODEL, "model", NULL, "has no outputs");
    for (size_t i = 0; i < g->n_output; i++) FERRY_TRY(read_output(r, g->output[i], err));
    if (r->report->error_count == errors_before) return FERRY_OK;
    const bool bad = r->bad || r->walk.bad;
    return ferry_report_status(r->report, bad ? FERRY_ERR_BAD_MODEL : FERRY_ERR_UNSUPPORTED, err);
}

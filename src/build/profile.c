// SPDX-License-Identifier: Apache-2.0
// Which shapes an engine is built for: the model's own, with the open dimensions filled in from the options.
#include <stdio.h>
#include <string.h>

#include "build/internal.h"

static const ferry_profile_shape *find_shape(const ferry_building *b, const char *input)
{
    for (size_t i = 0; i < b->options.n_shapes; i++)
        if (strcmp(b->options.shapes[i].input, input) == 0) return &b->options.shapes[i];
    return NULL;
}

static ferry_status fail_unknown(const ferry_graph *g, const char *name, ferry_error *err)
{
    char known[256] = "";
    size_t length = 0;
    for (size_t i = 0; i < g->n_inputs && length < sizeof known; i++) {
        const int n =
            snprintf(known + length, sizeof known - length, "%s'%s'", length ? ", " : "", g->values[g->inputs[i]].name);
        length += n > 0 ? (size_t)n : 0;
    }
    return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                      "a shape is given for '%s', which is no input of the model; it has %s", name,
                      length ? known : "none");
}

static ferry_status check_names(const ferry_building *b, ferry_error *err)
{
    const ferry_graph *g = &b->network->graph;
    for (size_t i = 0; i < b->options.n_shapes; i++) {
        bool found = false;
        if (!b->options.shapes[i].input)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "shape %zu does not say of which input it is", i);
        for (size_t k = 0; k < g->n_inputs; k++)
            found |= strcmp(g->values[g->inputs[k]].name, b->options.shapes[i].input) == 0;
        if (!found) return fail_unknown(g, b->options.shapes[i].input, err);
    }
    return FERRY_OK;
}

static ferry_status check_shape(const ferry_value *v, const ferry_profile_shape *s, ferry_error *err)
{
    if (s->rank < 0 || s->rank > FERRY_MAX_RANK)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "input '%s': a shape of %d dimensions is given, 0 to %d can be", v->name, s->rank,
                          FERRY_MAX_RANK);
    if (v->shape.rank >= 0 && s->rank != v->shape.rank)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "input '%s' has %d dimensions, the shape given has %d",
                          v->name, v->shape.rank, s->rank);
    for (int32_t d = 0; d < s->rank; d++) {
        if (s->min_dims[d] < 0 || s->min_dims[d] > s->opt_dims[d] || s->opt_dims[d] > s->max_dims[d])
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                              "input '%s', dimension %d: min %lld, opt %lld, max %lld are not in order", v->name, d,
                              (long long)s->min_dims[d], (long long)s->opt_dims[d], (long long)s->max_dims[d]);
        const int64_t fixed = v->shape.rank >= 0 ? v->shape.dims[d] : FERRY_DIM_UNKNOWN;
        if (fixed >= 0 && (s->min_dims[d] != fixed || s->max_dims[d] != fixed))
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                              "input '%s', dimension %d: the model fixes it at %lld, "
                              "the shape given says %lld",
                              v->name, d, (long long)fixed, (long long)s->opt_dims[d]);
    }
    return FERRY_OK;
}

static ferry_status make_profile(ferry_building *b, ferry_value_id input, ferry_engine_profile *out, ferry_error *err)
{
    const ferry_value *v = &b->network->graph.values[input];
    const ferry_profile_shape *s = find_shape(b, v->name);
    out->input = input;
    if (s) {
        FERRY_TRY(check_shape(v, s, err));
        out->min = ferry_shape_of(s->rank, s->min_dims);
        out->opt = ferry_shape_of(s->rank, s->opt_dims);
        out->max = ferry_shape_of(s->rank, s->max_dims);
        return FERRY_OK;
    }
    ferry_shape shape = v->shape;
    char text[160];
    ferry_shape_text(&b->network->graph, &v->shape, text, sizeof text);
    bool open = shape.rank < 0;
    for (int32_t d = 1; d < shape.rank; d++) open |= shape.dims[d] < 0;
    if (open)
        return ferry_fail(
            err, FERRY_ERR_INVALID_ARGUMENT,
            "input '%s' has open dimensions (%s): say which with --shape '%s=1x...', or with --min-shape, "
            "--opt-shape and --max-shape",
            v->name, text, v->name);
    if (shape.rank > 0 && shape.dims[0] < 0) {
        shape.dims[0] = 1;
        ferry_log(b->options.logger, FERRY_SEVERITY_INFO,
                  "input '%s' (%s): the open batch dimension is built as 1; change it with --shape", v->name, text);
    }
    out->min = out->opt = out->max = ferry_shape_of(shape.rank, shape.dims);
    return FERRY_OK;
}

ferry_status ferry_building_profiles(ferry_building *b, ferry_error *err)
{
    const ferry_graph *g = &b->network->graph;
    FERRY_TRY(check_names(b, err));
    b->profiles = ferry_arena_alloc_array(&b->arena, g->n_inputs, sizeof *b->profiles);
    b->opt = ferry_arena_alloc_array(&b->arena, g->n_inputs, sizeof *b->opt);
    if (!b->profiles || !b->opt) return ferry_fail_memory(err, "shapes");
    for (size_t i = 0; i < g->n_inputs; i++) {
        FERRY_TRY(make_profile(b, g->inputs[i], &b->profiles[i], err));
        b->opt[i] = (ferry_input_shape){g->inputs[i], b->profiles[i].opt};
    }
    return FERRY_OK;
}

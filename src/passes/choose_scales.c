// SPDX-License-Identifier: Apache-2.0
// Where the scale of each tensor comes from.
#include <stdlib.h>
#include <string.h>

#include "passes/choose.h"

// Outside these bounds multipliers could overflow (docs/INT8.md); no sound calibration gets there.
static bool is_usable(float scale)
{
    return scale >= 0x1p-30f && scale <= 0x1p30f;
}

static int by_name(const void *a, const void *b)
{
    const ferry_named_scale *const *x = a, *const *y = b;
    const int order = strcmp((*x)->name, (*y)->name);
    return order ? order : (*x > *y) - (*x < *y); // the first of two entries for one name is met first
}

const ferry_named_scale **ferry_sort_scales(const ferry_named_scale *entries, size_t count, ferry_arena *arena)
{
    const ferry_named_scale **sorted = ferry_arena_alloc_array(arena, count + 1, sizeof *sorted);
    if (!sorted) return NULL;
    for (size_t i = 0; i < count; i++) sorted[i] = &entries[i];
    qsort(sorted, count, sizeof *sorted, by_name);
    return sorted;
}

const ferry_named_scale *ferry_find_scale(const ferry_named_scale *const *sorted, size_t count, const char *name)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(sorted[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && strcmp(sorted[low]->name, name) == 0 ? sorted[low] : NULL;
}

// Movers that neither drop nor choose elements hand a scale back to their input as well.
static bool hands_back(const ferry_node *node)
{
    return !ferry_node_is(node, "Slice") && !ferry_node_is(node, "Split") && !ferry_node_is(node, "Gather");
}

// The symmetric scale that reaches as far as the tensor's own.
static float symmetric_scale(const ferry_chooser *c, ferry_value_id v)
{
    const int32_t z = c->zeros[v];
    return z == 0 ? c->scales[v] : c->scales[v] * (float)(z < 0 ? 127 - z : 128 + z) / 127.0f;
}

static bool propagate(ferry_chooser *c, const ferry_node *node)
{
    bool changed = false;
    const int32_t n_in = ferry_node_is(node, "Concat") ? node->n_inputs : 1;
    float in = 0.0f;
    bool all = true;
    for (int32_t i = 0; i < n_in; i++) {
        const float s = symmetric_scale(c, node->inputs[i]);
        all = all && s > 0.0f;
        if (s > in) in = s;
    }
    for (int32_t o = 0; o < node->n_outputs; o++) {
        if (node->outputs[o] == FERRY_NO_VALUE) continue;
        float *out = &c->scales[node->outputs[o]];
        if (all && *out == 0.0f) {
            *out = in;
            changed = true;
        }
        for (int32_t i = 0; *out > 0.0f && hands_back(node) && i < n_in; i++) {
            if (c->scales[node->inputs[i]] > 0.0f) continue;
            c->scales[node->inputs[i]] = symmetric_scale(c, node->outputs[o]);
            changed = true;
        }
    }
    return changed;
}

ferry_status ferry_choose_scales(ferry_chooser *c, ferry_error *err)
{
    const size_t n = c->options->n_scales;
    const ferry_named_scale **sorted = ferry_sort_scales(c->options->scales, n, &c->scratch);
    if (!sorted) return ferry_fail_memory(err, "scales");
    for (size_t v = 0; v < c->graph->n_values; v++) {
        const ferry_value *value = &c->graph->values[v];
        if (ferry_value_is_constant(value) || !ferry_rewrite_is_real(value->dtype)) continue;
        float scale = 0.0f;
        int32_t zero = 0;
        if (value->quant.dtype == FERRY_S8 && value->quant.count == 1) {
            scale = value->quant.scales[0];
            zero = ferry_rewrite_zero_point(&value->quant);
        } else {
            const ferry_named_scale *found = ferry_find_scale(sorted, n, value->name);
            if (found) scale = found->scale;
        }
        if (is_usable(scale))
            c->scales[v] = scale, c->zeros[v] = zero;
        else if (scale != 0.0f)
            ferry_report_add(c->report, FERRY_SEVERITY_WARNING, value->name,
                             "its scale %g is not usable; it runs in floating point", (double)scale);
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < c->graph->n_nodes; i++)
            if (c->kinds[i] == FERRY_INT8_MOVE && propagate(c, &c->graph->nodes[i])) changed = true;
    }
    return FERRY_OK;
}

// SPDX-License-Identifier: Apache-2.0
// Keeps engines small: some tactics are fast because their packed constants are several times as large as the model's
// own. Those that save the least time for their bytes are given up until the rest fits.
#include <math.h>

#include "plan/select.h"

// A file is to stay under 2.5 times the size that its constants have in f32. It holds them twice, as they are and as
// they are packed, and a sixteenth is left for everything else.
static uint64_t budget_of(const ferry_planner *p)
{
    if (p->options->packed_budget) return p->options->packed_budget;
    double budget = 0;
    for (size_t v = 0; v < p->graph->n_values; v++) {
        const ferry_value *value = &p->graph->values[v];
        size_t elements = 0;
        if (!ferry_value_is_constant(value) || !ferry_shape_elements(&value->shape, &elements)) continue;
        const double bytes = (double)elements * (double)ferry_dtype_bytes(value->dtype);
        budget += 2.5 * sizeof(float) * (double)elements - (2 + 1.0 / 16) * bytes;
    }
    return budget > 1 ? (uint64_t)budget : 1;
}

static ferry_candidate *chosen(const ferry_planner *p, size_t node)
{
    return p->chosen[node] < 0 ? NULL : &p->candidates[node].items[p->chosen[node]];
}

// Microseconds for each byte saved by the best of the smaller candidates; infinite when there is none.
static double price(const ferry_candidate_list *list, const ferry_candidate *from)
{
    double least = INFINITY;
    for (size_t i = 0; i < list->count; i++) {
        const ferry_candidate *c = &list->items[i];
        if (c->dropped || c->extra_bytes >= from->extra_bytes || c->n_nodes != from->n_nodes) continue;
        const double each =
            (ferry_candidate_cost(c) - ferry_candidate_cost(from)) / (double)(from->extra_bytes - c->extra_bytes);
        if (each < least) least = each;
    }
    return least;
}

ferry_status ferry_planner_select_in_budget(ferry_planner *p, ferry_error *err)
{
    const uint64_t budget = budget_of(p);
    for (;;) {
        FERRY_TRY(ferry_planner_select(p, err));
        uint64_t extra = 0;
        ferry_candidate *cheapest = NULL;
        double least = INFINITY;
        for (size_t n = 0; n < p->graph->n_nodes; n++) {
            ferry_candidate *c = chosen(p, n);
            if (!c) continue;
            extra += c->extra_bytes;
            const double each = price(&p->candidates[n], c);
            if (each < least) {
                least = each;
                cheapest = c;
            }
        }
        if (extra <= budget || !cheapest) return FERRY_OK;
        cheapest->dropped = true;
    }
}

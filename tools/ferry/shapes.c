// SPDX-License-Identifier: Apache-2.0
// Shapes of dynamic inputs, from --shape and the three of an optimisation profile.
#include <stdio.h>
#include <string.h>

#include "options_take.h"

static const char *find_pair(const cli_pair *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0) return list[i].value;
    return NULL;
}

// --shape alone fixes an input; of min, opt and max those that are left out take the next one that is given.
static ferry_status make_shape(const cli_settings *s, const char *name, ferry_profile_shape *out, ferry_error *err)
{
    const char *fixed = find_pair(s->shapes, s->n_shapes, name);
    const char *least = find_pair(s->min_shapes, s->n_min_shapes, name);
    const char *opt = find_pair(s->opt_shapes, s->n_opt_shapes, name);
    const char *most = find_pair(s->max_shapes, s->n_max_shapes, name);
    if (fixed && (least || opt || most)) CLI_FAIL("input '%s': --shape fixes it; leave it or the profile out", name);
    if (fixed) least = opt = most = fixed;
    if (!opt) opt = most ? most : least;
    if (!least) least = opt;
    if (!most) most = opt;
    int32_t rank = 0;
    out->input = name;
    ferry_status status = cli_take_dims(least, &rank, out->min_dims, err);
    out->rank = rank;
    if (status == FERRY_OK) status = cli_take_dims(opt, &rank, out->opt_dims, err);
    if (status == FERRY_OK && rank != out->rank)
        CLI_FAIL("input '%s': shapes of %d and %d dimensions", name, out->rank, rank);
    if (status == FERRY_OK) status = cli_take_dims(most, &rank, out->max_dims, err);
    if (status == FERRY_OK && rank != out->rank)
        CLI_FAIL("input '%s': shapes of %d and %d dimensions", name, out->rank, rank);
    return status;
}

ferry_status cli_collect_shapes(const cli_settings *s, ferry_profile_shape *out, size_t *out_n, ferry_error *err)
{
    const struct {
        const cli_pair *list;
        size_t n;
    } lists[] = {{s->shapes, s->n_shapes},
                 {s->min_shapes, s->n_min_shapes},
                 {s->opt_shapes, s->n_opt_shapes},
                 {s->max_shapes, s->n_max_shapes}};
    *out_n = 0;
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (size_t i = 0; i < lists[l].n; i++) {
            bool known = false;
            for (size_t k = 0; k < *out_n; k++) known |= strcmp(out[k].input, lists[l].list[i].name) == 0;
            if (known) continue;
            if (*out_n == CLI_MOST_ITEMS) CLI_FAIL("shapes for more than %d inputs", CLI_MOST_ITEMS);
            const ferry_status status = make_shape(s, lists[l].list[i].name, &out[*out_n], err);
            if (status != FERRY_OK) return status;
            ++*out_n;
        }
    return FERRY_OK;
}

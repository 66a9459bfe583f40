// SPDX-License-Identifier: Apache-2.0
// Where accuracy is lost: a tensor's SQNR holds the errors of everything before it, so what a layer itself costs is the
// difference between the worst of its inputs and its output.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

// Rounding to 8 bits alone costs about this much, so better inputs do not make a loss larger.
#define CLEAN_DB 40.0

typedef struct known {
    const char *name; // borrowed from the description
    double db;
} known;

typedef struct flow {
    known *list;
    size_t count, capacity;
} flow;

static bool put(flow *f, const char *name, double db)
{
    if (f->count == f->capacity) {
        const size_t capacity = f->capacity ? f->capacity * 2 : 512;
        known *grown = realloc(f->list, capacity * sizeof *grown);
        if (!grown) return false;
        f->list = grown;
        f->capacity = capacity;
    }
    f->list[f->count++] = (known){name, db};
    return true;
}

// NAN: nothing is known of it.
static double get(const flow *f, const char *name)
{
    for (size_t i = f->count; i-- > 0;)
        if (strcmp(f->list[i].name, name) == 0) return f->list[i].db;
    return NAN;
}

static const char *name_of(const json_t *end)
{
    const char *name = json_string_value(json_object_get(end, "name"));
    return name ? name : "";
}

// The worst input of which something is known.
static double worst_input(const flow *f, const json_t *layer)
{
    size_t i;
    json_t *end;
    double worst = NAN;
    json_array_foreach(json_object_get(layer, "inputs"), i, end)
    {
        const double db = get(f, name_of(end));
        if (!isnan(db) && (isnan(worst) || db < worst)) worst = db;
    }
    return worst > CLEAN_DB ? CLEAN_DB : worst;
}

static int most_lost_first(const void *a, const void *b)
{
    const cli_loss *x = a, *y = b;
    const double dx = x->from_db - x->to_db, dy = y->from_db - y->to_db;
    return (dx < dy) - (dx > dy);
}

static int add_layer(flow *f, const json_t *layer, cli_tensor_records *records, cli_losses *out)
{
    size_t i;
    json_t *end;
    const double from = worst_input(f, layer);
    json_array_foreach(json_object_get(layer, "outputs"), i, end)
    {
        const cli_tensor_record *r = cli_records_find(records, name_of(end));
        const bool measured = r && r->all.count > 0;
        double to = measured ? cli_difference_sqnr(&r->all) : from;
        if (to > CLEAN_DB) to = CLEAN_DB;
        if (!isnan(to) && !put(f, name_of(end), to)) return cli_fail("out of memory");
        if (!measured || isnan(from) || from - to <= 0) continue;
        cli_loss *grown = realloc(out->list, (out->count + 1) * sizeof *grown);
        if (!grown) return cli_fail("out of memory");
        out->list = grown;
        out->list[out->count++] = (cli_loss){r, from, to};
    }
    return CLI_OK;
}

int cli_losses_find(cli_losses *out, cli_tensor_records *records, const json_t *description)
{
    size_t i;
    json_t *layer, *binding;
    flow f = {0};
    int status = CLI_OK;
    *out = (cli_losses){0};
    json_array_foreach(json_object_get(description, "bindings"), i, binding)
    {
        const char *kind = json_string_value(json_object_get(binding, "kind"));
        if (kind && strcmp(kind, "input") == 0 && !put(&f, name_of(binding), CLEAN_DB))
            status = cli_fail("out of memory");
    }
    json_array_foreach(json_object_get(description, "layers"), i, layer) if (status == CLI_OK) status =
        add_layer(&f, layer, records, out);
    free(f.list);
    if (out->count) qsort(out->list, out->count, sizeof *out->list, most_lost_first);
    return status;
}

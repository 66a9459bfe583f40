// SPDX-License-Identifier: Apache-2.0
// The network object: an imported model, kept as it was for builds to start from.
#include <string.h>

#include "base/options.h"
#include "build/internal.h"
#include "import/import.h"

static void log_findings(const ferry_report *report, const ferry_logger *logger)
{
    for (size_t i = 0; i < report->count; i++) {
        const ferry_finding *f = &report->findings[i];
        ferry_log(logger, f->severity, "%s%s%s", f->subject, f->subject[0] ? ": " : "", f->text);
    }
}

ferry_status ferry_network_load(const char *path, const ferry_network_options *options, ferry_network **out,
                                ferry_error *error)
{
    *out = NULL;
    ferry_network_options o;
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_network_options, &o, options, error));
    const ferry_heap *heap = ferry_heap_or_default(o.heap);
    ferry_network *network = ferry_new(heap, ferry_network);
    if (!network) return ferry_fail_memory(error, "a network");
    network->heap = heap;
    ferry_graph_init(&network->graph, heap);
    ferry_report report;
    ferry_report_init(&report, heap);
    const ferry_import_options import_options = {.heap = heap};
    ferry_status s = ferry_import(path, &import_options, &network->graph, &report, NULL, error);
    log_findings(&report, o.logger);
    ferry_report_deinit(&report);
    if (s != FERRY_OK) {
        ferry_network_release(network);
        return s;
    }
    *out = network;
    return FERRY_OK;
}

void ferry_network_release(ferry_network *network)
{
    if (!network) return;
    ferry_graph_deinit(&network->graph);
    ferry_delete(network->heap, network);
}

int32_t ferry_network_binding_count(const ferry_network *network)
{
    return (int32_t)(network->graph.n_inputs + network->graph.n_outputs);
}

ferry_status ferry_network_binding(const ferry_network *network, int32_t index, ferry_binding_info *out,
                                   ferry_error *error)
{
    const ferry_graph *g = &network->graph;
    if (index < 0 || index >= ferry_network_binding_count(network))
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "binding %d of %d", index,
                          ferry_network_binding_count(network));
    const bool is_input = (size_t)index < g->n_inputs;
    const ferry_value *v = &g->values[is_input ? g->inputs[index] : g->outputs[(size_t)index - g->n_inputs]];
    *out = (ferry_binding_info){
        .name = v->name, .dtype = v->dtype, .is_input = is_input, .rank = v->shape.rank < 0 ? 0 : v->shape.rank};
    memcpy(out->dims, v->shape.dims, sizeof out->dims);
    memcpy(out->min_dims, v->shape.dims, sizeof out->dims);
    memcpy(out->opt_dims, v->shape.dims, sizeof out->dims);
    memcpy(out->max_dims, v->shape.dims, sizeof out->dims);
    return FERRY_OK;
}

const char *ferry_network_metadata(const ferry_network *network, const char *key)
{
    for (size_t i = 0; i < network->graph.n_metadata; i++)
        if (strcmp(network->graph.metadata[i].key, key) == 0) return network->graph.metadata[i].value;
    return NULL;
}

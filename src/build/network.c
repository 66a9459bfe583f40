// SPDX-License-Identifier: Apache-2.0
// The network object: an imported model, or an empty one to build in, kept as it was for builds to start from.
#include <inttypes.h>
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

static ferry_status new_network(const ferry_network_options *options, ferry_network **out, ferry_error *err)
{
    const ferry_heap *heap = ferry_heap_or_default(options->heap);
    *out = ferry_new(heap, ferry_network);
    if (!*out) return ferry_fail_memory(err, "a network");
    (*out)->heap = heap;
    ferry_graph_init(&(*out)->graph, heap);
    return FERRY_OK;
}

typedef struct origin {
    const char *path;
    const void *data; // NULL: the file at `path`
    size_t bytes;
} origin;

static ferry_status import(const origin *from, ferry_network *network, ferry_report *report, ferry_error *err)
{
    const ferry_import_options options = {.heap = network->heap, .path = from->path};
    if (!from->data) return ferry_import(from->path, &options, &network->graph, report, NULL, err);
    return ferry_import_memory(from->data, from->bytes, &options, &network->graph, report, NULL, err);
}

static ferry_status load(const origin *from, const ferry_network_options *options, ferry_network **out,
                         ferry_error *err)
{
    ferry_network_options o;
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_network_options, &o, options, err));
    ferry_network *network = NULL;
    FERRY_TRY(new_network(&o, &network, err));
    ferry_report report;
    ferry_report_init(&report, network->heap);
    const ferry_status s = import(from, network, &report, err);
    log_findings(&report, o.logger);
    ferry_report_deinit(&report);
    if (s == FERRY_OK)
        *out = network;
    else
        ferry_network_release(network);
    return s;
}

ferry_status ferry_network_load(const char *path, const ferry_network_options *options, ferry_network **out,
                                ferry_error *error)
{
    *out = NULL;
    if (!path) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a model's path is NULL");
    return load(&(const origin){.path = path}, options, out, error);
}

ferry_status ferry_network_load_memory(const void *data, size_t bytes, const char *path,
                                       const ferry_network_options *options, ferry_network **out, ferry_error *error)
{
    *out = NULL;
    if (!data && bytes) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a model's data is NULL");
    return load(&(const origin){path, data ? data : "", bytes}, options, out, error);
}

ferry_status ferry_network_create(const ferry_network_options *options, int64_t opset, ferry_network **out,
                                  ferry_error *error)
{
    *out = NULL;
    ferry_network_options o;
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_network_options, &o, options, error));
    FERRY_TRY(ferry_onnx_check_opset(&opset, error));
    FERRY_TRY(new_network(&o, out, error));
    (*out)->graph.opset = opset;
    return FERRY_OK;
}

void ferry_network_release(ferry_network *network)
{
    if (!network) return;
    ferry_onnx_appender_destroy(network->appender);
    ferry_heap_free(network->heap, network->ranges, network->cap_ranges * sizeof *network->ranges);
    ferry_graph_deinit(&network->graph);
    ferry_delete(network->heap, network);
}

bool ferry_operator_supported(const char *op_type, const char *domain, int64_t opset)
{
    return op_type && ferry_onnx_supports(op_type, domain, opset);
}

// SPDX-License-Identifier: Apache-2.0
#include "conformance/vector_case.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "import/import.h"
#include "ops/element.h"
#include "ops/infer.h"

static void say(vector_result *out, vector_verdict verdict, const char *format, ...) FERRY_PRINTF(3, 4);

static void say(vector_result *out, vector_verdict verdict, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    out->verdict = verdict;
    vsnprintf(out->text, sizeof out->text, format, args);
    va_end(args);
    for (char *c = out->text; *c; c++)
        if (*c == '\n') *c = ' ';
}

// --- the operators a model names: read from the wire, so that the importer's word is not needed
// -------------------------

typedef struct wire {
    const uint8_t *at, *end;
} wire;

static uint64_t varint(wire *w)
{
    uint64_t value = 0;
    for (int shift = 0; w->at < w->end && shift < 64; shift += 7) {
        value |= (uint64_t)(*w->at & 127) << shift;
        if (!(*w->at++ & 128)) break;
    }
    return value;
}

// The next length-delimited field, others skipped; false at the end.
static bool next_field(wire *w, uint32_t *out_number, wire *out_payload)
{
    while (w->at < w->end) {
        const uint64_t key = varint(w);
        const size_t left = (size_t)(w->end - w->at);
        size_t skip = 0;
        switch (key & 7) {
        case 0:
            varint(w);
            continue;
        case 1:
            skip = 8;
            break;
        case 5:
            skip = 4;
            break;
        case 2: {
            const uint64_t length = varint(w);
            if (length > (uint64_t)(w->end - w->at)) return false;
            *out_number = (uint32_t)(key >> 3);
            *out_payload = (wire){w->at, w->at + length};
            w->at += length;
            return true;
        }
        default:
            return false;
        }
        if (skip > left) return false;
        w->at += skip;
    }
    return false;
}

static void add_op(vector_result *out, wire name)
{
    char text[64] = {0};
    const size_t length = (size_t)(name.end - name.at);
    memcpy(text, name.at, length < sizeof text - 1 ? length : sizeof text - 1);
    for (size_t i = 0; i < out->n_ops; i++)
        if (strcmp(out->ops[i], text) == 0) return;
    if (out->n_ops < VECTOR_CASE_MOST_OPS) memcpy(out->ops[out->n_ops++], text, sizeof text);
}

static void read_ops(const uint8_t *bytes, size_t n, vector_result *out)
{
    enum { MODEL_GRAPH = 7, GRAPH_NODE = 1, NODE_OP_TYPE = 4 };
    wire model = {bytes, bytes + n}, graph, node, field;
    uint32_t number = 0;
    while (next_field(&model, &number, &graph))
        if (number == MODEL_GRAPH)
            while (next_field(&graph, &number, &node))
                if (number == GRAPH_NODE)
                    while (next_field(&node, &number, &field))
                        if (number == NODE_OP_TYPE) add_op(out, field);
}

static uint8_t *read_file(const char *path, size_t *out_bytes)
{
    struct stat info;
    uint8_t *bytes = NULL;
    FILE *file = fopen(path, "rb");
    *out_bytes = 0;
    if (!file) return NULL;
    if (fstat(fileno(file), &info) == 0 && (bytes = malloc((size_t)info.st_size + 1)) != NULL)
        *out_bytes = fread(bytes, 1, (size_t)info.st_size, file);
    fclose(file);
    return bytes;
}

// Many of ONNX's cases say opset 1 to 6, older than ferry reads, though their operators have the same form in opset 7.
// Such a model is read as of opset 7.
static void raise_to_opset_7(uint8_t *bytes, size_t n, const vector_result *result)
{
    static const char *const unchanged[] = {"Abs",
                                            "Concat",
                                            "Constant",
                                            "Conv",
                                            "ConvTranspose",
                                            "Elu",
                                            "Exp",
                                            "Flatten",
                                            "GlobalMaxPool",
                                            "HardSigmoid",
                                            "LeakyRelu",
                                            "Log",
                                            "LogSoftmax",
                                            "MaxPool",
                                            "Neg",
                                            "Not",
                                            "ReduceLogSum",
                                            "ReduceMean",
                                            "ReduceSum",
                                            "Relu",
                                            "Reshape",
                                            "Selu",
                                            "Sigmoid",
                                            "Softmax",
                                            "Softplus",
                                            "Softsign",
                                            "Sqrt",
                                            "Squeeze",
                                            "Tanh",
                                            "Transpose",
                                            "Unsqueeze",
                                            "Gather",
                                            "Slice",
                                            "Split",
                                            "Pad",
                                            "Max",
                                            "Min",
                                            "Clip",
                                            "GlobalAveragePool",
                                            "InstanceNormalization",
                                            "Floor",
                                            "Ceil"};
    enum { MODEL_OPSET = 8, OPSET_VERSION_KEY = 2 << 3 };
    for (size_t o = 0; o < result->n_ops; o++) {
        bool known = false;
        for (size_t u = 0; u < FERRY_COUNT_OF(unchanged); u++) known = known || !strcmp(unchanged[u], result->ops[o]);
        if (!known) return;
    }
    wire model = {bytes, bytes + n}, set;
    uint32_t number = 0;
    while (next_field(&model, &number, &set)) {
        if (number != MODEL_OPSET) continue;
        while (set.at < set.end) {
            const uint64_t key = varint(&set);
            if (key == OPSET_VERSION_KEY && set.at < set.end && *set.at < 7) bytes[set.at - bytes] = 7;
            const uint64_t skipped = varint(&set); // a version, or the length of a domain's name
            if (key != OPSET_VERSION_KEY)
                set.at += skipped < (uint64_t)(set.end - set.at) ? skipped : (uint64_t)(set.end - set.at);
        }
    }
}

// --- comparing
// ------------------------------------------------------------------------------------------------------------

static bool same(double got, double want, double rtol)
{
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
    return got == want || fabs(got - want) <= 1e-7 + rtol * fabs(want);
}

// ONNX's own runner: rtol 1e-3, atol 1e-7; whole numbers exactly. The 16-bit floats are coarser than that: one step
// more or less, two where several nodes round one after the other.
static double tolerance(ferry_dtype dtype, bool one_node)
{
    const double step = dtype == FERRY_F16 ? 0x1p-10 : dtype == FERRY_BF16 ? 0x1p-7 : 0;
    return fmax(1e-3, one_node ? step : 2 * step);
}

static bool compare(const ferry_tensor *got, const ferry_tensor *want, const char *name, bool one_node,
                    vector_result *out)
{
    if (got->dtype != want->dtype) {
        say(out, VECTOR_FAILED, "output '%s' is of type %s, expected %s", name, ferry_dtype_name(got->dtype),
            ferry_dtype_name(want->dtype));
        return false;
    }
    bool same_dims = got->rank == want->rank;
    for (int32_t d = 0; d < want->rank && same_dims; d++) same_dims = got->dims[d] == want->dims[d];
    if (!same_dims) {
        const ferry_shape a = ferry_shape_of(got->rank, got->dims), b = ferry_shape_of(want->rank, want->dims);
        char a_text[128], b_text[128];
        ferry_shape_text(NULL, &a, a_text, sizeof a_text);
        ferry_shape_text(NULL, &b, b_text, sizeof b_text);
        say(out, VECTOR_FAILED, "output '%s' is %s, expected %s", name, a_text, b_text);
        return false;
    }
    const double rtol = tolerance(want->dtype, one_node);
    const size_t n = ferry_tensor_elements(want);
    for (size_t i = 0; i < n; i++) {
        const double g = ferry_load_f64(got, i), w = ferry_load_f64(want, i);
        const bool equal =
            ferry_dtype_is_float(want->dtype) ? same(g, w, rtol) : ferry_load_s64(got, i) == ferry_load_s64(want, i);
        if (equal) continue;
        say(out, VECTOR_FAILED, "output '%s', element %zu of %zu is %.9g, expected %.9g", name, i, n, g, w);
        return false;
    }
    return true;
}

// --- running
// --------------------------------------------------------------------------------------------------------------

typedef struct run {
    const ferry_graph *graph;
    ferry_tensor *tensors; // one a value; dtype NONE: not there yet
    ferry_arena *arena;
    vector_result *out;
} run;

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

// A value by the name that the data file gives, else by its place: old files have no names.
static ferry_value_id value_for(const ferry_graph *graph, const ferry_value_id *list, size_t count, const char *name,
                                size_t place)
{
    for (size_t i = 0; i < count && name && name[0]; i++)
        if (strcmp(graph->values[list[i]].name, name) == 0) return list[i];
    return place < count ? list[place] : FERRY_NO_VALUE;
}

// The vectors of ONNX 1.12 hold bfloat16 as uint16, which the model does not say.
static void relabel(ferry_tensor *tensor, ferry_dtype model_says)
{
    if (tensor->dtype == FERRY_U16 && model_says == FERRY_BF16) tensor->dtype = FERRY_BF16;
}

static bool read_inputs(run *r, const char *folder)
{
    for (size_t i = 0; i < 64; i++) {
        char path[1024];
        ferry_error err = {""};
        ferry_tensor tensor;
        const char *name = NULL;
        snprintf(path, sizeof path, "%s/input_%zu.pb", folder, i);
        if (!exists(path)) continue;
        if (ferry_onnx_read_tensor_file(path, r->arena, &tensor, &name, &err) != FERRY_OK) {
            say(r->out, VECTOR_REFUSED_OTHER, "input_%zu.pb: %s", i, err.text);
            return false;
        }
        const ferry_value_id v = value_for(r->graph, r->graph->inputs, r->graph->n_inputs, name, i);
        if (v == FERRY_NO_VALUE) continue;
        relabel(&tensor, r->graph->values[v].dtype);
        r->tensors[v] = tensor;
    }
    return true;
}

static bool run_node(run *r, const ferry_node *node)
{
    ferry_tensor *in = ferry_arena_alloc_array(r->arena, (size_t)node->n_inputs + 1, sizeof *in);
    ferry_tensor *out = ferry_arena_alloc_array(r->arena, (size_t)node->n_outputs + 1, sizeof *out);
    ferry_error err = {""};
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] == FERRY_NO_VALUE) continue;
        in[i] = r->tensors[node->inputs[i]];
        if (in[i].dtype == FERRY_DTYPE_NONE) {
            say(r->out, VECTOR_FAILED, "node '%s': input %d has no data", node->name, i);
            return false;
        }
    }
    const ferry_status status = ferry_node_eval(r->graph, node, in, out, r->arena, &err);
    if (status != FERRY_OK) {
        say(r->out, status == FERRY_ERR_UNSUPPORTED ? VECTOR_REFUSED_OTHER : VECTOR_FAILED, "node '%s' (%s): %s: %s",
            node->name, node->op->name, ferry_status_name(status), err.text);
        return false;
    }
    for (int32_t o = 0; o < node->n_outputs; o++)
        if (node->outputs[o] != FERRY_NO_VALUE) r->tensors[node->outputs[o]] = out[o];
    return true;
}

static bool check_outputs(run *r, const char *folder)
{
    for (size_t i = 0; i < 64; i++) {
        char path[1024];
        ferry_error err = {""};
        ferry_tensor want;
        const char *name = NULL;
        snprintf(path, sizeof path, "%s/output_%zu.pb", folder, i);
        if (!exists(path)) continue;
        if (ferry_onnx_read_tensor_file(path, r->arena, &want, &name, &err) != FERRY_OK) {
            say(r->out, VECTOR_REFUSED_OTHER, "output_%zu.pb: %s", i, err.text);
            return false;
        }
        const ferry_value_id v = value_for(r->graph, r->graph->outputs, r->graph->n_outputs, name, i);
        if (v == FERRY_NO_VALUE || r->tensors[v].dtype == FERRY_DTYPE_NONE) {
            say(r->out, VECTOR_FAILED, "output %zu was not computed", i);
            return false;
        }
        relabel(&want, r->tensors[v].dtype);
        if (!compare(&r->tensors[v], &want, r->graph->values[v].name, r->graph->n_nodes == 1, r->out)) return false;
    }
    return true;
}

// --- on a device
// --------------------------------------------------------------------------------------------------------------

static bool run_on_device(run *r, const vector_device *device)
{
    const ferry_graph *graph = r->graph;
    ferry_tensor *inputs = ferry_arena_alloc_array(r->arena, graph->n_inputs + 1, sizeof *inputs);
    ferry_tensor *wanted = ferry_arena_alloc_array(r->arena, graph->n_outputs + 1, sizeof *wanted);
    ferry_device_count count;
    ferry_error why = {""};
    for (size_t i = 0; i < graph->n_inputs; i++) {
        inputs[i] = r->tensors[graph->inputs[i]];
        if (inputs[i].dtype == FERRY_DTYPE_NONE) return true; // nothing to bind
    }
    for (size_t o = 0; o < graph->n_outputs; o++) wanted[o] = r->tensors[graph->outputs[o]];
    if (!ferry_device_agrees(device->runtime, graph, inputs, wanted, device->fp16, &count, &why)) {
        say(r->out, VECTOR_FAILED, "on the device: %s", why.text);
        return false;
    }
    r->out->built = count.on_device + count.on_host > 0;
    r->out->on_device = count.on_device > 0 && count.on_host == 0;
    memcpy(r->out->host_ops, count.host_ops, sizeof count.host_ops);
    return true;
}

static bool run_data_set(const ferry_graph *graph, const char *folder, const vector_device *device, vector_result *out)
{
    ferry_arena arena;
    ferry_arena_init(&arena, ferry_heap_default());
    run r = {.graph = graph, .arena = &arena, .out = out};
    r.tensors = ferry_arena_alloc_array(&arena, graph->n_values + 1, sizeof *r.tensors);
    for (size_t v = 0; v < graph->n_values; v++)
        if (ferry_value_is_constant(&graph->values[v])) r.tensors[v] = ferry_value_tensor(&graph->values[v]);
    bool ok = read_inputs(&r, folder);
    for (size_t n = 0; ok && n < graph->n_nodes; n++) ok = !graph->nodes[n].op || run_node(&r, &graph->nodes[n]);
    ok = ok && check_outputs(&r, folder) && (!device->runtime || run_on_device(&r, device));
    ferry_arena_deinit(&arena);
    return ok;
}

// Refused by name: an operator that is not in the table, and the importer says which.
static void judge_refusal(const char *text, vector_result *out)
{
    for (size_t i = 0; i < out->n_ops; i++) {
        char plain[96], qualified[96];
        snprintf(plain, sizeof plain, "operator %s is not supported", out->ops[i]);
        snprintf(qualified, sizeof qualified, "::%s ", out->ops[i]);
        if (ferry_op_find("", out->ops[i]) || (!strstr(text, plain) && !strstr(text, qualified))) continue;
        say(out, VECTOR_REFUSED_NAME, "%s", out->ops[i]);
        return;
    }
    say(out, VECTOR_REFUSED_OTHER, "%s", text);
}

static bool run_data_sets(const ferry_graph *graph, const char *folder, const vector_device *device, vector_result *out)
{
    char path[1024];
    for (size_t i = 0; i < 16; i++) {
        snprintf(path, sizeof path, "%s/test_data_set_%zu", folder, i);
        if (!exists(path)) break;
        if (!run_data_set(graph, path, device, out)) return false;
        out->data_sets++;
    }
    if (out->data_sets == 0) say(out, VECTOR_FAILED, "no test_data_set_0");
    return out->data_sets > 0;
}

void vector_case_ops(const char *folder, vector_result *out)
{
    char path[1024];
    size_t bytes = 0;
    memset(out, 0, sizeof *out);
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    uint8_t *model = read_file(path, &bytes);
    if (model) read_ops(model, bytes, out);
    free(model);
}

void vector_case_run(const char *folder, const vector_device *device, vector_result *out)
{
    char path[1024];
    ferry_graph graph;
    ferry_report report;
    ferry_error err = {""};
    size_t bytes = 0;
    memset(out, 0, sizeof *out);
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    uint8_t *model = read_file(path, &bytes);
    if (!model) {
        say(out, VECTOR_FAILED, "cannot read %s", path);
        return;
    }
    read_ops(model, bytes, out);
    raise_to_opset_7(model, bytes, out);
    ferry_report_init(&report, ferry_heap_default());
    const ferry_import_options options = {.folder = folder, .allow_nan = true};
    if (ferry_import_memory(model, bytes, &options, &graph, &report, NULL, &err) == FERRY_OK) {
        run_data_sets(&graph, folder, device, out);
        ferry_graph_deinit(&graph);
    } else {
        judge_refusal(err.text, out);
    }
    ferry_report_deinit(&report);
    free(model);
}

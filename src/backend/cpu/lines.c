// SPDX-License-Identifier: Apache-2.0
// Softmax, LogSoftmax, InstanceNormalization, ArgMax and the common reductions of floats: operators
// that look at whole lines of a tensor, along whatever dimensions and in either layout.
#include <math.h>
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/lines.h"
#include "backend/cpu/lines_node.h"
#include "ops/element.h"

static const char tactic_name[] = "lines_f32";

#define COLUMNS FERRY_LINES_COLUMNS

typedef struct lines_kernel {
    ferry_cpu_kernel base;
    const ferry_lines_row *row;
    ferry_lines_kind kind;
    ferry_lines_view view;
    ferry_operand x;
    const float *scale, *bias; // of normalisations; perhaps owned
    size_t scale_owned, bias_owned, channels;
    double *mean; // owned: of BatchNormalization, [channels], then as many variances
    double epsilon;
    bool last_index;
} lines_kernel;

typedef struct job {
    const lines_kernel *k;
    const float *x;
    void *y;
    size_t chunks; // of columns in a run
} job;

// The channel of a kept position, counted in the order of the walk: images outside, channels inside.
static size_t channel_of(const lines_kernel *k, size_t position)
{
    return position % k->channels;
}

static void run_line(const job *j, size_t position, int64_t x_at, int64_t y_at)
{
    const lines_kernel *k = j->k;
    const ferry_lines_row *row = k->row;
    const size_t n = k->view.n;
    const float *x = j->x + x_at;
    float *y = (float *)j->y + y_at;
    switch (k->kind) {
    case FERRY_LINES_SOFTMAX: {
        const double total = row->exp(x, n, row->max(x, n), y);
        row->scale(y, n, (float)(1 / total));
        break;
    }
    case FERRY_LINES_LOG_SOFTMAX: {
        const float most = row->max(x, n);
        const double total = row->exp(x, n, most, y);
        row->affine(x, n, (double)most + log(total), 1, 0, y);
        break;
    }
    case FERRY_LINES_BATCH_NORM: {
        const size_t c = channel_of(k, position);
        const double factor = (double)k->scale[c] / sqrt(k->mean[k->channels + c] + k->epsilon);
        row->affine(x, n, k->mean[c], (float)factor, k->bias[c], y);
        break;
    }
    case FERRY_LINES_INSTANCE_NORM: {
        const double mean = row->sum(x, n) / (double)n;
        const double inverse = 1 / sqrt(row->squares(x, n, mean) / (double)n + k->epsilon);
        const size_t c = channel_of(k, position);
        const float factor = (float)(inverse * (double)k->scale[c]);
        row->affine(x, n, mean, factor, k->bias[c], y);
        break;
    }
    case FERRY_LINES_ARG_MAX: {
        const float most = row->max(x, n);
        size_t at = k->last_index ? n - 1 : 0;
        while (x[at] != most && !(x[at] != x[at] && most != most)) at += k->last_index ? (size_t)-1 : 1;
        ((int64_t *)j->y)[y_at] = (int64_t)at;
        break;
    }
    case FERRY_LINES_MEAN:
        *y = (float)(row->sum(x, n) / (double)n);
        break;
    case FERRY_LINES_SUM:
        *y = (float)row->sum(x, n);
        break;
    case FERRY_LINES_MAX:
        *y = row->max(x, n);
        break;
    }
}

// An item is a line.
static void run_lines(void *context, size_t begin, size_t count)
{
    const job *j = context;
    const ferry_nd *w = &j->k->view.walk;
    const int32_t last = w->rank - 1;
    const size_t length = (size_t)w->dims[last];
    for (size_t item = begin; item < begin + count; item++) {
        ferry_nd_cursor c;
        ferry_nd_seek(w, item / length, &c);
        const int64_t i = (int64_t)(item % length);
        run_line(j, item, c.at[0] + i * w->strides[0][last], c.at[1] + i * w->strides[1][last]);
    }
}

static void run_columns(const job *j, size_t position, size_t columns, int64_t x_at, int64_t y_at)
{
    const lines_kernel *k = j->k;
    const ferry_lines_row *row = k->row;
    const size_t n = k->view.n, step = k->view.step;
    const float *x = j->x + x_at;
    float *y = (float *)j->y + y_at, most[COLUMNS], factor[COLUMNS], shift[COLUMNS] = {0};
    double sum[COLUMNS], mean[COLUMNS] = {0};
    switch (k->kind) {
    case FERRY_LINES_SOFTMAX:
        row->max_columns(x, n, step, columns, most);
        row->exp_columns(x, n, step, columns, most, y, sum);
        for (size_t c = 0; c < columns; c++) factor[c] = (float)(1 / sum[c]);
        for (size_t i = 0; i < n; i++)
            for (size_t c = 0; c < columns; c++) y[i * step + c] *= factor[c];
        break;
    case FERRY_LINES_LOG_SOFTMAX:
        row->max_columns(x, n, step, columns, most);
        row->exp_columns(x, n, step, columns, most, y, sum);
        for (size_t c = 0; c < columns; c++) {
            mean[c] = (double)most[c] + log(sum[c]);
            factor[c] = 1;
        }
        row->affine_columns(x, n, step, columns, mean, factor, shift, y);
        break;
    case FERRY_LINES_BATCH_NORM:
        for (size_t c = 0; c < columns; c++) {
            const size_t channel = channel_of(k, position + c);
            mean[c] = k->mean[channel];
            factor[c] = (float)((double)k->scale[channel] / sqrt(k->mean[k->channels + channel] + k->epsilon));
            shift[c] = k->bias[channel];
        }
        row->affine_columns(x, n, step, columns, mean, factor, shift, y);
        break;
    case FERRY_LINES_INSTANCE_NORM:
        row->sum_columns(x, n, step, columns, mean);
        for (size_t c = 0; c < columns; c++) mean[c] /= (double)n;
        row->squares_columns(x, n, step, columns, mean, sum);
        for (size_t c = 0; c < columns; c++) {
            const size_t channel = channel_of(k, position + c);
            factor[c] = (float)(1 / sqrt(sum[c] / (double)n + k->epsilon) * (double)k->scale[channel]);
            shift[c] = k->bias[channel];
        }
        row->affine_columns(x, n, step, columns, mean, factor, shift, y);
        break;
    case FERRY_LINES_ARG_MAX:
        row->arg_max_columns(x, n, step, columns, k->last_index, (int64_t *)j->y + y_at);
        break;
    case FERRY_LINES_MEAN:
        row->sum_columns(x, n, step, columns, sum);
        for (size_t c = 0; c < columns; c++) y[c] = (float)(sum[c] / (double)n);
        break;
    case FERRY_LINES_SUM:
        row->sum_columns(x, n, step, columns, sum);
        for (size_t c = 0; c < columns; c++) y[c] = (float)sum[c];
        break;
    case FERRY_LINES_MAX:
        row->max_columns(x, n, step, columns, y);
        break;
    }
}

// An item is up to 16 columns of a run.
static void run_chunks(void *context, size_t begin, size_t count)
{
    const job *j = context;
    const ferry_nd *w = &j->k->view.walk;
    const size_t length = (size_t)w->dims[w->rank - 1];
    for (size_t item = begin; item < begin + count; item++) {
        ferry_nd_cursor c;
        const size_t run = item / j->chunks, first = item % j->chunks * COLUMNS;
        ferry_nd_seek(w, run, &c);
        run_columns(j, run * length + first, length - first < COLUMNS ? length - first : COLUMNS,
                    c.at[0] + (int64_t)first, c.at[1] + (int64_t)first);
    }
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    (void)err;
    const lines_kernel *k = (const lines_kernel *)kernel;
    const ferry_nd *w = &k->view.walk;
    const size_t length = (size_t)w->dims[w->rank - 1], n = k->view.n;
    job j = {k, ferry_cpu_operand_data(&k->x, r), r->out[0].data, (length + COLUMNS - 1) / COLUMNS};
    if (k->view.step == 1)
        ferry_parallel_1d(r->pool, run_lines, &j, w->runs * length, n >= 4096 ? 1 : 4096 / n);
    else
        ferry_parallel_1d(r->pool, run_chunks, &j, w->runs * j.chunks, n >= 512 ? 1 : 512 / n);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    lines_kernel *k = (lines_kernel *)kernel;
    ferry_constant_free(kernel->base.device->heap, k->scale, k->scale_owned);
    ferry_constant_free(kernel->base.device->heap, k->bias, k->bias_owned);
    ferry_heap_free(kernel->base.device->heap, k->mean, 2 * k->channels * sizeof *k->mean);
}

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

static ferry_status fill_kernel(lines_kernel *k, ferry_cpu_device *device, const ferry_region *region,
                                const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *y,
                                ferry_error *err)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    k->x = ferry_operand_of(region, in, 0);
    if (!k->x.present || k->x.desc.dtype != FERRY_F32 || !ferry_tensor_desc_is_dense(&k->x.desc, k->x.desc.layout) ||
        !ferry_tensor_desc_is_dense(y, y->layout) || !ferry_lines_read(g, node, &k->x.desc, y, &k->view))
        return ferry_misfit(tactic, "a node that it does not know", err);
    k->row = ferry_lines_pick(device->isa);
    k->kind = ferry_lines_find(node)->kind;
    k->epsilon = (double)ferry_node_float(node, "epsilon", 1e-5f);
    k->last_index = ferry_node_int(node, "select_last_index", 0) != 0;
    k->channels = k->x.desc.rank > 1 ? (size_t)k->x.desc.dims[1] : 1;
    if (k->kind != FERRY_LINES_INSTANCE_NORM && k->kind != FERRY_LINES_BATCH_NORM) return FERRY_OK;
    FERRY_TRY(ferry_constant_f32(device->base.heap, ferry_node_value(g, node, 1), &k->scale, &k->scale_owned, err));
    if (k->kind == FERRY_LINES_BATCH_NORM) {
        const ferry_tensor mean = ferry_value_tensor(ferry_node_value(g, node, 3));
        const ferry_tensor variance = ferry_value_tensor(ferry_node_value(g, node, 4));
        k->mean = ferry_heap_alloc_array(device->base.heap, 2 * k->channels, sizeof *k->mean);
        if (!k->mean) return ferry_fail_memory(err, "a kernel over lines");
        for (size_t c = 0; c < k->channels; c++) {
            k->mean[c] = ferry_load_f64(&mean, c);
            k->mean[k->channels + c] = ferry_load_f64(&variance, c);
        }
    }
    if (!ferry_node_value(g, node, 2)) return FERRY_OK;
    return ferry_constant_f32(device->base.heap, ferry_node_value(g, node, 2), &k->bias, &k->bias_owned, err);
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)packed;
    (void)packed_bytes;
    FERRY_TRY(ferry_region_check_single(region, tactic, in, out, err));
    lines_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    if (!k) return ferry_fail_memory(err, "a kernel over lines");
    k->base.deinit = deinit;
    return ferry_cpu_kernel_done(&k->base, fill_kernel(k, device, region, tactic, in, &out[0], err), out_kernel);
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    const ferry_graph *g = view->graph;
    const ferry_node *node = &g->nodes[root];
    const ferry_lines_op *op = ferry_lines_find(node);
    if (!op || !ferry_node_is_plain(view, root) || ferry_node_has_constant(g, node, 0) ||
        !ferry_dtype_widens_to_f32(ferry_node_value(g, node, 0)->dtype))
        return FERRY_OK;
    const ferry_value *x = ferry_node_value(g, node, 0), *y = ferry_node_result(g, node);
    const double elements = ferry_value_elements(x);
    for (int l = 0; l < (x->shape.rank >= 3 || y->shape.rank >= 3 ? 2 : 1); l++) {
        const ferry_tensor_layout layout = l ? FERRY_LAYOUT_CHANNELS_LAST : FERRY_LAYOUT_PLAIN;

        ferry_lines_view lines;
        const ferry_tensor_desc in = ferry_value_describe(x, layout);
        const ferry_tensor_desc out = ferry_value_describe(y, layout);
        if (!ferry_lines_read(g, node, &in, &out, &lines)) continue;
        // Each line takes some ns to begin.
        const double us = elements / (double)lines.n * (lines.step == 1 ? 2e-2 : 2e-3);
        const double moved =
            ferry_cpu_cost_us(device, FERRY_F32, elements * op->macs, ferry_value_bytes(x) + ferry_value_bytes(y));
        FERRY_TRY(ferry_offer_node(sink, tactic_name, root, layout, layout, op->in_place ? FERRY_OFFER_IN_PLACE : 0,
                                   us + moved, err));
    }
    return FERRY_OK;
}

extern const ferry_cpu_family ferry_cpu_family_lines;
const ferry_cpu_family ferry_cpu_family_lines = {
    .name = "lines",
    .via_f32 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};

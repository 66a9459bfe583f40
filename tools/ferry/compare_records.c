// SPDX-License-Identifier: Apache-2.0
// Tensors of two runs, joined by name: the engine's are kept until the reference has made its own.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

cli_tensor_record *cli_records_find(const cli_tensor_records *records, const char *name)
{
    for (size_t i = 0; i < records->count; i++)
        if (strcmp(records->list[i].name, name) == 0) return &records->list[i];
    return NULL;
}

static cli_tensor_record *find_or_add(cli_tensor_records *records, const char *name)
{
    cli_tensor_record *r = cli_records_find(records, name);
    if (r) return r;
    if (records->count == records->capacity) {
        const size_t capacity = records->capacity ? records->capacity * 2 : 256;
        cli_tensor_record *grown = realloc(records->list, capacity * sizeof *grown);
        if (!grown) return NULL;
        records->list = grown;
        records->capacity = capacity;
    }
    r = &records->list[records->count];
    *r = (cli_tensor_record){.name = strdup(name)};
    if (!r->name) return NULL;
    records->count++;
    return r;
}

static bool reserve(float **data, size_t *capacity, size_t count)
{
    if (*data && count <= *capacity) return true;
    float *grown = realloc(*data, (count ? count : 1) * sizeof *grown);
    if (!grown) return false;
    *data = grown;
    *capacity = count;
    return true;
}

static size_t elements_of(const ferry_tensor_view *view)
{
    const int64_t n = ferry_tensor_view_elements(view);
    return n > 0 ? (size_t)n : 0;
}

int cli_records_keep(void *user, const ferry_tensor_view *tensor, float scale, int32_t zero)
{
    cli_tensor_records *records = user;
    cli_tensor_record *r = tensor->name ? find_or_add(records, tensor->name) : NULL;
    const size_t n = elements_of(tensor);
    if (!tensor->name) return 0;
    records->failed |= !r || !reserve(&r->data, &r->capacity, n);
    if (records->failed) return 1;
    r->dtype = tensor->dtype;
    r->scale = scale;
    r->zero = zero;
    r->count = n;
    r->fresh = cli_tensor_to_float(tensor, scale, zero, r->data);
    return 0;
}

// --- Channels ------------------------------------------------------------------------------------------------------

// Pictures' tensors are [N, C, ...]; lists of boxes [N, boxes, C] are longer than wide.
static int channel_axis(const ferry_tensor_view *view)
{
    if (view->rank < 2) return -1;
    if (view->rank == 2) return 1;
    return view->rank == 3 && view->dims[1] > view->dims[2] ? 2 : 1;
}

static bool reserve_channels(cli_tensor_record *r, size_t channels)
{
    if (r->channel_reference2) return true;
    r->channel_reference2 = calloc(channels * 3, sizeof *r->channel_reference2);
    if (!r->channel_reference2) return false;
    r->channel_error2 = r->channel_reference2 + channels;
    r->channel_own2 = r->channel_error2 + channels;
    r->channels = channels;
    return true;
}

static bool add_channels(cli_tensor_record *r, const ferry_tensor_view *view, const float *reference, const float *own)
{
    const int axis = channel_axis(view);
    size_t inner = 1;
    if (axis < 0 || view->dims[axis] < 2) return true;
    const size_t channels = (size_t)view->dims[axis];
    for (int32_t d = axis + 1; d < view->rank; d++) inner *= (size_t)view->dims[d];
    if (!reserve_channels(r, channels)) return false;
    if (channels != r->channels || inner == 0) return true; // a shape that follows the picture
    for (size_t i = 0; i < r->count; i++) {
        const size_t c = i / inner % channels;
        const double x = (double)reference[i], e = (double)r->data[i] - x, o = own ? (double)own[i] - x : 0;
        if (!isfinite(x) || !isfinite(e)) continue;
        r->channel_reference2[c] += x * x;
        r->channel_error2[c] += e * e;
        r->channel_own2[c] += o * o;
    }
    return true;
}

size_t cli_record_live_channels(const cli_tensor_record *r)
{
    size_t n = 0;
    for (size_t c = 0; c < r->channels; c++) n += r->channel_reference2[c] > 0;
    return n;
}

size_t cli_record_lost_channels(const cli_tensor_record *r, bool own)
{
    size_t n = 0;
    for (size_t c = 0; c < r->channels; c++)
        n += r->channel_reference2[c] > 0 &&
             (own ? r->channel_own2[c] : r->channel_error2[c]) > 0.5 * r->channel_reference2[c];
    return n;
}

// --- Comparing -----------------------------------------------------------------------------------------------------

// What the scale alone does to the reference's numbers.
static void quantise(cli_tensor_record *r, const float *reference, float *out)
{
    for (size_t i = 0; i < r->count; i++) {
        const float q = rintf(reference[i] / r->scale) + (float)r->zero;
        const float kept = q > 127 ? 127 : q < -128 ? -128 : q;
        r->clipped += kept != q;
        out[i] = (kept - (float)r->zero) * r->scale;
    }
}

int cli_records_compare(void *user, const ferry_tensor_view *tensor, float scale, int32_t zero)
{
    cli_tensor_records *records = user;
    cli_tensor_record *r = tensor->name ? cli_records_find(records, tensor->name) : NULL;
    const size_t n = elements_of(tensor);
    if (!r || !r->fresh || r->count != n) return 0;
    r->fresh = false; // shown once a run
    records->failed |= !reserve(&records->scratch, &records->scratch_capacity, 2 * n);
    if (records->failed) return 1;
    float *reference = records->scratch, *own = records->scratch + n;
    if (!cli_tensor_to_float(tensor, scale, zero, reference)) return 0;
    const bool quantised = r->dtype == FERRY_S8 && r->scale > 0;
    cli_difference_add(&r->all, reference, r->data, n);
    if (quantised) {
        quantise(r, reference, own);
        cli_difference_add(&r->own, reference, own, n);
    }
    records->failed |= !add_channels(r, tensor, reference, quantised ? own : NULL);
    return records->failed;
}

void cli_records_close(cli_tensor_records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        free(records->list[i].name);
        free(records->list[i].data);
        free(records->list[i].channel_reference2);
    }
    free(records->list);
    free(records->scratch);
}

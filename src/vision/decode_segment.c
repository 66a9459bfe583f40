// SPDX-License-Identifier: Apache-2.0
// A class for every pixel of the picture: the best class at the network's own resolution, then the padding cut off and
// the nearest filter.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vision/decode_job.h"
#include "vision/decoder_bind.h"
#include "vision/tensor_f32.h"

typedef struct map_shape {
    const ferry_tensor_view *view;
    int64_t classes; // 0: the map holds class indices
    int64_t height, width;
    int64_t per_class, per_y, per_x;
    bool has_batch;
} map_shape;

static bool is_integer(ferry_dtype dtype)
{
    return dtype >= FERRY_S8 && dtype <= FERRY_BOOL;
}

// [batch, H, W], [H, W], [batch, 1, H, W] or [batch, H, W, 1].
static bool as_indices(const ferry_tensor_view *v, map_shape *m)
{
    const bool last = v->rank == 4 && v->dims[3] == 1 && v->dims[1] != 1;
    if (v->rank < 2 || v->rank > 4 || (v->rank == 4 && !last && v->dims[1] != 1)) return false;
    m->classes = 0;
    m->height = v->dims[last ? 1 : v->rank - 2];
    m->width = v->dims[last ? 2 : v->rank - 1];
    m->per_y = m->width;
    m->per_x = 1;
    m->has_batch = v->rank > 2;
    return true;
}

static bool as_scores(const ferry_tensor_view *v, bool classes_first, map_shape *m)
{
    if (v->rank != 3 && v->rank != 4) return false;
    const int64_t *d = v->dims + v->rank - 3;
    m->classes = d[classes_first ? 0 : 2];
    m->height = d[classes_first ? 1 : 0];
    m->width = d[classes_first ? 2 : 1];
    m->per_class = classes_first ? m->height * m->width : 1;
    m->per_x = classes_first ? 1 : m->classes;
    m->per_y = m->width * m->per_x;
    m->has_batch = v->rank == 4;
    return m->classes >= 2;
}

static ferry_status find_map(const ferry_decoder *d, const ferry_tensor_view *outputs, size_t output_count,
                             map_shape *out, ferry_error *err)
{
    size_t index = 0;
    FERRY_TRY(ferry_output_find(&d->output, outputs, output_count, &index, err));
    const ferry_tensor_view *v = &outputs[index];
    *out = (map_shape){.view = v};
    bool fits = false;
    switch (d->map) {
    case FERRY_MAP_INDICES:
        fits = as_indices(v, out);
        break;
    case FERRY_MAP_CHW:
        fits = as_scores(v, true, out);
        break;
    case FERRY_MAP_HWC:
        fits = as_scores(v, false, out);
        break;
    case FERRY_MAP_AUTO:
        // Scores of two classes or more come as floats of rank 4; class indices as integers, or without a dimension
        // for the classes. One float channel could be either a map of indices or of one probability: not guessed.
        if (is_integer(v->dtype) || v->rank == 3) {
            fits = as_indices(v, out);
        } else if (v->rank == 4) {
            fits = as_scores(v, v->dims[1] <= v->dims[3], out);
        }
        break;
    }
    const char *name = v->name ? v->name : "";
    if (!fits || ferry_tensor_view_elements(v) <= 0) {
        char shape[160];
        return ferry_fail(
            err, FERRY_ERR_BAD_DATA,
            "a segmentation's output is [batch, classes, H, W] or [batch, H, W, classes] scores, or [batch, "
            "H, W] or [batch, 1, H, W] class indices; '%.100s' is %s (layout %s): \"layout\" in a decoder "
            "file says which it is",
            name, ferry_tensor_view_describe(v, shape, sizeof shape), ferry_map_layout_words[d->map]);
    }
    if (out->classes > 0 && out->classes <= d->class_offset) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "class offset %d leaves none of the %lld classes of output '%.100s'",
                          (int)d->class_offset, (long long)out->classes, name);
    }
    if (out->classes - d->class_offset > FERRY_CLASS_NONE) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "%lld classes: class maps hold %d at most; take the tensor itself (task raw)",
                          (long long)(out->classes - d->class_offset), FERRY_CLASS_NONE);
    }
    if (out->height > 1 << 16 || out->width > 1 << 16) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "a class map of %lldx%lld: at most 65536 a side",
                          (long long)out->width, (long long)out->height);
    }
    return FERRY_OK;
}

ferry_status ferry_check_segment(const ferry_decoder *decoder, const ferry_tensor_view *outputs, size_t output_count,
                                 size_t *out_class_total, ferry_error *err)
{
    map_shape m;
    FERRY_TRY(find_map(decoder, outputs, output_count, &m, err));
    *out_class_total = m.classes > 0 ? (size_t)(m.classes - decoder->class_offset) : 0;
    return FERRY_OK;
}

static uint8_t to_class(int64_t index, int64_t offset)
{
    index -= offset;
    return index >= 0 && index < FERRY_CLASS_NONE ? (uint8_t)index : FERRY_CLASS_NONE;
}

static ferry_status best_classes(const ferry_decode_job *job, const map_shape *m, ferry_result_store *store,
                                 ferry_error *err)
{
    ferry_tensor_f32 tensor;
    FERRY_TRY(
        ferry_tensor_f32_init(&tensor, m->view, m->has_batch, false, job->options.batch_index, &store->heap, err));
    const int64_t offset = job->decoder->class_offset;
    for (int64_t y = 0; y < m->height; y++) {
        for (int64_t x = 0; x < m->width; x++) {
            const float *at = tensor.data + y * m->per_y + x * m->per_x;
            int64_t best = -1;
            for (int64_t c = 0; c < m->classes; c++) {
                const float v = at[c * m->per_class];
                if (isnan(v)) {
                    store->shown.nonfinite_count++;
                } else if (best < 0 || v > at[best * m->per_class]) {
                    best = c;
                }
            }
            store->mask[y * m->width + x] = to_class(best, offset);
        }
    }
    ferry_tensor_f32_deinit(&tensor, &store->heap);
    return FERRY_OK;
}

static ferry_status copy_indices(const ferry_decode_job *job, const map_shape *m, ferry_result_store *store,
                                 ferry_error *err)
{
    const int64_t batch = m->has_batch ? m->view->dims[0] : 1, count = m->height * m->width;
    if (!m->view->data || job->options.batch_index >= batch) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "sample %u of output '%.100s', which %s",
                          job->options.batch_index, m->view->name ? m->view->name : "",
                          m->view->data ? "holds fewer" : "has no data");
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t index = ferry_tensor_index_at(m->view, count * job->options.batch_index + i);
        store->mask[i] = to_class(index, job->decoder->class_offset);
    }
    return FERRY_OK;
}

ferry_status ferry_decode_segment(const ferry_decode_job *job, ferry_result_store *store, ferry_error *err)
{
    if (!job->geometry) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "a class map needs the geometry of the preprocessing");
    }
    map_shape m;
    FERRY_TRY(find_map(job->decoder, job->outputs, job->output_count, &m, err));
    if (!ferry_heap_reserve(&store->heap, (void **)&store->mask, &store->mask_capacity, 1,
                            (size_t)(m.height * m.width))) {
        return ferry_fail_memory(err, "class map");
    }
    FERRY_TRY(m.classes > 0 ? best_classes(job, &m, store, err) : copy_indices(job, &m, store, err));
    FERRY_TRY(ferry_preprocess_unmap_mask(job->geometry, store->mask, (uint32_t)m.width, (uint32_t)m.height,
                                          FERRY_CLASS_NONE, &store->heap, &store->map, err));
    store->shown.class_map = &store->map;
    store->shown.class_total = m.classes > 0 ? (size_t)(m.classes - job->decoder->class_offset) : 0;
    return FERRY_OK;
}

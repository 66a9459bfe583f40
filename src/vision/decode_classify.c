// SPDX-License-Identifier: Apache-2.0
// The best classes of a classifier.
#include <math.h>

#include "vision/decode_job.h"
#include "vision/decoder_bind.h"
#include "vision/tensor_f32.h"

// How many classes an output of one score per class has; 0 when its shape is another.
static int64_t classes_in(const ferry_tensor_view *view)
{
    int64_t wide = 1;
    int32_t wide_count = 0;
    for (int32_t i = view->rank > 1 ? 1 : 0; i < view->rank && i < FERRY_MAX_RANK; i++) {
        if (view->dims[i] != 1) {
            wide = view->dims[i];
            wide_count++;
        }
    }
    return wide_count <= 1 && wide > 0 && view->rank > 0 ? wide : 0;
}

static ferry_status find_scores(const ferry_decoder *d, const ferry_tensor_view *outputs, size_t output_count,
                                size_t *out_index, int64_t *out_classes, ferry_error *err)
{
    FERRY_TRY(ferry_output_find(&d->output, outputs, output_count, out_index, err));
    const ferry_tensor_view *view = &outputs[*out_index];
    const char *name = view->name ? view->name : "";
    *out_classes = classes_in(view);
    if (*out_classes == 0 || ferry_tensor_view_elements(view) <= 0) {
        char shape[160];
        return ferry_fail(err, FERRY_ERR_BAD_DATA,
                          "a classifier's output is [batch, classes], with ones at most beside; '%.100s' is %s", name,
                          ferry_tensor_view_describe(view, shape, sizeof shape));
    }
    if (*out_classes <= d->class_offset) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "class offset %d leaves none of the %lld classes of output '%.100s'",
                          (int)d->class_offset, (long long)*out_classes, name);
    }
    return FERRY_OK;
}

ferry_status ferry_check_classify(const ferry_decoder *decoder, const ferry_tensor_view *outputs, size_t output_count,
                                  size_t *out_class_total, ferry_error *err)
{
    size_t index = 0;
    int64_t classes = 0;
    FERRY_TRY(find_scores(decoder, outputs, output_count, &index, &classes, err));
    *out_class_total = (size_t)(classes - decoder->class_offset);
    return FERRY_OK;
}

// Probabilities lie in 0..1 and add up to 1, but for what a half float or an 8-bit scale loses over many classes.
static bool look_like_probabilities(const float *scores, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        if (isnan(scores[i])) continue;
        if (!(scores[i] >= 0 && scores[i] <= 1.01f)) return false;
        sum += scores[i];
    }
    return fabs(sum - 1) <= 0.05;
}

static bool is_better(const ferry_class_score *a, const ferry_class_score *b)
{
    return a->score > b->score || (a->score == b->score && a->class_index < b->class_index);
}

// k is small: insertion into a sorted list.
static size_t insert(ferry_class_score *best, size_t count, size_t most, ferry_class_score item)
{
    if (count == most && !is_better(&item, &best[count - 1])) return count;
    size_t at = count < most ? count : count - 1;
    for (; at > 0 && is_better(&item, &best[at - 1]); at--) best[at] = best[at - 1];
    best[at] = item;
    return count < most ? count + 1 : count;
}

static ferry_status rank(const ferry_decode_job *job, const float *scores, int64_t count, ferry_result_store *store,
                         ferry_error *err)
{
    const int64_t offset = job->decoder->class_offset;
    const size_t most = (int64_t)job->options.top_k < count - offset ? job->options.top_k : (size_t)(count - offset);
    if (!ferry_heap_reserve(&store->heap, (void **)&store->classes, &store->class_capacity, sizeof *store->classes,
                            most)) {
        return ferry_fail_memory(err, "class scores");
    }
    const bool logits = job->decoder->scores == FERRY_SCORES_LOGIT ||
                        (job->decoder->scores == FERRY_SCORES_AUTO && !look_like_probabilities(scores, count));
    double top = -INFINITY, sum = 0;
    size_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        // An infinite probability is as broken as NaN; a logit of minus infinity is a class that is masked out.
        if (isnan(scores[i]) || scores[i] == INFINITY || (!logits && isinf(scores[i]))) {
            store->shown.nonfinite_count++;
            continue;
        }
        if (scores[i] > top) top = scores[i];
        if (i < offset) continue;
        found = insert(store->classes, found, most, (ferry_class_score){(int32_t)(i - offset), scores[i]});
    }
    if (logits && top > -INFINITY) {
        for (int64_t i = 0; i < count; i++) {
            if (!isnan(scores[i]) && scores[i] != INFINITY) sum += exp(scores[i] - top);
        }
        for (size_t i = 0; i < found; i++) store->classes[i].score = (float)(exp(store->classes[i].score - top) / sum);
    } else if (logits) {
        found = 0; // nothing but minus infinity: no class has a probability
    }
    store->shown.classes = store->classes;
    store->shown.class_count = found;
    store->shown.class_total = (size_t)(count - offset);
    return FERRY_OK;
}

ferry_status ferry_decode_classify(const ferry_decode_job *job, ferry_result_store *store, ferry_error *err)
{
    size_t index = 0;
    int64_t classes = 0;
    FERRY_TRY(find_scores(job->decoder, job->outputs, job->output_count, &index, &classes, err));
    ferry_tensor_f32 tensor;
    const ferry_tensor_view *view = &job->outputs[index];
    ferry_status status =
        ferry_tensor_f32_init(&tensor, view, view->rank > 1, false, job->options.batch_index, &store->heap, err);
    if (status == FERRY_OK) status = rank(job, tensor.data, classes, store, err);
    ferry_tensor_f32_deinit(&tensor, &store->heap);
    return status;
}

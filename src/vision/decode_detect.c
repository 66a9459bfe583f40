// SPDX-License-Identifier: Apache-2.0
// The one engine behind all detectors: score every position, decode the boxes that reach the threshold, suppress.
#include <math.h>

#include "vision/decode_box.h"
#include "vision/decode_job.h"
#include "vision/nms.h"
#include "vision/tensor_f32.h"

typedef struct detect {
    const ferry_decode_job *job;
    ferry_binding binding;
    ferry_tensor_f32 *tensors;
    const float **samples; // by output
    ferry_result_store *store;
    float threshold;
    bool multi_label;
    uint64_t order; // positions seen
} detect;

static const float *field_at(const detect *d, const ferry_bound_field *f, int64_t a, int64_t y, int64_t x)
{
    return f->output < 0 ? NULL : d->samples[f->output] + f->base + a * f->per_anchor + y * f->per_y + x * f->per_x;
}

// Whether any of the box lies on the picture: boxes in the padding would take places from others.
static bool on_picture(const ferry_preprocess_geometry *g, const float box[4])
{
    return box[2] > box[0] && box[3] > box[1] && box[2] > (float)g->content_x && box[3] > (float)g->content_y &&
           box[0] < (float)(g->content_x + g->content_width) && box[1] < (float)(g->content_y + g->content_height);
}

typedef struct position {
    const ferry_bound_level *level;
    int64_t a, y, x;
    int state; // of the box: 0 not decoded, 1 good, 2 not finite or not on the picture
    float box[4];
} position;

static ferry_status offer(detect *d, position *p, int64_t class_index, double score, ferry_error *err)
{
    ferry_result *shown = &d->store->shown;
    if (!isfinite(score)) {
        shown->nonfinite_count++;
        return FERRY_OK;
    }
    if (!((float)score >= d->threshold)) return FERRY_OK;
    if (p->state == 0) {
        p->state = 1;
        if (!ferry_decode_box(&d->binding, p->level, d->samples, p->a, p->y, p->x, p->box)) {
            p->state = 2;
            shown->nonfinite_count++;
        } else if (!on_picture(d->job->geometry, p->box)) {
            p->state = 2;
        }
    }
    if (p->state != 1) return FERRY_OK;
    const ferry_box_candidate c = {.box = {p->box[0], p->box[1], p->box[2], p->box[3]},
                                   .score = (float)score,
                                   .class_index = (int32_t)class_index,
                                   .order = d->order};
    return ferry_box_list_offer(&d->store->candidates, &d->store->heap, &c) ? FERRY_OK
                                                                            : ferry_fail_memory(err, "boxes");
}

static double power(double value, double exponent)
{
    return exponent == 1 ? value : pow(value, exponent);
}

// The class values at this position after their function; softmax writes them into the scratch.
static const float *softmaxed(detect *d, const float *raw, int64_t step)
{
    const int64_t n = d->binding.class_columns;
    double top = raw[0], sum = 0;
    for (int64_t c = 1; c < n; c++) {
        if (raw[c * step] > top) top = raw[c * step];
    }
    for (int64_t c = 0; c < n; c++) sum += exp(raw[c * step] - top);
    for (int64_t c = 0; c < n; c++) d->store->scratch[c] = (float)(exp(raw[c * step] - top) / sum);
    return d->store->scratch;
}

static ferry_status score_classes(detect *d, position *p, const float *raw, int64_t step, double objectness,
                                  ferry_error *err)
{
    const ferry_score_rule *rule = &d->binding.form->score;
    const int64_t offset = d->job->decoder->class_offset, n = d->binding.class_columns;
    ferry_decode_fn fn = rule->classes;
    if (fn == FERRY_FN_SOFTMAX) {
        raw = softmaxed(d, raw, step);
        step = 1;
        fn = FERRY_FN_NONE;
    }
    int64_t best = -1;
    for (int64_t c = offset; c < n; c++) {
        const float v = raw[c * step];
        if (isnan(v)) {
            d->store->shown.nonfinite_count++;
        } else if (d->multi_label) {
            FERRY_TRY(offer(d, p, c - offset, objectness * power(ferry_decode_apply(fn, v), rule->classes_power), err));
            d->order++;
        } else if (best < 0 || v > raw[best * step]) {
            best = c;
        }
    }
    if (best < 0) return FERRY_OK;
    const double score = objectness * power(ferry_decode_apply(fn, raw[best * step]), rule->classes_power);
    return offer(d, p, best - offset, score, err);
}

static ferry_status score_position(detect *d, position *p, ferry_error *err)
{
    const ferry_score_rule *rule = &d->binding.form->score;
    const ferry_bound_field *fields = p->level->fields;
    const float *obj = field_at(d, &fields[FERRY_FIELD_OBJECTNESS], p->a, p->y, p->x);
    const float *classes = field_at(d, &fields[FERRY_FIELD_CLASSES], p->a, p->y, p->x);
    const float *index = field_at(d, &fields[FERRY_FIELD_CLASS_INDEX], p->a, p->y, p->x);
    d->order++;
    double objectness = 1;
    if (obj) {
        objectness = power(ferry_decode_apply(rule->objectness, *obj), rule->objectness_power);
        if (isnan(objectness)) {
            d->store->shown.nonfinite_count++;
            return FERRY_OK;
        }
        if (objectness < d->threshold) return FERRY_OK; // class scores are at most 1
    }
    if (classes) return score_classes(d, p, classes, fields[FERRY_FIELD_CLASSES].per_channel, objectness, err);
    int64_t class_index = 0;
    if (index) {
        if (!(fabsf(*index) < 1e7f)) {
            d->store->shown.nonfinite_count++;
            return FERRY_OK;
        }
        class_index = (int64_t)lrintf(*index) - d->job->decoder->class_offset;
        if (class_index < 0) return FERRY_OK;
    }
    return offer(d, p, class_index, objectness, err);
}

static ferry_status score_level(detect *d, const ferry_bound_level *level, ferry_error *err)
{
    // In the order of the rows, so that "position in the output" means the same for every layout.
    const int64_t outer = level->anchor_last ? 1 : level->anchors, inner = level->anchor_last ? level->anchors : 1;
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t y = 0; y < level->grid_h; y++) {
            for (int64_t x = 0; x < level->grid_w; x++) {
                for (int64_t i = 0; i < inner; i++) {
                    position p = {.level = level, .a = level->anchor_last ? i : o, .y = y, .x = x};
                    FERRY_TRY(score_position(d, &p, err));
                }
            }
        }
    }
    return FERRY_OK;
}

static ferry_status open_outputs(detect *d, ferry_error *err)
{
    const ferry_decode_job *job = d->job;
    d->tensors = ferry_arena_alloc_array(&d->binding.arena, job->output_count, sizeof *d->tensors);
    d->samples = ferry_arena_alloc_array(&d->binding.arena, job->output_count, sizeof *d->samples);
    if (!d->tensors || !d->samples) return ferry_fail_memory(err, "outputs");
    for (size_t i = 0; i < job->output_count; i++) {
        if (!d->binding.used[i]) continue;
        FERRY_TRY(ferry_tensor_f32_init(&d->tensors[i], &job->outputs[i], d->binding.has_batch[i], d->binding.shared[i],
                                        job->options.batch_index, &d->store->heap, err));
        d->samples[i] = d->tensors[i].data;
    }
    return FERRY_OK;
}

// Maps the boxes to the picture, and keeps the best.
static ferry_status finish(detect *d, ferry_error *err)
{
    ferry_result_store *store = d->store;
    ferry_box_list *found = &store->candidates;
    const ferry_decode_options *o = &d->job->options;
    ferry_box_list_sort(found);
    store->shown.candidate_count = (size_t)found->offered;
    store->shown.candidates_lost = (size_t)found->offered - found->count;
    // Boxes are clipped before they are compared: what two boxes share beyond the picture's edge nobody has seen.
    if (found->count > 0) {
        ferry_preprocess_unmap_boxes(d->job->geometry, found->items[0].box, found->count, sizeof *found->items);
    }
    const size_t kept = ferry_nms(found->items, found->count, o->nms_iou, o->max_det);
    if (!ferry_heap_reserve(&store->heap, (void **)&store->detections, &store->detection_capacity,
                            sizeof *store->detections, kept)) {
        return ferry_fail_memory(err, "detections");
    }
    for (size_t i = 0; i < kept; i++) {
        const ferry_box_candidate *c = &found->items[i];
        store->detections[i] = (ferry_detection){c->box[0], c->box[1], c->box[2], c->box[3], c->score, c->class_index};
    }
    store->shown.detections = store->detections;
    store->shown.detection_count = kept;
    store->shown.class_total = d->binding.class_columns > d->job->decoder->class_offset
                                   ? (size_t)(d->binding.class_columns - d->job->decoder->class_offset)
                                   : 0;
    return FERRY_OK;
}

static ferry_status run(detect *d, ferry_error *err)
{
    FERRY_TRY(open_outputs(d, err));
    const size_t columns = (size_t)d->binding.class_columns;
    if (d->binding.form->score.classes == FERRY_FN_SOFTMAX &&
        !ferry_heap_reserve(&d->store->heap, (void **)&d->store->scratch, &d->store->scratch_capacity, sizeof(float),
                            columns)) {
        return ferry_fail_memory(err, "class scores");
    }
    const ferry_labels_per_box labels = d->job->options.labels_per_box;
    d->multi_label =
        labels == FERRY_LABELS_AS_DECODER ? d->binding.form->score.multi_label : labels == FERRY_LABELS_MANY;
    ferry_box_list_begin(&d->store->candidates, d->job->options.max_candidates);
    for (size_t l = 0; l < d->binding.level_count; l++) FERRY_TRY(score_level(d, &d->binding.levels[l], err));
    return finish(d, err);
}

ferry_status ferry_decode_detect(const ferry_decode_job *job, ferry_result_store *store, ferry_error *err)
{
    const ferry_preprocess_geometry *g = job->geometry;
    if (!g) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "boxes need the geometry of the preprocessing");
    detect d = {.job = job, .store = store, .threshold = job->options.score_threshold};
    FERRY_TRY(ferry_binding_init(&d.binding, job->decoder, job->outputs, job->output_count, g->width, g->height,
                                 &store->heap, err));
    const ferry_status status = run(&d, err);
    for (size_t i = 0; d.tensors && i < job->output_count; i++) {
        ferry_tensor_f32_deinit(&d.tensors[i], &store->heap);
    }
    ferry_binding_deinit(&d.binding);
    return status;
}

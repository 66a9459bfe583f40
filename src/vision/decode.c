// SPDX-License-Identifier: Apache-2.0
// The public door to decoding: options with their defaults, and the task's own decoder.
#include <math.h>
#include <string.h>

#include "vision/decode_job.h"
#include "vision/decoder_bind.h"

void ferry_decode_options_default(ferry_decode_options *out)
{
    *out = (ferry_decode_options){.size = sizeof *out,
                                  .top_k = 5,
                                  .score_threshold = 0.25f,
                                  .nms_iou = 0.45f,
                                  .max_det = 100,
                                  .max_candidates = 30000};
}

void ferry_decode_options_eval(ferry_decode_options *out)
{
    ferry_decode_options_default(out);
    out->score_threshold = 0.01f;
    out->nms_iou = 0.6f;
    out->labels_per_box = FERRY_LABELS_MANY;
}

static ferry_status fill_options(const ferry_decode_options *given, ferry_decode_options *out, ferry_error *err)
{
    ferry_decode_options_default(out);
    if (!given) return FERRY_OK;
    ferry_decode_options o = {0};
    memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o); // an older caller knows fewer members
    if (!isfinite(o.score_threshold) || isnan(o.nms_iou) || o.nms_iou < 0) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "score threshold %g, NMS IoU %g: must be numbers, the IoU >= 0", (double)o.score_threshold,
                          (double)o.nms_iou);
    }
    if (o.top_k != 0) out->top_k = o.top_k;
    if (o.score_threshold != 0) out->score_threshold = o.score_threshold;
    if (o.nms_iou != 0) out->nms_iou = o.nms_iou;
    if (o.max_det != 0) out->max_det = o.max_det;
    if (o.max_candidates != 0) out->max_candidates = o.max_candidates;
    out->batch_index = o.batch_index;
    out->labels_per_box = o.labels_per_box;
    return FERRY_OK;
}

ferry_status ferry_decoder_run(const ferry_decoder *decoder, const ferry_tensor_view *outputs, size_t output_count,
                               const struct ferry_preprocess_geometry *geometry, const ferry_decode_options *options,
                               ferry_result *result, ferry_error *error)
{
    ferry_result_store *store = ferry_result_begin(result);
    ferry_decode_job job = {decoder, outputs, output_count, geometry, {0}};
    ferry_status status = fill_options(options, &job.options, error);
    if (status == FERRY_OK) {
        switch (decoder->task) {
        case FERRY_TASK_CLASSIFY:
            status = ferry_decode_classify(&job, store, error);
            break;
        case FERRY_TASK_DETECT:
            status = ferry_decode_detect(&job, store, error);
            break;
        case FERRY_TASK_SEGMENT:
            status = ferry_decode_segment(&job, store, error);
            break;
        case FERRY_TASK_RAW:
            break; // no decoder has it
        }
    }
    if (status != FERRY_OK) {
        ferry_result_begin(result);
        return status;
    }
    store->shown.task = decoder->task;
    return FERRY_OK;
}

ferry_status ferry_decoder_check(const ferry_decoder *decoder, const ferry_tensor_view *outputs, size_t output_count,
                                 uint32_t input_width, uint32_t input_height, size_t *out_class_total,
                                 ferry_error *error)
{
    size_t total = 0;
    if (decoder->task == FERRY_TASK_DETECT) {
        ferry_binding b;
        FERRY_TRY(
            ferry_binding_init(&b, decoder, outputs, output_count, input_width, input_height, &decoder->heap, error));
        if (b.class_columns > decoder->class_offset) total = (size_t)(b.class_columns - decoder->class_offset);
        ferry_binding_deinit(&b);
    } else if (decoder->task == FERRY_TASK_CLASSIFY) {
        FERRY_TRY(ferry_check_classify(decoder, outputs, output_count, &total, error));
    } else {
        FERRY_TRY(ferry_check_segment(decoder, outputs, output_count, &total, error));
    }
    if (out_class_total) *out_class_total = total;
    return FERRY_OK;
}

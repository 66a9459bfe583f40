// SPDX-License-Identifier: Apache-2.0
// ferry eval: accuracy on labelled pictures.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"

typedef struct evaluation {
    const cli_settings *settings;
    const cli_session *session;
    cli_vision vision;
    cli_eval_set set;
    // One of the three is used.
    ferry_topk_counts topk;
    ferry_coco_truth *truth;
    ferry_ap *ap;
    ferry_true_box *boxes;
    size_t box_capacity;
    ferry_iou_counts iou;
    size_t evaluated, unreadable, without_truth;
    double seconds;
} evaluation;

static ferry_task wanted_task(const cli_settings *s)
{
    return s->labels_csv ? FERRY_TASK_CLASSIFY : s->coco ? FERRY_TASK_DETECT : FERRY_TASK_SEGMENT;
}

static int open_evaluation(evaluation *e)
{
    ferry_error err = {.text = ""};
    const cli_settings *s = e->settings;
    int status = cli_eval_set_open(&e->set, s);
    if (status == CLI_OK) status = cli_vision_open(&e->vision, e->session, s);
    if (status != CLI_OK) return status;
    const ferry_task wanted = wanted_task(s);
    if (e->vision.task != wanted)
        return cli_fail("the outputs are decoded for '%s', and what is given to evaluate is for '%s'; --task and "
                        "--decoder say what they mean",
                        ferry_task_name(e->vision.task), ferry_task_name(wanted));
    ferry_decode_options decode;
    ferry_decode_options_eval(&decode);
    if (s->score_threshold >= 0) decode.score_threshold = e->vision.decode.score_threshold;
    if (s->nms_iou > 0) decode.nms_iou = e->vision.decode.nms_iou;
    if (s->max_det) decode.max_det = e->vision.decode.max_det;
    if (decode.top_k < 5) decode.top_k = 5;
    e->vision.decode = decode;
    if (s->coco && (ferry_coco_truth_read(s->coco, NULL, &e->truth, &err) != FERRY_OK ||
                    ferry_ap_create(NULL, &e->ap, &err) != FERRY_OK))
        return cli_fail("%s", err.text);
    return CLI_OK;
}

static void close_evaluation(evaluation *e)
{
    cli_vision_close(&e->vision, e->session);
    cli_eval_set_close(&e->set);
    ferry_coco_truth_destroy(e->truth);
    ferry_ap_destroy(e->ap);
    free(e->boxes);
}

// --- One picture ---------------------------------------------------------------------------------------------------

static ferry_status add_boxes(evaluation *e, int64_t index, const ferry_picture *picture, ferry_error *err)
{
    const size_t n =
        ferry_coco_truth_boxes(e->truth, (size_t)index, picture->width, picture->height, e->boxes, e->box_capacity);
    if (n > e->box_capacity) {
        ferry_true_box *grown = realloc(e->boxes, n * sizeof *grown);
        if (!grown) {
            snprintf(err->text, sizeof err->text, "out of memory");
            return FERRY_ERR_OUT_OF_MEMORY;
        }
        e->boxes = grown;
        e->box_capacity = n;
        ferry_coco_truth_boxes(e->truth, (size_t)index, picture->width, picture->height, e->boxes, n);
    }
    return ferry_ap_add(e->ap, e->vision.result->detections, e->vision.result->detection_count, e->boxes, n, err);
}

static void mask_path(const char *folder, const char *picture, char *out, size_t capacity)
{
    const char *slash = strrchr(picture, '/');
    const char *base = slash ? slash + 1 : picture;
    const char *dot = strrchr(base, '.');
    snprintf(out, capacity, "%s/%.*s.png", folder, (int)(dot ? (size_t)(dot - base) : strlen(base)), base);
}

static ferry_status add_mask(evaluation *e, const char *path, const ferry_picture *picture, ferry_error *err)
{
    char mask_file[4096];
    ferry_picture mask;
    const ferry_picture *found = e->vision.result->class_map;
    const ferry_picture_options options = {.size = sizeof options, .form = FERRY_PICTURE_INDEX};
    mask_path(e->settings->masks, path, mask_file, sizeof mask_file);
    const ferry_status s = ferry_picture_read(mask_file, &options, NULL, &mask, err);
    if (s != FERRY_OK) return s;
    const bool fits = mask.width == picture->width && mask.height == picture->height;
    if (fits)
        ferry_iou_add(&e->iou, mask.pixels, mask.stride_bytes, found->pixels, found->stride_bytes, mask.width,
                      mask.height);
    else
        snprintf(err->text, sizeof err->text, "%s: %u x %u pixels, and its picture has %u x %u", mask_file, mask.width,
                 mask.height, picture->width, picture->height);
    ferry_picture_deinit(&mask);
    return fits ? FERRY_OK : FERRY_ERR_BAD_DATA;
}

static bool has_truth(const evaluation *e, const char *path, int64_t *out_index)
{
    char mask_file[4096];
    *out_index = 0;
    if (e->truth) return (*out_index = ferry_coco_truth_find(e->truth, path)) >= 0;
    if (!e->settings->masks) return true;
    mask_path(e->settings->masks, path, mask_file, sizeof mask_file);
    FILE *f = fopen(mask_file, "rb");
    if (f) fclose(f);
    return f != NULL;
}

static int evaluate_one(evaluation *e, const cli_eval_item *item)
{
    ferry_error err = {.text = ""};
    ferry_picture picture = {0};
    int64_t index = 0;
    if (!has_truth(e, item->path, &index)) {
        e->without_truth++;
        return CLI_OK;
    }
    ferry_status s = ferry_picture_read(item->path, NULL, NULL, &picture, &err);
    if (s != FERRY_OK) {
        if (++e->unreadable <= 10) cli_warn(e->settings, "left out: %s", err.text);
        return CLI_OK;
    }
    s = cli_vision_run(&e->vision, e->session, &picture, &err);
    if (s != FERRY_OK)
        snprintf(err.text + strlen(err.text), sizeof err.text - strlen(err.text), " (%s)", item->path);
    else if (e->ap)
        s = add_boxes(e, index, &picture, &err);
    else if (e->settings->masks)
        s = add_mask(e, item->path, &picture, &err);
    else
        ferry_topk_add(&e->topk, e->vision.result, item->true_class);
    ferry_picture_deinit(&picture);
    if (s != FERRY_OK) return cli_fail("%s", err.text);
    e->evaluated++;
    return CLI_OK;
}

// --- The figures ---------------------------------------------------------------------------------------------------

static void add_common(const evaluation *e, json_t *json)
{
    json_object_set_new(json, "pictures", json_integer((json_int_t)e->evaluated));
    json_object_set_new(json, "unreadable", json_integer((json_int_t)e->unreadable));
    json_object_set_new(json, "without_truth", json_integer((json_int_t)e->without_truth));
    json_object_set_new(json, "excluded", json_integer((json_int_t)e->set.excluded));
    json_object_set_new(json, "seconds", json_real(e->seconds));
}

static json_t *classifier_figures(const evaluation *e)
{
    const double n = (double)e->topk.pictures;
    const double top1 = (double)e->topk.top1 / n, top5 = (double)e->topk.top5 / n;
    printf("top-1 %.4f   top-5 %.4f   (%zu pictures)\n", top1, top5, e->evaluated);
    return json_pack("{s:f, s:f}", "top1", top1, "top5", top5);
}

static json_t *detector_figures(const evaluation *e)
{
    ferry_error err = {.text = ""};
    ferry_ap_summary sum;
    if (ferry_ap_summarise(e->ap, &sum, &err) != FERRY_OK) {
        cli_fail("%s", err.text);
        return NULL;
    }
    printf("mAP@0.5 %.4f   mAP@0.5:0.95 %.4f   (%zu pictures, %zu boxes, %zu classes)\n", sum.map50, sum.map,
           sum.picture_count, sum.true_box_count, sum.class_count);
    return json_pack("{s:f, s:f, s:I, s:I}", "map50", sum.map50, "map", sum.map, "boxes",
                     (json_int_t)sum.true_box_count, "classes", (json_int_t)sum.class_count);
}

static json_t *segmentation_figures(const evaluation *e)
{
    size_t classes = 0;
    const double miou = ferry_iou_mean(&e->iou, &classes), pixels = ferry_iou_pixel_accuracy(&e->iou);
    printf("mIoU %.4f   pixel accuracy %.4f   (%zu pictures, %zu classes)\n", miou, pixels, e->evaluated, classes);
    return json_pack("{s:f, s:f, s:I}", "miou", miou, "pixel_accuracy", pixels, "classes", (json_int_t)classes);
}

static int report(const evaluation *e)
{
    if (e->without_truth)
        cli_warn(e->settings, "%zu of %zu pictures have no %s and were passed over", e->without_truth, e->set.count,
                 e->settings->masks ? "mask" : "entry in the truth");
    if (e->unreadable) cli_warn(e->settings, "%zu pictures could not be used", e->unreadable);
    json_t *json = e->ap ? detector_figures(e) : e->settings->masks ? segmentation_figures(e) : classifier_figures(e);
    if (!json) return CLI_FAILED;
    add_common(e, json);
    if (e->settings->json) return cli_print_json(json);
    json_decref(json);
    return CLI_OK;
}

static int evaluate_all(evaluation *e)
{
    cli_phase phase;
    const double begun = cli_now_s();
    int status = CLI_OK;
    cli_phase_begin(&phase, e->settings, "evaluate", e->set.count);
    for (size_t i = 0; status == CLI_OK && i < e->set.count; i++) {
        status = evaluate_one(e, &e->set.items[i]);
        if (status == CLI_OK) status = cli_phase_step(&phase, i + 1);
    }
    e->seconds = cli_now_s() - begun;
    if (status == CLI_OK && e->evaluated == 0)
        return cli_fail("none of the %zu pictures could be evaluated", e->set.count);
    return status;
}

int cli_eval_figure(const cli_settings *settings, const cli_session *session, double *out_figure)
{
    ferry_error err = {.text = ""};
    ferry_ap_summary sum = {0};
    evaluation *e = calloc(1, sizeof *e);
    if (!e) return cli_fail("out of memory");
    e->settings = settings;
    e->session = session;
    int status = open_evaluation(e);
    if (status == CLI_OK) status = evaluate_all(e);
    if (status == CLI_OK && e->ap && ferry_ap_summarise(e->ap, &sum, &err) != FERRY_OK)
        status = cli_fail("%s", err.text);
    if (status == CLI_OK)
        *out_figure = e->ap             ? sum.map50
                      : settings->masks ? ferry_iou_mean(&e->iou, NULL)
                                        : (double)e->topk.top1 / (double)e->topk.pictures;
    close_evaluation(e);
    free(e);
    return status;
}

int cli_eval(const cli_settings *settings, int argc, char **argv)
{
    (void)argc;
    if (!settings->labels_csv && !settings->coco && !settings->masks)
        return cli_usage("eval", "say what is true: --labels-csv FILE, or --images DIR with --coco or --masks");
    cli_session session;
    evaluation *e = calloc(1, sizeof *e);
    if (!e) return cli_fail("out of memory");
    e->settings = settings;
    e->session = &session;
    int status = cli_session_open(&session, settings, argv[0]);
    if (status == CLI_OK) status = open_evaluation(e);
    if (status == CLI_OK) status = evaluate_all(e);
    if (status == CLI_OK) status = report(e);
    close_evaluation(e);
    cli_session_close(&session);
    free(e);
    return status;
}

// SPDX-License-Identifier: Apache-2.0
// Decodes the outputs of real networks that check_decoders.py left as .npy files, and measures the accuracy. Without an
// argument it looks for the test data and a Python with ONNX Runtime, and has that script run it.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file_map.h"
#include "base/npy.h"
#include "ferry/metrics.h"
#include "ferry/preprocess.h"

enum { SKIPPED = 77, MAX_OUTPUTS = 16, MAX_TRUE_BOXES = 1000 };

static ferry_error error;

static void need(ferry_status status)
{
    if (status == FERRY_OK) return;
    fprintf(stderr, "decode_replay: %s\n", error.text);
    exit(1);
}

typedef struct loaded {
    ferry_file_map map;
    ferry_npy npy;
} loaded;

static void load(const char *path, loaded *out)
{
    need(ferry_file_map_open(&out->map, path, &error));
    need(ferry_npy_parse(out->map.data, out->map.bytes, &out->npy, &error));
}

static uint32_t pair(const json_t *picture, const char *key, size_t index)
{
    return (uint32_t)json_integer_value(json_array_get(json_object_get(picture, key), index));
}

static ferry_preprocess_geometry geometry_of(const json_t *p)
{
    ferry_preprocess_geometry g = {.source_width = pair(p, "source", 0),
                                   .source_height = pair(p, "source", 1),
                                   .width = pair(p, "input", 0),
                                   .height = pair(p, "input", 1),
                                   .channels = 3,
                                   .resized_width = pair(p, "resized", 0),
                                   .resized_height = pair(p, "resized", 1),
                                   .offset_x = (int32_t)pair(p, "offset", 0),
                                   .offset_y = (int32_t)pair(p, "offset", 1)};
    g.content_x = g.offset_x > 0 ? (uint32_t)g.offset_x : 0;
    g.content_y = g.offset_y > 0 ? (uint32_t)g.offset_y : 0;
    g.content_width = g.resized_width < g.width ? g.resized_width : g.width;
    g.content_height = g.resized_height < g.height ? g.resized_height : g.height;
    g.scale_x = (double)g.resized_width / g.source_width;
    g.scale_y = (double)g.resized_height / g.source_height;
    return g;
}

typedef struct totals {
    ferry_topk_counts topk;
    ferry_iou_counts iou;
    ferry_ap *ap;
    ferry_coco_truth *truth;
} totals;

static void count(totals *t, const json_t *picture, const ferry_preprocess_geometry *g, const ferry_result *r)
{
    if (r->task == FERRY_TASK_CLASSIFY) {
        ferry_topk_add(&t->topk, r, json_integer_value(json_object_get(picture, "class")));
    } else if (r->task == FERRY_TASK_SEGMENT) {
        loaded mask;
        load(json_string_value(json_object_get(picture, "mask")), &mask);
        ferry_iou_add(&t->iou, mask.npy.data, g->source_width, r->class_map->pixels, r->class_map->stride_bytes,
                      g->source_width, g->source_height);
        ferry_file_map_close(&mask.map);
    } else if (t->truth) {
        static ferry_true_box boxes[MAX_TRUE_BOXES];
        const int64_t index = ferry_coco_truth_find(t->truth, json_string_value(json_object_get(picture, "name")));
        const size_t n = index < 0 ? 0
                                   : ferry_coco_truth_boxes(t->truth, (size_t)index, g->source_width, g->source_height,
                                                            boxes, MAX_TRUE_BOXES);
        need(ferry_ap_add(t->ap, r->detections, r->detection_count, boxes, n, &error));
    } else {
        char *text = NULL;
        need(ferry_result_to_json(r, NULL, NULL, &text, &error));
        puts(text);
        ferry_text_free(NULL, text);
    }
}

static void decode(totals *t, const ferry_decoder *decoder, const json_t *names, const ferry_decode_options *options,
                   const json_t *picture, ferry_result *result)
{
    const json_t *files = json_object_get(picture, "files");
    const size_t n = json_array_size(files);
    loaded outputs[MAX_OUTPUTS];
    ferry_tensor_view views[MAX_OUTPUTS];
    for (size_t i = 0; i < n && i < MAX_OUTPUTS; i++) {
        load(json_string_value(json_array_get(files, i)), &outputs[i]);
        const ferry_npy *npy = &outputs[i].npy;
        views[i] = (ferry_tensor_view){.name = json_string_value(json_array_get(names, i)),
                                       .dtype = npy->dtype,
                                       .rank = (int32_t)npy->rank,
                                       .data = npy->data};
        for (uint32_t k = 0; k < npy->rank; k++) views[i].dims[k] = (int64_t)npy->shape[k];
    }
    const ferry_preprocess_geometry g = geometry_of(picture);
    need(ferry_decoder_run(decoder, views, n, &g, options, result, &error));
    count(t, picture, &g, result);
    for (size_t i = 0; i < n; i++) ferry_file_map_close(&outputs[i].map);
}

static int replay(const char *path)
{
    json_error_t e;
    json_t *job = json_load_file(path, 0, &e);
    if (!job) {
        fprintf(stderr, "decode_replay: %s: %s\n", path, e.text);
        return 1;
    }
    ferry_decoder *decoder;
    ferry_result *result;
    totals t = {.truth = NULL};
    need(ferry_decoder_parse(json_string_value(json_object_get(job, "decoder")), NULL, &decoder, &error));
    const json_t *offset = json_object_get(job, "class_offset"), *labels = json_object_get(job, "labels");
    if (offset) need(ferry_decoder_set_class_offset(decoder, json_integer_value(offset), &error));
    if (labels) need(ferry_coco_truth_read(json_string_value(labels), NULL, &t.truth, &error));
    need(ferry_ap_create(NULL, &t.ap, &error));
    need(ferry_result_create(NULL, &result, &error));
    ferry_decode_options options;
    ferry_decode_options_eval(&options);
    const json_t *given = json_object_get(job, "options"), *score = json_object_get(given, "score");
    if (score) options.score_threshold = (float)json_number_value(score);
    if (json_object_get(given, "nms")) options.nms_iou = (float)json_number_value(json_object_get(given, "nms"));
    size_t i;
    json_t *picture;
    json_array_foreach(json_object_get(job, "pictures"), i, picture)
    {
        decode(&t, decoder, json_object_get(job, "outputs"), &options, picture, result);
    }
    ferry_ap_summary ap;
    need(ferry_ap_summarise(t.ap, &ap, &error));
    size_t classes;
    const double pictures = t.topk.pictures ? (double)t.topk.pictures : 1, miou = ferry_iou_mean(&t.iou, &classes);
    printf("{\"map50\":%.6f,\"map\":%.6f,\"classes\":%zu,\"boxes\":%zu,\"top1\":%.6f,\"top5\":%.6f,\"miou\":%.6f,"
           "\"iou_classes\":%zu,\"pixels\":%.6f}\n",
           ap.map50, ap.map, ap.class_count, ap.true_box_count, (double)t.topk.top1 / pictures,
           (double)t.topk.top5 / pictures, miou, classes, ferry_iou_pixel_accuracy(&t.iou));
    ferry_result_destroy(result);
    ferry_ap_destroy(t.ap);
    ferry_coco_truth_destroy(t.truth);
    ferry_decoder_destroy(decoder);
    json_decref(job);
    return 0;
}

static int skip(const char *why)
{
    printf("skipped: %s\n", why);
    return SKIPPED;
}

int main(int argc, char **argv)
{
    if (argc > 1) return replay(argv[1]);
    const char *data = getenv("FERRY_TEST_DATA"), *source = getenv("FERRY_SOURCE_DIR"),
               *python = getenv("FERRY_PYTHON"), *emulator = getenv("FERRY_EMULATOR");
    if (!python) python = "python3";
    char path[1000], command[4000];
    snprintf(path, sizeof path, "%s/models/yolox_nano.onnx", data ? data : "");
    if (!data || !source || access(path, R_OK) != 0) return skip("the test data is not there (FERRY_TEST_DATA)");
    snprintf(command, sizeof command, "'%s' -c 'import numpy, onnxruntime, PIL' 2>/dev/null", python);
    if (system(command) != 0) return skip("no Python with numpy, onnxruntime and Pillow (FERRY_PYTHON)");
    fflush(stdout);
    snprintf(command, sizeof command, "'%s' '%s/tests/vision/check_decoders.py' --data '%s' --replay '%s %s'", python,
             source, data, emulator ? emulator : "", argv[0]);
    return system(command) == 0 ? 0 : 1;
}

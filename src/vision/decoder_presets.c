// SPDX-License-Identifier: Apache-2.0
// The presets: JSON texts like any user's own, in the order in which they are listed.
#include <string.h>

#include "vision/decoder_presets.h"

// JSON as it is written, made a string by the preprocessor after the shared parts below are put in. (<stdbool.h> must
// stay out of this file: it would turn `true` into 1.)
#define TEXT_(...) #__VA_ARGS__
#define TEXT(...) TEXT_(__VA_ARGS__)

// clang-format off

// Anchors of Darknet's yolov3.cfg and of YOLOv5's models, which are the same; and of yolov3-tiny.cfg.
#define COCO_8 [[10, 13], [16, 30], [33, 23]]
#define COCO_16 [[30, 61], [62, 45], [59, 119]]
#define COCO_32 [[116, 90], [156, 198], [373, 326]]
#define TINY_16 [[10, 14], [23, 27], [37, 58]]
#define TINY_32 [[81, 82], [135, 169], [344, 319]]

#define GRID(stride_, anchors_, layout_) \
    {"levels": [{"stride": stride_, "anchors": anchors_}], \
     "outputs": [{"layout": layout_, "fields": ["boxes", "objectness", "classes"]}]}
#define THREE_GRIDS(layout_) [GRID(8, COCO_8, layout_), GRID(16, COCO_16, layout_), GRID(32, COCO_32, layout_)]
#define TWO_GRIDS(layout_) [GRID(16, TINY_16, layout_), GRID(32, TINY_32, layout_)]
#define SIGMOIDS {"objectness": "sigmoid", "classes": "sigmoid"}

#define LEVELS_3 {"stride": 8}, {"stride": 16}, {"stride": 32}
#define LEVELS_4 LEVELS_3, {"stride": 64}
#define ROWS_OBJECTNESS {"fields": ["boxes", "objectness", "classes"]}
#define DECODED_PIXELS {"form": "cxcywh"}

#define YOLOV3_BOX {"form": "cxcywh", "origin": "cell", "center": "sigmoid", "center_unit": "stride", \
                    "size": "exp", "size_unit": "anchor"}
static const char yolov3[] = TEXT({
    "name": "yolov3", "task": "detect",
    "forms": [
        {"name": "three raw heads", "box": YOLOV3_BOX, "score": SIGMOIDS, "heads": THREE_GRIDS("chw")},
        {"name": "three raw heads, channels last", "box": YOLOV3_BOX, "score": SIGMOIDS, "heads": THREE_GRIDS("hwc")},
        {"name": "two raw heads (tiny)", "box": YOLOV3_BOX, "score": SIGMOIDS, "heads": TWO_GRIDS("chw")},
        {"name": "two raw heads (tiny), channels last", "box": YOLOV3_BOX, "score": SIGMOIDS, "heads": TWO_GRIDS("hwc")}
    ]});

#define YOLOV5_BOX {"form": "cxcywh", "origin": "cell", "center": "sigmoid", "center_scale": 2, \
                    "center_unit": "stride", "size": "double_sigmoid_squared", "size_unit": "anchor"}
#define PER_CELL_3(stride_) {"stride": stride_, "anchors_per_cell": 3}
static const char yolov5[] = TEXT({
    "name": "yolov5", "task": "detect",
    "forms": [
        {"name": "decoded rows", "box": DECODED_PIXELS,
         "heads": [{"levels": [PER_CELL_3(8), PER_CELL_3(16), PER_CELL_3(32)], "outputs": [ROWS_OBJECTNESS]}]},
        {"name": "decoded rows, four strides", "box": DECODED_PIXELS,
         "heads": [{"levels": [PER_CELL_3(8), PER_CELL_3(16), PER_CELL_3(32), PER_CELL_3(64)],
                    "outputs": [ROWS_OBJECTNESS]}]},
        {"name": "raw heads by anchor", "box": YOLOV5_BOX, "score": SIGMOIDS, "heads": THREE_GRIDS("ahwc")},
        {"name": "raw heads", "box": YOLOV5_BOX, "score": SIGMOIDS, "heads": THREE_GRIDS("chw")}
    ]});

#define DFL_GRID(stride_) \
    {"levels": [{"stride": stride_}], "outputs": [{"layout": "chw", "fields": ["boxes", "classes"]}]}
#define ROWS_CLASSES {"fields": ["boxes", "classes"]}
#define COLUMNS_CLASSES {"layout": "columns", "fields": ["boxes", "classes"]}
static const char yolov8[] = TEXT({
    "name": "yolov8", "task": "detect",
    "forms": [
        {"name": "decoded columns", "box": DECODED_PIXELS,
         "heads": [{"levels": [LEVELS_3], "outputs": [COLUMNS_CLASSES]}]},
        {"name": "decoded columns, four strides", "box": DECODED_PIXELS,
         "heads": [{"levels": [LEVELS_4], "outputs": [COLUMNS_CLASSES]}]},
        {"name": "decoded rows", "box": DECODED_PIXELS,
         "heads": [{"levels": [LEVELS_3], "outputs": [ROWS_CLASSES]}]},
        {"name": "decoded rows, four strides", "box": DECODED_PIXELS,
         "heads": [{"levels": [LEVELS_4], "outputs": [ROWS_CLASSES]}]},
        {"name": "raw heads with distributions",
         "box": {"form": "ltrb", "bins": 16, "origin": "cell_center", "unit": "stride"},
         "score": {"classes": "sigmoid"},
         "heads": [DFL_GRID(8), DFL_GRID(16), DFL_GRID(32)]}
    ]});

static const char yolox[] = TEXT({
    "name": "yolox", "task": "detect",
    "forms": [
        {"name": "raw rows",
         "box": {"form": "cxcywh", "origin": "cell", "center_unit": "stride", "size": "exp", "size_unit": "stride"},
         "heads": [{"levels": [LEVELS_3], "outputs": [ROWS_OBJECTNESS]}]}
    ]});

static const char yolox_decoded[] = TEXT({
    "name": "yolox-decoded", "task": "detect",
    "forms": [
        {"name": "decoded rows", "box": DECODED_PIXELS,
         "heads": [{"levels": [LEVELS_3], "outputs": [ROWS_OBJECTNESS]}]}
    ]});

// Offsets in units of a prior's size times the variances, as SSD defines them.
#define SSD_OFFSETS "form": "cxcywh", "variances": [0.1, 0.2], "center_unit": "anchor", "size": "exp", \
                    "size_unit": "anchor"
#define SSD_PRIOR_BOX {SSD_OFFSETS, "origin": "prior", "prior_unit": "input"}
#define SSD_PRIOR_HEAD(classes_layout_) \
    {"outputs": [{"layout": "caffe_priors", "fields": ["priors"]}, {"layout": "flat", "fields": ["boxes"]}, \
                 {"layout": classes_layout_, "fields": ["classes"]}]}
#define BOXES_AND_CLASSES [{"fields": ["boxes"]}, {"fields": ["classes"]}]
#define EVERY_CLASS {"multi_label": true}
static const char ssd[] = TEXT({
    "name": "ssd", "task": "detect", "class_offset": 1,
    "forms": [
        {"name": "decoded boxes and scores", "box": {"form": "xyxy", "unit": "input"}, "score": EVERY_CLASS,
         "heads": [{"outputs": BOXES_AND_CLASSES}]},
        {"name": "offsets, scores in rows and priors", "box": SSD_PRIOR_BOX, "score": EVERY_CLASS,
         "heads": [SSD_PRIOR_HEAD("rows")]},
        {"name": "offsets, flat scores and priors", "box": SSD_PRIOR_BOX, "score": EVERY_CLASS,
         "heads": [SSD_PRIOR_HEAD("flat")]}
    ]});

#define GFL_GRID(stride_) {"levels": [{"stride": stride_}], "outputs": [{"fields": ["classes"]}, {"fields": ["boxes"]}]}
#define GFL "form": "ltrb", "bins": 8, "unit": "stride"
static const char nanodet[] = TEXT({
    "name": "nanodet", "task": "detect",
    "forms": [
        {"name": "six outputs", "box": {GFL, "origin": "cell_center", "origin_shift": -0.5},
         "heads": [GFL_GRID(8), GFL_GRID(16), GFL_GRID(32)]},
        {"name": "one output", "box": {GFL, "origin": "cell_center"}, "heads": [{"levels": [LEVELS_3],
         "outputs": [{"fields": ["classes", "boxes"]}]}]},
        {"name": "NanoDet-Plus, one output", "box": {GFL, "origin": "cell"}, "heads": [{"levels": [LEVELS_4],
         "outputs": [{"fields": ["classes", "boxes"]}]}]}
    ]});

static const char fastestdet[] = TEXT({
    "name": "fastestdet", "task": "detect",
    "forms": [
        {"name": "one grid",
         "box": {"form": "cxcywh", "origin": "cell", "center": "tanh", "center_unit": "stride",
                 "size": "sigmoid", "size_unit": "input"},
         "score": {"objectness_power": 0.6, "classes_power": 0.4},
         "heads": [{"levels": [{"stride": 16}],
                    "outputs": [{"layout": "chw", "fields": ["objectness", "boxes", "classes"]}]}]}
    ]});

static const char ultraface[] = TEXT({
    "name": "ultraface", "task": "detect", "class_offset": 1, "classes": 1,
    "forms": [
        {"name": "decoded boxes and scores", "box": {"form": "xyxy", "unit": "input"},
         "heads": [{"row_order": "anchor_last",
                    "levels": [{"stride": 8, "anchors_per_cell": 3}, {"stride": 16, "anchors_per_cell": 2},
                               {"stride": 32, "anchors_per_cell": 2}, {"stride": 64, "anchors_per_cell": 3}],
                    "outputs": BOXES_AND_CLASSES}]}
    ]});

static const char ultraface_raw[] = TEXT({
    "name": "ultraface-raw", "task": "detect", "class_offset": 1, "classes": 1,
    "forms": [
        {"name": "offsets to the priors, and scores",
         "box": {SSD_OFFSETS, "origin": "cell_center", "clip_anchors": true},
         "heads": [{"row_order": "anchor_last",
                    "levels": [{"stride": 8, "anchors": [[10, 10], [16, 16], [24, 24]]},
                               {"stride": 16, "anchors": [[32, 32], [48, 48]]},
                               {"stride": 32, "anchors": [[64, 64], [96, 96]]},
                               {"stride": 64, "anchors": [[128, 128], [192, 192], [256, 256]]}],
                    "outputs": BOXES_AND_CLASSES}]}
    ]});

static const char classify[] = TEXT({"name": "classify", "task": "classify"});
static const char segment[] = TEXT({"name": "segment", "task": "segment"});

// clang-format on

// A preset with a twin has the same shapes as another one that is far more common: shapes cannot tell, so the other is
// proposed and this one is mentioned.
const ferry_decoder_preset ferry_decoder_presets[] = {
    {"classify", classify, NULL, NULL},
    {"segment", segment, NULL, NULL},
    {"yolov3", yolov3, NULL, "it has the anchors of Darknet's COCO models; others need a FILE.json"},
    {"yolov5", yolov5, NULL, NULL},
    {"yolov8", yolov8, NULL, NULL},
    {"yolox", yolox, NULL, "if the boxes are decoded already, take yolox-decoded"},
    {"yolox-decoded", yolox_decoded, "yolox", NULL},
    {"ssd", ssd, NULL, NULL},
    {"nanodet", nanodet, NULL, NULL},
    {"fastestdet", fastestdet, NULL, NULL},
    {"ultraface", ultraface, NULL, "if the boxes are raw offsets (the Caffe model), take ultraface-raw"},
    {"ultraface-raw", ultraface_raw, "ultraface", NULL},
};
const size_t ferry_decoder_preset_count = sizeof ferry_decoder_presets / sizeof *ferry_decoder_presets;

const char *ferry_decoder_preset_name(size_t index)
{
    return index < ferry_decoder_preset_count ? ferry_decoder_presets[index].name : NULL;
}

const char *ferry_decoder_preset_json(const char *name)
{
    for (size_t i = 0; name && i < ferry_decoder_preset_count; i++) {
        if (strcmp(ferry_decoder_presets[i].name, name) == 0) return ferry_decoder_presets[i].json;
    }
    return NULL;
}

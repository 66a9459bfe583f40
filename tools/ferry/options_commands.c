// SPDX-License-Identifier: Apache-2.0
// Options of single subcommands: what they run on, what they show, how they measure; and those that all have.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options_take.h"

CLI_TAKE_DOUBLE(take_score, score_threshold, 0, 1)
CLI_TAKE_DOUBLE(take_iou, nms_iou, 0.0001, 1)
CLI_TAKE_INT(take_max_det, max_det, 1, 100000)
CLI_TAKE_INT(take_top_k, top_k, 1, 1000)
CLI_TAKE_TEXT(take_draw, draw)
CLI_TAKE(take_input)
{
    return cli_take_pair_once(value, "NAME=FILE.npy", false, s->inputs, &s->n_inputs, err);
}
CLI_TAKE_TEXT(take_output_folder, output_folder)
static const cli_option run_options[] = {
    {"score-threshold", 0, "X", "Leave out boxes with a lower score (default 0.25).", take_score},
    {"nms-iou", 0, "X", "Of two boxes of one class that overlap more, the weaker goes (default 0.45).", take_iou},
    {"max-det", 0, "N", "Most boxes a picture (default 100).", take_max_det},
    {"top-k", 0, "N", "Classes shown of a classifier (default 5).", take_top_k},
    {"draw", 0, "DIR", "Write each picture with its boxes, names or mask into DIR.", take_draw},
    {"input", 0, "NAME=F.npy", "Raw tensor for an input, instead of pictures. May be repeated.", take_input},
    {"output", 'o', "DIR",
     "Write the raw outputs into DIR: NAME.npy each, and names.json; of several pictures into DIR/PICTURE each.",
     take_output_folder},
    {0},
};
const cli_group cli_group_run = {"What is run and shown", run_options, false};

CLI_TAKE_INT(take_iterations, iterations, 1, 1000000000)
CLI_TAKE_INT(take_warm_up, warm_up_ms, 0, 3600000)
CLI_TAKE_DOUBLE(take_duration, duration_s, 0, 86400)
CLI_TAKE_INT(take_streams, streams, 1, 64)
CLI_TAKE_FLAG(take_dump_profile, dump_profile)
static const cli_option measure_options[] = {
    {"iterations", 0, "N", "Run at least N inferences (default 10).", take_iterations},
    {"warmUp", 0, "MS", "Run for MS milliseconds before measuring (default 200).", take_warm_up},
    {"duration", 0, "S", "Measure for at least S seconds (default 3), which may be a fraction.", take_duration},
    {"streams", 0, "N", "Streams that run at the same time (default 1).", take_streams},
    {"dumpProfile", 0, NULL, "Print the time of every layer.", take_dump_profile},
    {0},
};
const cli_group cli_group_measure = {"Measuring", measure_options, false};

CLI_TAKE_TEXT(take_labels_csv, labels_csv)
CLI_TAKE_TEXT(take_images, images)
CLI_TAKE_TEXT(take_coco, coco)
CLI_TAKE_TEXT(take_masks, masks)
CLI_TAKE_TEXT(take_exclude_calib, exclude_calib)
CLI_TAKE_INT(take_count, count, 1, 100000000)
CLI_TAKE_DOUBLE(take_max_drop, max_drop, 0, 100)
CLI_TAKE(take_metric)
{
    if (strcmp(value, "top1") && strcmp(value, "map") && strcmp(value, "miou"))
        CLI_FAIL("'%s' is none of top1, map, miou", value);
    s->metric = value;
    return FERRY_OK;
}
static const cli_option accuracy_options[] = {
    {"max-drop", 0, "PCT",
     "Measure accuracy in FP32 and of the engine on the pictures below, and keep the layers that lose most in float "
     "until it drops by no more than PCT points; fails, with the figures, when that can't be reached.",
     take_max_drop},
    {"metric", 0, "NAME", "top1, map or miou (default: the one that the pictures below are for).", take_metric},
    {"labels-csv", 0, "FILE", "Pictures and their classes, as for 'ferry eval'.", take_labels_csv},
    {"images", 0, "SOURCE", "A folder of pictures, or a list of them (.txt).", take_images},
    {"coco", 0, "FILE|DIR", "The true boxes of these pictures, as for 'ferry eval'.", take_coco},
    {"masks", 0, "DIR", "The true classes of their pixels, as for 'ferry eval'.", take_masks},
    {"count", 0, "N", "Measure on N pictures, evenly spread over all (default: all).", take_count},
    {"exclude-calib", 0, "SOURCE", "Leave out the pictures that calibration on SOURCE draws.", take_exclude_calib},
    {0},
};
const cli_group cli_group_accuracy = {"Accuracy", accuracy_options, false};

static const cli_option eval_options[] = {
    {"labels-csv", 0, "FILE",
     "Pictures and their classes: a CSV with a header and the columns 'file' (relative to the CSV) and 'class_index'.",
     take_labels_csv},
    {"images", 0, "SOURCE", "A folder of pictures, or a list of them (.txt).", take_images},
    {"coco", 0, "FILE|DIR", "The true boxes of these pictures: a COCO instances JSON, or a folder of YOLO label files.",
     take_coco},
    {"masks", 0, "DIR",
     "The true classes of their pixels: DIR/NAME.png holds class indices, 255 where none counts. Pictures without a "
     "mask are passed over.",
     take_masks},
    {"count", 0, "N", "Evaluate N pictures, evenly spread over all (default: all).", take_count},
    {"exclude-calib", 0, "SOURCE",
     "Leave out the pictures that calibration on SOURCE draws with the same --calib-count and --calib-seed, so that "
     "accuracy is measured on others.",
     take_exclude_calib},
    {"score-threshold", 0, "X", "Leave out boxes with a lower score (default 0.01).", take_score},
    {"nms-iou", 0, "X", "Of two boxes of one class that overlap more, the weaker goes (default 0.6).", take_iou},
    {"max-det", 0, "N", "Most boxes a picture (default 100).", take_max_det},
    {0},
};
const cli_group cli_group_eval = {"What is evaluated", eval_options, false};

CLI_TAKE_FLAG(take_per_layer, per_layer)
CLI_TAKE_INT(take_worst, worst, 1, 1000000)
static const cli_option compare_options[] = {
    {"input", 0, "NAME=F.npy", "Raw tensor for an input, instead of pictures. May be repeated.", take_input},
    {"per-layer", 0, NULL, "Compare every tensor that both have, worst first.", take_per_layer},
    {"worst", 0, "N", "Tensors that are listed (default 20).", take_worst},
    {0},
};
const cli_group cli_group_compare = {"What is compared", compare_options, false};

CLI_TAKE_TEXT(take_html, html)
CLI_TAKE_FLAG(take_passes, passes)
static const cli_option inspect_options[] = {
    {"html", 0, "FILE", "Write a report as one HTML file that needs nothing else.", take_html},
    {"passes", 0, NULL, "List the rewrites that building applies, for --disable-pass, and nothing else.", take_passes},
    {0},
};
const cli_group cli_group_inspect = {"What is shown", inspect_options, false};

CLI_TAKE_FLAG(take_json, json)
CLI_TAKE_FLAG(take_quiet, quiet)
CLI_TAKE_FLAG(take_verbose, verbose)
CLI_TAKE_FLAG(take_help, help)
static const cli_option common_options[] = {
    {"json", 0, NULL, "Print one JSON object as the last line of the standard output.", take_json},
    {"quiet", 'q', NULL, "No progress and no warnings.", take_quiet},
    {"verbose", 'v', NULL, "Say more of what is done.", take_verbose},
    {"help", 'h', NULL, "This text.", take_help},
    {0},
};
const cli_group cli_group_common = {"General", common_options, false};

// SPDX-License-Identifier: Apache-2.0
// Options that say how pictures become inputs, what outputs mean, and what is shown of them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options_take.h"

CLI_TAKE_TEXT(take_preprocess, preprocess)

// Checked at once, and kept in order, so that they can be put on top of a preset or of what an engine has.
static ferry_status keep_setting(cli_settings *s, const char *name, const char *value, ferry_error *err)
{
    ferry_preprocess probe;
    ferry_preprocess_default(&probe);
    const ferry_status status = ferry_preprocess_set(&probe, name, value, err);
    if (status != FERRY_OK) return status;
    if (s->n_preprocess_settings == CLI_MOST_ITEMS) CLI_FAIL("too many");
    s->preprocess_settings[s->n_preprocess_settings++] = (cli_pair){name, value};
    return FERRY_OK;
}
#define SETTING(function, name)                                                                                        \
    CLI_TAKE(function)                                                                                                 \
    {                                                                                                                  \
        return keep_setting(s, name, value, err);                                                                      \
    }
SETTING(take_size_wh, "size")
SETTING(take_mean, "mean")
SETTING(take_std, "std")
SETTING(take_resize, "resize")
SETTING(take_resize_shorter, "resize-shorter")
SETTING(take_keep_ratio_height, "keep-ratio-height")
SETTING(take_rounding, "rounding")
SETTING(take_pad, "pad")
SETTING(take_align, "align")
SETTING(take_filter, "filter")
SETTING(take_color, "color")
SETTING(take_layout, "layout")

static const cli_option picture_options[] = {
    {"preprocess", 0, "PRESET|FILE",
     "imagenet, unit, tf, yolo, yolox, nanodet, ssd, or a JSON file. The options below change it.", take_preprocess},
    {"size", 0, "WxH", "Size of the network's input (default: the model's).", take_size_wh},
    {"mean", 0, "R,G,B", "Subtracted, in 0..255.", take_mean},
    {"std", 0, "R,G,B", "Divided by, after the mean, in 0..255.", take_std},
    {"resize", 0, "MODE",
     "stretch (default), letterbox (keep the aspect, pad), crop (shorter side to --resize-shorter, cut the centre) or "
     "keep_ratio_height (to the input's height, the width in proportion).",
     take_resize},
    {"resize-shorter", 0, "N", "Shorter side before cutting (default: size / 0.875).", take_resize_shorter},
    {"keep-ratio-height", 0, "H", "To this height, the width in proportion (lines of text).", take_keep_ratio_height},
    {"rounding", 0, "HOW",
     "Sides that keep the proportion: nearest (default, Ultralytics), down (torchvision, YOLOX) or up (PaddleOCR).",
     take_rounding},
    {"pad", 0, "R,G,B", "Colour of the padding, in 0..255 (default 114).", take_pad},
    {"align", 0, "WHERE", "center or topleft.", take_align},
    {"filter", 0, "NAME", "bilinear (default), bicubic, lanczos, nearest, box or hamming: Pillow's.", take_filter},
    {"color", 0, "ORDER", "rgb (default), bgr or gray.", take_color},
    {"layout", 0, "ORDER", "nchw (default) or nhwc.", take_layout},
    {0},
};
const cli_group cli_group_pictures = {"Pictures to inputs", picture_options, false};
const cli_group cli_group_pictures_build = {"Pictures to inputs (for calibration)", picture_options, true};

CLI_TAKE(take_task)
{
    ferry_task task;
    s->task = value;
    return ferry_task_parse(value, &task, err);
}
CLI_TAKE_TEXT(take_labels, labels)
CLI_TAKE_INT(take_class_offset, class_offset, 0, 1000000)
CLI_TAKE_TEXT(take_decoder, decoder)
static const cli_option result_options[] = {
    {"task", 0, "TASK", "classify, detect, segment or raw (default: told by the outputs, and said).", take_task},
    {"labels", 0, "FILE", "Names of the classes: one a line, or JSON.", take_labels},
    {"class-offset", 0, "N", "Output index = class index + N (1 where index 0 is background).", take_class_offset},
    {"decoder", 0, "PRESET|FILE",
     "What the outputs mean: yolov3, yolov5, yolov8, yolox, ssd, nanodet, fastestdet, ultraface, or a JSON file "
     "(default: proposed from the outputs' shapes, and said).",
     take_decoder},
    {0},
};
const cli_group cli_group_results = {"Outputs to results", result_options, false};

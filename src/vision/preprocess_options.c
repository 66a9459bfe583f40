// SPDX-License-Identifier: Apache-2.0
// Settings of preprocessing: defaults, presets, whether they make sense and agree with a model.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "vision/preprocess_internal.h"

const char *const ferry_resize_mode_names[] = {"stretch", "letterbox", "crop", "keep_ratio_height", NULL};
const char *const ferry_rounding_names[] = {"nearest", "down", "up", NULL};
const char *const ferry_align_names[] = {"center", "topleft", NULL};
const char *const ferry_filter_names[] = {"bilinear", "nearest", "box", "hamming", "bicubic", "lanczos", NULL};
const char *const ferry_color_names[] = {"rgb", "bgr", "gray", NULL};
const char *const ferry_layout_names[] = {"nchw", "nhwc", NULL};

const char *ferry_filter_name(ferry_filter filter)
{
    return (unsigned)filter < FERRY_COUNT_OF(ferry_filter_names) - 1 ? ferry_filter_names[filter] : NULL;
}

void ferry_preprocess_default(ferry_preprocess *out)
{
    *out = (ferry_preprocess){.size = sizeof *out, .std = {1.0, 1.0, 1.0}, .pad = {114.0, 114.0, 114.0}};
}

typedef struct preset {
    const char *name;
    ferry_resize_mode mode;
    ferry_rounding rounding;
    ferry_align align;
    ferry_color color;
    double mean[3], std[3], pad;
} preset;

#define IMAGENET_MEAN                                                                                                  \
    {                                                                                                                  \
        123.675, 116.28, 103.53                                                                                        \
    } // 0.485, 0.456, 0.406 of 255
#define IMAGENET_STD                                                                                                   \
    {                                                                                                                  \
        58.395, 57.12, 57.375                                                                                          \
    } // 0.229, 0.224, 0.225 of 255

// clang-format off
// What is not said is stretch, nearest, center, rgb.
static const preset presets[] = {
    {"imagenet", .mode = FERRY_RESIZE_CROP, .rounding = FERRY_ROUNDING_DOWN, // torchvision's
     .mean = IMAGENET_MEAN, .std = IMAGENET_STD, .pad = 114},
    {"unit", .std = {255, 255, 255}, .pad = 114},
    {"tf", .mean = {127.5, 127.5, 127.5}, .std = {127.5, 127.5, 127.5}, .pad = 114},
    // Ultralytics' YOLOv5, v8 and later
    {"yolo", .mode = FERRY_RESIZE_LETTERBOX, .std = {255, 255, 255}, .pad = 114},
    // Megvii's, since 0.1.1rc0: no scaling
    {"yolox", .mode = FERRY_RESIZE_LETTERBOX, .align = FERRY_ALIGN_TOPLEFT, .color = FERRY_COLOR_BGR,
     .std = {1, 1, 1}, .pad = 114},
    // RangiLyu's: OpenCV's order of colours, black around
    {"nanodet", .mode = FERRY_RESIZE_LETTERBOX, .color = FERRY_COLOR_BGR,
     .mean = IMAGENET_MEAN, .std = IMAGENET_STD, .pad = 0},
    // pytorch-ssd's MobileNet-SSD, which jetson-inference trains
    {"ssd", .mean = {127, 127, 127}, .std = {128, 128, 128}, .pad = 114},
};
// clang-format on

const char *ferry_preprocess_preset_name(size_t index)
{
    return index < FERRY_COUNT_OF(presets) ? presets[index].name : NULL;
}

ferry_status ferry_preprocess_preset(const char *name, ferry_preprocess *out, ferry_error *error)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(presets); i++) {
        const preset *p = &presets[i];
        if (strcmp(p->name, name) != 0) continue;
        ferry_preprocess_default(out);
        out->mode = p->mode;
        out->rounding = p->rounding;
        out->align = p->align;
        out->color = p->color;
        for (int c = 0; c < 3; c++) {
            out->mean[c] = p->mean[c];
            out->std[c] = p->std[c];
            out->pad[c] = p->pad;
        }
        return FERRY_OK;
    }
    return ferry_fail(
        error, FERRY_ERR_INVALID_ARGUMENT,
        "no preprocessing preset '%.100s': there are imagenet, unit, tf, yolo, yolox, nanodet, ssd; a file's "
        "name must end in .json or hold a '/'",
        name);
}

static ferry_status check_values(const char *what, const double values[3], double least, double most, ferry_error *err)
{
    for (int c = 0; c < 3; c++) {
        if (!(values[c] >= least && values[c] <= most)) {
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "preprocessing: %s is %g, must be %g to %g", what,
                              values[c], least, most);
        }
    }
    return FERRY_OK;
}

ferry_status ferry_preprocess_check(const ferry_preprocess *preprocess, ferry_error *error)
{
    const ferry_preprocess *p = preprocess;
    if (p->size < sizeof *p) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                          "ferry_preprocess.size is %zu, must be %zu: begin with ferry_preprocess_default()", p->size,
                          sizeof *p);
    }
    if ((unsigned)p->mode > FERRY_RESIZE_KEEP_RATIO_HEIGHT || (unsigned)p->rounding > FERRY_ROUNDING_UP ||
        (unsigned)p->align > FERRY_ALIGN_TOPLEFT || !ferry_filter_name(p->filter) ||
        (unsigned)p->color > FERRY_COLOR_GRAY || (unsigned)p->layout > FERRY_LAYOUT_NHWC) {
        return ferry_fail(
            error, FERRY_ERR_INVALID_ARGUMENT,
            "preprocessing holds an unknown value: resize %d, rounding %d, align %d, filter %d, color %d, layout %d",
            (int)p->mode, (int)p->rounding, (int)p->align, (int)p->filter, (int)p->color, (int)p->layout);
    }
    if (p->width > FERRY_PREPROCESS_MAX_SIDE || p->height > FERRY_PREPROCESS_MAX_SIDE ||
        p->resize_shorter > FERRY_PREPROCESS_MAX_SIDE) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                          "preprocessing: size %" PRIu32 "x%" PRIu32 ", resize-shorter %" PRIu32 ": at most %d",
                          p->width, p->height, p->resize_shorter, FERRY_PREPROCESS_MAX_SIDE);
    }
    FERRY_TRY(check_values("mean", p->mean, -1e6, 1e6, error));
    FERRY_TRY(check_values("std", p->std, -1e6, 1e6, error));
    FERRY_TRY(check_values("pad", p->pad, 0, 255, error));
    for (int c = 0; c < 3; c++) {
        if (fabs(p->std[c]) < 1e-6) {
            return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "preprocessing: std is %g, too close to 0", p->std[c]);
        }
    }
    return FERRY_OK;
}

static ferry_status agree(const char *what, uint32_t *ours, uint32_t model, bool may_stay_open, ferry_error *err)
{
    if (*ours == 0) *ours = model;
    if (*ours == 0 && !may_stay_open) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the model leaves its input's %s open: give --size WxH",
                          what);
    }
    if (model != 0 && *ours != model) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "preprocessing makes inputs of %s %" PRIu32 ", the model's input has %" PRIu32, what, *ours,
                          model);
    }
    return FERRY_OK;
}

ferry_status ferry_preprocess_set_input(ferry_preprocess *preprocess, uint32_t width, uint32_t height,
                                        uint32_t channels, ferry_error *error)
{
    FERRY_TRY(ferry_preprocess_check(preprocess, error));
    ferry_preprocess p = *preprocess;
    const uint32_t ours = p.color == FERRY_COLOR_GRAY ? 1 : 3;
    if (channels != 0 && channels != ours) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT,
                          "preprocessing makes inputs of %" PRIu32
                          " channels (color %s), the model's input has %" PRIu32
                          "; --color rgb, bgr or gray and --layout nchw or nhwc change that",
                          ours, ferry_color_names[p.color], channels);
    }
    FERRY_TRY(agree("width", &p.width, width, p.mode == FERRY_RESIZE_KEEP_RATIO_HEIGHT, error));
    FERRY_TRY(agree("height", &p.height, height, false, error));
    *preprocess = p;
    return FERRY_OK;
}

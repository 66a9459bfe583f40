// SPDX-License-Identifier: Apache-2.0
// The vocabulary of decoder files, shared by their reader and their writer.
#include "vision/decoder.h"

#include <string.h>

const char *const ferry_decode_fn_words[] = {"none", "sigmoid", "softmax", "tanh", "exp", "double_sigmoid_squared",
                                             NULL};
const char *const ferry_box_form_words[] = {"xyxy", "cxcywh", "ltrb", NULL};
const char *const ferry_box_unit_words[] = {"pixel", "stride", "anchor", "input", NULL};
const char *const ferry_box_origin_words[] = {"none", "cell", "cell_center", "prior", NULL};
const char *const ferry_decode_layout_words[] = {"rows", "columns", "chw", "hwc", "ahwc", "flat", "caffe_priors", NULL};
const char *const ferry_decode_field_words[] = {"boxes", "objectness", "classes", "class_index", "priors", NULL};
const char *const ferry_scores_words[] = {"auto", "probability", "logit", NULL};
const char *const ferry_map_layout_words[] = {"auto", "chw", "hwc", "indices", NULL};

const ferry_box_rule ferry_box_rule_default = {.variances = {1, 1}, .center_scale = 1};
const ferry_score_rule ferry_score_rule_default = {.objectness_power = 1, .classes_power = 1};

static const char *const task_words[] = {"raw", "classify", "detect", "segment"};

const char *ferry_task_name(ferry_task task)
{
    return (unsigned)task < FERRY_COUNT_OF(task_words) ? task_words[task] : NULL;
}

ferry_status ferry_task_parse(const char *name, ferry_task *out, ferry_error *error)
{
    for (unsigned i = 0; i < FERRY_COUNT_OF(task_words); i++) {
        if (name && strcmp(task_words[i], name) == 0) {
            *out = (ferry_task)i;
            return FERRY_OK;
        }
    }
    return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "task '%.100s' is not one of raw, classify, detect, segment",
                      name ? name : "");
}

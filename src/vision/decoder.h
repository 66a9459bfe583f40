// SPDX-License-Identifier: Apache-2.0
// A decoder in memory: the JSON of docs/DECODERS.md, member by member. One engine evaluates all of it.
#ifndef FERRY_SRC_VISION_DECODER_H_
#define FERRY_SRC_VISION_DECODER_H_

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"
#include "ferry/decode.h"

// Generous for any published network, small enough that a hostile file costs nothing.
enum {
    FERRY_DECODER_MAX_FORMS = 16,
    FERRY_DECODER_MAX_HEADS = 16,
    FERRY_DECODER_MAX_LEVELS = 16,
    FERRY_DECODER_MAX_HEAD_OUTPUTS = 8,
    FERRY_DECODER_MAX_FIELDS = 8,
    FERRY_DECODER_MAX_ANCHORS = 64,
    FERRY_DECODER_MAX_BINS = 256,
    FERRY_DECODER_MAX_CLASSES = 1000000,
};

/// Functions on one raw value. Softmax is over all classes of a box.
typedef enum ferry_decode_fn {
    FERRY_FN_NONE = 0,
    FERRY_FN_SIGMOID = 1,
    FERRY_FN_SOFTMAX = 2,
    FERRY_FN_TANH = 3,
    FERRY_FN_EXP = 4,
    FERRY_FN_DOUBLE_SIGMOID_SQUARED = 5, ///< (2 * sigmoid(v))^2
} ferry_decode_fn;

typedef enum ferry_box_form { FERRY_BOX_XYXY = 0, FERRY_BOX_CXCYWH = 1, FERRY_BOX_LTRB = 2 } ferry_box_form;

/// What a decoded number is a multiple of; each has one length for x and one for y.
typedef enum ferry_box_unit {
    FERRY_UNIT_PIXEL = 0, ///< of the input
    FERRY_UNIT_STRIDE = 1,
    FERRY_UNIT_ANCHOR = 2, ///< the anchor's, or prior's, width and height
    FERRY_UNIT_INPUT = 3,  ///< the input's width and height
} ferry_box_unit;

/// The point that centres and distances are counted from.
typedef enum ferry_box_origin {
    FERRY_ORIGIN_NONE = 0,
    FERRY_ORIGIN_CELL = 1,        ///< top left corner of the grid cell
    FERRY_ORIGIN_CELL_CENTER = 2, ///< its middle
    FERRY_ORIGIN_PRIOR = 3,       ///< the middle of the prior box that another output holds
} ferry_box_origin;

typedef struct ferry_box_rule {
    ferry_box_form form;
    uint32_t bins;       // > 0: each side is a distribution over 0..bins-1, softmaxed; its expected value counts
    bool swap_xy;        // y before x
    double variances[2]; // multiply the raw values: [0] the first two, [1] the last two
    ferry_box_origin origin;
    double origin_shift;    // pixels added to the origin
    ferry_decode_fn center; // cxcywh: none, sigmoid, tanh
    double center_scale;    // sigmoid only: (sigmoid - 0.5) * scale + 0.5
    ferry_box_unit center_unit;
    ferry_decode_fn size;     // cxcywh: none, exp, sigmoid, double_sigmoid_squared
    ferry_box_unit size_unit; // for xyxy and ltrb the unit of all four
    ferry_box_unit anchor_unit;
    bool clip_anchors;         // to the input, centre and size each
    ferry_box_form prior_form; // xyxy or cxcywh
    ferry_box_unit prior_unit; // pixel or input
} ferry_box_rule;

typedef struct ferry_score_rule {
    ferry_decode_fn objectness, classes; // applied to the raw values
    double objectness_power, classes_power;
    bool multi_label; // each class that reaches the threshold is a box of its own; else only the best
} ferry_score_rule;

typedef enum ferry_decode_layout {
    FERRY_LAYOUT_ROWS = 0,         ///< [batch, positions, channels]
    FERRY_LAYOUT_COLUMNS = 1,      ///< [batch, channels, positions]
    FERRY_LAYOUT_CHW = 2,          ///< [batch, anchors * channels, H, W] or [batch, anchors, channels, H, W]
    FERRY_LAYOUT_HWC = 3,          ///< [batch, H, W, anchors * channels] or [batch, H, W, anchors, channels]
    FERRY_LAYOUT_AHWC = 4,         ///< [batch, anchors, H, W, channels]
    FERRY_LAYOUT_FLAT = 5,         ///< [batch, positions * channels]
    FERRY_LAYOUT_CAFFE_PRIORS = 6, ///< [1, 2, positions * 4]: the priors, then variances, which are not read
} ferry_decode_layout;

typedef enum ferry_decode_field {
    FERRY_FIELD_BOXES = 0, ///< 4 channels, or 4 * bins
    FERRY_FIELD_OBJECTNESS = 1,
    FERRY_FIELD_CLASSES = 2,     ///< as many as there are
    FERRY_FIELD_CLASS_INDEX = 3, ///< one number: the class itself
    FERRY_FIELD_PRIORS = 4,      ///< 4 channels
    FERRY_FIELD_COUNT = 5,
    FERRY_FIELD_SKIP = 5, ///< channels that are not read
} ferry_decode_field;

/// Which output of the network: by name, by index, or (neither) the one whose shape fits.
typedef struct ferry_output_ref {
    const char *name; // NULL: not by name
    int32_t index;    // -1: not by index
} ferry_output_ref;

typedef struct ferry_head_output {
    ferry_output_ref ref;
    ferry_decode_layout layout;
    struct {
        ferry_decode_field field;
        uint32_t channels; // of SKIP
    } fields[FERRY_DECODER_MAX_FIELDS];
    uint32_t field_count;
} ferry_head_output;

/// One grid. A head with several has them one after the other along its rows.
typedef struct ferry_head_level {
    double stride;             // 0: the input's size divided by the grid's
    uint32_t anchors_per_cell; // >= 1
    float (*anchors)[2];       // width, height; NULL: none are needed
    double center_scale;       // 0: the box rule's
} ferry_head_level;

typedef struct ferry_head {
    bool anchor_last; // order of rows: y, x, anchor; else anchor, y, x
    ferry_head_level *levels;
    uint32_t level_count; // 0: positions without a grid
    ferry_head_output outputs[FERRY_DECODER_MAX_HEAD_OUTPUTS];
    uint32_t output_count;
} ferry_head;

/// One way in which a family's outputs may be laid out. The first form that fits is taken.
typedef struct ferry_decoder_form {
    const char *name; // never NULL
    ferry_box_rule box;
    ferry_score_rule score;
    ferry_head *heads;
    uint32_t head_count;
} ferry_decoder_form;

typedef enum ferry_scores_kind {
    FERRY_SCORES_AUTO = 0,
    FERRY_SCORES_PROBABILITY = 1,
    FERRY_SCORES_LOGIT = 2
} ferry_scores_kind;

typedef enum ferry_map_layout {
    FERRY_MAP_AUTO = 0,
    FERRY_MAP_CHW = 1,    ///< scores [batch, classes, H, W]
    FERRY_MAP_HWC = 2,    ///< scores [batch, H, W, classes]
    FERRY_MAP_INDICES = 3 ///< class indices [batch, H, W], [batch, 1, H, W] or [batch, H, W, 1]
} ferry_map_layout;

struct ferry_decoder {
    ferry_heap heap;
    ferry_arena arena; // holds all that the members point to
    const char *name;
    ferry_task task;
    int32_t class_offset;
    uint32_t classes;          // detect: expected classes without those below the offset; 0 = any number
    ferry_output_ref output;   // classify, segment
    ferry_scores_kind scores;  // classify
    ferry_map_layout map;      // segment
    ferry_decoder_form *forms; // detect
    uint32_t form_count;
};

/// The words of the JSON, NULL-terminated, in the order of the enums above.
extern const char *const ferry_decode_fn_words[];
extern const char *const ferry_box_form_words[];
extern const char *const ferry_box_unit_words[];
extern const char *const ferry_box_origin_words[];
extern const char *const ferry_decode_layout_words[];
extern const char *const ferry_decode_field_words[]; // without "skip"
extern const char *const ferry_scores_words[];
extern const char *const ferry_map_layout_words[];

/// What a member is when the JSON does not name it; the writer leaves such members out.
extern const ferry_box_rule ferry_box_rule_default;
extern const ferry_score_rule ferry_score_rule_default;

#endif // FERRY_SRC_VISION_DECODER_H_

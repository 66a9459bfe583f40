// SPDX-License-Identifier: Apache-2.0
// Reads a decoder from JSON. Nothing is guessed: each member is checked, and each error names its place.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vision/decoder_json.h"

// "heads[0].outputs[1]", for errors.
typedef struct place {
    char text[120];
} place;

static place inside(const char *outer, const char *member, size_t index)
{
    place p;
    snprintf(p.text, sizeof p.text, "%.60s%s%s[%zu]", outer, *outer ? "." : "", member, index);
    return p;
}

static ferry_status bad(ferry_error *err, const char *where, const char *what)
{
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: %s", where, what);
}

// The list object[key] with 1..most elements; *out stays NULL when it is missing.
static ferry_status get_list(const json_t *object, const char *key, const char *where, size_t most, const json_t **out,
                             ferry_error *err)
{
    const json_t *list = json_object_get(object, key);
    *out = NULL;
    if (!list || json_is_null(list)) return FERRY_OK;
    if (!json_is_array(list)) return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' must be a list", where, key);
    const size_t count = json_array_size(list);
    if (count == 0 || count > most) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' has %zu elements, must have 1 to %zu", where, key, count,
                          most);
    }
    *out = list;
    return FERRY_OK;
}

static ferry_status get_text(ferry_decoder *d, const json_t *object, const char *key, const char *where,
                             const char **out, ferry_error *err)
{
    const char *text = NULL;
    FERRY_TRY(ferry_json_get_string(object, key, where, &text, err));
    if (!text) return FERRY_OK;
    if (strlen(text) > 1000) return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' is too long", where, key);
    *out = ferry_arena_strdup(&d->arena, text);
    return *out ? FERRY_OK : ferry_fail_memory(err, "decoder");
}

static ferry_status get_output_ref(ferry_decoder *d, const json_t *object, const char *where, ferry_output_ref *out,
                                   ferry_error *err)
{
    out->name = NULL;
    out->index = -1;
    if (json_is_string(json_object_get(object, "output"))) {
        return get_text(d, object, "output", where, &out->name, err);
    }
    int64_t index = -1;
    FERRY_TRY(ferry_json_get_integer(object, "output", where, 0, 10000, &index, err));
    out->index = (int32_t)index;
    return FERRY_OK;
}

static ferry_status get_enum(const json_t *object, const char *key, const char *where, const char *const *words,
                             uint32_t allowed_mask, void *out, ferry_error *err)
{
    int value = *(const int *)out; // every enum here is int-sized: it has no negative values and fits
    FERRY_TRY(ferry_json_get_word(object, key, where, words, &value, err));
    if (!(allowed_mask >> value & 1u)) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' cannot be '%s' here", where, key, words[value]);
    }
    *(int *)out = value;
    return FERRY_OK;
}

_Static_assert(sizeof(ferry_decode_fn) == sizeof(int) && sizeof(ferry_box_unit) == sizeof(int), "enums are ints");

#define BIT(x) (1u << (x))
#define ANY 0xffffffffu

static ferry_status read_box(const json_t *object, const char *where, ferry_box_rule *box, ferry_error *err)
{
    static const char *const keys[] = {"form",         "bins",   "swap_xy",     "variances",    "origin",
                                       "origin_shift", "center", "center_unit", "center_scale", "size",
                                       "size_unit",    "unit",   "anchor_unit", "clip_anchors", "prior_form",
                                       "prior_unit",   NULL};
    *box = ferry_box_rule_default;
    FERRY_TRY(ferry_json_expect_object(object, where, keys, err));
    FERRY_TRY(get_enum(object, "form", where, ferry_box_form_words, ANY, &box->form, err));
    int64_t bins = 0;
    FERRY_TRY(ferry_json_get_integer(object, "bins", where, 0, FERRY_DECODER_MAX_BINS, &bins, err));
    box->bins = (uint32_t)bins;
    FERRY_TRY(ferry_json_get_bool(object, "swap_xy", where, &box->swap_xy, err));
    const json_t *variances = NULL;
    FERRY_TRY(get_list(object, "variances", where, 2, &variances, err));
    for (size_t i = 0; variances && i < 2; i++) {
        const json_t *v = json_array_get(variances, i);
        if (!json_is_number(v) || !(fabs(json_number_value(v)) <= 1e6)) {
            return bad(err, where, "'variances' must be two numbers");
        }
        box->variances[i] = json_number_value(v);
    }
    FERRY_TRY(get_enum(object, "origin", where, ferry_box_origin_words, ANY, &box->origin, err));
    FERRY_TRY(ferry_json_get_number(object, "origin_shift", where, -1e6, 1e6, &box->origin_shift, err));
    const bool cxcywh = box->form == FERRY_BOX_CXCYWH;
    static const char *const only_cxcywh[] = {"center", "center_unit", "center_scale", "size", "size_unit"};
    for (size_t i = 0; i < FERRY_COUNT_OF(only_cxcywh); i++) {
        if (!cxcywh && json_object_get(object, only_cxcywh[i])) {
            return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: '%s' is for the form cxcywh; '%s' has 'unit'", where,
                              only_cxcywh[i], ferry_box_form_words[box->form]);
        }
    }
    if (cxcywh && json_object_get(object, "unit")) {
        return bad(err, where, "the form cxcywh has 'center_unit' and 'size_unit', not 'unit'");
    }
    FERRY_TRY(get_enum(object, "center", where, ferry_decode_fn_words,
                       BIT(FERRY_FN_NONE) | BIT(FERRY_FN_SIGMOID) | BIT(FERRY_FN_TANH), &box->center, err));
    FERRY_TRY(get_enum(object, "center_unit", where, ferry_box_unit_words, ANY, &box->center_unit, err));
    FERRY_TRY(ferry_json_get_number(object, "center_scale", where, 1e-6, 1e6, &box->center_scale, err));
    if (box->center_scale != 1 && box->center != FERRY_FN_SIGMOID) {
        return bad(err, where, "'center_scale' needs 'center' to be 'sigmoid'");
    }
    FERRY_TRY(
        get_enum(object, "size", where, ferry_decode_fn_words,
                 BIT(FERRY_FN_NONE) | BIT(FERRY_FN_SIGMOID) | BIT(FERRY_FN_EXP) | BIT(FERRY_FN_DOUBLE_SIGMOID_SQUARED),
                 &box->size, err));
    FERRY_TRY(get_enum(object, cxcywh ? "size_unit" : "unit", where, ferry_box_unit_words, ANY, &box->size_unit, err));
    FERRY_TRY(get_enum(object, "anchor_unit", where, ferry_box_unit_words,
                       BIT(FERRY_UNIT_PIXEL) | BIT(FERRY_UNIT_STRIDE) | BIT(FERRY_UNIT_INPUT), &box->anchor_unit, err));
    FERRY_TRY(ferry_json_get_bool(object, "clip_anchors", where, &box->clip_anchors, err));
    FERRY_TRY(get_enum(object, "prior_form", where, ferry_box_form_words, BIT(FERRY_BOX_XYXY) | BIT(FERRY_BOX_CXCYWH),
                       &box->prior_form, err));
    FERRY_TRY(get_enum(object, "prior_unit", where, ferry_box_unit_words, BIT(FERRY_UNIT_PIXEL) | BIT(FERRY_UNIT_INPUT),
                       &box->prior_unit, err));
    if (box->form == FERRY_BOX_LTRB && box->origin == FERRY_ORIGIN_NONE) {
        return bad(err, where, "the form ltrb needs an 'origin' that its distances are counted from");
    }
    return FERRY_OK;
}

static ferry_status read_score(const json_t *object, const char *where, ferry_score_rule *score, ferry_error *err)
{
    static const char *const keys[] = {"objectness",    "classes",     "objectness_power",
                                       "classes_power", "multi_label", NULL};
    *score = ferry_score_rule_default;
    if (!object) return FERRY_OK;
    FERRY_TRY(ferry_json_expect_object(object, where, keys, err));
    FERRY_TRY(get_enum(object, "objectness", where, ferry_decode_fn_words, BIT(FERRY_FN_NONE) | BIT(FERRY_FN_SIGMOID),
                       &score->objectness, err));
    FERRY_TRY(get_enum(object, "classes", where, ferry_decode_fn_words,
                       BIT(FERRY_FN_NONE) | BIT(FERRY_FN_SIGMOID) | BIT(FERRY_FN_SOFTMAX), &score->classes, err));
    FERRY_TRY(ferry_json_get_number(object, "objectness_power", where, 0, 100, &score->objectness_power, err));
    FERRY_TRY(ferry_json_get_number(object, "classes_power", where, 0, 100, &score->classes_power, err));
    return ferry_json_get_bool(object, "multi_label", where, &score->multi_label, err);
}

static ferry_status read_anchors(ferry_decoder *d, const json_t *list, const char *where, ferry_head_level *level,
                                 ferry_error *err)
{
    level->anchors_per_cell = (uint32_t)json_array_size(list);
    level->anchors = ferry_arena_alloc_array(&d->arena, level->anchors_per_cell, sizeof *level->anchors);
    if (!level->anchors) return ferry_fail_memory(err, "anchors");
    for (uint32_t i = 0; i < level->anchors_per_cell; i++) {
        const json_t *pair = json_array_get(list, i);
        for (size_t k = 0; k < 2; k++) {
            const json_t *v = json_array_size(pair) == 2 ? json_array_get(pair, k) : NULL;
            if (!json_is_number(v) || !(json_number_value(v) > 0 && json_number_value(v) <= 1e6)) {
                return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: anchors[%u] must be [width, height], both above 0",
                                  where, i);
            }
            level->anchors[i][k] = (float)json_number_value(v);
        }
    }
    return FERRY_OK;
}

static ferry_status read_level(ferry_decoder *d, const json_t *object, const char *where, ferry_head_level *level,
                               ferry_error *err)
{
    static const char *const keys[] = {"stride", "anchors", "anchors_per_cell", "center_scale", NULL};
    FERRY_TRY(ferry_json_expect_object(object, where, keys, err));
    FERRY_TRY(ferry_json_get_number(object, "stride", where, 0, 65536, &level->stride, err));
    if (level->stride != 0 && level->stride < 1) return bad(err, where, "'stride' is below 1 pixel");
    int64_t per_cell = 0;
    FERRY_TRY(ferry_json_get_integer(object, "anchors_per_cell", where, 1, FERRY_DECODER_MAX_ANCHORS, &per_cell, err));
    const json_t *anchors = NULL;
    FERRY_TRY(get_list(object, "anchors", where, FERRY_DECODER_MAX_ANCHORS, &anchors, err));
    if (anchors && per_cell)
        return bad(err, where, "'anchors' already say how many there are: drop 'anchors_per_cell'");
    level->anchors_per_cell = per_cell ? (uint32_t)per_cell : 1;
    if (anchors) FERRY_TRY(read_anchors(d, anchors, where, level, err));
    return ferry_json_get_number(object, "center_scale", where, 1e-6, 1e6, &level->center_scale, err);
}

static ferry_status read_field(const json_t *value, const char *where, ferry_head_output *out, ferry_error *err)
{
    const uint32_t i = out->field_count++;
    if (json_is_object(value)) {
        static const char *const keys[] = {"skip", NULL};
        int64_t channels = 0;
        FERRY_TRY(ferry_json_expect_object(value, where, keys, err));
        FERRY_TRY(ferry_json_get_integer(value, "skip", where, 1, 1000000, &channels, err));
        if (channels == 0) return bad(err, where, "a field is a word, or {\"skip\": channels}");
        out->fields[i].field = FERRY_FIELD_SKIP;
        out->fields[i].channels = (uint32_t)channels;
        return FERRY_OK;
    }
    const char *word = json_string_value(value);
    for (int f = 0; word && ferry_decode_field_words[f]; f++) {
        if (strcmp(word, ferry_decode_field_words[f]) == 0) {
            out->fields[i].field = (ferry_decode_field)f;
            return FERRY_OK;
        }
    }
    return bad(err, where,
               "a field is one of boxes, objectness, classes, class_index, priors, or {\"skip\": channels}");
}

static ferry_status read_head_output(ferry_decoder *d, const json_t *object, const char *where, ferry_head_output *out,
                                     ferry_error *err)
{
    static const char *const keys[] = {"output", "layout", "fields", NULL};
    FERRY_TRY(ferry_json_expect_object(object, where, keys, err));
    FERRY_TRY(get_output_ref(d, object, where, &out->ref, err));
    FERRY_TRY(get_enum(object, "layout", where, ferry_decode_layout_words, ANY, &out->layout, err));
    const json_t *fields = NULL;
    FERRY_TRY(get_list(object, "fields", where, FERRY_DECODER_MAX_FIELDS, &fields, err));
    if (!fields) return bad(err, where, "'fields' is missing: what the channels hold, in their order");
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const place p = inside(where, "fields", i);
        FERRY_TRY(read_field(json_array_get(fields, i), p.text, out, err));
    }
    if (out->layout == FERRY_LAYOUT_CAFFE_PRIORS &&
        (out->field_count != 1 || out->fields[0].field != FERRY_FIELD_PRIORS)) {
        return bad(err, where, "the layout caffe_priors holds the field priors and no other");
    }
    return FERRY_OK;
}

// Whether boxes can be computed from what the head has.
static ferry_status check_head(const ferry_decoder_form *form, const ferry_head *head, const char *where,
                               ferry_error *err)
{
    uint32_t seen[FERRY_FIELD_COUNT] = {0};
    bool grid_layout = true;
    for (uint32_t o = 0; o < head->output_count; o++) {
        const ferry_head_output *out = &head->outputs[o];
        const bool grid =
            out->layout == FERRY_LAYOUT_CHW || out->layout == FERRY_LAYOUT_HWC || out->layout == FERRY_LAYOUT_AHWC;
        if (!grid) grid_layout = false;
        if (grid && head->level_count > 1) {
            return bad(err, where, "a grid layout (chw, hwc, ahwc) holds one level; give each level a head of its own");
        }
        for (uint32_t f = 0; f < out->field_count; f++) {
            if (out->fields[f].field < FERRY_FIELD_COUNT && seen[out->fields[f].field]++) {
                return ferry_fail(err, FERRY_ERR_BAD_DATA, "%s: the field '%s' occurs twice", where,
                                  ferry_decode_field_words[out->fields[f].field]);
            }
        }
    }
    if (!seen[FERRY_FIELD_BOXES]) return bad(err, where, "no output holds the field 'boxes'");
    if (!seen[FERRY_FIELD_OBJECTNESS] && !seen[FERRY_FIELD_CLASSES]) {
        return bad(err, where, "no output holds 'objectness' or 'classes', so boxes would have no score");
    }
    if (seen[FERRY_FIELD_CLASSES] && seen[FERRY_FIELD_CLASS_INDEX]) {
        return bad(err, where, "'classes' and 'class_index' exclude each other");
    }
    const ferry_box_rule *box = &form->box;
    if ((box->origin == FERRY_ORIGIN_PRIOR) != (seen[FERRY_FIELD_PRIORS] != 0)) {
        return bad(err, where, "the origin 'prior' and the field 'priors' go together");
    }
    bool anchors = head->level_count > 0;
    for (uint32_t l = 0; l < head->level_count; l++) {
        if (!head->levels[l].anchors) anchors = false;
        if (head->levels[l].stride == 0 && !grid_layout) {
            return bad(err, where,
                       "'stride' is missing: only outputs in the layouts chw, hwc and ahwc show their grid");
        }
        if (head->levels[l].center_scale != 0 && box->center != FERRY_FN_SIGMOID) {
            return bad(err, where, "'center_scale' needs box.center to be 'sigmoid'");
        }
    }
    const bool cxcywh = box->form == FERRY_BOX_CXCYWH;
    const bool uses_stride = box->size_unit == FERRY_UNIT_STRIDE || box->anchor_unit == FERRY_UNIT_STRIDE ||
                             (cxcywh && box->center_unit == FERRY_UNIT_STRIDE) || box->origin == FERRY_ORIGIN_CELL ||
                             box->origin == FERRY_ORIGIN_CELL_CENTER;
    if (uses_stride && head->level_count == 0) {
        return bad(err, where, "'levels' is missing: the boxes are counted in strides or grid cells");
    }
    const bool uses_anchor = box->size_unit == FERRY_UNIT_ANCHOR || (cxcywh && box->center_unit == FERRY_UNIT_ANCHOR);
    if (uses_anchor && !anchors && !seen[FERRY_FIELD_PRIORS]) {
        return bad(err, where, "'anchors' are missing: the boxes are counted in anchors");
    }
    return FERRY_OK;
}

static ferry_status read_head(ferry_decoder *d, const ferry_decoder_form *form, const json_t *object, const char *where,
                              ferry_head *head, ferry_error *err)
{
    static const char *const keys[] = {"row_order", "levels", "outputs", NULL};
    static const char *const orders[] = {"anchor_first", "anchor_last", NULL};
    FERRY_TRY(ferry_json_expect_object(object, where, keys, err));
    int order = 0;
    FERRY_TRY(ferry_json_get_word(object, "row_order", where, orders, &order, err));
    head->anchor_last = order == 1;
    const json_t *levels = NULL, *outputs = NULL;
    FERRY_TRY(get_list(object, "levels", where, FERRY_DECODER_MAX_LEVELS, &levels, err));
    FERRY_TRY(get_list(object, "outputs", where, FERRY_DECODER_MAX_HEAD_OUTPUTS, &outputs, err));
    if (!outputs) return bad(err, where, "'outputs' is missing: which outputs of the network the head reads");
    head->level_count = (uint32_t)json_array_size(levels);
    head->output_count = (uint32_t)json_array_size(outputs);
    head->levels = ferry_arena_alloc_array(&d->arena, head->level_count, sizeof *head->levels);
    if (!head->levels) return ferry_fail_memory(err, "decoder");
    for (uint32_t i = 0; i < head->level_count; i++) {
        const place p = inside(where, "levels", i);
        FERRY_TRY(read_level(d, json_array_get(levels, i), p.text, &head->levels[i], err));
    }
    for (uint32_t i = 0; i < head->output_count; i++) {
        const place p = inside(where, "outputs", i);
        FERRY_TRY(read_head_output(d, json_array_get(outputs, i), p.text, &head->outputs[i], err));
    }
    return check_head(form, head, where, err);
}

#define FORM_KEYS "box", "score", "heads"

// `where` is "" for a form whose keys lie in the decoder itself; the caller has checked the keys.
static ferry_status read_form(ferry_decoder *d, const json_t *object, const char *where, ferry_decoder_form *form,
                              ferry_error *err)
{
    char box_where[100], score_where[100];
    snprintf(box_where, sizeof box_where, "%.60s%sbox", where, *where ? "." : "");
    snprintf(score_where, sizeof score_where, "%.60s%sscore", where, *where ? "." : "");
    const char *shown = *where ? where : "decoder";
    const json_t *box = json_object_get(object, "box"), *heads = NULL;
    if (!box) return bad(err, shown, "'box' is missing: how four numbers become a box");
    FERRY_TRY(read_box(box, box_where, &form->box, err));
    FERRY_TRY(read_score(json_object_get(object, "score"), score_where, &form->score, err));
    FERRY_TRY(get_list(object, "heads", shown, FERRY_DECODER_MAX_HEADS, &heads, err));
    if (!heads) return bad(err, shown, "'heads' is missing: there is nothing to decode");
    form->head_count = (uint32_t)json_array_size(heads);
    form->heads = ferry_arena_alloc_array(&d->arena, form->head_count, sizeof *form->heads);
    if (!form->heads) return ferry_fail_memory(err, "decoder");
    for (uint32_t i = 0; i < form->head_count; i++) {
        const place p = inside(where, "heads", i);
        FERRY_TRY(read_head(d, form, json_array_get(heads, i), p.text, &form->heads[i], err));
    }
    return FERRY_OK;
}

static ferry_status read_detect(ferry_decoder *d, const json_t *root, ferry_error *err)
{
    static const char *const keys[] = {"name", "task", "class_offset", "classes", "forms", FORM_KEYS, NULL};
    static const char *const form_keys[] = {"name", FORM_KEYS, NULL};
    FERRY_TRY(ferry_json_expect_object(root, "decoder", keys, err));
    int64_t classes = 0;
    FERRY_TRY(ferry_json_get_integer(root, "classes", "decoder", 1, FERRY_DECODER_MAX_CLASSES, &classes, err));
    d->classes = (uint32_t)classes;
    const json_t *forms = NULL;
    FERRY_TRY(get_list(root, "forms", "decoder", FERRY_DECODER_MAX_FORMS, &forms, err));
    if (forms && (json_object_get(root, "box") || json_object_get(root, "score") || json_object_get(root, "heads"))) {
        return bad(err, "decoder", "'box', 'score' and 'heads' lie in the forms when there are 'forms'");
    }
    d->form_count = forms ? (uint32_t)json_array_size(forms) : 1;
    d->forms = ferry_arena_alloc_array(&d->arena, d->form_count, sizeof *d->forms);
    if (!d->forms) return ferry_fail_memory(err, "decoder");
    if (!forms) {
        d->forms[0].name = "";
        return read_form(d, root, "", &d->forms[0], err);
    }
    for (uint32_t i = 0; i < d->form_count; i++) {
        const place p = inside("", "forms", i);
        const json_t *form = json_array_get(forms, i);
        FERRY_TRY(ferry_json_expect_object(form, p.text, form_keys, err));
        d->forms[i].name = "";
        FERRY_TRY(get_text(d, form, "name", p.text, &d->forms[i].name, err));
        FERRY_TRY(read_form(d, form, p.text, &d->forms[i], err));
    }
    return FERRY_OK;
}

ferry_status ferry_decoder_read(ferry_decoder *d, const json_t *root, ferry_error *err)
{
    if (!json_is_object(root)) return bad(err, "decoder", "must be an object");
    const char *task = NULL;
    FERRY_TRY(ferry_json_get_string(root, "task", "decoder", &task, err));
    if (!task) return bad(err, "decoder", "'task' is missing: classify, detect or segment");
    if (ferry_task_parse(task, &d->task, NULL) != FERRY_OK || d->task == FERRY_TASK_RAW) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "decoder: 'task' is '%.100s', must be classify, detect or segment",
                          task);
    }
    d->name = "";
    FERRY_TRY(get_text(d, root, "name", "decoder", &d->name, err));
    int64_t offset = 0;
    FERRY_TRY(ferry_json_get_integer(root, "class_offset", "decoder", 0, FERRY_DECODER_MAX_CLASSES, &offset, err));
    d->class_offset = (int32_t)offset;
    if (d->task == FERRY_TASK_DETECT) return read_detect(d, root, err);
    static const char *const classify[] = {"name", "task", "class_offset", "output", "scores", NULL};
    static const char *const segment[] = {"name", "task", "class_offset", "output", "layout", NULL};
    FERRY_TRY(ferry_json_expect_object(root, "decoder", d->task == FERRY_TASK_CLASSIFY ? classify : segment, err));
    FERRY_TRY(get_output_ref(d, root, "decoder", &d->output, err));
    FERRY_TRY(get_enum(root, "scores", "decoder", ferry_scores_words, ANY, &d->scores, err));
    return get_enum(root, "layout", "decoder", ferry_map_layout_words, ANY, &d->map, err);
}

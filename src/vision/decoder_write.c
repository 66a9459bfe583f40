// SPDX-License-Identifier: Apache-2.0
// Writes a decoder as canonical JSON, as engine files keep it: fixed order, and only what differs from the default.
#include "vision/decoder_json.h"

// jansson's *_new functions answer NULL when memory is gone, and its setters then fail; `ok` collects that.
static void put(json_t *object, const char *key, json_t *value, bool *ok)
{
    if (json_object_set_new(object, key, value) != 0) *ok = false;
}

static void put_word(json_t *object, const char *key, const char *const *words, int value, int unless, bool *ok)
{
    if (value != unless) put(object, key, json_string(words[value]), ok);
}

// Whole numbers without a point, so that what people wrote comes back as they wrote it.
static json_t *number(double value)
{
    if (value >= -1e15 && value <= 1e15 && value == (double)(int64_t)value) return json_integer((json_int_t)value);
    return json_real(value);
}

static void put_number(json_t *object, const char *key, double value, double unless, bool *ok)
{
    if (value != unless) put(object, key, number(value), ok);
}

static void append(json_t *list, json_t *value, bool *ok)
{
    if (json_array_append_new(list, value) != 0) *ok = false;
}

static json_t *pair(double a, double b, bool *ok)
{
    json_t *list = json_array();
    append(list, number(a), ok);
    append(list, number(b), ok);
    return list;
}

static void put_output(json_t *object, const ferry_output_ref *ref, bool *ok)
{
    if (ref->name) put(object, "output", json_string(ref->name), ok);
    if (ref->index >= 0) put(object, "output", json_integer(ref->index), ok);
}

static json_t *write_box(const ferry_box_rule *box, bool *ok)
{
    const ferry_box_rule *d = &ferry_box_rule_default;
    const bool cxcywh = box->form == FERRY_BOX_CXCYWH;
    json_t *o = json_object();
    put_word(o, "form", ferry_box_form_words, (int)box->form, -1, ok);
    put_number(o, "bins", box->bins, 0, ok);
    if (box->swap_xy) put(o, "swap_xy", json_true(), ok);
    if (box->variances[0] != 1 || box->variances[1] != 1) {
        put(o, "variances", pair(box->variances[0], box->variances[1], ok), ok);
    }
    put_word(o, "origin", ferry_box_origin_words, (int)box->origin, (int)d->origin, ok);
    put_number(o, "origin_shift", box->origin_shift, 0, ok);
    if (cxcywh) {
        put_word(o, "center", ferry_decode_fn_words, (int)box->center, (int)d->center, ok);
        put_number(o, "center_scale", box->center_scale, 1, ok);
        put_word(o, "center_unit", ferry_box_unit_words, (int)box->center_unit, (int)d->center_unit, ok);
        put_word(o, "size", ferry_decode_fn_words, (int)box->size, (int)d->size, ok);
    }
    put_word(o, cxcywh ? "size_unit" : "unit", ferry_box_unit_words, (int)box->size_unit, (int)d->size_unit, ok);
    put_word(o, "anchor_unit", ferry_box_unit_words, (int)box->anchor_unit, (int)d->anchor_unit, ok);
    if (box->clip_anchors) put(o, "clip_anchors", json_true(), ok);
    put_word(o, "prior_form", ferry_box_form_words, (int)box->prior_form, (int)d->prior_form, ok);
    put_word(o, "prior_unit", ferry_box_unit_words, (int)box->prior_unit, (int)d->prior_unit, ok);
    return o;
}

static json_t *write_score(const ferry_score_rule *score, bool *ok)
{
    json_t *o = json_object();
    put_word(o, "objectness", ferry_decode_fn_words, (int)score->objectness, 0, ok);
    put_word(o, "classes", ferry_decode_fn_words, (int)score->classes, 0, ok);
    put_number(o, "objectness_power", score->objectness_power, 1, ok);
    put_number(o, "classes_power", score->classes_power, 1, ok);
    if (score->multi_label) put(o, "multi_label", json_true(), ok);
    return o;
}

static json_t *write_level(const ferry_head_level *level, bool *ok)
{
    json_t *o = json_object();
    put_number(o, "stride", level->stride, 0, ok);
    if (level->anchors) {
        json_t *list = json_array();
        for (uint32_t i = 0; i < level->anchors_per_cell; i++) {
            append(list, pair(level->anchors[i][0], level->anchors[i][1], ok), ok);
        }
        put(o, "anchors", list, ok);
    } else {
        put_number(o, "anchors_per_cell", level->anchors_per_cell, 1, ok);
    }
    put_number(o, "center_scale", level->center_scale, 0, ok);
    return o;
}

static json_t *write_head_output(const ferry_head_output *out, bool *ok)
{
    json_t *o = json_object(), *fields = json_array();
    put_output(o, &out->ref, ok);
    put_word(o, "layout", ferry_decode_layout_words, (int)out->layout, FERRY_LAYOUT_ROWS, ok);
    for (uint32_t i = 0; i < out->field_count; i++) {
        if (out->fields[i].field == FERRY_FIELD_SKIP) {
            json_t *skip = json_object();
            put(skip, "skip", json_integer(out->fields[i].channels), ok);
            append(fields, skip, ok);
        } else {
            append(fields, json_string(ferry_decode_field_words[out->fields[i].field]), ok);
        }
    }
    put(o, "fields", fields, ok);
    return o;
}

static json_t *write_head(const ferry_head *head, bool *ok)
{
    json_t *o = json_object(), *levels = json_array(), *outputs = json_array();
    if (head->anchor_last) put(o, "row_order", json_string("anchor_last"), ok);
    for (uint32_t i = 0; i < head->level_count; i++) append(levels, write_level(&head->levels[i], ok), ok);
    for (uint32_t i = 0; i < head->output_count; i++) append(outputs, write_head_output(&head->outputs[i], ok), ok);
    if (head->level_count > 0) {
        put(o, "levels", levels, ok);
    } else {
        json_decref(levels);
    }
    put(o, "outputs", outputs, ok);
    return o;
}

static json_t *write_form(const ferry_decoder_form *form, bool *ok)
{
    json_t *o = json_object(), *heads = json_array();
    if (*form->name) put(o, "name", json_string(form->name), ok);
    put(o, "box", write_box(&form->box, ok), ok);
    json_t *score = write_score(&form->score, ok);
    if (json_object_size(score) > 0) {
        put(o, "score", score, ok);
    } else {
        json_decref(score);
    }
    for (uint32_t i = 0; i < form->head_count; i++) append(heads, write_head(&form->heads[i], ok), ok);
    put(o, "heads", heads, ok);
    return o;
}

ferry_status ferry_decoder_to_json(const ferry_decoder *decoder, const ferry_heap *heap, char **out_text,
                                   ferry_error *error)
{
    *out_text = NULL;
    bool ok = true;
    json_t *o = json_object();
    if (*decoder->name) put(o, "name", json_string(decoder->name), &ok);
    put(o, "task", json_string(ferry_task_name(decoder->task)), &ok);
    put_number(o, "class_offset", decoder->class_offset, 0, &ok);
    put_number(o, "classes", decoder->classes, 0, &ok);
    if (decoder->task == FERRY_TASK_DETECT) {
        json_t *forms = json_array();
        for (uint32_t i = 0; i < decoder->form_count; i++) append(forms, write_form(&decoder->forms[i], &ok), &ok);
        put(o, "forms", forms, &ok);
    } else {
        put_output(o, &decoder->output, &ok);
        put_word(o, "scores", ferry_scores_words, (int)decoder->scores, FERRY_SCORES_AUTO, &ok);
        put_word(o, "layout", ferry_map_layout_words, (int)decoder->map, FERRY_MAP_AUTO, &ok);
    }
    const ferry_status status =
        ok ? ferry_json_write(o, heap, out_text, error) : ferry_fail_memory(error, "decoder's JSON");
    json_decref(o);
    return status;
}

// SPDX-License-Identifier: Apache-2.0
// Entries without a name take the output whose shape fits. All ways are tried, so that a doubt is noticed and said.
#include "vision/decoder_bind.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vision/decoder_shape.h"

enum {
    MAX_ENTRIES = FERRY_DECODER_MAX_HEADS * FERRY_DECODER_MAX_HEAD_OUTPUTS,
    MAX_TRIES = 100000, // real networks need some dozens; a hostile file ends here
};

typedef struct entry {
    const ferry_head *head;
    const ferry_head_output *rule;
    uint32_t head_index, output_index;
    int32_t fixed; // output that it names; -1: the one that fits
} entry;

typedef struct search {
    const ferry_decoder_form *form;
    const ferry_tensor_view *outputs;
    size_t output_count;
    entry entries[MAX_ENTRIES];
    size_t entry_count;
    bool taken[FERRY_BINDING_MAX_OUTPUTS];
    int32_t chosen[MAX_ENTRIES], solution[MAX_ENTRIES], other[MAX_ENTRIES];
    ferry_shape_known known[FERRY_DECODER_MAX_HEADS]; // before anything is chosen, by head
    size_t solution_count, tries;
    size_t deepest;                  // the entry at which the best try got stuck,
    ferry_shape_known deepest_known; // and what was known there
} search;

static void write_text(char *text, size_t text_bytes, size_t *used, const char *format, ...) FERRY_PRINTF(4, 5);
static void write_text(char *text, size_t text_bytes, size_t *used, const char *format, ...)
{
    if (*used >= text_bytes) return;
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text + *used, text_bytes - *used, format, args);
    va_end(args);
    *used += n < 0 ? 0 : (size_t)n;
}

static const char *name_of(const ferry_tensor_view *view)
{
    return view->name ? view->name : "";
}

char *ferry_outputs_describe(const ferry_tensor_view *outputs, size_t output_count, char *text, size_t text_bytes)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < output_count; i++) {
        char shape[160];
        write_text(text, text_bytes, &used, "%s'%.60s' %s", i ? ", " : "", name_of(&outputs[i]),
                   ferry_tensor_view_describe(&outputs[i], shape, sizeof shape));
    }
    return text;
}

ferry_status ferry_output_find(const ferry_output_ref *ref, const ferry_tensor_view *outputs, size_t output_count,
                               size_t *out_index, ferry_error *err)
{
    char all[600];
    if (ref->name) {
        for (size_t i = 0; i < output_count; i++) {
            if (strcmp(name_of(&outputs[i]), ref->name) == 0) {
                *out_index = i;
                return FERRY_OK;
            }
        }
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "there is no output '%.100s'; the outputs are %s", ref->name,
                          ferry_outputs_describe(outputs, output_count, all, sizeof all));
    }
    if (ref->index >= 0) {
        *out_index = (size_t)ref->index;
        if (*out_index < output_count) return FERRY_OK;
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "there is no output %d; the network has %zu: %s", (int)ref->index,
                          output_count, ferry_outputs_describe(outputs, output_count, all, sizeof all));
    }
    *out_index = 0;
    if (output_count == 1) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "which of the %zu outputs? Name it as \"output\" in a decoder file: %s",
                      output_count, ferry_outputs_describe(outputs, output_count, all, sizeof all));
}

static int64_t grid_side(uint32_t input, double stride)
{
    return (int64_t)ceil(input / stride);
}

// What the levels and the input's size say about a head before any output is looked at.
static bool begin_head(const ferry_head *head, uint32_t input_width, uint32_t input_height, ferry_shape_known *known)
{
    int64_t positions = 0;
    for (uint32_t l = 0; l < head->level_count; l++) {
        const ferry_head_level *level = &head->levels[l];
        if (level->stride == 0) return true;
        if (input_width == 0 || input_height == 0) return false;
        const int64_t w = grid_side(input_width, level->stride), h = grid_side(input_height, level->stride);
        positions += w * h * level->anchors_per_cell;
        if (head->level_count == 1) {
            known->grid_w = w;
            known->grid_h = h;
        }
    }
    known->positions = positions;
    return true;
}

static void solve(search *s, size_t depth, ferry_shape_known known)
{
    if (depth == s->entry_count) {
        memcpy(s->solution_count == 0 ? s->solution : s->other, s->chosen, sizeof s->chosen);
        s->solution_count++;
        return;
    }
    const entry *e = &s->entries[depth];
    if (e->output_index == 0) { // a new head: only the classes go over from the one before
        const int64_t columns = known.class_columns;
        known = s->known[e->head_index];
        known.class_columns = columns;
    }
    if (depth >= s->deepest) {
        s->deepest = depth;
        s->deepest_known = known;
    }
    for (size_t i = 0; i < s->output_count && s->solution_count < 2; i++) {
        if (e->fixed >= 0 ? (size_t)e->fixed != i : s->taken[i]) continue;
        if (++s->tries > MAX_TRIES) return;
        ferry_shape_known next = known;
        ferry_output_shape shape;
        if (!ferry_shape_match(e->head, e->rule, s->form->box.bins, &s->outputs[i], &next, &shape)) continue;
        const bool was_taken = s->taken[i];
        s->taken[i] = true;
        s->chosen[depth] = (int32_t)i;
        solve(s, depth + 1, next);
        s->taken[i] = was_taken;
    }
}

static void place_fields(const ferry_decoder_form *form, const ferry_head *head, const ferry_head_output *rule,
                         int32_t output, const ferry_output_shape *shape, int64_t class_columns, int64_t first_row,
                         ferry_bound_level *level)
{
    ferry_bound_field at = {.output = output, .per_channel = shape->per_channel};
    if (shape->is_grid) {
        at.per_anchor = shape->per_anchor;
        at.per_y = shape->per_y;
        at.per_x = shape->per_x;
    } else if (head->anchor_last) {
        at.per_anchor = shape->per_row;
        at.per_x = level->anchors * shape->per_row;
        at.per_y = level->grid_w * at.per_x;
    } else {
        at.per_x = shape->per_row;
        at.per_y = level->grid_w * shape->per_row;
        at.per_anchor = level->grid_h * at.per_y;
    }
    int64_t channel = 0;
    for (uint32_t f = 0; f < rule->field_count; f++) {
        at.base = first_row * shape->per_row + channel * shape->per_channel;
        if (rule->fields[f].field < FERRY_FIELD_COUNT) level->fields[rule->fields[f].field] = at;
        channel += ferry_field_channels(rule, f, form->box.bins, class_columns);
    }
}

static void place_level(const ferry_head *head, uint32_t index, const ferry_shape_known *known,
                        const ferry_binding *binding, ferry_bound_level *level)
{
    level->anchor_last = head->anchor_last;
    level->anchors = 1;
    level->grid_w = known->grid_w ? known->grid_w : known->positions;
    level->grid_h = known->grid_h ? known->grid_h : 1;
    for (int f = 0; f < FERRY_FIELD_COUNT; f++) level->fields[f].output = -1;
    if (head->level_count == 0) return;
    level->rule = &head->levels[index];
    level->anchors = level->rule->anchors_per_cell;
    if (level->rule->stride > 0) {
        level->stride_x = level->stride_y = level->rule->stride;
        level->grid_w = grid_side(binding->input_width, level->stride_x);
        level->grid_h = grid_side(binding->input_height, level->stride_y);
    } else {
        level->stride_x = (double)binding->input_width / (double)level->grid_w;
        level->stride_y = (double)binding->input_height / (double)level->grid_h;
    }
}

// Turns the one solution into places of values.
static ferry_status build(const search *s, const ferry_decoder *decoder, ferry_binding *b, ferry_error *err)
{
    ferry_shape_known known[FERRY_DECODER_MAX_HEADS];
    ferry_output_shape shapes[MAX_ENTRIES];
    memcpy(known, s->known, sizeof known);
    int64_t columns = known[0].class_columns;
    for (size_t i = 0; i < s->entry_count; i++) {
        ferry_shape_known *k = &known[s->entries[i].head_index];
        k->class_columns = columns;
        (void)ferry_shape_match(s->entries[i].head, s->entries[i].rule, s->form->box.bins, &s->outputs[s->solution[i]],
                                k, &shapes[i]);
        columns = k->class_columns;
        b->used[s->solution[i]] = true;
        b->has_batch[s->solution[i]] = shapes[i].has_batch;
        b->shared[s->solution[i]] = s->entries[i].rule->fields[0].field == FERRY_FIELD_PRIORS;
    }
    b->form = s->form;
    b->class_columns = columns;
    for (uint32_t h = 0; h < s->form->head_count; h++) {
        const uint32_t levels = s->form->heads[h].level_count;
        b->level_count += levels > 0 ? levels : 1;
        if (levels > 0) b->needs_grid = true;
    }
    b->levels = ferry_arena_alloc_array(&b->arena, b->level_count, sizeof *b->levels);
    if (!b->levels) return ferry_fail_memory(err, "decoder's places");
    bool classes = false, class_index = false;
    size_t at = 0;
    for (uint32_t h = 0; h < s->form->head_count; h++) {
        const ferry_head *head = &s->form->heads[h];
        int64_t first_row = 0;
        for (uint32_t l = 0; l < (head->level_count > 0 ? head->level_count : 1); l++, at++) {
            ferry_bound_level *level = &b->levels[at];
            place_level(head, l, &known[h], b, level);
            for (size_t i = 0; i < s->entry_count; i++) {
                if (s->entries[i].head_index != h) continue;
                place_fields(s->form, head, s->entries[i].rule, s->solution[i], &shapes[i], columns, first_row, level);
            }
            first_row += level->grid_w * level->grid_h * level->anchors;
            if (level->fields[FERRY_FIELD_CLASSES].output >= 0) classes = true;
            if (level->fields[FERRY_FIELD_CLASS_INDEX].output >= 0) class_index = true;
        }
    }
    if (!classes) b->class_columns = class_index ? decoder->classes : 1;
    return FERRY_OK;
}

static ferry_status list_entries(search *s, ferry_error *err)
{
    for (uint32_t h = 0; h < s->form->head_count; h++) {
        const ferry_head *head = &s->form->heads[h];
        for (uint32_t o = 0; o < head->output_count; o++) {
            entry *e = &s->entries[s->entry_count++];
            *e = (entry){head, &head->outputs[o], h, o, -1};
            if (!head->outputs[o].ref.name && head->outputs[o].ref.index < 0) continue;
            size_t index = 0;
            const ferry_status status =
                ferry_output_find(&head->outputs[o].ref, s->outputs, s->output_count, &index, err);
            if (status != FERRY_OK) return ferry_within(err, status, "heads[%u].outputs[%u]", h, o);
            e->fixed = (int32_t)index;
            s->taken[index] = true;
        }
    }
    return FERRY_OK;
}

// Why the form did not fit, in one sentence.
static void explain(const search *s, char *text, size_t text_bytes)
{
    const entry *e = &s->entries[s->deepest];
    char expected[200], shape[160], fields[120] = "";
    size_t used = 0;
    for (uint32_t f = 0; f < e->rule->field_count; f++) {
        const ferry_decode_field field = e->rule->fields[f].field;
        write_text(fields, sizeof fields, &used, "%s%s", f ? ", " : "",
                   field < FERRY_FIELD_COUNT ? ferry_decode_field_words[field] : "skipped channels");
    }
    ferry_shape_expected(e->head, e->rule, s->form->box.bins, &s->deepest_known, expected, sizeof expected);
    used = 0;
    write_text(text, text_bytes, &used, "heads[%u].outputs[%u] (%s", e->head_index, e->output_index, fields);
    if (e->head->level_count == 1 && e->head->levels[0].stride > 0) {
        write_text(text, text_bytes, &used, "; stride %g", e->head->levels[0].stride);
    }
    if (e->fixed >= 0) {
        write_text(text, text_bytes, &used, ") expects %s, but '%.60s' is %s", expected, name_of(&s->outputs[e->fixed]),
                   ferry_tensor_view_describe(&s->outputs[e->fixed], shape, sizeof shape));
    } else {
        write_text(text, text_bytes, &used, ") expects %s, and no %soutput has that shape", expected,
                   s->deepest > 0 ? "other " : "");
    }
}

static ferry_status ambiguous(const search *s, ferry_error *err)
{
    for (size_t i = 0; i < s->entry_count; i++) {
        if (s->solution[i] == s->other[i]) continue;
        return ferry_fail(
            err, FERRY_ERR_BAD_DATA,
            "the outputs '%.100s' and '%.100s' both fit heads[%u].outputs[%u]: name the one that is meant "
            "as \"output\" in a decoder file",
            name_of(&s->outputs[s->solution[i]]), name_of(&s->outputs[s->other[i]]), s->entries[i].head_index,
            s->entries[i].output_index);
    }
    return ferry_fail(err, FERRY_ERR_INTERNAL, "two equal ways to read the outputs");
}

// FERRY_ERR_NOT_READY: does not fit, and `why` says so; any other failure is final.
static ferry_status try_form(search *s, const ferry_decoder *decoder, const ferry_decoder_form *form,
                             const ferry_tensor_view *outputs, size_t output_count, ferry_binding *b, ferry_error *why)
{
    memset(s, 0, sizeof *s);
    s->form = form;
    s->outputs = outputs;
    s->output_count = output_count;
    if (list_entries(s, why) != FERRY_OK) return FERRY_ERR_NOT_READY;
    for (uint32_t h = 0; h < form->head_count; h++) {
        s->known[h].class_offset = decoder->class_offset;
        if (!begin_head(&form->heads[h], b->input_width, b->input_height, &s->known[h])) {
            return ferry_fail(why, FERRY_ERR_NOT_READY,
                              "heads[%u] counts in strides, and the size of the network's input is not known", h);
        }
    }
    if (decoder->classes > 0) s->known[0].class_columns = (int64_t)decoder->classes + decoder->class_offset;
    solve(s, 0, s->known[0]);
    if (s->solution_count == 0 && s->tries > MAX_TRIES) {
        return ferry_fail(why, FERRY_ERR_NOT_READY, "too many ways to match outputs: name them as \"output\"");
    }
    if (s->solution_count == 0) {
        if (why) explain(s, why->text, sizeof why->text);
        return FERRY_ERR_NOT_READY;
    }
    if (s->solution_count > 1) return ambiguous(s, why);
    return build(s, decoder, b, why);
}

static ferry_status find_form(search *s, ferry_binding *b, const ferry_decoder *decoder,
                              const ferry_tensor_view *outputs, size_t output_count, ferry_error *err)
{
    char reasons[700] = "";
    size_t used = 0;
    for (uint32_t f = 0; f < decoder->form_count; f++) {
        const ferry_decoder_form *form = &decoder->forms[f];
        ferry_error why = {{0}};
        const ferry_status status = try_form(s, decoder, form, outputs, output_count, b, &why);
        if (status == FERRY_OK) return FERRY_OK;
        if (status != FERRY_ERR_NOT_READY) {
            if (err) *err = why;
            return *form->name ? ferry_within(err, status, "form '%.60s'", form->name) : status;
        }
        if (*form->name) write_text(reasons, sizeof reasons, &used, "\n  %.60s: ", form->name);
        write_text(reasons, sizeof reasons, &used, "%s", why.text);
    }
    char all[500], size[64] = "of unknown size";
    if (b->input_width > 0) snprintf(size, sizeof size, "%ux%u", b->input_width, b->input_height);
    const char *named = *decoder->name ? decoder->name : "the decoder";
    ferry_outputs_describe(outputs, output_count, all, sizeof all);
    return ferry_fail(err, FERRY_ERR_BAD_DATA,
                      "%.60s does not fit the network's outputs: %.500s; the input is %s; choose another decoder, or "
                      "describe this network's in a FILE.json: %.700s",
                      named, all, size, reasons);
}

ferry_status ferry_binding_init(ferry_binding *binding, const ferry_decoder *decoder, const ferry_tensor_view *outputs,
                                size_t output_count, uint32_t input_width, uint32_t input_height,
                                const ferry_heap *heap, ferry_error *err)
{
    *binding = (ferry_binding){.input_width = input_width, .input_height = input_height};
    if (output_count > FERRY_BINDING_MAX_OUTPUTS) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "a network with %zu outputs: decoders look at %d at most",
                          output_count, FERRY_BINDING_MAX_OUTPUTS);
    }
    heap = ferry_heap_or_default(heap);
    ferry_arena_init(&binding->arena, heap);
    search *s = ferry_new(heap, search);
    if (!s) return ferry_fail_memory(err, "decoder's search");
    const ferry_status status = find_form(s, binding, decoder, outputs, output_count, err);
    ferry_delete(heap, s);
    if (status != FERRY_OK) ferry_binding_deinit(binding);
    return status;
}

void ferry_binding_deinit(ferry_binding *binding)
{
    ferry_arena_deinit(&binding->arena);
    memset(binding, 0, sizeof *binding);
}

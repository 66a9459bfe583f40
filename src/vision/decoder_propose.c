// SPDX-License-Identifier: Apache-2.0
// Which preset do these shapes belong to? Only what can be said with a reason is said; a doubt is an error that lists
// what fits.
#include <stdio.h>
#include <string.h>

#include "vision/decode_job.h"
#include "vision/decoder_bind.h"
#include "vision/decoder_presets.h"

enum { MAX_FITS = 32 };

typedef struct fit {
    const ferry_decoder_preset *preset;
    char form[80];
    size_t classes; // 0: not known
    bool by_grid;   // the number of positions was explained by the input's size
} fit;

typedef struct shapes {
    const ferry_tensor_view *outputs;
    size_t count;
    uint32_t width, height; // of the input
    size_t label_count;
} shapes;

static bool is_integer(ferry_dtype dtype)
{
    return dtype >= FERRY_S8 && dtype <= FERRY_BOOL;
}

// A class map is nearly as fine as the input; a detector's grid is not. Three float channels are as likely a picture.
static bool looks_like_map(const shapes *s, const fit *f)
{
    const ferry_tensor_view *v = &s->outputs[0];
    if (s->count != 1 || s->width == 0 || v->rank < 3) return false;
    if (f->classes == 3 && s->label_count != 3) return false;
    if (f->classes == 0 && !is_integer(v->dtype)) return false;
    const int64_t side = v->dims[v->rank - 2];
    return side >= s->height / 8 && side >= 8;
}

static bool try_preset(const shapes *s, const ferry_decoder_preset *preset, fit *out)
{
    ferry_decoder *d = NULL;
    if (ferry_decoder_from_json(preset->json, strlen(preset->json), NULL, &d, NULL) != FERRY_OK) return false;
    *out = (fit){.preset = preset};
    bool fits = false;
    if (d->task == FERRY_TASK_DETECT) {
        ferry_binding b;
        fits = ferry_binding_init(&b, d, s->outputs, s->count, s->width, s->height, NULL, NULL) == FERRY_OK;
        if (fits) {
            out->classes = (size_t)(b.class_columns - d->class_offset);
            out->by_grid = b.needs_grid;
            snprintf(out->form, sizeof out->form, "%s", b.form->name);
            ferry_binding_deinit(&b);
        }
    } else if (d->task == FERRY_TASK_CLASSIFY) {
        fits = s->count == 1 && ferry_check_classify(d, s->outputs, s->count, &out->classes, NULL) == FERRY_OK &&
               out->classes >= 2 && !is_integer(s->outputs[0].dtype);
        snprintf(out->form, sizeof out->form, "one score per class");
    } else {
        fits = ferry_check_segment(d, s->outputs, s->count, &out->classes, NULL) == FERRY_OK && looks_like_map(s, out);
        snprintf(out->form, sizeof out->form, "one class per pixel");
    }
    ferry_decoder_destroy(d);
    return fits;
}

typedef bool (*test_fn)(const shapes *s, const fit *f);

static bool is_by_grid(const shapes *s, const fit *f)
{
    (void)s;
    return f->by_grid;
}

static bool has_label_count(const shapes *s, const fit *f)
{
    return s->label_count > 0 && f->classes == s->label_count;
}

static bool has_common_count(const shapes *s, const fit *f)
{
    return s->label_count == 0 && (f->classes == 80 || f->classes == 20); // COCO, Pascal VOC
}

// Keeps those that pass, unless none does.
static size_t prefer(const shapes *s, fit *fits, size_t count, test_fn test)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (test(s, &fits[i])) kept++;
    }
    if (kept == 0 || kept == count) return count;
    kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (test(s, &fits[i])) fits[kept++] = fits[i];
    }
    return kept;
}

static void list(const fit *fits, size_t count, const ferry_decoder_preset *but, char *text, size_t text_bytes)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < count && used < text_bytes; i++) {
        if (fits[i].preset == but) continue;
        const int n = snprintf(text + used, text_bytes - used, "%s%s (%s, %zu classes)", used ? ", " : "",
                               fits[i].preset->name, fits[i].form, fits[i].classes);
        used += n < 0 ? 0 : (size_t)n;
    }
}

static void give_reason(const shapes *s, const fit *chosen, const fit *all, size_t all_count, char *reason,
                        size_t reason_bytes)
{
    char outputs[400], others[300], classes[64] = "";
    ferry_outputs_describe(s->outputs, s->count, outputs, sizeof outputs);
    list(all, all_count, chosen->preset, others, sizeof others);
    if (chosen->classes > 0) snprintf(classes, sizeof classes, " of %zu classes", chosen->classes);
    int n = snprintf(reason, reason_bytes, "%s read as %s: %s%s", outputs, chosen->preset->name, chosen->form, classes);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (*others && used < reason_bytes) {
        n = snprintf(reason + used, reason_bytes - used, "; the shapes would also fit %s", others);
        used += n < 0 ? 0 : (size_t)n;
    }
    if (s->label_count > 0 && chosen->classes > 0 && s->label_count != chosen->classes && used < reason_bytes) {
        n = snprintf(reason + used, reason_bytes - used, "; there are %zu labels for %zu classes%s", s->label_count,
                     chosen->classes,
                     s->label_count + 1 == chosen->classes ? ", so perhaps class offset 1 (a background)" : "");
        used += n < 0 ? 0 : (size_t)n;
    }
    if (chosen->preset->note && used < reason_bytes) {
        snprintf(reason + used, reason_bytes - used, "; %s", chosen->preset->note);
    }
}

ferry_status ferry_decoder_propose(const ferry_tensor_view *outputs, size_t output_count, uint32_t input_width,
                                   uint32_t input_height, size_t label_count, const char **out_preset, char *reason,
                                   size_t reason_bytes, ferry_error *error)
{
    *out_preset = NULL;
    const shapes s = {outputs, output_count, input_width, input_height, label_count};
    fit all[MAX_FITS], fits[MAX_FITS];
    size_t all_count = 0;
    for (size_t i = 0; i < ferry_decoder_preset_count && all_count < MAX_FITS; i++) {
        if (ferry_decoder_presets[i].twin_of) continue;
        if (try_preset(&s, &ferry_decoder_presets[i], &all[all_count])) all_count++;
    }
    char text[600];
    if (all_count == 0) {
        return ferry_fail(
            error, FERRY_ERR_UNSUPPORTED,
            "no decoder preset fits the outputs %s of a network with an input of %ux%u; describe them in a "
            "decoder FILE.json, or use the tensors themselves (task raw)",
            ferry_outputs_describe(outputs, output_count, text, sizeof text), input_width, input_height);
    }
    memcpy(fits, all, sizeof fits);
    size_t count = prefer(&s, fits, all_count, has_label_count);
    count = prefer(&s, fits, count, is_by_grid);
    count = prefer(&s, fits, count, has_common_count);
    if (count > 1) {
        list(fits, count, NULL, text, sizeof text);
        return ferry_fail(error, FERRY_ERR_UNSUPPORTED,
                          "the outputs fit more than one decoder: %s; choose one, or give the labels", text);
    }
    *out_preset = fits[0].preset->name;
    if (reason && reason_bytes > 0) give_reason(&s, &fits[0], all, all_count, reason, reason_bytes);
    return FERRY_OK;
}

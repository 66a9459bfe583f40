// SPDX-License-Identifier: Apache-2.0
// The command's preprocessing options, one at a time, by name and text.
#include <stdio.h>
#include <string.h>

#include "base/strings.h"
#include "vision/preprocess_internal.h"

static ferry_status refuse(const char *name, const char *value, const char *allowed, ferry_error *err)
{
    return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "--%s '%.100s': must be %s", name, value, allowed);
}

static bool is_side(uint64_t v)
{
    return v >= 1 && v <= FERRY_PREPROCESS_MAX_SIDE;
}

static ferry_status set_size(ferry_preprocess *p, const char *value, ferry_error *err)
{
    uint64_t sides[2];
    size_t n = 0;
    if (ferry_parse_u64_list(ferry_text_of(value), 'x', sides, 2, &n, NULL) != FERRY_OK || n != 2 ||
        !is_side(sides[0]) || !is_side(sides[1])) {
        return refuse("size", value, "WxH with sides of 1 to 65536, e.g. 224x224", err);
    }
    p->width = (uint32_t)sides[0];
    p->height = (uint32_t)sides[1];
    return FERRY_OK;
}

static ferry_status set_side(const char *name, uint32_t *out, const char *value, ferry_error *err)
{
    uint64_t v = 0;
    if (!ferry_parse_u64(ferry_text_of(value), &v) || !is_side(v)) {
        return refuse(name, value, "a whole number of 1 to 65536", err);
    }
    *out = (uint32_t)v;
    return FERRY_OK;
}

static ferry_status set_triple(const char *name, double out[3], const char *value, ferry_error *err)
{
    double v[3];
    size_t n = 0;
    if (ferry_parse_double_list(ferry_text_of(value), ',', v, 3, &n, NULL) != FERRY_OK || (n != 1 && n != 3)) {
        return refuse(name, value, "one number, or three as R,G,B", err);
    }
    for (size_t c = 0; c < 3; c++) out[c] = n == 1 ? v[0] : v[c];
    return FERRY_OK;
}

// The option spells "keep-ratio-height" where JSON has "keep_ratio_height".
static bool same_word(const char *word, const char *value)
{
    for (; *word && *value; word++, value++) {
        if (*word != *value && !(*word == '_' && *value == '-')) return false;
    }
    return *word == *value;
}

static ferry_status set_word(const char *name, const char *const *words, const char *value, unsigned *out,
                             ferry_error *err)
{
    char allowed[200] = "";
    for (unsigned i = 0; words[i]; i++) {
        if (same_word(words[i], value)) {
            *out = i;
            return FERRY_OK;
        }
        const size_t used = strlen(allowed);
        snprintf(allowed + used, sizeof allowed - used, "%s%s", i ? ", " : "one of ", words[i]);
    }
    return refuse(name, value, allowed, err);
}

static ferry_status set_one(ferry_preprocess *p, const char *name, const char *value, ferry_error *err)
{
    unsigned word = 0;
    ferry_status s = FERRY_OK;
    if (strcmp(name, "size") == 0) return set_size(p, value, err);
    if (strcmp(name, "resize-shorter") == 0) return set_side(name, &p->resize_shorter, value, err);
    if (strcmp(name, "mean") == 0) return set_triple(name, p->mean, value, err);
    if (strcmp(name, "std") == 0) return set_triple(name, p->std, value, err);
    if (strcmp(name, "pad") == 0) return set_triple(name, p->pad, value, err);
    if (strcmp(name, "keep-ratio-height") == 0) {
        p->mode = FERRY_RESIZE_KEEP_RATIO_HEIGHT;
        return set_side(name, &p->height, value, err);
    }
    if (strcmp(name, "resize") == 0) {
        s = set_word(name, ferry_resize_mode_names, value, &word, err);
        if (s == FERRY_OK) p->mode = (ferry_resize_mode)word;
    } else if (strcmp(name, "rounding") == 0) {
        s = set_word(name, ferry_rounding_names, value, &word, err);
        if (s == FERRY_OK) p->rounding = (ferry_rounding)word;
    } else if (strcmp(name, "align") == 0) {
        s = set_word(name, ferry_align_names, value, &word, err);
        if (s == FERRY_OK) p->align = (ferry_align)word;
    } else if (strcmp(name, "filter") == 0) {
        s = set_word(name, ferry_filter_names, value, &word, err);
        if (s == FERRY_OK) p->filter = (ferry_filter)word;
    } else if (strcmp(name, "color") == 0) {
        s = set_word(name, ferry_color_names, value, &word, err);
        if (s == FERRY_OK) p->color = (ferry_color)word;
    } else if (strcmp(name, "layout") == 0) {
        s = set_word(name, ferry_layout_names, value, &word, err);
        if (s == FERRY_OK) p->layout = (ferry_layout)word;
    } else {
        s = ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "no preprocessing option '%.100s'", name);
    }
    return s;
}

ferry_status ferry_preprocess_set(ferry_preprocess *preprocess, const char *name, const char *value, ferry_error *error)
{
    ferry_preprocess changed = *preprocess;
    FERRY_TRY(set_one(&changed, name, value, error));
    FERRY_TRY(ferry_preprocess_check(&changed, error));
    *preprocess = changed;
    return FERRY_OK;
}

// SPDX-License-Identifier: Apache-2.0
// --layer-precision: 'GLOB=fp32|fp16|bf16|int8' against the names of nodes, of what they absorbed, and of their
// outputs.
#include <string.h>

#include "passes/choose.h"

bool ferry_glob_matches(const char *pattern, size_t pattern_length, const char *text, size_t text_length)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text_length) {
        if (p < pattern_length && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern_length && (pattern[p] == '?' || pattern[p] == text[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) { // let the last star take one character more
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern_length && pattern[p] == '*') p++;
    return p == pattern_length;
}

static bool matches(const char *pattern, size_t length, const char *text)
{
    return ferry_glob_matches(pattern, length, text, strlen(text));
}

static bool matches_absorbed(const char *pattern, size_t length, const char *absorbed)
{
    while (absorbed && *absorbed) {
        const char *end = strstr(absorbed, " + ");
        if (ferry_glob_matches(pattern, length, absorbed, end ? (size_t)(end - absorbed) : strlen(absorbed)))
            return true;
        absorbed = end ? end + 3 : NULL;
    }
    return false;
}

static bool matches_node(const ferry_graph *graph, const ferry_node *node, const char *pattern, size_t length)
{
    if (matches(pattern, length, node->name) || matches_absorbed(pattern, length, node->absorbed)) return true;
    for (int32_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] != FERRY_NO_VALUE && matches(pattern, length, graph->values[node->outputs[i]].name))
            return true;
    return false;
}

static ferry_status read_precision(const char *rule, const char *word, ferry_dtype *out, ferry_error *err)
{
    static const struct {
        const char *name;
        ferry_dtype dtype;
    } words[] = {{"fp32", FERRY_F32}, {"fp16", FERRY_F16}, {"bf16", FERRY_BF16}, {"int8", FERRY_S8}};
    for (size_t i = 0; i < FERRY_COUNT_OF(words); i++) {
        if (strcmp(word, words[i].name) == 0) {
            *out = words[i].dtype;
            return FERRY_OK;
        }
    }
    return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "layer precision '%s': '%s' is none of fp32, fp16, bf16, int8",
                      rule, word);
}

ferry_status ferry_choose_rules(ferry_chooser *chooser, ferry_error *err)
{
    for (size_t r = 0; r < chooser->options->n_rules; r++) {
        const char *rule = chooser->options->rules[r], *equals = strrchr(rule, '=');
        ferry_dtype dtype = FERRY_DTYPE_NONE;
        bool any = false;
        if (!equals || equals == rule)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "layer precision '%s' is not of the form NAME=PRECISION",
                              rule);
        FERRY_TRY(read_precision(rule, equals + 1, &dtype, err));
        for (size_t n = 0; n < chooser->graph->n_nodes; n++) {
            if (!matches_node(chooser->graph, &chooser->graph->nodes[n], rule, (size_t)(equals - rule))) continue;
            chooser->rules[n] = dtype;
            any = true;
        }
        if (!any)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                              "layer precision '%s' matches no layer and no tensor of the model", rule);
    }
    return FERRY_OK;
}

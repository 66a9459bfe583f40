// SPDX-License-Identifier: Apache-2.0
// Finds kernels and module variables in preprocessed CUDA C++. Names are all that is needed: parameters are the
// compiler's business (device/image.h).
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "nvrtc/program.h"

typedef struct token {
    const char *at;
    size_t bytes; // 0: the end
} token;

static bool is_word(token t)
{
    return t.bytes && (isalpha((unsigned char)*t.at) || *t.at == '_');
}

static bool is_text(token t, const char *text)
{
    return t.bytes == strlen(text) && memcmp(t.at, text, t.bytes) == 0;
}

static const char *skip_literal(const char *p)
{
    const char quote = *p++;
    while (*p && *p != quote) p += *p == '\\' && p[1] ? 2 : 1;
    return *p ? p + 1 : p;
}

/// The word, literal or character at or behind *text, which moves behind it. Line markers are no tokens.
static token next(const char **text)
{
    const char *p = *text;
    while (isspace((unsigned char)*p) || *p == '#') {
        if (*p == '#')
            while (*p && *p != '\n') p++;
        else
            p++;
    }
    const char *end = p;
    if (*p == '"' || *p == '\'')
        end = skip_literal(p);
    else if (isalnum((unsigned char)*p) || *p == '_')
        while (isalnum((unsigned char)*end) || *end == '_') end++;
    else if (*p)
        end++;
    *text = end;
    return (token){p, (size_t)(end - p)};
}

/// Behind a '(' that has been read: moves behind its ')'. The text before its first comma is returned.
static token skip_parentheses(const char **text)
{
    token first = {*text, 0};
    bool open = true;
    for (int depth = 1; depth > 0;) {
        const token t = next(text);
        if (!t.bytes) break;
        if (is_text(t, "(")) depth++;
        if (is_text(t, ")")) depth--;
        if (open && (depth == 0 || (depth == 1 && is_text(t, ",")))) {
            first.bytes = (size_t)(t.at - first.at);
            open = false;
        }
    }
    return first;
}

typedef struct names {
    token *list;
    size_t count;
} names;

static bool add_name(names *n, token name)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->list[i].bytes == name.bytes && memcmp(n->list[i].at, name.at, name.bytes) == 0) return false;
    token *const list = realloc(n->list, (n->count + 1) * sizeof *list);
    if (!list) abort();
    n->list = list;
    n->list[n->count++] = name;
    return true;
}

/// Behind __global__: the kernel's name is the word before its parameters.
static void write_kernel(FILE *out, const char **text, names *seen)
{
    token name = {0}, bounds = {0};
    for (token t = next(text); t.bytes && !is_text(t, ";") && !is_text(t, "{"); t = next(text)) {
        if (is_text(t, "(") && is_text(name, "__launch_bounds__")) {
            bounds = skip_parentheses(text);
        } else if (is_text(t, "(") && is_text(name, "__attribute__")) {
            skip_parentheses(text);
        } else if (is_text(t, "(")) {
            break;
        }
        if (is_word(t)) name = t;
    }
    if (!name.bytes || !add_name(seen, name)) return;
    fprintf(out, "    ferry_kernel<&%.*s>::row(\"%.*s\", (unsigned)(%.*s)),\n", (int)name.bytes, name.at,
            (int)name.bytes, name.at, bounds.bytes ? (int)bounds.bytes : 1, bounds.bytes ? bounds.at : "0");
}

/// Behind __constant__ or __device__: a variable unless parameters follow the name.
static void write_variable(FILE *out, const char **text, names *seen)
{
    token name = {0};
    for (const char *ahead = *text;;) {
        const token t = next(&ahead);
        if (!t.bytes || is_text(t, "(") || is_text(t, "{")) {
            if (is_text(t, "(") && (is_text(name, "__align__") || is_text(name, "alignas"))) {
                skip_parentheses(&ahead);
                continue;
            }
            return;
        }
        if (is_text(t, ";") || is_text(t, "=") || is_text(t, "[")) break;
        if (is_word(t)) name = t;
    }
    if (!name.bytes || !add_name(seen, name)) return;
    fprintf(out, "    {\"%.*s\", (void *)&%.*s, sizeof %.*s},\n", (int)name.bytes, name.at, (int)name.bytes, name.at,
            (int)name.bytes, name.at);
}

void emulated_write_tables(FILE *out, const char *preprocessed, const emulated_program *program)
{
    names kernels = {0}, variables = {0};
    fprintf(out, "static const emulated_kernel ferry_kernels[] = {\n");
    for (const char *p = preprocessed;;) {
        const token t = next(&p);
        if (!t.bytes) break;
        if (is_text(t, "__global__")) write_kernel(out, &p, &kernels);
    }
    fprintf(out, "    {}};\nstatic const emulated_variable ferry_variables[] = {\n");
    for (const char *p = preprocessed;;) {
        const token t = next(&p);
        if (!t.bytes) break;
        if (is_text(t, "__constant__") || is_text(t, "__device__")) write_variable(out, &p, &variables);
    }
    fprintf(out,
            "    {}};\n"
            "extern \"C\" __attribute__((visibility(\"default\"))) const emulated_image ferry_emulated_image = {\n"
            "    EMULATED_ABI, %d, %d, %d, ferry_kernels, ferry_variables, __start_ferry_shared, __stop_ferry_shared,\n"
            "    &ferry_runtime};\n",
            program->chip, program->is_virtual, program->family_only);
    free(kernels.list);
    free(variables.list);
}

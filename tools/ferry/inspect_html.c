// SPDX-License-Identifier: Apache-2.0
// The HTML report of `ferry inspect`: one file, no scripts and nothing fetched, readable in any browser and in print.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

typedef struct page {
    char *text;
    size_t used, capacity;
    bool failed;
} page;

static void add_bytes(page *p, const char *text, size_t bytes)
{
    if (p->failed) return;
    if (p->capacity - p->used <= bytes) {
        const size_t capacity = (p->capacity + bytes) * 2 + 4096;
        char *grown = realloc(p->text, capacity);
        p->failed = !grown;
        if (!grown) return;
        p->text = grown;
        p->capacity = capacity;
    }
    memcpy(p->text + p->used, text, bytes);
    p->used += bytes;
}

static void add(page *p, const char *text)
{
    add_bytes(p, text, strlen(text));
}

static void add_format(page *p, const char *format, ...) FERRY_PRINTF(2, 3);
static void add_format(page *p, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0) add_bytes(p, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

// Names come from model files: nothing in them may become markup.
static void add_escaped(page *p, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            add(p, "&amp;");
            break;
        case '<':
            add(p, "&lt;");
            break;
        case '>':
            add(p, "&gt;");
            break;
        case '"':
            add(p, "&quot;");
            break;
        default:
            add_bytes(p, text, 1);
        }
    }
}

static void add_cell(page *p, const char *text)
{
    add(p, "<td>");
    add_escaped(p, text);
    add(p, "</td>");
}

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1200px;padding:0 1em;color:#1b1f24}"
    "h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.25em .6em;border-bottom:1px solid #e3e6ea;vertical-align:top}"
    "th{border-bottom:2px solid #9aa4af}td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "td.w{overflow-wrap:anywhere}code{font-family:ui-monospace,monospace;font-size:.92em}"
    ".bar{background:#dde7f3;height:.8em;border-radius:2px;min-width:120px}"
    ".bar i{display:block;height:100%;border-radius:2px;background:#7a8694}"
    ".bar i.int8{background:#2f8f5b}.bar i.fp32{background:#3b6fb6}.bar i.fp16,.bar i.bf16{background:#b0722d}"
    "@media(prefers-color-scheme:dark){body{background:#15181c;color:#d7dce2}th,td{border-color:#333a42}"
    ".bar{background:#262d35}}@media print{body{max-width:none;margin:0}}";

static void add_bindings(page *p, const json_t *bindings)
{
    size_t i;
    json_t *b;
    char shape[128];
    add(p, "<h2>Inputs and outputs</h2><table><tr><th>Kind<th>Name<th>Type<th>Shape<th>Profile</tr>\n");
    json_array_foreach(bindings, i, b)
    {
        add(p, "<tr>");
        add_cell(p, cli_json_text(b, "kind"));
        add_cell(p, cli_json_text(b, "name"));
        add_cell(p, cli_json_text(b, "dtype"));
        add_cell(p, cli_json_shape(json_object_get(b, "shape"), shape, sizeof shape));
        add(p, "<td>");
        if (json_object_get(b, "min")) {
            add(p, cli_json_shape(json_object_get(b, "min"), shape, sizeof shape));
            add(p, " to ");
            add(p, cli_json_shape(json_object_get(b, "max"), shape, sizeof shape));
        }
        add(p, "</td></tr>\n");
    }
    add(p, "</table>\n");
}

static double microseconds(const json_t *layer)
{
    return json_number_value(json_object_get(layer, "measured_us"));
}

// Time, where tactics were timed; else bytes of the first output tell where the work is.
static void add_layers(page *p, const json_t *layers)
{
    size_t i;
    json_t *layer;
    double most = 0, sum = 0;
    char shape[128];
    json_array_foreach(layers, i, layer)
    {
        sum += microseconds(layer);
        if (microseconds(layer) > most) most = microseconds(layer);
    }
    add_format(p, "<h2>Layers</h2><p>%zu layers", json_array_size(layers));
    if (sum > 0) add_format(p, ", measured one by one: %.3f ms together", sum / 1000);
    add(p, ".</p><table><tr><th>#<th>Layer<th>Precision<th>Device<th>Tactic<th>Output<th>Time, \xc2\xb5s<th></tr>\n");
    json_array_foreach(layers, i, layer)
    {
        const json_t *first = json_array_get(json_object_get(layer, "outputs"), 0);
        add_format(p, "<tr><td class=n>%zu</td><td class=w><code>", i);
        add_escaped(p, cli_json_text(layer, "name"));
        add(p, "</code></td>");
        add_cell(p, cli_json_text(layer, "precision"));
        add_cell(p, cli_json_text(layer, "device"));
        add_cell(p, cli_json_text(layer, "tactic"));
        add_cell(p, cli_json_shape(json_object_get(first, "shape"), shape, sizeof shape));
        if (json_object_get(layer, "measured_us"))
            add_format(p,
                       "<td class=n>%.1f</td><td><div class=bar><i class=\"%s\" style=\"width:%.1f%%\"></i></div></td>",
                       microseconds(layer), cli_json_text(layer, "precision"),
                       most > 0 ? 100 * microseconds(layer) / most : 0);
        else
            add(p, "<td class=n>\xe2\x80\x93</td><td></td>");
        add(p, "</tr>\n");
    }
    add(p, "</table>\n");
}

static void add_count_bars(page *p, const char *title, json_t *counts)
{
    const char *key;
    json_t *value;
    double sum = 0;
    json_object_foreach(counts, key, value) sum += (double)json_integer_value(value);
    add_format(p, "<h2>%s</h2><table>\n", title);
    json_object_foreach(counts, key, value)
    {
        add(p, "<tr>");
        add_cell(p, key);
        add_format(
            p, "<td class=n>%lld</td><td><div class=bar><i class=\"%s\" style=\"width:%.1f%%\"></i></div></td></tr>\n",
            (long long)json_integer_value(value), key, sum > 0 ? 100 * (double)json_integer_value(value) / sum : 0);
    }
    add(p, "</table>\n");
}

static void add_memory(page *p, const json_t *e)
{
    const json_t *memory = json_object_get(e, "memory");
    const struct {
        const char *what;
        const json_t *bytes;
    } rows[] = {
        {"Weights", json_object_get(e, "weights_bytes")},
        {"Weights packed for the device", json_object_get(e, "packed_bytes")},
        {"Memory of a context", json_object_get(memory, "context_bytes")},
        {"The same without sharing between layers", json_object_get(memory, "without_sharing_bytes")},
    };
    double most = 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (json_number_value(rows[i].bytes) > most) most = json_number_value(rows[i].bytes);
    add(p, "<h2>Memory</h2><table>\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        add_format(p,
                   "<tr><td>%s</td><td class=n>%.2f MB</td><td><div class=bar><i style=\"width:%.1f%%\"></i></div></td>"
                   "</tr>\n",
                   rows[i].what, json_number_value(rows[i].bytes) / 1e6, 100 * json_number_value(rows[i].bytes) / most);
    add(p, "</table>\n");
}

enum { MOST_TEXT = 2000 };

// Between two characters, not inside one of several bytes.
static void cut(char *text)
{
    size_t at = MOST_TEXT - 3;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80) at--;
    strcpy(text + at, "...");
}

static void add_texts(page *p, json_t *texts)
{
    const char *key;
    json_t *value;
    if (!json_object_size(texts)) return;
    add(p, "<h2>Stored texts</h2><table>\n");
    json_object_foreach(texts, key, value)
    {
        char *text = json_is_string(value) ? strdup(json_string_value(value))
                                           : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        add(p, "<tr>");
        add_cell(p, key);
        add(p, "<td class=w><code>");
        if (text) {
            if (strlen(text) > MOST_TEXT) cut(text);
            add_escaped(p, text);
        }
        add(p, "</code></td></tr>\n");
        free(text);
    }
    add(p, "</table>\n");
}

int cli_write_report(const char *path, const char *title, const json_t *e)
{
    ferry_error err = {.text = ""};
    page p = {0};
    json_t *summary = json_object_get(e, "summary");
    add(&p, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    add_escaped(&p, title);
    add(&p, "</title><style>");
    add(&p, style);
    add(&p, "</style></head>\n<body><h1>");
    add_escaped(&p, title);
    add(&p, "</h1><p>");
    add_escaped(&p, cli_json_text(e, "name"));
    if (json_object_get(e, "fingerprint")) {
        add(&p, ", for <code>");
        add_escaped(&p, cli_json_text(e, "fingerprint"));
        add(&p, "</code>");
    }
    add_format(&p, ". Written by ferry %s.</p>\n", ferry_version());
    add_bindings(&p, json_object_get(e, "bindings"));
    if (summary) {
        add_count_bars(&p, "Layers by precision", json_object_get(summary, "layers_by_precision"));
        add_count_bars(&p, "Layers by device", json_object_get(summary, "layers_by_device"));
        add_memory(&p, e);
        add_layers(&p, json_object_get(e, "layers"));
        add_texts(&p, json_object_get(e, "texts"));
    }
    add(&p, "</body></html>\n");
    int status = p.failed ? cli_fail("out of memory") : CLI_OK;
    if (status == CLI_OK && ferry_file_write(path, p.text, p.used, &err) != FERRY_OK) status = cli_fail("%s", err.text);
    free(p.text);
    return status;
}

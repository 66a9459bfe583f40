// SPDX-License-Identifier: Apache-2.0
// Labels in a CSV: fields may be quoted, quotes inside are doubled, lines end in LF or CRLF.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"

enum { MOST_FIELDS = 256 };

// Splits a line in place. Returns how many fields there are, at most MOST_FIELDS.
static size_t split(char *line, char **fields)
{
    size_t n = 0;
    char *from = line;
    while (n < MOST_FIELDS) {
        char *to = from;
        bool quoted = *from == '"';
        fields[n++] = to;
        if (quoted) from++;
        while (*from && (quoted || *from != ',')) {
            if (quoted && *from == '"') {
                if (from[1] != '"') {
                    quoted = false;
                    from++;
                    continue;
                }
                from++;
            }
            *to++ = *from++;
        }
        const bool more = *from == ',';
        *to = 0;
        if (!more) break;
        from++;
    }
    return n;
}

static int find_column(char **fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i], name) == 0) return (int)i;
    return -1;
}

typedef struct columns {
    int file, class_index;
} columns;

static int add_row(cli_eval_set *set, const char *path, size_t line, char **fields, size_t n, const columns *c)
{
    char *end = NULL;
    if ((size_t)c->file >= n || (size_t)c->class_index >= n)
        return cli_fail("%s:%zu: %zu columns, the header has more", path, line, n);
    const char *text = fields[c->class_index];
    errno = 0;
    const long long true_class = strtoll(text, &end, 10);
    if (end == text || *end || errno || true_class < 0)
        return cli_fail("%s:%zu: '%s' is no class index", path, line, text);
    const char *file = fields[c->file], *slash = strrchr(path, '/');
    if (!*file) return cli_fail("%s:%zu: the column 'file' is empty", path, line);
    const int folder = *file == '/' || !slash ? 0 : (int)(slash - path + 1);
    const size_t bytes = (size_t)folder + strlen(file) + 1;
    char *joined = malloc(bytes);
    if (!joined) return cli_fail("out of memory");
    snprintf(joined, bytes, "%.*s%s", folder, path, file);
    const int status = cli_eval_set_add(set, joined, true_class);
    free(joined);
    return status;
}

int cli_eval_read_csv(cli_eval_set *set, const char *path)
{
    char *line = NULL, *fields[MOST_FIELDS];
    size_t capacity = 0, number = 0;
    columns c = {-1, -1};
    ssize_t length;
    int status = CLI_OK;
    FILE *f = fopen(path, "r");
    if (!f) return cli_fail("%s: %s", path, strerror(errno));
    errno = 0;
    while (status == CLI_OK && (length = getline(&line, &capacity, f)) >= 0) {
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) line[--length] = 0;
        char *text = line;
        if (number++ == 0 && strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
        if (memchr(line, 0, (size_t)length)) {
            status = cli_fail("%s:%zu: this is no text file", path, number);
            break;
        }
        if (!*text) continue;
        const size_t n = split(text, fields);
        if (c.file >= 0) {
            status = add_row(set, path, number, fields, n, &c);
            continue;
        }
        c = (columns){find_column(fields, n, "file"), find_column(fields, n, "class_index")};
        if (c.file < 0 || c.class_index < 0)
            status = cli_fail("%s: the first line has to name the columns, 'file' and 'class_index' among them", path);
    }
    if (status == CLI_OK && ferror(f)) status = cli_fail("%s: %s", path, strerror(errno));
    if (status == CLI_OK && set->count == 0) status = cli_fail("%s: there is no picture in it", path);
    free(line);
    fclose(f);
    return status;
}

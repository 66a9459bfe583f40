// SPDX-License-Identifier: Apache-2.0
#include "options_take.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

ferry_status cli_take_int(const char *text, long least, long most, int *out, ferry_error *err)
{
    char *end = NULL;
    errno = 0;
    const long x = strtol(text, &end, 10);
    if (end == text || *end || errno || x < least || x > most)
        CLI_FAIL("'%s' is no whole number from %ld to %ld", text, least, most);
    *out = (int)x;
    return FERRY_OK;
}

ferry_status cli_take_double(const char *text, double least, double most, double *out, ferry_error *err)
{
    char *end = NULL;
    const double x = strtod(text, &end);
    if (end == text || *end || !isfinite(x) || x < least || x > most)
        CLI_FAIL("'%s' is no number from %g to %g", text, least, most);
    *out = x;
    return FERRY_OK;
}

ferry_status cli_take_u64(const char *text, uint64_t *out, ferry_error *err)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long x = strtoull(text, &end, 10);
    if (end == text || *end || errno || strchr(text, '-')) CLI_FAIL("'%s' is no whole number from 0 up", text);
    *out = x;
    return FERRY_OK;
}

ferry_status cli_take_size(const char *text, uint64_t *out, ferry_error *err)
{
    static const struct {
        const char *unit;
        int shift;
    } units[] = {{"", 0},    {"B", 0},    {"K", 10}, {"KB", 10}, {"KiB", 10}, {"M", 20},
                 {"MB", 20}, {"MiB", 20}, {"G", 30}, {"GB", 30}, {"GiB", 30}};
    char *end = NULL;
    const double x = strtod(text, &end);
    if (end != text && isfinite(x) && x >= 0)
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (strcasecmp(end, units[i].unit) == 0 && ldexp(x, units[i].shift) < 1e18) {
                *out = (uint64_t)ldexp(x, units[i].shift);
                return FERRY_OK;
            }
    CLI_FAIL("'%s' is no size; write e.g. 512M or 1GiB", text);
}

ferry_status cli_take_pair(const char *text, const char *what, bool split_at_first, cli_pair *list, size_t *count,
                           ferry_error *err)
{
    const char *equals = split_at_first ? strchr(text, '=') : strrchr(text, '=');
    if (!equals || equals == text || !equals[1]) CLI_FAIL("'%s' is not of the form %s", text, what);
    if (*count == CLI_MOST_ITEMS) CLI_FAIL("more than %d of them", CLI_MOST_ITEMS);
    char *name = strdup(text); // lives as long as the process, like the argument list itself
    if (!name) CLI_FAIL("out of memory");
    name[equals - text] = 0;
    list[(*count)++] = (cli_pair){name, name + (equals - text) + 1};
    return FERRY_OK;
}

ferry_status cli_take_pair_once(const char *text, const char *what, bool split_at_first, cli_pair *list, size_t *count,
                                ferry_error *err)
{
    const ferry_status status = cli_take_pair(text, what, split_at_first, list, count, err);
    if (status != FERRY_OK) return status;
    const char *name = list[*count - 1].name;
    for (size_t i = 0; i + 1 < *count; i++)
        if (strcmp(list[i].name, name) == 0)
            CLI_FAIL("'%s' is given twice: '%s' and '%s'", name, list[i].value, list[*count - 1].value);
    return FERRY_OK;
}

ferry_status cli_take_item(const char *text, const char **list, size_t *count, ferry_error *err)
{
    if (*count == CLI_MOST_ITEMS) CLI_FAIL("more than %d of them", CLI_MOST_ITEMS);
    list[(*count)++] = text;
    return FERRY_OK;
}

ferry_status cli_take_dims(const char *text, int32_t *out_rank, int64_t *out_dims, ferry_error *err)
{
    *out_rank = 0;
    for (const char *p = text;; p++) {
        char *end = NULL;
        errno = 0;
        const long long x = strtoll(p, &end, 10);
        if (end == p || errno || x < 0 || (*end && *end != 'x') || *out_rank == FERRY_MAX_RANK)
            CLI_FAIL("'%s' is no shape; write e.g. 1x3x224x224", text);
        out_dims[(*out_rank)++] = x;
        p = end;
        if (!*p) return FERRY_OK;
    }
}

// SPDX-License-Identifier: Apache-2.0
// Command lines against the option tables, by way of getopt_long.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { MOST_OPTIONS = CLI_MOST_GIVEN, FIRST_CODE = 1000 };

typedef struct table {
    const cli_option *rows[MOST_OPTIONS];
    struct option longs[MOST_OPTIONS + 1];
    char shorts[2 * MOST_OPTIONS + 2];
    size_t count;
} table;

static void fill_table(const cli_command *command, table *t)
{
    size_t used = 0;
    memset(t, 0, sizeof *t);
    t->shorts[used++] = ':'; // a missing argument is told apart from an unknown option
    for (size_t g = 0; command->groups[g]; g++)
        for (const cli_option *o = command->groups[g]->options; o->name && t->count < MOST_OPTIONS; o++) {
            t->rows[t->count] = o;
            t->longs[t->count] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL,
                                                 FIRST_CODE + (int)t->count};
            t->count++;
            if (!o->letter) continue;
            t->shorts[used++] = o->letter;
            if (o->argument) t->shorts[used++] = ':';
        }
}

static const cli_option *find_row(const table *t, int code)
{
    if (code >= FIRST_CODE && (size_t)(code - FIRST_CODE) < t->count) return t->rows[code - FIRST_CODE];
    for (size_t i = 0; i < t->count; i++)
        if (t->rows[i]->letter && t->rows[i]->letter == code) return t->rows[i];
    return NULL;
}

int cli_parse(const cli_command *command, int argc, char **argv, cli_settings *settings, int *out_argc,
              char ***out_argv)
{
    table t;
    fill_table(command, &t);
    memset(settings, 0, sizeof *settings);
    settings->command = command;
    settings->class_offset = -1;
    settings->score_threshold = settings->max_drop = -1;
    settings->warm_up_ms = -1;
    settings->duration_s = -1;
    settings->calibration.size = sizeof settings->calibration;
    opterr = 0;
    optind = 1;
    for (;;) {
        const int code = getopt_long(argc, argv, t.shorts, t.longs, NULL);
        if (code == -1) break;
        const char *word = argv[optind - 1];
        if (code == ':') return cli_usage(command->name, "option '%s' needs a value", word);
        if (code == '?') return cli_usage(command->name, "unknown option '%s'", word);
        const cli_option *row = find_row(&t, code);
        ferry_error err = {.text = ""};
        if (row->take(settings, optarg, &err) != FERRY_OK)
            return strncmp(err.text, "--", 2) == 0 ? cli_usage(command->name, "%s", err.text)
                                                   : cli_usage(command->name, "--%s: %s", row->name, err.text);
        if (settings->help) return CLI_OK;
        if (!cli_given(settings, row->name)) settings->given[settings->n_given++] = row;
    }
    *out_argc = argc - optind;
    *out_argv = argv + optind;
    if (*out_argc < command->least_arguments)
        return cli_usage(command->name, "something is missing: ferry %s %s", command->name, command->arguments);
    if (command->most_arguments >= 0 && *out_argc > command->most_arguments)
        return cli_usage(command->name, "'%s' is one word too many", (*out_argv)[command->most_arguments]);
    return cli_check_rules(command, settings);
}

// SPDX-License-Identifier: Apache-2.0
// The ferry command: finds the subcommand and runs it.
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const cli_command *find(const char *name)
{
    for (size_t i = 0; cli_command_at(i); i++)
        if (strcmp(cli_command_at(i)->name, name) == 0) return cli_command_at(i);
    return NULL;
}

// What was printed must have reached its file: a full disk is a failure of the command.
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    fprintf(stderr, "ferry: error: standard output could not be written\n");
    return status == CLI_OK ? CLI_FAILED : status;
}

// 'help', 'help COMMAND'; for the build also 'help --man [COMMAND]' and 'help --completion'.
static int help(int argc, char **argv)
{
    const bool man = argc > 0 && strcmp(argv[0], "--man") == 0;
    if (argc == 1 && strcmp(argv[0], "--completion") == 0) {
        cli_print_completion();
        return finish(CLI_OK);
    }
    if (man) {
        argc--;
        argv++;
    }
    const cli_command *command = argc > 0 ? find(argv[0]) : NULL;
    if (argc > 0 && !command) return cli_usage(NULL, "there is no command '%s'", argv[0]);
    if (man)
        cli_print_man(command);
    else
        cli_print_help(command);
    return finish(CLI_OK);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        cli_print_help(NULL);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("ferry %s\n", ferry_version());
        return finish(CLI_OK);
    }
    const cli_command *command = find(name);
    if (!command) return cli_usage(NULL, "there is no command '%s'", name);
    static cli_settings settings;
    int n = 0;
    char **words = NULL;
    const int parsed = cli_parse(command, argc - 1, argv + 1, &settings, &n, &words);
    if (parsed != CLI_OK) return parsed;
    if (settings.help) {
        cli_print_help(command);
        return finish(CLI_OK);
    }
    cli_catch_signals();
    return finish(command->run(&settings, n, words));
}

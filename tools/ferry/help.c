// SPDX-License-Identifier: Apache-2.0
// Help texts from the tables that options are parsed by.
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { INDENT = 30, WIDTH = 100 };

// Prints text wrapped to the terminal's width, each new line indented.
static void print_wrapped(const char *text, int column, int indent)
{
    while (*text) {
        const size_t word = strcspn(text, " \n");
        if (column + (int)word > WIDTH && column > indent) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        printf("%.*s", (int)word, text);
        column += (int)word;
        text += word;
        if (*text == '\n') {
            printf("\n%*s", indent, "");
            column = indent;
            text++;
        } else if (*text == ' ') {
            if (column < WIDTH) {
                putchar(' ');
                column++;
            }
            text++;
        }
    }
    putchar('\n');
}

static void print_option(const cli_option *o)
{
    char left[96];
    const char letter[] = {'-', o->letter, ',', ' ', 0};
    const int n = snprintf(left, sizeof left, "  %s--%s%s%s", o->letter ? letter : "    ", o->name,
                           o->argument ? " " : "", o->argument ? o->argument : "");
    if (n < INDENT) {
        printf("%-*s", INDENT, left);
    } else {
        printf("%s\n%*s", left, INDENT, "");
    }
    print_wrapped(o->help, INDENT, INDENT);
}

static void print_program(void)
{
    printf("ferry %s: carries trained neural networks to the device that runs them\n\n"
           "Usage: ferry COMMAND [OPTION...] ARGUMENT...\n\nCommands:\n",
           ferry_version());
    for (size_t i = 0; cli_command_at(i); i++)
        printf("  %-12s%s\n", cli_command_at(i)->name, cli_command_at(i)->summary);
    printf("\n'ferry COMMAND --help' documents each; 'man ferry-COMMAND' has the same text.\n");
}

void cli_print_help(const cli_command *command)
{
    if (!command) {
        print_program();
        return;
    }
    printf("Usage: ferry %s [OPTION...] %s\n\n", command->name, command->arguments);
    print_wrapped(command->description, 0, 0);
    for (size_t g = 0; command->groups[g]; g++) {
        printf("\n%s:\n", command->groups[g]->title);
        for (const cli_option *o = command->groups[g]->options; o->name; o++) print_option(o);
    }
    if (command->examples) printf("\nExamples:\n%s", command->examples);
}

// SPDX-License-Identifier: Apache-2.0
// Manual pages, in mdoc, from the tables that options are parsed by. The build calls 'ferry help --man COMMAND'.
#include <stdio.h>
#include <string.h>

#include "cli.h"

// Running text, a new line for each sentence and none longer than 80 bytes. A backslash, and a dot or quote that begins
// a line, mean something to roff.
static void print_text(const char *text)
{
    size_t column = 0;
    for (const char *p = text; *p; p++) {
        if (column == 0 && (*p == '.' || *p == '\'')) column += (size_t)printf("\\&");
        const size_t word = strcspn(p + 1, " \n");
        const bool sentence = *p == ' ' && p > text && (p[-1] == '.' || p[-1] == ':') && p[1] >= 'A' && p[1] <= 'Z';
        if (*p == '\n' || sentence || (*p == ' ' && column + word > 70)) {
            putchar('\n');
            column = 0;
        } else if (*p == '\\') {
            column += (size_t)printf("\\e");
        } else if (*p == '-') {
            column += (size_t)printf("\\-");
        } else {
            putchar(*p);
            column++;
        }
    }
    printf("\n");
}

// Paragraphs are separated by empty lines.
static void print_paragraphs(const char *text)
{
    const char *end;
    while ((end = strstr(text, "\n\n"))) {
        char paragraph[2048];
        snprintf(paragraph, sizeof paragraph, "%.*s", (int)(end - text), text);
        print_text(paragraph);
        printf(".Pp\n");
        text = end + 2;
    }
    print_text(text);
}

static void print_head(const char *title, const char *name, const char *summary)
{
    // The date of the text, not of the build: the same source gives the same page.
    printf(".\\\" SPDX-License-Identifier: Apache-2.0\n.Dd November 23, 2026\n.Dt %s 1\n.Os\n.Sh NAME\n.Nm "
           "%s\n.Nd %s\n",
           title, name, summary);
}

static void print_upper(char *out, size_t capacity, const char *text)
{
    size_t i = 0;
    for (; text[i] && i + 1 < capacity; i++)
        out[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 'a' + 'A') : text[i];
    out[i] = 0;
}

// An argument's placeholder: '|' and '=' would be taken for delimiters.
static void print_argument(const char *text)
{
    printf(" Ar ");
    for (; *text; text++) {
        if (*text == '|' || *text == '.' || *text == ',')
            printf("\\&%c", *text);
        else
            putchar(*text);
    }
}

static void print_option(const cli_option *o)
{
    printf(".It ");
    if (o->letter) {
        printf("Fl %c", o->letter);
        if (o->argument) print_argument(o->argument);
        printf(" , ");
    }
    printf("Fl \\-%s", o->name);
    if (o->argument) print_argument(o->argument);
    printf("\n");
    print_text(o->help);
}

static void print_see_also(const cli_command *self)
{
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; cli_command_at(i) && n < 64; i++)
        if (cli_command_at(i) != self) names[n++] = cli_command_at(i)->name;
    // By name, as manual pages have it.
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            if (strcmp(names[i], names[k]) > 0) {
                const char *t = names[i];
                names[i] = names[k];
                names[k] = t;
            }
    printf(".Sh SEE ALSO\n");
    if (self) printf(".Xr ferry 1%s\n", n ? " ," : "");
    for (size_t i = 0; i < n; i++) printf(".Xr ferry-%s 1%s\n", names[i], i + 1 < n ? " ," : "");
}

static void print_exit_status(void)
{
    printf(".Sh EXIT STATUS\n0 when all was done, 1 when something failed, 2 when the command line was wrong.\n"
           "After a failure no partial file is left.\n");
}

static void print_command(const cli_command *c)
{
    char name[64], title[64];
    snprintf(name, sizeof name, "ferry-%s", c->name);
    print_upper(title, sizeof title, name);
    print_head(title, name, c->summary);
    printf(".Sh SYNOPSIS\n.Nm ferry %s\n.Op Ar option ...\n", c->name);
    if (c->arguments[0]) {
        printf(".Ar ");
        for (const char *p = c->arguments; *p; p++) {
            if (*p == '[' || *p == ']' || *p == '|')
                printf("\\&%c\\&", *p);
            else
                putchar(*p);
        }
        printf("\n");
    }
    printf(".Sh DESCRIPTION\n");
    print_paragraphs(c->description);
    printf(".Sh OPTIONS\n");
    for (size_t g = 0; c->groups[g]; g++) {
        printf(".Ss %s\n.Bl -tag -width Ds\n", c->groups[g]->title);
        for (const cli_option *o = c->groups[g]->options; o->name; o++) print_option(o);
        printf(".El\n");
    }
    print_exit_status();
    if (c->examples) printf(".Sh EXAMPLES\n.Bd -literal\n%s.Ed\n", c->examples);
    print_see_also(c);
}

static void print_program(void)
{
    print_head("FERRY", "ferry", "carry trained neural networks to the device that runs them");
    printf(".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar option ...\n.Op Ar argument ...\n.Sh DESCRIPTION\n"
           "Imports ONNX models, optimises them, calibrates INT8 on pictures, and\nwrites engine files, which it runs, "
           "measures and inspects.\n.Pp\nThe commands, each with a page of its own:\n.Bl -tag -width calibrate\n");
    for (size_t i = 0; cli_command_at(i); i++) {
        printf(".It Cm %s\n", cli_command_at(i)->name);
        print_text(cli_command_at(i)->summary);
    }
    printf(".El\n");
    print_exit_status();
    printf(".Sh EXAMPLES\n.Bd -literal\n"
           "  ferry build mobilenet.onnx --int8 --calib pictures/ --preprocess imagenet\n"
           "  ferry run mobilenet.engine cat.jpg\n.Ed\n");
    print_see_also(NULL);
}

void cli_print_man(const cli_command *command)
{
    if (command)
        print_command(command);
    else
        print_program();
}

// SPDX-License-Identifier: Apache-2.0
// Completion for bash, from the tables that options are parsed by. The build calls 'ferry help --completion'.
#include <stdio.h>
#include <string.h>

#include "cli.h"

// Values that an option chooses among, where the tables of the library name them.
static void print_values(const char *option)
{
    if (strcmp(option, "preprocess") == 0)
        for (size_t i = 0; ferry_preprocess_preset_name(i); i++) printf(" %s", ferry_preprocess_preset_name(i));
    if (strcmp(option, "decoder") == 0)
        for (size_t i = 0; ferry_decoder_preset_name(i); i++) printf(" %s", ferry_decoder_preset_name(i));
    if (strcmp(option, "disable-pass") == 0)
        for (size_t i = 0; ferry_pass_name(i, NULL); i++) printf(" %s", ferry_pass_name(i, NULL));
    if (strcmp(option, "task") == 0)
        for (int i = 0; ferry_task_name((ferry_task)i); i++) printf(" %s", ferry_task_name((ferry_task)i));
    if (strcmp(option, "filter") == 0)
        for (int i = 0; ferry_filter_name((ferry_filter)i); i++) printf(" %s", ferry_filter_name((ferry_filter)i));
    if (strcmp(option, "calib-algo") == 0)
        for (int i = 0; ferry_calibration_algorithm_name((ferry_calibration_algorithm)i); i++)
            printf(" %s", ferry_calibration_algorithm_name((ferry_calibration_algorithm)i));
    if (strcmp(option, "resize") == 0) printf(" stretch letterbox crop");
    if (strcmp(option, "align") == 0) printf(" center topleft");
    if (strcmp(option, "color") == 0) printf(" rgb bgr gray");
    if (strcmp(option, "layout") == 0) printf(" nchw nhwc");
    if (strcmp(option, "rounding") == 0) printf(" nearest down");
    if (strcmp(option, "device") == 0) printf(" cpu cuda dla");
    if (strcmp(option, "metric") == 0) printf(" top1 map");
}

static void print_case(const cli_command *c)
{
    printf("    %s) options=\"", c->name);
    for (size_t g = 0; c->groups[g]; g++)
        for (const cli_option *o = c->groups[g]->options; o->name; o++) printf("--%s ", o->name);
    printf("\" ;;\n");
}

// Every option that takes one of a few words, once.
static void print_choices(void)
{
    const cli_option *seen[CLI_MOST_GIVEN];
    size_t n = 0;
    for (size_t i = 0; cli_command_at(i); i++)
        for (size_t g = 0; cli_command_at(i)->groups[g]; g++)
            for (const cli_option *o = cli_command_at(i)->groups[g]->options; o->name; o++) {
                bool known = !o->argument || n == CLI_MOST_GIVEN;
                for (size_t k = 0; k < n; k++) known |= strcmp(seen[k]->name, o->name) == 0;
                if (known) continue;
                seen[n++] = o;
                printf("    --%s) values=\"", o->name);
                print_values(o->name);
                printf("\" ;;\n");
            }
}

void cli_print_completion(void)
{
    printf("# SPDX-License-Identifier: Apache-2.0\n# bash completion for ferry; made by 'ferry help --completion'.\n"
           "_ferry() {\n    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options= values=\n"
           "    COMPREPLY=()\n    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; cli_command_at(i); i++) printf("%s ", cli_command_at(i)->name);
    printf("help version\" -- \"$word\"))\n        return\n    fi\n    case $before in\n");
    print_choices();
    // An option's value: one of its words, or else (no words, or a path begun) a file, which bash completes itself.
    printf("    *) before= ;;\n    esac\n    if [ -n \"$before\" ]; then\n"
           "        [ -z \"$values\" ] || COMPREPLY=($(compgen -W \"$values\" -- \"$word\"))\n        return\n    fi\n"
           "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; cli_command_at(i); i++) print_case(cli_command_at(i));
    printf("    help) COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; cli_command_at(i); i++) printf("%s ", cli_command_at(i)->name);
    printf("\" -- \"$word\")); return ;;\n    esac\n"
           "    [[ $word != -* ]] || COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n}\n"
           "complete -o default -o bashdefault -F _ferry ferry\n");
}

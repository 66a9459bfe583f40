// SPDX-License-Identifier: Apache-2.0
// The options of NVRTC that ferry gives, and those that change nothing here; every other one is refused, as NVRTC does.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvrtc/program.h"

// Options whose effect does not exist on a CPU, or that name what the emulator does anyhow. "=" ends a name with a
// value.
static const char *const ignored[] = {"--std=",
                                      "-std=",
                                      "--fmad=",
                                      "-fmad=",
                                      "--ftz=",
                                      "-ftz=",
                                      "--prec-div=",
                                      "--prec-sqrt=",
                                      "--use_fast_math",
                                      "-use_fast_math",
                                      "--extra-device-vectorization",
                                      "-extra-device-vectorization",
                                      "--device-as-default-execution-space",
                                      "-default-device",
                                      "--generate-line-info",
                                      "-lineinfo",
                                      "--maxrregcount=",
                                      "-maxrregcount=",
                                      "--restrict",
                                      "-restrict",
                                      "--disable-warnings",
                                      "-w",
                                      "--display-error-number",
                                      "--no-display-error-number",
                                      "--diag-suppress=",
                                      "-diag-suppress=",
                                      "--include-path=",
                                      "-I",
                                      "--split-compile=",
                                      "--minimal",
                                      "-minimal"};

/// What follows `name` in the option, or NULL.
static const char *value_of(const char *option, const char *name)
{
    const size_t n = strlen(name);
    return strncmp(option, name, n) == 0 ? option + n : NULL;
}

static bool is_ignored(const char *option)
{
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        const char *const rest = value_of(option, ignored[i]);
        if (rest && (!rest[0] || strcmp(ignored[i], "-I") == 0 || ignored[i][strlen(ignored[i]) - 1] == '='))
            return true;
    }
    return false;
}

static bool read_architecture(emulated_program *program, const char *option)
{
    const char *value = value_of(option, "--gpu-architecture=");
    if (!value) value = value_of(option, "-arch=");
    if (!value) return false;
    const char *const compute = value_of(value, "compute_"), *const real = value_of(value, "sm_");
    if (!compute && !real) return false;
    char *end;
    program->chip = (int)strtol(compute ? compute : real, &end, 10);
    program->is_virtual = compute != NULL;
    program->family_only = *end == 'a';
    return program->chip >= 50 && program->chip <= 121 && strlen(end) <= 1;
}

static bool read_definition(emulated_program *program, const char *option)
{
    const char *value = value_of(option, "--define-macro=");
    if (!value) value = value_of(option, "-D");
    if (!value || !value[0]) return false;
    const size_t old = program->definitions ? strlen(program->definitions) : 0;
    char *const text = realloc(program->definitions, old + strlen(value) + 4);
    if (!text) return false;
    program->definitions = text;
    sprintf(text + old, "-D%s\n", value);
    return true;
}

int emulated_read_options(emulated_program *program, int n_options, const char *const *options)
{
    free(program->definitions);
    program->definitions = NULL;
    program->chip = 75; // NVRTC 12's and 13's own choice
    program->is_virtual = true;
    program->family_only = false;
    for (int i = 0; i < n_options; i++) {
        const char *const option = options[i];
        if (read_architecture(program, option) || read_definition(program, option) || is_ignored(option)) continue;
        free(program->log);
        program->log = malloc(strlen(option) + 64);
        if (program->log) sprintf(program->log, "nvrtc: error: invalid value or unknown option: %s\n", option);
        return NVRTC_ERROR_INVALID_OPTION;
    }
    return NVRTC_SUCCESS;
}

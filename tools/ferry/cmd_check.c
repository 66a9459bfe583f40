// SPDX-License-Identifier: Apache-2.0
// ferry check
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static void print_check(const char *path, const json_t *check)
{
    size_t i;
    json_t *one;
    const bool loads = json_is_true(json_object_get(check, "loads"));
    printf("%s: %s\n", path, loads ? "sound, and loads on this machine" : "does NOT load on this machine");
    printf("  this machine: %s\n", text_of(check, "device"));
    json_array_foreach(json_object_get(check, "tuned_for"), i, one)
        printf("  tuned for:    %s\n", json_string_value(one));
    if (loads)
        printf("  plan:         %s\n", json_is_true(json_object_get(check, "replanned"))
                                           ? "made anew from the portable part, since it is tuned for another device"
                                           : "as it was tuned");
    if (loads && !json_is_true(json_object_get(check, "portable")))
        printf("  portable:     no: the part that planning for another device needs was left out\n");
    if (json_array_size(json_object_get(check, "sections")) == 0) return;
    printf("  %-16s %12s %12s  %-16s\n", "section", "offset", "bytes", "checksum");
    json_array_foreach(json_object_get(check, "sections"), i, one)
        printf("  %-16s %12lld %12lld  %-16s %s\n", text_of(one, "name"),
               (long long)json_integer_value(json_object_get(one, "offset")),
               (long long)json_integer_value(json_object_get(one, "bytes")), text_of(one, "checksum"),
               json_is_true(json_object_get(one, "sound")) ? "sound" : "DAMAGED");
}

int cli_check(const cli_settings *settings, int argc, char **argv)
{
    (void)argc;
    ferry_error err = {.text = ""};
    ferry_runtime *runtime = NULL;
    char *text = NULL;
    int status = cli_runtime_open(settings, &runtime);
    if (status == CLI_OK && ferry_engine_check(runtime, argv[0], &text, &err) != FERRY_OK)
        status = cli_fail("%s", err.text);
    json_t *check = text ? json_loads(text, 0, NULL) : NULL;
    if (status == CLI_OK && !check) status = cli_fail("out of memory");
    if (check) {
        char reason[1100];
        const bool loads = json_is_true(json_object_get(check, "loads"));
        snprintf(reason, sizeof reason, "%s", text_of(check, "reason"));
        print_check(argv[0], check);
        if (settings->json) status = cli_print_json(json_incref(check));
        if (!loads) status = cli_fail("%s", reason);
    }
    json_decref(check);
    if (text) ferry_bytes_free(text, strlen(text) + 1);
    ferry_runtime_release(runtime);
    return status;
}

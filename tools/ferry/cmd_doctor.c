// SPDX-License-Identifier: Apache-2.0
// ferry doctor: what the library finds on this machine, and a small network on each device that is there.
#include <stdio.h>
#include <string.h>

#include "doctor.h"

static const char *text_of(const json_t *finding, const char *key)
{
    const char *text = json_string_value(json_object_get(finding, key));
    return text ? text : "";
}

// Whether some part whose name begins so is found working.
static bool works(const json_t *findings, const char *part)
{
    size_t i;
    json_t *f;
    json_array_foreach(findings, i, f) if (strncmp(text_of(f, "part"), part, strlen(part)) == 0 &&
                                           strcmp(text_of(f, "state"), "works") == 0) return true;
    return false;
}

// What the device lacks for it (a compiler for its driver, say) is no fault.
static bool try_device(json_t *findings, const char *device)
{
    ferry_error err = {.text = ""};
    double seconds = 0;
    char part[64], text[sizeof err.text + 64];
    const ferry_status s = cli_doctor_trial(device, &seconds, &err);
    const char *state = s == FERRY_OK ? "works" : s == FERRY_ERR_UNAVAILABLE ? "absent" : "broken";
    snprintf(part, sizeof part, "trial on %s", device);
    if (s == FERRY_OK)
        snprintf(text, sizeof text, "a small network was built and run in %.2f s", seconds);
    else
        snprintf(text, sizeof text, "a small network could not be built and run: %s", err.text);
    json_array_append_new(findings,
                          json_pack("{s:s, s:s, s:s, s:n}", "part", part, "state", state, "text", text, "remedy"));
    return strcmp(state, "broken") != 0;
}

static void print(const json_t *findings)
{
    size_t i;
    json_t *f;
    json_array_foreach(findings, i, f)
    {
        const bool broken = strcmp(text_of(f, "state"), "broken") == 0;
        printf("%-7s %-15s %s\n", broken ? "BROKEN" : text_of(f, "state"), text_of(f, "part"), text_of(f, "text"));
        if (text_of(f, "remedy")[0]) printf("%-23s -> %s\n", "", text_of(f, "remedy"));
    }
}

int cli_doctor(const cli_settings *settings, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    ferry_error err = {.text = ""};
    char *text = NULL;
    if (ferry_diagnose(&text, &err) != FERRY_OK) return cli_fail("%s", err.text);
    json_t *diagnosis = json_loads(text, 0, NULL);
    ferry_bytes_free(text, strlen(text) + 1);
    json_t *findings = json_object_get(diagnosis, "findings");
    if (!findings) {
        json_decref(diagnosis);
        return cli_fail("out of memory");
    }
    bool sound = json_is_true(json_object_get(diagnosis, "works"));
    if (works(findings, "CPU")) sound &= try_device(findings, "cpu");
    if (works(findings, "GPU cuda:0") && works(findings, "NVRTC")) sound &= try_device(findings, "cuda:0");
    json_object_set_new(diagnosis, "works", json_boolean(sound));
    if (settings->json)
        cli_print_json(json_incref(diagnosis));
    else
        print(findings);
    json_decref(diagnosis);
    return sound ? CLI_OK : cli_fail("something on this machine is broken, see above");
}

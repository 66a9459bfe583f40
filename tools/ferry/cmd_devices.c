// SPDX-License-Identifier: Apache-2.0
// ferry devices
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int cli_devices(const cli_settings *settings, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    ferry_device_description devices[16];
    const size_t n = ferry_devices(devices, sizeof devices / sizeof *devices);
    bool accelerated = false;
    json_t *list = json_array();
    for (size_t i = 0; i < n && i < sizeof devices / sizeof *devices; i++) {
        const ferry_device_description *d = &devices[i];
        accelerated |= d->available && strncmp(d->name, "cpu", 3) != 0;
        if (!settings->json)
            printf("%-6s %s%s%s\n", d->name, d->description, d->available ? ", fingerprint " : "", d->fingerprint);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:b}", "name", d->name, "description",
                                              d->description, "fingerprint", d->fingerprint, "memory_bytes",
                                              (json_int_t)d->memory_bytes, "available", (int)d->available));
    }
    if (!accelerated && !settings->json) printf("no GPU can be used; 'ferry doctor' says what it would take\n");
    json_t *json = json_pack("{s:o}", "devices", list);
    char *text = settings->json && json ? json_dumps(json, JSON_COMPACT) : NULL;
    if (text) printf("%s\n", text);
    free(text);
    json_decref(json);
    return CLI_OK;
}

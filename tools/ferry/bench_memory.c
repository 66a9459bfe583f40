// SPDX-License-Identifier: Apache-2.0
// How much memory this process takes, from Linux's /proc.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static double status_mb(const char *key)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0) kb = strtod(line + strlen(key), NULL);
    fclose(f);
    return kb / 1024;
}

double cli_bench_peak_memory_mb(void)
{
    return status_mb("VmHWM:");
}

double cli_bench_memory_mb(void)
{
    return status_mb("VmRSS:");
}

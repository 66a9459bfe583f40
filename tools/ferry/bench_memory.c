// SPDX-License-Identifier: Apache-2.0
// How much memory this process takes, from Linux's /proc, and how much of a GPU's the engine does.
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

uint64_t cli_bench_free_memory(const cli_session *session)
{
    ferry_memory_info info;
    return ferry_runtime_memory(session->runtime, &info, NULL) == FERRY_OK ? info.free_bytes : 0;
}

void cli_bench_count_memory(const cli_session *session, const cli_bench_lane *lanes, int n, uint64_t free_before,
                            cli_bench_device_memory *out)
{
    ferry_memory_info info;
    *out = (cli_bench_device_memory){0};
    if (!free_before || ferry_runtime_memory(session->runtime, &info, NULL) != FERRY_OK) return;
    *out = (cli_bench_device_memory){.known = true, .weights = info.weight_bytes, .kernels = info.kernel_bytes};
    out->taken = free_before > info.free_bytes ? free_before - info.free_bytes : 0;
    for (int i = 0; i < n; i++) {
        const cli_bench_lane *l = &lanes[i];
        out->activations += ferry_context_memory_bytes(l->context);
        for (size_t k = 0; k < (size_t)l->n_bindings * CLI_BENCH_SETS; k++)
            if (l->buffers[k]) out->bindings += l->bytes[k % (size_t)l->n_bindings];
    }
}

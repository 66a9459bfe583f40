// SPDX-License-Identifier: Apache-2.0
// A GPU's clocks, power and temperature, from NVIDIA's management library where there is one: what a time was measured
// at. The functions and numbers are those of the "NVML API Reference Guide".
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { CLOCK_SM = 1, CLOCK_MEMORY = 2, TEMPERATURE_GPU = 0 };

typedef struct device_ *device;

static void *symbol(void *library, const char *name)
{
    return library ? dlsym(library, name) : NULL;
}

// dlsym's answer is an object's address; copied, it is a function's.
#define LOAD(function)                                                                                                 \
    {                                                                                                                  \
        void *address = symbol(library, #function);                                                                    \
        memcpy(&function, &address, sizeof address);                                                                   \
    }

bool cli_bench_read_sensors(unsigned gpu, cli_bench_sensors *out)
{
    int (*nvmlInit_v2)(void) = NULL, (*nvmlShutdown)(void) = NULL;
    int (*nvmlDeviceGetHandleByIndex_v2)(unsigned, device *) = NULL;
    int (*nvmlDeviceGetClockInfo)(device, int, unsigned *) = NULL;
    int (*nvmlDeviceGetPowerUsage)(device, unsigned *) = NULL;
    int (*nvmlDeviceGetTemperature)(device, int, unsigned *) = NULL;
    device d = NULL;
    *out = (cli_bench_sensors){0};
    const char *path = getenv("FERRY_LIBNVML");
    void *library = dlopen(path && path[0] ? path : "libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    LOAD(nvmlInit_v2)
    LOAD(nvmlShutdown)
    LOAD(nvmlDeviceGetHandleByIndex_v2)
    LOAD(nvmlDeviceGetClockInfo)
    LOAD(nvmlDeviceGetPowerUsage)
    LOAD(nvmlDeviceGetTemperature)
    const bool complete = nvmlInit_v2 && nvmlShutdown && nvmlDeviceGetHandleByIndex_v2 && nvmlDeviceGetClockInfo &&
                          nvmlDeviceGetPowerUsage && nvmlDeviceGetTemperature;
    bool read = complete && nvmlInit_v2() == 0;
    if (read) {
        read = nvmlDeviceGetHandleByIndex_v2(gpu, &d) == 0;
        if (read && nvmlDeviceGetClockInfo(d, CLOCK_SM, &out->sm_mhz) != 0) out->sm_mhz = 0;
        if (read && nvmlDeviceGetClockInfo(d, CLOCK_MEMORY, &out->memory_mhz) != 0) out->memory_mhz = 0;
        if (read && nvmlDeviceGetPowerUsage(d, &out->milliwatts) != 0) out->milliwatts = 0;
        if (read && nvmlDeviceGetTemperature(d, TEMPERATURE_GPU, &out->celsius) != 0) out->celsius = 0;
        (void)nvmlShutdown();
    }
    if (library) dlclose(library);
    return read || cli_bench_read_board(out);
}

// SPDX-License-Identifier: Apache-2.0
// The backends of this build, best first.
#include "backend/backend.h"
#include "backend/cpu/cpu.h"
#include "backend/cuda/device.h"

#include <string.h>

static const ferry_backend *const backends[] = {
    &ferry_backend_cuda,
    &ferry_backend_cpu,
    NULL,
};

const ferry_backend *const *ferry_backends(void)
{
    return backends;
}

const ferry_backend *ferry_backend_at(size_t index)
{
    return index + 1 < FERRY_COUNT_OF(backends) ? backends[index] : NULL;
}

const ferry_backend *ferry_backend_find(const char *name)
{
    for (size_t i = 0; backends[i]; i++)
        if (strcmp(backends[i]->name, name) == 0) return backends[i];
    return NULL;
}

// SPDX-License-Identifier: Apache-2.0
// The driver's own way to ask for its functions: by the name without its ABI version, of which the newest is given.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "driver/api.h"

static void *find(const char *name)
{
    Dl_info self;
    if (!dladdr((void *)(uintptr_t)find, &self)) return NULL;
    void *const library = dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    if (!library) return NULL;
    char versioned[128];
    snprintf(versioned, sizeof versioned, "%s_v2", name);
    void *symbol = dlsym(library, versioned);
    if (!symbol) symbol = dlsym(library, name);
    dlclose(library);
    return symbol;
}

EXPORT(cuGetProcAddress, (const char *name, void **out, int version, uint64_t flags))
{
    (void)version;
    (void)flags;
    *out = find(name);
    return *out ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

EXPORT(cuGetProcAddress_v2, (const char *name, void **out, int version, uint64_t flags, int *out_status))
{
    enum { FOUND = 0, UNKNOWN = 1 };
    const CUresult r = cuGetProcAddress(name, out, version, flags);
    if (out_status) *out_status = r ? UNKNOWN : FOUND;
    return r;
}

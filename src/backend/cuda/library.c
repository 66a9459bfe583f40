// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ferry_cuda_library_folders(const char *variable)
{
    const char *own = getenv(variable);
    return own && own[0] ? own : ":/usr/local/cuda/lib64:/usr/local/cuda/targets/aarch64-linux/lib";
}

bool ferry_cuda_library_next(const char **list, const char *name, char *out, size_t bytes)
{
    const char *at = *list;
    if (!at) return false;
    const size_t length = strcspn(at, ":");
    const bool own = length > strlen(name) && strncmp(at + length - strlen(name), name, strlen(name)) == 0;
    snprintf(out, bytes, "%.*s%s%s", (int)length, at, length && !own ? "/" : "", own ? "" : name);
    *list = at[length] ? at + length + 1 : NULL;
    return true;
}

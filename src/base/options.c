// SPDX-License-Identifier: Apache-2.0
#include "base/options.h"

#include <string.h>

ferry_status ferry_options_take(void *own, size_t own_bytes, const void *given, const char *name, ferry_error *err)
{
    size_t size = 0;
    memset(own, 0, own_bytes);
    memcpy(own, &own_bytes, sizeof own_bytes);
    if (!given) return FERRY_OK;
    memcpy(&size, given, sizeof size);
    if (size < sizeof size)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "%s: its member 'size' is %zu; set it to sizeof(%s)", name,
                          size, name);
    memcpy(own, given, size < own_bytes ? size : own_bytes);
    memcpy(own, &own_bytes, sizeof own_bytes);
    return FERRY_OK;
}

// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *ferry_version(void)
{
#define STR_(x) #x
#define STR(x) STR_(x)
    return STR(FERRY_VERSION_MAJOR) "." STR(FERRY_VERSION_MINOR) "." STR(FERRY_VERSION_PATCH);
#undef STR
#undef STR_
}

const char *ferry_status_name(ferry_status status)
{
    switch (status) {
    case FERRY_OK:
        return "ok";
    case FERRY_ERR_INVALID_ARGUMENT:
        return "invalid argument";
    case FERRY_ERR_OUT_OF_MEMORY:
        return "out of memory";
    case FERRY_ERR_IO:
        return "input/output error";
    case FERRY_ERR_BAD_MODEL:
        return "bad model";
    case FERRY_ERR_UNSUPPORTED:
        return "unsupported";
    case FERRY_ERR_BAD_ENGINE:
        return "bad engine";
    case FERRY_ERR_UNAVAILABLE:
        return "unavailable";
    case FERRY_ERR_CANCELLED:
        return "cancelled";
    case FERRY_ERR_BAD_DATA:
        return "bad data";
    case FERRY_ERR_NOT_READY:
        return "not ready";
    case FERRY_ERR_INTERNAL:
        return "internal error";
    case FERRY_ERR_DEVICE:
        return "device error";
    }
    return "unknown status";
}

ferry_status ferry_fail(ferry_error *err, ferry_status status, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return status;
}

ferry_status ferry_within(ferry_error *err, ferry_status status, const char *format, ...)
{
    if (!err) return status;
    char reason[sizeof err->text];
    memcpy(reason, err->text, sizeof reason);
    reason[sizeof reason - 1] = 0;
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    const size_t used = n < 0 ? 0 : (size_t)n < sizeof err->text ? (size_t)n : sizeof err->text - 1;
    snprintf(err->text + used, sizeof err->text - used, ": %s", reason);
    return status;
}

ferry_status ferry_fail_memory(ferry_error *err, const char *what)
{
    return ferry_fail(err, FERRY_ERR_OUT_OF_MEMORY, "out of memory for %s", what);
}

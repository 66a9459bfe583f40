// SPDX-License-Identifier: Apache-2.0
// Failures on request: FERRY_EMULATED_FAIL names one, "alloc:N" and "launch:N" the Nth call that fails.
#include <stdlib.h>
#include <string.h>

#include "driver/emulator.h"

/// What stands behind the name in the request, or NULL.
static const char *request(const char *what)
{
    const char *const text = getenv("FERRY_EMULATED_FAIL");
    const size_t n = strlen(what);
    return text && strncmp(text, what, n) == 0 && (!text[n] || text[n] == ':') ? text + n : NULL;
}

bool emulated_fails(const char *what)
{
    return request(what) != NULL;
}

bool emulated_fails_now(const char *what)
{
    static int calls; // of the one kind that is asked for
    const char *const rest = request(what);
    if (!rest) return false;
    return __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) == (*rest == ':' ? atoi(rest + 1) : 1);
}

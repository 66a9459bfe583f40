// SPDX-License-Identifier: Apache-2.0
#include "support/guarded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATTERN 0xA5
#define BEFORE 64 // guard bytes looked at

guarded guarded_make(size_t bytes, size_t align)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded g = {.bytes = bytes};
    const size_t room = (bytes + BEFORE + align + page - 1) / page * page;
    g.map_bytes = room + page;
    g.map = mmap(NULL, g.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect((char *)g.map + room, page, PROT_NONE) != 0) {
        perror("guarded memory");
        abort();
    }
    memset(g.map, PATTERN, room);
    g.data = (char *)g.map + (room - bytes) / align * align;
    return g;
}

bool guarded_is_whole(const guarded *g)
{
    const unsigned char *p = g->data, *end = (const unsigned char *)g->map + g->map_bytes - sysconf(_SC_PAGESIZE);
    for (size_t i = 1; i <= BEFORE; i++)
        if (*(p - i) != PATTERN) return false;
    for (p += g->bytes; p < end; p++)
        if (*p != PATTERN) return false;
    return true;
}

void guarded_free(guarded *g)
{
    if (g->map) munmap(g->map, g->map_bytes);
    *g = (guarded){0};
}

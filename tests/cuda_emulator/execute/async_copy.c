// SPDX-License-Identifier: Apache-2.0
#include "execute/async_copy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "execute/fiber.h"
#include "execute/grid.h"

typedef struct pending_copy {
    void *shared;
    const void *global; // NULL: zeros
    unsigned bytes, group;
} pending_copy;

typedef struct thread_copies {
    pending_copy *copies; // oldest first; kept from block to block
    unsigned count, capacity, group;
    int late;
} thread_copies;

static thread_copies all[EMULATED_STACKS], *mine;

void emulated_copy_begin(size_t first_stack, int late)
{
    for (size_t i = first_stack; i < first_stack + EMULATED_STACKS / 2; i++) {
        all[i].count = all[i].group = 0;
        all[i].late = late;
    }
}

void emulated_copy_select(size_t stack)
{
    mine = &all[stack];
}

static void perform(const pending_copy *c)
{
    if (c->global)
        memcpy(c->shared, c->global, c->bytes);
    else
        memset(c->shared, 0, c->bytes);
}

static void remember(const pending_copy *c)
{
    if (mine->count == mine->capacity) {
        mine->capacity = mine->capacity ? mine->capacity * 2 : 16;
        mine->copies = realloc(mine->copies, mine->capacity * sizeof *mine->copies);
        if (!mine->copies) abort();
    }
    mine->copies[mine->count++] = *c;
}

void emulated_copy_async(void *shared, const void *global, unsigned bytes, int may_be_late, int valid)
{
    if ((uintptr_t)shared % bytes != 0) emulated_fault("cp.async of %u bytes to an address that is not aligned", bytes);
    if (!emulated_is_shared(shared, bytes)) emulated_fault("cp.async to an address that is not in shared memory");
    if (valid && (uintptr_t)global % bytes != 0)
        emulated_fault("cp.async of %u bytes from an address that is not aligned", bytes);
    const pending_copy c = {shared, valid ? global : NULL, bytes, mine->group};
    if (mine->late && may_be_late)
        remember(&c);
    else
        perform(&c);
}

void emulated_copy_commit(void)
{
    mine->group++;
}

void emulated_copy_wait(unsigned pending)
{
    unsigned done = 0;
    while (done < mine->count && mine->copies[done].group + pending < mine->group) perform(&mine->copies[done++]);
    mine->count -= done;
    if (mine->count) memmove(mine->copies, mine->copies + done, mine->count * sizeof *mine->copies);
}

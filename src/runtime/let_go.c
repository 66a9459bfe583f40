// SPDX-License-Identifier: Apache-2.0
// Keeps little of an engine file resident. Its pages are clean, so giving them back costs one call, and reading them
// again a fault that the system's page cache answers: a run is slower by that, and needs the weights of a few layers at
// a time.
#include "runtime/internal.h"

enum {
    // Giving back after each small layer would cost more than it is worth.
    LEAST_BYTES = 256 << 10,
    // A layer's bias lies among the graph's constants; Linux maps so much around a byte that is read.
    AROUND_BYTES = 64 << 10,
};

void ferry_context_let_go(ferry_context *context, size_t step)
{
    const ferry_engine *e = context->engine;
    if (!context->lets_go) return;
    if (step < e->plan->n_steps) {
        const ferry_plan_step *s = &e->plan->steps[step];
        // An asynchronous device may not have read them yet.
        if (!e->runtime->infos[s->device].synchronous) return;
        context->used_bytes += s->packed_bytes + AROUND_BYTES;
        if (context->used_bytes < LEAST_BYTES) return;
    }
    context->used_bytes = 0;
    ferry_file_map_let_go(&e->image.map);
}

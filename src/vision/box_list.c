// SPDX-License-Identifier: Apache-2.0
#include "vision/box_list.h"

static bool better(const ferry_box_candidate *a, const ferry_box_candidate *b)
{
    return a->score > b->score || (a->score == b->score && a->order < b->order);
}

static void swap(ferry_box_candidate *a, ferry_box_candidate *b)
{
    const ferry_box_candidate t = *a;
    *a = *b;
    *b = t;
}

static void sift_down(ferry_box_candidate *items, size_t count, size_t at)
{
    for (;;) {
        size_t worst = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (better(&items[worst], &items[child])) worst = child;
        }
        if (worst == at) return;
        swap(&items[worst], &items[at]);
        at = worst;
    }
}

static void sift_up(ferry_box_candidate *items, size_t at)
{
    while (at > 0 && better(&items[(at - 1) / 2], &items[at])) {
        swap(&items[at], &items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

void ferry_box_list_begin(ferry_box_list *candidates, size_t most)
{
    candidates->count = 0;
    candidates->offered = 0;
    candidates->most = most;
}

bool ferry_box_list_offer(ferry_box_list *candidates, const ferry_heap *heap, const ferry_box_candidate *candidate)
{
    candidates->offered++;
    if (candidates->count < candidates->most) {
        if (!ferry_heap_reserve(heap, (void **)&candidates->items, &candidates->capacity, sizeof *candidates->items,
                                candidates->count + 1)) {
            return false;
        }
        candidates->items[candidates->count] = *candidate;
        sift_up(candidates->items, candidates->count++);
    } else if (better(candidate, &candidates->items[0])) {
        candidates->items[0] = *candidate;
        sift_down(candidates->items, candidates->count, 0);
    }
    return true;
}

void ferry_box_list_sort(ferry_box_list *candidates)
{
    // A heap with the worst on top, emptied from the back, is best first.
    for (size_t left = candidates->count; left > 1; left--) {
        swap(&candidates->items[0], &candidates->items[left - 1]);
        sift_down(candidates->items, left - 1, 0);
    }
}

void ferry_box_list_deinit(ferry_box_list *candidates, const ferry_heap *heap)
{
    ferry_heap_free(heap, candidates->items, candidates->capacity * sizeof *candidates->items);
    *candidates = (ferry_box_list){0};
}

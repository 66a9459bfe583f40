// SPDX-License-Identifier: Apache-2.0
// Labels 0 and 1 for variables so that a sum of costs of pairs is least: a minimum cut. Exact, for costs of labels that
// differ.
#ifndef FERRY_SRC_PLAN_CUT_H_
#define FERRY_SRC_PLAN_CUT_H_

#include "base/arena.h"
#include "base/status.h"

/// Variables whose label is given.
#define FERRY_CUT_ZERO 0
#define FERRY_CUT_ONE 1
/// A cost that is never paid.
#define FERRY_CUT_NEVER ((int64_t)1 << 52)

typedef struct ferry_cut_arc {
    int32_t to, next; // next arc of the same variable; -1: none
    int64_t room;     // that flow has left
} ferry_cut_arc;

/// Made in an arena that lives longer. Arc 2i and arc 2i + 1 are each other's reverse.
typedef struct ferry_cut {
    ferry_arena *arena; // borrowed
    ferry_cut_arc *arcs;
    size_t n_arcs, arc_capacity;
    int32_t *first; // [n_variables]: its first arc; -1: none
    size_t n_variables, variable_capacity;
} ferry_cut;

ferry_status ferry_cut_init(ferry_cut *cut, ferry_arena *arena, ferry_error *err);
ferry_status ferry_cut_variable(ferry_cut *cut, int32_t *out, ferry_error *err);
/// Costs `cost` (0 to FERRY_CUT_NEVER) where `zero` is labelled 0 and `one` 1.
ferry_status ferry_cut_pair(ferry_cut *cut, int32_t zero, int32_t one, int64_t cost, ferry_error *err);
/// Labels of least cost, [n_variables]; of several such, that with most zeros.
ferry_status ferry_cut_solve(ferry_cut *cut, uint8_t **out_labels, ferry_error *err);

#endif // FERRY_SRC_PLAN_CUT_H_

// SPDX-License-Identifier: Apache-2.0
// Where each buffer of a plan lies, for concrete shapes: one arena a device, shared by buffers that are never alive
// together.
#ifndef FERRY_SRC_PLAN_MEMORY_PLAN_H_
#define FERRY_SRC_PLAN_MEMORY_PLAN_H_

#include "plan/plan.h"

typedef struct ferry_buffer_place {
    uint64_t offset; // in the device's arena; of a buffer with a binding: 0
    uint64_t bytes;
} ferry_buffer_place;

typedef struct ferry_memory_plan {
    ferry_buffer_place *places;                   // [plan->n_buffers]; aliases repeat their root's
    ferry_buffer_place *workspaces;               // [plan->n_steps]: scratch, which is alive only while its step runs
    uint64_t arena_bytes[FERRY_PLAN_MAX_DEVICES]; // buffers and workspaces
    uint64_t sum_bytes;                           // what the buffers would need without sharing, for reports
    uint64_t *needs[FERRY_PLAN_MAX_DEVICES];      // [plan->n_steps]: bytes of the device alive while each step runs
    int32_t *first, *last; // [plan->n_buffers]: steps between which a buffer is alive that lies in no other one
} ferry_memory_plan;

/// bytes[i]: size of buffer i; workspace_bytes[s]: scratch of step s; both multiples of 64. No device needs more than
/// its buffers and its most wanting step would, were scratch kept apart.
/// keep_all: no sharing, so that every buffer can be looked at after the run. Arrays are made in `arena`.
ferry_status ferry_memory_plan_make(const ferry_plan *plan, const uint64_t *bytes, const uint64_t *workspace_bytes,
                                    bool keep_all, ferry_arena *arena, ferry_memory_plan *out, ferry_error *err);

#endif // FERRY_SRC_PLAN_MEMORY_PLAN_H_

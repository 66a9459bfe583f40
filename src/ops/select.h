// SPDX-License-Identifier: Apache-2.0
// Choosing the best few: shared by TopK and NonMaxSuppression, and the parts with files of their own.
#ifndef FERRY_SRC_OPS_SELECT_H_
#define FERRY_SRC_OPS_SELECT_H_

#include "ops/op.h"

typedef struct ferry_candidate {
    uint64_t key; // larger is better
    int64_t index;
} ferry_candidate;

/// Offers a candidate to the best `most` so far, kept as a heap; *count is how many there are. Among equal keys the
/// lower index is better, so the result does not depend on the order of offers.
void ferry_candidates_offer(ferry_candidate *heap, int64_t *count, int64_t most, ferry_candidate candidate);
/// Turns the heap into a list, best first.
void ferry_candidates_sort(ferry_candidate *heap, int64_t count);

// select_nms.c
ferry_status ferry_nms_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_nms_eval(const ferry_eval *eval, ferry_error *err);
size_t ferry_nms_scratch_bytes(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out);

#endif // FERRY_SRC_OPS_SELECT_H_

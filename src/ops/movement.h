// SPDX-License-Identifier: Apache-2.0
// The parts of the movement family that have files of their own.
#ifndef FERRY_SRC_OPS_MOVEMENT_H_
#define FERRY_SRC_OPS_MOVEMENT_H_

#include "ops/op.h"

// movement_slice.c
ferry_status ferry_slice_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_slice_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_compress_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_compress_eval(const ferry_eval *eval, ferry_error *err);
// movement_pad.c
ferry_status ferry_pad_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_pad_eval(const ferry_eval *eval, ferry_error *err);
// movement_blocks.c
ferry_status ferry_depth_to_space_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_depth_to_space_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_space_to_depth_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_space_to_depth_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_reverse_sequence_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_reverse_sequence_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_trilu_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_trilu_eval(const ferry_eval *eval, ferry_error *err);

#endif // FERRY_SRC_OPS_MOVEMENT_H_

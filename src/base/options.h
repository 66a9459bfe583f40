// SPDX-License-Identifier: Apache-2.0
// Taking over a caller's option struct, which may be of an older or a newer ferry than this one.
#ifndef FERRY_SRC_BASE_OPTIONS_H_
#define FERRY_SRC_BASE_OPTIONS_H_

#include "base/status.h"

/// Copies `given` (a struct that begins with `size_t size`; NULL: all defaults) to `own`, a struct of `own_bytes`:
/// members that the caller's version lacks become zero, members that this version lacks are passed over. own's
/// `size` becomes own_bytes.
/// FERRY_ERR_INVALID_ARGUMENT when `size` was not set; `name` is the struct's, for the text.
ferry_status ferry_options_take(void *own, size_t own_bytes, const void *given, const char *name, ferry_error *err);

/// The same for `type own`, with its name.
#define FERRY_OPTIONS_TAKE(type, own, given, err) ferry_options_take((own), sizeof(type), (given), #type, (err))

#endif // FERRY_SRC_BASE_OPTIONS_H_

// SPDX-License-Identifier: Apache-2.0
// What the files of `ferry doctor` share.
#ifndef FERRY_TOOLS_DOCTOR_H_
#define FERRY_TOOLS_DOCTOR_H_

#include "cli.h"

/// Builds and runs a small network on the device. *out_s: seconds that it took.
ferry_status cli_doctor_trial(const char *device, double *out_s, ferry_error *err);

#endif // FERRY_TOOLS_DOCTOR_H_

// SPDX-License-Identifier: Apache-2.0
// What the library itself needs of a sample list beyond ferry/calibrate.h.
#ifndef FERRY_SRC_CALIBRATE_SAMPLE_LIST_H_
#define FERRY_SRC_CALIBRATE_SAMPLE_LIST_H_

#include "base/hash.h"
#include "base/npy.h"
#include "base/status.h"
#include "ferry/calibrate.h"

/// The whole .npy tensor of the list, mapped for as long as the list lives; NULL for pictures. Sample i is row
/// ferry_sample_list_row(list, i) of its first dimension; rows are only as aligned as the file has them.
const ferry_npy *ferry_sample_list_npy(const ferry_sample_list *list);

/// Hash of the contents of all samples in their order; names and places don't matter. A file that cannot be read counts
/// as empty: who uses the samples reports it.
ferry_hash128 ferry_sample_list_hash(const ferry_sample_list *list);

#endif // FERRY_SRC_CALIBRATE_SAMPLE_LIST_H_

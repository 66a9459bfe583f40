// SPDX-License-Identifier: Apache-2.0
// Scales by tensor name: what a calibration cache holds, and what the passes are given.
#ifndef FERRY_SRC_CALIBRATE_SCALE_TABLE_H_
#define FERRY_SRC_CALIBRATE_SCALE_TABLE_H_

#include "base/named_scale.h"
#include "base/report.h"
#include "calibrate/observer.h"
#include "ferry/calibrate.h"

/// In the order of insertion. A scale of 0 says that none is known: the tensor stays in float.
typedef struct ferry_scale_table {
    ferry_arena arena; // names
    const ferry_heap *heap;
    ferry_named_scale *entries;
    size_t count, capacity;
    uint32_t *slots; // hash table: index + 1 of the entry
    size_t slot_count;
} ferry_scale_table;

void ferry_scale_table_init(ferry_scale_table *table, const ferry_heap *heap);
void ferry_scale_table_deinit(ferry_scale_table *table); // a zeroed table is accepted

/// Sets a tensor's scale; a known name keeps its place and gets the new one (`*out_known`, NULL allowed, then is true).
/// The name is copied. FERRY_ERR_OUT_OF_MEMORY leaves the table as it was.
ferry_status ferry_scale_table_set(ferry_scale_table *table, const char *name, size_t name_length, float scale,
                                   bool *out_known, ferry_error *err);

/// The entry of that name, or NULL.
const ferry_named_scale *ferry_scale_table_find(const ferry_scale_table *table, const char *name);

/// (float)(amax / 127) as TensorRT stores it; 0 for an amax of 0, and where the scale would not be a normal float.
float ferry_scale_of_amax(double amax);

/// Chooses a scale for each of the histograms [count] and appends it under names[i]. Tensors without a scale are
/// findings: none of their values was finite (WARNING), they were never seen (WARNING), all values were 0 (INFO). So
/// are tensors some of whose values were not finite (WARNING). `report` may be NULL.
ferry_status ferry_scale_table_from_histograms(ferry_scale_table *table, const ferry_histogram *histograms,
                                               size_t count, const char *const *names,
                                               ferry_calibration_algorithm algorithm, double percentile,
                                               ferry_report *report, ferry_error *err);
/// The same for the tensors of an observer.
ferry_status ferry_scale_table_from_observer(ferry_scale_table *table, const ferry_observer *observer,
                                             const char *const *names, ferry_calibration_algorithm algorithm,
                                             double percentile, ferry_report *report, ferry_error *err);

/// Holds a table that was read from a cache against the names of the model's float tensors: those that it lacks are one
/// finding (WARNING) that counts and lists them; names that the model lacks are another (INFO). No name in common is
/// FERRY_ERR_BAD_DATA: the cache belongs to another model, or to other names. `origin` names the cache in texts.
ferry_status ferry_scale_table_check(const ferry_scale_table *table, const char *origin, const char *const *names,
                                     size_t name_count, ferry_report *report, ferry_error *err);

#endif // FERRY_SRC_CALIBRATE_SCALE_TABLE_H_

// SPDX-License-Identifier: Apache-2.0
#include "calibrate/scale_table.h"

#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "calibrate/threshold.h"

void ferry_scale_table_init(ferry_scale_table *table, const ferry_heap *heap)
{
    memset(table, 0, sizeof *table);
    table->heap = heap;
    ferry_arena_init(&table->arena, heap);
}

void ferry_scale_table_deinit(ferry_scale_table *table)
{
    if (!table->heap) return;
    ferry_heap_free(table->heap, table->entries, table->capacity * sizeof *table->entries);
    ferry_heap_free(table->heap, table->slots, table->slot_count * sizeof *table->slots);
    ferry_arena_deinit(&table->arena);
    memset(table, 0, sizeof *table);
}

// The slot that holds the name, or the free one where it would go. There is always a free one.
static uint32_t *find_slot(const ferry_scale_table *t, const char *name, size_t length)
{
    size_t i = (size_t)ferry_hash64_of(name, length) & (t->slot_count - 1);
    for (;; i = (i + 1) & (t->slot_count - 1)) {
        if (t->slots[i] == 0) return &t->slots[i];
        const char *other = t->entries[t->slots[i] - 1].name;
        if (strncmp(other, name, length) == 0 && other[length] == 0) return &t->slots[i];
    }
}

// Keeps the table at most half full.
static bool grow_slots(ferry_scale_table *t)
{
    if (t->slot_count >= 2 * (t->count + 1)) return true;
    const size_t old_count = t->slot_count, count = old_count ? 2 * old_count : 64;
    uint32_t *old = t->slots;
    uint32_t *slots = ferry_heap_alloc_array(t->heap, count, sizeof *slots);
    if (!slots) return false;
    t->slots = slots;
    t->slot_count = count;
    for (size_t i = 0; i < t->count; i++)
        *find_slot(t, t->entries[i].name, strlen(t->entries[i].name)) = (uint32_t)i + 1;
    ferry_heap_free(t->heap, old, old_count * sizeof *old);
    return true;
}

ferry_status ferry_scale_table_set(ferry_scale_table *table, const char *name, size_t name_length, float scale,
                                   bool *out_known, ferry_error *err)
{
    if (table->count >= UINT32_MAX / 2 || !grow_slots(table) ||
        !ferry_heap_reserve(table->heap, (void **)&table->entries, &table->capacity, sizeof *table->entries,
                            table->count + 1))
        return ferry_fail_memory(err, "the table of scales");
    uint32_t *slot = find_slot(table, name, name_length);
    if (out_known) *out_known = *slot != 0;
    if (*slot) {
        table->entries[*slot - 1].scale = scale;
        return FERRY_OK;
    }
    char *copy = ferry_arena_strndup(&table->arena, name, name_length);
    if (!copy) return ferry_fail_memory(err, "the table of scales");
    table->entries[table->count++] = (ferry_named_scale){copy, scale};
    *slot = (uint32_t)table->count;
    return FERRY_OK;
}

const ferry_named_scale *ferry_scale_table_find(const ferry_scale_table *table, const char *name)
{
    if (table->slot_count == 0) return NULL;
    const uint32_t *slot = find_slot(table, name, strlen(name));
    return *slot ? &table->entries[*slot - 1] : NULL;
}

float ferry_scale_of_amax(double amax)
{
    const float scale = (float)(amax / 127);
    return scale >= FLT_MIN ? scale : 0;
}

static void report_odd_values(const ferry_histogram *h, const char *name, float scale, ferry_report *report)
{
    const uint64_t finite = ferry_histogram_finite_count(h), odd = h->nan_count + h->infinite_count;
    if (finite == 0 && odd == 0) {
        ferry_report_add(report, FERRY_SEVERITY_WARNING, name, "has no scale: no value of it was seen");
    } else if (finite == 0) {
        ferry_report_add(report, FERRY_SEVERITY_WARNING, name,
                         "has no scale: none of its %" PRIu64 " values is a finite number", odd);
    } else if (odd > 0) {
        ferry_report_add(report, FERRY_SEVERITY_WARNING, name,
                         "%" PRIu64 " of its %" PRIu64 " values are NaN and %" PRIu64
                         " infinite; the scale comes from the others",
                         h->nan_count, finite + odd, h->infinite_count);
    } else if (scale == 0) {
        ferry_report_add(report, FERRY_SEVERITY_INFO, name, "has no scale: all of its values are 0 or next to it");
    }
}

ferry_status ferry_scale_table_from_histograms(ferry_scale_table *table, const ferry_histogram *histograms,
                                               size_t count, const char *const *names,
                                               ferry_calibration_algorithm algorithm, double percentile,
                                               ferry_report *report, ferry_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const ferry_histogram *h = &histograms[i];
        double amax = 0;
        FERRY_TRY(ferry_threshold_choose(table->heap, h, algorithm, percentile, &amax, err));
        const float scale = ferry_scale_of_amax(amax);
        report_odd_values(h, names[i], scale, report);
        FERRY_TRY(ferry_scale_table_set(table, names[i], strlen(names[i]), scale, NULL, err));
    }
    return FERRY_OK;
}

ferry_status ferry_scale_table_from_observer(ferry_scale_table *table, const ferry_observer *observer,
                                             const char *const *names, ferry_calibration_algorithm algorithm,
                                             double percentile, ferry_report *report, ferry_error *err)
{
    return ferry_scale_table_from_histograms(table, ferry_observer_histogram(observer, 0),
                                             ferry_observer_tensor_count(observer), names, algorithm, percentile,
                                             report, err);
}

// "a, b, c and 7 more" as far as it fits.
typedef struct name_list {
    char text[600];
    size_t used, count, left_out;
} name_list;

static void list_name(name_list *list, const char *name)
{
    const size_t need = strlen(name) + 2;
    list->count++;
    if (list->left_out || list->used + need >= sizeof list->text) {
        list->left_out++;
        return;
    }
    list->used +=
        (size_t)snprintf(list->text + list->used, sizeof list->text - list->used, "%s%s", list->used ? ", " : "", name);
}

static const char *rest_of(const name_list *list, char text[40])
{
    text[0] = 0;
    if (list->left_out) snprintf(text, 40, "%s%zu more", list->used ? " and " : "", list->left_out);
    return text;
}

ferry_status ferry_scale_table_check(const ferry_scale_table *table, const char *origin, const char *const *names,
                                     size_t name_count, ferry_report *report, ferry_error *err)
{
    name_list missing = {.used = 0}, surplus = {.used = 0};
    char rest[40];
    ferry_scale_table wanted;
    ferry_scale_table_init(&wanted, table->heap);
    ferry_status s = FERRY_OK;
    for (size_t i = 0; i < name_count && s == FERRY_OK; i++) {
        if (!ferry_scale_table_find(table, names[i])) list_name(&missing, names[i]);
        s = ferry_scale_table_set(&wanted, names[i], strlen(names[i]), 0, NULL, err);
    }
    for (size_t i = 0; i < table->count && s == FERRY_OK; i++)
        if (!ferry_scale_table_find(&wanted, table->entries[i].name)) list_name(&surplus, table->entries[i].name);
    ferry_scale_table_deinit(&wanted);
    FERRY_TRY(s);
    if (name_count > 0 && missing.count == name_count)
        return ferry_fail(err, FERRY_ERR_BAD_DATA,
                          "%s: none of its %zu tensor names occurs in the model (it has %s%s): it was made for another "
                          "model; --recalibrate would replace it",
                          origin, table->count, missing.text, rest_of(&missing, rest));
    if (missing.count)
        ferry_report_add(report, FERRY_SEVERITY_WARNING, origin,
                         "lacks %zu of the model's %zu float tensors, which run in float: %s%s", missing.count,
                         name_count, missing.text, rest_of(&missing, rest));
    if (surplus.count)
        ferry_report_add(report, FERRY_SEVERITY_INFO, origin, "has %zu names that the model lacks: %s%s", surplus.count,
                         surplus.text, rest_of(&surplus, rest));
    return FERRY_OK;
}

// SPDX-License-Identifier: Apache-2.0
// Average precision as the COCO evaluation defines it. Boxes are matched picture by picture as they come, for all ten
// IoU limits at once; only a score and ten verdicts per box are kept.
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/status.h"
#include "ferry/metrics.h"

enum { LIMITS = 10, MAX_PER_PICTURE = 100, RECALL_POINTS = 101, MAX_CLASS = 1000000 };

typedef struct verdict {
    float score;
    int32_t class_index;
    uint64_t order;          // among equal scores, as COCO does: in the order in which they came
    uint16_t right, ignored; // a bit for each limit
} verdict;

struct ferry_ap {
    ferry_heap heap;
    verdict *verdicts;
    size_t verdict_count, verdict_capacity;
    uint64_t *true_counts; // by class, without crowd regions
    size_t class_capacity;
    size_t picture_count, true_box_count;
    bool *used; // scratch: by limit and true box
    size_t used_capacity;
};

ferry_status ferry_ap_create(const ferry_heap *heap, ferry_ap **out, ferry_error *error)
{
    *out = NULL;
    heap = ferry_heap_or_default(heap);
    ferry_ap *ap = ferry_new(heap, ferry_ap);
    if (!ap) return ferry_fail_memory(error, "average precision");
    ap->heap = *heap;
    *out = ap;
    return FERRY_OK;
}

void ferry_ap_destroy(ferry_ap *ap)
{
    if (!ap) return;
    const ferry_heap heap = ap->heap;
    ferry_heap_free(&heap, ap->verdicts, ap->verdict_capacity * sizeof *ap->verdicts);
    ferry_heap_free(&heap, ap->true_counts, ap->class_capacity * sizeof *ap->true_counts);
    ferry_heap_free(&heap, ap->used, ap->used_capacity * sizeof *ap->used);
    ferry_delete(&heap, ap);
}

// With a crowd region the share of the found box counts, since many boxes may lie in it.
static double overlap(const ferry_detection *d, const ferry_true_box *t)
{
    const double x1 = d->x1 > t->x1 ? d->x1 : t->x1, y1 = d->y1 > t->y1 ? d->y1 : t->y1;
    const double x2 = d->x2 < t->x2 ? d->x2 : t->x2, y2 = d->y2 < t->y2 ? d->y2 : t->y2;
    if (!(x2 > x1 && y2 > y1)) return 0;
    const double both = (x2 - x1) * (y2 - y1);
    const double found = ((double)d->x2 - d->x1) * ((double)d->y2 - d->y1);
    const double real = ((double)t->x2 - t->x1) * ((double)t->y2 - t->y1);
    return both / (t->is_crowd ? found : found + real - both);
}

// The free true box that `d` overlaps most, real objects before crowd regions; -1 when none reaches the limit.
static int64_t best_match(const ferry_detection *d, const ferry_true_box *truth, size_t count, const bool *used,
                          double limit)
{
    double best_overlap = limit < 1 - 1e-10 ? limit : 1 - 1e-10;
    int64_t best = -1;
    for (int crowd = 0; crowd < 2 && best < 0; crowd++) {
        for (size_t t = 0; t < count; t++) {
            if ((truth[t].is_crowd != 0) != (crowd != 0) || truth[t].class_index != d->class_index) continue;
            if (used[t] && !crowd) continue;
            const double o = overlap(d, &truth[t]);
            if (o < best_overlap) continue;
            best_overlap = o;
            best = (int64_t)t;
        }
    }
    return best;
}

static int by_score(const void *a, const void *b)
{
    const ferry_detection *x = *(const ferry_detection *const *)a, *y = *(const ferry_detection *const *)b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x < y ? -1 : x > y ? 1 : 0;
}

static ferry_status judge(ferry_ap *ap, const ferry_detection *d, const ferry_true_box *truth, size_t truth_count,
                          ferry_error *err)
{
    if (!ferry_heap_reserve(&ap->heap, (void **)&ap->verdicts, &ap->verdict_capacity, sizeof *ap->verdicts,
                            ap->verdict_count + 1)) {
        return ferry_fail_memory(err, "average precision");
    }
    verdict *v = &ap->verdicts[ap->verdict_count];
    *v = (verdict){.score = d->score, .class_index = d->class_index, .order = ap->verdict_count};
    for (int l = 0; l < LIMITS; l++) {
        bool *used = ap->used + (size_t)l * truth_count;
        const int64_t match = best_match(d, truth, truth_count, used, 0.5 + 0.05 * l);
        if (match < 0) continue;
        used[match] = true;
        if (truth[match].is_crowd) {
            v->ignored |= (uint16_t)(1u << l);
        } else {
            v->right |= (uint16_t)(1u << l);
        }
    }
    ap->verdict_count++;
    return FERRY_OK;
}

static ferry_status count_truth(ferry_ap *ap, const ferry_true_box *truth, size_t truth_count, ferry_error *err)
{
    for (size_t t = 0; t < truth_count; t++) {
        const int32_t c = truth[t].class_index;
        if (c < 0 || c > MAX_CLASS) {
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "class index %d of a true box", (int)c);
        }
        if (!ferry_heap_reserve(&ap->heap, (void **)&ap->true_counts, &ap->class_capacity, sizeof *ap->true_counts,
                                (size_t)c + 1)) {
            return ferry_fail_memory(err, "average precision");
        }
    }
    size_t need = 0;
    if (!ferry_mul_size(truth_count, LIMITS, &need) ||
        !ferry_heap_reserve(&ap->heap, (void **)&ap->used, &ap->used_capacity, sizeof *ap->used, need)) {
        return ferry_fail_memory(err, "average precision");
    }
    return FERRY_OK;
}

ferry_status ferry_ap_add(ferry_ap *ap, const ferry_detection *found, size_t found_count, const ferry_true_box *truth,
                          size_t truth_count, ferry_error *error)
{
    FERRY_TRY(count_truth(ap, truth, truth_count, error));
    if (truth_count > 0) memset(ap->used, 0, truth_count * LIMITS * sizeof *ap->used);
    const ferry_detection **sorted = ferry_heap_alloc_array(&ap->heap, found_count, sizeof(const ferry_detection *));
    if (!sorted) return ferry_fail_memory(error, "average precision");
    for (size_t i = 0; i < found_count; i++) sorted[i] = &found[i];
    qsort(sorted, found_count, sizeof *sorted, by_score);
    const size_t before = ap->verdict_count;
    ferry_status status = FERRY_OK;
    for (size_t i = 0; i < found_count && i < MAX_PER_PICTURE && status == FERRY_OK; i++) {
        status = judge(ap, sorted[i], truth, truth_count, error);
    }
    ferry_heap_free(&ap->heap, sorted, found_count * sizeof *sorted);
    if (status != FERRY_OK) {
        ap->verdict_count = before;
        return status;
    }
    ap->picture_count++;
    for (size_t t = 0; t < truth_count; t++) {
        if (truth[t].is_crowd) continue;
        ap->true_counts[truth[t].class_index]++;
        ap->true_box_count++;
    }
    return FERRY_OK;
}

static int by_class_then_score(const void *a, const void *b)
{
    const verdict *x = a, *y = b;
    if (x->class_index != y->class_index) return x->class_index < y->class_index ? -1 : 1;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order ? 1 : 0;
}

// Verdicts of one class, best first. The precision at each recall point is the best that is reached there or beyond.
static double area(const verdict *v, size_t count, int limit, uint64_t true_count)
{
    double best_from[RECALL_POINTS] = {0};
    uint64_t right = 0, wrong = 0;
    for (size_t i = 0; i < count; i++) {
        if (v[i].ignored >> limit & 1) continue;
        if (!(v[i].right >> limit & 1)) {
            wrong++;
            continue;
        }
        right++;
        const double precision = (double)right / (double)(right + wrong);
        // The last recall point that this box reaches: p/100 <= right/true_count, in whole numbers.
        const size_t point = (size_t)(right * (RECALL_POINTS - 1) / true_count);
        if (precision > best_from[point]) best_from[point] = precision;
    }
    double sum = 0, best = 0;
    for (int p = RECALL_POINTS - 1; p >= 0; p--) {
        if (best_from[p] > best) best = best_from[p];
        sum += best;
    }
    return sum / RECALL_POINTS;
}

static verdict *sorted_copy(const ferry_ap *ap)
{
    verdict *v = ferry_heap_alloc_array(&ap->heap, ap->verdict_count, sizeof *v);
    if (v && ap->verdict_count > 0) {
        memcpy(v, ap->verdicts, ap->verdict_count * sizeof *v);
        qsort(v, ap->verdict_count, sizeof *v, by_class_then_score);
    }
    return v;
}

ferry_status ferry_ap_summarise(const ferry_ap *ap, ferry_ap_summary *out, ferry_error *error)
{
    *out = (ferry_ap_summary){.picture_count = ap->picture_count, .true_box_count = ap->true_box_count};
    verdict *v = sorted_copy(ap);
    if (!v) return ferry_fail_memory(error, "average precision");
    double sums[LIMITS] = {0};
    size_t at = 0;
    for (size_t c = 0; c < ap->class_capacity; c++) {
        while (at < ap->verdict_count && v[at].class_index < (int32_t)c) at++;
        size_t end = at;
        while (end < ap->verdict_count && v[end].class_index == (int32_t)c) end++;
        if (ap->true_counts[c] > 0) {
            out->class_count++;
            for (int l = 0; l < LIMITS; l++) sums[l] += area(v + at, end - at, l, ap->true_counts[c]);
        }
        at = end;
    }
    ferry_heap_free(&ap->heap, v, ap->verdict_count * sizeof *v);
    if (out->class_count == 0) return FERRY_OK;
    for (int l = 0; l < LIMITS; l++) out->map += sums[l] / (double)out->class_count / LIMITS;
    out->map50 = sums[0] / (double)out->class_count;
    return FERRY_OK;
}

double ferry_ap_class(const ferry_ap *ap, int32_t class_index)
{
    if (class_index < 0 || (size_t)class_index >= ap->class_capacity || ap->true_counts[class_index] == 0) return -1;
    verdict *v = sorted_copy(ap);
    if (!v) return -1;
    size_t begin = 0;
    while (begin < ap->verdict_count && v[begin].class_index != class_index) begin++;
    size_t end = begin;
    while (end < ap->verdict_count && v[end].class_index == class_index) end++;
    const double ap50 = area(v + begin, end - begin, 0, ap->true_counts[class_index]);
    ferry_heap_free(&ap->heap, v, ap->verdict_count * sizeof *v);
    return ap50;
}

// SPDX-License-Identifier: Apache-2.0
// NonMaxSuppression: per image and class, the best boxes that do not overlap a better one by more than a threshold.
#include <inttypes.h>
#include <math.h>

#include "base/status.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/rows.h"
#include "ops/rules.h"
#include "ops/select.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static ferry_status same_dim(const ferry_shape *boxes, int32_t bd, const ferry_shape *scores, int32_t sd,
                             ferry_error *err)
{
    if (boxes->dims[bd] < 0 || scores->dims[sd] < 0 || boxes->dims[bd] == scores->dims[sd]) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                      "dimension %" PRId32 " of the boxes is %" PRId64 ", dimension %" PRId32 " of the scores %" PRId64,
                      bd, boxes->dims[bd], sd, scores->dims[sd]);
}

ferry_status ferry_nms_infer(ferry_infer *infer, ferry_error *err)
{
    const ferry_shape *boxes = &infer->in_shapes[0], *scores = &infer->in_shapes[1];
    for (int32_t i = 0; i < 2; i++) {
        FERRY_TRY(ferry_need_types(infer, i, FERRY_TYPES_FLOAT, err));
        FERRY_TRY(ferry_need_rank(infer, i, 3, err));
    }
    FERRY_TRY(ferry_need_types(infer, 2, FERRY_TYPES_INDEX, err));
    infer->out_dtypes[0] = FERRY_S64;
    ferry_shape *out = &infer->out_shapes[0];
    *out = ferry_shape_of_rank(2);
    ferry_set_dim(out, 1, 3);
    // Without the input, ONNX's default is 0: no boxes at all.
    int64_t per_class = 0;
    bool known = true;
    if (ferry_has_input(infer->node, 2)) {
        known = infer->in_data[2].data != NULL;
        if (known) FERRY_TRY(ferry_read_int(&infer->in_data[2], "max_output_boxes_per_class", &per_class, err));
        if (per_class < 0) per_class = 0;
    }
    infer->bounded = true;
    int64_t all = FERRY_DIM_UNKNOWN, classes = FERRY_DIM_UNKNOWN;
    if (boxes->rank == 3) {
        if (boxes->dims[2] >= 0 && boxes->dims[2] != 4) {
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a box has %" PRId64 " numbers; it must have 4",
                              boxes->dims[2]);
        }
        all = boxes->dims[1];
    }
    if (scores->rank == 3) {
        if (all < 0) all = scores->dims[2];
        FERRY_TRY(ferry_dim_mul(scores->dims[0], scores->dims[1], &classes, err));
    }
    if (boxes->rank == 3 && scores->rank == 3) {
        FERRY_TRY(same_dim(boxes, 0, scores, 0, err));
        FERRY_TRY(same_dim(boxes, 1, scores, 2, err));
    }
    const int64_t most = known && all >= 0 ? least(all, per_class) : known && per_class == 0 ? 0 : all;
    int64_t rows = 0;
    FERRY_TRY(ferry_dim_mul(classes, most, &rows, err));
    ferry_set_dim(out, 0, rows);
    return FERRY_OK;
}

size_t ferry_nms_scratch_bytes(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out)
{
    (void)node;
    (void)out;
    size_t bytes;
    return ferry_mul_size((size_t)in[0].dims[1], sizeof(ferry_candidate), &bytes) ? bytes : SIZE_MAX;
}

typedef struct box {
    float top, left, bottom, right;
} box;

// Corners may be given in any order; a centre box is x, y, width, height. The four numbers are in any order of axes
// that is the same for all boxes: overlap does not care.
static box read_box(const ferry_tensor *boxes, int64_t i, bool centre)
{
    float v[4];
    for (int64_t k = 0; k < 4; k++) v[k] = (float)ferry_load_f64(boxes, (size_t)(i * 4 + k));
    if (centre) {
        const float half_width = v[2] / 2, half_height = v[3] / 2;
        return (box){v[1] - half_height, v[0] - half_width, v[1] + half_height, v[0] + half_width};
    }
    return (box){fminf(v[0], v[2]), fminf(v[1], v[3]), fmaxf(v[0], v[2]), fmaxf(v[1], v[3])};
}

static bool overlaps(box a, box b, float threshold)
{
    const float height = fminf(a.bottom, b.bottom) - fmaxf(a.top, b.top);
    const float width = fminf(a.right, b.right) - fmaxf(a.left, b.left);
    if (!(height > 0 && width > 0)) return false;
    const float common = height * width;
    const float area_a = (a.bottom - a.top) * (a.right - a.left), area_b = (b.bottom - b.top) * (b.right - b.left);
    const float together = area_a + area_b - common;
    return area_a > 0 && area_b > 0 && together > 0 && common / together > threshold;
}

typedef struct nms {
    int64_t per_class;
    float iou;
    double score;
    bool has_score, centre;
} nms;

static ferry_status read_nms(const ferry_eval *eval, nms *out, ferry_error *err)
{
    *out = (nms){.centre = ferry_node_int(eval->node, "center_point_box", 0) != 0};
    double iou = 0;
    if (ferry_has_input(eval->node, 2)) {
        FERRY_TRY(ferry_read_int(&eval->in[2], "max_output_boxes_per_class", &out->per_class, err));
    }
    if (ferry_has_input(eval->node, 3)) FERRY_TRY(ferry_read_number(&eval->in[3], "iou_threshold", &iou, err));
    out->has_score = ferry_has_input(eval->node, 4);
    if (out->has_score) FERRY_TRY(ferry_read_number(&eval->in[4], "score_threshold", &out->score, err));
    if (!(iou >= 0 && iou <= 1))
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "iou_threshold is %g; it must be 0 to 1", iou);
    out->iou = (float)iou;
    return FERRY_OK;
}

ferry_status ferry_nms_eval(const ferry_eval *eval, ferry_error *err)
{
    const ferry_tensor *boxes = &eval->in[0], *scores = &eval->in[1];
    ferry_tensor *y = &eval->out[0];
    nms how;
    FERRY_TRY(read_nms(eval, &how, err));
    if (ferry_elements(scores) == 0) {
        y->dims[0] = 0;
        return FERRY_OK;
    }
    const int64_t images = scores->dims[0], classes = scores->dims[1], n = boxes->dims[1], room = y->dims[0];
    ferry_candidate *candidates = eval->scratch;
    int64_t *rows = y->data, found = 0;
    for (int64_t c = 0; c < images * classes; c++) {
        const int64_t image = c / classes;
        int64_t count = 0, kept = 0;
        for (int64_t i = 0; i < n; i++) {
            const double score = ferry_load_f64(scores, (size_t)(c * n + i));
            if (isnan(score) || (how.has_score && !(score > how.score))) continue;
            ferry_candidates_offer(candidates, &count, n, (ferry_candidate){ferry_order_key(score), i});
        }
        ferry_candidates_sort(candidates, count);
        for (int64_t i = 0; i < count && kept < how.per_class; i++) {
            const box next = read_box(boxes, image * n + candidates[i].index, how.centre);
            bool free = true;
            for (int64_t k = 0; k < kept && free; k++) {
                free = !overlaps(read_box(boxes, image * n + candidates[k].index, how.centre), next, how.iou);
            }
            if (!free) continue;
            candidates[kept++] = candidates[i]; // those kept so far are at the front
            if (found == room) {
                return ferry_fail(err, FERRY_ERR_INTERNAL, "more boxes than the %" PRId64 " there is room for", room);
            }
            rows[found * 3] = image;
            rows[found * 3 + 1] = c % classes;
            rows[found * 3 + 2] = candidates[i].index;
            found++;
        }
    }
    y->dims[0] = found;
    return FERRY_OK;
}

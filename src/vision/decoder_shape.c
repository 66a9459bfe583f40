// SPDX-License-Identifier: Apache-2.0
#include "vision/decoder_shape.h"

#include <inttypes.h>
#include <stdio.h>

int64_t ferry_field_channels(const ferry_head_output *out, uint32_t field, uint32_t bins, int64_t class_columns)
{
    switch (out->fields[field].field) {
    case FERRY_FIELD_BOXES:
        return 4 * (int64_t)(bins ? bins : 1);
    case FERRY_FIELD_PRIORS:
        return 4;
    case FERRY_FIELD_CLASSES:
        return class_columns;
    case FERRY_FIELD_SKIP:
        return out->fields[field].channels;
    default:
        return 1;
    }
}

// Channels of all fields but the classes.
static int64_t fixed_channels(const ferry_head_output *entry, uint32_t bins, bool *has_classes)
{
    int64_t sum = 0;
    *has_classes = false;
    for (uint32_t f = 0; f < entry->field_count; f++) {
        if (entry->fields[f].field == FERRY_FIELD_CLASSES) *has_classes = true;
        sum += ferry_field_channels(entry, f, bins, 0);
    }
    return sum;
}

static int64_t anchors_of(const ferry_head *head)
{
    return head->level_count > 0 ? head->levels[0].anchors_per_cell : 1;
}

// Accepts `channels` values a position, and learns the number of classes from them.
static bool take_channels(const ferry_head_output *entry, uint32_t bins, int64_t channels, ferry_shape_known *known)
{
    bool has_classes;
    const int64_t fixed = fixed_channels(entry, bins, &has_classes);
    if (!has_classes) return channels == fixed;
    const int64_t columns = channels - fixed;
    if (columns <= known->class_offset) return false;
    if (known->class_columns != 0 && columns != known->class_columns) return false;
    known->class_columns = columns;
    return true;
}

static bool take_positions(int64_t positions, ferry_shape_known *known)
{
    if (positions <= 0 || (known->positions != 0 && positions != known->positions)) return false;
    known->positions = positions;
    return true;
}

// The last `keep` dimensions; what lies before them must be the batch and ones.
static const int64_t *last_dims(const ferry_tensor_view *view, int32_t keep)
{
    if (view->rank < keep) return NULL;
    for (int32_t i = 1; i < view->rank - keep; i++) {
        if (view->dims[i] != 1) return NULL;
    }
    return view->dims + view->rank - keep;
}

static bool match_rows(const ferry_head_output *entry, uint32_t bins, const ferry_tensor_view *view,
                       ferry_shape_known *known, ferry_output_shape *out)
{
    bool has_classes;
    const bool single = fixed_channels(entry, bins, &has_classes) == 1 && !has_classes;
    const int64_t *d = NULL;
    const bool columns = entry->layout == FERRY_LAYOUT_COLUMNS;
    if (single && view->rank <= 2) { // one number a position may come without a dimension for it
        d = last_dims(view, 1);
        out->has_batch = view->rank > 1;
        out->channels = out->per_row = 1;
        out->per_channel = 0;
        return d && take_positions(d[0], known);
    }
    d = last_dims(view, 2);
    if (!d || !take_positions(d[columns ? 1 : 0], known)) return false;
    out->has_batch = view->rank > 2;
    out->channels = d[columns ? 0 : 1];
    out->per_row = columns ? 1 : out->channels;
    out->per_channel = columns ? known->positions : 1;
    return take_channels(entry, bins, out->channels, known);
}

static bool match_flat(const ferry_head_output *entry, uint32_t bins, const ferry_tensor_view *view,
                       ferry_shape_known *known, ferry_output_shape *out)
{
    int64_t length = view->rank == 1 ? view->dims[0] : 1;
    int32_t wide = 0;
    for (int32_t i = 1; i < view->rank; i++) {
        if (view->dims[i] != 1) {
            wide++;
            length = view->dims[i];
        }
    }
    if (wide > 1 || length <= 0) return false;
    bool has_classes;
    const int64_t fixed = fixed_channels(entry, bins, &has_classes);
    if (has_classes ? known->positions == 0 : length % fixed != 0) return false;
    if (has_classes && length % known->positions != 0) return false;
    out->channels = has_classes ? length / known->positions : fixed;
    out->has_batch = view->rank > 1;
    out->per_row = out->channels;
    out->per_channel = 1;
    return take_positions(length / out->channels, known) && take_channels(entry, bins, out->channels, known);
}

static bool match_caffe_priors(const ferry_tensor_view *view, ferry_shape_known *known, ferry_output_shape *out)
{
    const int64_t *d = last_dims(view, 2);
    out->has_batch = view->rank > 2;
    out->channels = out->per_row = 4;
    out->per_channel = 1;
    return d && d[0] == 2 && d[1] % 4 == 0 && take_positions(d[1] / 4, known);
}

static bool match_grid(const ferry_head *head, const ferry_head_output *entry, uint32_t bins,
                       const ferry_tensor_view *view, ferry_shape_known *known, ferry_output_shape *out)
{
    const int64_t anchors = anchors_of(head);
    int64_t h, w, channels;
    out->is_grid = true;
    if (entry->layout == FERRY_LAYOUT_AHWC || view->rank == 5) {
        if (view->rank != 5 && !(view->rank == 4 && entry->layout == FERRY_LAYOUT_AHWC)) return false;
        const int64_t *d = view->dims + view->rank - 4;
        out->has_batch = view->rank > 4;
        switch (entry->layout) {
        case FERRY_LAYOUT_AHWC:
            if (d[0] != anchors) return false;
            h = d[1], w = d[2], channels = d[3];
            out->per_channel = 1, out->per_x = channels, out->per_y = w * channels, out->per_anchor = h * w * channels;
            break;
        case FERRY_LAYOUT_CHW:
            if (d[0] != anchors) return false;
            channels = d[1], h = d[2], w = d[3];
            out->per_x = 1, out->per_y = w, out->per_channel = h * w, out->per_anchor = channels * h * w;
            break;
        default:
            if (d[2] != anchors) return false;
            h = d[0], w = d[1], channels = d[3];
            out->per_channel = 1, out->per_anchor = channels, out->per_x = anchors * channels,
            out->per_y = w * out->per_x;
            break;
        }
    } else {
        if (view->rank != 3 && view->rank != 4) return false;
        const int64_t *d = view->dims + view->rank - 3;
        out->has_batch = view->rank > 3;
        const bool first = entry->layout == FERRY_LAYOUT_CHW;
        const int64_t all = d[first ? 0 : 2];
        h = d[first ? 1 : 0], w = d[first ? 2 : 1];
        if (all % anchors != 0) return false;
        channels = all / anchors;
        out->per_channel = first ? h * w : 1;
        out->per_anchor = channels * out->per_channel;
        out->per_x = first ? 1 : all;
        out->per_y = w * out->per_x;
    }
    if (h <= 0 || w <= 0) return false;
    if (known->grid_w != 0 && (known->grid_w != w || known->grid_h != h)) return false;
    known->grid_w = w;
    known->grid_h = h;
    out->channels = channels;
    return take_positions(h * w * anchors, known) && take_channels(entry, bins, channels, known);
}

bool ferry_shape_match(const ferry_head *head, const ferry_head_output *entry, uint32_t bins,
                       const ferry_tensor_view *view, ferry_shape_known *known, ferry_output_shape *out)
{
    // From here on products of dimensions cannot overflow: they are at most the number of elements.
    if (ferry_tensor_view_elements(view) <= 0) return false;
    *out = (ferry_output_shape){.is_grid = false};
    switch (entry->layout) {
    case FERRY_LAYOUT_ROWS:
    case FERRY_LAYOUT_COLUMNS:
        return match_rows(entry, bins, view, known, out);
    case FERRY_LAYOUT_FLAT:
        return match_flat(entry, bins, view, known, out);
    case FERRY_LAYOUT_CAFFE_PRIORS:
        return match_caffe_priors(view, known, out);
    default:
        return match_grid(head, entry, bins, view, known, out);
    }
}

char *ferry_shape_expected(const ferry_head *head, const ferry_head_output *entry, uint32_t bins,
                           const ferry_shape_known *known, char *text, size_t text_bytes)
{
    bool has_classes;
    const int64_t fixed = fixed_channels(entry, bins, &has_classes), anchors = anchors_of(head);
    char channels[64], all[80], positions[32] = "positions", grid[64] = "H, W";
    if (!has_classes) {
        snprintf(channels, sizeof channels, "%" PRId64, fixed);
    } else if (known->class_columns != 0) {
        snprintf(channels, sizeof channels, "%" PRId64, fixed + known->class_columns);
    } else if (fixed != 0) {
        snprintf(channels, sizeof channels, "%" PRId64 " + classes", fixed);
    } else {
        snprintf(channels, sizeof channels, "classes");
    }
    if (anchors == 1) {
        snprintf(all, sizeof all, "%s", channels);
    } else {
        snprintf(all, sizeof all, "%" PRId64 " * (%s)", anchors, channels);
    }
    if (known->positions) snprintf(positions, sizeof positions, "%" PRId64, known->positions);
    if (known->grid_w) snprintf(grid, sizeof grid, "%" PRId64 ", %" PRId64, known->grid_h, known->grid_w);
    switch (entry->layout) {
    case FERRY_LAYOUT_ROWS:
        snprintf(text, text_bytes, "[batch, %s, %s]", positions, channels);
        break;
    case FERRY_LAYOUT_COLUMNS:
        snprintf(text, text_bytes, "[batch, %s, %s]", channels, positions);
        break;
    case FERRY_LAYOUT_CHW:
        snprintf(text, text_bytes, "[batch, %s, %s]", all, grid);
        break;
    case FERRY_LAYOUT_HWC:
        snprintf(text, text_bytes, "[batch, %s, %s]", grid, all);
        break;
    case FERRY_LAYOUT_AHWC:
        snprintf(text, text_bytes, "[batch, %" PRId64 ", %s, %s]", anchors, grid, channels);
        break;
    case FERRY_LAYOUT_FLAT:
        snprintf(text, text_bytes, "[batch, %s * (%s)]", positions, channels);
        break;
    case FERRY_LAYOUT_CAFFE_PRIORS:
        snprintf(text, text_bytes, "[1, 2, %s * 4]", positions);
        break;
    }
    return text;
}

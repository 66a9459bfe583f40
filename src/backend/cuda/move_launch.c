// SPDX-License-Identifier: Apache-2.0
// The copies of a data mover as launches: rows of words, tiles that are turned around, or one element a thread.
#include <string.h>

#include "backend/cuda/move.h"
#include "backend/cuda/node.h"
#include "ops/op.h"

#define DIMS 6  // of one copy, when neighbouring ones are merged
#define PARTS 3 // that one launch of ferry_copy_rows takes
#define TILE 32 // of ferry_copy_turned
#define MOST_BLOCKS 4096
#define LEAST_ROW 32 // bytes of a row that is worth copying whole

#define ALIGN 16 // of constants behind each other

// The dimension along which the input of a transposition lies dense; -1 when it is none, or one that tiles don't fit.
static int32_t find_dense(const ferry_nd *w)
{
    if (w->rank < 2 || w->rank > 5 || ferry_nd_step(w, 0) != 1 || ferry_nd_row(w) < 4) return -1;
    for (int32_t d = 0; d + 1 < w->rank; d++)
        if (w->strides[1][d] == 1 && w->dims[d] >= 4)
            return w->runs / (size_t)w->dims[d] <= UINT16_MAX && ferry_nd_row(w) / TILE < UINT16_MAX ? d : -1;
    return -1;
}

typedef enum copy_kind { COPY_NOTHING, COPY_ROWS, COPY_PLANES, COPY_TURNED, COPY_STRIDED, COPY_UNKNOWN } copy_kind;

// Rows that are dense on both sides are copied as words; what is dense along different dimensions, in tiles.
static copy_kind kind_of(const ferry_strided_copy *c)
{
    const ferry_nd *w = &c->walk;
    if (w->runs == 0) return COPY_NOTHING;
    if (w->rank <= 2 && ferry_nd_step(w, 0) == 1 && ferry_nd_step(w, 1) == 1) return COPY_ROWS;
    const int64_t row_bytes = ferry_nd_row(w) * (int64_t)c->elem_bytes;
    if (w->rank <= 4 && ferry_nd_step(w, 0) == 1 && ferry_nd_step(w, 1) == 1 && row_bytes >= LEAST_ROW &&
        row_bytes <= INT32_MAX && w->runs <= INT32_MAX)
        return COPY_PLANES;
    if (w->rank > DIMS || (double)w->runs * (double)ferry_nd_row(w) > (double)INT32_MAX) return COPY_UNKNOWN;
    return find_dense(w) >= 0 ? COPY_TURNED : COPY_STRIDED;
}

int32_t ferry_cuda_moving_launches(const ferry_cuda_moving *m)
{
    int32_t rows = 0, others = m->fills ? 1 : 0;
    for (int32_t i = 0; i < m->count; i++) {
        const copy_kind kind = kind_of(&m->moves[i].copy);
        if (kind == COPY_UNKNOWN) return -1;
        rows += kind == COPY_ROWS;
        others += kind == COPY_PLANES || kind == COPY_TURNED || kind == COPY_STRIDED;
    }
    const int32_t n = (rows + PARTS - 1) / PARTS + others;
    return n <= FERRY_CUDA_MOST_LAUNCHES ? n : -1;
}

// Of bytes both ways; reading across rows takes sectors for the sake of single elements.
double ferry_cuda_moving_cost_us(ferry_cuda_device *device, const ferry_cuda_moving *m)
{
    double bytes = 0;
    for (int32_t i = 0; i < m->count; i++) {
        const ferry_strided_copy *c = &m->moves[i].copy;
        const copy_kind kind = kind_of(c);
        const double own = 2.0 * (double)c->walk.runs * (double)ferry_nd_row(&c->walk) * (double)c->elem_bytes;
        bytes += own * (kind == COPY_ROWS || kind == COPY_PLANES ? 1 : kind == COPY_TURNED ? 1.5 : 3);
    }
    if (m->fills) {
        size_t filled = 0;
        (void)ferry_tensor_desc_bytes(&m->y[0], &filled);
        bytes += (double)filled;
    }
    const int32_t launches = ferry_cuda_moving_launches(m);
    return ferry_cuda_cost_us(device, FERRY_F32, 0, bytes) +
           (launches > 1 ? (launches - 1) * ferry_cuda_cost_us(device, FERRY_F32, 0, 0) : 0);
}

// --- Constants ------------------------------------------------------------------------------------------------------

bool ferry_cuda_moves_constant(const ferry_graph *g, const ferry_node *node, int32_t i)
{
    return (i == 0 || ferry_node_is(node, "Concat")) && ferry_node_has_constant(g, node, i);
}

size_t ferry_cuda_moved_constant_at(const ferry_graph *g, const ferry_node *node, int32_t i)
{
    size_t at = 0;
    for (int32_t k = 0; k < i; k++) {
        if (!ferry_cuda_moves_constant(g, node, k)) continue;
        const ferry_tensor t = ferry_value_tensor(ferry_node_value(g, node, k));
        at += ferry_align_size((size_t)ferry_tensor_elements(&t) * ferry_dtype_bytes(t.dtype), ALIGN);
    }
    return at;
}

// --- Launches -------------------------------------------------------------------------------------------------------

/// Where a copy reads and writes.
typedef struct ends {
    int32_t in, out; // bindings; in < 0: a constant
    size_t constant; // its place
} ends;

typedef struct launcher {
    const ferry_cuda_moving *m;
    const ferry_region *region;
    ferry_cuda_kernel *kernel;
} launcher;

int32_t ferry_cuda_output_at(const ferry_region *region, ferry_value_id value)
{
    for (int32_t i = 0; i < region->n_outputs && value != FERRY_NO_VALUE; i++)
        if (region->outputs[i] == value) return i;
    return -1;
}

static ends find_ends(const launcher *l, const ferry_move *move)
{
    const ferry_graph *g = l->region->graph;
    const ferry_node *node = l->m->node;
    return (ends){.in = ferry_region_input(l->region, node->inputs[move->input]),
                  .out = ferry_cuda_output_at(l->region, node->outputs[move->output]),
                  .constant = ferry_cuda_moved_constant_at(g, node, move->input)};
}

static void pass_input(const launcher *l, ferry_cuda_launch *launch, const ends *e)
{
    if (e->in >= 0)
        ferry_cuda_pass_in(launch, e->in);
    else
        ferry_cuda_pass_constants(launch, l->kernel, e->constant);
}

static uint64_t blocks_for(double words)
{
    const double blocks = (words + 255) / 256;
    return blocks > MOST_BLOCKS ? MOST_BLOCKS : (uint64_t)blocks;
}

// Up to PARTS copies of rows in one launch, from move *at on.
static ferry_status launch_rows(const launcher *l, int32_t *at, ferry_error *err)
{
    const ferry_move *parts[PARTS];
    int32_t n = 0;
    double most = 1;
    for (; *at < l->m->count && n < PARTS; (*at)++) {
        const ferry_strided_copy *c = &l->m->moves[*at].copy;
        if (kind_of(c) != COPY_ROWS) continue;
        const double words = (double)c->walk.runs * (double)ferry_nd_row(&c->walk) * (double)c->elem_bytes / 16;
        if (ferry_nd_row(&c->walk) * (int64_t)c->elem_bytes > INT32_MAX || c->walk.runs > INT32_MAX)
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "a copy beyond 2^31");
        most = words > most ? words : most;
        parts[n++] = &l->m->moves[*at];
    }
    if (n == 0) return FERRY_OK;
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(l->kernel, 0, "ferry_copy_rows",
                                       (const uint64_t[3]){blocks_for(most), (uint64_t)n, 1},
                                       (const unsigned[3]){256, 1, 1}, 0, &launch, err));
    launch->waits = true;
    launch->waits = true;
    for (int32_t i = 0; i < PARTS; i++) {
        const ferry_strided_copy *c = &parts[i < n ? i : 0]->copy;
        const ends e = find_ends(l, parts[i < n ? i : 0]);
        const int64_t bytes = (int64_t)c->elem_bytes;
        const bool rows = c->walk.rank == 2;
        pass_input(l, launch, &e);
        ferry_cuda_pass_out(launch, e.out);
        ferry_cuda_pass_long(launch, c->in_first * bytes);
        ferry_cuda_pass_long(launch, c->out_first * bytes);
        ferry_cuda_pass_int(launch, (int64_t)c->walk.runs);
        ferry_cuda_pass_int(launch, ferry_nd_row(&c->walk) * bytes);
        ferry_cuda_pass_long(launch, rows ? c->walk.strides[1][0] * bytes : 0);
        ferry_cuda_pass_long(launch, rows ? c->walk.strides[0][0] * bytes : 0);
    }
    return FERRY_OK;
}

static ferry_status launch_planes(const launcher *l, const ferry_move *move, ferry_error *err)
{
    const ferry_nd *w = &move->copy.walk;
    const ends e = find_ends(l, move);
    const int64_t bytes = (int64_t)move->copy.elem_bytes, width = ferry_nd_row(w) * bytes;
    const int32_t skip = 3 - (w->rank - 1);
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(l->kernel, 0, "ferry_copy_planes",
                                       (const uint64_t[3]){blocks_for((double)w->runs * (double)width / 16), 1, 1},
                                       (const unsigned[3]){256, 1, 1}, 0, &launch, err));
    launch->waits = true;
    pass_input(l, launch, &e);
    ferry_cuda_pass_out(launch, e.out);
    ferry_cuda_pass_long(launch, move->copy.in_first * bytes);
    ferry_cuda_pass_long(launch, move->copy.out_first * bytes);
    ferry_cuda_pass_int(launch, (int64_t)w->runs);
    ferry_cuda_pass_int(launch, width);
    for (int32_t d = 1; d < 3; d++) ferry_cuda_pass_int(launch, d >= skip ? w->dims[d - skip] : 1);
    for (int32_t operand = 1; operand >= 0; operand--)
        for (int32_t d = 0; d < 3; d++)
            ferry_cuda_pass_long(launch, d >= skip ? w->strides[operand][d - skip] * bytes : 0);
    return FERRY_OK;
}

static ferry_status launch_turned(const launcher *l, const ferry_move *move, ferry_error *err)
{
    const ferry_nd *w = &move->copy.walk;
    const ends e = find_ends(l, move);
    const int32_t dense = find_dense(w);
    int32_t n = 0;
    int64_t dims[3] = {1, 1, 1}, from[3] = {0}, to[3] = {0};
    for (int32_t d = 0; d + 1 < w->rank; d++) {
        if (d == dense) continue;
        const int32_t at = 3 - (w->rank - 2) + n++;
        dims[at] = w->dims[d];
        from[at] = w->strides[1][d];
        to[at] = w->strides[0][d];
    }
    const int64_t rows = ferry_nd_row(w), columns = w->dims[dense]; // of x, which is dense along its columns
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(l->kernel, 0, "ferry_copy_turned",
                                       (const uint64_t[3]){(uint64_t)(columns + TILE - 1) / TILE,
                                                           (uint64_t)(rows + TILE - 1) / TILE,
                                                           (uint64_t)(dims[0] * dims[1] * dims[2])},
                                       (const unsigned[3]){256, 1, 1}, 0, &launch, err));
    pass_input(l, launch, &e);
    ferry_cuda_pass_out(launch, e.out);
    ferry_cuda_pass_int(launch, rows);
    ferry_cuda_pass_int(launch, columns);
    ferry_cuda_pass_long(launch, ferry_nd_step(w, 1));
    ferry_cuda_pass_long(launch, w->strides[0][dense]);
    ferry_cuda_pass_int(launch, dims[1]);
    ferry_cuda_pass_int(launch, dims[2]);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_long(launch, from[i]);
    ferry_cuda_pass_long(launch, move->copy.in_first);
    for (int i = 0; i < 3; i++) ferry_cuda_pass_long(launch, to[i]);
    ferry_cuda_pass_long(launch, move->copy.out_first);
    return FERRY_OK;
}

static ferry_status launch_strided(const launcher *l, const ferry_move *move, ferry_error *err)
{
    const ferry_nd *w = &move->copy.walk;
    const ends e = find_ends(l, move);
    const int32_t skip = DIMS - w->rank;
    const double elements = (double)w->runs * (double)ferry_nd_row(w);
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(l->kernel, 0, "ferry_copy_strided",
                                       (const uint64_t[3]){blocks_for(elements), 1, 1}, (const unsigned[3]){256, 1, 1},
                                       0, &launch, err));
    launch->waits = true;
    pass_input(l, launch, &e);
    ferry_cuda_pass_out(launch, e.out);
    ferry_cuda_pass_int(launch, (int64_t)elements);
    for (int32_t d = 1; d < DIMS; d++) ferry_cuda_pass_int(launch, d >= skip ? w->dims[d - skip] : 1);
    for (int32_t operand = 1; operand >= 0; operand--) {
        for (int32_t d = 0; d < DIMS; d++) ferry_cuda_pass_long(launch, d >= skip ? w->strides[operand][d - skip] : 0);
        ferry_cuda_pass_long(launch, operand ? move->copy.in_first : move->copy.out_first);
    }
    return FERRY_OK;
}

static ferry_status launch_fill(const launcher *l, ferry_error *err)
{
    const ferry_tensor_desc *y = &l->m->y[0];
    int64_t elements = 0;
    if (!ferry_cuda_elements(y, &elements)) return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "a tensor beyond 2^31");
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(l->kernel, 0, "ferry_fill",
                                       (const uint64_t[3]){blocks_for((double)elements), 1, 1},
                                       (const unsigned[3]){256, 1, 1}, 0, &launch, err));
    launch->waits = true;
    ferry_cuda_pass_out(launch, ferry_cuda_output_at(l->region, l->m->node->outputs[0]));
    ferry_cuda_pass_long(launch, elements);
    ferry_cuda_pass_long(launch, (int64_t)l->m->value);
    return FERRY_OK;
}

ferry_status ferry_cuda_moving_launch(const ferry_cuda_moving *m, const ferry_region *region, ferry_cuda_kernel *kernel,
                                      ferry_error *err)
{
    const launcher whole = {m, region, kernel}, *l = &whole;
    if (m->fills) FERRY_TRY(launch_fill(l, err));
    for (int32_t at = 0; at < m->count;) FERRY_TRY(launch_rows(l, &at, err));
    for (int32_t i = 0; i < m->count; i++) {
        const copy_kind kind = kind_of(&m->moves[i].copy);
        if (kind == COPY_PLANES) FERRY_TRY(launch_planes(l, &m->moves[i], err));
        if (kind == COPY_TURNED) FERRY_TRY(launch_turned(l, &m->moves[i], err));
        if (kind == COPY_STRIDED) FERRY_TRY(launch_strided(l, &m->moves[i], err));
    }
    return FERRY_OK;
}

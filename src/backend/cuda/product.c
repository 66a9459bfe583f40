// SPDX-License-Identifier: Apache-2.0
// The tiles of products, and the regions that end in one.
#include "backend/cuda/product_size.h"

#include <string.h>

#include "ops/op.h"

// What split products leave to be added up is kept small: it is written and read once more.
#define MOST_SPLIT_SUMS (8.0 * 1024 * 1024)

// clang-format off
// Kind, rows, columns, warps along both, slices, stages, split.
#define TILES(ROW) \
    ROW(wgmma, 128, 256, 8, 1, 1, 4, 1) \
    ROW(wgmma, 256, 64, 8, 1, 1, 4, 1) \
    ROW(wgmma, 128, 64, 8, 1, 1, 4, 1) \
    ROW(wgmma, 64, 128, 4, 1, 1, 4, 1) \
    ROW(wgmma, 64, 64, 4, 1, 1, 6, 1) \
    ROW(wgmma, 64, 128, 4, 1, 1, 5, 2) \
    ROW(wgmma, 64, 128, 4, 1, 1, 5, 4) \
    ROW(wgmma, 64, 64, 4, 1, 1, 6, 2) \
    ROW(wgmma, 64, 64, 4, 1, 1, 6, 4) \
    ROW(wgmma, 64, 64, 4, 1, 1, 6, 8) \
    ROW(stream, 128, 256, 8, 1, 1, 4, 1) \
    ROW(stream, 256, 128, 8, 1, 1, 4, 1) \
    ROW(stream, 128, 128, 8, 1, 1, 5, 1) \
    ROW(stream, 64, 64, 4, 1, 1, 3, 1) \
    ROW(mma, 128, 256, 2, 4, 1, 3, 1) \
    ROW(mma, 128, 128, 2, 2, 1, 3, 1) \
    ROW(mma, 64, 128, 2, 2, 1, 3, 1) \
    ROW(mma, 128, 64, 2, 2, 1, 3, 1) \
    ROW(mma, 128, 32, 4, 1, 1, 3, 1) \
    ROW(mma, 64, 64, 2, 2, 1, 4, 1) \
    ROW(mma, 64, 64, 2, 2, 1, 4, 2) \
    ROW(mma, 64, 64, 2, 2, 1, 4, 4) \
    ROW(mma, 64, 64, 2, 2, 1, 4, 8) \
    ROW(mma, 64, 32, 2, 1, 2, 4, 1) \
    ROW(mma, 64, 32, 2, 1, 2, 4, 2) \
    ROW(mma, 64, 32, 2, 1, 2, 4, 4) \
    ROW(mma, 64, 32, 2, 1, 2, 4, 8) \
    ROW(mma, 32, 64, 1, 2, 2, 4, 1) \
    ROW(mma, 32, 64, 1, 2, 2, 4, 2) \
    ROW(mma, 32, 64, 1, 2, 2, 4, 4) \
    ROW(mma, 32, 32, 1, 1, 4, 4, 1) \
    ROW(mma, 32, 32, 1, 1, 4, 4, 2) \
    ROW(mma, 32, 32, 1, 1, 4, 4, 4) \
    ROW(mma, 16, 32, 1, 1, 4, 4, 1) \
    ROW(mma, 16, 32, 1, 1, 4, 4, 4) \
    ROW(mma, 16, 32, 1, 1, 4, 4, 8) \
    ROW(simt, 128, 64, 2, 2, 1, 3, 1) \
    ROW(simt, 64, 64, 2, 2, 1, 3, 1) \
    ROW(simt, 64, 64, 2, 2, 1, 3, 4) \
    ROW(simt, 32, 32, 1, 1, 4, 3, 1) \
    ROW(simt, 32, 32, 1, 1, 4, 3, 4)
// clang-format on

static const ferry_cuda_tile tiles[] = {
#define ENTER(kind, m, n, warps_m, warps_n, slices, stages, split)                                                     \
    {"conv_" #kind "_" #m "x" #n "_k" #split,                                                                          \
     "matrix_" #kind "_" #m "x" #n "_k" #split,                                                                        \
     FERRY_CUDA_TILE_##kind,                                                                                           \
     m,                                                                                                                \
     n,                                                                                                                \
     warps_m,                                                                                                          \
     warps_n,                                                                                                          \
     slices,                                                                                                           \
     stages,                                                                                                           \
     split},
    TILES(ENTER)};

const ferry_cuda_tile *ferry_cuda_tile_at(size_t index)
{
    return index < FERRY_COUNT_OF(tiles) ? &tiles[index] : NULL;
}

static bool is_product(const ferry_node *node)
{
    return ferry_node_is(node, "Conv") || ferry_node_is(node, "FusedConv") || ferry_node_is(node, "Gemm") ||
           ferry_node_is(node, "FusedGemm") || ferry_node_is(node, "MatMul") || ferry_node_is(node, "QConv") ||
           ferry_node_is(node, "QGemm");
}

int32_t ferry_cuda_product_roots(const ferry_graph_view *view, ferry_node_id root, ferry_cuda_product_root out[2])
{
    const ferry_graph *g = view->graph;
    int32_t n = 0;
    if (is_product(&g->nodes[root])) {
        out[0] = (ferry_cuda_product_root){.nodes = {root}, .n_nodes = 1};
        return 1;
    }
    if (ferry_node_is(&g->nodes[root], "QTable")) {
        const ferry_node_id product = ferry_maker_for_one(view, g->nodes[root].inputs[0]);
        if (product == FERRY_NO_NODE || !is_product(&g->nodes[product])) return 0;
        out[0] = (ferry_cuda_product_root){.nodes = {product, root}, .n_nodes = 2};
        return 1;
    }
    for (int32_t branch = 0; branch < 2; branch++) {
        ferry_cuda_product_root *r = &out[n];
        *r = (ferry_cuda_product_root){0};
        ferry_cuda_chain_find(view, root, branch, &r->chain);
        if (r->chain.n_nodes == 0) continue;
        const ferry_node_id product = ferry_maker_for_one(view, r->chain.from);
        if (product == FERRY_NO_NODE || !is_product(&g->nodes[product])) continue;
        if (n == 1 && out[0].nodes[0] == product) continue;
        r->nodes[0] = product;
        memcpy(r->nodes + 1, r->chain.nodes, (size_t)r->chain.n_nodes * sizeof *r->nodes);
        r->n_nodes = r->chain.n_nodes + 1;
        n++;
    }
    return n;
}

void ferry_cuda_product_form(ferry_cuda_product *p)
{
    const int64_t width = p->window.kernel[2];
    if (!p->windowed || p->channels > 4 || width < 2 || p->window.dilation[2] != 1) return;
    p->form_channels = p->channels;
    p->form_width = width;
    p->form_stride = p->window.stride[2];
    // Where windows begin at every second position, two are read in one copy: weights of nothing meet the position
    // behind the window.
    const bool even = ferry_dtype_bytes(p->x_type) <= 2 && p->form_stride % 2 == 0;
    p->channels = even ? (width + 1) / 2 * 8 : 4 * width;
    p->taps = p->window.kernel[1];
    p->tap_stride = width;
    p->window.kernel[2] = p->window.stride[2] = 1;
}

bool ferry_cuda_product_read_chain(const ferry_region *region, ferry_cuda_product *p)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    p->residual = -1;
    p->node = NULL;
    if (!ferry_cuda_chain_read(region, 1, node->outputs[0], &p->chain)) return false;
    if (!ferry_node_is(node, "FusedConv") && !ferry_node_is(node, "FusedGemm")) return true;
    p->node = node;
    const ferry_value *r = ferry_node_value(g, node, 3);
    if (!r) return true;
    if (p->chain.n_operands == FERRY_CUDA_CHAIN_OPERANDS || ferry_value_is_constant(r) ||
        !ferry_dtype_widens_to_f32(r->dtype))
        return false;
    p->residual = p->chain.n_operands++;
    p->chain.operands[p->residual] =
        (ferry_cuda_operand){.kind = FERRY_CUDA_SAME, .value = node->inputs[3], .dtype = r->dtype};
    return true;
}

bool ferry_cuda_tile_is_tf32(const ferry_cuda_tile *tile, const ferry_cuda_product *p)
{
    return tile->kind == FERRY_CUDA_TILE_mma && p->x_type == FERRY_F32;
}

bool ferry_cuda_tile_fits(const ferry_cuda_target *t, const ferry_cuda_tile *tile, const ferry_cuda_product *p,
                          double rows)
{
    const bool mma = (p->x_type == FERRY_F16 && ferry_cuda_has_mma_f16(t)) ||
                     (p->x_type == FERRY_BF16 && ferry_cuda_has_mma_bf16(t)) ||
                     (p->x_type == FERRY_S8 && ferry_cuda_has_mma_s8(t));
    const bool wgmma = mma && ferry_cuda_tile_is_wgmma(tile) && ferry_cuda_has_wgmma(t);
    const bool tf32 = ferry_cuda_tile_is_tf32(tile, p) && ferry_cuda_has_mma_tf32(t);
    ferry_cuda_product_size size;
    if ((tile->kind == FERRY_CUDA_TILE_simt  ? mma
         : tile->kind == FERRY_CUDA_TILE_mma ? !mma && !tf32
                                             : !wgmma) ||
        !ferry_cuda_product_sizes(t, p, tile, &size) || size.shared_bytes > t->shared_bytes)
        return false;
    // Where copies pass through registers, more sums than that leave none for them.
    if (!ferry_cuda_has_cp_async(t) && tile->kind == FERRY_CUDA_TILE_mma && tile->m * tile->n > 32 * size.threads)
        return false;
    // Half of the tile or more would be padding, and there are smaller ones.
    if ((tile->n > 32 && p->columns <= tile->n / 2) || (tile->m > 32 && rows <= tile->m / 2)) return false;
    return tile->split == 1 ||
           (size.steps >= 2 * tile->split && (double)tile->split * rows * (double)size.width <= MOST_SPLIT_SUMS);
}

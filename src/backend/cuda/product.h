// SPDX-License-Identifier: Apache-2.0
// Products with constant weights on the GPU, convolutions and matrices alike: what a tactic's tile is, its kernel's
// text, packed constants, launches and price.
#ifndef FERRY_SRC_BACKEND_CUDA_PRODUCT_H_
#define FERRY_SRC_BACKEND_CUDA_PRODUCT_H_

#include "backend/cuda/node.h"
#include "ops/window.h"

/// Windows of fewer channels than that are read element by element: plain tensors too.
#define FERRY_CUDA_FEW_CHANNELS 8

typedef enum ferry_cuda_tile_kind {
    FERRY_CUDA_TILE_simt,  // multiply-adds
    FERRY_CUDA_TILE_mma,   // matrix instructions of a warp
    FERRY_CUDA_TILE_wgmma, // of a warpgroup
    FERRY_CUDA_TILE_stream // the same, for one tile after another
} ferry_cuda_tile_kind;

/// How a kernel cuts a product: see kernels/product.cuh and product_wgmma.cuh.
typedef struct ferry_cuda_tile {
    const char *conv, *matrix; // names of the tactics
    ferry_cuda_tile_kind kind;
    int m, n, warps_m, warps_n, slices, stages, split;
} ferry_cuda_tile;

static inline bool ferry_cuda_tile_is_wgmma(const ferry_cuda_tile *tile)
{
    return tile->kind == FERRY_CUDA_TILE_wgmma || tile->kind == FERRY_CUDA_TILE_stream;
}

/// NULL beyond the end.
const ferry_cuda_tile *ferry_cuda_tile_at(size_t index);

typedef struct ferry_cuda_product {
    ferry_dtype x_type, y_type;
    int64_t columns, channels, taps;
    bool windowed;            // rows are windows of positions; else they lie evenly
    ferry_window window;      // if they are
    ferry_cuda_chain chain;   // behind the product; the node's own residual is its last operand
    int32_t residual;         // index of that operand; -1: none
    const ferry_node *node;   // with the attributes of an epilogue; NULL: it has none
    const ferry_value *w, *b; // constants; b may be NULL
    // Of int8 products, docs/INT8.md: NULL of others.
    const ferry_value *mult;
    const ferry_value *table; // of a QTable behind it, or NULL
    int32_t x_zero;
    // Of the weights, in elements.
    int64_t column_stride, channel_stride, tap_stride, bias_stride;
    float alpha, beta; // of weights and bias
    // Inputs of up to four channels are formed first (kernels/product_form.cuh): a tap is then a line of the window,
    // of four channels for each of its positions, and `channels`, `taps` and `window` say so. 0: as they are.
    int64_t form_channels, form_width, form_stride; // channels, positions of a line, from window to window
} ferry_cuda_product;

/// A product's left side and output as they lie in memory, in elements.
typedef struct ferry_cuda_product_place {
    int64_t rows;
    int64_t x_pitch, x_channel_step, x_picture, x_line, in_h, in_w, out_w, plane, pad_h, pad_w;
    int64_t y_pitch;
    int64_t form_h, form_w, pictures; // of the formed input
    int64_t operand_pitch[FERRY_CUDA_CHAIN_OPERANDS];
} ferry_cuda_product_place;

/// Has the input of a product with windows formed, if that can be.
void ferry_cuda_product_form(ferry_cuda_product *product);

/// The chain of the region's nodes behind the first, and the first one's residual (input 3 of fused products), if it
/// fits.
bool ferry_cuda_product_read_chain(const ferry_region *region, ferry_cuda_product *out);

/// The same of a QConv or QGemm, whose constants and QTable it reads, too. False when they do not fit.
bool ferry_cuda_product_read_integer(const ferry_region *region, ferry_cuda_product *out);
/// Their epilogue: defines functions, and in `before` text for ferry_cuda_chain_write.
ferry_status ferry_cuda_product_write_integer(const ferry_cuda_product *product, ferry_cuda_source *source,
                                              ferry_cuda_source *before, ferry_error *err);

/// The tile can be used for such a product on that chip, and may be the best one. What is measured or known of the
/// device at hand has no say: a plan has to fit every device of the chip's kind.
bool ferry_cuda_tile_fits(const ferry_cuda_target *target, const ferry_cuda_tile *tile,
                          const ferry_cuda_product *product, double rows);

/// Whether the tile rounds the factors of such a product to TF32.
bool ferry_cuda_tile_is_tf32(const ferry_cuda_tile *tile, const ferry_cuda_product *product);

/// Compiles the kernel and packs the constants.
ferry_status ferry_cuda_product_pack(ferry_cuda_device *device, const ferry_graph *graph,
                                     const ferry_cuda_product *product, const ferry_cuda_tile *tile, const char *tactic,
                                     ferry_cuda_package *package, ferry_error *err);

/// Makes the launches. Whoever read `place` has checked that tensors fit together.
ferry_status ferry_cuda_product_prepare(ferry_cuda_device *device, const ferry_region *region,
                                        const ferry_cuda_product *product, const ferry_cuda_tile *tile,
                                        const char *tactic, const ferry_cuda_product_place *place,
                                        ferry_cuda_kernel *kernel, ferry_error *err);

/// Microseconds for so many rows; `bytes`: of activations read and written.
double ferry_cuda_product_cost_us(const ferry_cuda_device *device, const ferry_cuda_product *product,
                                  const ferry_cuda_tile *tile, double rows, double bytes);

/// A region: a product and the chain behind it.
typedef struct ferry_cuda_product_root {
    ferry_node_id nodes[FERRY_CUDA_CHAIN_NODES + 1]; // the product first
    int32_t n_nodes;
    ferry_cuda_chain chain;
} ferry_cuda_product_root;

/// The products whose chain ends in `root`: at most two (an addition has two sides). Returns how many.
int32_t ferry_cuda_product_roots(const ferry_graph_view *view, ferry_node_id root, ferry_cuda_product_root out[2]);

#endif // FERRY_SRC_BACKEND_CUDA_PRODUCT_H_

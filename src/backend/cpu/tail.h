// SPDX-License-Identifier: Apache-2.0
// Regions of a product (a convolution or matrix product) and what its store takes in: in float an activation that the
// node itself does not have, and behind that scales and shifts by constants, or the addition of a residual; in int8 a
// table.
#ifndef FERRY_SRC_BACKEND_CPU_TAIL_H_
#define FERRY_SRC_BACKEND_CPU_TAIL_H_

#include "backend/cpu/affine.h"
#include "backend/cpu/finish.h"
#include "backend/cpu/node.h"

#define FERRY_TAIL_NODES (2 + FERRY_AFFINE_NODES)

typedef struct ferry_tail {
    ferry_node_id nodes[FERRY_TAIL_NODES]; // the product first
    int32_t n_nodes;
    bool adds;          // the last node adds a residual
    double macs, bytes; // what the store does besides, for prices
    uint32_t flags;     // FERRY_OFFER_*, for the family to set
} ferry_tail;

/// The region that ends in `root`: it alone, or more nodes where it is an activation, or a scale, a shift or an
/// addition behind one, and nothing else reads what lies between. Whether the first node is a product that the family
/// runs is for it to say.
void ferry_tail_find(const ferry_graph_view *view, ferry_node_id root, ferry_tail *out);

/// The same for int8: the region of a convolution and the table that its results are looked up in, or of `root` alone.
void ferry_tail_find_table(const ferry_graph_view *view, ferry_node_id root, ferry_tail *out);

/// Offers a tactic for the region.
ferry_status ferry_tail_offer(const ferry_offer_sink *sink, const char *tactic, const ferry_tail *tail,
                              ferry_tensor_layout in_layout, ferry_tensor_layout out_layout, double cost_us,
                              ferry_error *err);

/// For prepare: checks the border, and changes the product's finish and residual (that of its epilogue; not present:
/// none) by what follows it.
ferry_status ferry_tail_read(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                             const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_finish *finish,
                             ferry_operand *residual, ferry_error *err);

#endif // FERRY_SRC_BACKEND_CPU_TAIL_H_

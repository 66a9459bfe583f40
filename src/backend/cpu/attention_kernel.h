// SPDX-License-Identifier: Apache-2.0
// What the families of attention share: their offers, and kernels made of a type's products.
#ifndef FERRY_SRC_BACKEND_CPU_ATTENTION_KERNEL_H_
#define FERRY_SRC_BACKEND_CPU_ATTENTION_KERNEL_H_

#include "backend/cpu/attention.h"

/// A type's tactic.
typedef struct ferry_attention_tactic {
    const char *name;
    ferry_dtype dtype; // of q, k and v
    bool quantises;    // results may be int8
    const ferry_attention_type *type;
    /// Fills in row, mr, nr and vec; false where the tactic is not for this processor.
    bool (*pick)(uint32_t isa, ferry_attention *attention);
} ferry_attention_tactic;

/// via_f32: tensors of other float types are taken, too.
ferry_status ferry_attention_offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                                   const ferry_attention_tactic *tactic, bool via_f32, const ferry_offer_sink *sink,
                                   ferry_error *err);

ferry_status ferry_attention_prepare(ferry_cpu_device *device, const ferry_region *region,
                                     const ferry_attention_tactic *tactic, const ferry_tensor_desc *in,
                                     const ferry_tensor_desc *out, ferry_kernel **out_kernel, ferry_error *err);

#endif // FERRY_SRC_BACKEND_CPU_ATTENTION_KERNEL_H_

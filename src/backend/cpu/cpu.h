// SPDX-License-Identifier: Apache-2.0
// The CPU backend from within: its device, its kernels, and the tables of its tactics.
#ifndef FERRY_SRC_BACKEND_CPU_CPU_H_
#define FERRY_SRC_BACKEND_CPU_CPU_H_

#include "backend/backend.h"
#include "backend/cpu/isa.h"
#include "base/thread_pool.h"

extern const ferry_backend ferry_backend_cpu;

typedef struct ferry_cpu_device {
    ferry_device base;
    uint32_t isa; // FERRY_ISA_* bits that kernels may use: what the CPU has, less what the selector masks
} ferry_cpu_device;

/// What a kernel is given when it runs.
typedef struct ferry_cpu_run {
    ferry_thread_pool *pool; // NULL: one thread
    const ferry_binding *in, *out;
    void *workspace; // workspace_bytes of the kernel
} ferry_cpu_run;

/// A prepared CPU kernel. Each kernel's own struct begins with this; `bytes` is that struct's size.
typedef struct ferry_cpu_kernel {
    ferry_kernel base;
    size_t bytes;
    ferry_status (*run)(const struct ferry_cpu_kernel *kernel, const ferry_cpu_run *run, ferry_error *err);
    void (*deinit)(struct ferry_cpu_kernel *kernel); // frees what the struct owns besides itself; NULL: nothing
} ferry_cpu_kernel;

/// A zeroed kernel of `bytes` bytes, with device, size and run filled in. NULL when memory is gone.
void *ferry_cpu_kernel_new(ferry_cpu_device *device, size_t bytes,
                           ferry_status (*run)(const ferry_cpu_kernel *, const ferry_cpu_run *, ferry_error *));

/// The end of a family's prepare: hands the kernel over where filling it went well, else releases it. Returns `filled`.
ferry_status ferry_cpu_kernel_done(ferry_cpu_kernel *kernel, ferry_status filled, ferry_kernel **out);

/// A family of tactics: convolutions, pooling, ... One row of the table in families.c.
typedef struct ferry_cpu_family {
    const char *name;
    /// Its kernels know f32 only, and offers for f16 and bf16 are made all the same: tensors are converted before and
    /// after (via_f32.c). Constants reach pack and prepare as they are.
    bool via_f32;
    /// They know f16 or bf16, too, where all tensors are of that type.
    bool f16, bf16;
    /// Its kernels multiply in bf16. With AVX512-BF16 no others but those of `bf16` are worth a try where it offers
    /// some.
    bool multiplies_bf16;
    /// Offers what the family can do for regions that end in `root`; nothing when it can't.
    ferry_status (*offer)(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err);
    /// True if the tactic's name is one of this family's.
    bool (*owns)(const char *tactic);
    ferry_status (*pack)(ferry_cpu_device *device, const ferry_region *region, const char *tactic, void **out_data,
                         size_t *out_bytes, ferry_error *err); // NULL: nothing to pack
    /// Trusts nothing: graph, shapes and `packed` may come from a file.
    ferry_status (*prepare)(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err);
} ferry_cpu_family;

/// The families, most special first; the reference family, which takes every node, is the last. NULL beyond the end.
const ferry_cpu_family *ferry_cpu_family_at(size_t index);

/// prepare() of a family whose kernels know f32 only, for regions with f16 or bf16 tensors at their border.
ferry_status ferry_cpu_prepare_via_f32(ferry_cpu_device *device, const ferry_cpu_family *family,
                                       const ferry_region *region, const char *tactic, const ferry_tensor_desc *in,
                                       const ferry_tensor_desc *out, const void *packed, size_t packed_bytes,
                                       ferry_kernel **out_kernel, ferry_error *err);

ferry_status ferry_cpu_prepare_reformat(ferry_device *device, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                        const void *packed, size_t packed_bytes, ferry_kernel **out_kernel,
                                        ferry_error *err);

#endif // FERRY_SRC_BACKEND_CPU_CPU_H_

// SPDX-License-Identifier: Apache-2.0
// What the files of kernel_case.h share: a case while it is run.
#ifndef FERRY_TESTS_SUPPORT_KERNEL_INTERNAL_H_
#define FERRY_TESTS_SUPPORT_KERNEL_INTERNAL_H_

#include "backend/backend.h"
#include "backend/cuda/nvrtc.h"
#include "ops/op.h"
#include "support/guarded.h"
#include "support/kernel_case.h"

#define MOST 16
#define GAP_BEFORE 3    // channels of the wider tensor before a slice, where any number will do
#define GAP 8           // those besides the slice's, altogether
#define INPUT_GAP 0xFF  // bytes there: no number as a float
#define OUTPUT_GAP 0xA5 // what guarded memory is filled with

enum { FILL_RANDOM, FILL_LOWEST, FILL_HIGHEST, FILLS };

typedef struct kernel_state {
    const kernel_case *test;
    uint64_t seed;
    int fill;
    ferry_graph graph;
    ferry_arena arena;
    const ferry_op *op;
    ferry_value_id values[MOST];
    int32_t n_values;
    ferry_tensor in[MOST], out[MOST]; // of all nodes; out: expected
    ferry_value_id results[MOST];     // the values of `out`
    int32_t n_results;
    ferry_node_id nodes[MOST];
    int32_t n_nodes;
    ferry_attr attrs[MOST];
    int32_t n_attrs;
    ferry_region region;
    ferry_graph_view view;
    const char *isa;        // of the CPU, or what other device it is
    size_t gap_before, gap; // channels of the wider tensor before a slice, and altogether
    int ran, matching;
    bool bench;
    const ferry_nvrtc *text_compiler; // of packages that hold texts; NULL: they hold cubins
    bool compile;                     // pack alone, for a kind of GPU that need not be there
    bool ask;                         // whether anything is offered, and no more
    bool slices;                      // tensors are slices of wider ones where the offer allows it
    double work, plain_us;            // of the bench: multiply-adds of a run; time of the plain C row, 0 until known
} kernel_state;

typedef struct kernel_bound {
    ferry_tensor_desc in[MOST], out[MOST];
    ferry_binding in_bindings[MOST], out_bindings[MOST];
    guarded in_memory[MOST], out_memory[MOST];
} kernel_bound;

/// Makes graph, region and view of the case, and what is expected.
void kernel_build(kernel_state *s);

/// What lies in a value: an input, or what is expected; NULL: neither.
const ferry_tensor *kernel_tensor(const kernel_state *s, ferry_value_id value);

/// A value in a layout, dense.
ferry_tensor_desc kernel_describe(const kernel_state *s, ferry_value_id value, ferry_tensor_layout layout);

/// Copies between a plain tensor and one as it is described.
void kernel_relayout(const ferry_tensor_desc *desc, char *there, char *plain, bool to_plain);

/// Fails the test unless output `output` is what is expected.
void kernel_compare(const kernel_state *s, const ferry_offer *o, int32_t output, const ferry_tensor_desc *desc,
                    char *data, const char *how);

/// Tensors in memory of their own, inputs filled; slices of wider ones where the state says so.
void kernel_bind(const kernel_state *s, const ferry_offer *o, kernel_bound *b);

/// Whether what lies between the positions of slices is what it was.
bool kernel_gaps_are_whole(const kernel_state *s, const ferry_offer *o, const kernel_bound *b);

/// Runs the kernel on what is bound.
ferry_status kernel_enqueue(const kernel_state *s, ferry_device_stream *stream, const ferry_kernel *kernel,
                            kernel_bound *b, guarded *workspace, bool *whole, ferry_error *err);
void kernel_unbind(const kernel_state *s, kernel_bound *b);

/// Packs, prepares and runs the tactic.
void kernel_try_offer(kernel_state *s, ferry_device *device, const ferry_offer *o);

/// Prepares with descriptions that do not fit, and runs what is taken all the same.
void kernel_try_mutations(kernel_state *s, ferry_device *device, const ferry_offer *o, const void *packed,
                          size_t packed_bytes);

/// Prints what a run takes of the processor's time; or, on a device with a memory of its own, of the device's.
void kernel_time_offer(kernel_state *s, const ferry_offer *o, const ferry_kernel *kernel, ferry_device_stream *stream);
void kernel_time_offer_there(kernel_state *s, const ferry_offer *o, const ferry_kernel *kernel,
                             ferry_device_stream *stream);

/// Packs alone, and looks at what was compiled.
void kernel_compile_offer(kernel_state *s, ferry_device *device, const ferry_offer *o);

/// Every tactic of a device that is open.
void kernel_run_device(kernel_state *s, ferry_device *device);

#endif // FERRY_TESTS_SUPPORT_KERNEL_INTERNAL_H_

// SPDX-License-Identifier: Apache-2.0
// What the two files of the mock device share.
#ifndef FERRY_TESTS_SUPPORT_MOCK_INTERNAL_H_
#define FERRY_TESTS_SUPPORT_MOCK_INTERNAL_H_

#include <pthread.h>
#include <stdatomic.h>

#include "backend/backend.h"

enum { MOCK_BLOCKS = 4096, MOCK_BINDINGS = 8, MOCK_NODES = 4 };

typedef struct mock_block {
    size_t offset, bytes;
} mock_block;

typedef struct mock_device {
    ferry_device base;
    char *seen; // what the host knows: PROT_NONE
    char *own;  // the same pages for the device's thread
    size_t memory_bytes;
    uint32_t most_delay_us;
    bool no_conv, broken, stuck, other, smash, graphs, no_graph;
    pthread_mutex_t mutex; // of the blocks
    mock_block blocks[MOCK_BLOCKS + 1];
    size_t n_blocks;
} mock_device;

/// The device's own address of its memory; ends the process when it is not the device's.
void *mock_own(const mock_device *device, const void *pointer, size_t bytes);

/// A region, run node by node with reference kernels on plain copies in the workspace; or a reformat (n_nodes 0).
typedef struct mock_kernel {
    ferry_kernel base;
    const ferry_graph *graph;
    ferry_node_id nodes[MOCK_NODES];
    int32_t n_nodes, n_in, n_out;
    ferry_value_id in_values[MOCK_BINDINGS], out_values[MOCK_BINDINGS];
    ferry_tensor_desc in[MOCK_BINDINGS], out[MOCK_BINDINGS];
    void *constants; // device memory: the region's constants, one after another at 64-byte steps
    size_t constants_bytes;
} mock_kernel;

ferry_status mock_kernel_run(const mock_kernel *kernel, const ferry_binding *in, const ferry_binding *out,
                             void *workspace, ferry_error *err);

ferry_status mock_offer(ferry_device *device, const ferry_graph_view *view, ferry_node_id root,
                        const ferry_offer_sink *sink, ferry_error *err);
void mock_why_not(ferry_device *device, const ferry_graph *graph, ferry_node_id node, char *out, size_t out_bytes);
ferry_status mock_pack(ferry_device *device, const ferry_region *region, const char *tactic, void **out_data,
                       size_t *out_bytes, ferry_error *err);
ferry_status mock_prepare(ferry_device *device, const ferry_region *region, const char *tactic,
                          const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                          size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err);
ferry_status mock_prepare_reformat(ferry_device *device, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                   const void *packed, size_t packed_bytes, ferry_kernel **out_kernel,
                                   ferry_error *err);
void mock_release(ferry_kernel *kernel);

#endif // FERRY_TESTS_SUPPORT_MOCK_INTERNAL_H_

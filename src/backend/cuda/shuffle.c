// SPDX-License-Identifier: Apache-2.0
// Channel shuffles as one kernel, channels last.
#include "backend/reading/shuffle_node.h"

#include <string.h>

#include "backend/cuda/move.h"
#include "backend/cuda/node.h"

static const char tactic_name[] = "channel_shuffle";

static bool owns(const char *tactic)
{
    return strcmp(tactic, tactic_name) == 0;
}

// More arguments than a launch takes.
static bool is_too_wide(int32_t parts, int32_t outputs)
{
    return parts + 2 + 3 * outputs > FERRY_CUDA_MOST_ARGUMENTS;
}

static void write_list(ferry_cuda_source *s, const char *name, int32_t n)
{
    ferry_cuda_source_add(s, "#define %s(F)", name);
    for (int32_t i = 0; i < n; i++) ferry_cuda_source_add(s, " F(%d)", i);
    ferry_cuda_source_add(s, "\n");
}

static ferry_status pack(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                         ferry_cuda_package *package, ferry_error *err)
{
    if (region->n_outputs < 1 || !ferry_shuffle_is(region->graph, region->nodes, region->n_nodes))
        return ferry_misfit(tactic, "not a shuffle of channels", err);
    const int32_t parts = region->graph->nodes[region->nodes[0]].n_inputs;
    ferry_cuda_source s = {.heap = device->base.heap};
    ferry_cuda_source_add(&s, "#define ELEMENT %s\n",
                          ferry_cuda_word_name(region->graph->values[region->outputs[0]].dtype));
    ferry_cuda_source_define(&s, "PARTS", parts);
    write_list(&s, "EACH_PART", parts);
    write_list(&s, "EACH_OUTPUT", region->n_outputs);
    ferry_cuda_source_add(&s, "#include \"shuffle.cuh\"\n");
    return ferry_cuda_source_compile(&s, package, err);
}

static ferry_status prepare(ferry_cuda_device *device, const ferry_region *region, const char *tactic,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_cuda_kernel *kernel,
                            ferry_error *err)
{
    (void)device;
    ferry_shuffle s;
    int64_t elements = 0;
    FERRY_TRY(ferry_shuffle_check_border(region, tactic, in, out, err));
    if (!ferry_shuffle_read(region, in, out, &s) || is_too_wide(s.parts, s.outputs) ||
        __builtin_mul_overflow(s.positions, s.each * s.parts, &elements) || elements > INT32_MAX)
        return ferry_misfit(tactic, "not a shuffle of channels", err);
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_launch(kernel, 0, "ferry_channel_shuffle",
                                       (const uint64_t[3]){(uint64_t)(elements + 255) / 256, 1, 1},
                                       (const unsigned[3]){256, 1, 1}, 0, &launch, err));
    launch->waits = true;
    for (int32_t i = 0; i < s.parts; i++) {
        const int32_t at = ferry_operand_of(region, in, i).at;
        if (at < 0) return ferry_misfit(tactic, "an input is not bound", err);
        ferry_cuda_pass_in(launch, at);
    }
    ferry_cuda_pass_int(launch, s.positions);
    ferry_cuda_pass_int(launch, s.each);
    for (int32_t o = 0; o < s.outputs; o++) {
        ferry_cuda_pass_out(launch, o);
        ferry_cuda_pass_int(launch, s.first[o] * s.parts);
        ferry_cuda_pass_int(launch, s.count[o] * s.parts);
    }
    return FERRY_OK;
}

static ferry_status offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_node_id nodes[FERRY_SHUFFLE_NODES];
    ferry_shuffle shape;
    int32_t n = 0;
    bool found = false;
    FERRY_TRY(ferry_shuffle_offered(view, root, device->base.heap, nodes, &n, &shape, &found, err));
    if (!found || is_too_wide(shape.parts, shape.outputs)) return FERRY_OK;
    const double bytes = 2.0 * (double)(shape.positions * shape.each * shape.parts) * (double)shape.elem_bytes;
    const ferry_offer o = {.tactic = tactic_name,
                           .nodes = nodes,
                           .n_nodes = n,
                           .in_layout = FERRY_LAYOUT_CHANNELS_LAST,
                           .out_layout = FERRY_LAYOUT_CHANNELS_LAST,
                           .cost_us = ferry_cuda_cost_us(device, FERRY_F32, 0, bytes)};
    return sink->take(sink->user, &o, err);
}

extern const ferry_cuda_family ferry_cuda_family_shuffle;
const ferry_cuda_family ferry_cuda_family_shuffle = {
    .name = "shuffle",
    .offer = offer,
    .owns = owns,
    .pack = pack,
    .prepare = prepare,
};

// SPDX-License-Identifier: Apache-2.0
// Operators that behave differently in training: only inference is taken, and what was for training is dropped.
#include <inttypes.h>
#include <string.h>

#include "import/onnx/upgrade.h"
#include "ops/element.h"

static bool is_used(const ferry_onnx_node *node, int32_t output)
{
    const ferry_value_id v = output < node->n_outputs ? node->outputs[output] : FERRY_NO_VALUE;
    return v != FERRY_NO_VALUE && (size_t)v < node->reader->n_used && node->reader->used[v];
}

// Outputs that nothing reads, which exporters leave behind from training.
static void drop_unused_outputs(ferry_onnx_node *node)
{
    while (node->n_outputs > 1 && !is_used(node, node->n_outputs - 1)) node->n_outputs--;
}

// 1 or 0 when the flag is known, -1 when it is computed.
static int known_flag(const ferry_onnx_node *node, int32_t input)
{
    const ferry_value_id v = ferry_onnx_get_input(node, input);
    if (v == FERRY_NO_VALUE) return 0;
    const ferry_known *known = &ferry_onnx_inferred(node, v)->known;
    if (!known->tensor.data || known->mask || ferry_tensor_elements(&known->tensor) != 1) return -1;
    return ferry_load_s64(&known->tensor, 0) != 0;
}

ferry_status ferry_onnx_upgrade_dropout(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    drop_unused_outputs(node);
    ferry_onnx_take_attr(node, "ratio");
    ferry_onnx_take_attr(node, "seed");
    if (known_flag(node, 2) != 0)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "drops elements at random, as in training: export in inference mode (model.eval())");
    if (node->n_inputs > 1) node->n_inputs = 1; // how many it would have dropped
    return FERRY_OK;
}

ferry_status ferry_onnx_upgrade_batch_norm(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    drop_unused_outputs(node);
    if (node->reader->opset < 9 && ferry_onnx_take_int(node, "spatial", 1) != 1)
        return ferry_fail(
            err, FERRY_ERR_UNSUPPORTED,
            "normalises each element by itself (spatial=0), which ONNX has dropped: export with opset 9 or newer");
    if (ferry_onnx_take_int(node, "training_mode", 0) != 0 || node->n_outputs > 1)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "computes statistics, as in training: export in inference mode (model.eval())");
    ferry_onnx_take_attr(node, "momentum"); // of the running statistics
    return FERRY_OK;
}

// One value a group becomes one a channel, as from opset 21.
static ferry_status repeat_for_channels(ferry_onnx_node *node, int32_t input, const char *what, int64_t groups,
                                        int64_t channels, ferry_error *err)
{
    const ferry_inferred *found = ferry_onnx_inferred(node, ferry_onnx_get_input(node, input));
    if (found->failed) return FERRY_OK;
    const ferry_tensor from = found->known.tensor;
    if (!from.data || found->known.mask || channels < 0)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "has a %s that is computed, or a number of channels that is not known: export with opset 21",
                          what);
    if (from.rank != 1 || from.dims[0] != groups || channels % groups != 0)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL,
                          "has %" PRId64 " channels in %" PRId64 " groups, and a %s that does not fit", channels,
                          groups, what);
    ferry_tensor to = from;
    to.dims[0] = channels;
    const size_t bytes = (size_t)channels * ferry_dtype_bytes(to.dtype);
    to.data = ferry_graph_constant_room(node->reader->graph, bytes);
    const char *name = ferry_arena_printf(&node->reader->scratch, "%s/%s", node->name, what);
    if (!to.data || !name) return ferry_fail_memory(err, "constants");
    for (int64_t c = 0; c < channels; c++)
        ferry_store_f64(&to, (size_t)c, ferry_load_f64(&from, (size_t)(c / (channels / groups))));
    const ferry_shape shape = ferry_shape_of(1, to.dims);
    ferry_value_id id;
    FERRY_TRY(ferry_graph_add_constant(node->reader->graph, name, to.dtype, &shape, to.data, bytes, false, &id, err));
    ferry_onnx_set_input(node, input, id);
    return ferry_infer_walk_sync(&node->reader->walk, err);
}

ferry_status ferry_onnx_upgrade_group_norm(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    (void)done;
    const ferry_attr *a = ferry_onnx_find_attr(node, "num_groups");
    if (!a || a->kind != FERRY_ATTR_INT || a->u.ints[0] < 1)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "lacks the attribute 'num_groups', or it is not positive");
    const ferry_inferred *x = ferry_onnx_inferred(node, ferry_onnx_get_input(node, 0));
    if (x->failed) return FERRY_OK;
    const int64_t channels = x->shape.rank >= 2 ? x->shape.dims[1] : FERRY_DIM_UNKNOWN, groups = a->u.ints[0];
    FERRY_TRY(repeat_for_channels(node, 1, "scale", groups, channels, err));
    return repeat_for_channels(node, 2, "bias", groups, channels, err);
}

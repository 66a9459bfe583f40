// SPDX-License-Identifier: Apache-2.0
// The network that an engine is built from: imported from a model, or built layer by layer in ONNX's words; looked into
// and changed before building.
//
// Tensors and nodes are named by numbers that stay theirs for as long as the network lives: tensors 0 .. count - 1 in
// no particular order, nodes 0 .. count - 1 in an order in which they can run. A number of -1 means "none".
#ifndef FERRY_NETWORK_H_
#define FERRY_NETWORK_H_

#include "ferry/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/// One thread at a time; any number of engines may be built from it, also between changes. A call that fails leaves it
/// as it was. Every `const char *` handed out lives as long as the network.
typedef struct ferry_network ferry_network;

#define FERRY_NO_TENSOR ((int32_t)-1)

// --- Making one ----------------------------------------------------------------------------------------------------

typedef struct ferry_network_options {
    size_t size;                ///< sizeof(ferry_network_options)
    const ferry_heap *heap;     ///< NULL: the process heap. Borrowed for the life of the network
    const ferry_logger *logger; ///< NULL: silence; each finding about the model is logged, errors too
} ferry_network_options;

/// Imports a model file. All of the model's problems are found in one go: each is logged, and as many as fit are in
/// `error`.
/// @return FERRY_ERR_IO, FERRY_ERR_BAD_MODEL (damaged) or FERRY_ERR_UNSUPPORTED (the text says the way round).
FERRY_API ferry_status ferry_network_load(const char *path, const ferry_network_options *options, ferry_network **out,
                                          ferry_error *error);

/// The same for a model in memory. `data` is copied from: it may be freed or changed when the call returns.
/// @param path  where the model is said to come from: the beginning of error texts, and the folder in which weights
///              beside the model are looked for. The file itself is not opened, and need not exist. NULL: it has no
///              place, and weights outside of `data` are refused.
FERRY_API ferry_status ferry_network_load_memory(const void *data, size_t bytes, const char *path,
                                                 const ferry_network_options *options, ferry_network **out,
                                                 ferry_error *error);

/// A network without tensors and nodes, to be filled with the functions below.
/// @param opset  of ONNX, from 7 on: the form in which nodes will be described; 0: the newest that ferry knows.
/// @return FERRY_ERR_UNSUPPORTED for another opset.
FERRY_API ferry_status ferry_network_create(const ferry_network_options *options, int64_t opset, ferry_network **out,
                                            ferry_error *error);
FERRY_API void ferry_network_release(ferry_network *network); ///< NULL accepted

/// Whether nodes of that operator are taken, in some form, from a model of that opset (0: the newest). `domain` is
/// NULL, "" or "ai.onnx" for ONNX's own; others have none. Attributes and shapes may still be refused. Thread-safe.
FERRY_API bool ferry_operator_supported(const char *op_type, const char *domain, int64_t opset);

// --- Building layer by layer ---------------------------------------------------------------------------------------

/// Adds an input.
/// @param name  must be new to the network, and not empty
/// @param dims  [rank], -1 for dynamic ones
FERRY_API ferry_status ferry_network_add_input(ferry_network *network, const char *name, ferry_dtype dtype,
                                               int32_t rank, const int64_t *dims, int32_t *out_tensor,
                                               ferry_error *error);

/// Adds a constant: weights, or whatever else an operator takes as a tensor. `view` (its `name` is not looked at) is
/// copied. `name` NULL: ferry chooses one. NaN is refused, as it is in model files: such weights are damaged.
FERRY_API ferry_status ferry_network_add_constant(ferry_network *network, const char *name,
                                                  const ferry_tensor_view *view, int32_t *out_tensor,
                                                  ferry_error *error);

typedef enum ferry_attribute_kind {
    FERRY_ATTRIBUTE_INT = 1,
    FERRY_ATTRIBUTE_FLOAT = 2,
    FERRY_ATTRIBUTE_STRING = 3,
    FERRY_ATTRIBUTE_INTS = 4,
    FERRY_ATTRIBUTE_FLOATS = 5,
    FERRY_ATTRIBUTE_STRINGS = 6,
    FERRY_ATTRIBUTE_TENSOR = 7
} ferry_attribute_kind;

/// One attribute of a node. Of `ints`, `floats` and `strings` the one that `kind` names is used.
typedef struct ferry_attribute {
    const char *name;
    ferry_attribute_kind kind;
    int32_t count;              ///< of ints, floats or strings; 1 for a single one and for a tensor
    const int64_t *ints;        ///< INT and INTS
    const float *floats;        ///< FLOAT and FLOATS
    const char *const *strings; ///< STRING and STRINGS, UTF-8
    ferry_tensor_view tensor;   ///< TENSOR; its name is not used
} ferry_attribute;

/// A node as ONNX's documentation of the operator describes it, in the network's opset.
typedef struct ferry_node_description {
    size_t size;                       ///< sizeof(ferry_node_description)
    const char *op_type;               ///< "Conv", "Relu", ...
    const char *domain;                ///< NULL or "": ONNX's own
    const char *name;                  ///< NULL: ferry chooses one
    const int32_t *inputs;             ///< [n_inputs] tensors; FERRY_NO_TENSOR where an optional one is left out
    const char *const *output_names;   ///< [n_outputs], new to the network; NULL: ferry chooses; "": not wanted
    const ferry_attribute *attributes; ///< [n_attributes]
    int32_t n_inputs;
    int32_t n_outputs; ///< at least 1
    int32_t n_attributes;
} ferry_node_description;

/// Adds a node. Its attributes and numbers of inputs and outputs are checked against the operator, and the shapes of
/// its outputs are inferred at once, so that an error names the node that is to blame, and why. Nodes of an older opset
/// come out in their newest form: perhaps as several nodes, or with attributes that have become inputs. A "Constant"
/// becomes a constant tensor, without a node. Everything is copied.
/// @param out_tensors  [n_outputs]: the outputs; FERRY_NO_TENSOR for those that are not wanted
/// @return FERRY_ERR_INVALID_ARGUMENT, FERRY_ERR_BAD_MODEL (the operator does not take this) or FERRY_ERR_UNSUPPORTED
///         (ONNX does, ferry does not; the text says the way round). The network is then as it was.
FERRY_API ferry_status ferry_network_add_node(ferry_network *network, const ferry_node_description *node,
                                              int32_t *out_tensors, ferry_error *error);

// --- Looking in ----------------------------------------------------------------------------------------------------

/// Inputs first, then outputs, in the model's order. min/opt/max_dims repeat dims.
FERRY_API int32_t ferry_network_binding_count(const ferry_network *network);
FERRY_API ferry_status ferry_network_binding(const ferry_network *network, int32_t index, ferry_binding_info *out,
                                             ferry_error *error);
/// The tensor behind a binding, or FERRY_NO_TENSOR.
FERRY_API int32_t ferry_network_binding_tensor(const ferry_network *network, int32_t index);

/// A metadata value of the model by key, or NULL. Owned by the network.
FERRY_API const char *ferry_network_metadata(const ferry_network *network, const char *key);
/// Of the network; "" when it has none.
FERRY_API const char *ferry_network_name(const ferry_network *network);
/// The opset that the model says it is of, or that the network was created with.
FERRY_API int64_t ferry_network_opset(const ferry_network *network);

typedef struct ferry_tensor_info {
    const char *name;
    ferry_dtype dtype;
    int32_t rank;                          ///< -1: not known before running
    int64_t dims[FERRY_MAX_RANK];          ///< -1: dynamic
    const char *dim_names[FERRY_MAX_RANK]; ///< what the model calls a dynamic dimension ("batch"); NULL: nothing
    bool is_input, is_output, is_constant; ///< none of them: made by a node for other nodes
    int32_t producer;                      ///< node that makes it; -1: none
    float dynamic_range;                   ///< as set by ferry_network_set_dynamic_range; 0: not set
} ferry_tensor_info;

FERRY_API int32_t ferry_network_tensor_count(const ferry_network *network);
FERRY_API ferry_status ferry_network_tensor(const ferry_network *network, int32_t tensor, ferry_tensor_info *out,
                                            ferry_error *error);
/// The tensor of that name, or FERRY_NO_TENSOR.
FERRY_API int32_t ferry_network_find_tensor(const ferry_network *network, const char *name);
/// A constant's elements, owned by the network.
FERRY_API ferry_status ferry_network_constant(const ferry_network *network, int32_t tensor, ferry_tensor_view *out,
                                              ferry_error *error);

/// A node in its newest form. The lists are owned by the network and change when it does.
typedef struct ferry_node_info {
    const char *op_type, *name;
    const int32_t *inputs;  ///< [n_inputs]; FERRY_NO_TENSOR where an optional one is left out
    const int32_t *outputs; ///< [n_outputs]; FERRY_NO_TENSOR where one is not wanted
    int32_t n_inputs, n_outputs, n_attributes;
} ferry_node_info;

FERRY_API int32_t ferry_network_node_count(const ferry_network *network);
FERRY_API ferry_status ferry_network_node(const ferry_network *network, int32_t node, ferry_node_info *out,
                                          ferry_error *error);
/// An attribute of a node; what it points to is owned by the network.
FERRY_API ferry_status ferry_network_attribute(const ferry_network *network, int32_t node, int32_t index,
                                               ferry_attribute *out, ferry_error *error);

// --- Changing ------------------------------------------------------------------------------------------------------

/// Makes a tensor an output of the network, after those there are. Nothing happens when it is one. Inputs and constants
/// are refused: put an Identity node behind them.
FERRY_API ferry_status ferry_network_mark_output(ferry_network *network, int32_t tensor, ferry_error *error);
/// Undoes it, for outputs of an imported model too.
FERRY_API ferry_status ferry_network_unmark_output(ferry_network *network, int32_t tensor, ferry_error *error);

/// Another name; must be new to the network, and not empty. Bindings, calibration caches and layer precisions go by it.
FERRY_API ferry_status ferry_network_set_tensor_name(ferry_network *network, int32_t tensor, const char *name,
                                                     ferry_error *error);
FERRY_API ferry_status ferry_network_set_node_name(ferry_network *network, int32_t node, const char *name,
                                                   ferry_error *error);
FERRY_API ferry_status ferry_network_set_name(ferry_network *network, const char *name, ferry_error *error);

/// Another shape for an input: a dynamic dimension gets a size, a fixed one another size, or becomes dynamic (-1). Of a
/// dimension with a name ("batch"), the inputs that share the name get the size too. All shapes are inferred anew.
/// @param dims  [rank], as many as the input has; another number only where no node was added or imported yet
/// @return FERRY_ERR_BAD_MODEL or FERRY_ERR_UNSUPPORTED with the nodes that the shape doesn't fit; nothing has changed.
FERRY_API ferry_status ferry_network_set_input_dims(ferry_network *network, int32_t tensor, int32_t rank,
                                                    const int64_t *dims, ferry_error *error);

/// Says that the tensor's values lie in [-amax, amax], so that its symmetric INT8 scale is amax / 127. It takes
/// precedence over what calibration or a calibration cache say of this tensor (caches that are written keep what
/// calibration found), and is enough for INT8 where there is no calibration; a numeric plan that is replayed has its
/// own scales. Like each scale it is a hint: where INT8 is used is the builder's decision.
/// @param amax  positive and finite, and amax / 127 a normal float; in the tensor's own units
/// @return FERRY_ERR_INVALID_ARGUMENT for another amax, for constants (their scales follow from their values), and for
///         tensors that are not of a floating-point type
FERRY_API ferry_status ferry_network_set_dynamic_range(ferry_network *network, int32_t tensor, float amax,
                                                       ferry_error *error);
/// Takes it back.
FERRY_API ferry_status ferry_network_reset_dynamic_range(ferry_network *network, int32_t tensor, ferry_error *error);

#ifdef __cplusplus
}
#endif

#endif // FERRY_NETWORK_H_

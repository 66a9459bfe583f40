// SPDX-License-Identifier: Apache-2.0
// What the files of src/graph share: the index of value names, shared ownership, and deep copies of attributes.
#ifndef FERRY_SRC_GRAPH_INTERNAL_H_
#define FERRY_SRC_GRAPH_INTERNAL_H_

#include "graph/graph.h"

// --- names.c: open addressing over value ids, keyed by the values' names ---

/// Makes room for one more name; false when memory is gone.
bool ferry_names_reserve(ferry_graph *graph);
/// Enters a value whose name is new. Room was made before.
void ferry_names_add(ferry_graph *graph, ferry_value_id id);
/// Takes a value out of the index, before its name changes or the value goes.
void ferry_names_remove(ferry_graph *graph, ferry_value_id id);
/// Two values in the index exchange their names.
void ferry_names_swap(ferry_graph *graph, ferry_value_id a, ferry_value_id b);
/// Enters all values anew, after they were renumbered; there are no more of them than before.
void ferry_names_refill(ferry_graph *graph);
void ferry_names_free(ferry_graph *graph);

// --- kept.c: things that several graphs may own together ---

/// `to` shares everything that `from` keeps, constant data too.
ferry_status ferry_graph_share_kept(const ferry_graph *from, ferry_graph *to, ferry_error *err);
void ferry_graph_release_kept(ferry_graph *graph);

// --- attr.c ---

/// Copies attributes with all that they point to into the graph's arena.
ferry_status ferry_attrs_copy(ferry_graph *graph, const ferry_attr *attrs, int32_t n_attrs, const ferry_attr **out,
                              ferry_error *err);

#endif // FERRY_SRC_GRAPH_INTERNAL_H_

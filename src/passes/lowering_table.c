// SPDX-License-Identifier: Apache-2.0
// The table of a unary function: its reference kernel run in double on all 256 inputs.
#include "ops/element.h"
#include "ops/infer.h"
#include "passes/lowering.h"

static ferry_status run(const ferry_graph *graph, ferry_node_id id, const ferry_grid *grid, ferry_dtype dtype,
                        ferry_arena *arena, double *out_entries, ferry_error *err)
{
    const ferry_node *node = &graph->nodes[id];
    const int32_t x = ferry_int8_table_input(graph, node);
    ferry_tensor *in = ferry_arena_alloc_array(arena, (size_t)node->n_inputs, sizeof *in), out = {0};
    if (!in) return ferry_fail_memory(err, "a table");
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] == FERRY_NO_VALUE) continue;
        const bool is_x = i == x;
        ferry_tensor c = {0};
        if (!is_x) c = ferry_value_tensor(&graph->values[node->inputs[i]]);
        // The constants are scalars; one of shape [1, 1, 1] must not give the table a rank.
        in[i] = (ferry_tensor){.dtype = dtype, .rank = is_x ? 1 : 0, .dims = {256}};
        in[i].data = ferry_arena_alloc_array(arena, 256, ferry_dtype_bytes(dtype));
        if (!in[i].data) return ferry_fail_memory(err, "a table");
        for (size_t q = 0; q < (is_x ? 256u : 1u); q++)
            ferry_store_f64(&in[i], q,
                            is_x ? ((double)q - 128.0 - (double)grid->zero) * (double)grid->scale
                                 : ferry_load_f64(&c, 0));
    }
    FERRY_TRY(ferry_node_eval(graph, node, in, &out, arena, err));
    if (ferry_tensor_elements(&out) != 256) return ferry_fail(err, FERRY_ERR_INTERNAL, "a table of another size");
    for (size_t q = 0; q < 256; q++) out_entries[q] = ferry_load_f64(&out, q);
    return FERRY_OK;
}

ferry_status ferry_lowering_table(const ferry_graph *graph, ferry_node_id id, const ferry_grid *grid,
                                  double *out_entries, ferry_error *err)
{
    ferry_arena arena;
    ferry_arena_init(&arena, graph->heap);
    ferry_error first;
    ferry_status s = run(graph, id, grid, FERRY_F64, &arena, out_entries, &first);
    if (s != FERRY_OK) s = run(graph, id, grid, FERRY_F32, &arena, out_entries, err); // an operator without double
    ferry_arena_deinit(&arena);
    return s;
}

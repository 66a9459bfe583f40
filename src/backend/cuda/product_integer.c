// SPDX-License-Identifier: Apache-2.0
// Products of int8: what QConv and QGemm have behind the sums, as docs/INT8.md defines it, and a QTable behind that.
#include "backend/cuda/integer_text.h"
#include "backend/cuda/product.h"
#include "ops/integer.h"

static bool are_floats(const ferry_value *v, int64_t columns)
{
    size_t n = 0;
    return v && v->data && v->dtype == FERRY_F32 && ferry_shape_elements(&v->shape, &n) && (int64_t)n == columns;
}

static bool read_table(const ferry_region *region, ferry_cuda_product *p)
{
    const ferry_graph *g = region->graph;
    if (region->n_nodes == 1) return true;
    const ferry_node *product = &g->nodes[region->nodes[0]], *node = &g->nodes[region->nodes[1]];
    p->table = ferry_node_value(g, node, 1);
    return region->n_nodes == 2 && ferry_node_is(node, "QTable") && node->inputs[0] == product->outputs[0] &&
           ferry_node_result(g, product)->dtype == FERRY_S8 && p->table && p->table->data &&
           ferry_value_elements(p->table) == 256 && p->table->dtype == p->y_type;
}

bool ferry_cuda_product_read_integer(const ferry_region *region, ferry_cuda_product *p)
{
    const ferry_graph *g = region->graph;
    const ferry_node *node = &g->nodes[region->nodes[0]];
    const ferry_value *x = ferry_node_value(g, node, 0), *r = ferry_node_value(g, node, 4);
    p->node = node;
    p->mult = ferry_node_value(g, node, 2);
    p->x_zero = ferry_zero_point(node, "x_zero");
    p->y_type = g->values[region->outputs[0]].dtype;
    p->residual = -1;
    if (!x || ferry_value_is_constant(x) || x->dtype != FERRY_S8 || !p->w->data || p->w->dtype != FERRY_S8 ||
        p->channels < 1 || p->taps < 1 || p->channels > FERRY_INT8_MAX_SUM / p->taps ||
        !are_floats(p->mult, p->columns) || !are_floats(p->b, p->columns) || !read_table(region, p) ||
        (p->y_type != FERRY_S8 && !ferry_dtype_widens_to_f32(p->y_type)))
        return false;
    if (!r) return true;
    if (ferry_value_is_constant(r) || (r->dtype != FERRY_S8 && !ferry_dtype_widens_to_f32(r->dtype))) return false;
    p->residual = p->chain.n_operands++;
    p->chain.operands[p->residual] =
        (ferry_cuda_operand){.kind = FERRY_CUDA_SAME, .value = node->inputs[4], .dtype = r->dtype};
    return true;
}

ferry_status ferry_cuda_product_write_integer(const ferry_cuda_product *p, ferry_cuda_source *s,
                                              ferry_cuda_source *before, ferry_error *err)
{
    ferry_epilogue e;
    FERRY_TRY(ferry_epilogue_read(p->node, &e, err));
    if (p->table) ferry_cuda_source_add(s, "#define TABLE_TYPE %s\n", ferry_cuda_type_name(p->table->dtype));
    ferry_cuda_finish_write(&e, s);
    ferry_cuda_source_add(before, p->residual < 0 ? "    v = ferry_act(v);\n" : "    v = ferry_finish(v, o0);\n");
    return FERRY_OK;
}

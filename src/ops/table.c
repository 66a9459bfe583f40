// SPDX-License-Identifier: Apache-2.0
// The table of all operators: the families of families.inc, in that order.
#include "ops/op.h"

#include <string.h>

#define FERRY_OP_FAMILY(name) extern const ferry_op ferry_ops_##name[];
#include "ops/families.inc"
#undef FERRY_OP_FAMILY

static const ferry_op *const families[] = {
#define FERRY_OP_FAMILY(name) ferry_ops_##name,
#include "ops/families.inc"
#undef FERRY_OP_FAMILY
};

const ferry_op *ferry_op_at(size_t index)
{
    for (size_t f = 0; f < FERRY_COUNT_OF(families); f++)
        for (const ferry_op *op = families[f]; op->name; op++)
            if (index-- == 0) return op;
    return NULL;
}

const ferry_op *ferry_op_find(const char *domain, const char *name)
{
    if (strcmp(domain, "ai.onnx") == 0) domain = "";
    for (size_t f = 0; f < FERRY_COUNT_OF(families); f++)
        for (const ferry_op *op = families[f]; op->name; op++)
            if (strcmp(op->name, name) == 0 && strcmp(op->domain, domain) == 0) return op;
    return NULL;
}

bool ferry_node_is(const ferry_node *node, const char *name)
{
    return node->op && strcmp(node->op->name, name) == 0;
}

ferry_status ferry_op_eval(const ferry_eval *eval, ferry_error *err)
{
    bool empty = true;
    for (int32_t o = 0; o < eval->node->n_outputs && empty; o++) {
        empty = eval->out[o].dtype == FERRY_DTYPE_NONE || ferry_tensor_elements(&eval->out[o]) == 0;
    }
    return empty ? FERRY_OK : eval->node->op->eval(eval, err);
}

// SPDX-License-Identifier: Apache-2.0
// One operator at a time, in a few lines: inputs as text and doubles, attributes, then shape inference or the kernel.
#ifndef FERRY_TESTS_SUPPORT_OP_TEST_H_
#define FERRY_TESTS_SUPPORT_OP_TEST_H_

#include "ops/infer.h"

#define OP_TEST_MOST 16

typedef struct op_test {
    ferry_graph graph;
    ferry_arena arena;
    const ferry_op *op;
    ferry_attr attrs[OP_TEST_MOST];
    ferry_value_id inputs[OP_TEST_MOST];
    ferry_tensor in[OP_TEST_MOST], out[OP_TEST_MOST];
    ferry_shape out_shapes[OP_TEST_MOST]; // after op_test_infer
    ferry_dtype out_dtypes[OP_TEST_MOST];
    int32_t n_inputs, n_outputs, n_attrs;
    ferry_error err;
} op_test;

/// Fails the running test when there is no such operator.
void op_test_begin(op_test *test, const char *op, int32_t n_outputs);
void op_test_end(op_test *test);

/// The next input: dims as "2x3x?" ("" for a scalar, "unknown" for unknown rank), elements as doubles; NULL: not known.
void op_test_input(op_test *test, ferry_dtype dtype, const char *dims, const double *elements);
void op_test_absent(op_test *test);

void op_test_int(op_test *test, const char *name, int64_t value);
void op_test_float(op_test *test, const char *name, float value);
void op_test_string(op_test *test, const char *name, const char *value);
void op_test_ints(op_test *test, const char *name, int32_t count, const int64_t *values);
#define OP_TEST_INTS(test, name, ...)                                                                                  \
    op_test_ints((test), (name), (int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                        \
                 (int64_t[]){__VA_ARGS__})

/// Shape inference alone, and inference with the kernel. The text of a failure is in test->err.
ferry_status op_test_infer(op_test *test);
ferry_status op_test_eval(op_test *test);

/// The output's dims as "2x3".
const char *op_test_dims(op_test *test, int32_t output);
/// Fails the running test unless output `output` has these dims and, within `tolerance`, these elements (NaN equals
/// NaN).
void op_test_expect(op_test *test, int32_t output, const char *dims, const double *elements, double tolerance);
/// Fails the running test unless inference answers `status` with a text that contains `text`.
void op_test_expect_error(op_test *test, ferry_status status, const char *text);

#endif // FERRY_TESTS_SUPPORT_OP_TEST_H_

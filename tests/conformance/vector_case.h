// SPDX-License-Identifier: Apache-2.0
// One of ONNX's test cases: a folder with model.onnx and test_data_set_N/{input,output}_M.pb.
#ifndef FERRY_TESTS_CONFORMANCE_VECTOR_CASE_H_
#define FERRY_TESTS_CONFORMANCE_VECTOR_CASE_H_

#include "support/device_run.h"

#define VECTOR_CASE_MOST_OPS 64

typedef enum vector_verdict {
    VECTOR_PASSED,
    VECTOR_FAILED,       // wrong numbers, shape or type, or an error in something that ferry has
    VECTOR_REFUSED_NAME, // the importer named an operator that ferry does not have
    VECTOR_REFUSED_OTHER // refused for another reason: fine only if the list of expected refusals says so
} vector_verdict;

typedef struct vector_result {
    vector_verdict verdict;
    char text[1200];
    char ops[VECTOR_CASE_MOST_OPS][64]; // the operators of the model as the file names them, each once
    size_t n_ops;
    size_t data_sets;   // compared
    bool built;         // an engine was, and it computed the same
    bool on_device;     // all that was left to run ran on the device, with inputs bound or as weights
    char host_ops[256]; // what did not
} vector_result;

typedef struct vector_device {
    ferry_runtime *runtime; ///< NULL: the reference kernels alone
    bool fp16;              ///< engines compute in FP16 where the operators are float
} vector_device;

/// The operators that the model names, in out->ops: little work, for choosing among cases.
void vector_case_ops(const char *folder, vector_result *out);

/// Imports the model and, when that succeeds, evaluates it node by node on every data set. With a device, an engine has
/// to compute the same: from inputs, and, where the CPU had to help, with all inputs but the first as weights.
void vector_case_run(const char *folder, const vector_device *device, vector_result *out);

#endif // FERRY_TESTS_CONFORMANCE_VECTOR_CASE_H_

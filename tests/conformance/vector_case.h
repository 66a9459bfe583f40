// SPDX-License-Identifier: Apache-2.0
// One of ONNX's test cases: a folder with model.onnx and test_data_set_N/{input,output}_M.pb.
#ifndef FERRY_TESTS_CONFORMANCE_VECTOR_CASE_H_
#define FERRY_TESTS_CONFORMANCE_VECTOR_CASE_H_

#include <stdbool.h>
#include <stddef.h>

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
    size_t data_sets; // compared
} vector_result;

/// Imports the model and, when that succeeds, evaluates it node by node on every data set.
void vector_case_run(const char *folder, vector_result *out);

#endif // FERRY_TESTS_CONFORMANCE_VECTOR_CASE_H_

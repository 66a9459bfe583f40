// SPDX-License-Identifier: Apache-2.0
// Models in the older forms of their operators must compute what ONNX Runtime computes with them. A few are kept in
// tests/import/models; all of make_models.py are tried where Python has onnx and onnxruntime.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "import/import.h"
#include "ops/element.h"
#include "support/run_graph.h"
#include "support/temp_folder.h"

enum { MOST_INPUTS = 4 };

static bool read_inputs(const char *folder, const ferry_graph *graph, ferry_arena *arena, ferry_tensor *inputs)
{
    for (size_t i = 0; i < graph->n_inputs; i++) {
        char path[700];
        ferry_error err;
        const char *name;
        snprintf(path, sizeof path, "%s/input_%zu.pb", folder, i);
        if (ferry_onnx_read_tensor_file(path, arena, &inputs[i], &name, &err) != FERRY_OK) {
            print_error("%s\n", err.text);
            return false;
        }
    }
    return true;
}

static bool same(const char *folder, const ferry_tensor *a, const ferry_tensor *b)
{
    bool equal = a->dtype == b->dtype && a->rank == b->rank;
    for (int32_t d = 0; equal && d < a->rank; d++) equal = a->dims[d] == b->dims[d];
    if (!equal) {
        print_error("%s: type or shape differs\n", folder);
        return false;
    }
    for (size_t i = 0; i < ferry_tensor_elements(a); i++) {
        const double x = ferry_load_f64(a, i), y = ferry_load_f64(b, i);
        if (fabs(x - y) <= 1e-5 * (1 + fabs(y))) continue;
        print_error("%s: element %zu is %.9g, ONNX Runtime has %.9g\n", folder, i, x, y);
        return false;
    }
    return true;
}

// Folder with model.onnx, input_N.pb and output_0.pb.
static bool check_folder(const char *folder)
{
    ferry_graph graph;
    ferry_error err = {{0}};
    char path[700];
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    if (ferry_import(path, NULL, &graph, NULL, NULL, &err) != FERRY_OK) {
        print_error("%s\n", err.text);
        return false;
    }
    ferry_arena arena;
    ferry_arena_init(&arena, ferry_heap_default());
    ferry_tensor inputs[MOST_INPUTS], output, expected;
    const char *name;
    snprintf(path, sizeof path, "%s/output_0.pb", folder);
    bool ok = graph.n_inputs <= MOST_INPUTS && graph.n_outputs == 1 && read_inputs(folder, &graph, &arena, inputs);
    if (ok && (ferry_run_graph(&graph, inputs, &output, &arena, NULL, NULL, &err) != FERRY_OK ||
               ferry_onnx_read_tensor_file(path, &arena, &expected, &name, &err) != FERRY_OK)) {
        print_error("%s: %s\n", folder, err.text);
        ok = false;
    }
    ok = ok && same(folder, &output, &expected);
    ferry_arena_deinit(&arena);
    ferry_graph_deinit(&graph);
    return ok;
}

static size_t check_all(const char *root, size_t *failed)
{
    DIR *dir = opendir(root);
    assert_non_null(dir);
    size_t count = 0;
    for (const struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        char folder[600];
        snprintf(folder, sizeof folder, "%s/%s", root, e->d_name);
        count++;
        if (!check_folder(folder)) ++*failed;
    }
    closedir(dir);
    return count;
}

static void kept_models__compute_what_onnxruntime_does(void **state)
{
    (void)state;
    char root[600];
    const char *source = getenv("FERRY_SOURCE_DIR");
    snprintf(root, sizeof root, "%s/tests/import/models", source ? source : ".");
    size_t failed = 0;
    assert_true(check_all(root, &failed) >= 6);
    assert_int_equal(failed, 0);
}

static void made_models__compute_what_onnxruntime_does(void **state)
{
    (void)state;
    const char *python = getenv("FERRY_PYTHON"), *source = getenv("FERRY_SOURCE_DIR");
    char command[2000];
    snprintf(command, sizeof command, "'%s' -c 'import onnx, onnxruntime' 2>/dev/null", python ? python : "python3");
    if (!source || system(command) != 0) {
        print_message("skipped: Python has no onnx and onnxruntime (set FERRY_PYTHON)\n");
        skip();
    }
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    snprintf(command, sizeof command, "'%s' '%s/tests/import/make_models.py' '%s'", python ? python : "python3", source,
             folder.path);
    const int made = system(command);
    size_t failed = 0;
    const size_t count = made == 0 ? check_all(folder.path, &failed) : 0;
    ferry_temp_folder_remove(&folder);
    assert_int_equal(made, 0);
    assert_true(count >= 50);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_models__compute_what_onnxruntime_does),
        cmocka_unit_test(made_models__compute_what_onnxruntime_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

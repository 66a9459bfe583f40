// SPDX-License-Identifier: Apache-2.0
// Runs ONNX's node test vectors through the importer and the reference kernels.
//
// usage: run_vectors [-v] [FOLDER | CASE]...   default: the folders in FERRY_ONNX_TESTDATA (joined with ':'), and
// Debian's. A case whose operators ferry has must pass, or be listed with its reason in expected_refusals.txt; others
// must be refused with the operator's name. Every operator that ferry promises must have been executed at least once.
#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conformance/vector_case.h"

#define DEBIAN "/usr/share/libonnx-testdata/data/"

// Operators that have to be seen at work, and the opset that brought them: vectors of opset 17 know nothing of later
// ones.
static const struct {
    const char *name;
    int opset;
} promised[] = {
#define FERRY_PROMISED(name, opset) {#name, opset},
#include "conformance/promised.inc"
#undef FERRY_PROMISED
};
#define N_PROMISED (sizeof promised / sizeof *promised)

typedef struct refusal {
    char pattern[128], said[128], reason[256]; // a case's name, what the refusal has to say, and why that is right
} refusal;

typedef struct totals {
    size_t passed, failed, refused_by_name, expected, cases;
    size_t executed[N_PROMISED];
    int newest; // the opset of the newest promised operator that was seen
    refusal *refusals;
    size_t n_refusals;
    bool verbose;
} totals;

static void read_refusals(totals *t)
{
    char path[1024], line[512];
    const char *source = getenv("FERRY_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/conformance/expected_refusals.txt", source ? source : ".");
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "cannot read %s; set FERRY_SOURCE_DIR\n", path);
        exit(1);
    }
    while (fgets(line, sizeof line, file)) {
        refusal r;
        if (line[0] == '#' || sscanf(line, "%127[^ |] | %127[^|] | %255[^\n]", r.pattern, r.said, r.reason) != 3)
            continue;
        for (char *end = r.said + strlen(r.said); end > r.said && end[-1] == ' ';) *--end = 0;
        refusal *grown = realloc(t->refusals, (t->n_refusals + 1) * sizeof *grown);
        if (!grown) abort();
        t->refusals = grown;
        t->refusals[t->n_refusals++] = r;
    }
    fclose(file);
}

static const char *expected_reason(const totals *t, const char *name, const char *text)
{
    for (size_t i = 0; i < t->n_refusals; i++)
        if (fnmatch(t->refusals[i].pattern, name, 0) == 0 && strstr(text, t->refusals[i].said))
            return t->refusals[i].reason;
    return NULL;
}

static void count_ops(totals *t, const vector_result *result)
{
    for (size_t o = 0; o < result->n_ops; o++)
        for (size_t p = 0; p < N_PROMISED; p++)
            if (strcmp(result->ops[o], promised[p].name) == 0) t->executed[p]++;
}

static void run_case(totals *t, const char *folder)
{
    static vector_result result;
    const char *slash = strrchr(folder, '/'), *name = slash ? slash + 1 : folder;
    vector_case_run(folder, &result);
    const char *reason = expected_reason(t, name, result.text);
    t->cases++;
    switch (result.verdict) {
    case VECTOR_PASSED:
        t->passed++;
        count_ops(t, &result);
        if (t->verbose) printf("pass     %s\n", name);
        return;
    case VECTOR_REFUSED_NAME:
        t->refused_by_name++;
        printf("refused  %s: no operator %s\n", name, result.text);
        return;
    case VECTOR_REFUSED_OTHER:
        if (reason) {
            t->expected++;
            printf("expected %s: %s\n", name, reason);
            return;
        }
        break;
    case VECTOR_FAILED:
        break;
    }
    t->failed++;
    printf("FAIL     %s: %s\n", name, result.text);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void run_folder(totals *t, const char *root)
{
    char path[1024];
    char **names = NULL;
    size_t n = 0;
    struct stat info;
    snprintf(path, sizeof path, "%s/model.onnx", root);
    if (stat(path, &info) == 0) {
        run_case(t, root);
        return;
    }
    DIR *dir = opendir(root);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        char **grown = realloc(names, (n + 1) * sizeof *grown);
        if (!grown) abort();
        names = grown;
        names[n++] = strdup(entry->d_name);
    }
    closedir(dir);
    if (names) qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s/model.onnx", root, names[i]);
        if (stat(path, &info) == 0) {
            path[strlen(path) - strlen("/model.onnx")] = 0;
            run_case(t, path);
        }
        free(names[i]);
    }
    free(names);
}

static void run_default_folders(totals *t)
{
    char list[4096];
    const char *given = getenv("FERRY_ONNX_TESTDATA");
    snprintf(list, sizeof list,
             "%s:" DEBIAN "node:" DEBIAN "simple:" DEBIAN "pytorch-operator:" DEBIAN "pytorch-converted",
             given ? given : "");
    for (char *save = NULL, *root = strtok_r(list, ":", &save); root; root = strtok_r(NULL, ":", &save))
        run_folder(t, root);
}

// Promised operators that never ran. Those newer than every operator seen are only counted: the vectors are older.
static size_t report_operators(const totals *t)
{
    size_t missing = 0;
    int newest = 17;
    for (size_t p = 0; p < N_PROMISED; p++)
        if (t->executed[p] && promised[p].opset > newest) newest = promised[p].opset;
    printf("cases executed by operator:");
    for (size_t p = 0; p < N_PROMISED; p++) printf("%s %s %zu", p ? "," : "", promised[p].name, t->executed[p]);
    printf("\n");
    for (size_t p = 0; p < N_PROMISED; p++) {
        if (t->executed[p]) continue;
        const bool newer = newest < promised[p].opset;
        printf("%s     operator %s: no case was executed%s\n", newer ? "note" : "FAIL", promised[p].name,
               newer ? " (the vectors here are older than it)" : "");
        missing += !newer;
    }
    return missing;
}

int main(int argc, char **argv)
{
    totals t = {0};
    read_refusals(&t);
    int first = 1;
    if (argc > 1 && strcmp(argv[1], "-v") == 0) {
        t.verbose = true;
        first = 2;
    }
    for (int i = first; i < argc; i++) run_folder(&t, argv[i]);
    const bool all = first >= argc;
    if (all) run_default_folders(&t);
    if (t.cases == 0) {
        printf("SKIPPED: no ONNX test vectors here; install libonnx-testdata, or set FERRY_ONNX_TESTDATA\n");
        free(t.refusals);
        return 77;
    }
    const size_t missing = all ? report_operators(&t) : 0;
    printf("[==========] %zu case(s) run.\n", t.cases);
    printf("[  PASSED  ] %zu case(s); %zu refused by the operator's name, %zu refused as expected.\n", t.passed,
           t.refused_by_name, t.expected);
    if (t.failed || missing)
        printf("[  FAILED  ] %zu case(s), %zu promised operator(s) without a case.\n", t.failed, missing);
    free(t.refusals);
    return t.failed || missing ? 1 : 0;
}

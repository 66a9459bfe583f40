// SPDX-License-Identifier: Apache-2.0
// Runs ONNX's node test vectors through the importer and the reference kernels.
//
// usage: run_vectors [-v] [--device NAME [--fp16] [--each N] [--part I/N]] [FOLDER | CASE]...
// Default: the folders in FERRY_ONNX_TESTDATA (joined with ':'), and Debian's. A case whose operators ferry has must
// pass, or be listed with its reason in expected_refusals.txt; others must be refused with the operator's name. Every
// operator that ferry promises must have been executed at least once.
//   --device  engines built for it run every case as well; each operator that promised.inc says so of must have run
//             there without help from the CPU
//   --fp16    those engines compute in FP16
//   --each    no further case of an operator once N of them ran on the device
//   --part    only every Nth operator, from the Ith on
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
    bool on_gpu;
} promised[] = {
#define FERRY_PROMISED(name, opset, on_gpu) {#name, opset, on_gpu},
#include "conformance/promised.inc"
#undef FERRY_PROMISED
};
#define N_PROMISED (sizeof promised / sizeof *promised)

typedef struct exception {
    char pattern[128], said[128], reason[256]; // a case's name, what the verdict has to say, and why that is right
    vector_verdict verdict;
} exception;

typedef struct totals {
    size_t passed, failed, refused_by_name, expected, cases;
    size_t executed[N_PROMISED];
    size_t on_device[N_PROMISED]; // cases of that operator alone
    exception *exceptions;
    size_t n_exceptions;
    bool verbose;
    vector_device device;
    size_t each, part, parts; // 0: no limit
} totals;

static void read_exceptions(totals *t, const char *file_name, vector_verdict verdict)
{
    char path[1024], line[512];
    const char *source = getenv("FERRY_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/conformance/%s", source ? source : ".", file_name);
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "cannot read %s; set FERRY_SOURCE_DIR\n", path);
        exit(1);
    }
    while (fgets(line, sizeof line, file)) {
        exception r = {.verdict = verdict};
        if (line[0] == '#' || sscanf(line, "%127[^ |] | %127[^|] | %255[^\n]", r.pattern, r.said, r.reason) != 3)
            continue;
        for (char *end = r.said + strlen(r.said); end > r.said && end[-1] == ' ';) *--end = 0;
        exception *grown = realloc(t->exceptions, (t->n_exceptions + 1) * sizeof *grown);
        if (!grown) abort();
        t->exceptions = grown;
        t->exceptions[t->n_exceptions++] = r;
    }
    fclose(file);
}

static const char *expected_reason(const totals *t, const char *name, const vector_result *result)
{
    for (size_t i = 0; i < t->n_exceptions; i++) {
        const exception *e = &t->exceptions[i];
        if (e->verdict == result->verdict && fnmatch(e->pattern, name, 0) == 0 && strstr(result->text, e->said))
            return e->reason;
    }
    return NULL;
}

static bool is_in_part(const totals *t, size_t place)
{
    return t->parts == 0 || place % t->parts + 1 == t->part;
}

static void count_ops(totals *t, const vector_result *result)
{
    for (size_t o = 0; o < result->n_ops; o++)
        for (size_t p = 0; p < N_PROMISED; p++)
            if (strcmp(result->ops[o], promised[p].name) == 0) {
                t->executed[p]++;
                if (result->n_ops == 1 && result->on_device) t->on_device[p]++;
            }
}

// Cases belong to the first operator that they name: --part and --each leave out the others.
static bool is_wanted(const totals *t, const char *folder)
{
    static vector_result named;
    if (t->parts == 0 && t->each == 0) return true;
    vector_case_ops(folder, &named);
    for (size_t p = 0; p < N_PROMISED; p++)
        if (named.n_ops > 0 && strcmp(named.ops[0], promised[p].name) == 0)
            return is_in_part(t, p) && (t->each == 0 || t->on_device[p] < t->each);
    return is_in_part(t, 0); // a refusal
}

static void run_case(totals *t, const char *folder)
{
    static vector_result result;
    const char *slash = strrchr(folder, '/'), *name = slash ? slash + 1 : folder;
    if (!is_wanted(t, folder)) return;
    vector_case_run(folder, &t->device, &result);
    const char *reason = expected_reason(t, name, &result);
    t->cases++;
    switch (result.verdict) {
    case VECTOR_PASSED:
        t->passed++;
        count_ops(t, &result);
        if (t->verbose && t->device.runtime)
            printf("pass     %s: %s\n", name,
                   result.on_device ? "on the device"
                   : result.built   ? result.host_ops
                                    : "no engine");
        else if (t->verbose)
            printf("pass     %s\n", name);
        return;
    case VECTOR_REFUSED_NAME:
        t->refused_by_name++;
        printf("refused  %s: no operator %s\n", name, result.text);
        return;
    case VECTOR_REFUSED_OTHER:
    case VECTOR_FAILED:
        break;
    }
    if (reason) {
        t->expected++;
        printf("expected %s: %s\n", name, reason);
        return;
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
    printf("cases executed by operator%s:", t->device.runtime ? " (alone on the device)" : "");
    for (size_t p = 0; p < N_PROMISED; p++) {
        if (!is_in_part(t, p)) continue;
        printf(" %s %zu", promised[p].name, t->executed[p]);
        if (t->device.runtime) printf(" (%zu)", t->on_device[p]);
    }
    printf("\n");
    for (size_t p = 0; p < N_PROMISED; p++) {
        const bool newer = newest < promised[p].opset,
                   off = t->device.runtime && promised[p].on_gpu && !t->on_device[p];
        if (!is_in_part(t, p) || (t->executed[p] && !off)) continue;
        printf("%s     operator %s: no case %s%s\n", newer ? "note" : "FAIL", promised[p].name,
               t->executed[p] ? "ran on the device without help" : "was executed",
               newer ? " (the vectors here are older than it)" : "");
        missing += !newer;
    }
    return missing;
}

// --- The command line
// -------------------------------------------------------------------------------------------------

static void usage(void)
{
    fprintf(stderr, "usage: run_vectors [-v] [--device NAME [--fp16] [--each N] [--part I/N]] [FOLDER | CASE]...\n");
    exit(2);
}

// The index of the first word that is no option.
static int read_options(totals *t, int argc, char **argv, const char **out_device)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "-v") == 0)
            t->verbose = true;
        else if (strcmp(argv[i], "--fp16") == 0)
            t->device.fp16 = true;
        else if (strcmp(argv[i], "--device") == 0 && value[0])
            *out_device = argv[++i];
        else if (strcmp(argv[i], "--each") == 0 && sscanf(value, "%zu", &t->each) == 1)
            i++;
        else if (strcmp(argv[i], "--part") == 0 && sscanf(value, "%zu/%zu", &t->part, &t->parts) == 2 && t->part > 0 &&
                 t->part <= t->parts)
            i++;
        else
            usage();
    }
    return i;
}

int main(int argc, char **argv)
{
    totals t = {0};
    const char *device = NULL;
    ferry_error why;
    const int first = read_options(&t, argc, argv, &device);
    if (device && !(t.device.runtime = ferry_device_runtime(device, &why))) {
        printf("SKIPPED: %s: %s\n", device, why.text);
        return 77;
    }
    read_exceptions(&t, "expected_refusals.txt", VECTOR_REFUSED_OTHER);
    if (t.device.fp16) read_exceptions(&t, "expected_differences_fp16.txt", VECTOR_FAILED);
    for (int i = first; i < argc; i++) run_folder(&t, argv[i]);
    const bool all = first >= argc;
    if (all) run_default_folders(&t);
    if (t.cases == 0) {
        printf("SKIPPED: no ONNX test vectors here; install libonnx-testdata, or set FERRY_ONNX_TESTDATA\n");
        free(t.exceptions);
        return 77;
    }
    const size_t missing = all ? report_operators(&t) : 0;
    printf("[==========] %zu case(s) run.\n", t.cases);
    printf("[  PASSED  ] %zu case(s); %zu refused by the operator's name, %zu refused as expected.\n", t.passed,
           t.refused_by_name, t.expected);
    if (t.failed || missing)
        printf("[  FAILED  ] %zu case(s), %zu promised operator(s) without a case.\n", t.failed, missing);
    free(t.exceptions);
    return t.failed || missing ? 1 : 0;
}

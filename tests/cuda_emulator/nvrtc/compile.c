// SPDX-License-Identifier: Apache-2.0
// Text to shared object, by the system's C++ compiler in two steps: the program alone is preprocessed, with CUDA's
// words left standing; then it is compiled inside the emulator's surroundings. Tests compile the same texts again and
// again, so results are kept in a folder, named by a hash of all that goes in.
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nvrtc/program.h"

// EMULATED_CXX, EMULATED_INCLUDE, EMULATED_CACHE and EMULATED_SOURCES (a hash of the emulator's headers) are CMake's.
enum { MOST_ARGUMENTS = 128, MOST_PATH = 1024 };

extern char **environ;

char *emulated_read_file(const char *path, size_t *out_bytes)
{
    FILE *const f = fopen(path, "rb");
    if (!f) return NULL;
    char *data = NULL;
    long bytes = -1;
    if (fseek(f, 0, SEEK_END) == 0 && (bytes = ftell(f)) >= 0) data = malloc((size_t)bytes + 1);
    rewind(f);
    if (data && fread(data, 1, (size_t)bytes, f) != (size_t)bytes) {
        free(data);
        data = NULL;
    }
    fclose(f);
    if (!data) return NULL;
    data[bytes] = 0;
    if (out_bytes) *out_bytes = (size_t)bytes;
    return data;
}

static bool write_file(const char *path, const char *text)
{
    FILE *const f = fopen(path, "wb");
    if (!f) return false;
    fputs(text, f);
    return fclose(f) == 0;
}

// --- The name in the cache -------------------------------------------------------------------------------------------

/// FNV-1a, with the text's end in it.
static uint64_t mix(uint64_t hash, const char *text)
{
    do hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    while (*text++);
    return hash;
}

/// What this processor has of what kernels profit from.
static const char *processor_option(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("fma")) return "-mfma";
#endif
    return "-O1"; // nothing more than what is given anyhow
}

static uint64_t hash_program(const emulated_program *p, uint64_t seed)
{
    char target[32];
    snprintf(target, sizeof target, "%d %d %d", p->chip, p->is_virtual, p->family_only);
    uint64_t h = mix(mix(mix(seed, EMULATED_CXX), EMULATED_SOURCES), target);
    h = mix(h, processor_option());
    h = mix(mix(mix(h, p->name), p->text), p->definitions ? p->definitions : "");
    for (int i = 0; i < p->n_headers; i++) h = mix(mix(h, p->headers[i].name), p->headers[i].text);
    return h;
}

static const char *cache_folder(void)
{
    const char *const folder = getenv("FERRY_EMULATED_CACHE");
    return folder && folder[0] ? folder : EMULATED_CACHE;
}

// --- The compiler ----------------------------------------------------------------------------------------------------

/// Runs it in the folder with its messages in the file "log"; true if it succeeded.
static bool run(const char *folder, const char *const *arguments)
{
    char log[MOST_PATH];
    snprintf(log, sizeof log, "%s/log", folder);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    pid_t child;
    const int failed = posix_spawn(&child, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) return false;
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool write_inputs(const emulated_program *p, const char *folder)
{
    char path[MOST_PATH];
    snprintf(path, sizeof path, "%s/program.cu", folder);
    FILE *const f = fopen(path, "wb");
    if (!f) return false;
    fprintf(f, "#line 1 \"%s\"\n%s\n", p->name, p->text);
    bool good = fclose(f) == 0;
    // What holds inline PTX.
    static const char *const replaced[] = {"primitives.cuh", "warpgroup.cuh"};
    enum { REPLACED = sizeof replaced / sizeof *replaced };
    char *ours[REPLACED];
    for (int i = 0; i < REPLACED; i++) {
        snprintf(path, sizeof path, EMULATED_INCLUDE "/device/%s", replaced[i]);
        ours[i] = emulated_read_file(path, NULL);
        good = good && ours[i];
    }
    for (int i = 0; i < p->n_headers && good; i++) {
        const char *const name = p->headers[i].name, *const slash = strrchr(name, '/');
        if (slash) {
            snprintf(path, sizeof path, "%s/%.*s", folder, (int)(slash - name), name);
            mkdir(path, 0777);
        }
        snprintf(path, sizeof path, "%s/%s", folder, name);
        const char *text = p->headers[i].text;
        for (int r = 0; r < REPLACED; r++)
            if (strcmp(slash ? slash + 1 : name, replaced[r]) == 0) text = ours[r];
        good = write_file(path, text);
    }
    for (int i = 0; i < REPLACED; i++) free(ours[i]);
    return good;
}

static bool preprocess(const emulated_program *p, const char *folder)
{
    char include[MOST_PATH], input[MOST_PATH], output[MOST_PATH], arch[64], feature[64];
    snprintf(include, sizeof include, "-I%s", folder);
    snprintf(input, sizeof input, "%s/program.cu", folder);
    snprintf(output, sizeof output, "%s/program.ii", folder);
    snprintf(arch, sizeof arch, "-D__CUDA_ARCH__=%d", p->chip * 10);
    snprintf(feature, sizeof feature, "-D__CUDA_ARCH_FEAT_SM%d_ALL=1", p->chip);
    char *definitions = strdup(p->definitions ? p->definitions : ""), *rest = definitions, *line;
    const char *arguments[MOST_ARGUMENTS] = {EMULATED_CXX,
                                             "-E",
                                             "-x",
                                             "c++",
                                             "-std=c++17",
                                             "-nostdinc",
                                             include,
                                             arch,
                                             "-D__CUDACC__=1",
                                             "-D__CUDACC_RTC__=1",
                                             "-D__CUDACC_VER_MAJOR__=12",
                                             "-D__CUDACC_VER_MINOR__=9"};
    int n = 12;
    if (p->family_only) arguments[n++] = feature;
    while (definitions && (line = strsep(&rest, "\n")) && n < MOST_ARGUMENTS - 4)
        if (line[0]) arguments[n++] = line;
    arguments[n++] = "-o";
    arguments[n++] = output;
    arguments[n++] = input;
    const bool good = run(folder, arguments);
    free(definitions);
    return good;
}

static bool write_unit(const emulated_program *p, const char *folder)
{
    char path[MOST_PATH];
    snprintf(path, sizeof path, "%s/program.ii", folder);
    char *const text = emulated_read_file(path, NULL);
    snprintf(path, sizeof path, "%s/unit.cpp", folder);
    FILE *const f = text ? fopen(path, "wb") : NULL;
    if (f) {
        fprintf(f, "#include \"device/emulated.h\"\nnamespace {\n%s\n}\n", text);
        emulated_write_tables(f, text, p);
    }
    free(text);
    return f && fclose(f) == 0;
}

static bool compile_unit(const emulated_program *p, const char *folder)
{
    char input[MOST_PATH], output[MOST_PATH], arch[64];
    snprintf(arch, sizeof arch, "-D__CUDA_ARCH__=%d", p->chip * 10);
    snprintf(input, sizeof input, "%s/unit.cpp", folder);
    snprintf(output, sizeof output, "%s/unit.so", folder);
    // Every access is checked for its alignment, which a GPU insists on and this processor does not.
    const char *arguments[] = {
        EMULATED_CXX,
        "-std=c++17",
        "-O1",
        "-fPIC",
        "-shared",
        "-ffp-contract=off",
        "-fno-math-errno",
        "-fwrapv",
        "-fno-strict-aliasing",
        "-fvisibility=hidden",
        "-fno-exceptions",
        "-fno-rtti",
        "-w",
        "-nostdinc",
        "-fsanitize=alignment",
        "-fsanitize-undefined-trap-on-error",
        "-s",
        "-I" EMULATED_INCLUDE,
        arch,
        processor_option(),
        "-o",
        output,
        input,
        "-lm",
        NULL,
    };
    return run(folder, arguments);
}

// --- All of it -------------------------------------------------------------------------------------------------------

static void remove_folder(const char *folder)
{
    const char *arguments[] = {"/bin/rm", "-rf", folder, NULL};
    pid_t child;
    if (posix_spawn(&child, arguments[0], NULL, NULL, (char *const *)arguments, environ) == 0) waitpid(child, NULL, 0);
}

static int compile_in(emulated_program *p, const char *folder, const char *kept)
{
    char path[MOST_PATH];
    if (!write_inputs(p, folder)) return NVRTC_ERROR_INTERNAL_ERROR;
    const bool good = preprocess(p, folder) && write_unit(p, folder) && compile_unit(p, folder);
    snprintf(path, sizeof path, "%s/log", folder);
    p->log = emulated_read_file(path, NULL);
    if (!good) return NVRTC_ERROR_COMPILATION;
    snprintf(path, sizeof path, "%s/unit.so", folder);
    p->object = emulated_read_file(path, &p->object_bytes);
    if (!p->object || rename(path, kept) != 0) return NVRTC_ERROR_INTERNAL_ERROR;
    return NVRTC_SUCCESS;
}

int emulated_compile(emulated_program *p)
{
    char kept[MOST_PATH], folder[MOST_PATH];
    free(p->object);
    free(p->log);
    p->log = NULL;
    mkdir(cache_folder(), 0777);
    snprintf(kept, sizeof kept, "%s/%016llx%016llx.so", cache_folder(),
             (unsigned long long)hash_program(p, 0xcbf29ce484222325u), (unsigned long long)hash_program(p, 1));
    p->object = emulated_read_file(kept, &p->object_bytes);
    if (p->object) return NVRTC_SUCCESS;
    snprintf(folder, sizeof folder, "%s/making-XXXXXX", cache_folder());
    if (!mkdtemp(folder)) return NVRTC_ERROR_INTERNAL_ERROR;
    const int r = compile_in(p, folder, kept);
    remove_folder(folder);
    return r;
}

// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/nvrtc.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"

#define MOST_HEADERS 64
#define MOST_CHIPS 64

typedef struct program_ *program;

struct ferry_nvrtc {
    void *library; // NULL: not there
    char path[256];
    int version;
    uint64_t identity;
    int chips[MOST_CHIPS], n_chips; // that it makes cubins for
    int (*nvrtcVersion)(int *, int *);
    int (*nvrtcGetNumSupportedArchs)(int *);
    int (*nvrtcGetSupportedArchs)(int *);
    int (*nvrtcCreateProgram)(program *, const char *, const char *, int, const char *const *, const char *const *);
    int (*nvrtcDestroyProgram)(program *);
    int (*nvrtcCompileProgram)(program, int, const char *const *);
    int (*nvrtcGetPTXSize)(program, size_t *);
    int (*nvrtcGetPTX)(program, char *);
    int (*nvrtcGetCUBINSize)(program, size_t *); // from CUDA 11.1 on; NULL: it makes PTX only
    int (*nvrtcGetCUBIN)(program, char *);
    int (*nvrtcGetProgramLogSize)(program, size_t *);
    int (*nvrtcGetProgramLog)(program, char *);
    const char *(*nvrtcGetErrorString)(int);
};

// Names of the library by ABI, newest first; from CUDA 11.3 on a major version keeps one.
static const char *const names[] = {"libnvrtc.so.13",   "libnvrtc.so.12",   "libnvrtc.so.11.2",
                                    "libnvrtc.so.11.1", "libnvrtc.so.11.0", "libnvrtc.so.10.2"};
enum { NAMES = sizeof names / sizeof *names };
// Where the linker looks, and the CUDA toolkit's own folders.
static const char usual_folders[] = ":/usr/local/cuda/lib64:/usr/local/cuda/targets/aarch64-linux/lib";

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static ferry_nvrtc known[NAMES];
static bool searched;

// The functions that every version has.
static bool load(ferry_nvrtc *n)
{
    bool all = true;
#define LOAD(name, required)                                                                                           \
    {                                                                                                                  \
        void *symbol = dlsym(n->library, #name);                                                                       \
        memcpy(&n->name, &symbol, sizeof symbol);                                                                      \
        all &= symbol != NULL || !(required);                                                                          \
    }
    LOAD(nvrtcVersion, true)
    LOAD(nvrtcCreateProgram, true)
    LOAD(nvrtcDestroyProgram, true)
    LOAD(nvrtcCompileProgram, true)
    LOAD(nvrtcGetPTXSize, true)
    LOAD(nvrtcGetPTX, true)
    LOAD(nvrtcGetProgramLogSize, true)
    LOAD(nvrtcGetProgramLog, true)
    LOAD(nvrtcGetErrorString, true)
    LOAD(nvrtcGetCUBINSize, false)
    LOAD(nvrtcGetCUBIN, false)
    LOAD(nvrtcGetNumSupportedArchs, false)
    LOAD(nvrtcGetSupportedArchs, false)
#undef LOAD
    if (!n->nvrtcGetCUBINSize) n->nvrtcGetCUBIN = NULL;
    return all;
}

// Versions that can't be asked (before CUDA 11.2) are those of JetPack 4 and 5's first: these chips they all know.
static bool list_chips(ferry_nvrtc *n)
{
    static const int old[] = {50, 52, 53, 60, 61, 62, 70, 72, 75};
    int count = 0;
    if (!n->nvrtcGetNumSupportedArchs || !n->nvrtcGetSupportedArchs) {
        memcpy(n->chips, old, sizeof old);
        n->n_chips = (int)FERRY_COUNT_OF(old);
        return true;
    }
    if (n->nvrtcGetNumSupportedArchs(&count) != 0 || count < 1 || count > MOST_CHIPS) return false;
    n->n_chips = count;
    return n->nvrtcGetSupportedArchs(n->chips) == 0;
}

// Options of every compilation. Without the words that few programs need (seen with 12.9 and 13), compiling is 5 %
// quicker.
static const char *const usual_options[] = {"--std=c++14", "--fmad=false", "--minimal"};
static size_t count_usual_options(const ferry_nvrtc *n)
{
    return FERRY_COUNT_OF(usual_options) - (n->version < 12090);
}

static uint64_t identify(const ferry_nvrtc *n)
{
    ferry_hasher hasher;
    struct stat st;
    Dl_info at;
    ferry_hasher_init64(&hasher);
    ferry_hasher_update_u64(&hasher, (uint64_t)n->version);
    for (size_t i = 0; i < count_usual_options(n); i++) ferry_hasher_update_text(&hasher, usual_options[i]);
    // Its file tells apart what goes by the same version.
    void *symbol = dlsym(n->library, "nvrtcVersion");
    if (dladdr(symbol, &at) && at.dli_fname && stat(at.dli_fname, &st) == 0) {
        ferry_hasher_update_u64(&hasher, (uint64_t)st.st_size);
        ferry_hasher_update_u64(&hasher, (uint64_t)st.st_mtim.tv_sec);
        ferry_hasher_update_u64(&hasher, (uint64_t)st.st_mtim.tv_nsec);
    }
    return ferry_hasher_digest64(&hasher);
}

static bool open_path(ferry_nvrtc *n, const char *path)
{
    int major = 0, minor = 0;
    n->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!n->library) return false;
    snprintf(n->path, sizeof n->path, "%s", path);
    if (load(n) && n->nvrtcVersion(&major, &minor) == 0 && list_chips(n)) {
        n->version = major * 1000 + minor * 10;
        n->identity = identify(n);
        return true;
    }
    dlclose(n->library);
    n->library = NULL;
    return false;
}

// In the folders of a list in turn. An entry may be the library's own path.
static void open_name(ferry_nvrtc *n, const char *name, const char *list)
{
    char path[sizeof n->path];
    for (const char *at = list; !n->library; at++) {
        const size_t length = strcspn(at, ":");
        const bool own = length > strlen(name) && strncmp(at + length - strlen(name), name, strlen(name)) == 0;
        snprintf(path, sizeof path, "%.*s%s%s", (int)length, at, length && !own ? "/" : "", own ? "" : name);
        if (open_path(n, path)) return;
        at += length;
        if (!*at) return;
    }
}

static void open_all(void)
{
    const char *own = getenv("FERRY_LIBNVRTC");
    const char *folders = own && own[0] ? own : usual_folders;
    if (searched) return;
    searched = true;
    for (size_t i = 0; i < NAMES; i++) open_name(&known[i], names[i], folders);
}

static bool serves(const ferry_nvrtc *n, int chip, int most_major)
{
    if (!n->library || (most_major && n->version / 1000 > most_major)) return false;
    if (chip >= 90 && n->version < 12000) return false; // 11.8 has sm_90, but not what sm_90a has
    for (int i = 0; i < n->n_chips; i++)
        if (n->chips[i] == chip) return true;
    return chip == 0;
}

static const ferry_nvrtc *find(int chip, int most_major)
{
    open_all();
    for (size_t i = 0; i < NAMES; i++)
        if (serves(&known[i], chip, most_major)) return &known[i];
    return NULL;
}

ferry_status ferry_nvrtc_get(int chip, int most_major, const ferry_nvrtc **out, ferry_error *err)
{
    pthread_mutex_lock(&mutex);
    *out = find(chip, most_major);
    pthread_mutex_unlock(&mutex);
    if (*out) return FERRY_OK;
    char which[64] = "";
    if (most_major) snprintf(which, sizeof which, " of CUDA %d or older", most_major);
    return ferry_fail(
        err, FERRY_ERR_UNAVAILABLE,
        "no NVRTC%s that compiles for sm_%d was found (libnvrtc.so.13, .12, .11.2): install the CUDA "
        "toolkit, or `pip install nvidia-cuda-nvrtc-cu12` and set FERRY_LIBNVRTC to the folder of its libnvrtc.so.12",
        which, chip);
}

void ferry_nvrtc_describe(char *out, size_t out_bytes)
{
    bool any = false;
    size_t used = 0;
    snprintf(out, out_bytes, "no NVRTC to compile kernels with: engines can be run, not built");
    pthread_mutex_lock(&mutex);
    open_all();
    for (size_t i = 0; i < NAMES; i++) {
        const ferry_nvrtc *n = &known[i];
        if (!n->library || used >= out_bytes) continue;
        const int written =
            snprintf(out + used, out_bytes - used, "%s%d.%d", any ? ", " : "kernels compile with NVRTC ",
                     n->version / 1000, n->version % 1000 / 10);
        used += written > 0 ? (size_t)written : 0;
        any = true;
    }
    pthread_mutex_unlock(&mutex);
}

int ferry_nvrtc_version(const ferry_nvrtc *nvrtc)
{
    return nvrtc->version;
}

uint64_t ferry_nvrtc_identity(const ferry_nvrtc *nvrtc)
{
    return nvrtc->identity;
}

const char *ferry_nvrtc_path(const ferry_nvrtc *nvrtc)
{
    return nvrtc->path;
}

static ferry_status fail_with_log(const ferry_nvrtc *n, program p, int result, const char *arch, const ferry_heap *heap,
                                  ferry_error *err)
{
    size_t bytes = 0;
    char *log = NULL;
    if (n->nvrtcGetProgramLogSize(p, &bytes) == 0 && bytes) log = ferry_heap_alloc(heap, bytes + 1);
    if (log && n->nvrtcGetProgramLog(p, log) != 0) log[0] = 0;
    ferry_fail(err, FERRY_ERR_INTERNAL, "NVRTC %d.%d, %s: %s\n%.3000s", n->version / 1000, n->version % 1000 / 10, arch,
               n->nvrtcGetErrorString(result), log ? log : "");
    ferry_heap_free(heap, log, bytes + 1);
    return FERRY_ERR_INTERNAL;
}

// "sm_53" as the virtual chip that PTX is made for.
static void virtual_arch(const char *arch, char *out, size_t bytes)
{
    snprintf(out, bytes, "compute_%s", strncmp(arch, "sm_", 3) == 0 ? arch + 3 : arch);
}

static ferry_status compile(const ferry_nvrtc *n, program p, const char *arch, const ferry_heap *heap, void **out_code,
                            size_t *out_bytes, ferry_error *err)
{
    const bool ptx = !n->nvrtcGetCUBIN;
    char option[64], chip[32];
    virtual_arch(arch, chip, sizeof chip);
    snprintf(option, sizeof option, "--gpu-architecture=%s", ptx ? chip : arch);
    const char *options[1 + FERRY_COUNT_OF(usual_options)] = {option};
    memcpy(&options[1], usual_options, sizeof usual_options);
    int r = n->nvrtcCompileProgram(p, 1 + (int)count_usual_options(n), options);
    if (r == 0) r = ptx ? n->nvrtcGetPTXSize(p, out_bytes) : n->nvrtcGetCUBINSize(p, out_bytes);
    if (r != 0) return fail_with_log(n, p, r, arch, heap, err);
    *out_code = ferry_heap_alloc_uninit(heap, *out_bytes);
    if (!*out_code) return ferry_fail_memory(err, "a compiled kernel");
    r = ptx ? n->nvrtcGetPTX(p, *out_code) : n->nvrtcGetCUBIN(p, *out_code);
    if (r == 0) return FERRY_OK;
    ferry_heap_free(heap, *out_code, *out_bytes);
    *out_code = NULL;
    return fail_with_log(n, p, r, arch, heap, err);
}

ferry_status ferry_nvrtc_compile(const ferry_nvrtc *n, const char *text, const ferry_nvrtc_header *headers,
                                 size_t n_headers, const char *arch, const ferry_heap *heap, void **out_code,
                                 size_t *out_bytes, ferry_error *err)
{
    *out_code = NULL;
    const char *texts[MOST_HEADERS], *header_names[MOST_HEADERS];
    if (n_headers > MOST_HEADERS) return ferry_fail(err, FERRY_ERR_INTERNAL, "%zu headers", n_headers);
    for (size_t i = 0; i < n_headers; i++) {
        texts[i] = headers[i].text;
        header_names[i] = headers[i].name;
    }
    program p = NULL;
    const int r = n->nvrtcCreateProgram(&p, text, "ferry.cu", (int)n_headers, texts, header_names);
    if (r != 0) return ferry_fail(err, FERRY_ERR_INTERNAL, "NVRTC: %s", n->nvrtcGetErrorString(r));
    const ferry_status s = compile(n, p, arch, heap, out_code, out_bytes, err);
    n->nvrtcDestroyProgram(&p);
    return s;
}

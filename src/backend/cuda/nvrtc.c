// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/nvrtc_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/cuda/library.h"
#include "base/diagnosis.h"
#include "base/hash.h"

// Names of the library by ABI, newest first; from CUDA 11.3 on a major version keeps one.
static const char *const names[] = {"libnvrtc.so.13",   "libnvrtc.so.12",   "libnvrtc.so.11.2",
                                    "libnvrtc.so.11.1", "libnvrtc.so.11.0", "libnvrtc.so.10.2"};
enum { NAMES = sizeof names / sizeof *names };

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
    if (n->nvrtcGetNumSupportedArchs(&count) != 0 || count < 1 || count > FERRY_NVRTC_MOST_CHIPS) return false;
    n->n_chips = count;
    return n->nvrtcGetSupportedArchs(n->chips) == 0;
}

static uint64_t identify(const ferry_nvrtc *n)
{
    ferry_hasher hasher;
    struct stat st;
    Dl_info at;
    ferry_hasher_init64(&hasher);
    ferry_hasher_update_u64(&hasher, (uint64_t)n->version);
    size_t count = 0;
    const char *const *options = ferry_nvrtc_usual_options(n, &count);
    for (size_t i = 0; i < count; i++) ferry_hasher_update_text(&hasher, options[i]);
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

static void open_all(void)
{
    if (searched) return;
    searched = true;
    for (size_t i = 0; i < NAMES; i++) {
        char path[sizeof known->path];
        const char *list = ferry_cuda_library_folders("FERRY_LIBNVRTC");
        bool found = false;
        while (!found && ferry_cuda_library_next(&list, names[i], path, sizeof path))
            found = open_path(&known[i], path);
    }
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

// "sm_50 sm_52 ..."
static void list_names(const ferry_nvrtc *n, char *out, size_t bytes)
{
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < n->n_chips && used + 8 < bytes; i++)
        used += (size_t)snprintf(out + used, bytes - used, " sm_%d", n->chips[i]);
}

// A file that is there and that the search passed over: damaged, or of another machine.
static void diagnose_file(ferry_diagnosis *d, const char *path, bool *any)
{
    if (access(path, F_OK) != 0) return;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ferry_diagnosis_add(d, "NVRTC", FERRY_FOUND_BROKEN, "install nvidia-cuda-nvrtc-cu12 or the CUDA toolkit anew",
                        "%s is there and can't be used (%s)", path, library ? "functions are missing" : dlerror());
    if (library) dlclose(library);
    *any = true;
}

void ferry_nvrtc_diagnose(ferry_diagnosis *d)
{
    bool any = false;
    char text[512];
    pthread_mutex_lock(&mutex);
    open_all();
    for (size_t i = 0; i < NAMES; i++) {
        const ferry_nvrtc *n = &known[i];
        if (!n->library) {
            const char *list = ferry_cuda_library_folders("FERRY_LIBNVRTC");
            while (ferry_cuda_library_next(&list, names[i], text, sizeof text)) diagnose_file(d, text, &any);
            continue;
        }
        list_names(n, text, sizeof text);
        ferry_diagnosis_add(d, "NVRTC", FERRY_FOUND_WORKS, NULL, "%d.%d (%s), for%s", n->version / 1000,
                            n->version % 1000 / 10, n->path, text);
        any = true;
    }
    pthread_mutex_unlock(&mutex);
    const char *own = ferry_cuda_library_folders("FERRY_LIBNVRTC");
    if (!any)
        ferry_diagnosis_add(
            d, "NVRTC", FERRY_FOUND_ABSENT,
            "install the CUDA toolkit, or `pip install nvidia-cuda-nvrtc-cu12` and set FERRY_LIBNVRTC to "
            "the folder of its libnvrtc.so.12",
            "no compiler of CUDA kernels: engines for GPUs can be run, not built; looked for in %s%s",
            own[0] == ':' ? "the linker's folders" : "", own);
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

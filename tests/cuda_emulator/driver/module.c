// SPDX-License-Identifier: Apache-2.0
// Modules: what the emulated compiler made is a shared object for this machine. A chip takes what was compiled for it:
// code of the same major version that is not newer, and virtual code that is not newer.
#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/emulator.h"
#include "execute/grid.h"

struct emulated_module {
    void *library;
    const emulated_image *image;
    struct emulated_function *functions; // one a kernel
    size_t n_functions;
};

/// A linker puts the table of sections at the end. 0: no shared object.
static size_t object_bytes(const void *data)
{
    Elf64_Ehdr header;
    if (memcmp(data, ELFMAG, SELFMAG) != 0) return 0;
    memcpy(&header, data, sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN) return 0;
    return (size_t)header.e_shoff + (size_t)header.e_shnum * header.e_shentsize;
}

/// Each load is a file of its own, so that modules from the same bytes have variables of their own.
static void *open_object(const void *data, size_t bytes)
{
    const char *const folder = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/emulated-module-XXXXXX", folder && folder[0] ? folder : "/tmp");
    const int file = mkstemp(path);
    if (file < 0) return NULL;
    void *library = NULL;
    if (write(file, data, bytes) == (ssize_t)bytes) library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    close(file);
    unlink(path);
    return library;
}

static bool runs_here(const emulated_image *image)
{
    const int chip = emulated_chip();
    if (image->family_only) return image->chip == chip;
    if (image->is_virtual) return image->chip <= chip;
    return image->chip / 10 == chip / 10 && image->chip <= chip;
}

static CUresult fill(CUmodule m)
{
    m->image = dlsym(m->library, "ferry_emulated_image");
    if (!m->image || m->image->abi != EMULATED_ABI) return CUDA_ERROR_INVALID_IMAGE;
    if (!runs_here(m->image)) return CUDA_ERROR_NO_BINARY_FOR_GPU;
    *m->image->runtime = emulated_runtime_table();
    for (const emulated_variable *v = m->image->variables; v->name; v++)
        emulated_memory_add_variable(v->address, v->bytes);
    while (m->image->kernels[m->n_functions].name) m->n_functions++;
    m->functions = calloc(m->n_functions + 1, sizeof *m->functions);
    if (!m->functions) return CUDA_ERROR_OUT_OF_MEMORY;
    for (size_t i = 0; i < m->n_functions; i++)
        m->functions[i] = (struct emulated_function){m, m->image, &m->image->kernels[i], 48 << 10};
    return CUDA_SUCCESS;
}

EXPORT(cuModuleUnload, (CUmodule module))
{
    if (!module) return CUDA_ERROR_INVALID_HANDLE;
    emulated_wait_for_all();
    if (module->functions)
        for (const emulated_variable *v = module->image->variables; v->name; v++)
            emulated_memory_remove_variable(v->address);
    dlclose(module->library);
    free(module->functions);
    free(module);
    return CUDA_SUCCESS;
}

EXPORT(cuModuleLoadData, (CUmodule * out, const void *data))
{
    *out = NULL;
    CUresult r = emulated_ready();
    if (r) return r;
    const size_t bytes = object_bytes(data);
    void *const library = bytes ? open_object(data, bytes) : NULL;
    if (!library) return CUDA_ERROR_INVALID_IMAGE;
    CUmodule module = calloc(1, sizeof *module);
    if (!module) {
        dlclose(library);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    module->library = library;
    r = fill(module);
    if (r)
        cuModuleUnload(module);
    else
        *out = module;
    return r;
}

EXPORT(cuModuleLoadDataEx, (CUmodule * out, const void *data, unsigned n_options, int *options, void **values))
{
    (void)n_options;
    (void)options;
    (void)values;
    return cuModuleLoadData(out, data);
}

EXPORT(cuModuleGetFunction, (CUfunction * out, CUmodule module, const char *name))
{
    *out = NULL;
    if (!module) return CUDA_ERROR_INVALID_HANDLE;
    for (size_t i = 0; i < module->n_functions; i++)
        if (strcmp(module->functions[i].kernel->name, name) == 0) *out = &module->functions[i];
    return *out ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

EXPORT(cuModuleGetGlobal_v2, (CUdeviceptr * out, size_t *out_bytes, CUmodule module, const char *name))
{
    if (!module) return CUDA_ERROR_INVALID_HANDLE;
    for (const emulated_variable *v = module->image->variables; v->name; v++) {
        if (strcmp(v->name, name) != 0) continue;
        if (out) *out = (CUdeviceptr)v->address;
        if (out_bytes) *out_bytes = v->bytes;
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_NOT_FOUND;
}

// SPDX-License-Identifier: Apache-2.0
// The runtime object: which devices are opened for a device name, and their memory.
#include "runtime/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/process.h"

// Splits "cuda:1" into backend and selector.
static ferry_status split_name(const char *text, char *name, size_t name_bytes, const char **out_selector,
                               ferry_error *err)
{
    const char *colon = strchr(text, ':');
    const size_t n = colon ? (size_t)(colon - text) : strlen(text);
    *out_selector = colon ? colon + 1 : "";
    if (n == 0 || n >= name_bytes)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "device '%s': expected cpu, cuda[:N] or dla[:CORE]", text);
    memcpy(name, text, n);
    name[n] = 0;
    return FERRY_OK;
}

static bool is_device_name(const char *name)
{
    return strcmp(name, "cpu") == 0 || strcmp(name, "cuda") == 0 || strcmp(name, "dla") == 0;
}

static ferry_status open_device(ferry_runtime *r, const ferry_backend *backend, const char *selector, ferry_error *err)
{
    if (backend->abi != FERRY_BACKEND_ABI)
        return ferry_fail(err, FERRY_ERR_INTERNAL, "backend '%s' has ABI %u, not %u", backend->name, backend->abi,
                          FERRY_BACKEND_ABI);
    ferry_device *device = NULL;
    FERRY_TRY(backend->open(selector, r->heap, &r->logger, &device, err));
    snprintf(r->names[r->n_devices], sizeof r->names[0], "%.15s%s%.15s", backend->name, selector[0] ? ":" : "",
             selector);
    backend->describe(device, &r->infos[r->n_devices]);
    r->devices[r->n_devices++] = device;
    return FERRY_OK;
}

static const ferry_backend *find(const ferry_backend *const *backends, const char *name)
{
    while (*backends && strcmp((*backends)->name, name) != 0) backends++;
    return *backends;
}

static ferry_status open_named(ferry_runtime *r, const ferry_backend *const *backends, const char *text,
                               ferry_error *err)
{
    char name[32];
    const char *selector = "";
    FERRY_TRY(split_name(text, name, sizeof name, &selector, err));
    const ferry_backend *backend = find(backends, name);
    if (!backend && !is_device_name(name))
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "device '%s': expected cpu, cuda[:N] or dla[:CORE]", text);
    if (!backend)
        return ferry_fail(err, FERRY_ERR_UNAVAILABLE,
                          "device '%s' is not available on this machine: this build of ferry has no %s backend", text,
                          name);
    const ferry_status s = open_device(r, backend, selector, err);
    return s == FERRY_OK ? s : ferry_within(err, s, "device '%s'", text);
}

// The first device that opens, best backend first; a DLA runs few models alone and is taken only by name.
static ferry_status open_best(ferry_runtime *r, const ferry_backend *const *backends, ferry_error *err)
{
    ferry_status s = FERRY_ERR_UNAVAILABLE;
    for (; *backends && r->n_devices == 0; backends++)
        if (strcmp((*backends)->name, "dla") != 0) s = open_device(r, *backends, "", err);
    return s;
}

// What a DLA can't run goes to the GPU of the same board first.
static void open_gpu_behind_dla(ferry_runtime *r, const ferry_backend *const *backends, const char *device)
{
    const ferry_backend *gpu = find(backends, "cuda");
    if (!device || strncmp(device, "dla", 3) != 0 || (device[3] && device[3] != ':') || !gpu) return;
    ferry_error why = {.text = ""};
    if (open_device(r, gpu, "", &why) != FERRY_OK)
        ferry_log(&r->logger, FERRY_SEVERITY_INFO, "no GPU to fall back to: %s", why.text);
}

static ferry_status open_devices(ferry_runtime *r, const ferry_backend *const *backends, const char *device,
                                 bool fallback, ferry_error *err)
{
    ferry_error why = {.text = ""};
    ferry_status s = device && device[0] ? open_named(r, backends, device, &why) : open_best(r, backends, &why);
    if (s == FERRY_ERR_UNAVAILABLE && fallback) {
        ferry_log(&r->logger, FERRY_SEVERITY_WARNING, "%s; its layers run on the CPU instead", why.text);
        s = FERRY_OK;
    } else if (s != FERRY_OK) {
        return ferry_fail(err, s, "%s%s", why.text,
                          s == FERRY_ERR_UNAVAILABLE && device && strncmp(device, "cpu", 3) != 0
                              ? " (with --gpu-fallback its layers run elsewhere)"
                              : "");
    }
    if (!fallback) return FERRY_OK;
    open_gpu_behind_dla(r, backends, device);
    const bool has_cpu = r->n_devices > 0 && strcmp(r->devices[0]->backend->name, "cpu") == 0;
    // Behind a device that is elsewhere there is another CPU: plans take what every CPU runs.
    const bool elsewhere = r->n_devices > 0 && r->infos[0].build_only;
    return has_cpu ? FERRY_OK : open_device(r, find(backends, "cpu"), elsewhere ? "none" : "", err);
}

ferry_status ferry_runtime_create(const ferry_runtime_options *options, ferry_runtime **out, ferry_error *error)
{
    return ferry_runtime_create_with(ferry_backends(), options, out, error);
}

ferry_status ferry_runtime_create_with(const ferry_backend *const *backends, const ferry_runtime_options *options,
                                       ferry_runtime **out, ferry_error *error)
{
    *out = NULL;
    ferry_runtime_options o;
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_runtime_options, &o, options, error));
    const ferry_heap *heap = ferry_heap_or_default(o.heap);
    ferry_runtime *r = ferry_new(heap, ferry_runtime);
    if (!r) return ferry_fail_memory(error, "a runtime");
    atomic_init(&r->references, 1);
    r->heap = heap;
    r->process = ferry_process_generation();
    if (r->process == 0) {
        ferry_delete(heap, r);
        return ferry_fail_memory(error, "a runtime");
    }
    if (o.logger) r->logger = *o.logger;
    const ferry_status s = open_devices(r, backends, o.device, o.fallback, error);
    if (s != FERRY_OK) {
        ferry_runtime_release(r);
        return s;
    }
    *out = r;
    return FERRY_OK;
}

void ferry_runtime_retain(ferry_runtime *runtime)
{
    atomic_fetch_add_explicit(&runtime->references, 1, memory_order_relaxed);
}

void ferry_runtime_release(ferry_runtime *runtime)
{
    if (!runtime || atomic_fetch_sub_explicit(&runtime->references, 1, memory_order_acq_rel) != 1) return;
    const bool foreign = ferry_process_is_foreign(runtime->process);
    for (int32_t i = 0; i < runtime->n_devices; i++)
        if (!foreign || runtime->infos[i].survives_fork) runtime->devices[i]->backend->close(runtime->devices[i]);
    ferry_delete(runtime->heap, runtime);
}

ferry_status ferry_runtime_check_process(const ferry_runtime *runtime, ferry_error *err)
{
    if (!ferry_process_is_foreign(runtime->process)) return FERRY_OK;
    for (int32_t i = 0; i < runtime->n_devices; i++)
        if (!runtime->infos[i].survives_fork)
            return ferry_fail(
                err, FERRY_ERR_INVALID_ARGUMENT,
                "the runtime was made before fork(), and device %s does not come along: make a runtime in "
                "this process",
                runtime->names[i]);
    return FERRY_OK;
}

ferry_status ferry_check_process(unsigned made_in, const char *what, ferry_error *err)
{
    if (!ferry_process_is_foreign(made_in)) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                      "the %s was made before fork(), whose child has none of its threads: make one in this process",
                      what);
}

ferry_status ferry_runtime_device(const ferry_runtime *runtime, int32_t index, ferry_device_description *out,
                                  ferry_error *error)
{
    if (index < 0 || index >= runtime->n_devices)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "there is no device %d, the runtime has %d", index,
                          runtime->n_devices);
    const ferry_device_info *info = &runtime->infos[index];
    *out = (ferry_device_description){.memory_bytes = info->memory_bytes, .available = true};
    snprintf(out->name, sizeof out->name, "%s", runtime->names[index]);
    snprintf(out->description, sizeof out->description, "%s", info->name);
    snprintf(out->fingerprint, sizeof out->fingerprint, "%s", info->fingerprint);
    return FERRY_OK;
}

bool ferry_runtime_host_memory(const ferry_runtime *runtime)
{
    return runtime->infos[0].host_memory;
}

bool ferry_runtime_shares_memory(const ferry_runtime *runtime)
{
    return runtime->infos[0].shares_memory;
}

ferry_bound ferry_runtime_reach(const ferry_runtime *runtime, void *address)
{
    ferry_device *device = runtime->devices[0];
    ferry_bound bound = {.on_device = address, .on_host = NULL};
    if (address && runtime->infos[0].shares_memory &&
        !device->backend->find_shared(device, address, &bound.on_device, &bound.on_host))
        bound = (ferry_bound){.on_device = address};
    return bound;
}

static void add_tools(const ferry_backend *backend, ferry_device_description *out)
{
    if (!backend->describe_tools) return;
    char text[sizeof out->description];
    backend->describe_tools(text, sizeof text);
    const size_t used = strlen(out->description);
    snprintf(out->description + used, sizeof out->description - used, "; %s", text);
}

static void describe_device(const ferry_backend *backend, ferry_device_description *out)
{
    *out = (ferry_device_description){0};
    snprintf(out->name, sizeof out->name, "%s", backend->name);
    ferry_error err = {.text = ""};
    ferry_device *device = NULL;
    if (backend->open("", ferry_heap_default(), NULL, &device, &err) != FERRY_OK) {
        snprintf(out->description, sizeof out->description, "%.*s", (int)sizeof out->description - 1, err.text);
        add_tools(backend, out);
        return;
    }
    ferry_device_info info;
    backend->describe(device, &info);
    snprintf(out->description, sizeof out->description, "%s", info.name);
    snprintf(out->fingerprint, sizeof out->fingerprint, "%s", info.fingerprint);
    add_tools(backend, out);
    out->memory_bytes = info.memory_bytes;
    out->available = true;
    backend->close(device);
}

size_t ferry_devices(ferry_device_description *out, size_t capacity)
{
    static const char *const names[] = {"cuda", "dla", "cpu"};
    for (size_t i = 0; i < FERRY_COUNT_OF(names) && i < capacity; i++) {
        const ferry_backend *backend = ferry_backend_find(names[i]);
        if (backend) {
            describe_device(backend, &out[i]);
            continue;
        }
        out[i] = (ferry_device_description){0};
        snprintf(out[i].name, sizeof out[i].name, "%s", names[i]);
        snprintf(out[i].description, sizeof out[i].description, "not available: this build of ferry has no %s backend",
                 names[i]);
    }
    return FERRY_COUNT_OF(names);
}

ferry_status ferry_runtime_memory(const ferry_runtime *runtime, ferry_memory_info *out, ferry_error *error)
{
    *out = (ferry_memory_info){0};
    FERRY_TRY(ferry_runtime_check_process(runtime, error));
    ferry_device *device = runtime->devices[0];
    ferry_device_memory memory = {0};
    if (!device->backend->measure_memory)
        return ferry_fail(error, FERRY_ERR_UNSUPPORTED, "the memory of device %s is the host's", runtime->names[0]);
    FERRY_TRY(device->backend->measure_memory(device, &memory, error));
    *out = (ferry_memory_info){memory.free_bytes, memory.total_bytes, memory.constant_bytes, memory.code_bytes};
    return FERRY_OK;
}

void *ferry_memory_alloc(ferry_runtime *runtime, size_t bytes)
{
    if (ferry_runtime_check_process(runtime, NULL) != FERRY_OK) return NULL;
    return runtime->devices[0]->backend->alloc(runtime->devices[0], bytes ? bytes : 1);
}

void ferry_memory_free(ferry_runtime *runtime, void *pointer, size_t bytes)
{
    // A device that didn't come along through fork() has nothing to give back here.
    if (pointer && ferry_runtime_check_process(runtime, NULL) == FERRY_OK)
        runtime->devices[0]->backend->free(runtime->devices[0], pointer, bytes ? bytes : 1);
}

void *ferry_pinned_alloc(ferry_runtime *runtime, size_t bytes)
{
    if (ferry_runtime_check_process(runtime, NULL) != FERRY_OK) return NULL;
    return runtime->devices[0]->backend->alloc_pinned(runtime->devices[0], bytes ? bytes : 1);
}

void ferry_pinned_free(ferry_runtime *runtime, void *pointer, size_t bytes)
{
    if (pointer && ferry_runtime_check_process(runtime, NULL) == FERRY_OK)
        runtime->devices[0]->backend->free_pinned(runtime->devices[0], pointer, bytes ? bytes : 1);
}

// SPDX-License-Identifier: Apache-2.0
// The CPU as a device: synchronous, its memory is the host's. Asynchrony is the runtime's streams' work.
#include "backend/cpu/cpu.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ferry_device_stream {
    ferry_device *device;
    ferry_thread_pool *pool; // NULL: one thread
};

struct ferry_device_event {
    ferry_device *device;
    double time_s; // 0: not recorded
};

static ferry_status mask_isa(const char *where, const char *name, uint32_t *isa, ferry_error *err)
{
    const uint32_t mask = ferry_isa_parse(name);
    if (mask == UINT32_MAX)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "'%s' is no instruction set; %s none, avx2, avx512, avx512vnni, avx512bf16, avx512vbmi, "
                          "neon, neonfp16, neondot or neoni8mm",
                          name, where);
    if ((mask & ~*isa) != 0) return ferry_fail(err, FERRY_ERR_UNAVAILABLE, "this CPU does not have %s", name);
    *isa &= mask;
    return FERRY_OK;
}

static ferry_status cpu_open(const char *selector, const ferry_heap *heap, const ferry_logger *logger,
                             ferry_device **out, ferry_error *err)
{
    *out = NULL;
    uint32_t isa = ferry_isa_detect();
    const char *variable = getenv("FERRY_CPU");
    if (selector[0])
        FERRY_TRY(mask_isa("after 'cpu:' comes", selector, &isa, err));
    else if (variable && variable[0])
        FERRY_TRY(mask_isa("FERRY_CPU may be", variable, &isa, err));
    ferry_cpu_device *device = ferry_new(heap, ferry_cpu_device);
    if (!device) return ferry_fail_memory(err, "the CPU device");
    device->base = (ferry_device){.backend = &ferry_backend_cpu, .heap = heap, .logger = logger};
    device->isa = isa;
    *out = &device->base;
    return FERRY_OK;
}

static void cpu_close(ferry_device *device)
{
    if (device) ferry_heap_free(device->heap, device, sizeof(ferry_cpu_device));
}

static void cpu_describe(const ferry_device *device, ferry_device_info *out)
{
    const ferry_cpu_device *cpu = (const ferry_cpu_device *)device;
    *out = (ferry_device_info){.host_memory = true, .synchronous = true, .survives_fork = true};
    char isa[64], name[64];
    ferry_isa_text(cpu->isa, isa, sizeof isa);
    ferry_cpu_name(name, sizeof name);
    snprintf(out->name, sizeof out->name, "%s, %zu threads, %s", name, ferry_processor_count(), isa);
#if defined(__x86_64__)
    const char *arch = "x86_64";
#elif defined(__aarch64__)
    const char *arch = "aarch64";
#else
    const char *arch = "generic";
#endif
    snprintf(out->fingerprint, sizeof out->fingerprint, "cpu/%s/%s", arch, isa);
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    out->memory_bytes = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : 0;
    // f16 and bf16 are computed in f32 where there are no instructions for their products.
    if (cpu->isa & FERRY_ISA_NEONFP16) out->fast_dtypes |= 1u << FERRY_F16;
    if (cpu->isa & FERRY_ISA_AVX512BF16) out->fast_dtypes |= 1u << FERRY_BF16;
    if (cpu->isa & (FERRY_ISA_AVX512VNNI | FERRY_ISA_NEONDOT | FERRY_ISA_AVX2 | FERRY_ISA_NEON))
        out->fast_dtypes |= 1u << FERRY_S8;
}

typedef struct counted_sink {
    const ferry_offer_sink *sink;
    const ferry_cpu_family *family;
    const ferry_graph *graph;
    size_t taken;
} counted_sink;

// Whether the kernel is given tensors that were converted to f32 as a whole (via_f32.c).
static bool is_converted(const counted_sink *counted, const ferry_offer *offer)
{
    bool narrow = false, all_f16 = counted->family->f16, all_bf16 = counted->family->bf16;
    for (int32_t n = 0; n < offer->n_nodes; n++) {
        const ferry_node *node = &counted->graph->nodes[offer->nodes[n]];
        for (int32_t i = 0; i < node->n_inputs + node->n_outputs; i++) {
            const ferry_value_id v = i < node->n_inputs ? node->inputs[i] : node->outputs[i - node->n_inputs];
            if (v == FERRY_NO_VALUE || ferry_value_is_constant(&counted->graph->values[v])) continue;
            const ferry_dtype dtype = counted->graph->values[v].dtype;
            narrow |= dtype == FERRY_F16 || dtype == FERRY_BF16;
            all_f16 &= dtype == FERRY_F16;
            all_bf16 &= dtype == FERRY_BF16;
        }
    }
    return counted->family->via_f32 && narrow && !all_f16 && !all_bf16;
}

static ferry_status count_offer(void *user, const ferry_offer *offer, ferry_error *err)
{
    counted_sink *counted = user;
    ferry_offer own = *offer;
    counted->taken++;
    if (is_converted(counted, offer)) own.flags &= ~(uint32_t)(FERRY_OFFER_READS_SLICES | FERRY_OFFER_WRITES_SLICES);
    return counted->sink->take(counted->sink->user, &own, err);
}

static ferry_status cpu_offer(ferry_device *device, const ferry_graph_view *view, ferry_node_id root,
                              const ferry_offer_sink *sink, ferry_error *err)
{
    ferry_cpu_device *cpu = (ferry_cpu_device *)device;
    const ferry_cpu_family *family;
    bool native = false; // something that needs no conversions to f32 was offered
    for (size_t i = 0; (family = ferry_cpu_family_at(i)); i++) {
        if (native && family->via_f32 && !family->bf16) continue;
        counted_sink counted = {.sink = sink, .family = family, .graph = view->graph};
        const ferry_offer_sink counting = {count_offer, &counted};
        FERRY_TRY(family->offer(cpu, view, root, &counting, err));
        native |= counted.taken > 0 && family->multiplies_bf16 && (cpu->isa & FERRY_ISA_AVX512BF16);
    }
    return FERRY_OK;
}

static const ferry_cpu_family *find_family(const char *tactic)
{
    const ferry_cpu_family *family;
    for (size_t i = 0; (family = ferry_cpu_family_at(i)); i++)
        if (family->owns(tactic)) return family;
    return NULL;
}

static ferry_status cpu_pack(ferry_device *device, const ferry_region *region, const char *tactic, void **out_data,
                             size_t *out_bytes, ferry_error *err)
{
    *out_data = NULL;
    *out_bytes = 0;
    const ferry_cpu_family *family = find_family(tactic);
    if (!family) return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "the CPU has no tactic '%s'", tactic);
    if (!family->pack) return FERRY_OK;
    return family->pack((ferry_cpu_device *)device, region, tactic, out_data, out_bytes, err);
}

static ferry_status prepare_direct(ferry_cpu_device *device, const ferry_cpu_family *family, const ferry_region *region,
                                   const char *tactic, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                   const void *packed, size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    return family->prepare(device, region, tactic, in, out, packed, packed_bytes, out_kernel, err);
}

static ferry_status cpu_prepare(ferry_device *device, const ferry_region *region, const char *tactic,
                                const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                                size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    *out_kernel = NULL;
    const ferry_cpu_family *family = find_family(tactic);
    if (!family) return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "the CPU has no tactic '%s'", tactic);
    return (family->via_f32 ? ferry_cpu_prepare_via_f32 : prepare_direct)(
        (ferry_cpu_device *)device, family, region, tactic, in, out, packed, packed_bytes, out_kernel, err);
}

void *ferry_cpu_kernel_new(ferry_cpu_device *device, size_t bytes,
                           ferry_status (*run)(const ferry_cpu_kernel *, const ferry_cpu_run *, ferry_error *))
{
    ferry_cpu_kernel *kernel = ferry_heap_alloc(device->base.heap, bytes);
    if (!kernel) return NULL;
    kernel->base.device = &device->base;
    kernel->bytes = bytes;
    kernel->run = run;
    return kernel;
}

static void cpu_release(ferry_kernel *kernel)
{
    if (!kernel) return;
    ferry_cpu_kernel *own = (ferry_cpu_kernel *)kernel;
    if (own->deinit) own->deinit(own);
    ferry_heap_free(kernel->device->heap, own, own->bytes);
}

ferry_status ferry_cpu_kernel_done(ferry_cpu_kernel *kernel, ferry_status filled, ferry_kernel **out)
{
    if (filled == FERRY_OK)
        *out = &kernel->base;
    else
        cpu_release(&kernel->base);
    return filled;
}

static ferry_status cpu_enqueue(ferry_device_stream *stream, const ferry_kernel *kernel, const ferry_binding *in,
                                const ferry_binding *out, void *workspace, ferry_error *err)
{
    const ferry_cpu_kernel *own = (const ferry_cpu_kernel *)kernel;
    const ferry_cpu_run run = {.pool = stream->pool, .in = in, .out = out, .workspace = workspace};
    return own->run(own, &run, err);
}

static ferry_status cpu_copy(ferry_device_stream *stream, ferry_copy_kind kind, void *to, const void *from,
                             size_t bytes, ferry_error *err)
{
    (void)stream;
    (void)kind;
    (void)err;
    if (bytes) memmove(to, from, bytes);
    return FERRY_OK;
}

static void *cpu_alloc(ferry_device *device, size_t bytes)
{
    return ferry_heap_alloc_uninit(device->heap, bytes);
}

static void cpu_free(ferry_device *device, void *pointer, size_t bytes)
{
    ferry_heap_free(device->heap, pointer, bytes);
}

static ferry_status cpu_stream_create(ferry_device *device, int32_t threads, ferry_device_stream **out,
                                      ferry_error *err)
{
    *out = NULL;
    ferry_device_stream *stream = ferry_new(device->heap, ferry_device_stream);
    if (!stream) return ferry_fail_memory(err, "a CPU stream");
    stream->device = device;
    const size_t n = threads > 0 ? (size_t)threads : ferry_processor_count();
    if (n > 1) {
        const ferry_status s = ferry_thread_pool_create(device->heap, n, &stream->pool, err);
        if (s != FERRY_OK) {
            ferry_delete(device->heap, stream);
            return s;
        }
    }
    *out = stream;
    return FERRY_OK;
}

static void cpu_stream_destroy(ferry_device_stream *stream)
{
    if (!stream) return;
    ferry_thread_pool_destroy(stream->pool);
    ferry_delete(stream->device->heap, stream);
}

static ferry_status cpu_stream_wait(ferry_device_stream *stream, ferry_error *err)
{
    (void)stream;
    (void)err;
    return FERRY_OK;
}

static void cpu_burst_begin(ferry_device_stream *stream)
{
    ferry_thread_pool_begin(stream->pool);
}

static void cpu_burst_end(ferry_device_stream *stream)
{
    ferry_thread_pool_end(stream->pool);
}

static ferry_status cpu_event_create(ferry_device *device, ferry_device_event **out, ferry_error *err)
{
    *out = ferry_new(device->heap, ferry_device_event);
    if (!*out) return ferry_fail_memory(err, "an event");
    (*out)->device = device;
    return FERRY_OK;
}

static void cpu_event_destroy(ferry_device_event *event)
{
    if (event) ferry_delete(event->device->heap, event);
}

static ferry_status cpu_event_record(ferry_device_stream *stream, ferry_device_event *event, ferry_error *err)
{
    (void)stream;
    (void)err;
    event->time_s = ferry_clock_s();
    return FERRY_OK;
}

static ferry_status cpu_event_elapsed(ferry_device_event *begin, ferry_device_event *end, double *out_ms,
                                      ferry_error *err)
{
    if (begin->time_s == 0 || end->time_s == 0)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "an event was never recorded");
    *out_ms = (end->time_s - begin->time_s) * 1e3;
    return FERRY_OK;
}

const ferry_backend ferry_backend_cpu = {
    .abi = FERRY_BACKEND_ABI,
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .describe = cpu_describe,
    .offer = cpu_offer,
    .pack = cpu_pack,
    .prepare = cpu_prepare,
    .prepare_reformat = ferry_cpu_prepare_reformat,
    .release = cpu_release,
    .enqueue = cpu_enqueue,
    .copy = cpu_copy,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .alloc_pinned = cpu_alloc,
    .free_pinned = cpu_free,
    .stream_create = cpu_stream_create,
    .stream_destroy = cpu_stream_destroy,
    .stream_wait = cpu_stream_wait,
    .burst_begin = cpu_burst_begin,
    .burst_end = cpu_burst_end,
    .event_create = cpu_event_create,
    .event_destroy = cpu_event_destroy,
    .event_record = cpu_event_record,
    .event_elapsed = cpu_event_elapsed,
};

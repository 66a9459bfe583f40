// SPDX-License-Identifier: Apache-2.0
// Lets kernels that know f32 only run on f16 and bf16 tensors: what comes in is widened into the workspace, what goes
// out is rounded from there, as docs/INT8.md has it ("16-bit floats").
#include <string.h>

#include "backend/cpu/conv_node.h"
#include "backend/cpu/loops_half.h"
#include "backend/cpu/node.h"

#define CHUNK 4096 // elements that are worth a task

typedef struct converted {
    size_t offset, elements; // in the workspace
    ferry_dtype dtype;       // as bound; FERRY_F32: not converted
} converted;

typedef struct via_f32_kernel {
    ferry_cpu_kernel base;
    ferry_kernel *inner;
    int32_t n_in, n_out;
    converted *tensors;     // [n_in + n_out]
    size_t bindings_offset; // of ferry_binding [n_in + n_out] in the workspace; the inner workspace is at 0
} via_f32_kernel;

typedef struct job {
    const ferry_loops_half_row *loops;
    float *wide;
    uint16_t *narrow;
    bool widen;
} job;

static void convert_some(void *context, size_t begin, size_t count)
{
    const job *j = context;
    if (j->widen)
        j->loops->widen(j->narrow + begin, j->wide + begin, count);
    else
        j->loops->narrow(j->wide + begin, j->narrow + begin, count);
}

static void convert(const via_f32_kernel *k, const converted *tensor, const ferry_cpu_run *r, void *bound, bool widen)
{
    const uint32_t isa = ((const ferry_cpu_device *)k->base.base.device)->isa;
    float *wide = (float *)((char *)r->workspace + tensor->offset);
    job j = {ferry_loops_half_pick(isa, tensor->dtype), wide, bound, widen};
    ferry_parallel_even(r->pool, convert_some, &j, tensor->elements, CHUNK);
}

static ferry_status run(const ferry_cpu_kernel *kernel, const ferry_cpu_run *r, ferry_error *err)
{
    const via_f32_kernel *k = (const via_f32_kernel *)kernel;
    char *workspace = r->workspace;
    ferry_binding *bindings = (ferry_binding *)(workspace + k->bindings_offset);
    for (int32_t i = 0; i < k->n_in + k->n_out; i++) {
        const bool in = i < k->n_in;
        const converted *tensor = &k->tensors[i];
        bindings[i] = in ? r->in[i] : r->out[i - k->n_in];
        if (tensor->dtype == FERRY_F32) continue;
        if (in) convert(k, tensor, r, r->in[i].data, true);
        bindings[i].data = workspace + tensor->offset;
    }
    const ferry_cpu_kernel *inner = (const ferry_cpu_kernel *)k->inner;
    const ferry_cpu_run inside = {
        .pool = r->pool, .in = bindings, .out = bindings + k->n_in, .workspace = r->workspace};
    FERRY_TRY(inner->run(inner, &inside, err));
    for (int32_t i = 0; i < k->n_out; i++)
        if (k->tensors[k->n_in + i].dtype != FERRY_F32) convert(k, &k->tensors[k->n_in + i], r, r->out[i].data, false);
    return FERRY_OK;
}

static void deinit(ferry_cpu_kernel *kernel)
{
    via_f32_kernel *k = (via_f32_kernel *)kernel;
    kernel->base.device->backend->release(k->inner);
    ferry_heap_free(kernel->base.device->heap, k->tensors, (size_t)(k->n_in + k->n_out) * sizeof *k->tensors);
}

static bool is_narrow(ferry_dtype dtype)
{
    return dtype == FERRY_F16 || dtype == FERRY_BF16;
}

// Only what lies in one piece is converted.
static bool is_slice(const ferry_tensor_desc *desc)
{
    return !ferry_tensor_desc_is_dense(desc, FERRY_LAYOUT_PLAIN) &&
           !ferry_tensor_desc_is_dense(desc, FERRY_LAYOUT_CHANNELS_LAST);
}

// Places the widened tensors and the bindings behind the inner kernel's workspace.
static ferry_status place(via_f32_kernel *k, const ferry_tensor_desc *wide, const ferry_dtype *bound, ferry_error *err)
{
    size_t at = ferry_align_size(k->inner->workspace_bytes, 64);
    for (int32_t i = 0; i < k->n_in + k->n_out; i++) {
        size_t bytes = 0;
        k->tensors[i].dtype = is_narrow(bound[i]) ? bound[i] : FERRY_F32;
        if (!is_narrow(bound[i])) continue;
        if (!ferry_tensor_desc_bytes(&wide[i], &bytes) || bytes > SIZE_MAX / 2 - at)
            return ferry_fail(err, FERRY_ERR_BAD_ENGINE, "a tensor too large to widen");
        k->tensors[i].offset = at;
        k->tensors[i].elements = bytes / sizeof(float);
        at = ferry_align_size(at + bytes, 64);
    }
    k->bindings_offset = at;
    k->base.base.workspace_bytes = at + (size_t)(k->n_in + k->n_out) * sizeof(ferry_binding);
    return FERRY_OK;
}

static ferry_status wrap(ferry_cpu_device *device, const ferry_region *region, ferry_kernel *inner,
                         const ferry_tensor_desc *wide, const ferry_dtype *bound, ferry_kernel **out_kernel,
                         ferry_error *err)
{
    via_f32_kernel *k = ferry_cpu_kernel_new(device, sizeof *k, run);
    const size_t n = (size_t)(region->n_inputs + region->n_outputs);
    converted *tensors = k ? ferry_heap_alloc_array(device->base.heap, n, sizeof *tensors) : NULL;
    if (!tensors) {
        if (k) device->base.backend->release(&k->base.base);
        device->base.backend->release(inner);
        return ferry_fail_memory(err, "a kernel");
    }
    k->base.deinit = deinit;
    k->inner = inner;
    k->tensors = tensors;
    k->n_in = region->n_inputs;
    k->n_out = region->n_outputs;
    return ferry_cpu_kernel_done(&k->base, place(k, wide, bound, err), out_kernel);
}

ferry_status ferry_cpu_prepare_via_f32(ferry_cpu_device *device, const ferry_cpu_family *family,
                                       const ferry_region *region, const char *tactic, const ferry_tensor_desc *in,
                                       const ferry_tensor_desc *out, const void *packed, size_t packed_bytes,
                                       ferry_kernel **out_kernel, ferry_error *err)
{
    const size_t n_in = (size_t)region->n_inputs, n = n_in + (size_t)region->n_outputs;
    bool any = false, all_f16 = family->f16, all_bf16 = family->bf16;
    for (size_t i = 0; i < n; i++) {
        const ferry_dtype dtype = (i < n_in ? &in[i] : &out[i - n_in])->dtype;
        any |= is_narrow(dtype);
        all_f16 &= dtype == FERRY_F16;
        all_bf16 &= dtype == FERRY_BF16;
    }
    if (!any || all_f16 || all_bf16)
        return family->prepare(device, region, tactic, in, out, packed, packed_bytes, out_kernel, err);

    ferry_arena scratch;
    ferry_arena_init(&scratch, device->base.heap);
    ferry_tensor_desc *wide = ferry_arena_alloc_array(&scratch, n, sizeof *wide);
    ferry_dtype *bound = ferry_arena_alloc_array(&scratch, n, sizeof *bound);
    ferry_status s = wide && bound ? FERRY_OK : ferry_fail_memory(err, "a kernel");
    for (size_t i = 0; s == FERRY_OK && i < n; i++) {
        wide[i] = i < n_in ? in[i] : out[i - n_in];
        bound[i] = wide[i].dtype;
        if (is_narrow(bound[i]) && is_slice(&wide[i])) s = ferry_misfit(tactic, "a slice of a tensor", err);
        if (is_narrow(bound[i])) wide[i].dtype = FERRY_F32;
    }
    ferry_kernel *inner = NULL;
    if (s == FERRY_OK)
        s = family->prepare(device, region, tactic, wide, wide + n_in, packed, packed_bytes, &inner, err);
    if (s == FERRY_OK) s = wrap(device, region, inner, wide, bound, out_kernel, err);
    ferry_arena_deinit(&scratch);
    return s;
}

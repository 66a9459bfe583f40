// SPDX-License-Identifier: Apache-2.0
// Calls of cuBLASLt: described once, when they are prepared, then queued with whatever addresses tensors have.
//
// What is a row here is a column there: y, of rows of `columns` elements, is the library's D = op(A) * B with A the
// weights (transposed), B the input and C the residual, all of them column-major.
#include <string.h>

#include "backend/cuda/resident.h"
#include "backend/cuda/vendor_blas_product.h"

#define MOST_WORKSPACE ((uint64_t)8 << 20)
#define TENSOR_ALIGNMENT 16u // what plans and callers promise
#define MOST_ASKED 8

// In the order of the launch's arguments.
enum { ARGUMENT_X, ARGUMENT_Y, ARGUMENT_RESIDUAL, ARGUMENT_WORKSPACE };

typedef struct blas_call {
    ferry_cuda_call base;
    const ferry_heap *heap;
    const ferry_cublaslt *library;
    ferry_cublaslt_handle handle; // borrowed from the device
    ferry_cublaslt_operation operation;
    ferry_cublaslt_layout a, b, c, d;
    ferry_cublaslt_algorithm algorithm;
    size_t workspace_bytes;
    ferry_cu_pointer weights;
    float alpha, beta; // beta: of the residual
} blas_call;

// --- The device's handle --------------------------------------------------------------------------------------------

static ferry_status make_handle(ferry_cuda_device *device, const ferry_cublaslt *library, ferry_error *err)
{
    if (device->blas_handle) return FERRY_OK;
    ferry_cublaslt_handle handle = NULL;
    FERRY_TRY(ferry_cublaslt_check(library, library->cublasLtCreate(&handle), "starting cuBLASLt", err));
    device->blas_handle = handle;
    return FERRY_OK;
}

ferry_status ferry_cuda_blas_get(ferry_cuda_device *device, const ferry_cublaslt **out_library,
                                 ferry_cublaslt_handle *out_handle, ferry_error *err)
{
    FERRY_TRY(ferry_cublaslt_get(device->driver_version, out_library, err));
    pthread_mutex_lock(&device->loading);
    const ferry_status s = make_handle(device, *out_library, err);
    *out_handle = device->blas_handle;
    pthread_mutex_unlock(&device->loading);
    return s;
}

void ferry_cuda_blas_close(ferry_cuda_device *device)
{
    const ferry_cublaslt *library = NULL;
    if (!device->blas_handle || ferry_cublaslt_get(device->driver_version, &library, NULL) != FERRY_OK) return;
    if (ferry_cuda_enter(device, NULL) != FERRY_OK) return;
    (void)library->cublasLtDestroy(device->blas_handle);
    ferry_cuda_leave(device);
}

// --- Descriptions ---------------------------------------------------------------------------------------------------

static int type_of(ferry_dtype dtype)
{
    return dtype == FERRY_F16 ? FERRY_CUBLAS_F16 : dtype == FERRY_BF16 ? FERRY_CUBLAS_BF16 : FERRY_CUBLAS_F32;
}

static ferry_status make_operation(blas_call *c, const ferry_blas_product *p, bool tf32, ferry_cu_pointer bias,
                                   ferry_error *err)
{
    const ferry_cublaslt *l = c->library;
    const int32_t transposed = 1;
    const uint32_t epilogue =
        p->b ? (p->activation == FERRY_CUBLASLT_PLAIN ? 0u : (uint32_t)p->activation) | FERRY_CUBLASLT_WITH_BIAS
             : (uint32_t)p->activation;
    ferry_cublas_result r = l->cublasLtMatmulDescCreate(
        &c->operation, tf32 ? FERRY_CUBLAS_COMPUTE_TF32 : FERRY_CUBLAS_COMPUTE_F32, FERRY_CUBLAS_F32);
    if (r != 0) c->operation = NULL;
    if (r == 0)
        r = l->cublasLtMatmulDescSetAttribute(c->operation, FERRY_CUBLASLT_TRANSPOSE_A, &transposed, sizeof transposed);
    if (r == 0)
        r = l->cublasLtMatmulDescSetAttribute(c->operation, FERRY_CUBLASLT_EPILOGUE, &epilogue, sizeof epilogue);
    if (r == 0 && p->b) r = l->cublasLtMatmulDescSetAttribute(c->operation, FERRY_CUBLASLT_BIAS, &bias, sizeof bias);
    return ferry_cublaslt_check(l, r, "describing a product", err);
}

static ferry_status make_layout(const blas_call *c, ferry_dtype dtype, int64_t rows, int64_t columns, int64_t pitch,
                                ferry_cublaslt_layout *out, ferry_error *err)
{
    const ferry_cublas_result r =
        c->library->cublasLtMatrixLayoutCreate(out, type_of(dtype), (uint64_t)rows, (uint64_t)columns, pitch);
    if (r != 0) *out = NULL;
    return ferry_cublaslt_check(c->library, r, "describing a matrix", err);
}

static ferry_status describe(blas_call *c, const ferry_blas_product *p, bool tf32, const ferry_blas_place *place,
                             ferry_cu_pointer bias, ferry_error *err)
{
    c->alpha = 1;
    c->beta = p->residual == FERRY_NO_VALUE ? 0 : p->r_mult;
    const int64_t c_pitch = p->residual == FERRY_NO_VALUE ? place->y_pitch : place->r_pitch;
    FERRY_TRY(make_operation(c, p, tf32, bias, err));
    FERRY_TRY(make_layout(c, p->x_type, p->channels, p->columns, p->channels, &c->a, err));
    FERRY_TRY(make_layout(c, p->x_type, p->channels, place->rows, place->x_pitch, &c->b, err));
    FERRY_TRY(make_layout(c, p->y_type, p->columns, place->rows, c_pitch, &c->c, err));
    return make_layout(c, p->y_type, p->columns, place->rows, place->y_pitch, &c->d, err);
}

static void release(ferry_cuda_call *call)
{
    blas_call *c = (blas_call *)call;
    const ferry_cublaslt_layout layouts[] = {c->a, c->b, c->c, c->d};
    for (size_t i = 0; i < FERRY_COUNT_OF(layouts); i++)
        if (layouts[i]) (void)c->library->cublasLtMatrixLayoutDestroy(layouts[i]);
    if (c->operation) (void)c->library->cublasLtMatmulDescDestroy(c->operation);
    ferry_delete(c->heap, c);
}

static ferry_status run(const ferry_cuda_call *call, ferry_cu_stream stream, const uint64_t *arguments,
                        ferry_error *err)
{
    const blas_call *c = (const blas_call *)call;
    void *y = (void *)(uintptr_t)arguments[ARGUMENT_Y];
    const void *residual = c->beta == 0 ? y : (const void *)(uintptr_t)arguments[ARGUMENT_RESIDUAL];
    const ferry_cublas_result r = c->library->cublasLtMatmul(
        c->handle, c->operation, &c->alpha, (const void *)(uintptr_t)c->weights, c->a,
        (const void *)(uintptr_t)arguments[ARGUMENT_X], c->b, &c->beta, residual, c->c, y, c->d, &c->algorithm,
        (void *)(uintptr_t)arguments[ARGUMENT_WORKSPACE], c->workspace_bytes, stream);
    return ferry_cublaslt_check(c->library, r, "queueing a product", err);
}

static ferry_status make(ferry_cuda_device *device, const ferry_blas_product *p, bool tf32,
                         const ferry_blas_place *place, ferry_cu_pointer bias, blas_call **out, ferry_error *err)
{
    blas_call *c = ferry_new(device->base.heap, blas_call);
    if (!c) return ferry_fail_memory(err, "a call of cuBLASLt");
    c->base = (ferry_cuda_call){run, release};
    c->heap = device->base.heap;
    ferry_status s = ferry_cuda_blas_get(device, &c->library, &c->handle, err);
    if (s == FERRY_OK) s = describe(c, p, tf32, place, bias, err);
    if (s == FERRY_OK)
        *out = c;
    else
        release(&c->base);
    return s;
}

// --- Algorithms -----------------------------------------------------------------------------------------------------

static ferry_status set_preference(const ferry_cublaslt *l, ferry_cublaslt_preference preference, ferry_error *err)
{
    const uint64_t workspace = MOST_WORKSPACE;
    ferry_cublas_result r = l->cublasLtMatmulPreferenceSetAttribute(preference, FERRY_CUBLASLT_MOST_WORKSPACE,
                                                                    &workspace, sizeof workspace);
    for (int i = 1; r == 0 && i < 4; i++) { // the weights, A, lie as the library wishes
        const uint32_t alignment = TENSOR_ALIGNMENT;
        r = l->cublasLtMatmulPreferenceSetAttribute(preference, FERRY_CUBLASLT_ALIGNMENT_A + i, &alignment,
                                                    sizeof alignment);
    }
    return ferry_cublaslt_check(l, r, "describing a search for algorithms", err);
}

// Asks for the algorithm of that rank.
static ferry_status ask(blas_call *c, int rank, ferry_error *err)
{
    const ferry_cublaslt *l = c->library;
    ferry_cublaslt_preference preference = NULL;
    ferry_cublaslt_found found[MOST_ASKED];
    int n = 0;
    memset(found, 0, sizeof found);
    FERRY_TRY(ferry_cublaslt_check(l, l->cublasLtMatmulPreferenceCreate(&preference), "searching for algorithms", err));
    ferry_status s = set_preference(l, preference, err);
    if (s == FERRY_OK)
        s = ferry_cublaslt_check(l,
                                 l->cublasLtMatmulAlgoGetHeuristic(c->handle, c->operation, c->a, c->b, c->c, c->d,
                                                                   preference, rank + 1, found, &n),
                                 "searching for algorithms", err);
    (void)l->cublasLtMatmulPreferenceDestroy(preference);
    FERRY_TRY(s);
    if (n <= rank || found[rank].state != 0 || found[rank].workspace_bytes > MOST_WORKSPACE)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "cuBLASLt has no algorithm of rank %d for it", rank + 1);
    c->algorithm = found[rank].algorithm;
    c->workspace_bytes = found[rank].workspace_bytes;
    return FERRY_OK;
}

// Whether the algorithm that was packed will do here.
static bool take_packed(blas_call *c, const ferry_blas_packed *packed, int64_t rows)
{
    ferry_cublaslt_found found = {0};
    if (memcmp(packed->version, c->library->version, sizeof packed->version) != 0 || packed->rows != rows) return false;
    c->algorithm = packed->algorithm;
    if (c->library->cublasLtMatmulAlgoCheck(c->handle, c->operation, c->a, c->b, c->c, c->d, &c->algorithm, &found) !=
            0 ||
        found.workspace_bytes > MOST_WORKSPACE)
        return false;
    c->workspace_bytes = found.workspace_bytes;
    return true;
}

ferry_status ferry_blas_product_choose(ferry_cuda_device *device, const ferry_blas_product *p,
                                       const ferry_blas_tactic *tactic, int64_t rows, ferry_blas_packed *out,
                                       ferry_error *err)
{
    const ferry_blas_place place = {rows, p->channels, p->columns, p->columns};
    blas_call *c = NULL;
    // The bias is nowhere yet; the library only looks at how its address is aligned.
    FERRY_TRY(make(device, p, tactic->tf32, &place, FERRY_BLAS_WEIGHTS_AT, &c, err));
    const ferry_status s = ask(c, tactic->rank, err);
    if (s == FERRY_OK) {
        *out = (ferry_blas_packed){.rows = rows, .algorithm = c->algorithm};
        memcpy(out->version, c->library->version, sizeof out->version);
    }
    release(&c->base);
    return s;
}

ferry_status ferry_blas_product_prepare(ferry_cuda_device *device, const ferry_region *region,
                                        const ferry_blas_product *p, const ferry_blas_tactic *tactic,
                                        const ferry_blas_place *place, ferry_cuda_kernel *kernel, ferry_error *err)
{
    ferry_cuda_package_view package;
    ferry_blas_packed packed;
    size_t bias_at = 0, bytes = 0;
    if (!ferry_blas_product_sizes(p, &bias_at, &bytes) || ferry_cuda_kernel_constant_bytes(kernel) != bytes)
        return ferry_misfit(tactic->name, "packed weights of another size", err);
    FERRY_TRY(ferry_cuda_package_read(kernel->resident->data, kernel->resident->bytes, &package, err));
    memcpy(&packed, package.constants, sizeof packed);
    if (place->rows == 0) return FERRY_OK;
    blas_call *c = NULL;
    FERRY_TRY(make(device, p, tactic->tf32, place, kernel->resident->constants + bias_at, &c, err));
    c->weights = kernel->resident->constants + FERRY_BLAS_WEIGHTS_AT;
    if (!take_packed(c, &packed, place->rows)) {
        const ferry_status s = ask(c, tactic->rank, err);
        if (s != FERRY_OK) {
            release(&c->base);
            return s;
        }
    }
    ferry_cuda_launch *launch = NULL;
    FERRY_TRY(ferry_cuda_kernel_call(kernel, &c->base, &launch, err));
    kernel->base.workspace_bytes = c->workspace_bytes;
    ferry_cuda_pass_in(launch, ferry_region_input(region, region->graph->nodes[region->nodes[0]].inputs[0]));
    ferry_cuda_pass_out(launch, 0);
    ferry_cuda_pass_in(launch, p->residual == FERRY_NO_VALUE ? -1 : ferry_region_input(region, p->residual));
    ferry_cuda_pass_workspace(launch, 0);
    return FERRY_OK;
}

// SPDX-License-Identifier: Apache-2.0
// A stand-in for cuBLASLt 12: products of column-major matrices, the first transposed, with the epilogues that ferry
// asks for. It refuses what it does not know, and looks at what the library's manual asks of its callers.
#include <stdlib.h>
#include <string.h>

#include "cublaslt/product.h"

#define MAGIC 0x6c626375u
#define ALGORITHMS 3 // one that computes at once, one that needs scratch and two kernels, one for long sums only
#define LONG_SUM 16

enum { SUCCESS = 0, NOT_INITIALIZED = 1, ALLOC_FAILED = 3, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum { COMPUTE_32F = 68, COMPUTE_32F_FAST_TF32 = 77 };
enum { EPILOGUE_DEFAULT = 1, EPILOGUE_RELU = 2, EPILOGUE_BIAS = 4, EPILOGUE_GELU = 32 };

typedef struct cublasLtContext {
    unsigned magic;
} * cublasLtHandle_t;

typedef struct layout {
    int type;
    uint64_t rows, columns;
    int64_t pitch;
} * cublasLtMatrixLayout_t;

typedef struct operation {
    int compute, transposed_a;
    uint32_t epilogue;
    const void *bias;
} * cublasLtMatmulDesc_t;

typedef struct preference {
    uint64_t workspace;
    uint32_t alignment[4];
} * cublasLtMatmulPreference_t;

typedef struct cublasLtMatmulAlgo_t {
    uint64_t data[8]; // magic, which of them, and the least alignment of B, C and D
} cublasLtMatmulAlgo_t;

typedef struct cublasLtMatmulHeuristicResult_t {
    cublasLtMatmulAlgo_t algo;
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
} cublasLtMatmulHeuristicResult_t;

// --- Handles and descriptions ----------------------------------------------------------------------------------------

EXPORT(cublasLtCreate, (cublasLtHandle_t * out))
{
    *out = malloc(sizeof **out);
    if (!*out) return ALLOC_FAILED;
    (*out)->magic = MAGIC;
    return SUCCESS;
}

EXPORT(cublasLtDestroy, (cublasLtHandle_t handle))
{
    if (!handle || handle->magic != MAGIC) return NOT_INITIALIZED;
    handle->magic = 0;
    free(handle);
    return SUCCESS;
}

EXPORT(cublasLtGetProperty, (int type, int *out))
{
    static const int version[] = {12, 9, 3};
    if (type < 0 || type > 2) return INVALID_VALUE;
    *out = version[type];
    return SUCCESS;
}

EXPORT(cublasLtMatrixLayoutCreate,
       (cublasLtMatrixLayout_t * out, int type, uint64_t rows, uint64_t columns, int64_t pitch))
{
    *out = malloc(sizeof **out);
    if (!*out) return ALLOC_FAILED;
    **out = (struct layout){type, rows, columns, pitch};
    return SUCCESS;
}

EXPORT(cublasLtMatrixLayoutDestroy, (cublasLtMatrixLayout_t layout))
{
    free(layout);
    return SUCCESS;
}

EXPORT(cublasLtMatmulDescCreate, (cublasLtMatmulDesc_t * out, int compute, int scale_type))
{
    if ((compute != COMPUTE_32F && compute != COMPUTE_32F_FAST_TF32) || scale_type != PRODUCT_F32) return NOT_SUPPORTED;
    *out = calloc(1, sizeof **out);
    if (!*out) return ALLOC_FAILED;
    **out = (struct operation){.compute = compute, .epilogue = EPILOGUE_DEFAULT};
    return SUCCESS;
}

EXPORT(cublasLtMatmulDescDestroy, (cublasLtMatmulDesc_t operation))
{
    free(operation);
    return SUCCESS;
}

static int set(void *to, size_t to_bytes, const void *from, size_t bytes)
{
    if (!from || bytes != to_bytes) return INVALID_VALUE;
    memcpy(to, from, bytes);
    return SUCCESS;
}

EXPORT(cublasLtMatmulDescSetAttribute, (cublasLtMatmulDesc_t operation, int attribute, const void *value, size_t bytes))
{
    enum { TRANSA = 3, EPILOGUE = 7, BIAS_POINTER = 8 };
    if (attribute == TRANSA) return set(&operation->transposed_a, sizeof operation->transposed_a, value, bytes);
    if (attribute == EPILOGUE) return set(&operation->epilogue, sizeof operation->epilogue, value, bytes);
    if (attribute == BIAS_POINTER) return set(&operation->bias, sizeof operation->bias, value, bytes);
    return INVALID_VALUE;
}

EXPORT(cublasLtMatmulPreferenceCreate, (cublasLtMatmulPreference_t * out))
{
    *out = malloc(sizeof **out);
    if (!*out) return ALLOC_FAILED;
    **out = (struct preference){0, {256, 256, 256, 256}};
    return SUCCESS;
}

EXPORT(cublasLtMatmulPreferenceDestroy, (cublasLtMatmulPreference_t preference))
{
    free(preference);
    return SUCCESS;
}

EXPORT(cublasLtMatmulPreferenceSetAttribute,
       (cublasLtMatmulPreference_t preference, int attribute, const void *value, size_t bytes))
{
    enum { MAX_WORKSPACE_BYTES = 1, MIN_ALIGNMENT_A_BYTES = 5 };
    const int i = attribute - MIN_ALIGNMENT_A_BYTES;
    if (attribute == MAX_WORKSPACE_BYTES)
        return set(&preference->workspace, sizeof preference->workspace, value, bytes);
    return i >= 0 && i < 4 ? set(&preference->alignment[i], sizeof preference->alignment[i], value, bytes)
                           : INVALID_VALUE;
}

// --- Algorithms ------------------------------------------------------------------------------------------------------

static int check(cublasLtHandle_t handle, cublasLtMatmulDesc_t o, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                 cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d)
{
    if (!handle || handle->magic != MAGIC) return NOT_INITIALIZED;
    if (!o || !a || !b || !c || !d) return INVALID_VALUE;
    const uint32_t act = o->epilogue & ~(uint32_t)EPILOGUE_BIAS;
    if (!o->transposed_a || (act > EPILOGUE_RELU && act != EPILOGUE_GELU)) return NOT_SUPPORTED;
    if (a->type != b->type || c->type != d->type || (d->type != a->type && d->type != PRODUCT_F32))
        return NOT_SUPPORTED;
    if (o->compute == COMPUTE_32F_FAST_TF32 && a->type != PRODUCT_F32) return NOT_SUPPORTED;
    if (a->rows != b->rows || a->columns != d->rows || b->columns != d->columns || c->rows != d->rows ||
        c->columns != d->columns || !d->rows || !d->columns || !a->rows)
        return INVALID_VALUE;
    const cublasLtMatrixLayout_t all[] = {a, b, c, d};
    for (int i = 0; i < 4; i++)
        if (all[i]->pitch < (int64_t)all[i]->rows) return INVALID_VALUE;
    return SUCCESS;
}

static size_t workspace_of(uint64_t algorithm, cublasLtMatrixLayout_t d)
{
    return algorithm == 1 ? d->rows * d->columns * sizeof(float) : 0;
}

EXPORT(cublasLtMatmulAlgoGetHeuristic,
       (cublasLtHandle_t handle, cublasLtMatmulDesc_t o, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
        cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference, int asked,
        cublasLtMatmulHeuristicResult_t *out, int *count))
{
    *count = 0;
    const int r = check(handle, o, a, b, c, d);
    if (r) return r;
    if (asked < 1 || ((o->epilogue & EPILOGUE_BIAS) && (uintptr_t)o->bias % 16)) return INVALID_VALUE;
    for (uint64_t i = 0; i < ALGORITHMS && *count < asked; i++) {
        const size_t workspace = workspace_of(i, d);
        if (workspace > preference->workspace || (i == 2 && a->rows < LONG_SUM)) continue;
        cublasLtMatmulHeuristicResult_t *const to = &out[(*count)++];
        *to = (cublasLtMatmulHeuristicResult_t){.workspace = workspace, .waves = 1};
        const uint64_t data[] = {MAGIC, i, preference->alignment[1], preference->alignment[2],
                                 preference->alignment[3]};
        memcpy(to->algo.data, data, sizeof data);
    }
    return *count ? SUCCESS : NOT_SUPPORTED;
}

EXPORT(cublasLtMatmulAlgoCheck, (cublasLtHandle_t handle, cublasLtMatmulDesc_t o, cublasLtMatrixLayout_t a,
                                 cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                 const cublasLtMatmulAlgo_t *algo, cublasLtMatmulHeuristicResult_t *out))
{
    const int r = check(handle, o, a, b, c, d);
    if (r) return r;
    if (algo->data[0] != MAGIC || algo->data[1] >= ALGORITHMS) return INVALID_VALUE;
    *out = (cublasLtMatmulHeuristicResult_t){.workspace = workspace_of(algo->data[1], d), .waves = 1};
    return SUCCESS;
}

// --- Products --------------------------------------------------------------------------------------------------------

static int is_misaligned(const void *p, uint64_t alignment)
{
    return (uintptr_t)p % alignment != 0;
}

static CUresult enqueue(product *p, int algorithm, float *workspace, CUstream stream)
{
    if (algorithm != 1) return emulated_call_enqueue(stream, "cublasLtMatmul", product_run, p, sizeof *p);
    p->sums = workspace;
    const CUresult r = emulated_call_enqueue(stream, "cublasLtMatmul: sums", product_run_sums, p, sizeof *p);
    return r ? r : emulated_call_enqueue(stream, "cublasLtMatmul: end", product_run_end, p, sizeof *p);
}

EXPORT(cublasLtMatmul, (cublasLtHandle_t handle, cublasLtMatmulDesc_t o, const float *alpha, const void *a,
                        cublasLtMatrixLayout_t la, const void *b, cublasLtMatrixLayout_t lb, const float *beta,
                        const void *c, cublasLtMatrixLayout_t lc, void *d, cublasLtMatrixLayout_t ld,
                        const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspace_bytes, CUstream stream))
{
    const int r = check(handle, o, la, lb, lc, ld);
    if (r) return r;
    if (!algo || algo->data[0] != MAGIC || algo->data[1] >= ALGORITHMS ||
        workspace_bytes < workspace_of(algo->data[1], ld) || is_misaligned(a, 256) || is_misaligned(workspace, 16))
        return INVALID_VALUE;
    if (is_misaligned(b, algo->data[2]) || is_misaligned(c, algo->data[3]) || is_misaligned(d, algo->data[4]))
        return NOT_SUPPORTED;
    product p = {
        .a = a,
        .b = b,
        .c = c,
        .d = d,
        .bias = o->epilogue & EPILOGUE_BIAS ? o->bias : NULL,
        .in_type = la->type,
        .out_type = ld->type,
        .tf32 = o->compute == COMPUTE_32F_FAST_TF32,
        .rows = ld->rows,
        .columns = ld->columns,
        .depth = la->rows,
        .a_pitch = la->pitch,
        .b_pitch = lb->pitch,
        .c_pitch = lc->pitch,
        .d_pitch = ld->pitch,
        .alpha = *alpha,
        .beta = *beta,
        .relu = (o->epilogue & EPILOGUE_RELU) != 0,
        .gelu = (o->epilogue & EPILOGUE_GELU) != 0,
    };
    return enqueue(&p, (int)algo->data[1], workspace, stream) ? ALLOC_FAILED : SUCCESS;
}

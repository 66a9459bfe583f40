// SPDX-License-Identifier: Apache-2.0
// A product's kernel text, and its weights, bias and the chain's constants as the kernel reads them.
#include <math.h>
#include <string.h>

#include "backend/cuda/product_size.h"
#include "base/f16.h"
#include "base/size.h"
#include "ops/epilogue.h"

static int64_t round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

// Two stages are in use while others are filled. A warp's sums leave by 16 rows of 64
// columns, where they aren't to be added up with those of other blocks.
static void wgmma_sizes(const ferry_cuda_target *target, const ferry_cuda_tile *tile, size_t stage, int64_t steps,
                        ferry_cuda_product_size *out)
{
    const size_t sums = tile->split > 1 ? (size_t)tile->m * (size_t)(tile->n + 8) * sizeof(float)
                                        : (size_t)(out->threads / 32) * 16 * 64 * sizeof(float);
    const bool streams = tile->kind == FERRY_CUDA_TILE_stream;
    out->stages = tile->stages;
    // Stages that no step fills need not be there.
    const size_t ring = stage * (size_t)(!streams && steps < out->stages ? steps : out->stages);
    out->shared_bytes = streams ? ring + sums : ring > sums ? ring : sums;
    // Blocks of a multiprocessor, by its shared memory and registers; what is no sum takes some 56 of them.
    const int by_shared = (int)((target->shared_bytes + 1024) / (out->shared_bytes + 1024));
    const int by_registers = 65536 / (out->threads * (tile->m * tile->n / out->threads + 56));
    out->resident = by_shared < by_registers ? by_shared : by_registers;
    if (out->resident < 1) out->resident = 1;
}

bool ferry_cuda_product_sizes(const ferry_cuda_target *target, const ferry_cuda_product *p, const ferry_cuda_tile *tile,
                              ferry_cuda_product_size *out)
{
    const int64_t element = (int64_t)ferry_dtype_bytes(p->x_type);
    // What counts rows of weights is an int, and so are places in them.
    if (p->channels < 1 || p->channels > 1 << 24 || p->taps < 1 || p->taps > 1 << 16 || p->columns < 1 ||
        p->columns > 1 << 24)
        return false;
    *out = (ferry_cuda_product_size){.depth = round_up(p->channels, 16 / element),
                                     .width = round_up(p->columns, tile->n),
                                     .threads = 32 * tile->warps_m * tile->warps_n * tile->slices};
    out->length = round_up(p->taps * out->depth, 128 / element);
    out->steps = out->length * element / 128;
    if (out->length > INT32_MAX / 2 || out->width * out->length > (int64_t)1 << 40) return false;
    out->bias_at = ferry_align_size((size_t)(out->width * out->length * element), 256);
    const size_t floats = (size_t)out->width * (p->mult ? 2 : 1) * sizeof(float);
    const size_t table = p->table ? 256 * ferry_dtype_bytes(p->table->dtype) : 0;
    out->chain_at = out->bias_at + ferry_align_size(floats + table, 256);
    out->constant_bytes = out->chain_at + (size_t)p->columns * sizeof(float) *
                                              (size_t)ferry_cuda_chain_count(&p->chain, FERRY_CUDA_CHANNEL);
    // Without asynchronous copies more than two tiles in flight win nothing.
    out->stages = ferry_cuda_has_cp_async(target) ? tile->stages : 2;
    const int64_t steps = (out->steps + tile->split - 1) / tile->split;
    if (out->stages > steps) out->stages = steps < 2 ? 2 : (int)steps;
    out->cluster = tile->split > 1 && ferry_cuda_has_clusters(target);
    const size_t stage = (size_t)(tile->m + tile->n) * 128;
    if (ferry_cuda_tile_is_wgmma(tile)) {
        wgmma_sizes(target, tile, stage, steps, out);
        return true;
    }
    const size_t sums = (size_t)tile->slices * (size_t)tile->m * (size_t)(tile->n + 8) * sizeof(float);
    const size_t ring = stage * (size_t)out->stages;
    out->shared_bytes = ring > sums ? ring : sums;
    return true;
}

// --- Text -----------------------------------------------------------------------------------------------------------

static void write_float_call(ferry_cuda_source *s, const char *call, const float *arguments, int n)
{
    ferry_cuda_source_add(s, "    v = %s", call);
    for (int i = 0; i < n; i++) {
        ferry_cuda_source_add(s, ", ");
        ferry_cuda_source_float(s, arguments[i]);
    }
    ferry_cuda_source_add(s, ");\n");
}

static void write_act(const ferry_epilogue *e, ferry_cuda_source *s)
{
    const float clip[] = {e->alpha, e->beta}, sigmoid[] = {0, e->gamma}, line[] = {e->alpha, e->beta};
    switch (e->act) {
    case FERRY_ACT_NONE:
        break;
    case FERRY_ACT_RELU:
        write_float_call(s, "fn_relu(v", NULL, 0);
        break;
    case FERRY_ACT_CLIP:
        write_float_call(s, "fn_clip(v", clip, 2);
        break;
    case FERRY_ACT_LEAKY_RELU:
        write_float_call(s, "fn_leaky_relu(v", &e->alpha, 1);
        break;
    case FERRY_ACT_HARD_SIGMOID:
        write_float_call(s, "fmaf(v", line, 2);
        write_float_call(s, "fn_clip(v", sigmoid, 2);
        break;
    }
}

// The node's own epilogue, ahead of the chain.
static ferry_status write_epilogue(const ferry_cuda_product *p, ferry_cuda_source *s, ferry_error *err)
{
    if (!p->node) return FERRY_OK;
    ferry_epilogue e;
    FERRY_TRY(ferry_epilogue_read(p->node, &e, err));
    if (e.act_first) write_act(&e, s);
    if (p->residual >= 0) {
        ferry_cuda_source_add(s, "    v = fmaf(o%d, ", p->residual);
        ferry_cuda_source_float(s, e.r_mult);
        ferry_cuda_source_add(s, ", v);\n");
    }
    if (!e.act_first) write_act(&e, s);
    return FERRY_OK;
}

int ferry_cuda_product_vector(const ferry_cuda_product *p)
{
    // Few channels come from outside, where they may lie apart.
    if (p->windowed && p->channels < FERRY_CUDA_FEW_CHANNELS) return 0;
    // A formed window begins anywhere that its stride leads to.
    const int64_t step = p->form_channels > 0 ? 4 * p->form_stride : 0;
    const int64_t bytes = (p->channels | step) * (int64_t)ferry_dtype_bytes(p->x_type);
    return bytes % 16 == 0 ? 16 : bytes % 8 == 0 ? 8 : bytes % 4 == 0 ? 4 : 0;
}

static void write_window(const ferry_window *w, ferry_cuda_source *s)
{
    static const char *const axes[] = {"H", "W"};
    for (int i = 0; i < 2; i++)
        ferry_cuda_source_add(s, "#define KERNEL_%s %d\n#define STRIDE_%s %d\n#define DILATION_%s %d\n", axes[i],
                              (int)w->kernel[i + 1], axes[i], (int)w->stride[i + 1], axes[i], (int)w->dilation[i + 1]);
}

static ferry_status write_text(const ferry_graph *g, const ferry_cuda_product *p, const ferry_cuda_tile *tile,
                               const ferry_cuda_product_size *size, ferry_cuda_source *s, ferry_error *err)
{
    ferry_cuda_source before = {.heap = s->heap};
    ferry_cuda_source_add(&before, "%s", "");
    ferry_cuda_source_add(s, "#include \"types.cuh\"\n#include \"functions.cuh\"\n");
    ferry_status status =
        p->mult ? ferry_cuda_product_write_integer(p, s, &before, err) : write_epilogue(p, &before, err);
    if (status == FERRY_OK && before.failed) status = ferry_fail_memory(err, "a kernel's text");
    if (status == FERRY_OK) {
        ferry_cuda_source_add(s, "#define X_TYPE %s\n#define Y_TYPE %s\n", ferry_cuda_type_name(p->x_type),
                              ferry_cuda_type_name(p->y_type));
        const struct {
            const char *name;
            int value;
        } defines[] = {{"MMA", ferry_cuda_tile_is_wgmma(tile) ? 2 : tile->kind == FERRY_CUDA_TILE_mma},
                       {"TILE_M", tile->m},
                       {"TILE_N", tile->n},
                       {"WARPS_M", tile->warps_m},
                       {"WARPS_N", tile->warps_n},
                       {"SLICES", tile->slices},
                       {"STAGES", size->stages},
                       {"SPLIT", tile->split},
                       {"CLUSTER", size->cluster},
                       {"VECTOR", ferry_cuda_product_vector(p)},
                       {"WINDOW", p->windowed},
                       {"X_ZERO", p->x_zero},
                       {"INTEGER", p->mult != NULL},
                       {"STREAM", tile->kind == FERRY_CUDA_TILE_stream},
                       {"RESIDENT", size->resident}};
        for (size_t i = 0; i < FERRY_COUNT_OF(defines); i++)
            ferry_cuda_source_define(s, defines[i].name, defines[i].value);
        if (p->windowed) write_window(&p->window, s);
        ferry_cuda_chain_write(g, &p->chain, before.text, s);
        ferry_cuda_source_add(s, "#include \"%s\"\n",
                              ferry_cuda_tile_is_wgmma(tile) && tile->split == 1 ? "product_wgmma.cuh" : "product.cuh");
        if (p->form_channels > 0) {
            ferry_cuda_source_define(s, "FORM_CHANNELS", p->form_channels);
            ferry_cuda_source_add(s, "#include \"product_form.cuh\"\n");
        }
    }
    ferry_heap_free(before.heap, before.text, before.capacity);
    return status;
}

// --- Constants ------------------------------------------------------------------------------------------------------

static void put(ferry_dtype type, void *to, int64_t at, float value)
{
    if (type == FERRY_F32)
        ((float *)to)[at] = value;
    else
        ((uint16_t *)to)[at] = type == FERRY_F16 ? ferry_f16_from_f32(value) : ferry_bf16_from_f32(value);
}

// Four channels for each position of a line.
static void pack_formed(const ferry_cuda_product *p, const ferry_cuda_product_size *size, const float *w, char *to)
{
    for (int64_t n = 0; n < p->columns; n++)
        for (int64_t t = 0; t < p->taps; t++)
            for (int64_t s = 0; s < p->form_width; s++)
                for (int64_t c = 0; c < p->form_channels; c++)
                    put(p->x_type, to, n * size->length + t * size->depth + 4 * s + c,
                        w[n * p->column_stride + t * p->tap_stride + c * p->channel_stride + s] * p->alpha);
}

static void pack_weights(const ferry_cuda_product *p, const ferry_cuda_product_size *size, const float *w, char *to)
{
    if (p->form_channels > 0) {
        pack_formed(p, size, w, to);
        return;
    }
    for (int64_t n = 0; n < p->columns; n++)
        for (int64_t t = 0; t < p->taps; t++)
            for (int64_t c = 0; c < p->channels; c++)
                put(p->x_type, to, n * size->length + t * size->depth + c,
                    w[n * p->column_stride + t * p->tap_stride + c * p->channel_stride] * p->alpha);
}

// To nearest, halves away from zero, as the device does it.
static void round_to_tf32(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i])) values[i] = ferry_f32_from_bits((ferry_f32_bits(values[i]) + 0x1000) & 0xffffe000u);
}

static void pack_integers(const ferry_cuda_product *p, const ferry_cuda_product_size *size, char *to)
{
    const int8_t *w = p->w->data;
    const bool formed = p->form_channels > 0;
    const int64_t positions = formed ? p->form_width : 1, channels = formed ? p->form_channels : p->channels;
    for (int64_t n = 0; n < p->columns; n++)
        for (int64_t t = 0; t < p->taps; t++)
            for (int64_t s = 0; s < positions; s++)
                for (int64_t c = 0; c < channels; c++)
                    to[n * size->length + t * size->depth + 4 * s + c] =
                        (char)w[n * p->column_stride + t * p->tap_stride + c * p->channel_stride + s];
    float *bias = (float *)(to + size->bias_at);
    memcpy(bias, p->b->data, (size_t)p->columns * sizeof *bias);
    memcpy(bias + size->width, p->mult->data, (size_t)p->columns * sizeof *bias);
    if (p->table) memcpy(bias + 2 * size->width, p->table->data, 256 * ferry_dtype_bytes(p->table->dtype));
}

static ferry_status pack_constants(const ferry_graph *g, const ferry_cuda_product *p,
                                   const ferry_cuda_product_size *size, const char *tactic, char *to,
                                   const ferry_heap *heap, ferry_error *err)
{
    const float *w = NULL, *b = NULL;
    size_t w_owned = 0, b_owned = 0;
    ferry_status s = ferry_constant_f32(heap, p->w, &w, &w_owned, err);
    if (s == FERRY_OK && p->b) s = ferry_constant_f32(heap, p->b, &b, &b_owned, err);
    if (s == FERRY_OK) {
        pack_weights(p, size, w, to);
        float *bias = (float *)(to + size->bias_at);
        for (int64_t n = 0; b && n < p->columns; n++) bias[n] = b[n * p->bias_stride] * p->beta;
        if (!ferry_cuda_chain_pack(g, &p->chain, p->columns, (float *)(to + size->chain_at)))
            s = ferry_misfit(tactic, "a constant of another size", err);
    }
    ferry_constant_free(heap, w, w_owned);
    ferry_constant_free(heap, b, b_owned);
    return s;
}

ferry_status ferry_cuda_product_pack(ferry_cuda_device *device, const ferry_graph *g, const ferry_cuda_product *p,
                                     const ferry_cuda_tile *tile, const char *tactic, ferry_cuda_package *package,
                                     ferry_error *err)
{
    ferry_cuda_product_size size;
    ferry_cuda_source s = {.heap = device->base.heap};
    if (!ferry_cuda_product_sizes(&device->target, p, tile, &size))
        return ferry_misfit(tactic, "a product beyond what kernels count in", err);
    FERRY_TRY(write_text(g, p, tile, &size, &s, err));
    FERRY_TRY(ferry_cuda_source_compile(&s, package, err));
    char *constants = ferry_cuda_package_constants(package, size.constant_bytes);
    if (!constants) return ferry_fail_memory(err, "packed weights");
    if (p->mult) {
        pack_integers(p, &size, constants);
        return FERRY_OK;
    }
    FERRY_TRY(pack_constants(g, p, &size, tactic, constants, device->base.heap, err));
    if (ferry_cuda_tile_is_tf32(tile, p)) round_to_tf32((float *)constants, (size_t)(size.width * size.length));
    return FERRY_OK;
}

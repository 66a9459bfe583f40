// SPDX-License-Identifier: Apache-2.0
// Options that say what is built, for which device, and how INT8 is calibrated.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options_take.h"

CLI_TAKE_TEXT(take_output, output)
CLI_TAKE_FLAG(take_fp16, fp16)
CLI_TAKE_FLAG(take_bf16, bf16)
CLI_TAKE_FLAG(take_int8, int8)
CLI_TAKE_FLAG(take_tf32, tf32)
CLI_TAKE_FLAG(take_best, best)
CLI_TAKE(take_layer_precision)
{
    static const char *const types[] = {"fp32", "fp16", "bf16", "int8"};
    const ferry_status status =
        cli_take_pair(value, "GLOB=fp32|fp16|bf16|int8", false, s->layer_precisions, &s->n_layer_precisions, err);
    if (status != FERRY_OK) return status;
    const char *type = s->layer_precisions[s->n_layer_precisions - 1].value;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i]) == 0) return FERRY_OK;
    CLI_FAIL("'%s' is none of fp32, fp16, bf16, int8", type);
}
CLI_TAKE_TEXT(take_plan, plan)
CLI_TAKE_TEXT(take_plan_output, plan_output)
CLI_TAKE_TEXT(take_name, name)
CLI_TAKE(take_metadata)
{
    return cli_take_pair_once(value, "KEY=VALUE", true, s->metadata, &s->n_metadata, err);
}
CLI_TAKE(take_workspace)
{
    return cli_take_size(value, &s->workspace, err);
}
CLI_TAKE(take_ram)
{
    return cli_take_size(value, &s->ram, err);
}
CLI_TAKE_TEXT(take_timing_cache, timing_cache)
CLI_TAKE_FLAG(take_strip, strip_portable)
CLI_TAKE_FLAG(take_no_fusion, no_fusion)
CLI_TAKE_FLAG(take_no_winograd, no_winograd)
CLI_TAKE_FLAG(take_low_memory, low_memory)
CLI_TAKE_FLAG(take_int8_symmetric, int8_symmetric)
CLI_TAKE_FLAG(take_no_timing, no_timing)
CLI_TAKE_DOUBLE(take_build_seconds, build_seconds, 0.001, 1e7)
CLI_TAKE(take_tactics)
{
    if (strcmp(value, "all") != 0 && strcmp(value, "own") != 0) CLI_FAIL("'%s' is neither all nor own", value);
    s->own_tactics = strcmp(value, "own") == 0;
    return FERRY_OK;
}
CLI_TAKE_FLAG(take_no_fp16_guard, no_fp16_guard)
CLI_TAKE(take_disable_pass)
{
    bool known = false;
    for (size_t i = 0; !known && ferry_pass_name(i, NULL); i++) known = strcmp(ferry_pass_name(i, NULL), value) == 0;
    if (!known) CLI_FAIL("there is no rewrite '%s'; 'ferry inspect --passes' lists them", value);
    return cli_take_item(value, s->disabled_passes, &s->n_disabled_passes, err);
}

CLI_TAKE_TEXT(take_target, target)
static const cli_option output_options[] = {
    {"output", 'o', "ENGINE", "Write the engine there (default: the model's name with .engine, in this folder).",
     take_output},
    {"write-plan", 0, "FILE", "Write the numeric plan that was chosen, for --plan.", take_plan_output},
    {"target", 0, "BOARD",
     "Build for an NVIDIA GPU that need not be here: orin-nano, orin-nx, orin-agx, xavier-nx, xavier, thor, ..., or a "
     "chip as sm_87. Takes an NVRTC that compiles for it. Tactics are chosen by estimated costs.",
     take_target},
    {0},
};
const cli_group cli_group_engine = {"Output", output_options, false};

static const cli_option build_options[] = {
    {"fp16", 0, NULL,
     "Allow FP16. Where the device does not compute in it, tensors are stored so and computed in FP32.", take_fp16},
    {"bf16", 0, NULL, "Allow BF16, likewise.", take_bf16},
    {"int8", 0, NULL,
     "Allow INT8. Needs scales: --calib, an existing --calib-cache, --plan, or Q/DQ nodes in the model.", take_int8},
    {"tf32", 0, NULL,
     "Allow products of FP32 to round their factors to TF32's 10 bits, where the GPU is faster so. Otherwise FP32 is "
     "FP32.",
     take_tf32},
    {"best", 0, NULL, "Allow every precision that the device computes faster than FP32 (INT8 only with scales).",
     take_best},
    {"layer-precision", 0, "GLOB=TYPE",
     "Keep matching layers in fp32, fp16, bf16 or int8. GLOB (* and ?) is matched against node and tensor names. May "
     "be repeated; the last match counts.",
     take_layer_precision},
    {"plan", 0, "FILE", "Replay a numeric plan: precisions, scales and fusions exactly as in FILE.", take_plan},
    {"name", 0, "NAME", "Name of the engine (default: the model's).", take_name},
    {"metadata", 0, "KEY=VALUE", "Store a text in the engine. May be repeated.", take_metadata},
    {"workspace", 0, "SIZE", "Most scratch memory that one tactic may use, e.g. 64M.", take_workspace},
    {"ram", 0, "SIZE",
     "Most memory for one context (activations and scratch). The build fails, with the numbers, when it does not "
     "suffice.",
     take_ram},
    {"low-memory", 0, NULL,
     "Make an engine that takes little memory to run, though it may be slower: tactics are chosen for memory too, and "
     "weights are resident only while their layer runs.",
     take_low_memory},
    {"tactics", 0, "all|own",
     "Whose kernels may be chosen: all (the default), or ferry's own alone, so that the engine needs no library of the "
     "GPU's vendor but its driver.",
     take_tactics},
    {"no-timing", 0, NULL, "Choose tactics by estimated costs instead of timing them: builds sooner, may run slower.",
     take_no_timing},
    {"build-seconds", 0, "N",
     "Spend at most N seconds on timing tactics, compiling for it included: the most promising come first, and "
     "estimates "
     "decide about those that were not reached.",
     take_build_seconds},
    {"timing-cache", 0, "FILE", "Measured times of tactics: read, added to and written back.", take_timing_cache},
    {"strip-portable", 0, NULL,
     "Leave out what only planning for another device needs: a smaller file that runs here only.", take_strip},
    {"no-fusion", 0, NULL, "Run the graph as the model has it, in FP32, every tensor on its own: for finding faults.",
     take_no_fusion},
    {"no-winograd", 0, NULL, "Convolutions in float as plain sums: slower, with a few times less rounding error.",
     take_no_winograd},
    {"no-fp16-guard", 0, NULL,
     "Let FP16 have every layer. Without this, layers whose tensors reach beyond what FP16 safely holds (as seen on 16 "
     "samples of --calib, or in calibration) stay in BF16 or FP32, with a warning each.",
     take_no_fp16_guard},
    {"int8-symmetric", 0, NULL,
     "INT8 without zero points, as TensorRT and the DLA have it: less exact behind ReLU and the like.",
     take_int8_symmetric},
    {"disable-pass", 0, "PASS", "Leave out one rewrite (they are listed by 'ferry inspect --passes'). May be repeated.",
     take_disable_pass},
    {0},
};
const cli_group cli_group_build = {"Precision and memory", build_options, true};

CLI_TAKE(take_shape)
{
    return cli_take_pair_once(value, "INPUT=1x3x224x224", false, s->shapes, &s->n_shapes, err);
}
CLI_TAKE(take_min_shape)
{
    return cli_take_pair_once(value, "INPUT=1x3x224x224", false, s->min_shapes, &s->n_min_shapes, err);
}
CLI_TAKE(take_opt_shape)
{
    return cli_take_pair_once(value, "INPUT=1x3x224x224", false, s->opt_shapes, &s->n_opt_shapes, err);
}
CLI_TAKE(take_max_shape)
{
    return cli_take_pair_once(value, "INPUT=1x3x224x224", false, s->max_shapes, &s->n_max_shapes, err);
}
static const cli_option shape_options[] = {
    {"shape", 0, "IN=DIMS",
     "Fix a dynamic input, e.g. images=1x3x640x640; of an engine: within its profile. May be repeated.", take_shape},
    {"min-shape", 0, "IN=DIMS", "Smallest shape of a dynamic input (an optimisation profile).", take_min_shape},
    {"opt-shape", 0, "IN=DIMS", "Shape to tune for.", take_opt_shape},
    {"max-shape", 0, "IN=DIMS", "Largest shape.", take_max_shape},
    {0},
};
const cli_group cli_group_shapes = {"Shapes", shape_options, true};

CLI_TAKE_TEXT(take_device, device)
CLI_TAKE_FLAG(take_gpu_fallback, gpu_fallback)
CLI_TAKE_INT(take_threads, threads, 1, 512)
static const cli_option device_options[] = {
    {"device", 0, "DEVICE",
     "cpu, cuda[:N] or dla[:CORE] (default: the best one present). cpu:avx2 and the like hold the CPU to an "
     "instruction set, as FERRY_CPU=avx2 in the environment does where --device does not.",
     take_device},
    {"gpu-fallback", 0, NULL,
     "Let layers that the device can't run, or all when it isn't there, run elsewhere; which is said.",
     take_gpu_fallback},
    {"threads", 0, "N", "Host threads (default: one for each core).", take_threads},
    {0},
};
const cli_group cli_group_device = {"Device", device_options, false};

CLI_TAKE_FLAG(take_verify, verify)
static const cli_option load_options[] = {
    {"verify", 0, NULL, "Check the checksums of the engine's weights as it is loaded (its structure always is).",
     take_verify},
    {0},
};
const cli_group cli_group_load = {"Engine file", load_options, false};

CLI_TAKE_TEXT(take_calib, calibration.source)
CLI_TAKE(take_calib_count)
{
    int n = 0;
    const ferry_status status = cli_take_int(value, 1, 100000000, &n, err);
    s->calibration.count = (uint32_t)n;
    return status;
}
CLI_TAKE(take_calib_seed)
{
    return cli_take_u64(value, &s->calibration.seed, err);
}
CLI_TAKE(take_calib_batch)
{
    int n = 0;
    const ferry_status status = cli_take_int(value, 1, 4096, &n, err);
    s->calibration.batch = (uint32_t)n;
    return status;
}
CLI_TAKE(take_calib_algo)
{
    return ferry_calibration_algorithm_parse(value, &s->calibration.algorithm, &s->calibration.percentile, err);
}
CLI_TAKE_TEXT(take_calib_cache, calibration.cache_path)
CLI_TAKE_TEXT(take_cache_version, calibration.cache_version)
CLI_TAKE_FLAG(take_recalibrate, calibration.recalibrate)
static const cli_option calibrate_run_options[] = {
    {"output", 'o', "FILE",
     "Write the calibration cache there, with FILE.meta beside it (default: the model's name with .cache, in this "
     "folder). An existing file is replaced.",
     take_output},
    {0},
};
const cli_group cli_group_calibrate_run = {"Output", calibrate_run_options, false};

static const cli_option calibrate_options[] = {
    {"calib", 0, "SOURCE",
     "Calibrate on a folder of pictures, a list of them (.txt) or samples (.npy, float32 [N,...]). Without INT8 the "
     "FP16 guard alone looks at some of them.",
     take_calib},
    {"calib-count", 0, "N", "How many are drawn (default: 500, or all).", take_calib_count},
    {"calib-seed", 0, "S", "Seed of the draw (default: 0).", take_calib_seed},
    {"calib-batch", 0, "B", "Samples run at a time: memory and speed only, never the scales.", take_calib_batch},
    {"calib-algo", 0, "NAME", "entropy2 (default), entropy, minmax, percentile[:P], mse or auto.", take_calib_algo},
    {"calib-cache", 0, "FILE",
     "TensorRT calibration cache: read where it exists, else written, with FILE.meta beside it.", take_calib_cache},
    {"cache-version", 0, "VERSION", "TensorRT version in a written cache's first line (default: 8600).",
     take_cache_version},
    {"recalibrate", 0, NULL, "Calibrate although the cache exists, and rewrite it.", take_recalibrate},
    {0},
};
const cli_group cli_group_calibrate = {"Calibration", calibrate_options, true};

// SPDX-License-Identifier: Apache-2.0
// The builder: model in, engine out.
#include <string.h>

#include "base/options.h"
#include "build/internal.h"
#include "passes/pass.h"

// The structs behind pointers may be of an older ferry, too.
static ferry_status take_calibration(ferry_building *b, ferry_error *err)
{
    if (!b->options.calibration) return FERRY_OK;
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_calibration_options, &b->calibration, b->options.calibration, err));
    b->options.calibration = &b->calibration;
    if (!b->calibration.calibrator) return FERRY_OK;
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_calibrator, &b->calibrator, b->calibration.calibrator, err));
    b->calibration.calibrator = &b->calibrator;
    return FERRY_OK;
}

ferry_status ferry_building_init(ferry_building *b, ferry_runtime *runtime, const ferry_network *network,
                                 const ferry_build_options *options, ferry_error *err)
{
    *b = (ferry_building){.runtime = runtime, .network = network, .heap = runtime->heap, .begun_s = ferry_clock_s()};
    ferry_arena_init(&b->arena, b->heap);
    ferry_report_init(&b->report, b->heap);
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_build_options, &b->options, options, err));
    if (b->options.tactics != FERRY_TACTICS_ALL && b->options.tactics != FERRY_TACTICS_OWN)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "tactics %d: neither all nor own", (int)b->options.tactics);
    FERRY_TRY(take_calibration(b, err));
    if (!(b->options.build_seconds >= 0))
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "build_seconds is %g", b->options.build_seconds);
    if (!b->options.logger) b->options.logger = &runtime->logger;
    FERRY_TRY(ferry_runtime_check_process(runtime, err));
    if (network->graph.n_outputs == 0)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "the network has no outputs: make one with ferry_network_mark_output");
    return ferry_building_profiles(b, err);
}

void ferry_building_deinit(ferry_building *b)
{
    ferry_report_deinit(&b->report);
    ferry_arena_deinit(&b->arena);
}

ferry_status ferry_building_tell(ferry_building *b, ferry_status status, ferry_error *err)
{
    (void)err;
    for (size_t i = 0; i < b->report.count; i++) {
        const ferry_finding *f = &b->report.findings[i];
        ferry_log(b->options.logger, f->severity, "%s%s%s", f->subject, f->subject[0] ? ": " : "", f->text);
    }
    ferry_report_deinit(&b->report);
    return status;
}

uint32_t ferry_runtime_fast_precisions(const ferry_runtime *runtime)
{
    const uint32_t fast = runtime->infos[0].fast_dtypes;
    return ((fast & (1u << FERRY_F16)) ? (uint32_t)FERRY_PRECISION_FP16 : 0) |
           ((fast & (1u << FERRY_BF16)) ? (uint32_t)FERRY_PRECISION_BF16 : 0) |
           ((fast & (1u << FERRY_S8)) ? (uint32_t)FERRY_PRECISION_INT8 : 0);
}

static void warn_precisions(const ferry_building *b)
{
    const ferry_device_info *info = &b->runtime->infos[0];
    const struct {
        uint32_t flag;
        ferry_dtype dtype;
        const char *name;
    } rows[] = {
        {FERRY_PRECISION_FP16, FERRY_F16, "FP16"},
        {FERRY_PRECISION_BF16, FERRY_BF16, "BF16"},
        {FERRY_PRECISION_INT8, FERRY_S8, "INT8"},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((b->options.precisions & rows[i].flag) && !(info->fast_dtypes & (1u << rows[i].dtype)))
            ferry_log(b->options.logger, FERRY_SEVERITY_WARNING,
                      "%s: tensors are stored so and computed in FP32 on this device (%s), which will not be faster",
                      rows[i].name, info->name);
}

static bool has_scales(const ferry_network *network)
{
    const ferry_graph *graph = &network->graph;
    for (size_t v = 0; v < graph->n_values; v++)
        if (ferry_network_range(network, (ferry_value_id)v) > 0) return true;
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (ferry_node_is(&graph->nodes[i], "QuantizeLinear")) return true;
    return false;
}

static ferry_status build(ferry_building *b, ferry_engine **out, ferry_error *err)
{
    const bool int8 = (b->options.precisions & FERRY_PRECISION_INT8) != 0;
    warn_precisions(b);
    ferry_scale_table scales, ranges;
    ferry_scale_table_init(&scales, b->heap);
    ferry_scale_table_init(&ranges, b->heap);
    const bool guards = ferry_building_has_guard(b);
    ferry_status s = FERRY_OK;
    if (int8 && b->options.calibration && !b->options.numeric_plan) {
        s = ferry_building_scales(b, &scales, guards ? &ranges : NULL, err);
    } else if (int8 && !b->options.numeric_plan && !has_scales(b->network)) {
        s = ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                       "INT8 needs scales: calibrate with --calib DIR, give a --calib-cache FILE, or use a model with "
                       "QuantizeLinear nodes");
    }
    if (s == FERRY_OK && guards) s = ferry_building_guard(b, &scales, &ranges, err);
    if (s == FERRY_OK && int8) s = ferry_building_add_ranges(b, &scales, err);
    ferry_graph portable = {0};
    const char *plan_text = NULL;
    if (s == FERRY_OK) s = ferry_building_portable(b, &scales, &portable, &plan_text, err);
    ferry_scale_table_deinit(&scales);
    ferry_scale_table_deinit(&ranges);
    if (s == FERRY_OK)
        s = ferry_building_engine(b, &portable, plan_text, !b->options.no_fusion && !b->options.no_timing, out, err);
    return s;
}

ferry_status ferry_build(ferry_runtime *runtime, const ferry_network *network, const ferry_build_options *options,
                         ferry_engine **out, ferry_error *error)
{
    *out = NULL;
    ferry_building b;
    ferry_status s = ferry_building_init(&b, runtime, network, options, error);
    if (s == FERRY_OK) s = build(&b, out, error);
    ferry_building_deinit(&b);
    return s;
}

const char *ferry_pass_name(size_t index, const char **out_what)
{
    const ferry_pass *pass = ferry_pass_at(index);
    if (out_what) *out_what = pass ? pass->what : NULL;
    return pass ? pass->name : NULL;
}

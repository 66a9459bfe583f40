// SPDX-License-Identifier: Apache-2.0
// What the FP16 guard knows of the tensors: from calibration's run, from a calibration cache, or from a few samples
// that are run for it.
#include <string.h>

#include "build/internal.h"
#include "calibrate/cache.h"

// Overflow shows on most pictures or on none that anybody has.
enum { SAMPLES = 16 };

bool ferry_building_has_guard(const ferry_building *b)
{
    const ferry_build_options *o = &b->options;
    return (o->precisions & FERRY_PRECISION_FP16) && !o->no_fp16_guard && !o->no_fusion && !o->numeric_plan;
}

ferry_status ferry_building_looked_at(ferry_building *b, uint64_t samples, ferry_error *err)
{
    b->guard = ferry_arena_printf(&b->arena, "%llu sample%s", (unsigned long long)samples, samples == 1 ? "" : "s");
    return b->guard ? FERRY_OK : ferry_fail_memory(err, "the FP16 guard");
}

// A cache's ranges end where values were cut for INT8: what overflows by them surely does.
static ferry_status take_scales(ferry_building *b, const ferry_scale_table *scales, ferry_scale_table *ranges,
                                ferry_error *err)
{
    for (size_t i = 0; i < scales->count; i++) {
        const ferry_named_scale *e = &scales->entries[i];
        FERRY_TRY(ferry_scale_table_set(ranges, e->name, strlen(e->name), e->scale * 127.0f, NULL, err));
    }
    b->guard = "a calibration cache";
    return FERRY_OK;
}

static ferry_status read_cache(ferry_building *b, ferry_scale_table *ranges, ferry_error *err)
{
    ferry_scale_table scales;
    ferry_cache_header header;
    ferry_scale_table_init(&scales, b->heap);
    ferry_status s = ferry_cache_load(b->calibration.cache_path, &scales, &header, &b->report, err);
    s = ferry_building_tell(b, s, err);
    if (s == FERRY_OK) s = take_scales(b, &scales, ranges, err);
    ferry_scale_table_deinit(&scales);
    return s;
}

static ferry_status run_samples(ferry_building *b, ferry_scale_table *ranges, ferry_error *err)
{
    ferry_observation seen = {.ranges = ranges, .most = SAMPLES};
    FERRY_TRY(ferry_building_float_tensors(b, &seen.names, &seen.count, err));
    FERRY_TRY(ferry_building_observe(b, &seen, err));
    return ferry_building_looked_at(b, seen.samples, err);
}

ferry_status ferry_building_guard(ferry_building *b, const ferry_scale_table *scales, ferry_scale_table *ranges,
                                  ferry_error *err)
{
    const ferry_calibration_options *c = b->options.calibration;
    b->ranges = ranges;
    if (b->guard) return FERRY_OK; // calibration has run
    if (scales->count > 0) return take_scales(b, scales, ranges, err);
    ferry_status s = FERRY_OK;
    if (c && (c->source || c->calibrator)) {
        s = run_samples(b, ranges, err);
    } else if (c && c->cache_path) {
        s = read_cache(b, ranges, err);
    }
    if (s != FERRY_OK) return ferry_within(err, s, "FP16 guard");
    if (b->guard) return FERRY_OK;
    b->guard = "no samples";
    ferry_log(b->options.logger, FERRY_SEVERITY_INFO,
              "the FP16 guard has no samples: it looks at constants alone, not at what tensors reach");
    return FERRY_OK;
}

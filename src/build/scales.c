// SPDX-License-Identifier: Apache-2.0
// Where INT8 scales come from: a cache that exists, or calibration now.
#include <string.h>

#include "build/internal.h"
#include "build/samples.h"
#include "calibrate/cache.h"
#include "calibrate/scale_source.h"

ferry_status ferry_building_scales(ferry_building *b, ferry_scale_table *table, ferry_scale_table *ranges,
                                   ferry_error *err)
{
    const ferry_calibration_options *c = b->options.calibration;
    const char *const *names = NULL;
    size_t count = 0;
    bool found = false;
    ferry_calibration_meta meta;
    FERRY_TRY(ferry_building_float_tensors(b, &names, &count, err));
    ferry_samples_describe(b, &meta);
    ferry_status s = ferry_scale_source_read(c, &meta, names, count, table, &found, &b->report, err);
    s = ferry_building_tell(b, s, err);
    if (s != FERRY_OK || found) return s;
    ferry_observation seen = {.names = names, .count = count, .table = table, .ranges = ranges};
    FERRY_TRY(ferry_building_observe(b, &seen, err));
    if (ranges) FERRY_TRY(ferry_building_looked_at(b, seen.samples, err));
    return ferry_scale_source_write(c, &meta, table, err);
}

ferry_status ferry_building_add_ranges(const ferry_building *b, ferry_scale_table *table, ferry_error *err)
{
    const ferry_network *network = b->network;
    for (size_t v = 0; v < network->graph.n_values; v++) {
        const float amax = ferry_network_range(network, (ferry_value_id)v);
        const char *name = network->graph.values[v].name;
        if (amax > 0)
            FERRY_TRY(ferry_scale_table_set(table, name, strlen(name), ferry_scale_of_amax((double)amax), NULL, err));
    }
    return FERRY_OK;
}

ferry_status ferry_calibrate(ferry_runtime *runtime, const ferry_network *network, const ferry_build_options *options,
                             char **out_text, ferry_error *error)
{
    *out_text = NULL;
    ferry_building b;
    ferry_scale_table table;
    ferry_cache_header header;
    ferry_scale_table_init(&table, runtime->heap);
    ferry_status s = ferry_building_init(&b, runtime, network, options, error);
    if (s == FERRY_OK && !b.options.calibration)
        s = ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "calibration needs options->calibration");
    if (s == FERRY_OK) s = ferry_building_scales(&b, &table, NULL, error);
    // Auto is left where scales were read and nothing was chosen: a cache's name for them, TensorRT's own.
    ferry_calibration_algorithm algorithm = FERRY_CALIBRATION_ENTROPY2;
    if (s == FERRY_OK) algorithm = ferry_scale_source_algorithm(&b.calibration);
    if (algorithm == FERRY_CALIBRATION_AUTO) algorithm = FERRY_CALIBRATION_ENTROPY2;
    if (s == FERRY_OK) s = ferry_cache_header_init(&header, b.calibration.cache_version, algorithm, error);
    if (s == FERRY_OK) s = ferry_cache_text(&table, &header, ferry_heap_default(), out_text, error);
    ferry_building_deinit(&b);
    ferry_scale_table_deinit(&table);
    return s;
}

// SPDX-License-Identifier: Apache-2.0
#include "calibrate/scale_source.h"

#include <string.h>
#include <sys/stat.h>

#include "base/atomic_file.h"

ferry_calibration_algorithm ferry_scale_source_algorithm(const ferry_calibration_options *options)
{
    const ferry_calibrator *c = options->calibrator;
    return c && c->get_algorithm ? c->get_algorithm(c->user) : options->algorithm;
}

ferry_status ferry_scale_source_failure(const ferry_calibration_options *options, ferry_error *err)
{
    const ferry_calibrator *c = options->calibrator;
    ferry_error why = {.text = ""};
    if (!c || !c->get_failure || c->get_failure(c->user, &why) == 0) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "the calibrator failed: %s",
                      why.text[0] ? why.text : "(no reason given)");
}

static ferry_status read_calibrator(const ferry_calibrator *calibrator, ferry_scale_table *table, bool *out_found,
                                    ferry_report *report, ferry_error *err)
{
    ferry_cache_header header;
    size_t length = 0;
    const void *text = calibrator->read_calibration_cache(calibrator->user, &length);
    if (!text || length == 0) return FERRY_OK;
    *out_found = true;
    return ferry_cache_parse(text, length, "calibrator's cache", table, &header, report, err);
}

static ferry_status read_file(const char *path, const ferry_calibration_meta *now, ferry_scale_table *table,
                              ferry_report *report, ferry_error *err)
{
    ferry_cache_header header;
    ferry_calibration_meta stored;
    bool found = false;
    FERRY_TRY(ferry_cache_load(path, table, &header, report, err));
    ferry_report_add(report, FERRY_SEVERITY_INFO, path, "%zu scales read (TensorRT %s, %s)", table->count,
                     header.version, header.algorithm);
    ferry_error reason = {{0}};
    const ferry_status s = ferry_calibration_meta_load(table->heap, path, &stored, &found, &reason);
    if (s == FERRY_ERR_OUT_OF_MEMORY) return ferry_fail_memory(err, path);
    // The scales are in the cache; a damaged side file only keeps us from comparing.
    if (s != FERRY_OK)
        ferry_report_add(report, FERRY_SEVERITY_WARNING, path, "cannot tell its origin: %s", reason.text);
    if (found) ferry_calibration_meta_compare(&stored, now, path, report);
    return FERRY_OK;
}

static ferry_status prepare_writing(const ferry_calibration_options *options, const ferry_heap *heap, ferry_error *err)
{
    if (!options->calibrator && !options->source)
        return options->cache_path
                   ? ferry_fail(err, FERRY_ERR_IO,
                                "%s: there is no such calibration cache, and no samples to make one from "
                                "(give a folder, list or .npy)",
                                options->cache_path)
                   : ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                                "INT8 needs samples for calibration, a calibrator or a calibration cache");
    if (!options->cache_path) return FERRY_OK;
    ferry_atomic_file probe;
    FERRY_TRY(ferry_atomic_file_open(&probe, heap, options->cache_path, err));
    ferry_atomic_file_abandon(&probe);
    return FERRY_OK;
}

ferry_status ferry_scale_source_read(const ferry_calibration_options *options, const ferry_calibration_meta *now,
                                     const char *const *names, size_t name_count, ferry_scale_table *table,
                                     bool *out_found, ferry_report *report, ferry_error *err)
{
    const ferry_calibrator *calibrator = options->calibrator;
    const char *origin = "calibrator's cache";
    struct stat st;
    ferry_status s = FERRY_OK;
    *out_found = false;
    if (!options->recalibrate && calibrator && calibrator->read_calibration_cache)
        s = read_calibrator(calibrator, table, out_found, report, err);
    FERRY_TRY(ferry_scale_source_failure(options, err)); // the cause of what went wrong in reading, too
    FERRY_TRY(s);
    if (!options->recalibrate && !*out_found && options->cache_path && stat(options->cache_path, &st) == 0) {
        origin = options->cache_path;
        FERRY_TRY(read_file(options->cache_path, now, table, report, err));
        *out_found = true;
    }
    if (*out_found) return ferry_scale_table_check(table, origin, names, name_count, report, err);
    return prepare_writing(options, table->heap, err);
}

ferry_status ferry_scale_source_write(const ferry_calibration_options *options, const ferry_calibration_meta *now,
                                      const ferry_scale_table *table, ferry_error *err)
{
    ferry_cache_header header;
    char *text = NULL;
    const ferry_calibrator *calibrator = options->calibrator;
    FERRY_TRY(ferry_cache_header_init(&header, options->cache_version, ferry_scale_source_algorithm(options), err));
    if (options->cache_path) {
        FERRY_TRY(ferry_cache_save(table, &header, options->cache_path, err));
        FERRY_TRY(ferry_calibration_meta_save(table->heap, options->cache_path, now, err));
    }
    if (calibrator && calibrator->write_calibration_cache) {
        FERRY_TRY(ferry_cache_text(table, &header, table->heap, &text, err));
        calibrator->write_calibration_cache(calibrator->user, text, strlen(text));
        ferry_text_free(table->heap, text);
    }
    return ferry_scale_source_failure(options, err);
}

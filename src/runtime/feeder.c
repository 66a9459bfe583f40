// SPDX-License-Identifier: Apache-2.0
// Pictures preprocessed on an engine's device, in the order of a stream.
#include "ferry/feed.h"

#include <inttypes.h>
#include <string.h>

#include "base/process.h"
#include "runtime/stream_internal.h"
#include "vision/picture_internal.h"
#include "vision/preprocess_internal.h"
#include "vision/preprocess_work.h"

enum { SIZES = 4 };

/// What pictures of one size need on the device.
typedef struct prepared {
    uint32_t width, height, channels;
    size_t stride;
    ferry_preprocess_geometry geometry;
    ferry_kernel *kernel; // NULL: an entry that is free
    void *tables;
    size_t tables_bytes;
    void *staged; // pixels that came from the host; NULL until some do
    size_t staged_bytes;
    uint64_t used; // when it was used last
} prepared;

struct ferry_feeder {
    ferry_engine *engine; // retained
    unsigned process;     // generation of the process that made it
    ferry_preprocess settings;
    ferry_dtype dtype;
    ferry_preprocessor *on_host; // where the runtime's memory is the host's; NULL elsewhere
    prepared sizes[SIZES];
    uint64_t uses;
    ferry_event *passed; // what was queued last; NULL on the host
};

// --- Making and releasing --------------------------------------------------------------------------------------------

// The input's size where the settings say none.
static ferry_status take_settings(ferry_feeder *f, int32_t input, const ferry_preprocess *given, ferry_error *err)
{
    ferry_binding_info info;
    FERRY_TRY(ferry_engine_binding(f->engine, input, &info, err));
    const char *json = ferry_engine_text(f->engine, "preprocess");
    if (!given && !json)
        return ferry_fail(err, FERRY_ERR_UNAVAILABLE, "the engine carries no preprocessing, and none is given");
    if (!info.is_input || info.rank != 4)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "'%s' is no input of 4 dimensions, as pictures need",
                          info.name);
    if (given)
        f->settings = *given;
    else
        FERRY_TRY(ferry_preprocess_from_json(json, strlen(json), &f->settings, err));
    f->dtype = info.dtype;
    FERRY_TRY(ferry_preprocess_check_dtype(info.dtype, err));
    const bool last = f->settings.layout == FERRY_LAYOUT_NHWC;
    const int w = last ? 2 : 3, h = last ? 1 : 2, c = last ? 3 : 1;
    const bool open_width = info.min_dims[w] != info.max_dims[w];
    return ferry_preprocess_set_input(&f->settings, open_width ? 0 : (uint32_t)info.opt_dims[w],
                                      (uint32_t)info.opt_dims[h], (uint32_t)info.opt_dims[c], err);
}

static ferry_status make(ferry_feeder *f, int32_t input, const ferry_preprocess *given, ferry_error *err)
{
    ferry_runtime *r = f->engine->runtime;
    FERRY_TRY(ferry_runtime_check_process(r, err));
    FERRY_TRY(take_settings(f, input, given, err));
    if (r->infos[0].host_memory) return ferry_preprocessor_create(&f->settings, r->heap, &f->on_host, err);
    if (!f->engine->plan->pictures || !r->devices[0]->backend->prepare_preprocess)
        return ferry_fail(err, FERRY_ERR_UNAVAILABLE,
                          "the engine has no kernels that preprocess pictures: it was built without preprocessing");
    return ferry_event_create(r, &f->passed, err);
}

ferry_status ferry_feeder_create(ferry_engine *engine, int32_t input, const ferry_preprocess *preprocess,
                                 ferry_feeder **out, ferry_error *error)
{
    *out = NULL;
    ferry_feeder *f = ferry_new(engine->runtime->heap, ferry_feeder);
    if (!f) return ferry_fail_memory(error, "a feeder");
    f->engine = engine;
    f->process = ferry_process_generation();
    ferry_engine_retain(engine);
    const ferry_status s = make(f, input, preprocess, error);
    if (s != FERRY_OK) {
        ferry_feeder_release(f);
        return s;
    }
    *out = f;
    return FERRY_OK;
}

static void drop(ferry_feeder *f, prepared *p)
{
    ferry_device *device = f->engine->runtime->devices[0];
    if (p->kernel) device->backend->release(p->kernel);
    if (p->tables) device->backend->free(device, p->tables, p->tables_bytes);
    if (p->staged) device->backend->free(device, p->staged, p->staged_bytes);
    *p = (prepared){0};
}

void ferry_feeder_release(ferry_feeder *feeder)
{
    if (!feeder) return;
    ferry_engine *engine = feeder->engine;
    if (!ferry_process_is_foreign(feeder->process)) {
        if (feeder->passed) (void)ferry_event_wait(feeder->passed, NULL);
        for (int i = 0; i < SIZES; i++) drop(feeder, &feeder->sizes[i]);
    }
    ferry_event_release(feeder->passed);
    ferry_preprocessor_destroy(feeder->on_host);
    ferry_delete(engine->runtime->heap, feeder);
    ferry_engine_release(engine);
}

// --- Pictures of one size --------------------------------------------------------------------------------------------

// Once a size: it waits.
static ferry_status upload(ferry_device *device, void *to, const void *from, size_t bytes, ferry_error *err)
{
    ferry_device_stream *stream = NULL;
    FERRY_TRY(device->backend->stream_create(device, 1, &stream, err));
    ferry_status s = device->backend->copy(stream, FERRY_COPY_HOST_TO_DEVICE, to, from, bytes, err);
    if (s == FERRY_OK) s = device->backend->stream_wait(stream, err);
    device->backend->stream_destroy(stream);
    return s;
}

static ferry_status prepare_work(const ferry_feeder *f, const ferry_preprocess_work *work, prepared *p,
                                 ferry_error *err)
{
    ferry_device *device = f->engine->runtime->devices[0];
    const ferry_plan *plan = f->engine->plan;
    p->geometry = work->geometry;
    p->tables = device->backend->alloc(device, work->tables_bytes);
    if (!p->tables) return ferry_fail_memory(err, "tables of preprocessing on the device");
    p->tables_bytes = work->tables_bytes;
    FERRY_TRY(upload(device, p->tables, work->tables, work->tables_bytes, err));
    return device->backend->prepare_preprocess(device, work, plan->pictures, (size_t)plan->pictures_bytes, &p->kernel,
                                               err);
}

static prepared *find(ferry_feeder *f, const ferry_picture *picture)
{
    for (int i = 0; i < SIZES; i++) {
        prepared *p = &f->sizes[i];
        if (p->kernel && p->width == picture->width && p->height == picture->height &&
            p->channels == picture->channels && p->stride == picture->stride_bytes)
            return p;
    }
    return NULL;
}

// In the place of the size that was not used for longest.
static ferry_status prepare(ferry_feeder *f, const ferry_picture *picture, prepared **out, ferry_error *err)
{
    prepared *p = find(f, picture);
    if (!p) {
        p = &f->sizes[0];
        for (int i = 1; i < SIZES; i++)
            if (f->sizes[i].used < p->used) p = &f->sizes[i];
        if (p->kernel) (void)ferry_event_wait(f->passed, NULL);
        drop(f, p);
        ferry_preprocess_work work;
        FERRY_TRY(ferry_preprocess_work_init(&work, &f->settings, picture, f->dtype, f->engine->runtime->heap, err));
        const ferry_status s = prepare_work(f, &work, p, err);
        ferry_preprocess_work_deinit(&work);
        if (s != FERRY_OK) {
            drop(f, p);
            return s;
        }
        p->width = picture->width;
        p->height = picture->height;
        p->channels = picture->channels;
        p->stride = picture->stride_bytes;
    }
    p->used = ++f->uses;
    *out = p;
    return FERRY_OK;
}

// The pixels, from the first row's first to the last row's last.
static ferry_status stage(const ferry_feeder *f, prepared *p, const ferry_picture *picture, ferry_stream *stream,
                          ferry_error *err)
{
    ferry_device *device = f->engine->runtime->devices[0];
    const size_t bytes = picture->stride_bytes * (picture->height - 1) + (size_t)picture->width * picture->channels;
    if (!p->staged) {
        p->staged = device->backend->alloc(device, bytes);
        if (!p->staged) return ferry_fail_memory(err, "a picture on the device");
        p->staged_bytes = bytes;
    }
    return ferry_stream_copy(stream, FERRY_COPY_TO_DEVICE, p->staged, picture->pixels, bytes, err);
}

// --- Feeding ---------------------------------------------------------------------------------------------------------

static ferry_status enqueue(ferry_feeder *f, const ferry_picture *picture, ferry_picture_memory memory, void *to,
                            size_t bytes, ferry_stream *stream, ferry_preprocess_geometry *out_geometry,
                            ferry_error *err)
{
    prepared *p = NULL;
    FERRY_TRY(prepare(f, picture, &p, err));
    const size_t needs = ferry_preprocess_elements(&p->geometry) * ferry_dtype_bytes(f->dtype);
    if (!to || bytes < needs)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT,
                          "the input takes %zu bytes (%" PRIu32 "x%" PRIu32 "x%" PRIu32 "), the buffer has %zu", needs,
                          p->geometry.channels, p->geometry.height, p->geometry.width, bytes);
    if (memory == FERRY_PICTURE_ON_HOST) FERRY_TRY(stage(f, p, picture, stream, err));
    const ferry_command command = {
        .kind = FERRY_COMMAND_FEED,
        .u.feed = {p->kernel, memory == FERRY_PICTURE_ON_HOST ? p->staged : picture->pixels, p->tables, to}};
    ferry_stream_push(stream, &command);
    if (out_geometry) *out_geometry = p->geometry;
    return ferry_event_record(f->passed, stream, err);
}

ferry_status ferry_feeder_enqueue(ferry_feeder *feeder, const ferry_picture *picture, ferry_picture_memory memory,
                                  void *to, size_t bytes, ferry_stream *stream, ferry_preprocess_geometry *out_geometry,
                                  ferry_error *error)
{
    FERRY_TRY(ferry_check_process(feeder->process, "feeder", error));
    FERRY_TRY(ferry_picture_check(picture, error));
    FERRY_TRY(ferry_stream_check_runtime(stream, feeder->engine, error));
    if ((unsigned)memory > FERRY_PICTURE_ON_DEVICE)
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a picture in memory of kind %d", (int)memory);
    if (!feeder->on_host) return enqueue(feeder, picture, memory, to, bytes, stream, out_geometry, error);
    FERRY_TRY(ferry_stream_wait(stream, error));
    return ferry_preprocessor_run(feeder->on_host, picture, feeder->dtype, to, bytes, out_geometry, error);
}

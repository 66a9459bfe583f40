// SPDX-License-Identifier: Apache-2.0
// Pictures through an engine on a device with a memory of its own: only their pixels and the outputs travel.
#include <stdlib.h>
#include <string.h>

#include "cli.h"

ferry_status cli_vision_open_feeder(cli_vision *v, const cli_session *session, ferry_error *err)
{
    const size_t n = (size_t)(v->buffers.n_inputs + v->buffers.n_outputs);
    if (ferry_runtime_host_memory(session->runtime)) return FERRY_OK;
    const ferry_status s = ferry_feeder_create(session->engine, 0, &v->preprocess, &v->feeder, err);
    if (s == FERRY_ERR_UNAVAILABLE) return FERRY_OK; // an engine built without preprocessing
    v->on_device = calloc(n, sizeof *v->on_device);
    v->on_device_bytes = calloc(n, sizeof *v->on_device_bytes);
    return s == FERRY_OK && (!v->on_device || !v->on_device_bytes) ? FERRY_ERR_OUT_OF_MEMORY : s;
}

void cli_vision_close_feeder(cli_vision *v, const cli_session *session)
{
    ferry_feeder_release(v->feeder);
    for (int32_t i = 0; v->on_device && v->on_device_bytes && i < v->buffers.n_inputs + v->buffers.n_outputs; i++)
        ferry_memory_free(session->runtime, v->on_device[i], v->on_device_bytes[i]);
    free(v->on_device);
    free(v->on_device_bytes);
}

// Device memory of the buffers' sizes, bound to the context.
static ferry_status bind(cli_vision *v, const cli_session *session, ferry_error *err)
{
    for (int32_t i = 0; i < v->buffers.n_inputs + v->buffers.n_outputs; i++) {
        const size_t bytes = v->buffers.bytes[i] ? v->buffers.bytes[i] : 1;
        if (bytes > v->on_device_bytes[i]) {
            ferry_memory_free(session->runtime, v->on_device[i], v->on_device_bytes[i]);
            v->on_device[i] = ferry_memory_alloc(session->runtime, bytes);
            v->on_device_bytes[i] = v->on_device[i] ? bytes : 0;
            if (!v->on_device[i]) return FERRY_ERR_OUT_OF_MEMORY;
        }
        const ferry_status s = ferry_context_bind(session->context, i, v->on_device[i], err);
        if (s != FERRY_OK) return s;
    }
    return FERRY_OK;
}

static ferry_status queue(cli_vision *v, const cli_session *session, const ferry_picture *picture,
                          ferry_preprocess_geometry *out_geometry, ferry_error *err)
{
    const cli_buffers *b = &v->buffers;
    ferry_status s = ferry_feeder_enqueue(v->feeder, picture, FERRY_PICTURE_ON_HOST, v->on_device[0],
                                          v->on_device_bytes[0], session->stream, out_geometry, err);
    if (s == FERRY_OK) s = ferry_context_enqueue(session->context, session->stream, err);
    for (int32_t i = b->n_inputs; s == FERRY_OK && i < b->n_inputs + b->n_outputs; i++)
        s = ferry_stream_copy(session->stream, FERRY_COPY_FROM_DEVICE, b->data[i], v->on_device[i], b->bytes[i], err);
    return s;
}

ferry_status cli_vision_run_on_device(cli_vision *v, const cli_session *session, const ferry_picture *picture,
                                      ferry_preprocess_geometry *out_geometry, ferry_error *err)
{
    ferry_status s = cli_vision_fit(v, session, picture, out_geometry, err);
    if (s == FERRY_OK) s = bind(v, session, err);
    if (s == FERRY_OK) s = queue(v, session, picture, out_geometry, err);
    const ferry_status waited = ferry_stream_wait(session->stream, s == FERRY_OK ? err : NULL);
    if (s == FERRY_OK) s = waited;
    return s == FERRY_OK ? cli_buffers_take_shapes(&v->buffers, session, err) : s;
}

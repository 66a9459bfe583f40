// SPDX-License-Identifier: Apache-2.0
// Classifies a picture asynchronously: one stream copies, runs and copies back while this thread is free to do other
// work.
//   cc classify_async.c -o classify_async $(pkg-config --cflags --libs ferry) && ./classify_async model.engine cat.jpg
#include <ferry/ferry.h>
#include <stdio.h>
#include <string.h>

static ferry_error error;
#define TRY(call)                                                                                                      \
    if ((call) != FERRY_OK) return fprintf(stderr, "%s\n", error.text), 1

int main(int argc, char **argv)
{
    if (argc != 3) return fprintf(stderr, "usage: classify_async ENGINE PICTURE\n"), 2;
    ferry_runtime *runtime;
    ferry_engine *engine;
    ferry_context *context;
    ferry_stream *stream;
    ferry_binding_info in, out;
    TRY(ferry_runtime_create(NULL, &runtime, &error)); // the best device of this machine
    TRY(ferry_engine_load(runtime, argv[1], NULL, &engine, &error));
    TRY(ferry_context_create(engine, NULL, &context, &error));
    TRY(ferry_stream_create(runtime, NULL, &stream, &error));
    TRY(ferry_engine_binding(engine, 0, &in, &error));
    TRY(ferry_engine_binding(engine, 1, &out, &error));

    // The engine says how its pictures are made, what its output means and what the classes are called.
    const char *settings = ferry_engine_text(engine, "preprocess"), *meaning = ferry_engine_text(engine, "decoder");
    const char *names = ferry_engine_text(engine, "labels");
    if (!settings || !meaning) return fprintf(stderr, "%s: not built for pictures\n", argv[1]), 1;
    ferry_preprocess preprocess;
    ferry_preprocessor *preprocessor;
    ferry_preprocess_geometry geometry;
    ferry_picture picture;
    TRY(ferry_preprocess_from_json(settings, strlen(settings), &preprocess, &error));
    TRY(ferry_preprocessor_create(&preprocess, NULL, &preprocessor, &error));
    TRY(ferry_picture_read(argv[2], NULL, NULL, &picture, &error));
    TRY(ferry_preprocess_plan(&preprocess, picture.width, picture.height, &geometry, &error));

    // Pinned memory on the host, and memory of the device; on a CPU both are ordinary memory.
    ferry_tensor_view view = {.name = out.name, .dtype = out.dtype};
    TRY(ferry_context_binding_shape(context, 1, &view.rank, view.dims, &error));
    const size_t in_bytes = ferry_preprocess_elements(&geometry) * ferry_dtype_bytes(in.dtype);
    const size_t out_bytes = (size_t)ferry_tensor_view_elements(&view) * ferry_dtype_bytes(out.dtype);
    void *host_in = ferry_pinned_alloc(runtime, in_bytes), *host_out = ferry_pinned_alloc(runtime, out_bytes);
    void *device_in = ferry_memory_alloc(runtime, in_bytes), *device_out = ferry_memory_alloc(runtime, out_bytes);
    if (!host_in || !host_out || !device_in || !device_out) return fprintf(stderr, "out of memory\n"), 1;
    TRY(ferry_preprocessor_run(preprocessor, &picture, in.dtype, host_in, in_bytes, NULL, &error));

    // Everything up to the wait returns at once.
    TRY(ferry_context_bind(context, 0, device_in, &error));
    TRY(ferry_context_bind(context, 1, device_out, &error));
    TRY(ferry_stream_copy(stream, FERRY_COPY_TO_DEVICE, device_in, host_in, in_bytes, &error));
    TRY(ferry_context_enqueue(context, stream, &error));
    TRY(ferry_stream_copy(stream, FERRY_COPY_FROM_DEVICE, host_out, device_out, out_bytes, &error));
    printf("queued; this thread could prepare the next picture now\n");
    TRY(ferry_stream_wait(stream, &error));

    ferry_decoder *decoder;
    ferry_result *result;
    ferry_labels *labels = NULL;
    view.data = host_out;
    TRY(ferry_decoder_from_json(meaning, strlen(meaning), NULL, &decoder, &error));
    TRY(ferry_result_create(NULL, &result, &error));
    if (names) TRY(ferry_labels_parse(names, strlen(names), NULL, &labels, &error));
    TRY(ferry_decoder_run(decoder, &view, 1, &geometry, NULL, result, &error));
    for (size_t i = 0; i < result->class_count; i++) {
        const char *name = ferry_labels_get(labels, result->classes[i].class_index);
        printf("%6.4f %s\n", (double)result->classes[i].score, name ? name : "?");
    }
    ferry_labels_destroy(labels);
    ferry_result_destroy(result);
    ferry_decoder_destroy(decoder);
    ferry_picture_deinit(&picture);
    ferry_preprocessor_destroy(preprocessor);
    ferry_pinned_free(runtime, host_in, in_bytes);
    ferry_pinned_free(runtime, host_out, out_bytes);
    ferry_memory_free(runtime, device_in, in_bytes);
    ferry_memory_free(runtime, device_out, out_bytes);
    ferry_stream_release(stream);
    ferry_context_release(context);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    return 0;
}

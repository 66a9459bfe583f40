// SPDX-License-Identifier: Apache-2.0
// Which format a file has, and what to do about those that are not ONNX.
#include "import/import.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file_map.h"
#include "base/log.h"
#include "import/onnx/onnx.h"

// What a file begins with, and what it is called, decide together: the content first, since names lie more often.
typedef struct format {
    const char *extension; // NULL: told by content only
    size_t offset;         // of the magic bytes
    const char *magic;     // NULL: told by name only
    const char *text;
} format;

#define TORCH                                                                                                          \
    "is a PyTorch file, which ferry does not read: in Python, load the model and export ONNX with "                    \
    "torch.onnx.export(model.eval(), example_input, 'model.onnx', opset_version=17)"
#define TENSORRT                                                                                                       \
    "is a TensorRT engine, which only the TensorRT that built it can read: give ferry the ONNX model it was built "    \
    "from"
#define KERAS "is a Keras or HDF5 file, which ferry does not read: export ONNX with python -m tf2onnx.convert --keras"
#define SAVED_MODEL                                                                                                    \
    "is a TensorFlow SavedModel, which ferry does not read: export ONNX with python -m tf2onnx.convert --saved-model " \
    "DIR --output model.onnx"

static const format formats[] = {
    {NULL, 0, "version https://git-lfs", "is only a Git LFS pointer, not the model itself: fetch it with git lfs pull"},
    {NULL, 0, "<!DOCTYPE", "is a web page, not a model: the download went wrong"},
    {NULL, 0, "<html", "is a web page, not a model: the download went wrong"},
    {NULL, 4, "TFL3",
     "is a TensorFlow Lite model, which ferry does not read: export ONNX with python -m tf2onnx.convert "
     "--tflite model.tflite --output model.onnx"},
    {NULL, 4, "ORTM", "is in ONNX Runtime's own format: give ferry the ONNX model it was made from"},
    {NULL, 0, "ptrt", TENSORRT},
    {NULL, 0, "ftrt", TENSORRT},
    {NULL, 0, "PK\003\004", TORCH},
    {NULL, 0, "\211HDF\r\n\032\n", KERAS},
    {NULL, 0, "GGUF",
     "is a GGUF file of weights without a network, which ferry does not read: export the model as ONNX"},
    {".prototxt", 0, NULL,
     "is a Caffe network, which ferry does not read yet: convert it to ONNX, for instance with caffe2onnx"},
    {".caffemodel", 0, NULL,
     "holds Caffe weights, which ferry does not read yet: convert the network to ONNX, for instance "
     "with caffe2onnx"},
    {".uff", 0, NULL,
     "is a UFF model, which ferry does not read yet: export ONNX from the TensorFlow model with python -m "
     "tf2onnx.convert"},
    {".pt2", 0, NULL, TORCH},
    {".pt", 0, NULL, TORCH},
    {".pth", 0, NULL, TORCH},
    {".engine", 0, NULL, TENSORRT},
    {".plan", 0, NULL, TENSORRT},
    {".trt", 0, NULL, TENSORRT},
    {"saved_model.pb", 0, NULL, SAVED_MODEL},
    {".h5", 0, NULL, KERAS},
    {".keras", 0, NULL, KERAS},
    {".safetensors", 0, NULL,
     "holds weights without a network: load them into the model and export ONNX with "
     "torch.onnx.export"},
    {".pdmodel", 0, NULL, "is a PaddlePaddle model, which ferry does not read: export ONNX with paddle2onnx"},
    {".mlmodel", 0, NULL, "is a Core ML model, which ferry does not read: export ONNX from the original model"},
};

static bool ends_with(const char *path, const char *end)
{
    const size_t n = strlen(path), k = strlen(end);
    return n >= k && strcasecmp(path + n - k, end) == 0;
}

static ferry_status refuse_other_formats(const char *path, const uint8_t *data, size_t bytes, ferry_error *err)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(formats); i++) {
        const format *f = &formats[i];
        const size_t length = f->magic ? strlen(f->magic) : 0;
        if (f->magic && (bytes < f->offset + length || memcmp(data + f->offset, f->magic, length) != 0)) continue;
        if (f->extension && !(path && ends_with(path, f->extension))) continue;
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "%s", f->text);
    }
    if (bytes == 0) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "is empty");
    if (bytes >= (size_t)1 << 31)
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                          "has %zu bytes: ONNX files end at 2 GB. Save the weights beside the model, with "
                          "onnx.save_model(model, path, save_as_external_data=True)",
                          bytes);
    return FERRY_OK;
}

static void log_warnings(const ferry_report *report, size_t from, const ferry_logger *logger)
{
    for (size_t i = from; i < report->count; i++) {
        const ferry_finding *f = &report->findings[i];
        if (f->severity != FERRY_SEVERITY_ERROR) ferry_log(logger, f->severity, "%s: %s", f->subject, f->text);
    }
}

static ferry_status import_bytes(const ferry_onnx_input *input, const ferry_import_options *options, ferry_graph *out,
                                 ferry_report *report, const ferry_logger *logger, ferry_error *err)
{
    const ferry_heap *heap = ferry_heap_or_default(options ? options->heap : NULL);
    ferry_report own;
    ferry_report_init(&own, heap);
    ferry_report *used = report ? report : &own;
    const size_t before = used->count;
    ferry_status s = refuse_other_formats(input->path, input->data, input->bytes, err);
    if (s == FERRY_OK) s = ferry_onnx_import(input, heap, options && options->allow_nan, out, used, err);
    log_warnings(used, before, logger);
    ferry_report_deinit(&own);
    return s;
}

ferry_status ferry_import(const char *path, const ferry_import_options *options, ferry_graph *out, ferry_report *report,
                          const ferry_logger *logger, ferry_error *err)
{
    *out = (ferry_graph){0};
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        char inner[4096];
        snprintf(inner, sizeof inner, "%s/saved_model.pb", path);
        if (stat(inner, &st) == 0) return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "%s: %s", path, SAVED_MODEL);
    }
    ferry_file_map map;
    FERRY_TRY(ferry_file_map_open(&map, path, err));
    ferry_onnx_input input = {.path = path, .data = map.data, .bytes = map.bytes, .map = &map};
    const ferry_status s = import_bytes(&input, options, out, report, logger, err);
    ferry_file_map_close(&map); // zeroed where the graph has taken it over
    return s == FERRY_OK ? s : ferry_within(err, s, "%s", path);
}

ferry_status ferry_import_memory(const void *data, size_t bytes, const ferry_import_options *options, ferry_graph *out,
                                 ferry_report *report, const ferry_logger *logger, ferry_error *err)
{
    *out = (ferry_graph){0};
    const char *path = options ? options->path : NULL;
    const ferry_onnx_input input = {
        .path = path, .data = data, .bytes = bytes, .folder = options ? options->folder : NULL};
    const ferry_status s = import_bytes(&input, options, out, report, logger, err);
    return s == FERRY_OK || !path ? s : ferry_within(err, s, "%s", path);
}

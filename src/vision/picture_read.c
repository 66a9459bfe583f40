// SPDX-License-Identifier: Apache-2.0
// From bytes to pixels: what the first bytes say decides, never the file's name.
#include <stdio.h>
#include <string.h>

#include "base/file_map.h"
#include "vision/picture_internal.h"

// A picture file above this is not a picture for a network: 16 bits x 4 channels at the default pixel limit.
#define MAX_FILE_BYTES ((size_t)1536 << 20)

static bool begins(const uint8_t *data, size_t bytes, size_t at, const char *magic, size_t length)
{
    return bytes >= at + length && memcmp(data + at, magic, length) == 0;
}

// The name of a picture format that ferry does not read, or NULL.
static const char *other_format(const uint8_t *data, size_t bytes)
{
    static const struct {
        size_t at;
        const char *magic;
        size_t length;
        const char *name;
    } formats[] = {
        {0, "GIF8", 4, "GIF"},
        {8, "WEBP", 4, "WebP"},
        {0, "BM", 2, "BMP"},
        {0, "II*\0", 4, "TIFF"},
        {0, "MM\0*", 4, "TIFF"},
        {4, "ftypheic", 8, "HEIC"},
        {4, "ftypheix", 8, "HEIC"},
        {4, "ftypmif1", 8, "HEIC"},
        {4, "ftypavif", 8, "AVIF"},
        {0, "\377\012", 2, "JPEG XL"},
        {4, "JXL \r\n", 6, "JPEG XL"},
        {4, "jP  \r\n", 6, "JPEG 2000"},
        {0, "\377O\377Q", 4, "JPEG 2000"},
        {0, "8BPS", 4, "Photoshop"},
        {0, "\0\0\1\0", 4, "ICO"},
        {0, "%PDF", 4, "PDF"},
        {0, "v/1\1", 4, "OpenEXR"},
        {0, "qoif", 4, "QOI"},
        {0, "P5\n", 3, "PGM"},
        {0, "P6\n", 3, "PPM"},
        {0, "<svg", 4, "SVG"},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(formats); i++) {
        if (begins(data, bytes, formats[i].at, formats[i].magic, formats[i].length)) return formats[i].name;
    }
    return NULL;
}

static ferry_status refuse_unknown(const uint8_t *data, size_t bytes, ferry_error *err)
{
    if (bytes == 0) return ferry_fail(err, FERRY_ERR_BAD_DATA, "not a JPEG or PNG picture (the file is empty)");
    const char *name = other_format(data, bytes);
    if (name) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "a %s file, which ferry does not read: convert it to JPEG or PNG",
                          name);
    }
    size_t shown = bytes < 16 ? bytes : 16;
    bool text = true;
    for (size_t i = 0; i < shown && text; i++) text = data[i] >= 32 && data[i] < 127;
    char start[64];
    size_t used = 0;
    for (size_t i = 0; i < shown && !text; i++)
        used += (size_t)snprintf(start + used, sizeof start - used, " %02x", data[i]);
    if (text) snprintf(start, sizeof start, " '%.*s'", (int)shown, (const char *)data);
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "not a JPEG or PNG picture (starts with%s)", start);
}

static ferry_status check_options(const ferry_picture_options *options, ferry_read_options *out, ferry_error *err)
{
    *out = (ferry_read_options){FERRY_PICTURE_DEFAULT_MAX_PIXELS, FERRY_PICTURE_RGB};
    if (!options) return FERRY_OK;
    if (options->size < sizeof *options) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "ferry_picture_options.size is %zu, must be at least %zu",
                          options->size, sizeof *options);
    }
    if (options->form != FERRY_PICTURE_RGB && options->form != FERRY_PICTURE_INDEX) {
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "ferry_picture_options.form is %d", (int)options->form);
    }
    if (options->max_pixels) out->max_pixels = options->max_pixels;
    out->form = options->form;
    return FERRY_OK;
}

ferry_status ferry_picture_decode(const void *data, size_t bytes, const ferry_picture_options *options,
                                  const ferry_heap *heap, ferry_picture *out, ferry_error *error)
{
    memset(out, 0, sizeof *out);
    ferry_read_options checked;
    FERRY_TRY(check_options(options, &checked, error));
    const uint8_t *p = data;
    heap = ferry_heap_or_default(heap);
    ferry_status s;
    if (begins(p, bytes, 0, "\377\330\377", 3))
        s = ferry_jpeg_decode(p, bytes, &checked, heap, out, error);
    else if (begins(p, bytes, 0, "\211PNG\r\n\032\n", 8))
        s = ferry_png_decode(p, bytes, &checked, heap, out, error);
    else
        s = refuse_unknown(p, bytes, error);
    if (s != FERRY_OK) ferry_picture_deinit(out);
    return s;
}

ferry_status ferry_picture_read(const char *path, const ferry_picture_options *options, const ferry_heap *heap,
                                ferry_picture *out, ferry_error *error)
{
    memset(out, 0, sizeof *out);
    heap = ferry_heap_or_default(heap);
    char *data = NULL;
    size_t bytes = 0;
    FERRY_TRY(ferry_file_read(heap, path, MAX_FILE_BYTES, &data, &bytes, error));
    const ferry_status s = ferry_picture_decode(data, bytes, options, heap, out, error);
    ferry_heap_free(heap, data, bytes + 1);
    return s == FERRY_OK ? s : ferry_within(error, s, "%s", path);
}

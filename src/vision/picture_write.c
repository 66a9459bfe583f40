// SPDX-License-Identifier: Apache-2.0
// Pixels to PNG and JPEG: encoded in memory first, so that a file appears whole or not at all.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jpeglib.h>
#include <spng.h>

#include "base/atomic_file.h"
#include "vision/picture_internal.h"

enum { DEFAULT_QUALITY = 95, FULL_CHROMA_QUALITY = 90 };

// The libraries give malloc'ed memory; callers get memory of their heap.
static ferry_status hand_over(const ferry_heap *heap, void *from, size_t bytes, void **out, size_t *out_bytes,
                              ferry_error *err)
{
    *out = ferry_heap_alloc_uninit(ferry_heap_or_default(heap), bytes);
    if (*out) {
        memcpy(*out, from, bytes);
        *out_bytes = bytes;
    }
    free(from);
    return *out ? FERRY_OK : ferry_fail_memory(err, "an encoded picture");
}

void ferry_picture_free_encoded(const ferry_heap *heap, void *data, size_t bytes)
{
    ferry_heap_free(ferry_heap_or_default(heap), data, bytes);
}

static int encode_rows(spng_ctx *png, const ferry_picture *picture)
{
    struct spng_ihdr head = {.width = picture->width,
                             .height = picture->height,
                             .bit_depth = 8,
                             .color_type = picture->channels == 1   ? SPNG_COLOR_TYPE_GRAYSCALE
                                           : picture->channels == 3 ? SPNG_COLOR_TYPE_TRUECOLOR
                                                                    : SPNG_COLOR_TYPE_TRUECOLOR_ALPHA};
    int code = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    if (code == 0) code = spng_set_ihdr(png, &head);
    if (code == 0) code = spng_encode_image(png, NULL, 0, SPNG_FMT_PNG, SPNG_ENCODE_PROGRESSIVE | SPNG_ENCODE_FINALIZE);
    for (uint32_t y = 0; y < picture->height && code == 0; y++) {
        code = spng_encode_row(png, ferry_picture_row(picture, y), (size_t)picture->width * picture->channels);
    }
    return code == SPNG_EOI ? 0 : code;
}

ferry_status ferry_picture_encode_png(const ferry_picture *picture, const ferry_heap *heap, void **out_data,
                                      size_t *out_bytes, ferry_error *error)
{
    *out_data = NULL;
    *out_bytes = 0;
    FERRY_TRY(ferry_picture_check(picture, error));
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    if (!png) return ferry_fail_memory(error, "the PNG encoder");
    int code = encode_rows(png, picture);
    void *encoded = NULL;
    size_t bytes = 0;
    if (code == 0) encoded = spng_get_png_buffer(png, &bytes, &code);
    spng_ctx_free(png);
    if (code || !encoded) {
        return code == SPNG_EMEM ? ferry_fail_memory(error, "the PNG encoder")
                                 : ferry_fail(error, FERRY_ERR_INTERNAL, "PNG encoder: %s", spng_strerror(code));
    }
    return hand_over(heap, encoded, bytes, out_data, out_bytes, error);
}

typedef struct jpeg_job {
    struct jpeg_compress_struct info; // first: the callback gets back to the job by its address
    struct jpeg_error_mgr errors;
    jmp_buf leave;
    unsigned char *encoded; // malloc'ed by the library
    unsigned long bytes;
    char message[JMSG_LENGTH_MAX];
} jpeg_job;

static void leave_job(j_common_ptr info)
{
    jpeg_job *job = (jpeg_job *)info;
    info->err->format_message(info, job->message);
    longjmp(job->leave, 1);
}

static ferry_status encode_jpeg(jpeg_job *job, const ferry_picture *picture, int quality, ferry_error *err)
{
    struct jpeg_compress_struct *info = &job->info;
    info->err = jpeg_std_error(&job->errors);
    job->errors.error_exit = leave_job;
    if (setjmp(job->leave)) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "JPEG encoder: %s", job->message);
    jpeg_create_compress(info);
    jpeg_mem_dest(info, &job->encoded, &job->bytes);
    info->image_width = picture->width;
    info->image_height = picture->height;
    info->input_components = (int)picture->channels;
    info->in_color_space = picture->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, quality, TRUE);
    info->optimize_coding = TRUE;
    if (quality >= FULL_CHROMA_QUALITY) info->comp_info[0].h_samp_factor = info->comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(info, TRUE);
    while (info->next_scanline < info->image_height) {
        JSAMPROW row = ferry_picture_row(picture, info->next_scanline);
        jpeg_write_scanlines(info, &row, 1);
    }
    jpeg_finish_compress(info);
    return FERRY_OK;
}

ferry_status ferry_picture_encode_jpeg(const ferry_picture *picture, int quality, const ferry_heap *heap,
                                       void **out_data, size_t *out_bytes, ferry_error *error)
{
    *out_data = NULL;
    *out_bytes = 0;
    FERRY_TRY(ferry_picture_check(picture, error));
    if (picture->channels == 4) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "JPEG has no alpha channel: write PNG, or 3 channels");
    }
    if (quality < 0 || quality > 100) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "JPEG quality %d: must be 1 to 100, or 0 for %d", quality,
                          DEFAULT_QUALITY);
    }
    heap = ferry_heap_or_default(heap);
    jpeg_job *job = ferry_new(heap, jpeg_job);
    if (!job) return ferry_fail_memory(error, "the JPEG encoder");
    ferry_status s = encode_jpeg(job, picture, quality ? quality : DEFAULT_QUALITY, error);
    jpeg_destroy_compress(&job->info); // accepts one that was never created
    if (s == FERRY_OK)
        s = hand_over(heap, job->encoded, job->bytes, out_data, out_bytes, error);
    else
        free(job->encoded);
    ferry_delete(heap, job);
    return s;
}

static ferry_status write_encoded(const char *path, const ferry_heap *heap, ferry_status s, void *data, size_t bytes,
                                  ferry_error *err)
{
    if (s != FERRY_OK) return ferry_within(err, s, "%s", path);
    s = ferry_atomic_file_write(ferry_heap_or_default(heap), path, data, bytes, err);
    ferry_picture_free_encoded(heap, data, bytes);
    return s;
}

ferry_status ferry_picture_write_png(const ferry_picture *picture, const char *path, const ferry_heap *heap,
                                     ferry_error *error)
{
    void *data = NULL;
    size_t bytes = 0;
    const ferry_status s = ferry_picture_encode_png(picture, heap, &data, &bytes, error);
    return write_encoded(path, heap, s, data, bytes, error);
}

ferry_status ferry_picture_write_jpeg(const ferry_picture *picture, const char *path, int quality,
                                      const ferry_heap *heap, ferry_error *error)
{
    void *data = NULL;
    size_t bytes = 0;
    const ferry_status s = ferry_picture_encode_jpeg(picture, quality, heap, &data, &bytes, error);
    return write_encoded(path, heap, s, data, bytes, error);
}

ferry_status ferry_picture_write(const ferry_picture *picture, const char *path, const ferry_heap *heap,
                                 ferry_error *error)
{
    const char *slash = strrchr(path, '/');
    const char *ending = strrchr(slash ? slash : path, '.');
    if (ending && strcasecmp(ending, ".png") == 0) return ferry_picture_write_png(picture, path, heap, error);
    if (ending && (strcasecmp(ending, ".jpg") == 0 || strcasecmp(ending, ".jpeg") == 0)) {
        return ferry_picture_write_jpeg(picture, path, 0, heap, error);
    }
    return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "%s: the name must end in .png, .jpg or .jpeg", path);
}

// SPDX-License-Identifier: Apache-2.0
// JPEG to RGB through libjpeg's own interface rather than TurboJPEG's: it gives CMYK as stored, says at which byte a
// file ends early, and lets hostile files with thousands of scans be stopped.
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "vision/picture_internal.h"

// Progressive files of real cameras and encoders have some ten scans; each costs a pass over the whole picture.
enum { MAX_SCANS = 500 };

typedef struct jpeg_job {
    struct jpeg_decompress_struct info; // first: the callbacks get back to the job by its address
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf leave;
    const ferry_heap *heap;
    size_t bytes;
    bool opened, ended_early, too_many_scans;
    uint8_t *cmyk; // owned: one row
    size_t cmyk_bytes;
    char message[JMSG_LENGTH_MAX];
} jpeg_job;

static void leave_job(j_common_ptr info)
{
    jpeg_job *job = (jpeg_job *)info;
    info->err->format_message(info, job->message);
    longjmp(job->leave, 1);
}

// Warnings are damage that the decoder bridged; Pillow keeps such pictures, so we do.
static void ignore_message(j_common_ptr info, int level)
{
    (void)info;
    (void)level;
}

static void ignore_output(j_common_ptr info)
{
    (void)info;
}

static void source_nothing(j_decompress_ptr info)
{
    (void)info;
}

// All of the file was given at once, so being asked for more means that it ends early.
static boolean source_fill(j_decompress_ptr info)
{
    jpeg_job *job = (jpeg_job *)info;
    job->ended_early = true;
    longjmp(job->leave, 1);
}

static void source_skip(j_decompress_ptr info, long count)
{
    if (count <= 0) return;
    if ((size_t)count > info->src->bytes_in_buffer) source_fill(info);
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= (size_t)count;
}

static void watch_scans(j_common_ptr info)
{
    jpeg_job *job = (jpeg_job *)info;
    if (job->info.input_scan_number <= MAX_SCANS) return;
    job->too_many_scans = true;
    longjmp(job->leave, 1);
}

static void open_job(jpeg_job *job, const uint8_t *data, size_t bytes)
{
    job->info.err = jpeg_std_error(&job->errors);
    job->errors.error_exit = leave_job;
    job->errors.emit_message = ignore_message;
    job->errors.output_message = ignore_output;
    job->bytes = bytes;
    if (setjmp(job->leave)) return;
    jpeg_create_decompress(&job->info); // zeroes the struct but for err
    job->opened = true;
    job->source = (struct jpeg_source_mgr){.next_input_byte = data,
                                           .bytes_in_buffer = bytes,
                                           .init_source = source_nothing,
                                           .fill_input_buffer = source_fill,
                                           .skip_input_data = source_skip,
                                           .resync_to_restart = jpeg_resync_to_restart,
                                           .term_source = source_nothing};
    job->progress.progress_monitor = watch_scans;
    job->info.src = &job->source;
    job->info.progress = &job->progress;
}

static ferry_status refuse(const jpeg_job *job, ferry_error *err)
{
    const struct jpeg_decompress_struct *info = &job->info;
    if (job->too_many_scans) {
        return ferry_fail(err, FERRY_ERR_BAD_DATA, "progressive JPEG with more than %d scans", MAX_SCANS);
    }
    if (job->ended_early) {
        return info->output_height == 0
                   ? ferry_fail(err, FERRY_ERR_BAD_DATA, "JPEG data ends early, at byte %zu, before the pixels",
                                job->bytes)
                   : ferry_fail(err, FERRY_ERR_BAD_DATA, "JPEG data ends early, at byte %zu (row %u of %u)", job->bytes,
                                info->output_scanline, info->output_height);
    }
    const int code = info->err->msg_code;
    if (code == JERR_OUT_OF_MEMORY) return ferry_fail_memory(err, "the JPEG decoder");
    if (code == JERR_BAD_PRECISION || code == JERR_SOF_UNSUPPORTED || code == JERR_CONVERSION_NOTIMPL) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "%s: convert it to an 8-bit baseline JPEG or to PNG",
                          job->message);
    }
    return ferry_fail(err, FERRY_ERR_BAD_DATA, "damaged JPEG: %s", job->message);
}

static ferry_status read_header(jpeg_job *job, const ferry_read_options *options, ferry_error *err)
{
    if (setjmp(job->leave)) return refuse(job, err);
    jpeg_read_header(&job->info, TRUE);
    FERRY_TRY(ferry_picture_check_claim(options, job->info.image_width, job->info.image_height, err));
    switch (job->info.num_components) {
    case 1:
        job->info.out_color_space = JCS_GRAYSCALE;
        return FERRY_OK;
    case 3:
        job->info.out_color_space = JCS_RGB;
        return FERRY_OK;
    case 4:
        job->info.out_color_space = JCS_CMYK;
        return FERRY_OK;
    default:
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "JPEG with %d components; convert it to RGB",
                          job->info.num_components);
    }
}

// The grey row lies in the last third of the RGB row; going forward, no byte is overwritten before it is read.
static void spread_grey(uint8_t *row, uint32_t width)
{
    const uint8_t *grey = row + 2 * (size_t)width;
    for (size_t x = 0; x < width; x++) {
        const uint8_t v = grey[x];
        row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = v;
    }
}

// a * b / 255, rounded, exact for bytes.
static inline uint32_t mul255(uint32_t a, uint32_t b)
{
    const uint32_t t = a * b + 128;
    return (t + (t >> 8)) >> 8;
}

// Adobe stores the complement, so the bytes already are light: c = 255 - C. Written as Pillow computes it, from the
// ink.
static void ink_to_rgb(const uint8_t *cmyk, uint8_t *rgb, uint32_t width)
{
    for (size_t x = 0; x < width; x++) {
        const uint32_t light = cmyk[4 * x + 3];
        for (size_t c = 0; c < 3; c++) {
            const uint32_t taken = mul255(255u - cmyk[4 * x + c], light);
            rgb[3 * x + c] = (uint8_t)(light > taken ? light - taken : 0);
        }
    }
}

static ferry_status read_rows(jpeg_job *job, ferry_picture *out, ferry_error *err)
{
    if (setjmp(job->leave)) return refuse(job, err);
    struct jpeg_decompress_struct *info = &job->info;
    jpeg_start_decompress(info);
    while (info->output_scanline < info->output_height) {
        uint8_t *row = ferry_picture_row(out, info->output_scanline);
        uint8_t *target = info->num_components == 1   ? row + 2 * (size_t)out->width
                          : info->num_components == 4 ? job->cmyk
                                                      : row;
        jpeg_read_scanlines(info, &target, 1);
        if (info->num_components == 1) spread_grey(row, out->width);
        if (info->num_components == 4) ink_to_rgb(job->cmyk, row, out->width);
    }
    jpeg_finish_decompress(info); // reads up to the end marker: a file without one was cut
    return FERRY_OK;
}

ferry_status ferry_jpeg_decode(const uint8_t *data, size_t bytes, const ferry_read_options *options,
                               const ferry_heap *heap, ferry_picture *out, ferry_error *err)
{
    if (options->form == FERRY_PICTURE_INDEX) {
        return ferry_fail(err, FERRY_ERR_UNSUPPORTED, "a JPEG file cannot hold class indices: use PNG");
    }
    jpeg_job *job = ferry_new(heap, jpeg_job);
    if (!job) return ferry_fail_memory(err, "the JPEG decoder");
    job->heap = heap;
    open_job(job, data, bytes);
    ferry_status s = job->opened ? read_header(job, options, err) : refuse(job, err);
    if (s == FERRY_OK) s = ferry_picture_init(out, heap, job->info.image_width, job->info.image_height, 3, err);
    if (s == FERRY_OK && job->info.num_components == 4) {
        job->cmyk_bytes = (size_t)out->width * 4;
        job->cmyk = ferry_heap_alloc_uninit(heap, job->cmyk_bytes);
        if (!job->cmyk) s = ferry_fail_memory(err, "a row of CMYK");
    }
    if (s == FERRY_OK) s = read_rows(job, out, err);
    if (job->opened) jpeg_destroy_decompress(&job->info);
    ferry_heap_free(heap, job->cmyk, job->cmyk_bytes);
    ferry_delete(heap, job);
    return s;
}

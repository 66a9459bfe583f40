// SPDX-License-Identifier: Apache-2.0
// Pictures in memory: read from JPEG and PNG the way Pillow reads them, resized with Pillow's numbers, written again.
#ifndef FERRY_PICTURE_H_
#define FERRY_PICTURE_H_

#include "ferry/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/// 8-bit pixels, interleaved, top row first. 1 channel: grey or class indices; 3: R,G,B; 4: R,G,B,A.
/// Plain on purpose: a caller with pixels of its own (a camera's frame) fills one in, with owned_bytes = 0, and passes
/// it to any function that takes a const ferry_picture. A zeroed struct is an empty picture.
typedef struct ferry_picture {
    uint8_t *pixels;     ///< height rows, stride_bytes apart; owned if owned_bytes > 0, else borrowed
    uint32_t width;      ///< pixels in a row
    uint32_t height;     ///< rows
    uint32_t channels;   ///< 1, 3 or 4
    size_t stride_bytes; ///< from one row to the next, at least width * channels
    size_t owned_bytes;  ///< size of the allocation that `pixels` is; 0 if borrowed
    ferry_heap heap;     ///< what the pixels came from; meaningful when owned_bytes > 0
} ferry_picture;

/// Most pixels that are read without asking: Pillow's limit, about 179 million.
#define FERRY_PICTURE_DEFAULT_MAX_PIXELS 178956970u

/// How the pixels of a file are delivered.
typedef enum ferry_picture_form {
    /// 3 channels, the same values as Pillow's Image.open(f).convert("RGB"): grey is repeated, palettes are looked up,
    /// an
    /// alpha channel is dropped (not composited), CMYK follows Adobe's inverted convention. Of 16-bit samples the high
    /// byte
    /// is kept, also for 16-bit grey, which Pillow itself treats differently from version to version.
    FERRY_PICTURE_RGB = 0,
    /// 1 channel: the palette index or grey value as stored, unscaled. For class masks. PNG of at most 8 bits only.
    FERRY_PICTURE_INDEX = 1
} ferry_picture_form;

/// Zero means the default in every field; set `size` to sizeof the struct.
typedef struct ferry_picture_options {
    size_t size;
    uint64_t max_pixels;     ///< refuse pictures with more than this, before memory is taken; 0 = the default above
    ferry_picture_form form; ///< 0 = FERRY_PICTURE_RGB
} ferry_picture_options;

/// Gives `out` zeroed pixels of its own.
///
/// @param out       overwritten without being looked at; ferry_picture_deinit() it in the end
/// @param heap      memory hooks; NULL = the process heap. Copied; heap->user is borrowed for as long as `out` lives.
/// @param channels  1, 3 or 4
/// @return FERRY_ERR_INVALID_ARGUMENT for a side of 0 or above 2^26 or another channel count, FERRY_ERR_OUT_OF_MEMORY.
FERRY_API ferry_status ferry_picture_init(ferry_picture *out, const ferry_heap *heap, uint32_t width, uint32_t height,
                                          uint32_t channels, ferry_error *error);

/// Frees the pixels if they are owned and zeroes the struct. NULL, zeroed and borrowed pictures are accepted.
FERRY_API void ferry_picture_deinit(ferry_picture *picture);

/// Reads a JPEG or PNG file, told apart by content, not by name.
///
/// JPEG (baseline, progressive, arithmetic; grey, RGB, CMYK, YCCK) is decoded with the accurate integer DCT and smooth
/// chroma upsampling, as Pillow does; EXIF orientation is not applied, as Pillow does not. A file that ends early is
/// refused with the place; damage inside the compressed data that the decoder can bridge is bridged, as in Pillow. PNG:
/// all colour types and depths, interlaced or not; of an animation the default picture. The codecs' own working memory
/// is malloc'ed.
///
/// @param path     borrowed; named in the error text
/// @param options  NULL = all defaults
/// @param heap     memory hooks for the pixels and the file's bytes; NULL = the process heap
/// @param out      overwritten; on failure it is an empty picture
/// @return FERRY_ERR_IO if the file cannot be read, FERRY_ERR_BAD_DATA if it is damaged, too large or no picture,
///         FERRY_ERR_UNSUPPORTED for other picture formats (named, with the way round), FERRY_ERR_OUT_OF_MEMORY.
/// Thread-safe: no shared state.
FERRY_API ferry_status ferry_picture_read(const char *path, const ferry_picture_options *options,
                                          const ferry_heap *heap, ferry_picture *out, ferry_error *error);

/// The same from `bytes` bytes at `data`, borrowed for the call.
FERRY_API ferry_status ferry_picture_decode(const void *data, size_t bytes, const ferry_picture_options *options,
                                            const ferry_heap *heap, ferry_picture *out, ferry_error *error);

/// Writes a picture as PNG (1, 3 or 4 channels) or JPEG (1 or 3 channels; quality 95, full-resolution chroma at 90 and
/// above) by the name's ending: .png, .jpg, .jpeg. The file appears whole or not at all: a temporary file is renamed.
/// @param heap  for the encoded bytes; NULL = the process heap
/// @return FERRY_ERR_INVALID_ARGUMENT for another ending or channel count, FERRY_ERR_IO, FERRY_ERR_OUT_OF_MEMORY.
FERRY_API ferry_status ferry_picture_write(const ferry_picture *picture, const char *path, const ferry_heap *heap,
                                           ferry_error *error);

FERRY_API ferry_status ferry_picture_write_png(const ferry_picture *picture, const char *path, const ferry_heap *heap,
                                               ferry_error *error);

/// @param quality  1..100, libjpeg's scale; 0 = 95
FERRY_API ferry_status ferry_picture_write_jpeg(const ferry_picture *picture, const char *path, int quality,
                                                const ferry_heap *heap, ferry_error *error);

/// Encodes into memory that the caller frees with ferry_picture_free_encoded() and the same heap.
FERRY_API ferry_status ferry_picture_encode_png(const ferry_picture *picture, const ferry_heap *heap, void **out_data,
                                                size_t *out_bytes, ferry_error *error);
FERRY_API ferry_status ferry_picture_encode_jpeg(const ferry_picture *picture, int quality, const ferry_heap *heap,
                                                 void **out_data, size_t *out_bytes, ferry_error *error);
FERRY_API void ferry_picture_free_encoded(const ferry_heap *heap, void *data, size_t bytes);

/// Pillow's resampling filters. When a picture gets smaller, all but nearest average over the pixels that are lost.
/// The values are kept in files by name, never by number.
typedef enum ferry_filter {
    FERRY_FILTER_BILINEAR = 0, ///< triangle, the default
    FERRY_FILTER_NEAREST = 1,
    FERRY_FILTER_BOX = 2,
    FERRY_FILTER_HAMMING = 3,
    FERRY_FILTER_BICUBIC = 4, ///< a = -0.5
    FERRY_FILTER_LANCZOS = 5  ///< 3 lobes
} ferry_filter;

/// "bilinear", "nearest", "box", "hamming", "bicubic", "lanczos"; NULL for an unknown value. Static storage.
FERRY_API const char *ferry_filter_name(ferry_filter filter);

/// A part of a picture in pixels, as Pillow's `box`: [left, right) x [top, bottom), fractions allowed.
typedef struct ferry_picture_box {
    float left, top, right, bottom;
} ferry_picture_box;

/// Resizes `source` (or the part of it in `box`) to width x height, with the numbers of Pillow's Image.resize of 8-bit
/// pictures: those of Pillow 13, which goes down first when the height loses more than twice the pixels that the width
/// loses. Pillow 12 and older always go across first; where that differs, bicubic and lanczos differ by a few grey
/// levels, the others by at most one. Channels are treated alike: alpha is not multiplied in.
///
/// @param box  NULL = the whole picture; must lie inside the picture and not be empty
/// @param out  overwritten; a new picture with as many channels as `source`
FERRY_API ferry_status ferry_picture_resize(const ferry_picture *source, const ferry_picture_box *box, uint32_t width,
                                            uint32_t height, ferry_filter filter, const ferry_heap *heap,
                                            ferry_picture *out, ferry_error *error);

#ifdef __cplusplus
}
#endif

#endif // FERRY_PICTURE_H_

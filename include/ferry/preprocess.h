// SPDX-License-Identifier: Apache-2.0
// From a picture to a network's input, and from the network's coordinates back to the picture. Engines keep the
// settings as JSON, so that calibration and use cannot differ unnoticed.
#ifndef FERRY_PREPROCESS_H_
#define FERRY_PREPROCESS_H_

#include "ferry/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/// How the picture is fitted to the input. w x h is the picture, W x H the input. Sides are rounded as ferry_rounding
/// says.
typedef enum ferry_resize_mode {
    /// To exactly W x H, whatever the aspect.
    FERRY_RESIZE_STRETCH = 0,
    /// Resized to w*r x h*r, r = min(W/w, H/h), then padded: all around, left = round((W-w')/2 - 0.1) and the rest on
    /// the
    /// right, as Ultralytics does; or on the right and below, with align = topleft.
    FERRY_RESIZE_LETTERBOX = 1,
    /// The shorter side becomes resize_shorter (N), the longer N * longer / shorter; then the centre W x H is cut out
    /// (the
    /// top left with align = topleft). Where the resized picture is smaller than the input it is padded with `pad`,
    /// floor((W-w')/2) of it on the left.
    FERRY_RESIZE_CROP = 2,
    /// To height H and width w*H/h. With a width W set, a picture that would be wider is squeezed to W, and a narrower
    /// one is
    /// padded on the right; with W = 0 the input is as wide as the picture makes it. For lines of text.
    FERRY_RESIZE_KEEP_RATIO_HEIGHT = 3
} ferry_resize_mode;

/// How a side that keeps the proportion becomes a whole number (at least 1). Programs differ in this, and half a pixel
/// moves accuracy by tenths of a point.
typedef enum ferry_rounding {
    /// To the nearest, halves to even: Ultralytics'. A crop begins at floor((w'-W)/2).
    FERRY_ROUNDING_NEAREST = 0,
    /// Down: torchvision's Resize, YOLOX'. A crop begins at round((w'-W)/2), halves to even: torchvision's CenterCrop.
    FERRY_ROUNDING_DOWN = 1,
    /// Up: PaddleOCR's lines of text. A crop begins as with nearest.
    FERRY_ROUNDING_UP = 2
} ferry_rounding;

typedef enum ferry_align { FERRY_ALIGN_CENTER = 0, FERRY_ALIGN_TOPLEFT = 1 } ferry_align;

/// The order of the channels that the network gets. Grey is Pillow's convert("L"), taken before resizing; one channel.
typedef enum ferry_color { FERRY_COLOR_RGB = 0, FERRY_COLOR_BGR = 1, FERRY_COLOR_GRAY = 2 } ferry_color;

typedef enum ferry_layout { FERRY_LAYOUT_NCHW = 0, FERRY_LAYOUT_NHWC = 1 } ferry_layout;

/// Each value of the input is (x - mean) / std, x in 0..255, computed in double and rounded once to float.
/// mean, std and pad are always given in the order R,G,B of the picture, also when the network gets B,G,R:
/// "BGR, minus (104,117,123)" is mean 123,117,104 with color bgr. Grey uses the first of each.
typedef struct ferry_preprocess {
    size_t size; ///< of this struct, set by ferry_preprocess_default()
    uint32_t width,
        height; ///< of the network's input; 0 = not said: take the model's, see ferry_preprocess_set_input()
    ferry_resize_mode mode;  ///< default stretch
    uint32_t resize_shorter; ///< for crop; 0 = max(width, height) / 0.875, rounded
    ferry_rounding rounding; ///< default nearest; the preset imagenet rounds down
    ferry_align align;       ///< for letterbox and crop
    ferry_filter filter;     ///< default bilinear
    ferry_color color;       ///< default rgb
    ferry_layout layout;     ///< default nchw
    double mean[3];          ///< default 0
    double std[3];           ///< default 1; never 0
    double pad[3];           ///< 0..255 before mean and std, fractions allowed; default 114
} ferry_preprocess;

/// Where the picture lies in the input. Input x = source x * scale_x + offset_x; all coordinates count from the top
/// left corner of the top left pixel.
typedef struct ferry_preprocess_geometry {
    uint32_t source_width, source_height;   ///< the picture
    uint32_t width, height;                 ///< the network's input
    uint32_t channels;                      ///< of the network's input: 3 or 1
    uint32_t resized_width, resized_height; ///< of the whole picture after resizing
    int32_t offset_x, offset_y;    ///< where the resized picture begins in the input; negative where it was cut
    uint32_t content_x, content_y; ///< the part of the input that shows the picture; the rest is padding
    uint32_t content_width, content_height;
    double scale_x, scale_y; ///< resized / source
} ferry_preprocess_geometry;

/// stretch, bilinear, RGB, NCHW, mean 0, std 1, pad 114, no size.
FERRY_API void ferry_preprocess_default(ferry_preprocess *out);

/// Settings by name: imagenet, unit (x/255), tf (x/127.5-1), yolo, yolox, nanodet, ssd. None sets a size.
/// @return FERRY_ERR_INVALID_ARGUMENT for another name; the text lists them.
FERRY_API ferry_status ferry_preprocess_preset(const char *name, ferry_preprocess *out, ferry_error *error);

/// Name of the preset at `index`, in the order above; NULL past the end. Static storage.
FERRY_API const char *ferry_preprocess_preset_name(size_t index);

/// A preset's name, or the path of a JSON file (whatever holds a '/' or ends in .json).
FERRY_API ferry_status ferry_preprocess_parse(const char *preset_or_path, ferry_preprocess *out, ferry_error *error);

/// Changes one setting, by the name and value of the command's option: "size" "224x224", "resize" "crop",
/// "resize-shorter" "256", "keep-ratio-height" "48" (also chooses that mode), "mean" "123,117,104" (or one number for
/// all), "std", "pad", "rounding" "down", "align" "topleft", "filter" "bicubic", "color" "bgr", "layout" "nhwc".
/// @return FERRY_ERR_INVALID_ARGUMENT with the name, the value and what is allowed; `preprocess` is then unchanged.
FERRY_API ferry_status ferry_preprocess_set(ferry_preprocess *preprocess, const char *name, const char *value,
                                            ferry_error *error);

/// Reads an object of the keys that ferry_preprocess_to_json() writes, and "preset" to begin from. Keys that are
/// missing keep the preset's or the default value; unknown keys and wrong types are errors that name the key.
FERRY_API ferry_status ferry_preprocess_from_json(const char *json, size_t bytes, ferry_preprocess *out,
                                                  ferry_error *error);

/// Writes one line of JSON in canonical form: all keys, fixed order, the shortest numbers that read back the same.
/// {"size":[224,224],"resize":"crop","resize_shorter":256,"rounding":"nearest","align":"center","filter":"bilinear",
///  "color":"rgb","layout":"nchw","mean":[0,0,0],"std":[1,1,1],"pad":[114,114,114]}, without spaces and line end.
///
/// @param text      receives at most `capacity` bytes with the final zero; 1024 are always enough
/// @return FERRY_ERR_INVALID_ARGUMENT if it does not fit or the settings are not valid.
FERRY_API ferry_status ferry_preprocess_to_json(const ferry_preprocess *preprocess, char *text, size_t capacity,
                                                ferry_error *error);

/// A 64-bit hash of the canonical JSON, the same on every machine. *out_hash is untouched on failure.
FERRY_API ferry_status ferry_preprocess_hash(const ferry_preprocess *preprocess, uint64_t *out_hash,
                                             ferry_error *error);

/// Says whether the settings make sense (sizes may still be 0): enums, std not 0, finite numbers, sides at most 65536.
FERRY_API ferry_status ferry_preprocess_check(const ferry_preprocess *preprocess, ferry_error *error);

/// Takes the size from a model's input where the settings say none, and checks that they agree with it where they do.
///
/// @param width, height  of the model's input; 0 = the model leaves it open
/// @param channels       1 or 3; 0 = open
/// @return FERRY_ERR_INVALID_ARGUMENT with both numbers if they contradict each other, or if a size is known from
/// neither side
///         (the width may stay open with FERRY_RESIZE_KEEP_RATIO_HEIGHT).
FERRY_API ferry_status ferry_preprocess_set_input(ferry_preprocess *preprocess, uint32_t width, uint32_t height,
                                                  uint32_t channels, ferry_error *error);

/// Computes where a picture of that size will lie, without touching pixels.
/// @return FERRY_ERR_INVALID_ARGUMENT if no size is set, the settings are not valid or the picture is empty.
FERRY_API ferry_status ferry_preprocess_plan(const ferry_preprocess *preprocess, uint32_t source_width,
                                             uint32_t source_height, ferry_preprocess_geometry *out,
                                             ferry_error *error);

/// Elements of the input that ferry_preprocess_plan() described: channels * height * width.
FERRY_API size_t ferry_preprocess_elements(const ferry_preprocess_geometry *geometry);

/// Turns pictures into inputs, keeping its filter tables and scratch memory: pictures of the size of the one before
/// allocate nothing. One preprocessor serves one thread at a time.
typedef struct ferry_preprocessor ferry_preprocessor;

/// @param preprocess  copied
/// @param heap        copied; NULL = the process heap
FERRY_API ferry_status ferry_preprocessor_create(const ferry_preprocess *preprocess, const ferry_heap *heap,
                                                 ferry_preprocessor **out, ferry_error *error);
FERRY_API void ferry_preprocessor_destroy(ferry_preprocessor *preprocessor); ///< accepts NULL

/// Makes one sample of the input.
///
/// @param picture       1, 3 or 4 channels (a fourth is ignored); borrowed for the call
/// @param dtype         FERRY_F32, or for models with integer or half inputs FERRY_F16, FERRY_U8, FERRY_S8: f16 is
/// rounded to nearest
///                      even; integers are (x - mean) / std rounded to nearest even and clamped, so that mean 0 and std
///                      1 give the pixels
/// @param out           [C, H, W] or [H, W, C] by the settings' layout, dense
/// @param out_bytes     size of `out`: at least ferry_preprocess_elements() * ferry_dtype_bytes(dtype)
/// @param out_geometry  NULL, or receives where the picture lies
FERRY_API ferry_status ferry_preprocessor_run(ferry_preprocessor *preprocessor, const ferry_picture *picture,
                                              ferry_dtype dtype, void *out, size_t out_bytes,
                                              ferry_preprocess_geometry *out_geometry, ferry_error *error);

/// Maps points from the input to the picture, in place. @param points  [count][2]: x, y in pixels of the input
FERRY_API void ferry_preprocess_unmap_points(const ferry_preprocess_geometry *geometry, float *points, size_t count);

/// Maps boxes from the input to the picture, in place, and clips them to it.
/// @param boxes         the first box: x1, y1, x2, y2 in pixels of the input
/// @param stride_bytes  from one box to the next (>= 16, a multiple of 4), so that boxes inside larger records can be
/// mapped
FERRY_API void ferry_preprocess_unmap_boxes(const ferry_preprocess_geometry *geometry, float *boxes, size_t count,
                                            size_t stride_bytes);

/// Cuts the padding off a class mask and resizes it to the picture with the nearest filter.
///
/// @param mask     [mask_height, mask_width] class indices that cover the input; may be coarser or finer than it
/// @param outside  the class for what a crop left out of the picture's edges
/// @param out      overwritten; 1 channel, the picture's size
FERRY_API ferry_status ferry_preprocess_unmap_mask(const ferry_preprocess_geometry *geometry, const uint8_t *mask,
                                                   uint32_t mask_width, uint32_t mask_height, uint8_t outside,
                                                   const ferry_heap *heap, ferry_picture *out, ferry_error *error);

#ifdef __cplusplus
}
#endif

#endif // FERRY_PREPROCESS_H_

// SPDX-License-Identifier: Apache-2.0
// How good results are: top-k accuracy, average precision as COCO defines it, mean intersection over union.
#ifndef FERRY_METRICS_H_
#define FERRY_METRICS_H_

#include "ferry/decode.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- Classification -------------------------------------------------------------------------------------------------

/// Counts for top-1 and top-5. Zero it to begin; add up those of several threads at will.
typedef struct ferry_topk_counts {
    uint64_t pictures;
    uint64_t top1, top5; ///< pictures whose class was the first, or among the first five
} ferry_topk_counts;

/// @param result  of a classifier, decoded with top_k >= 5
FERRY_API void ferry_topk_add(ferry_topk_counts *counts, const ferry_result *result, int64_t true_class);

// ---- Detection ------------------------------------------------------------------------------------------------------

/// A true object.
typedef struct ferry_true_box {
    float x1, y1, x2, y2; ///< pixels of the picture
    int32_t class_index;
    int32_t is_crowd; ///< 1: a region with many objects; what is found in it counts neither for nor against
} ferry_true_box;

/// The true objects of a collection of pictures. Never changes once made: any number of threads may read it.
typedef struct ferry_coco_truth ferry_coco_truth;

/// Reads a folder of YOLO label files (one `<picture>.txt` a picture; a line: class, centre x, centre y, width, height,
/// relative to the picture; an empty file means no object), or a COCO instances JSON (classes are the positions of the
/// categories sorted by id: COCO's 80 become 0..79).
///
/// @param path  of the folder or the JSON file
/// @param heap  copied; NULL = the process heap
/// @return FERRY_ERR_IO, FERRY_ERR_BAD_DATA with file and line or JSON place.
FERRY_API ferry_status ferry_coco_truth_read(const char *path, const ferry_heap *heap, ferry_coco_truth **out,
                                             ferry_error *error);
FERRY_API void ferry_coco_truth_destroy(ferry_coco_truth *truth); ///< accepts NULL

FERRY_API size_t ferry_coco_truth_picture_count(const ferry_coco_truth *truth);

/// The number of a picture, found by its file name: folders are ignored, and so is the extension.
/// -1 when the collection does not know it.
FERRY_API int64_t ferry_coco_truth_find(const ferry_coco_truth *truth, const char *picture_path);

/// The name by which a picture was recorded: a file name, of YOLO labels without extension. Borrowed.
FERRY_API const char *ferry_coco_truth_picture_name(const ferry_coco_truth *truth, size_t picture);

/// The true boxes of one picture, in its pixels.
///
/// @param width, height  of the picture: YOLO labels are relative to it. For JSON they are ignored.
/// @param out_boxes      the caller's array of `capacity` boxes; NULL = only count
/// @return how many boxes there are; at most `capacity` are written
FERRY_API size_t ferry_coco_truth_boxes(const ferry_coco_truth *truth, size_t picture, uint32_t width, uint32_t height,
                                        ferry_true_box *out_boxes, size_t capacity);

/// Average precision over pictures: for each class the area under the precision/recall curve by 101-point
/// interpolation, boxes matched greedily, best score first, each to the free true box that it overlaps most; at most
/// 100 boxes per picture (the best); mean over the classes that occur in the true boxes.
typedef struct ferry_ap ferry_ap;

FERRY_API ferry_status ferry_ap_create(const ferry_heap *heap, ferry_ap **out, ferry_error *error);
FERRY_API void ferry_ap_destroy(ferry_ap *ap); ///< accepts NULL

/// Adds a picture: what was found in it and what is in it. Both are copied. One thread at a time.
FERRY_API ferry_status ferry_ap_add(ferry_ap *ap, const ferry_detection *found, size_t found_count,
                                    const ferry_true_box *truth, size_t truth_count, ferry_error *error);

typedef struct ferry_ap_summary {
    double map50;          ///< mean AP at IoU 0.5, 0..1; 0 when there is no true box
    double map;            ///< mean over IoU 0.5, 0.55, ..., 0.95
    size_t class_count;    ///< classes that occur
    size_t picture_count;  ///< added
    size_t true_box_count; ///< without crowd regions
} ferry_ap_summary;

/// May be asked at any time; more pictures may follow.
FERRY_API ferry_status ferry_ap_summarise(const ferry_ap *ap, ferry_ap_summary *out, ferry_error *error);

/// AP at IoU 0.5 of one class, or a negative number when it does not occur. For reports by class.
FERRY_API double ferry_ap_class(const ferry_ap *ap, int32_t class_index);

// ---- Segmentation ---------------------------------------------------------------------------------------------------

/// Pixels counted by class. Zero it to begin; sums of several threads may be added member by member.
typedef struct ferry_iou_counts {
    uint64_t pixels, right;   ///< with a true class (not 255), and those of them that were found right
    uint64_t both[255];       ///< by class: true and found
    uint64_t true_only[255];  ///< true, something else found
    uint64_t found_only[255]; ///< found where something else is true
} ferry_iou_counts;

/// @param truth, found  [height, width] class indices, rows truth_stride and found_stride bytes apart; true pixels of
/// 255
///                      are left out
FERRY_API void ferry_iou_add(ferry_iou_counts *counts, const uint8_t *truth, size_t truth_stride, const uint8_t *found,
                             size_t found_stride, uint32_t width, uint32_t height);

/// Mean over the classes that occur in the true maps of both / (both + true_only + found_only); 0 when none does.
FERRY_API double ferry_iou_mean(const ferry_iou_counts *counts, size_t *out_class_count);
/// right / pixels; 0 without pixels.
FERRY_API double ferry_iou_pixel_accuracy(const ferry_iou_counts *counts);

#ifdef __cplusplus
}
#endif

#endif // FERRY_METRICS_H_

// SPDX-License-Identifier: Apache-2.0
// From a network's output tensors to results: classes with scores, boxes on the picture, a class for every pixel.
// What a network's outputs mean is data (JSON, described in docs/DECODERS.md), never code chosen by a model's name.
#ifndef FERRY_DECODE_H_
#define FERRY_DECODE_H_

#include "ferry/base.h"
#include "ferry/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ferry_picture;             // ferry/picture.h
struct ferry_preprocess_geometry; // ferry/preprocess.h

/// What a network is for. The values are stored in engine files and never change.
typedef enum ferry_task {
    FERRY_TASK_RAW = 0, ///< tensors only: there is nothing to decode
    FERRY_TASK_CLASSIFY = 1,
    FERRY_TASK_DETECT = 2,
    FERRY_TASK_SEGMENT = 3
} ferry_task;

/// "raw", "classify", "detect", "segment"; NULL for an unknown value. Static storage. Thread-safe.
FERRY_API const char *ferry_task_name(ferry_task task);

/// The task of that name. FERRY_ERR_INVALID_ARGUMENT for another name; the text lists them. Thread-safe.
FERRY_API ferry_status ferry_task_parse(const char *name, ferry_task *out, ferry_error *error);

// ---- Labels ---------------------------------------------------------------------------------------------------------

/// The names of classes. Never changes once made: any number of threads may read it.
typedef struct ferry_labels ferry_labels;

/// Reads a text file with one name a line (LF or CRLF, UTF-8 with or without a byte order mark; empty lines at the end
/// are dropped, one in the middle is a class without a name), or JSON: a list of names, or an object {"0": "cat", ...}
/// whose missing indices have no name. A value may be a list too, of which the last text is the name
/// ({"0": ["n01440764", "tench"]}). At most 1,000,000 names and 16 MiB.
///
/// @param heap  copied; NULL = the process heap
/// @return FERRY_ERR_IO, FERRY_ERR_BAD_DATA with path and line, FERRY_ERR_OUT_OF_MEMORY.
FERRY_API ferry_status ferry_labels_read(const char *path, const ferry_heap *heap, ferry_labels **out,
                                         ferry_error *error);

/// The same from `bytes` bytes at `text`, borrowed for the call. Text that begins with '[' or '{' and is valid JSON is
/// read as JSON.
FERRY_API ferry_status ferry_labels_parse(const char *text, size_t bytes, const ferry_heap *heap, ferry_labels **out,
                                          ferry_error *error);
FERRY_API void ferry_labels_destroy(ferry_labels *labels); ///< accepts NULL

/// How many classes have a line; 0 for NULL.
FERRY_API size_t ferry_labels_count(const ferry_labels *labels);

/// The name of a class, UTF-8, borrowed from `labels`; NULL when there is none (NULL labels, an index beyond the list
/// or negative, an empty line).
FERRY_API const char *ferry_labels_get(const ferry_labels *labels, int64_t class_index);

/// The names as text that ferry_labels_parse() reads back the same: one a line, every line ended by LF; where lines
/// would be read differently (a first name that begins with '[', say), a JSON list. To be freed with
/// ferry_text_free(heap, *out_text).
FERRY_API ferry_status ferry_labels_to_text(const ferry_labels *labels, const ferry_heap *heap, char **out_text,
                                            ferry_error *error);

// ---- Results --------------------------------------------------------------------------------------------------------

typedef struct ferry_class_score {
    int32_t class_index; ///< output index minus the class offset
    float score;         ///< a probability, 0..1
} ferry_class_score;

typedef struct ferry_detection {
    float x1, y1, x2, y2; ///< pixels of the picture, from the top left corner of the top left pixel; inside the picture
    float score;          ///< 0..1
    int32_t class_index;
} ferry_detection;

/// In a class map: a pixel to which the network gives no class (cut off by the preprocessing, or below the offset).
#define FERRY_CLASS_NONE 255

/// What a decoder found in one picture. Made by ferry_result_create() and filled again and again; its members are read
/// only, and what they point to is owned by the result and lasts until the next decode into it.
typedef struct ferry_result {
    ferry_task task; ///< says which of the following is filled; FERRY_TASK_RAW when nothing was decoded yet

    const ferry_class_score *classes; ///< best first; equal scores by class index
    size_t class_count;

    const ferry_detection *detections; ///< best first; equal scores by position in the output, then class index
    size_t detection_count;

    const struct ferry_picture
        *class_map; ///< 1 channel, the picture's size: a class index or FERRY_CLASS_NONE; or NULL

    size_t class_total;     ///< classes that the network tells apart, without those below the offset
    size_t nonfinite_count; ///< scores or boxes left out since they were NaN or infinite: a sign of a broken engine
    size_t candidate_count; ///< boxes that reached the score threshold
    size_t candidates_lost; ///< of these, those beyond options.max_candidates, worst first
} ferry_result;

/// @param heap  for all of the result's memory, copied; NULL = the process heap
FERRY_API ferry_status ferry_result_create(const ferry_heap *heap, ferry_result **out, ferry_error *error);
FERRY_API void ferry_result_destroy(ferry_result *result); ///< accepts NULL

/// The result as one line of JSON without a line end, to be freed with ferry_text_free(heap, *out_text):
///   {"task":"classify","classes":[{"class":281,"label":"tabby","score":0.71},...]}
///   {"task":"detect","detections":[{"class":5,"label":"bus","score":0.915,"box":[5,229,805,737]},...]}
///   {"task":"segment","width":640,"height":480,"classes":[{"class":0,"label":"sky","pixels":12345},...]}
/// "label" is left out where there is none; "nonfinite" is added when nonfinite_count > 0.
/// @param labels  NULL = no names
FERRY_API ferry_status ferry_result_to_json(const ferry_result *result, const ferry_labels *labels,
                                            const ferry_heap *heap, char **out_text, ferry_error *error);

// ---- Decoders -------------------------------------------------------------------------------------------------------

/// How outputs are read. Never changes once made but for ferry_decoder_set_class_offset(): any number of threads may
/// decode with it.
typedef struct ferry_decoder ferry_decoder;

/// A preset's name, or the path of a JSON file (whatever holds a '/' or ends in .json).
/// @param heap  copied; NULL = the process heap
/// @return FERRY_ERR_INVALID_ARGUMENT for an unknown name (the text lists them), else as ferry_decoder_from_json().
FERRY_API ferry_status ferry_decoder_parse(const char *preset_or_path, const ferry_heap *heap, ferry_decoder **out,
                                           ferry_error *error);

/// @param json  `bytes` bytes, borrowed for the call. Unknown keys, wrong types and values out of range are
///              FERRY_ERR_BAD_DATA with their place.
FERRY_API ferry_status ferry_decoder_from_json(const char *json, size_t bytes, const ferry_heap *heap,
                                               ferry_decoder **out, ferry_error *error);
FERRY_API void ferry_decoder_destroy(ferry_decoder *decoder); ///< accepts NULL

/// The decoder as canonical JSON: one line, fixed order of keys, nothing that is at its default. Reading it gives an
/// equal decoder. To be freed with ferry_text_free(heap, *out_text).
FERRY_API ferry_status ferry_decoder_to_json(const ferry_decoder *decoder, const ferry_heap *heap, char **out_text,
                                             ferry_error *error);

/// Name of the preset at `index`: classify, segment, yolov3, yolov5, yolov8, yolox, ssd, nanodet, fastestdet, ultraface
/// and variants; NULL past the end. Static storage. Thread-safe.
FERRY_API const char *ferry_decoder_preset_name(size_t index);

/// The JSON text of a preset, to print or to start an own one from; NULL for an unknown name. Static storage.
FERRY_API const char *ferry_decoder_preset_json(const char *name);

FERRY_API ferry_task ferry_decoder_task(const ferry_decoder *decoder);

/// Its "name"; never NULL. Borrowed from the decoder.
FERRY_API const char *ferry_decoder_name(const ferry_decoder *decoder);

/// Class index = index in the output - offset; what lies below (a background at index 0) is never reported.
FERRY_API int32_t ferry_decoder_class_offset(const ferry_decoder *decoder);
/// @return FERRY_ERR_INVALID_ARGUMENT unless 0 <= offset <= 1,000,000. Not while another thread uses the decoder.
FERRY_API ferry_status ferry_decoder_set_class_offset(ferry_decoder *decoder, int64_t offset, ferry_error *error);

/// Says whether a network's outputs are what the decoder expects. Data pointers are not looked at.
///
/// @param outputs          all outputs of the network, in its order; a dimension of the batch may be any number >= 1
/// @param input_width      of the network's input, in pixels; 0 = unknown: then grids cannot be checked, which fails
///                         only where a decoder needs them
/// @param out_class_total  NULL, or receives the number of classes
/// @return FERRY_ERR_BAD_DATA: for each form of the decoder which output has which shape, which was expected and why.
FERRY_API ferry_status ferry_decoder_check(const ferry_decoder *decoder, const ferry_tensor_view *outputs,
                                           size_t output_count, uint32_t input_width, uint32_t input_height,
                                           size_t *out_class_total, ferry_error *error);

/// Whether one box may be reported for several classes.
typedef enum ferry_labels_per_box {
    FERRY_LABELS_AS_DECODER = 0, ///< what the decoder says ("multi_label"; most say one)
    FERRY_LABELS_ONE = 1,        ///< the best class
    FERRY_LABELS_MANY = 2        ///< every class that reaches the threshold: what accuracy is measured with
} ferry_labels_per_box;

/// Zero means the default in every field.
typedef struct ferry_decode_options {
    size_t size;           ///< of this struct, set by ferry_decode_options_default()
    uint32_t top_k;        ///< classes reported by a classifier; 0 = 5
    float score_threshold; ///< boxes with a lower score are left out; 0 = 0.25, negative = keep all
    float nms_iou;         ///< of two boxes of one class that overlap more, the weaker goes; 0 = 0.45; 1 or more = off
    uint32_t max_det;      ///< most boxes per picture; 0 = 100
    uint32_t max_candidates;             ///< boxes that suppression looks at, best first: bounds its time; 0 = 30000
    uint32_t batch_index;                ///< which sample of the batch
    ferry_labels_per_box labels_per_box; ///< 0 = as the decoder says
} ferry_decode_options;

FERRY_API void ferry_decode_options_default(ferry_decode_options *out);
/// The defaults for measuring accuracy: score threshold 0.01, NMS at IoU 0.6, 100 boxes, many labels per box.
FERRY_API void ferry_decode_options_eval(ferry_decode_options *out);

/// Decodes one sample of a network's outputs into `result`.
///
/// @param outputs   all outputs of the network in host memory, in its order, of any numeric type; integers are taken as
///                  they are (a quantised output must have been scaled to float before)
/// @param geometry  from ferry_preprocess_plan() or ferry_preprocessor_run(): the input's size and where the picture
///                  lies in it. May be NULL for classifiers.
/// @param options   NULL = all defaults
/// @param result    emptied first; on failure it stays empty
/// @return FERRY_ERR_BAD_DATA as ferry_decoder_check(), FERRY_ERR_INVALID_ARGUMENT, FERRY_ERR_OUT_OF_MEMORY.
/// One result serves one thread at a time.
FERRY_API ferry_status ferry_decoder_run(const ferry_decoder *decoder, const ferry_tensor_view *outputs,
                                         size_t output_count, const struct ferry_preprocess_geometry *geometry,
                                         const ferry_decode_options *options, ferry_result *result, ferry_error *error);

/// Proposes a preset from the shapes of a network's outputs alone.
///
/// @param label_count   classes that the labels name, which settles most doubts; 0 = not known
/// @param out_preset    the preset's name, static storage
/// @param reason        NULL, or receives a sentence for the user: what fits, what else was thought of
/// @param reason_bytes  size of `reason`
/// @return FERRY_ERR_UNSUPPORTED when no preset or more than one fits: the text names those that fit, and the shapes.
FERRY_API ferry_status ferry_decoder_propose(const ferry_tensor_view *outputs, size_t output_count,
                                             uint32_t input_width, uint32_t input_height, size_t label_count,
                                             const char **out_preset, char *reason, size_t reason_bytes,
                                             ferry_error *error);

#ifdef __cplusplus
}
#endif

#endif // FERRY_DECODE_H_

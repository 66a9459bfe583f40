# SPDX-License-Identifier: Apache-2.0
"""The structs of ferry's C headers, field by field, for ctypes.

A test compiles the headers and holds every size and offset here against the compiler's. Structs that begin with
`size` are options: calling the class fills `size` in, so that a library newer than this package knows which fields
it was given."""
import ctypes
from ctypes import c_bool, c_char, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint32, c_uint64
from ctypes import c_int, c_void_p

MAX_RANK = 8
Dims = c_int64 * MAX_RANK

# --- Callbacks: the types that C calls back through ------------------------------------------------------------------

LogFn = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)
ProgressFn = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)
StreamFn = ctypes.CFUNCTYPE(None, c_void_p)
ProfilerFn = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
ObserverFn = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_float, c_int32)
BatchSizeFn = ctypes.CFUNCTYPE(c_int32, c_void_p)
BatchFn = ctypes.CFUNCTYPE(c_int, c_void_p, ctypes.POINTER(c_void_p), ctypes.POINTER(c_char_p), c_int32, c_void_p)
ReadCacheFn = ctypes.CFUNCTYPE(c_void_p, c_void_p, ctypes.POINTER(c_size_t))
WriteCacheFn = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_size_t)
AlgorithmFn = ctypes.CFUNCTYPE(c_int, c_void_p)
FailureFn = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)


class Struct(ctypes.Structure):
    """A struct whose `size` member, where it begins with one, says how much of it this package knows."""

    def __init__(self, *args, **fields):
        super().__init__(*args, **fields)
        if self._fields_[0][0] == "size":
            self.size = ctypes.sizeof(self)


def struct(name, *fields):
    """Makes a Struct class: each field is "name", type."""
    return type(name, (Struct,), {"_fields_": list(fields), "__doc__": "struct ferry_%s of the C headers." % name})


# --- ferry/base.h ----------------------------------------------------------------------------------------------------

Error = struct("Error", ("text", c_char * 1024))
Heap = struct("Heap", ("alloc", c_void_p), ("free", c_void_p), ("user", c_void_p))
Logger = struct("Logger", ("log", LogFn), ("user", c_void_p), ("most", c_int))
ProgressReport = struct("ProgressReport", ("phase", c_char_p), ("done", c_uint64), ("total", c_uint64),
                        ("elapsed_s", c_double), ("remaining_s", c_double))
Progress = struct("Progress", ("update", ProgressFn), ("user", c_void_p))

# --- ferry/tensor.h --------------------------------------------------------------------------------------------------

TensorView = struct("TensorView", ("name", c_char_p), ("dtype", c_int), ("rank", c_int32), ("dims", Dims),
                    ("data", c_void_p))

# --- ferry/picture.h -------------------------------------------------------------------------------------------------

Picture = struct("Picture", ("pixels", c_void_p), ("width", c_uint32), ("height", c_uint32), ("channels", c_uint32),
                 ("stride_bytes", c_size_t), ("owned_bytes", c_size_t), ("heap", Heap))
PictureOptions = struct("PictureOptions", ("size", c_size_t), ("max_pixels", c_uint64), ("form", c_int))
PictureBox = struct("PictureBox", ("left", c_float), ("top", c_float), ("right", c_float), ("bottom", c_float))

# --- ferry/preprocess.h ----------------------------------------------------------------------------------------------

Preprocess = struct("Preprocess", ("size", c_size_t), ("width", c_uint32), ("height", c_uint32), ("mode", c_int),
                    ("resize_shorter", c_uint32), ("rounding", c_int), ("align", c_int), ("filter", c_int),
                    ("color", c_int), ("layout", c_int), ("mean", c_double * 3), ("std", c_double * 3),
                    ("pad", c_double * 3))
PreprocessGeometry = struct(
    "PreprocessGeometry", ("source_width", c_uint32), ("source_height", c_uint32), ("width", c_uint32),
    ("height", c_uint32), ("channels", c_uint32), ("resized_width", c_uint32), ("resized_height", c_uint32),
    ("offset_x", c_int32), ("offset_y", c_int32), ("content_x", c_uint32), ("content_y", c_uint32),
    ("content_width", c_uint32), ("content_height", c_uint32), ("scale_x", c_double), ("scale_y", c_double))

# --- ferry/decode.h --------------------------------------------------------------------------------------------------

ClassScore = struct("ClassScore", ("class_index", c_int32), ("score", c_float))
Detection = struct("Detection", ("x1", c_float), ("y1", c_float), ("x2", c_float), ("y2", c_float),
                   ("score", c_float), ("class_index", c_int32))
Result = struct("Result", ("task", c_int), ("classes", ctypes.POINTER(ClassScore)), ("class_count", c_size_t),
                ("detections", ctypes.POINTER(Detection)), ("detection_count", c_size_t),
                ("class_map", ctypes.POINTER(Picture)), ("class_total", c_size_t), ("nonfinite_count", c_size_t),
                ("candidate_count", c_size_t), ("candidates_lost", c_size_t))
DecodeOptions = struct("DecodeOptions", ("size", c_size_t), ("top_k", c_uint32), ("score_threshold", c_float),
                       ("nms_iou", c_float), ("max_det", c_uint32), ("max_candidates", c_uint32),
                       ("batch_index", c_uint32), ("labels_per_box", c_int))

# --- ferry/draw.h ----------------------------------------------------------------------------------------------------

DrawOptions = struct("DrawOptions", ("size", c_size_t), ("line_px", c_uint32), ("text_px", c_uint32),
                     ("mask_alpha", c_double))
DrawBox = struct("DrawBox", ("x1", c_float), ("y1", c_float), ("x2", c_float), ("y2", c_float),
                 ("class_index", c_uint32), ("score", c_float), ("name", c_char_p))
DrawEntry = struct("DrawEntry", ("class_index", c_uint32), ("score", c_float), ("name", c_char_p))

# --- ferry/metrics.h -------------------------------------------------------------------------------------------------

TopkCounts = struct("TopkCounts", ("pictures", c_uint64), ("top1", c_uint64), ("top5", c_uint64))
TrueBox = struct("TrueBox", ("x1", c_float), ("y1", c_float), ("x2", c_float), ("y2", c_float),
                 ("class_index", c_int32), ("is_crowd", c_int32))
ApSummary = struct("ApSummary", ("map50", c_double), ("map", c_double), ("class_count", c_size_t),
                   ("picture_count", c_size_t), ("true_box_count", c_size_t))
IouCounts = struct("IouCounts", ("pixels", c_uint64), ("right", c_uint64), ("both", c_uint64 * 255),
                   ("true_only", c_uint64 * 255), ("found_only", c_uint64 * 255))

# --- ferry/calibrate.h -----------------------------------------------------------------------------------------------

Calibrator = struct("Calibrator", ("size", c_size_t), ("get_batch_size", BatchSizeFn), ("get_batch", BatchFn),
                    ("read_calibration_cache", ReadCacheFn), ("write_calibration_cache", WriteCacheFn),
                    ("get_algorithm", AlgorithmFn), ("user", c_void_p), ("get_failure", FailureFn))
CalibrationOptions = struct(
    "CalibrationOptions", ("size", c_size_t), ("algorithm", c_int), ("percentile", c_double),
    ("calibrator", ctypes.POINTER(Calibrator)), ("source", c_char_p), ("count", c_uint32), ("seed", c_uint64),
    ("batch", c_uint32), ("cache_path", c_char_p), ("cache_version", c_char_p), ("threads", c_int32),
    ("recalibrate", c_bool))

# --- ferry/histograms.h ----------------------------------------------------------------------------------------------

HistogramInfo = struct("HistogramInfo", ("name", c_char_p), ("min", c_float), ("max", c_float),
                       ("finite_count", c_uint64), ("zero_count", c_uint64), ("nan_count", c_uint64),
                       ("infinite_count", c_uint64))

# --- ferry/runtime.h -------------------------------------------------------------------------------------------------

RuntimeOptions = struct("RuntimeOptions", ("size", c_size_t), ("device", c_char_p), ("fallback", c_bool),
                        ("heap", ctypes.POINTER(Heap)), ("logger", ctypes.POINTER(Logger)))
MemoryInfo = struct("MemoryInfo", ("free_bytes", c_uint64), ("total_bytes", c_uint64), ("weight_bytes", c_uint64),
                    ("kernel_bytes", c_uint64))
DeviceDescription = struct("DeviceDescription", ("name", c_char * 32), ("description", c_char * 256),
                           ("fingerprint", c_char * 128), ("memory_bytes", c_uint64), ("available", c_bool))
EngineLoadOptions = struct("EngineLoadOptions", ("size", c_size_t), ("verify", c_bool), ("no_tuned", c_bool))
BindingInfo = struct("BindingInfo", ("name", c_char_p), ("dtype", c_int), ("is_input", c_bool), ("rank", c_int32),
                     ("dims", Dims), ("min_dims", Dims), ("opt_dims", Dims), ("max_dims", Dims))
ContextOptions = struct("ContextOptions", ("size", c_size_t), ("memory_limit_bytes", c_size_t))
LayerTime = struct("LayerTime", ("name", c_char_p), ("tactic", c_char_p), ("device", c_char_p), ("ms", c_double))
StreamOptions = struct("StreamOptions", ("size", c_size_t), ("threads", c_int32))

# --- ferry/network.h -------------------------------------------------------------------------------------------------

NetworkOptions = struct("NetworkOptions", ("size", c_size_t), ("heap", ctypes.POINTER(Heap)),
                        ("logger", ctypes.POINTER(Logger)))
Attribute = struct("Attribute", ("name", c_char_p), ("kind", c_int), ("count", c_int32),
                   ("ints", ctypes.POINTER(c_int64)), ("floats", ctypes.POINTER(c_float)),
                   ("strings", ctypes.POINTER(c_char_p)), ("tensor", TensorView))
NodeDescription = struct(
    "NodeDescription", ("size", c_size_t), ("op_type", c_char_p), ("domain", c_char_p), ("name", c_char_p),
    ("inputs", ctypes.POINTER(c_int32)), ("output_names", ctypes.POINTER(c_char_p)),
    ("attributes", ctypes.POINTER(Attribute)), ("n_inputs", c_int32), ("n_outputs", c_int32),
    ("n_attributes", c_int32))
TensorInfo = struct(
    "TensorInfo", ("name", c_char_p), ("dtype", c_int), ("rank", c_int32), ("dims", Dims),
    ("dim_names", c_char_p * MAX_RANK), ("is_input", c_bool), ("is_output", c_bool), ("is_constant", c_bool),
    ("producer", c_int32), ("dynamic_range", c_float))
NodeInfo = struct("NodeInfo", ("op_type", c_char_p), ("name", c_char_p), ("inputs", ctypes.POINTER(c_int32)),
                  ("outputs", ctypes.POINTER(c_int32)), ("n_inputs", c_int32), ("n_outputs", c_int32),
                  ("n_attributes", c_int32))

# --- ferry/build.h ---------------------------------------------------------------------------------------------------

ProfileShape = struct("ProfileShape", ("input", c_char_p), ("rank", c_int32), ("min_dims", Dims), ("opt_dims", Dims),
                      ("max_dims", Dims))
LayerPrecision = struct("LayerPrecision", ("glob", c_char_p), ("precision", c_char_p))
TextPair = struct("TextPair", ("key", c_char_p), ("value", c_char_p))
BuildOptions = struct(
    "BuildOptions", ("size", c_size_t), ("precisions", c_uint32), ("shapes", ctypes.POINTER(ProfileShape)),
    ("n_shapes", c_size_t), ("layer_precisions", ctypes.POINTER(LayerPrecision)), ("n_layer_precisions", c_size_t),
    ("numeric_plan", c_char_p), ("calibration", ctypes.POINTER(CalibrationOptions)), ("preprocess_json", c_char_p),
    ("decoder_json", c_char_p), ("labels_json", c_char_p), ("task", c_char_p), ("name", c_char_p),
    ("metadata", ctypes.POINTER(TextPair)), ("n_metadata", c_size_t), ("workspace_bytes", c_uint64),
    ("memory_bytes", c_uint64), ("timing_cache", c_char_p), ("threads", c_int32), ("no_fusion", c_bool),
    ("strip_portable", c_bool), ("disabled_passes", ctypes.POINTER(c_char_p)), ("n_disabled_passes", c_size_t),
    ("logger", ctypes.POINTER(Logger)), ("progress", ctypes.POINTER(Progress)), ("no_winograd", c_bool),
    ("low_memory", c_bool), ("no_timing", c_bool), ("int8_symmetric", c_bool), ("tactics", c_int),
    ("tf32", c_bool), ("no_fp16_guard", c_bool), ("build_seconds", c_double))

// SPDX-License-Identifier: Apache-2.0
// Status codes, error text, element types, memory hooks, logging and progress: what every other public header needs.
#ifndef FERRY_BASE_H_
#define FERRY_BASE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(FERRY_STATIC) || !defined(__GNUC__)
#define FERRY_API
#else
#define FERRY_API __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define FERRY_PRINTF(format_arg, first_arg) __attribute__((format(printf, format_arg, first_arg)))
#else
#define FERRY_PRINTF(format_arg, first_arg)
#endif

#define FERRY_VERSION_MAJOR 0
#define FERRY_VERSION_MINOR 1
#define FERRY_VERSION_PATCH 0

/// The library's version as "major.minor.patch". Static storage. Thread-safe.
FERRY_API const char *ferry_version(void);

/// What a call answers. The code tells a program what to do; ferry_error::text tells a person where to look.
typedef enum ferry_status {
    FERRY_OK = 0,
    FERRY_ERR_INVALID_ARGUMENT = 1, ///< the caller broke the documented contract of the function
    FERRY_ERR_OUT_OF_MEMORY = 2,    ///< an allocation failed, or a cap on memory would be exceeded
    FERRY_ERR_IO = 3,               ///< a file could not be opened, read, written or renamed
    FERRY_ERR_BAD_MODEL = 4,        ///< a model file is damaged or breaks its format's rules
    FERRY_ERR_UNSUPPORTED = 5,      ///< well-formed, but ferry does not do it; the text says the way round
    FERRY_ERR_BAD_ENGINE = 6,       ///< an engine file is damaged, or of another format version
    FERRY_ERR_UNAVAILABLE = 7,      ///< a device or library is not present on this machine: an ordinary answer
    FERRY_ERR_CANCELLED = 8,        ///< a progress callback asked to stop
    FERRY_ERR_BAD_DATA = 9,         ///< a picture, .npy, cache, list or preset file is damaged
    FERRY_ERR_NOT_READY = 10,       ///< an event or stream has not completed yet
    FERRY_ERR_INTERNAL = 11,        ///< a mistake of ferry's own; please report it
    FERRY_ERR_DEVICE = 12           ///< a device failed while it worked; what it was asked for is lost
} ferry_status;

/// Short static English name of a status, e.g. "bad model". Never NULL. Thread-safe.
FERRY_API const char *ferry_status_name(ferry_status status);

/// The reason of a failure. Owned by the caller; every function that takes one accepts NULL ("no text, please").
/// Always zero-terminated after a failing call; untouched by a successful one.
typedef struct ferry_error {
    char text[1024];
} ferry_error;

// Option structs begin with `size_t size`, set by the caller to sizeof the struct: members that a caller built against
// an older ferry does not know count as 0, the default; members that this ferry does not know yet are not looked at.
// NULL stands for all defaults. A size of 0 is FERRY_ERR_INVALID_ARGUMENT, for it is always a mistake.

/// Element types. The values are stored in engine files and never change.
typedef enum ferry_dtype {
    FERRY_DTYPE_NONE = 0, ///< unknown
    FERRY_F32 = 1,
    FERRY_F16 = 2,  ///< IEEE 754 binary16
    FERRY_BF16 = 3, ///< upper half of binary32
    FERRY_F64 = 4,
    FERRY_S8 = 5,
    FERRY_U8 = 6,
    FERRY_S16 = 7,
    FERRY_U16 = 8,
    FERRY_S32 = 9,
    FERRY_U32 = 10,
    FERRY_S64 = 11,
    FERRY_U64 = 12,
    FERRY_BOOL = 13 ///< one byte, 0 or 1
} ferry_dtype;

/// Writes a file whole or not at all: under a temporary name beside it, then renamed. Thread-safe.
/// @return FERRY_ERR_IO with path and reason.
FERRY_API ferry_status ferry_file_write(const char *path, const void *data, size_t bytes, ferry_error *error);

/// Removes every file of this process that is half written and not yet in its place. Async-signal-safe: for a handler
/// that then ends the process.
FERRY_API void ferry_abandon_files(void);

/// Bytes of one element; 0 for FERRY_DTYPE_NONE and unknown values. Thread-safe.
FERRY_API size_t ferry_dtype_bytes(ferry_dtype dtype);

/// ONNX's spelling of the type ("float", "float16", "int8", ...); "none" when unknown. Static storage. Thread-safe.
FERRY_API const char *ferry_dtype_name(ferry_dtype dtype);

/// Most dimensions that a tensor may have.
#define FERRY_MAX_RANK 8

/// Memory hooks. All of an object's memory comes from the hooks given at its creation.
/// Both functions may be called from several threads at once.
typedef struct ferry_heap {
    /// Returns `bytes` (> 0) bytes aligned to at least 64, not zeroed, or NULL.
    void *(*alloc)(void *user, size_t bytes);
    /// Frees what alloc returned; `bytes` is the size that was asked for. `pointer` is never NULL.
    void (*free)(void *user, void *pointer, size_t bytes);
    void *user; ///< passed back to both; borrowed for as long as any object made with these hooks lives
} ferry_heap;

/// Frees a text that a call handed out to the caller (every *_to_json does). `heap` is the one that call was given,
/// NULL for the default. NULL text is accepted. Thread-safe.
FERRY_API void ferry_text_free(const ferry_heap *heap, char *text);

typedef enum ferry_severity {
    FERRY_SEVERITY_ERROR = 0,
    FERRY_SEVERITY_WARNING = 1,
    FERRY_SEVERITY_INFO = 2,
    FERRY_SEVERITY_VERBOSE = 3
} ferry_severity;

/// Where messages go. `log` may be called from any thread; `text` is one line without a line end, borrowed for the
/// call.
typedef struct ferry_logger {
    void (*log)(void *user, ferry_severity severity, const char *text); ///< NULL: nothing is logged
    void *user;
    ferry_severity most; ///< the least severe message wanted, e.g. FERRY_SEVERITY_WARNING
} ferry_logger;

/// What long work reports as it goes.
typedef struct ferry_progress_report {
    const char *phase;  ///< "import", "calibrate", "time tactics", ...; borrowed for the call
    uint64_t done;      ///< units finished in this phase
    uint64_t total;     ///< units of this phase; 0 when not known
    double elapsed_s;   ///< since the phase began
    double remaining_s; ///< estimate from the units done so far; negative when not known
} ferry_progress_report;

/// Called on the thread that does the work, at most some ten times a second and at the start and end of a phase.
typedef struct ferry_progress {
    /// Returns 0 to go on; anything else cancels: the call in progress fails with FERRY_ERR_CANCELLED and leaves
    /// nothing.
    int (*update)(void *user, const ferry_progress_report *report); ///< NULL: no reports
    void *user;
} ferry_progress;

#ifdef __cplusplus
}
#endif

#endif // FERRY_BASE_H_

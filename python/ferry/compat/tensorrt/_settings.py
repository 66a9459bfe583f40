# SPDX-License-Identifier: Apache-2.0
"""What becomes of each builder flag and setting: what ferry does with it, or why it has no effect, or its refusal.

Nothing is accepted in silence and then ignored: what has no effect says so in the log when it is set."""
from ferry.compat.tensorrt._enums import BuilderFlag as Flag

# Flags that ferry honours, or whose purpose its engines serve in any case.
HONOURED = {
    Flag.FP16, Flag.INT8, Flag.BF16, Flag.GPU_FALLBACK, Flag.DISABLE_TIMING_CACHE,
    Flag.STRICT_TYPES, Flag.OBEY_PRECISION_CONSTRAINTS, Flag.PREFER_PRECISION_CONSTRAINTS,  # always obeyed
    Flag.TF32,  # a permission for GPUs, set unless it is cleared, as in TensorRT
    Flag.DIRECT_IO, Flag.VERSION_COMPATIBLE, Flag.EXCLUDE_LEAN_RUNTIME,  # so are ferry's engines
    Flag.REJECT_EMPTY_ALGORITHMS,
}

NO_EFFECT = {
    Flag.DEBUG: "runs are checked by the caller: execution_context.debug_sync waits after each",
    Flag.SPARSE_WEIGHTS: "ferry has no kernels for sparse weights",
    Flag.ENABLE_TACTIC_HEURISTIC: "ferry measures its tactics, or takes their times from a timing cache",
    Flag.DISABLE_COMPILATION_CACHE: "ferry compiles nothing while it builds for a CPU",
}

REFUSED = {
    Flag.REFIT: "build the engine anew with the new weights",
    Flag.REFIT_IDENTICAL: "build the engine anew with the new weights",
    Flag.REFIT_INDIVIDUAL: "build the engine anew with the new weights",
    Flag.SAFETY_SCOPE: "ferry has no safety-certified runtime",
    Flag.FP8: "FP16, BF16 and INT8 are what there is",
    Flag.INT4: "FP16, BF16 and INT8 are what there is",
    Flag.FP4: "FP16, BF16 and INT8 are what there is",
    Flag.STRIP_PLAN: "ferry's engines hold their weights",
    Flag.WEIGHT_STREAMING: "ferry's engines map their weights from the file",
    Flag.ERROR_ON_TIMING_CACHE_MISS: "a timing cache is completed by the build",
}

# Attributes of IBuilderConfig that are kept and given back: the value that needs no word, and the word for others.
KEPT = {
    "min_timing_iterations": (1, "ferry chooses itself how often it measures a tactic"),
    "avg_timing_iterations": (1, "ferry chooses itself how often it measures a tactic"),
    "profile_stream": (0, "tactics are measured on a stream of ferry's own"),
    "builder_optimization_level": (3, "ferry measures all of its tactics"),
    "max_aux_streams": (-1, "an inference runs in one stream, with a pool of threads"),
    "tiling_optimization_level": (0, "ferry has no tiled kernels across layers"),
    "runtime_platform": (0, "engines are built for this machine; each runs on others after being planned anew there"),
}

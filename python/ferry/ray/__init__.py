# SPDX-License-Identifier: Apache-2.0
"""Where one machine is not enough: calibration, evaluation and bulk inference on a Ray cluster.

    import ferry.ray

    cache = ferry.ray.calibrate("m.onnx", "/nfs/pictures", preprocess="imagenet", calib_cache="m.cache")
    model = ferry.ray.build("m.onnx", "m.engine", calib="/nfs/pictures", preprocess="imagenet", labels="names.txt")
    score = ferry.ray.evaluate("m.engine", labels_csv="/nfs/val.csv")        # or pictures=..., coco=...
    rows = ferry.ray.run("m.engine", "s3://bucket/photos.parquet")           # a ray.data.Dataset with results

Sources are what the one-machine functions take (a folder, a list, a .npy file), on storage that all nodes see; or
Parquet files, or any ray.data.Dataset with pictures, paths or tensors in a column, wherever it reads them from.

Results are those of one machine: of calibration and top-1 counts to the bit, of average precision too, since the boxes
of all pictures come together before it is computed. That supposes nodes whose CPUs round FP32 alike (with fused
multiply-add, or without: device="cpu:avx2" holds all to one). Work is cut into parts, and a part whose worker dies is
done again by another: its half-done work counts for nothing. ferry must be installed on every node, in one version."""
from ferry.ray._calibrate import build, calibrate, observe
from ferry.ray._evaluate import Evaluation, evaluate
from ferry.ray._run import run

__all__ = ["Evaluation", "build", "calibrate", "evaluate", "observe", "run"]

for _name in __all__:
    globals()[_name].__module__ = "ferry.ray"

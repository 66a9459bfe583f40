# SPDX-License-Identifier: Apache-2.0
"""The script that people already have: stand-ins for `tensorrt`, `pycuda` and cuda-python's `cudart` over ferry.

    python -m ferry.compat script.py arguments      # runs it as it is
    import ferry.compat.install                     # or: the first line of the script

What the classic workflow of TensorRT 7 and 8 uses is there, and the names of 8.5 to 10 beside it. Where a newer
TensorRT has removed a name, a DeprecationWarning tells the new one; what ferry does not offer is an error that names
it. 'Device memory' is the memory of ferry's device: the host's on a machine without a GPU.

An engine is ferry's own file: a plan that NVIDIA's TensorRT has written can't be read, and has to be built again from
its ONNX model. INT64 tensors keep their type, as in TensorRT 10, and the batch is always explicit.

Names that numpy, Pillow and Python have dropped since (np.bool, Image.ANTIALIAS, collections.Iterable, ...) are kept
alive while compat mode is on. uninstall() switches it off."""
from ferry.compat._install import uninstall

__all__ = ["uninstall"]

# SPDX-License-Identifier: Apache-2.0
"""What PyTorch users calibrate with (tensors, DataLoaders, batches with labels) as the samples that ferry takes."""
import logging
import os
from typing import Any, Iterable, Iterator, List, Sequence

import torch

from ferry._errors import InvalidArgumentError
from ferry.torch._compare import to_numpy

# As many as ferry draws from a folder by itself; more change next to nothing.
DEFAULT_COUNT = 500

_log = logging.getLogger("ferry")


def samples_of(calib: Any, input_names: Sequence[str], count: int = 0) -> Any:
    """What ferry.build() takes as `calib`: paths and calibrators as they are, anything with tensors in it as an
    iterable of arrays of at most `count` samples (0: 500)."""
    if calib is None or isinstance(calib, (str, bytes, os.PathLike)) or callable(getattr(calib, "get_batch", None)):
        return calib
    if isinstance(calib, torch.Tensor):
        calib = [calib]
    elif isinstance(calib, torch.utils.data.Dataset) and not isinstance(calib, torch.utils.data.IterableDataset):
        calib = _items(calib)
    return _arrays(calib, list(input_names), count or DEFAULT_COUNT)


def is_stream(calib: Any) -> bool:
    """Whether samples_of() counts its samples, so that ferry need not."""
    return calib is not None and not isinstance(calib, (str, bytes, os.PathLike)) and \
        not callable(getattr(calib, "get_batch", None))


def _items(dataset: Any) -> Iterator[Any]:
    """A dataset's samples, each as a batch of one."""
    loader = torch.utils.data.DataLoader(dataset, batch_size=1)
    return iter(loader)


def _arrays(batches: Iterable[Any], names: List[str], count: int) -> Iterator[List[Any]]:
    left = count
    for batch in batches:
        arrays = [to_numpy(tensor) for tensor in _inputs_in(batch, names)]
        if all(a.ndim and a.shape[0] > left for a in arrays) and len({a.shape[0] for a in arrays}) == 1:
            arrays = [a[:left] for a in arrays]
        yield arrays
        left -= arrays[0].shape[0] if arrays[0].ndim else 1
        if left <= 0:
            _log.info("calibration: %d samples were taken; calib_count takes more", count)
            return


def _inputs_in(batch: Any, names: List[str]) -> List[torch.Tensor]:
    """The inputs out of a loader's batch: by name from a dict; of a tuple the first, for labels follow them."""
    if isinstance(batch, dict):
        missing = [name for name in names if name not in batch]
        if missing:
            raise InvalidArgumentError("calibration: a batch has %s, and nothing for input '%s'" % (
                ", ".join("'%s'" % key for key in batch), "', '".join(missing)))
        found = [batch[name] for name in names]
    elif isinstance(batch, (tuple, list)):
        if len(batch) < len(names):
            raise InvalidArgumentError("calibration: a batch of %d parts for %d inputs (%s)" % (
                len(batch), len(names), ", ".join(names)))
        found = list(batch[:len(names)])
    else:
        found = [batch]
        if len(names) != 1:
            raise InvalidArgumentError("calibration: one tensor for %d inputs (%s)" % (len(names), ", ".join(names)))
    return [part if isinstance(part, torch.Tensor) else torch.as_tensor(part) for part in found]

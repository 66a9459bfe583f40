# SPDX-License-Identifier: Apache-2.0
"""Timing caches. TensorRT hands them around as objects and bytes, ferry keeps measured times in a text file."""
import contextlib
import os
import tempfile
from typing import Any, Iterator

from ferry.compat._offered import Shim
from ferry.compat.tensorrt._types import IHostMemory

_HEADER = b"ferry timing cache 1\n"


class ITimingCache(Shim):
    """Measured times of tactics: config.create_timing_cache(bytes). A build reads and completes it."""

    def __init__(self, text: bytes = b"") -> None:
        self._text = text

    def serialize(self) -> IHostMemory:
        """Its bytes, to be given to create_timing_cache() another time."""
        return IHostMemory(self._text)

    def combine(self, input_cache: "ITimingCache", ignore_mismatch: bool = False) -> bool:
        """Adds another's entries; of entries of both, the other's stay. Entries of other devices are kept apart."""
        lines = [line for text in (self._text, input_cache._text) for line in text.splitlines()[1:]]
        newest = {line.split(b"\t", 1)[-1]: line for line in lines}
        self._text = _HEADER + b"".join(newest[key] + b"\n" for key in sorted(newest))
        return True

    def reset(self) -> bool:
        """Forgets all entries."""
        self._text = b""
        return True


def timing_cache_of(data: Any, log: Any) -> ITimingCache:
    """A cache of bytes. TensorRT's own are binary and hold the times of its tactics, which ferry hasn't."""
    text = bytes(data)
    if text and not text.startswith(_HEADER):
        log.warning("the timing cache of %d bytes is not ferry's (it does not begin with '%s'); it is left aside, and "
                    "times are measured anew" % (len(text), _HEADER.decode().strip()))
        text = b""
    return ITimingCache(text)


@contextlib.contextmanager
def as_file(cache: Any) -> Iterator[Any]:
    """The cache as a file for one build, and what the build has measured back in the cache."""
    if cache is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="ferry-timing-") as folder:
        path = os.path.join(folder, "timing.cache")
        if cache._text:
            with open(path, "wb") as file:
                file.write(cache._text)
        yield path
        if os.path.exists(path):
            with open(path, "rb") as file:
                cache._text = file.read()

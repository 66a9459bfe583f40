# SPDX-License-Identifier: Apache-2.0
"""The names of classes."""
import ctypes
import json
import os
from typing import Any, Iterator, List, Optional

from ferry._handles import Handle
from ferry._library import I64, decode, encode, encode_path, integer, lib, take_text


class Labels(Handle):
    """Names of classes: Labels(["cat", "dog"]), Labels("names.txt") or Labels.parse(text). labels[0] is "cat"; None
    where a class has no name, and beyond the end."""

    _survives_fork = True

    def __init__(self, names: Any) -> None:
        if isinstance(names, (str, bytes, os.PathLike)):
            self._make(lib.labels_read, encode_path(names))
        else:
            text = [("" if n is None else n) for n in names]
            if not all(isinstance(n, str) for n in text):
                raise TypeError("labels are strings, or None for a class without a name")
            raw = encode(json.dumps(text), "the labels")
            self._make(lib.labels_parse, raw, len(raw))

    def _make(self, function: Any, *args: Any) -> "Labels":
        out = ctypes.c_void_p()
        function(*(args + (None, ctypes.byref(out))))
        self._adopt(out, lib.labels_destroy)
        return self

    @classmethod
    def parse(cls, text: Any) -> "Labels":
        """From the text of a file of names: one a line, or JSON."""
        raw = encode(text, "the labels")
        return cls.__new__(cls)._make(lib.labels_parse, raw, len(raw))

    def to_text(self) -> str:
        """Text that parse() reads back the same."""
        out = ctypes.c_void_p()
        lib.labels_to_text(self._use(), None, ctypes.byref(out))
        return take_text(out)

    def get(self, index: int) -> Optional[str]:
        """The name of a class, or None."""
        return decode(lib.labels_get(self._use(), integer(index, "index", -I64, I64)))

    def __len__(self) -> int:
        return lib.labels_count(self._use())

    def __getitem__(self, index: int) -> Optional[str]:
        number = integer(index, "index", -I64, I64)
        if not 0 <= number < len(self):
            raise IndexError("class %d of %d" % (number, len(self)))
        return self.get(number)

    def __iter__(self) -> Iterator[Optional[str]]:
        return iter(self.names)

    @property
    def names(self) -> List[Optional[str]]:
        """All names."""
        return [self.get(i) for i in range(len(self))]

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Labels) and self.names == other.names

    def __hash__(self) -> int:
        return hash(tuple(self.names))

    def __reduce__(self) -> Any:
        return Labels.parse, (self.to_text(),)

    def __repr__(self) -> str:
        return "<ferry.Labels: %s>" % ("closed" if self.closed else "%d names" % len(self))


def labels_of(value: Any) -> Optional[Labels]:
    """Labels of what callers give: some, a list of names, a path; None stays None."""
    return value if value is None or isinstance(value, Labels) else Labels(value)

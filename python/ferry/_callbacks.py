# SPDX-License-Identifier: Apache-2.0
"""Exceptions out of callbacks: C can't carry them, so the first one waits here until the call into C has returned."""
from typing import Any, List, Optional

from ferry._errors import Error


class Guard:
    """Runs Python code on behalf of C. What it raises is kept, and raised again by rethrow() with its traceback."""

    __slots__ = ("pending",)

    def __init__(self) -> None:
        self.pending = []  # type: List[BaseException]

    def call(self, failed: Any, function: Any, *args: Any) -> Any:
        """function(*args), or `failed` when it raised, or when an earlier callback did."""
        if self.pending:
            return failed
        try:
            return function(*args)
        except BaseException as exception:  # KeyboardInterrupt too: it belongs to the caller of C
            self.pending.append(exception)
            return failed

    def take(self) -> Optional[BaseException]:
        """The kept exception, which is forgotten."""
        return self.pending.pop() if self.pending else None

    def rethrow(self) -> None:
        """Raises what a callback raised."""
        exception = self.take()
        if exception is not None:
            raise exception


def guarded(guards: Any, function: Any, *args: Any) -> Any:
    """function(*args); what a callback raised meanwhile comes before the error that C made of it."""
    result, failure = None, None
    try:
        result = function(*args)
    except Error as error:
        failure = error
    for guard in guards:
        guard.rethrow()
    if failure is not None:
        raise failure
    return result

# SPDX-License-Identifier: Apache-2.0
"""Work on the cluster: parts to tasks, tasks that are done again when their worker dies, progress, plain errors."""
import pickle
import time
from typing import Any, Callable, Dict, Iterator, Optional

from ferry._errors import CancelledError, Error
from ferry._progress import ProgressReport, progress_of


def each_batch(source: Any, work: Callable[[Dict[str, Any]], Dict[str, Any]], cpus: float, retries: int) -> Any:
    """The dataset of what `work` makes of each batch. retries: how often a part is begun again after its worker, or
    the node, died; an exception in `work` is no reason to."""
    return source.dataset.map_batches(work, batch_size=source.batch_size, batch_format="numpy", num_cpus=cpus,
                                      max_retries=retries)


def answers(dataset: Any) -> Iterator[Any]:
    """What the parts answered, in whatever order they are done. A ferry.Error in a worker is raised here."""
    for row in dataset.iter_rows():
        answer = pickle.loads(row["answer"])
        if isinstance(answer, Error):
            raise answer
        yield answer


class Progress:
    """Counts samples for whoever looks on, as ferry's own functions do: None on a terminal, True, False, a function."""

    def __init__(self, phase: str, total: Optional[int], progress: Any, dataset: Any) -> None:
        self._show = progress_of(progress)
        self._phase, self._total, self._done, self._start = phase, total or 0, 0, time.time()
        # One display at a time: Ray's bars count blocks, which say less.
        dataset.context.enable_progress_bars = False
        self._report()

    def add(self, samples: int) -> None:
        """So many more are done."""
        self._done += samples
        self._report()

    def _report(self) -> None:
        if self._show is None:
            return
        elapsed = time.time() - self._start
        left = elapsed * (self._total - self._done) / self._done if self._done and self._total else None
        if self._show(ProgressReport(self._phase, self._done, self._total, elapsed, left)) is False:
            raise CancelledError("%s: cancelled by the progress function" % self._phase)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_exception: Any) -> None:
        close = getattr(self._show, "close", None)
        if callable(close):
            close()

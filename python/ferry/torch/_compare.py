# SPDX-License-Identifier: Apache-2.0
"""How far ferry's outputs are from torch's, and whether that is near enough."""
from typing import Any, List, NamedTuple, Sequence

import numpy

from ferry._errors import Error


class Difference(NamedTuple("Difference", [("output", str), ("max_abs", float), ("largest", float),
                                           ("relative_l2", float), ("allowed", float), ("problem", str)])):
    """Of one output. max_abs: the largest difference of two elements; largest: the largest magnitude in torch's;
    relative_l2: |ferry - torch| / |torch|; allowed: what max_abs may be; problem: "" where it is near enough."""

    __slots__ = ()

    def __str__(self) -> str:
        return "%s: largest difference %.3g of values up to %.3g (%.3g allowed), relative L2 %.3g%s" % (
            self.output, self.max_abs, self.largest, self.allowed, self.relative_l2,
            "  <-- " + self.problem if self.problem else "")


class Comparison:
    """All outputs of a model on one or more sets of inputs."""

    def __init__(self, differences: Sequence[Difference]) -> None:
        self.differences = list(differences)

    @property
    def passed(self) -> bool:
        """Whether every output is near enough."""
        return not any(d.problem for d in self.differences)

    def __str__(self) -> str:
        return "ferry against torch: %s" % ("equal within tolerance" if self.passed else "they differ") + "".join(
            "\n  " + str(d) for d in self.differences)


class MismatchError(Error):
    """ferry's outputs are further from torch's than the tolerances allow. `comparison` has the numbers."""

    def __init__(self, comparison: Comparison, hint: str = "") -> None:
        super().__init__("%s%s" % (comparison, "\n" + hint if hint else ""))
        self.comparison = comparison


def to_numpy(tensor: Any) -> numpy.ndarray:
    """A tensor as numpy has it; bfloat16 becomes float32, which holds the same values."""
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    return tensor.numpy()


def difference(name: str, got: numpy.ndarray, want: numpy.ndarray, rtol: float, atol: float) -> Difference:
    """Floats may differ by atol + rtol times the output's largest magnitude; integers and truth values must not.

    The tolerance follows the whole output, not each element: rounding in a long sum is relative to its terms, so that
    an element near zero is no nearer than the others. NaN and infinity must be where torch has them."""
    if got.shape != want.shape:
        return Difference(name, numpy.inf, 0.0, numpy.inf, 0.0, "shape %s, torch has %s" % (list(got.shape),
                                                                                        list(want.shape)))
    exact = want.dtype.kind not in "fc"
    got, want = got.astype(numpy.float64), want.astype(numpy.float64)
    finite = numpy.isfinite(want)
    if not numpy.array_equal(finite, numpy.isfinite(got)) or not _same_specials(got[~finite], want[~finite]):
        return Difference(name, numpy.inf, 0.0, numpy.inf, 0.0, "NaN or infinity in other places")
    got, want = got[finite], want[finite]
    apart = numpy.abs(got - want)
    most = float(apart.max()) if apart.size else 0.0
    largest = float(numpy.abs(want).max()) if want.size else 0.0
    norm = float(numpy.linalg.norm(want))
    relative = float(numpy.linalg.norm(got - want)) / norm if norm else (0.0 if not most else numpy.inf)
    allowed = 0.0 if exact else atol + rtol * largest
    problem = ""
    if most > allowed:
        problem = "%d of %d elements differ" % (numpy.count_nonzero(apart), apart.size) if exact else \
            "%.3g times what is allowed" % (most / allowed if allowed else numpy.inf)
    return Difference(name, most, largest, relative, allowed, problem)


def _same_specials(got: numpy.ndarray, want: numpy.ndarray) -> bool:
    nan = numpy.isnan(want)
    return bool(numpy.array_equal(nan, numpy.isnan(got)) and numpy.array_equal(got[~nan], want[~nan]))


def compare(got: Any, want: Any, rtol: float = 1e-3, atol: float = 1e-5) -> Comparison:
    """Compares two nests of tensors of the same form, for example `compare(compiled(x), model(x))`."""
    from ferry.torch._tree import flatten
    ours, theirs = [], []  # type: List[Any], List[Any]
    if not flatten(got, "output", ours).same(flatten(want, "output", theirs)):
        raise TypeError("the outputs nest differently: %d tensors and %d" % (len(ours), len(theirs)))
    return Comparison([difference(name, to_numpy(a), to_numpy(b), rtol, atol)
                       for (name, a), (_name, b) in zip(ours, theirs)])

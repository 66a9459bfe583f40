# SPDX-License-Identifier: Apache-2.0
"""Optimisation profiles, and the one range of shapes that several of them make for ferry."""
from typing import Any, Dict, List, Tuple

from ferry.compat._offered import Shim, refused
from ferry.compat.tensorrt._types import Dims

Range = Tuple[Tuple[int, ...], Tuple[int, ...], Tuple[int, ...]]


class IOptimizationProfile(Shim):
    """Smallest, best and largest shapes of the inputs."""

    def __init__(self) -> None:
        self._ranges: Dict[str, Range] = {}
        self._memory = 0

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        """Sets the shapes of an input; ValueError where they are no range."""
        low, best, high = (tuple(Dims(s)) for s in (min, opt, max))
        if not len(low) == len(best) == len(high):
            raise ValueError("input '%s': min %s, opt %s and max %s have different numbers of dimensions"
                             % (input, low, best, high))
        if not all(0 <= a <= b <= c for a, b, c in zip(low, best, high)):
            raise ValueError("input '%s': min %s <= opt %s <= max %s must hold for each dimension"
                             % (input, low, best, high))
        self._ranges[input] = (low, best, high)

    def get_shape(self, input: str) -> List[Dims]:
        """[min, opt, max] of an input; [] where none was set."""
        return [Dims(s) for s in self._ranges.get(input, ())]

    def set_shape_input(self, input: str, min: Any, opt: Any, max: Any) -> None:
        """Ranges of the values of shape inputs."""
        raise refused("IOptimizationProfile.set_shape_input", "give the network constants where '%s' is the value of a "
                      "shape, or export the model with fixed shapes" % input)

    def get_shape_input(self, input: str) -> List[int]:
        """Values of shape inputs: none."""
        return []

    @property
    def extra_memory_target(self) -> float:
        """How much more memory than needed may be used; ferry takes what it needs."""
        return self._memory

    @extra_memory_target.setter
    def extra_memory_target(self, share: float) -> None:
        if not 0 <= share <= 1:
            raise ValueError("extra_memory_target is %r: between 0 and 1 is possible" % (share,))
        self._memory = share

    def __bool__(self) -> bool:
        return bool(self._ranges)


def hull(profiles: List[IOptimizationProfile]) -> Dict[str, Range]:
    """The smallest range that holds all profiles', with the best shape of the first one: ferry's engine has one."""
    merged: Dict[str, Range] = {}
    for profile in profiles:
        for name, (low, best, high) in profile._ranges.items():
            if name in merged:
                least, first, most = merged[name]
                if len(least) != len(low):
                    raise ValueError("input '%s' has %d dimensions in one profile and %d in another"
                                     % (name, len(least), len(low)))
                low, best, high = tuple(map(min, least, low)), first, tuple(map(max, most, high))
            merged[name] = (low, best, high)
    return merged

"""The highest rate that is followed, searched as ros2_benchmark does.

First a binary search between the bounds until they are `WIDTH` apart, then steps of `STEP` upwards
from the lower one while they are followed (determine_max_sustainable_framerate of NVIDIA's
ros2_benchmark, with 10 Hz and 5 Hz there).
"""

from __future__ import annotations

from collections.abc import Callable

WIDTH = 2.0
STEP = 1.0
"""Hz."""


def highest_rate(follows: Callable[[float], bool], highest: float) -> float | None:
    """The highest rate in Hz that `follows`, to within `STEP`; None where none above `WIDTH` does.

    Args:
        follows: Tries a rate.
        highest: The highest that is tried; given back where it is followed.
    """
    if follows(highest):
        return highest
    low, high = 0.0, highest
    while high - low > WIDTH:
        middle = (low + high) / 2.0
        if follows(middle):
            low = middle
        else:
            high = middle
    while low and low + STEP < high and follows(low + STEP):
        low += STEP
    return low or None

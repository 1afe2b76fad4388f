"""Ranges of a bag as people write them: times, and frames of a camera."""

from __future__ import annotations

import argparse
import re
from decimal import Decimal
from typing import NamedTuple

_SECOND = 1_000_000_000
_TIME = re.compile(r"(\d{1,19})(\.\d{1,20})?", re.ASCII)
_NANOSECOND_DIGITS = 16  # as many digits are no time in seconds
_EPOCH = 100_000_000  # s; what is later than March 1973 is a time of day, not one in a bag
_LATEST = 2**63


class Moment(NamedTuple):
    """A time: ns since 1970 if `absolute`, else since the start of the bag."""

    nanoseconds: int
    absolute: bool

    def at(self, start: int) -> int:
        """The same in ns since 1970, in a bag that starts then."""
        return self.nanoseconds if self.absolute else start + self.nanoseconds


class FrameRange(NamedTuple):
    """Frames from `first`, counted from 0, to before `stop`; None: to the last."""

    first: int
    stop: int | None


def parse_moment(text: str) -> Moment:
    """Read a time: s from the start of the bag, such as 2.5, or a ROS time, either in s since 1970
    (1760000002.5) or in ns (1760000002500000000).

    Raises:
        argparse.ArgumentTypeError: It is none of these.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r:.60} is no time; write seconds from the start of the bag (2.5), or a ROS "
            "time in s (1760000002.5) or ns (1760000002500000000)"
        )
    whole, rest = match.groups()
    if rest is None and len(whole) >= _NANOSECOND_DIGITS:
        moment = Moment(int(whole), True)
    else:
        seconds = Decimal(match.group())
        moment = Moment(round(seconds * _SECOND), seconds >= _EPOCH)
    if moment.nanoseconds >= _LATEST:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is later than any ROS time can be")
    return moment


def parse_frames(text: str) -> FrameRange:
    """Read "A:B", the frames from A to before B, counted from 0; "A:" and ":B" are open.

    Raises:
        argparse.ArgumentTypeError: It is not such a range, or an empty one.
    """
    match = re.fullmatch(r"(\d{0,18}):(\d{0,18})", text.strip(), re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r:.60} is no range of frames; write A:B, such as 100:200, A: or :B"
        )
    first, stop = (int(part) if part else None for part in match.groups())
    if stop is not None and (first or 0) >= stop:
        raise argparse.ArgumentTypeError(f"{text!r:.60} holds no frame; B must be above A")
    return FrameRange(first or 0, stop)

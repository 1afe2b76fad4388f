"""How `egmt evaluate bag --live` plays a bag: its options on the command line; imports no ROS."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

from egmt_ros.errors import ConfigError

RATES = (10.0, 15.0, 30.0)
"""Hz of the reference camera at which a sweep takes latencies."""

DROPPED = 0.01
"""Share of lost and superseded frames up to which a sweep takes a rate as followed."""


@dataclass(frozen=True)
class LiveOptions:
    """How the bag is played into the node.

    Attributes:
        rate: Speed; 1.0 is that of the recording.
        sweep: Afterwards, search the highest rate without drops and take latencies at `RATES`.
        highest: Rate of the reference camera above which is not searched, Hz.
        try_seconds: How long each rate is played.
        domain_id: ROS domain; None: a free one.
    """

    rate: float = 1.0
    sweep: bool = False
    highest: float = 120.0
    try_seconds: float = 5.0
    domain_id: int | None = None


def add_live_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate bag --live`."""
    group = parser.add_argument_group("live: the bag is played over DDS into a real node")
    group.add_argument("--live", action="store_true",
                       help="play the bag into a node process instead of fusing it here; latency, "
                       "lost frames, processor time and memory are measured too (needs ROS 2)")
    group.add_argument("--rate", type=float, metavar="X",
                       help="with --live: speed of the replay (default: 1.0, as recorded)")
    group.add_argument("--sweep", action="store_true",
                       help="with --live: search the highest rate without drops, then take "
                       "latencies at 10, 15 and 30 Hz")


def live_options(args: argparse.Namespace) -> LiveOptions | None:
    """From parsed arguments; None without --live.

    Raises:
        ConfigError: A value makes no sense, or --live is missing for what needs it.
    """
    if not args.live:
        for option, given in (("--rate", args.rate is not None), ("--sweep", args.sweep)):
            if given:
                raise ConfigError(f"{option} plays the bag into a node: expected --live beside it")
        return None
    rate = 1.0 if args.rate is None else args.rate
    if not (math.isfinite(rate) and rate > 0):
        raise ConfigError(f"--rate {rate:g}; expected a number above 0, 1 for the recorded speed")
    return LiveOptions(rate=rate, sweep=args.sweep)

"""`egmt bag info`: what is in a bag, and whether it can be evaluated."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from egmt_ros.evaluation.bags.bag_facts import (
    PARTNER_WITHIN,
    BagFacts,
    ImageFacts,
    Spread,
    bag_facts,
)
from egmt_ros.evaluation.bags.bag_reader import BagSource, BagTopic

_LISTED = 4  # formats of a topic that are listed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bag info`."""
    parser.epilog = "Every image is read once. Exit status: 1 if the bag is damaged."
    parser.add_argument("bag", type=Path, metavar="BAG", help="bag folder or file")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(args: argparse.Namespace) -> int:
    """Print what is in the bag; return 1 if it is damaged."""
    with BagSource(args.bag) as bag:
        facts = bag_facts(bag, progress=True)
    if args.json:
        print(json.dumps(as_json(facts), indent=2, allow_nan=False))
    else:
        print("\n".join(lines(facts)))
    return int(bool(facts.damage))


def as_json(facts: BagFacts) -> dict[str, Any]:
    """The same as JSON has it; times in ms, `seconds` in s."""
    content = asdict(facts)
    seconds = facts.seconds
    content["topics"] = [
        {
            "name": topic.name,
            "type": topic.msgtype,
            "count": topic.count,
            "rate_hz": _rate(topic, seconds),
            "latched": topic.latched,
            "best_effort": topic.best_effort,
            "qos": [_qos(qos) for qos in topic.qos],
        }
        for topic in facts.topics
    ]
    for name, images in facts.images.items():
        content["images"][name]["formats"] = [
            {**found._asdict(), "frames": frames} for found, frames in images.formats
        ]
    return content


def lines(facts: BagFacts) -> Iterator[str]:
    """What is printed."""
    yield f"{facts.path}: {facts.storage}, {facts.seconds:.2f} s, {facts.messages} messages"
    width = max((len(topic.name) for topic in facts.topics), default=0)
    for topic in facts.topics:
        rate = _rate(topic, facts.seconds)
        shown = f"{rate:6.1f} Hz" if rate is not None else ""
        marks = ", ".join(
            word
            for word, there in (("latched", topic.latched), ("best effort", topic.best_effort))
            if there
        )
        row = f"  {topic.name:<{width}}  {topic.count:>6}  {shown:>9}  {topic.msgtype}  {marks}"
        yield row.rstrip()
    for name, images in facts.images.items():
        yield f"  {name}: {_formats(images)}"
        yield from (f"    {line}" for line in _times(images))
    roles = {"thermal": facts.thermal, "visible": facts.visible, "ground truth": facts.truth}
    for role, topic in roles.items():
        yield f"  {role}: " + (f"{topic.name} ({topic.how})" if topic else "none")
    if facts.unclear:
        yield f"  not clear: {facts.unclear}"
    if facts.paired is not None:
        yield (
            f"  {facts.paired:.1%} of the thermal frames have a visible one within "
            f"{PARTNER_WITHIN / 1e6:g} ms"
        )
    if facts.damage:
        yield f"  THIS IS NOT ALL: {facts.damage}"


def _formats(images: ImageFacts) -> str:
    if not images.formats:
        return f"no image in {images.frames} messages"
    listed = ", ".join(
        f"{f.encoding} {f.width}x{f.height}"
        + (f" ({frames} frames)" if len(images.formats) > 1 else "")
        for f, frames in images.formats[:_LISTED]
    )
    more = len(images.formats) - _LISTED
    rest = f" and {more} more" if more > 0 else ""
    mixed = "MIXED: " if len(images.formats) > 1 else ""
    return f"{mixed}{listed}{rest} (all {images.frames} messages looked at)"


def _times(images: ImageFacts) -> Iterator[str]:
    if images.unreadable:
        yield f"{images.unreadable} messages are no valid images"
    if images.unstamped:
        yield f"{images.unstamped} stamps are 0: no pairs can be made of these frames"
    if images.interval_ms:
        interval, jitter = _spread(images.interval_ms), _spread(images.jitter_ms)
        yield f"from stamp to stamp {interval}; jitter {jitter}"
    if images.backward:
        yield (
            f"stamps jump back {images.backward} times, by {images.furthest_back_ms:.1f} ms at the "
            "most"
        )
    if images.repeated:
        yield f"{images.repeated} stamps are those of the frame before"
    if images.delay_ms:
        delay = _spread(images.delay_ms)
        yield f"recorded after their stamp {delay}, least {images.least_delay_ms:.1f} ms"


def _spread(spread: Spread) -> str:
    return f"p50 {spread.p50:.1f}, p95 {spread.p95:.1f}, max {spread.max:.1f} ms"


def _rate(topic: BagTopic, seconds: float) -> float | None:
    return (topic.count - 1) / seconds if seconds and topic.count > 1 else None


def _qos(qos: Any) -> dict[str, Any]:
    return {
        "history": qos.history.name.lower(),
        "depth": qos.depth,
        "reliability": qos.reliability.name.lower(),
        "durability": qos.durability.name.lower(),
    }

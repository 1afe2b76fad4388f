"""`egmt bag synth | from-pairs | cut | info`: make bags and look at them."""

from __future__ import annotations

import argparse
from pathlib import Path

from egmt_ros.subcommands import add_subcommands, run_subcommand

_MAKERS = {
    "synth": ("egmt_ros.evaluation.bags.synthetic_bag", "render the made-up street into a bag"),
    "from-pairs": ("egmt_ros.evaluation.bags.pairs_bag", "turn a folder of image pairs into a bag"),
    "cut": ("egmt_ros.evaluation.bags.cut_bag", "make a bag of a part of one"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bag`."""
    commands = add_subcommands(parser, _MAKERS)
    info = commands.add_parser("info", help="say what is in a bag", description="topics of a bag")
    info.add_argument("bag", type=Path, metavar="BAG", help="rosbag2 folder or .mcap file")


def run(args: argparse.Namespace) -> int:
    """Run one of the subcommands."""
    if args.what in _MAKERS:
        return run_subcommand(args, _MAKERS)
    return _info(args.bag)


def _info(path: Path) -> int:
    from egmt_ros.errors import BagError
    from egmt_ros.evaluation.bags.bag_reader import BagSource
    from egmt_ros.evaluation.bags.bag_topics import find_image_topics

    with BagSource(path) as bag:
        seconds = bag.duration / 1e9
        print(f"{path}: {bag.storage}, {seconds:.2f} s, {bag.count} messages")
        width = max((len(t.name) for t in bag.topics), default=0)
        for topic in bag.topics:
            rate = f"{(topic.count - 1) / seconds:6.1f} Hz" if seconds and topic.count > 1 else ""
            latched = "  latched" if topic.latched else ""
            print(f"  {topic.name:<{width}}  {topic.count:>6}  {rate:>9}  {topic.msgtype}{latched}")
        try:
            thermal, visible = find_image_topics(bag)
        except BagError:
            print("  no clear thermal and visible image topic")
        else:
            print(f"  thermal: {thermal}   visible: {visible}")
    return 0

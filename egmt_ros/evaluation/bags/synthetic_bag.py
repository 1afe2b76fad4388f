"""The generated scene as a bag: two image topics and the entities that are really there."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from egmt_ros.evaluation.bags.bag_types import ENTITIES, IMAGE, image_message
from egmt_ros.evaluation.bags.bag_writer import BagMessage, write_bag
from egmt_ros.evaluation.bags.truth_messages import (
    TRUTH_TOPIC,
    TruthLabel,
    thermal_share,
    truth_message,
)
from egmt_ros.evaluation.scene.sequence import CameraTiming, SceneSequence
from egmt_ros.evaluation.scene.truth import FrameTruth

THERMAL_TOPIC = "/thermal/image_raw"
VISIBLE_TOPIC = "/visible/image_raw"
THERMAL_FRAME = "thermal_optical_frame"
VISIBLE_FRAME = "visible_optical_frame"


def write_synthetic_bag(
    path: str | Path,
    *,
    seed: int = 0,
    duration: float = 12.0,
    width: int = 640,
    height: int = 480,
    time_of_day: str = "dusk_to_night",
    thermal_rate: float = 30.0,
    visible_rate: float = 30.0,
    thermal_encoding: str = "mono8",
    jitter: float | None = None,
    drops: float = 0.0,
    storage: str = "mcap",
    compress: bool = True,
    overwrite: bool = False,
    progress: bool = False,
) -> dict[str, int]:
    """Render the scene and write it as a bag.

    Args:
        path: Folder to make.
        seed, duration, width, height, time_of_day: See SceneSequence.
        thermal_rate, visible_rate: Hz.
        thermal_encoding: "mono8", or "mono16" for centikelvin.
        jitter: Standard deviation of the stamps in seconds; None: 2 ms and 1.5 ms.
        drops: Share of frames that are missing in each stream.
        storage, compress, overwrite: See BagWriter.
        progress: Show a progress bar.

    Returns:
        topic -> number of messages.

    Raises:
        BagError: The folder exists, or cannot be written.
        InputError: An argument is out of its range.
    """
    sequence = SceneSequence(
        seed=seed,
        width=width,
        height=height,
        duration=duration,
        time_of_day=time_of_day,
        thermal=CameraTiming(
            thermal_rate, 0.002 if jitter is None else jitter, 0.006, drops, transport=0.006
        ),
        visible=CameraTiming(visible_rate, 0.0015 if jitter is None else jitter, 0.0, drops),
        raw_thermal=thermal_encoding == "mono16",
    )
    return write_bag(
        path,
        scene_messages(sequence, progress),
        best_effort=(THERMAL_TOPIC, VISIBLE_TOPIC),
        topics={THERMAL_TOPIC: IMAGE, VISIBLE_TOPIC: IMAGE, TRUTH_TOPIC: ENTITIES},
        storage=storage,
        compress=compress,
        overwrite=overwrite,
    )


def scene_messages(sequence: SceneSequence, progress: bool = False) -> Iterator[BagMessage]:
    """The frames of a sequence as messages, in bag order."""
    frames: Any = sequence
    if progress:
        from tqdm import tqdm

        frames = tqdm(sequence, desc="rendering", unit="frame", total=len(sequence))
    for frame in frames:
        if frame.side == "thermal":
            image = image_message(frame.image, frame.stamp, THERMAL_FRAME)
            yield BagMessage(THERMAL_TOPIC, IMAGE, frame.bag_time, image)
            continue
        image = image_message(frame.image, frame.stamp, VISIBLE_FRAME)
        yield BagMessage(VISIBLE_TOPIC, IMAGE, frame.bag_time, image)
        height, width = frame.image.shape[:2]
        truth = truth_message(_labels(frame.truth), frame.stamp, VISIBLE_FRAME, (width, height))
        yield BagMessage(TRUTH_TOPIC, ENTITIES, frame.bag_time, truth)


def _labels(truth: FrameTruth) -> list[TruthLabel]:
    labels = []
    for index, name in enumerate(truth.entities):
        warm, seen = name in truth.thermal_entities, name in truth.visible_entities
        labels.append(TruthLabel(index, name, True, thermal_share(warm, seen)))
    return labels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bag synth`."""
    parser.add_argument("out", type=Path, metavar="OUT", help="bag folder to make")
    parser.add_argument("--seed", type=int, default=0, help="of the scene (default: 0)")
    parser.add_argument(
        "--duration", type=float, default=12.0, metavar="S", help="seconds (default: 12)"
    )
    parser.add_argument(
        "--size", type=size, default=(640, 480), metavar="WxH", help="default: 640x480"
    )
    parser.add_argument(
        "--time-of-day", choices=["dusk_to_night", "dusk", "night"], default="dusk_to_night"
    )
    parser.add_argument("--thermal-rate", type=float, default=30.0, metavar="HZ", help="30 or 9")
    parser.add_argument("--visible-rate", type=float, default=30.0, metavar="HZ")
    parser.add_argument("--thermal-encoding", choices=["mono8", "mono16"], default="mono8")
    parser.add_argument("--jitter", type=float, metavar="S", help="of the stamps, seconds")
    parser.add_argument("--drops", type=float, default=0.0, help="share of missing frames")
    parser.add_argument("--storage", choices=["mcap", "sqlite3"], default="mcap")
    parser.add_argument("--uncompressed", action="store_true", help="no zstd chunks")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing bag")


def run(args: argparse.Namespace) -> int:
    """Make the bag and say what is in it."""
    counts = write_synthetic_bag(
        args.out,
        seed=args.seed,
        duration=args.duration,
        width=args.size[0],
        height=args.size[1],
        time_of_day=args.time_of_day,
        thermal_rate=args.thermal_rate,
        visible_rate=args.visible_rate,
        thermal_encoding=args.thermal_encoding,
        jitter=args.jitter,
        drops=args.drops,
        storage=args.storage,
        compress=not args.uncompressed,
        overwrite=args.overwrite,
        progress=True,
    )
    print(f"{args.out}: " + ", ".join(f"{n} {t}" for t, n in counts.items()))
    return 0


def size(text: str) -> tuple[int, int]:
    """Parse "640x480"."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write 640x480") from None
    return width, height

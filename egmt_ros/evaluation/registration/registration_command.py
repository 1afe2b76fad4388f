"""`egmt evaluate registration`: how well known warps are found, and shifted mounts noticed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from egmt_ros.evaluation.registration.known_warps import Count
    from egmt_ros.pipeline.registration.edges import ImagePair

DESCRIPTION = """\
Put known warps on registered pairs DIR/<dataset>/<split>/{ir,vi}/<name>.png, brought to 640x480,
and find them again as `egmt calibrate` does: shift up to 16 pixels each way, scale within 5 %, turn
within 2 degrees, drawn with a seed. Printed are the median of the mean distances over the image, in
pixels, and how many are below 1 pixel, read twice:

  against the warp     where the warp that was found leads, and where the known one does; this has
                       the misfit of the pairs themselves in it
  against itself       the same with the known warp upon what is found without it: repeatability

Then what the node's watch on the registration says of the pairs as they are, and with the thermal
image shifted by 8 to 12 pixels: after a single check, and by the median of nine on neighbours. With
the visible images of another scene it should say that it does not know.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate registration`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data sets")
    parser.add_argument(
        "--datasets", default="MSRS,RoadScene", metavar="NAMES", help="(default: MSRS,RoadScene)"
    )
    parser.add_argument("--split", default="val", metavar="NAME", help="(default: val)")
    parser.add_argument(
        "--groups",
        default="1,6",
        metavar="NUMBERS",
        help="how many pairs, spread over the split, are calibrated together; 0: skip the warps"
        " (default: 1,6)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the warps (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Print the tables; return the exit status.

    Raises:
        ConfigError: `--groups` is not numbers.
        DataError: A data set is missing, or an image cannot be read.
    """
    from egmt_ros.errors import ConfigError

    try:
        groups = [int(word) for word in args.groups.split(",")]
        if min(groups) < 0:
            raise ValueError
    except ValueError:
        raise ConfigError(f"--groups is {args.groups!r}; expected numbers such as 1,6") from None
    names = [name for name in args.datasets.split(",") if name]
    pairs = {name: _read(args.data / name / args.split) for name in names}
    if any(groups):
        _print_warps(pairs, [size for size in groups if size], args.seed)
        print()
    _print_watch(pairs, args.seed)
    return 0


def _read(folder: Path) -> list[ImagePair]:
    import cv2

    from egmt_ros.evaluation.registration.known_warps import HEIGHT, WIDTH
    from egmt_ros.pipeline.image_files import match_pairs, read_thermal, read_visible, to_grey
    from egmt_ros.pipeline.registration.edges import ImagePair

    size = WIDTH, HEIGHT
    return [
        ImagePair(
            cv2.resize(read_thermal(thermal), size),
            cv2.resize(to_grey(read_visible(visible)), size),
        )
        for _, thermal, visible in match_pairs(folder / "ir", folder / "vi")
    ]


def _print_warps(pairs: dict[str, list[ImagePair]], sizes: list[int], seed: int) -> None:
    import numpy as np

    print("| data set | pairs each | against the warp | below 1 px | against itself | below 1 px |")
    print("|---|---|---|---|---|---|")
    for name, of in pairs.items():
        for size in sizes:
            cells = _warps(of, size, np.random.default_rng(seed))
            row = [name, str(size)]
            for count in cells:
                row += [f"{count.median:.2f} px", f"{count.below} of {count.total}"]
            print("| " + " | ".join(row) + " |", flush=True)


def _warps(pairs: list[ImagePair], size: int, rng: np.random.Generator) -> tuple[Count, Count]:
    from egmt_ros.evaluation.registration.known_warps import Count, draw_warp, try_warp

    count = max(1, len(pairs) // size)
    model = "similarity" if size == 1 else "affine"  # as egmt calibrate chooses
    trials = [try_warp(pairs[i::count], draw_warp(rng), model) for i in range(count)]
    return Count.of([t.against_known for t in trials]), Count.of([t.against_itself for t in trials])


def _print_watch(pairs: dict[str, list[ImagePair]], seed: int) -> None:
    import numpy as np

    from egmt_ros.evaluation.registration.watching import watch_groups
    from egmt_ros.pipeline.registration.watch import KEPT

    print(
        "| data set | checks each | shifted: warned | as they are: warned | unknown"
        " | of another scene: unknown |"
    )
    print("|---|---|---|---|---|---|")
    for name, of in pairs.items():
        for size in (1, KEPT):
            found = watch_groups(of, size, np.random.default_rng(seed))
            counts = (
                found.shifted.warned, found.still.warned, found.still.unknown,
                found.strange.unknown,
            )
            cells = [f"{count} of {found.still.total}" for count in counts]
            print("| " + " | ".join([name, str(size), *cells]) + " |")

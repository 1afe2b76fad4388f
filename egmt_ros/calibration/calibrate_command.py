"""`egmt calibrate`: the homography between the cameras, from pairs of images or from points."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from egmt_ros.pipeline.registration.edges import ImagePair
    from egmt_ros.pipeline.registration.residual import Residual

MODELS = ("similarity", "affine", "homography")
LEAST_MEASURED = 6
LARGEST_RESIDUAL = 4.0
"""Pixels at 640 of width; beyond it, or with fewer blocks, the alignment is not believed: blocks
whose edges have nothing in common would be about 6 pixels apart."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt calibrate`."""
    parser.add_argument(
        "images",
        type=Path,
        nargs="+",
        metavar="THERMAL VISIBLE",
        help="images, or folders of equal file stems; further pairs may follow",
    )
    rough = parser.add_mutually_exclusive_group()
    rough.add_argument(
        "--start",
        metavar="FILE",
        help="rough homography, of this command or nine numbers (default: the same field of view)",
    )
    rough.add_argument(
        "--points",
        type=Path,
        metavar="FILE",
        help="lines 'xt yt xv yv': the homography is fitted to these, at least 4, not to edges",
    )
    parser.add_argument(
        "--model",
        choices=MODELS,
        help="what may change from the start (default: similarity for one pair, affine for"
        " several)",
    )
    parser.add_argument(
        "--pairs",
        type=int,
        default=12,
        metavar="N",
        help="at most so many pairs, spread over those given (default: 12)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="YAML file for the node"
    )


def run(args: argparse.Namespace) -> int:
    """Write the homography and print the residual; return the exit status.

    Raises:
        ConfigError: `--start` cannot be used, `--pairs` is below 1, or `--out` cannot be written.
        DataError: Images or points cannot be used, sizes vary, or the edges do not agree after
            the alignment; nothing is written then.
    """
    from egmt_ros.calibration.alignment import align
    from egmt_ros.calibration.points import fit_points, read_points
    from egmt_ros.errors import ConfigError
    from egmt_ros.pipeline.registration.homography import (
        Homography,
        parse_homography,
        write_homography,
    )
    from egmt_ros.pipeline.registration.residual import measure_residual

    if args.pairs < 1:
        raise ConfigError(f"--pairs is {args.pairs}; expected at least 1")
    if not args.out.parent.is_dir() or args.out.is_dir():
        raise ConfigError(f"--out {args.out} cannot be written; give a file in a folder that is")
    pairs = _read_pairs(args.images, args.pairs)
    sizes = pairs[0].thermal.shape[::-1], pairs[0].visible.shape[::-1]
    said = []
    if args.points:
        fit = fit_points(read_points(args.points))
        matrix = fit.matrix
        said.append(
            f"{int(fit.used.sum())} of {len(fit.used)} points used, "
            f"{float((fit.distances[fit.used] ** 2).mean() ** 0.5):.2f} px apart (rms)"
            + ("; of 4 points this says nothing" if len(fit.used) == 4 else "")
        )
    else:
        model = args.model or ("similarity" if len(pairs) == 1 else "affine")
        start = parse_homography(args.start).matrix if args.start else _same_view(*sizes)
        matrix = align(pairs, start, model)
        said.append(f"{model} aligned by the edges of {len(pairs)} pair(s)")
    residual = measure_residual(pairs, matrix)
    said.append(_line(residual))
    if not args.points:
        _believe(residual, sizes[1][0])
    homography = Homography.from_matrix(matrix, *sizes)
    comment = ["From thermal to visible pixels, right at the distance of what was seen.", *said]
    write_homography(args.out, homography, comment)
    print("\n".join([*said, f"written: {args.out}"]))
    return 0


def _read_pairs(paths: list[Path], most: int) -> list[ImagePair]:
    """Raises DataError for paths in odd number and for sizes that vary, InputError for NaN."""
    from egmt_ros.errors import DataError
    from egmt_ros.pipeline.image_files import match_pairs, read_thermal, read_visible, to_grey
    from egmt_ros.pipeline.registration.edges import ImagePair
    from egmt_ros.pipeline.thermal import reject_non_finite

    if len(paths) % 2:
        raise DataError(
            f"{len(paths)} images or folders are given; expected a thermal and a visible one each"
        )
    files = [
        (thermal, visible)
        for left, right in zip(paths[::2], paths[1::2], strict=True)
        for _, thermal, visible in match_pairs(left, right)
    ]
    count = min(most, len(files))
    files = [files[i * len(files) // count] for i in range(count)]
    pairs = [ImagePair(read_thermal(t), to_grey(read_visible(v))) for t, v in files]
    for pair in pairs:
        reject_non_finite(pair.thermal)
    for (thermal, visible), pair in zip(files, pairs, strict=True):
        for path, image, first in zip((thermal, visible), pair, pairs[0], strict=True):
            if image.shape != first.shape:
                raise DataError(
                    f"{path} is {image.shape[1]}x{image.shape[0]} and the first of its camera"
                    f" {first.shape[1]}x{first.shape[0]}; expected one size for each camera"
                )
    return pairs


def _same_view(thermal: tuple[int, int], visible: tuple[int, int]) -> np.ndarray:
    """What registration.mode scale does, as a (3, 3) homography of pixel centres."""
    import numpy as np

    x, y = visible[0] / thermal[0], visible[1] / thermal[1]
    return np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])


def _line(residual: Residual) -> str:
    return (
        f"residual {residual.median:.2f} px median, {residual.p90:.2f} px at the 90th percentile,"
        f" in {residual.measured} of {residual.blocks} blocks"
    )


def _believe(residual: Residual, width: int) -> None:
    from egmt_ros.errors import DataError

    limit = LARGEST_RESIDUAL * max(1.0, width / 640)
    if residual.measured < LEAST_MEASURED or not residual.median <= limit:
        raise DataError(
            f"the edges do not agree after the alignment: {_line(residual)}; expected at least"
            f" {LEAST_MEASURED} blocks and at most {limit:.1f} px: give more pairs with structure,"
            " a --start nearer to the truth, or --points"
        )

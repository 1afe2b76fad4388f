"""From the regions of entities to the parts of the image that a detector should look at.

A region is where the model looked. It may hold several objects, a part of one, or miss some. So
crops are grown by a margin, and whoever plans them for an entity without a region takes the whole
image (`egmt_ros.downstream.advice` does).
"""

from __future__ import annotations

from collections.abc import Iterable

from egmt_ros.downstream.settings import CropSettings
from egmt_ros.errors import InputError
from egmt_ros.pipeline.results import Region


def whole_image(width: int, height: int) -> Region:
    """All of an image of this size, pixels."""
    return Region(0, 0, width, height)


def plan_crops(
    regions: Iterable[Region], width: int, height: int, settings: CropSettings
) -> tuple[Region, ...]:
    """Crops that hold all regions.

    Args:
        regions: In pixels; what lies outside the image is cut off.
        width, height: Size of the image, pixels.
        settings: Margin, least size, and from when on the whole image is taken.

    Returns:
        Crops inside the image that do not overlap, by rows; none if there is no region.

    Raises:
        InputError: a region has no pixel in the image (reason `region_outside`).
    """
    crops: list[Region] = []
    for region in regions:
        crop = _grown(_clipped(region, width, height), width, height, settings)
        # What it overlaps becomes one with it, and may then overlap others.
        while overlapping := [other for other in crops if _overlap(crop, other)]:
            crops = [other for other in crops if other not in overlapping]
            crop = bounding([crop, *overlapping])
        crops.append(crop)
    covered = sum(crop.width * crop.height for crop in crops)
    if crops and covered >= settings.whole_above * width * height:
        return (whole_image(width, height),)
    return tuple(sorted(crops, key=lambda crop: (crop.y, crop.x)))


def bounding(regions: Iterable[Region]) -> Region:
    """The smallest rectangle that holds all of at least one region."""
    boxes = [(r.x, r.y, r.x + r.width, r.y + r.height) for r in regions]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    return Region(left, top, right - left, bottom - top)


def _clipped(region: Region, width: int, height: int) -> Region:
    left, right = max(region.x, 0), min(region.x + region.width, width)
    top, bottom = max(region.y, 0), min(region.y + region.height, height)
    if right <= left or bottom <= top:
        raise InputError(
            f"{region} has no pixel in an image of {width}x{height}: check that the region and"
            " the image belong together",
            "region_outside",
        )
    return Region(left, top, right - left, bottom - top)


def _grown(region: Region, width: int, height: int, settings: CropSettings) -> Region:
    x, wide = _grown_side(region.x, region.width, width, settings)
    y, high = _grown_side(region.y, region.height, height, settings)
    return Region(x, y, wide, high)


def _grown_side(start: int, length: int, limit: int, settings: CropSettings) -> tuple[int, int]:
    """Start and length along one axis, about the same middle where the image allows it."""
    wanted = max(length + 2 * round(length * settings.margin), settings.min_size)
    grown = min(wanted, limit)
    start -= (grown - length) // 2
    return min(max(start, 0), limit - grown), grown


def _overlap(a: Region, b: Region) -> bool:
    return (
        a.x < b.x + b.width
        and b.x < a.x + a.width
        and a.y < b.y + b.height
        and b.y < a.y + a.height
    )

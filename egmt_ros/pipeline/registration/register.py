"""Bringing both images to the same pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from egmt_ros.errors import ConfigError, InputError
from egmt_ros.pipeline.frames import Side
from egmt_ros.pipeline.registration.homography import Homography, Size
from egmt_ros.pipeline.registration.plane import CameraPair, plane_points

MODES = ("none", "scale", "homography", "camera_info")
WARPING = ("homography", "camera_info")
"""Modes that lay the thermal image over the visible one."""
SIZES_KEPT = 4
"""Pairs of image sizes whose tables are kept; a stream has one."""


class RegisteredPair(NamedTuple):
    """Two images of one size.

    Attributes:
        thermal: (H, W), type as it was.
        visible: (H, W) or (H, W, 3) uint8.
        outside: (H, W) uint8, 1 where there is no thermal image; None: it is everywhere.
    """

    thermal: np.ndarray
    visible: np.ndarray
    outside: np.ndarray | None = None

    def complete(self, fused: np.ndarray) -> np.ndarray:
        """The fused image, overwritten by the visible one where there is no thermal image."""
        if self.outside is None:
            return fused
        return cv2.copyTo(self.visible, self.outside, fused)


class _Tables(NamedTuple):
    """Of one size: maps of cv2.remap to the thermal image, and (H, W) uint8, 1 outside of it."""

    coarse: np.ndarray
    fine: np.ndarray
    outside: np.ndarray | None


class Registration:
    """Makes a pair of images equal in size, and lays one over the other.

    Args:
        mode: `none`: the images are aligned, and must be equal in size; `scale`: both cameras see
            the same field of view, and the other image is resized to the reference's;
            `homography`: the thermal image is warped into the visible one, which is right for
            things in one plane, at the distance at which it was calibrated; `camera_info`: the
            same, by what is known of both cameras, for a plane at a given depth. The visible
            image keeps its distortion, so that its own camera_info stays right for the fused one.
        reference: The camera whose image stays as it is.
        homography: From thermal to visible pixels; for the mode of that name.
        cameras: Called for each pair of images: what is known of both cameras now, equal as long
            as nothing changes; raises InputError while something is missing. For camera_info.
        depth: Of the plane along the visible camera's axis, metres; for camera_info.

    Raises:
        ConfigError: unknown mode, one without what it needs, or a thermal reference with a mode
            that warps the thermal image.
    """

    def __init__(
        self,
        mode: str = "none",
        reference: Side = Side.VISIBLE,
        homography: Homography | None = None,
        cameras: Callable[[], CameraPair] | None = None,
        depth: float = 10.0,
    ) -> None:
        if mode not in MODES:
            raise ConfigError(f"registration.mode is {mode!r}: expected one of {', '.join(MODES)}")
        self._mode = mode
        self._reference = Side(reference)
        self._homography = homography
        self._cameras = cameras
        self._depth = depth
        if mode == "homography" and homography is None:
            raise ConfigError(
                "registration.mode is 'homography' and registration.homography is empty:"
                " expected a file of egmt calibrate, or nine numbers"
            )
        if mode in WARPING and self._reference is not Side.VISIBLE:
            raise ConfigError(
                f"registration.mode is {mode!r} and output.reference is 'thermal':"
                " it warps the thermal image; set output.reference to visible"
            )
        self._tables = lru_cache(maxsize=SIZES_KEPT)(self._make_tables)
        self._plane_tables = lru_cache(maxsize=SIZES_KEPT)(self._make_plane_tables)

    def apply(self, thermal: np.ndarray, visible: np.ndarray) -> RegisteredPair:
        """The images in the reference's size, channels and types as they were.

        Outside of the warped thermal image its border is repeated, so that no edge arises there
        that neither camera saw.

        Args:
            thermal: HxW uint8, uint16 or float32.
            visible: HxW or HxWx3 uint8.

        Raises:
            InputError: the sizes differ and the mode is `none`, or are not those of the
                homography or camera_info, reason `size_mismatch`; the thermal image lies beside
                the visible one, reason `no_overlap`; or what `cameras` raises.
        """
        if self._mode in WARPING:
            if self._mode == "homography":
                tables = self._tables(_wh(thermal), _wh(visible))
            else:
                tables = self._plane_tables(self._cameras(), _wh(thermal), _wh(visible))
            warped = cv2.remap(
                thermal, tables.coarse, tables.fine, cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            return RegisteredPair(warped, visible, tables.outside)
        if thermal.shape[:2] == visible.shape[:2]:
            return RegisteredPair(thermal, visible)
        if self._mode == "none":
            raise InputError(
                f"thermal image is {_size(thermal)} and visible image is {_size(visible)}:"
                " registration.mode none expects aligned images of equal size; set"
                " registration.mode to scale if both cameras see the same field of view, or to"
                " homography with a file of egmt calibrate",
                "size_mismatch",
            )
        if self._reference is Side.VISIBLE:
            return RegisteredPair(_resized(thermal, visible), visible)
        return RegisteredPair(thermal, _resized(visible, thermal))

    def _make_tables(self, thermal: Size, visible: Size) -> _Tables:
        homography = self._homography
        for name, found, expected in (
            ("thermal", thermal, homography.thermal_size),
            ("visible", visible, homography.visible_size),
        ):
            if expected is not None and found != expected:
                raise InputError(
                    f"{name} image is {found[0]}x{found[1]} and registration.homography was"
                    f" calibrated for {expected[0]}x{expected[1]}: expected the same size; run"
                    " egmt calibrate on images of this size",
                    "size_mismatch",
                )
        x, y, w = sampling_points(homography.matrix, visible)
        tables = _tables_of(x, y, w > 0, thermal)
        if tables is None:
            raise InputError(
                f"registration.homography {homography.rows} puts the thermal image"
                f" ({thermal[0]}x{thermal[1]}) beside the visible one ({visible[0]}x{visible[1]}):"
                " expected them to overlap; does it map thermal to visible pixels, of these sizes?",
                "no_overlap",
            )
        return tables

    def _make_plane_tables(self, cameras: CameraPair, thermal: Size, visible: Size) -> _Tables:
        for name, found, model in (
            ("thermal", thermal, cameras.thermal),
            ("visible", visible, cameras.visible),
        ):
            if found != model.size:
                raise InputError(
                    f"{name} image is {found[0]}x{found[1]} and its camera_info is for"
                    f" {model.width}x{model.height} (binning and roi taken into account): expected"
                    " the same size; have the driver send the camera_info of the images it sends",
                    "size_mismatch",
                )
        tables = _tables_of(*plane_points(cameras, self._depth), thermal)
        if tables is None:
            raise InputError(
                f"the cameras' views do not overlap at a depth of {self._depth:g} m with"
                f" {cameras.pose}: expected the pose of the thermal camera in the optical frame of"
                " the visible one (x to the right, y down, z ahead)",
                "no_overlap",
            )
        return tables


def _tables_of(x: np.ndarray, y: np.ndarray, seen: np.ndarray, thermal: Size) -> _Tables | None:
    """Of positions in the thermal image; None if none of those seen lies in it."""
    inside = seen & _within(x, thermal[0]) & _within(y, thermal[1])
    if not inside.any():
        return None
    # Points far outside would overflow the fixed-point tables.
    x = np.clip(np.where(seen, x, -1), -1, thermal[0]).astype(np.float32)
    y = np.clip(np.where(seen, y, -1), -1, thermal[1]).astype(np.float32)
    outside = None if inside.all() else (~inside).astype(np.uint8)
    return _Tables(*cv2.convertMaps(x, y, cv2.CV_16SC2), outside)


def sampling_points(matrix: np.ndarray, size: Size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where in the thermal image each pixel of the visible image is seen.

    Args:
        matrix: (3, 3) from thermal to visible pixels, its last number 1.
        size: Of the visible image.

    Returns:
        x, y, w, each (H, W) float64; w is above 0 for points before the thermal camera, and x and
        y mean nothing for the others.
    """
    inverse = np.linalg.inv(matrix)
    rows, columns = np.mgrid[: size[1], : size[0]].astype(float)
    x, y, w = (row[0] * columns + row[1] * rows + row[2] for row in inverse)
    divisor = np.where(w > 0, w, 1.0)
    return x / divisor, y / divisor, w


def _within(position: np.ndarray, extent: int) -> np.ndarray:
    """Whether a pixel covers it; one reaches half a pixel beyond its centre."""
    margin = 0.5 + 1e-6
    return (position >= -margin) & (position <= extent - 1 + margin)


def _resized(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    height, width = reference.shape[:2]
    shrinks = height * width < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=method)


def _wh(image: np.ndarray) -> Size:
    return image.shape[1], image.shape[0]


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"

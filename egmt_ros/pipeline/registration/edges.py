"""Edges that a thermal and a visible image have in common."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

FINE_WIDTH = 640
"""Pixels of the visible image to which larger ones are reduced."""
ORIENTATIONS = 6
SMOOTHING = 1.0
"""Pixels; standard deviation of the blur before and after the gradients are taken."""
FLOOR = 0.5
"""Gradient, in means of the image, below which an edge counts for little: noise, mostly."""

LOCAL = 25
"""Pixels of the window whose mean is taken off."""
MARGIN = 4
"""Pixels at the border of an image, or of what both cameras see, that show no edges."""


class ImagePair(NamedTuple):
    """Grey images of one moment: (H, W) thermal of any number type, (H, W) visible uint8."""

    thermal: np.ndarray
    visible: np.ndarray


class Edges(NamedTuple):
    """Of one pair in the visible image's frame: (H, W, 6) both, (H, W) bool where thermal is."""

    thermal: np.ndarray
    visible: np.ndarray
    valid: np.ndarray


def edge_channels(
    image: np.ndarray, valid: np.ndarray, orientations: int = ORIENTATIONS
) -> np.ndarray:
    """How much edge there is at each pixel, by direction but not by sign.

    Hot can be bright or dark in the visible image, so that only the direction of an edge, modulo
    180 degrees, says something; its strength says little, so that the channels of a pixel are
    divided by their norm. These are the channel features of orientated gradients (CFOG) of Ye,
    Bruzzone, Shan, Bovolo and Zhu, "Fast and robust matching for multimodal remote sensing image
    registration", IEEE TGRS 57(11), 2019, with a floor against noise.

    Args:
        image: (H, W) of any number type.
        valid: (H, W) bool; pixels outside show nothing.
        orientations: How many directions are told apart.

    Returns:
        (H, W, orientations) float32, 0..1; 0 outside `valid` and within 3 pixels of it.
    """
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), SMOOTHING)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    inside = cv2.erode(valid.astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=0) > 0
    angles = np.arange(orientations) * np.pi / orientations
    channels = np.abs(
        across[..., None] * np.cos(angles).astype(np.float32)
        + down[..., None] * np.sin(angles).astype(np.float32)
    )
    channels[~inside] = 0
    channels = np.ascontiguousarray(cv2.GaussianBlur(channels, (0, 0), SMOOTHING))
    norm = np.sqrt((channels**2).sum(2, keepdims=True))
    floor = FLOOR * float(norm[inside].mean()) if inside.any() else 0.0
    channels /= norm + floor + np.finfo(np.float32).tiny
    channels[~inside] = 0
    return channels


def contrasted(channels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Edge channels less their local mean, which only says where there are many edges.

    Thermal and visible images have many edges in different places, and that would pull on the
    alignment.

    Args:
        channels: (H, W, N) of `edge_channels`.
        valid: (H, W) bool.

    Returns:
        (H, W, N) float32; 0 at the border, which would correlate with itself at no shift.
    """
    side = 2 * MARGIN + 1
    inside = cv2.erode(valid.astype(np.uint8), np.ones((side, side), np.uint8), borderValue=0)
    inside = inside.astype(np.float32)[..., None]
    channels = channels * inside
    share = cv2.blur(inside, (LOCAL, LOCAL))[..., None]
    mean = cv2.blur(channels, (LOCAL, LOCAL)) / np.maximum(share, np.float32(1e-3))
    return np.ascontiguousarray((channels - mean) * inside)


def edges_of(pair: ImagePair, start: np.ndarray, level: float) -> Edges:
    """Edge channels of a pair, the thermal image laid over the visible one, resized by `level`."""
    height, width = pair.visible.shape
    size = round(width * level), round(height * level)
    thermal = pair.thermal.astype(np.float32)
    warped = cv2.warpPerspective(
        thermal, start, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    valid = cv2.warpPerspective(np.ones_like(thermal), start, (width, height)) > 0.999
    small = cv2.resize(warped, size, interpolation=cv2.INTER_AREA)
    seen = cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.999
    visible = cv2.resize(pair.visible.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    everywhere = np.ones(visible.shape, bool)
    return Edges(edge_channels(small, seen), edge_channels(visible, everywhere), seen)

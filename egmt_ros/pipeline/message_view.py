"""A view of an image message of either kind, made in the callback."""

from __future__ import annotations

from typing import Any

from egmt_ros.pipeline.compressed import compressed_view
from egmt_ros.pipeline.image_pixels import Viewed
from egmt_ros.pipeline.image_view import image_view


def message_view(message: Any) -> Viewed:
    """The view of a sensor_msgs/Image or CompressedImage, or any object with the fields of one.

    Raises:
        InputError: As `image_view` and `compressed_view`.
    """
    return compressed_view(message) if hasattr(message, "format") else image_view(message)

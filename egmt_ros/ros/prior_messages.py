"""From the advice for a detector to messages."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header

from egmt_ros.downstream import Advice, ClassAdvice, Region
from egmt_ros.pipeline.image_view import image_view
from egmt_ros.ros.conversions import array_to_image


def class_status(header: Header, advice: Advice) -> DiagnosticArray:
    """A status for each class: the reason, and the values run, threshold and score."""
    statuses = [_status(name, one) for name, one in advice.classes.items()]
    return DiagnosticArray(header=header, status=statuses)


def _status(name: str, advice: ClassAdvice) -> DiagnosticStatus:
    values = {
        "run": "true" if advice.run else "false",
        "threshold": f"{advice.threshold:.6g}",
        "score": "" if advice.score is None else f"{advice.score:.6g}",
    }
    return DiagnosticStatus(
        level=DiagnosticStatus.OK,
        name=name,
        message=advice.reason.value,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def cropped(image: Image, crop: Region) -> Image:
    """A part of an image, with the image's header; the image itself if that is all of it.

    Raises:
        InputError: the image's encoding cannot be cut, or the image is damaged.
    """
    if (crop.width, crop.height) == (image.width, image.height):
        return image
    pixels = image_view(image).array[crop.y :, crop.x :][: crop.height, : crop.width]
    return array_to_image(pixels, image.header, image.encoding)


def crop_info(image: Image, crop: Region) -> CameraInfo:
    """Which part of an image a crop is (`roi`), as image_proc tells it; without a calibration."""
    roi = RegionOfInterest(x_offset=crop.x, y_offset=crop.y, width=crop.width, height=crop.height)
    return CameraInfo(header=image.header, width=image.width, height=image.height, roi=roi)

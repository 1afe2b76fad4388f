"""What is told of the registration."""

from __future__ import annotations

from collections.abc import Callable

from egmt_ros.errors import InputError
from egmt_ros.ros.diagnostics.status import ERROR, OK, WARN, Report, Source, Status


def registration_source(mode: Callable[[], str], check_cameras: Callable[[], None]) -> Source:
    """The mode, and what is missing for it.

    Args:
        mode: registration.mode.
        check_cameras: Raises InputError while a camera_info is missing or cannot be used.
    """

    def tell(report: Report) -> Status:
        values = {"mode": mode()}
        if values["mode"] == "camera_info" and report.configured_since is not None:
            try:
                check_cameras()
            except InputError as error:
                level = WARN if error.reason == "no_camera_info" else ERROR
                return Status(level, str(error), values | {"cameras": error.reason})
            values["cameras"] = "calibrated"
        return Status(OK, values["mode"], values)

    return tell

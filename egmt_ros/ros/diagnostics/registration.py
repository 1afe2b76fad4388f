"""What is told of the registration."""

from __future__ import annotations

from collections.abc import Callable

from egmt_ros.errors import InputError
from egmt_ros.pipeline.registration.watch import ALIGNED, OFF, SHIFTED, Finding
from egmt_ros.ros.diagnostics.status import ERROR, OK, WARN, Report, Source, Status


def registration_source(
    mode: Callable[[], str], check_cameras: Callable[[], None], finding: Callable[[], Finding]
) -> Source:
    """The mode, what is missing for it, and how far the images lie apart.

    Args:
        mode: registration.mode.
        check_cameras: Raises InputError while a camera_info is missing or cannot be used.
        finding: What the last checks of fused pairs say.
    """

    def tell(report: Report) -> Status:
        found = finding()
        values = {"mode": mode(), **_values(found)}
        if values["mode"] == "camera_info" and report.configured_since is not None:
            try:
                check_cameras()
            except InputError as error:
                level = WARN if error.reason == "no_camera_info" else ERROR
                return Status(level, str(error), values | {"cameras": error.reason})
            values["cameras"] = "calibrated"
        if found.state == SHIFTED:
            return Status(WARN, _warning(found), values)
        message = values["mode"]
        if found.state == ALIGNED:
            message += f", residual {found.residual:.1f} px"
        return Status(OK, message, values)

    return tell


def _values(found: Finding) -> dict[str, object]:
    values: dict[str, object] = {"residual": found.state}
    if found.state != OFF:
        values |= {"confidence": found.confidence, "checks": found.checks}
    if found.state in (ALIGNED, SHIFTED):
        values |= {
            "residual_px": found.residual,
            "right_px": found.right,
            "below_px": found.below,
            "limit_px": found.limit,
        }
    return values


def _warning(found: Finding) -> str:
    across = f"{abs(found.right):.1f} px {'right' if found.right > 0 else 'left'}"
    down = f"{abs(found.below):.1f} px {'below' if found.below > 0 else 'above'}"
    return (
        f"the thermal image lies {across} and {down} of where the visible one shows the same"
        f" (median of {found.checks} checks, limit {found.limit:.1f} px): has a camera's mount"
        " moved, or is what they see at another distance than the registration is right for? Run"
        " egmt calibrate again, or raise registration.check_limit"
    )

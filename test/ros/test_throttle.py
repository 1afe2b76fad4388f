"""One log line a problem."""

from __future__ import annotations

import pytest

from egmt_ros.ros.throttle import LogThrottle


class Lines(list):
    """A logger that keeps what it is told."""

    warning = error = list.append


def test_the_first_at_once_then_one_a_period_with_the_number_left_out():
    now, lines = [0.0], Lines()
    throttle = LogThrottle(period=10.0, now=lambda: now[0])
    for second in (0.0, 1.0, 2.0, 9.9, 10.0, 11.0):
        now[0] = second
        throttle.warning(lines, "dark", f"dark at {second}")
    throttle.error(lines, "short", "another problem")
    assert lines == [
        "dark at 0.0",
        "dark at 10.0 (3 more like this since the last line)",
        "another problem",
    ]


def test_what_was_said_once_is_not_new():
    now, lines = [0.0], Lines()
    throttle = LogThrottle(period=10.0, now=lambda: now[0])
    assert throttle.is_new("dark")
    throttle.warning(lines, "dark", "dark")
    now[0] = 100.0
    assert not throttle.is_new("dark") and throttle.is_new("short")


def test_a_logger_of_ros_takes_both_severities_from_one_throttle(capfd):
    pytest.importorskip("rclpy", reason="rclpy is not installed")
    from rclpy.logging import get_logger

    logger, throttle = get_logger("throttle_test"), LogThrottle()
    for i in range(2):  # rclpy ties a line of code to the severity that it logged first
        assert throttle.warning(logger, ("bad frame", i), f"warned {i}")
        assert throttle.error(logger, ("failure", i), f"failed {i}")
    assert not throttle.error(logger, ("failure", 0), "failed again")
    lines = capfd.readouterr().err.splitlines()
    assert [line.split("[")[1].split("]")[0] for line in lines] == ["WARN", "ERROR"] * 2
    assert [line[-8:] for line in lines] == ["warned 0", "failed 0", "warned 1", "failed 1"]

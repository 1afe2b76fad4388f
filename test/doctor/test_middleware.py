"""Checks of the DDS profile, shared memory and discovery, with made-up environments."""

from __future__ import annotations

from pathlib import Path

import pytest

from egmt_ros.doctor import middleware
from egmt_ros.doctor.finding import Level
from egmt_ros.doctor.middleware import Profile

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"
OWN = Path("/own/dds_robot.xml")
LARGE = Profile(segment=2**26)


@pytest.mark.parametrize(
    ("environment", "read", "level", "says"),
    [
        ({}, {}, Level.WARNING, "none is set"),
        ({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}, {}, Level.OK, "cyclonedds"),
        ({OLD: "/a", NEW: "/a"}, {"/a": LARGE}, Level.OK, "64 MB"),
        ({OLD: "/a", NEW: "/a", "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}, {"/a": LARGE},
         Level.OK, "/a"),
        ({OLD: "/a"}, {"/a": LARGE}, Level.WARNING, f"{NEW} is not set"),
        ({OLD: "/a", NEW: "/b"}, {"/a": LARGE, "/b": LARGE}, Level.WARNING, "differ"),
        ({OLD: "/a"}, {"/a": Profile(error="No such file")}, Level.PROBLEM, "No such file"),
        ({OLD: "/a", NEW: "/a"}, {"/a": Profile()}, Level.WARNING, "512 KB"),
        ({OLD: "/a", NEW: "/a"}, {"/a": Profile(2**26, ("127.0.0.1",))}, Level.WARNING,
         "other machines"),
    ],
)  # fmt: skip
def test_profile(environment: dict, read: dict, level: Level, says: str) -> None:
    finding = middleware.check_profile(environment, (OLD, NEW), OWN, read)
    assert finding.level is level and says in finding.found
    assert bool(finding.remedy) == (level is not Level.OK)


def test_profiles_are_read(tmp_path: Path) -> None:
    assert middleware.read_profile(ROOT / "config" / "dds_robot.xml") == LARGE
    loopback = middleware.read_profile(ROOT / "config" / "dds_loopback.xml")
    assert set(loopback.addresses) == {"127.0.0.1"}
    assert middleware.read_profile(tmp_path / "none.xml").error == "No such file or directory"
    (tmp_path / "bad.xml").write_text("<profiles>")
    assert "not XML" in middleware.read_profile(tmp_path / "bad.xml").error


@pytest.mark.parametrize(
    ("free", "level"), [(None, Level.WARNING), (64, Level.WARNING), (128, Level.OK)]
)
def test_shared_memory(free: int | None, level: Level) -> None:
    finding = middleware.check_shared_memory(Path("/dev/shm"), free, 128)
    assert finding.level is level
    assert ("--shm-size" in finding.remedy) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("value", "level"),
    [("", Level.OK), ("0", Level.OK), ("101", Level.OK), ("102", Level.WARNING),
     ("233", Level.PROBLEM), ("-1", Level.PROBLEM), ("one", Level.PROBLEM)],
)  # fmt: skip
def test_domain(value: str, level: Level) -> None:
    assert middleware.check_domain({"ROS_DOMAIN_ID": value}).level is level


RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"


@pytest.mark.parametrize(
    ("environment", "level", "says"),
    [
        ({}, Level.OK, "SUBNET"),
        ({RANGE: "LOCALHOST"}, Level.WARNING, "this machine only"),
        ({RANGE: "LOCALHOST", "ROS_STATIC_PEERS": "10.0.0.2"}, Level.OK, "10.0.0.2"),
        ({RANGE: "OFF"}, Level.PROBLEM, "OFF"),
        ({RANGE: "localhost"}, Level.PROBLEM, "expected one of"),
        ({"ROS_LOCALHOST_ONLY": "1"}, Level.WARNING, "this machine only"),
        ({"ROS_LOCALHOST_ONLY": "0"}, Level.OK, "SUBNET"),
        ({"ROS_DISCOVERY_SERVER": "10.0.0.1:11811"}, Level.OK, "10.0.0.1"),
    ],
)
def test_discovery(environment: dict, level: Level, says: str) -> None:
    finding = middleware.check_discovery(environment)
    assert finding.level is level and says in finding.found

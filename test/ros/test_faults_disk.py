"""A full disk under every output that is written while images are fused or replayed.

The disk is a tmpfs of a few kilobytes that only the process under test sees, in a mount namespace
of its own; where the system allows none these tests are skipped.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from egmt_ros.evaluation.bags.bag_types import IMAGE, image_message
from egmt_ros.evaluation.bags.bag_writer import BagWriter

EGMT = [sys.executable, "-m", "egmt_ros.cli"]
SCRIPT = """
mount -t tmpfs -o size="$1" tmpfs "$2" || exit 99
mkdir "$2/out"
folder="$2"
shift 2
"$@"
status=$?
cp -a "$folder/." "$SEEN"
exit $status
"""


def may_mount() -> bool:
    try:
        done = subprocess.run(
            ["unshare", "-Urm", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"],
            capture_output=True,
        )
    except OSError:
        return False
    return done.returncode == 0


pytestmark = pytest.mark.skipif(not may_mount(), reason="no mount namespaces for users here")


@pytest.fixture
def small_disk(tmp_path):
    """Runs a command with so many kilobytes at `DISK`; (what ran, folder with what it left)."""
    disk, seen = tmp_path / "disk", tmp_path / "seen"
    disk.mkdir()
    seen.mkdir()

    def run(kilobytes, *command):
        command = [str(part).replace("DISK", str(disk / "out")) for part in command]
        done = subprocess.run(
            ["unshare", "-Urm", "sh", "-c", SCRIPT, "sh", f"{kilobytes}k", str(disk), *command],
            capture_output=True, text=True, timeout=120, env={**os.environ, "SEEN": str(seen)},
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done, seen / "out"

    return run


@pytest.fixture
def pairs(tmp_path):
    """Three pairs of noise, 37 KB each as fused PNG."""
    rng = np.random.default_rng(0)
    for side, shape in (("ir", (96, 128)), ("vi", (96, 128, 3))):
        (tmp_path / side).mkdir()
        for i in range(3):
            cv2.imwrite(str(tmp_path / side / f"{i}.png"), rng.integers(0, 255, shape, np.uint8))
    return tmp_path


@pytest.mark.parametrize("kilobytes", [8, 76, 120])
def test_egmt_fuse_leaves_whole_files_or_none_and_says_so(small_disk, pairs, kilobytes):
    """Room for nothing; for one image and all but the end of another; for all but labels.json."""
    done, out = small_disk(
        kilobytes, *EGMT, "fuse", pairs / "ir", pairs / "vi", "--out", "DISK", "--device", "cpu"
    )
    assert done.returncode == 1, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("egmt fuse: ") and "No space left" in line and "disk is full" in line
    left = sorted(path.name for path in out.iterdir())
    assert left == [f"{i}.png" for i in range(len(left))], "whole images and nothing else"
    for path in out.iterdir():
        assert cv2.imread(str(path)).shape == (96, 128, 3)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_that_finds_no_room_is_removed(small_disk, storage):
    done, out = small_disk(
        200, *EGMT, "bag", "synth", "DISK/bag", "--duration", "1", "--size", "128x96",
        "--storage", storage,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "out/bag cannot be written" in done.stderr and "disk is full" in done.stderr
    assert list(out.iterdir()) == []


def test_a_demo_whose_recording_finds_no_room_ends_and_says_so(small_disk, tmp_path, ros_domain):
    """The bag to play is there; its recording grows beyond the disk in the middle of the replay."""
    pytest.importorskip("rclpy", reason="rclpy is not installed")
    bag = tmp_path / "short"
    rng = np.random.default_rng(0)
    with BagWriter(bag) as writer:
        for topic in ("/thermal/image_raw", "/visible/image_raw"):
            writer.add_topic(topic, IMAGE)
        for i in range(40):
            stamp = 1_700_000_000_000_000_000 + i * 100_000_000
            for topic, shape in (("/thermal/image_raw", (96, 128)),
                                 ("/visible/image_raw", (96, 128, 3))):  # fmt: skip
                pixels = rng.integers(0, 255, shape, np.uint8)
                writer.write(topic, stamp, image_message(pixels, stamp, topic[1:8]))
    params = tmp_path / "params.yaml"  # nothing is to be prepared for the images' size
    params.write_text("/**:\n  ros__parameters:\n    model: {runtime: torch}\n")
    done, _ = small_disk(
        400, *EGMT, "demo", "--bag", bag, "--out", "DISK", "--device", "cpu", "--no-progress",
        "--params", params,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "cannot be written" in done.stderr and "No space left" in done.stderr, done.stderr


def test_a_node_whose_log_folder_is_full_goes_on(tmp_path, rig):
    """Its first lines fill the disk; it fuses, reports and ends as ever."""
    disk = tmp_path / "disk"
    disk.mkdir()
    program = (
        f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import conftest; "
        "from egmt_ros.ros import node, fusion_node; "
        "node.FusionNode.__init__.__kwdefaults__['engine_factory'] = conftest.FakeEngine().load; "
        "print('full:', open('/proc/mounts').read().count(sys.argv[-1]), flush=True); "
        "sys.exit(fusion_node.main(sys.argv[:-1]))"
    )
    script = (
        'mount -t tmpfs -o size=4k tmpfs "$1" || exit 99\nmkdir "$1/log"\n'
        'export ROS_LOG_DIR="$1/log"\n'
        'head -c 100000 /dev/zero > "$1/log/ballast" 2> /dev/null\nshift\nexec "$@"'
    )
    with (tmp_path / "log").open("w") as log:
        child = subprocess.Popen(
            ["unshare", "-Urm", "sh", "-c", script, "sh", str(disk), sys.executable, "-c", program,
             "--ros-args", "-p", "diagnostics.period:=0.1", "--", str(disk)],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        rig.listen()
        rig.wait(
            lambda: rig.messages["diagnostics"] and rig.status("model")[1]["state"] == "active",
            "the node is active", 40,
        )  # fmt: skip
        rig.wait(rig.connected, "all are connected", 40)
        for i in range(5):  # rejected: each would be a line
            rig.send("visible", 1_700_000_000_000_000_000 + i, width=0)
        rig.send_pair(1_700_000_001_000_000_000)
        rig.wait(lambda: rig.messages["image"], "a pair is fused", 40)
        rig.wait(lambda: rig.reported("visible")["rejected"] > 0, "faults are counted", 40)
        child.send_signal(signal.SIGINT)
        assert child.wait(40) == 0
        assert "full: 1" in (tmp_path / "log").read_text()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()

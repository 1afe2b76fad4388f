"""`egmt demo`: what it leaves behind, what it refuses, and its exit status."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from egmt_ros.errors import BagError, ConfigError, DataError, MissingDependencyError
from egmt_ros.evaluation import demo
from egmt_ros.evaluation.bags.bag_types import IMAGE, image_message
from egmt_ros.evaluation.bags.bag_writer import BagWriter
from egmt_ros.evaluation.live.environment import require_ros
from egmt_ros.evaluation.replay.inputs import find_inputs, fitting_parameters

START = 1_700_000_000_000_000_000


def _parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    return parser.parse_args([*arguments, "--no-progress"])


def _write_bag(path: Path, topics: dict[str, tuple[np.ndarray, int]], frames: int = 8) -> Path:
    """A bag of equal images at 20 Hz: topic -> (image, shift of its stamps in ns)."""
    with BagWriter(path) as writer:
        for topic in topics:
            writer.add_topic(topic, IMAGE)
        for i in range(frames):
            for topic, (image, shift) in topics.items():
                stamp = START + i * 50_000_000 + shift
                writer.write(topic, stamp, image_message(image, stamp, "camera"))
    return path


GREY = np.full((96, 128), 90, np.uint8)
COLOUR = np.full((96, 128, 3), 90, np.uint8)


@pytest.fixture
def ros() -> None:
    try:
        require_ros()
    except MissingDependencyError as error:
        pytest.skip(str(error))


def test_without_ros_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "rclpy", None)
    with pytest.raises(MissingDependencyError, match="rclpy.*make setup") as caught:
        demo.run(_parse("--out", str(tmp_path / "out")))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_folder_of_the_user_is_never_touched(ros, tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(DataError, match="not the output of an earlier demo"):
        demo.run(_parse("--out", str(tmp_path)))
    assert (tmp_path / "thesis.txt").read_text() == "all of it"


def _earlier_demo(out: Path) -> Path:
    """A folder that may be emptied."""
    out.mkdir()
    (out / ".egmt_demo").touch()
    (out / "index.html").write_text("an earlier demo's")
    return out


def test_a_source_in_the_folder_to_be_emptied_is_refused(ros, tmp_path, monkeypatch):
    out = _earlier_demo(tmp_path / "out")
    bag = _write_bag(out / "bag", {"/thermal/image_raw": (GREY, 0),
                                   "/visible/image_raw": (COLOUR, 0)})
    (out / "params.yaml").write_text("/**:\n  ros__parameters: {}\n")
    (tmp_path / "link").symlink_to(bag)
    monkeypatch.chdir(tmp_path)
    before = sorted(out.rglob("*"))
    for arguments in (("--bag", "out/bag"), ("--bag", str(next(bag.glob("*.mcap")))),
                      ("--bag", "link"), ("--data", "out"), ("--params", "out/params.yaml")):
        with pytest.raises(DataError, match=f"{arguments[0]} .* lies in --out out.*another --out"):
            demo.run(_parse(*arguments, "--out", "out"))
    assert sorted(out.rglob("*")) == before


def test_a_source_that_cannot_be_used_leaves_the_folder_as_it_is(ros, tmp_path):
    out = _earlier_demo(tmp_path / "out")
    thermal_only = _write_bag(tmp_path / "bag", {"/thermal/image_raw": (GREY, 0)})
    (tmp_path / "empty").mkdir()
    for error, *arguments in ((BagError, "--bag", tmp_path / "none"),
                              (BagError, "--bag", thermal_only),
                              (DataError, "--data", tmp_path / "empty"),
                              (ConfigError, "--params", tmp_path / "none.yaml")):
        with pytest.raises(error):
            demo.run(_parse(*map(str, arguments), "--out", str(out)))
        assert (out / "index.html").read_text() == "an earlier demo's"


@pytest.mark.parametrize("arguments", [("--rate", "0"), ("--loop", "0"), ("--duration", "-1")])
def test_senseless_numbers_are_refused(arguments, tmp_path):
    with pytest.raises(ConfigError, match="above 0"):
        demo.run(_parse("--out", str(tmp_path / "out"), *arguments))


def test_what_the_images_need_is_set(tmp_path):
    raw = np.full((60, 80), 30000, np.uint16)
    bag = _write_bag(tmp_path / "bag", {"/lwir/image": (raw, 0), "/rgb/image": (COLOUR, 0)})
    inputs = find_inputs(bag)
    assert (inputs.thermal_topic, inputs.visible_topic) == ("/lwir/image", "/rgb/image")
    assert fitting_parameters(inputs) == {
        "model.warm_up_width": 128, "model.warm_up_height": 96,
        "thermal.range_mode": "percentile", "registration.mode": "scale"}
    with pytest.raises(BagError, match="no topic /other"):
        find_inputs(bag, "/other")


def test_images_of_many_sizes_are_not_prepared_for_one_by_one(tmp_path):
    sizes = {"/thermal/image_raw": (60, 80), "/visible/image_raw": (60, 80, 3)}
    with BagWriter(bag := tmp_path / "bag") as writer:
        for topic in sizes:
            writer.add_topic(topic, IMAGE)
        for i in range(8):
            for topic, (height, *rest) in sizes.items():
                image = np.full((height + 4 * (i // 5), *rest), 90, np.uint8)
                stamp = START + i * 50_000_000
                writer.write(topic, stamp, image_message(image, stamp, "camera"))
    inputs = find_inputs(bag)
    assert inputs.sizes_vary
    assert fitting_parameters(inputs)["model.runtime"] == "torch"


def test_demo_leaves_everything_and_can_be_repeated(ros, ros_domain, tmp_path, capsys):
    bag = _write_bag(tmp_path / "bag", {
        "/thermal/image_raw": (GREY, 0), "/visible/image_raw": (COLOUR, 2_000_000)}, frames=20)
    out = _earlier_demo(tmp_path / "out")
    (out / "old").symlink_to(bag)
    assert demo.run(_parse("--bag", str(bag), "--out", str(out))) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["consistent"] is True
    assert not (out / "old").exists() and bag.exists()
    for side in ("thermal", "visible"):
        account = summary["inputs"][side]
        assert account["sent"] == 20
        assert account["in_flight"] == 0
    assert summary["outputs"]["published"] > 0
    assert (out / "bag" / "metadata.yaml").is_file()
    assert (out / "contact_sheet.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "index.html").read_text().count("<title>visible ") == 20
    printed = capsys.readouterr().out
    assert "release to publish" in printed and "visible     20" in printed


def test_nothing_fused_is_a_failure(ros, ros_domain, tmp_path, capsys):
    bag = _write_bag(tmp_path / "bag", {
        "/thermal/image_raw": (GREY, 0), "/visible/image_raw": (COLOUR, 20_000_000)})
    params = tmp_path / "params.yaml"
    params.write_text("/**:\n  ros__parameters:\n    sync:\n      max_gap: 0.001\n"
                      "    model:\n      warm_up_width: 0\n      warm_up_height: 0\n"
                      "      runtime: torch\n")
    out = tmp_path / "out"
    assert demo.run(_parse("--bag", str(bag), "--out", str(out), "--params", str(params))) == 1
    account = json.loads((out / "summary.json").read_text())["inputs"]["visible"]
    assert account["fused"] == 0 and account["unpaired"] == account["received"]
    assert "Nothing was fused" in capsys.readouterr().err
    assert (out / "index.html").is_file()

"""`egmt bag export`: the node's pairs as images, and annotation files that can be filled in."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.cli import main
from egmt_ros.entities.annotations import Annotations
from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import BagError, DataError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import ENTITIES, IMAGE, image_message
from egmt_ros.evaluation.bags.bag_writer import BagWriter
from egmt_ros.evaluation.bags.export_pairs import export_pairs
from egmt_ros.evaluation.bags.truth_messages import (
    PARTIAL,
    TRUTH_TOPIC,
    WHOLE,
    TruthLabel,
    truth_message,
)
from egmt_ros.evaluation.fusion.pair_source import find_tasks
from egmt_ros.resources import config_path

MS = 1_000_000
START = 1_760_000_000_000 * MS
THERMAL, VISIBLE = "/thermal/image_raw", "/visible/image_raw"
VOCABULARY = load_vocabulary(config_path("vocabulary.yaml"))
CHECKED = "0 errors, 0 warnings"


def thermal_image(k: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(k).integers(0, np.iinfo(dtype).max, (64, 80)).astype(dtype)


def visible_image(k: int, shape: tuple[int, ...] = (64, 80, 3)) -> np.ndarray:
    return np.random.default_rng(100 + k).integers(0, 255, shape, np.uint8)


def make_bag(
    path: Path,
    frames: int = 6,
    *,
    dtype: type = np.uint8,
    late: int = 10,
    shape: tuple[int, ...] = (64, 80, 3),
) -> Path:
    """Both cameras at 10 Hz, thermal stamps `late` ms later; the third visible frame is missing."""
    with BagWriter(path) as writer:
        writer.add_topic(THERMAL, IMAGE)
        writer.add_topic(VISIBLE, IMAGE)
        for k in range(frames):
            stamp = START + 100 * k * MS
            if k != 2:
                image = image_message(visible_image(k, shape), stamp, "camera")
                writer.write(VISIBLE, stamp + MS, image)
            warm = stamp + late * MS
            writer.write(THERMAL, warm + MS, image_message(thermal_image(k, dtype), warm, "t"))
    return path


def stems(folder: Path) -> list[int]:
    names = [sorted(path.stem for path in (folder / side).iterdir()) for side in ("ir", "vi")]
    assert names[0] == names[1]
    return [(int(name) - START) // (100 * MS) for name in names[0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pairs_are_those_of_the_node_and_their_pixels_are_kept(
    tmp_path: Path, dtype: type
) -> None:
    bag = make_bag(tmp_path / "street", dtype=dtype)
    done = export_pairs(bag, tmp_path / "data", split="test")
    split = tmp_path / "data" / "street" / "test"
    assert done.pairs == done.paired == 5 and stems(split) == [0, 1, 3, 4, 5]
    for k in stems(split):
        name = f"{START + 100 * k * MS}.png"
        warm = cv2.imread(str(split / "ir" / name), cv2.IMREAD_UNCHANGED)
        assert warm.dtype == dtype and np.array_equal(warm, thermal_image(k, dtype))
        assert np.array_equal(cv2.imread(str(split / "vi" / name)), visible_image(k))
    assert len(find_tasks(tmp_path / "data", ["test"], {}).tasks) == 5
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["street"]


def test_every_and_max(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag", frames=12)
    export_pairs(bag, tmp_path, name="some", every=3, most=2)
    assert stems(tmp_path / "some" / "train") == [0, 4]
    done = export_pairs(bag, tmp_path, name="all", every=4)
    assert (done.pairs, done.paired) == (3, 11)


def test_parameters_pair_and_register(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag", late=60, shape=(128, 160, 3))
    with pytest.raises(DataError, match="no two frames.*are a pair.*sync.thermal_offset"):
        export_pairs(make_bag(tmp_path / "far", late=51, frames=1), tmp_path, name="none")
    params = tmp_path / "params.yaml"
    params.write_text("/**: {ros__parameters: {sync: {thermal_offset: -0.06}}}\n")
    with pytest.raises(DataError, match="5 of them: thermal image is 80x64.*registration.mode"):
        export_pairs(bag, tmp_path, name="none", params_file=params)
    params.write_text(
        "/**: {ros__parameters: {sync: {thermal_offset: -0.06}, registration: {mode: scale}}}\n"
    )
    export_pairs(bag, tmp_path, name="scaled", params_file=params)
    split = tmp_path / "scaled" / "train"
    assert stems(split) == [0, 1, 3, 4, 5]
    assert cv2.imread(str(next((split / "ir").iterdir()))).shape[:2] == (128, 160)
    assert not (tmp_path / "none").exists()


def test_a_skeleton_claims_nothing_and_can_be_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = export_pairs(make_bag(tmp_path / "bag"), tmp_path, name="Park")
    folder = tmp_path / "Park"
    assert done.skeleton == (0, ("annotations.json",)) and done.truth is None
    annotations = Annotations(folder, VOCABULARY)
    assert len(annotations.pairs) == 5
    assert all(set(annotations.target(pair).tolist()) == {-1} for pair in annotations.pairs)
    assert main(["annotate", "check", str(folder)]) == 0
    assert CHECKED in capsys.readouterr().out
    # A person goes through one pair: a person in the thermal image, nothing else anywhere.
    content = json.loads((folder / "annotations.json").read_text())
    assert content["annotated_by"].startswith("nobody yet")
    entry = content["pairs"][str(START)]
    entry["infrared"]["entities"], entry["unsure"] = ["person"], []
    (folder / "annotations.json").write_text(json.dumps(content))
    assert main(["annotate", "check", str(folder)]) == 0
    target = Annotations(folder, VOCABULARY).target(str(START))
    assert target.tolist() == [int(name == "person") for name in VOCABULARY.names]


def test_the_truth_of_the_bag_comes_back_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = VOCABULARY.names
    shares = {"person": 1.0, "car": 0.0, "road": 0.5, "tree": float("nan")}
    labels = [TruthLabel(names.index(n), n, True, share) for n, share in shares.items()]
    partial = [*labels[:1], TruthLabel(names.index("sky"), "sky", False)]
    bag = make_bag(tmp_path / "whole")
    with BagSource(bag) as source, BagWriter(tmp_path / "bag") as writer:
        for topic in (THERMAL, VISIBLE):
            writer.add_topic(topic, IMAGE)
        writer.add_topic(TRUTH_TOPIC, ENTITIES)
        for record in source:
            writer.write_raw(record.topic, record.stamp, record.data)
        for k, known, model in ((0, labels, WHOLE), (1, partial, PARTIAL), (2, labels, WHOLE)):
            stamp = START + 100 * k * MS
            message = truth_message(known, stamp, "camera", (80, 64), model)
            writer.write(TRUTH_TOPIC, stamp + 200 * MS, message)
    done = export_pairs(tmp_path / "bag", tmp_path / "data")
    folder = tmp_path / "data" / "bag"
    assert done.truth == TRUTH_TOPIC and done.skeleton.known == 2
    annotations = Annotations(folder, VOCABULARY)
    first, second, fourth = (str(START + 100 * k * MS) for k in (0, 1, 3))
    assert annotations.target(first).tolist() == [int(n in shares) for n in names]
    known = {"person": 1, "sky": 0}
    assert annotations.target(second).tolist() == [known.get(n, -1) for n in names]
    assert set(annotations.target(fourth).tolist()) == {-1}
    thermal, visible = (annotations.target_in(first, side) for side in ("thermal", "visible"))
    pick = [names.index(n) for n in shares]
    assert thermal[pick].tolist() == [1, 0, 1, -1] and visible[pick].tolist() == [0, 1, 1, -1]
    assert main(["annotate", "check", str(folder)]) == 0
    assert CHECKED in capsys.readouterr().out
    without = export_pairs(tmp_path / "bag", tmp_path, name="none", truth_topic="")
    assert without.skeleton.known == 0


def test_repeated_stamps_and_palettes_are_left_out(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic(THERMAL, IMAGE)
        writer.add_topic(VISIBLE, IMAGE)
        for k, stamp in enumerate([*range(0, 3000, 500), *range(0, 1000, 500)]):
            stamp, time = START + stamp * MS, START + 500 * k * MS
            warm = visible_image(k) if k == 1 else thermal_image(k)
            writer.write(THERMAL, time, image_message(warm, stamp, "t"))
            writer.write(VISIBLE, time, image_message(visible_image(k), stamp, "v"))
    done = export_pairs(tmp_path / "bag", tmp_path, name="loop")
    (reason,) = done.refused
    assert "thermal image is coloured" in reason and done.refused[reason] == 1
    # The second round shows the pair again whose thermal image was coloured, now a grey one.
    assert (done.pairs, done.paired, done.repeated) == (6, 8, 1)


def test_what_is_there_is_kept_and_errors_come_first(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / "bag")
    (tmp_path / "data" / "mine").mkdir(parents=True)
    (tmp_path / "data" / "mine" / "annotations.json").write_text("{}")
    for arguments, error, words in (
        ({"name": "mine"}, DataError, "exists already, and annotations"),
        ({"name": "../mine"}, DataError, "--set is '../mine'"),
        ({"split": ".hidden"}, DataError, "--split is '.hidden'"),
        ({"every": 0}, DataError, "--every is 0"),
        ({"most": 0}, DataError, "--max is 0"),
        ({"thermal_topic": "/other"}, BagError, "no topic /other"),
        ({"truth_topic": VISIBLE}, BagError, "EntityLabelArray"),
    ):
        with pytest.raises(error, match=words):
            export_pairs(bag, tmp_path / "data", **arguments)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="data set .*file/bag cannot be made.*may be written"):
        export_pairs(bag, tmp_path / "file")
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["mine"]
    assert (tmp_path / "data" / "mine" / "annotations.json").read_text() == "{}"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = make_bag(tmp_path / "bag", dtype=np.uint16)
    command = ["bag", "export", str(bag), str(tmp_path / "data"), "--max", "2", "--set", "night"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert f"night: 2 of 2 pairs of {THERMAL} and {VISIBLE}" in said.out
    assert f"egmt annotate check {tmp_path}/data/night" in said.out
    assert "thermal.range_mode is percentile" not in said.err  # nothing is fused here
    assert main(command) == 1
    assert "exists already" in capsys.readouterr().err

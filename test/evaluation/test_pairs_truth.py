"""Bags of pairs with cameras' faults, and with what is known of the pairs' entities."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from egmt_ros.cli import main
from egmt_ros.entities.annotations import Annotations
from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import BagError, DataError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.pair_cameras import PairCameras, add_noise, plan_shots
from egmt_ros.evaluation.bags.pairs_bag import FOUND, write_pairs_bag
from egmt_ros.evaluation.bags.synthetic_bag import THERMAL_TOPIC, VISIBLE_TOPIC
from egmt_ros.evaluation.bags.truth_messages import TRUTH_TOPIC
from egmt_ros.pipeline.frames import Side
from egmt_ros.resources import config_path, released_annotations

REAL = Path(__file__).parents[3] / "shared" / "data"
SECOND = 1_000_000_000
NAMES = load_vocabulary(config_path("vocabulary.yaml")).names


def stamp_of(message: Any) -> int:
    return message.header.stamp.sec * SECOND + message.header.stamp.nanosec


def read(bag: Path, topic: str) -> list[Any]:
    with BagSource(bag) as source:
        return [source.deserialize(r.data, r.msgtype) for r in source.messages([topic])]


def pixels(message: Any) -> np.ndarray:
    dtype = np.uint16 if message.encoding == "mono16" else np.uint8
    shape = (message.height, message.width, *((3,) if message.encoding == "bgr8" else ()))
    return message.data.view(dtype).reshape(shape)


def make_split(folder: Path, stems: str = "abc", dtype: type = np.uint8) -> Path:
    """Pairs in which every pixel says which pair it is."""
    for side, shape in (("ir", (64, 80)), ("vi", (64, 80, 3))):
        (folder / side).mkdir(parents=True)
        for number, stem in enumerate(stems):
            image = np.full(shape, 50 * (number + 1), dtype if side == "ir" else np.uint8)
            assert cv2.imwrite(str(folder / side / f"{stem}.png"), image)
    return folder


@pytest.fixture
def split(tmp_path: Path) -> Path:
    return make_split(tmp_path / "Park" / "test")


def test_each_camera_shows_the_newest_pair(split: Path, tmp_path: Path) -> None:
    cameras = PairCameras(thermal_rate=5.0, visible_rate=30.0, offset=0.25)
    index = tmp_path / "index.csv"
    counts = write_pairs_bag(split, tmp_path / "bag", rate=10.0, cameras=cameras, index=index)
    assert counts == {THERMAL_TOPIC: 2, VISIBLE_TOPIC: 9}
    visible, thermal = read(tmp_path / "bag", VISIBLE_TOPIC), read(tmp_path / "bag", THERMAL_TOPIC)
    assert [int(m.data[0]) for m in visible] == [50] * 3 + [100] * 3 + [150] * 3
    assert [int(m.data[0]) for m in thermal] == [50, 150]
    start = stamp_of(visible[0])
    assert [stamp_of(m) - start for m in visible] == [round(k * SECOND / 30) for k in range(9)]
    assert [stamp_of(m) - start for m in thermal] == [SECOND // 4, SECOND // 4 + SECOND // 5]
    with index.open() as stream:
        rows = list(csv.DictReader(stream))
    stems = {(row["side"], int(row["stamp"])): row["stem"] for row in rows}
    assert len(rows) == 11 and stems[("thermal", stamp_of(thermal[1]))] == "c"
    assert [stems[("visible", stamp_of(m))] for m in visible] == [*"aaabbbccc"]


def test_faults_follow_the_seed() -> None:
    cameras = PairCameras(jitter=0.002, drops=0.2, seed=3)
    shots = plan_shots(2000, 30.0, 1, cameras)
    assert shots == plan_shots(2000, 30.0, 1, cameras)
    assert shots != plan_shots(2000, 30.0, 1, PairCameras(jitter=0.002, drops=0.2, seed=4))
    for side in Side:
        mine = [shot for shot in shots if shot.side is side]
        assert 0.75 < len(mine) / 2000 < 0.85
        late = [s.stamp - shots[0].stamp - s.pair * SECOND / 30 for s in mine]
        assert 0.0017e9 < np.std(late) < 0.0023e9
        assert all(a.stamp < b.stamp for a, b in zip(mine, mine[1:], strict=False))
    assert [s.bag_time for s in shots] == sorted(s.bag_time for s in shots)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_noise_is_that_of_the_sensor(dtype: type) -> None:
    image = np.full((200, 200), 120, dtype)
    noisy = add_noise(image, 4.0, np.random.default_rng(0))
    assert noisy.dtype == dtype and 3.8 < noisy.astype(float).std() < 4.2
    assert add_noise(image, 0.0, np.random.default_rng(0)) is image
    dark = add_noise(np.zeros((9, 9), dtype), 4.0, np.random.default_rng(0))
    assert dark.min() == 0 and dark.max() < 30


def test_noise_differs_between_frames_of_one_pair(split: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_pairs_bag(split, tmp_path / name, repeat=2, cameras=PairCameras(noise=3.0))
    first, again = (read(tmp_path / name, THERMAL_TOPIC) for name in ("one", "two"))
    assert not np.array_equal(first[0].data, first[1].data)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"thermal_rate": 0.0}, "thermal_rate .* 0.0; expected Hz, above 0"),
        ({"visible_rate": math.inf}, "visible_rate"),
        ({"jitter": math.nan}, "jitter .* nan; expected a time"),
        ({"offset": math.inf}, "offset"),
        ({"drops": 1.0}, "drops .* 1.0; expected a share"),
        ({"noise": -1.0}, "noise"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_cameras_are_named(wrong: dict[str, float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        PairCameras(**wrong)


def test_a_camera_without_frames_is_refused() -> None:
    with pytest.raises(DataError, match="no frame of 2 pairs.*drops=0.99"):
        plan_shots(2, 10.0, 1, PairCameras(drops=0.99))


def annotated(names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    """Two of the pairs: one of which all is known, one with doubts."""
    return {
        "format": "egmt-annotations",
        "version": 1,
        "dataset": "Park",
        "annotated_by": "me",
        "vocabulary": list(names),
        "pairs": {
            "a": {
                "split": "test",
                "infrared": {"entities": ["person", "road"]},
                "visible": {"entities": ["car", "road"]},
            },
            "b": {
                "split": "test",
                "infrared": {"entities": ["person"]},
                "visible": {"entities": []},
                "unsure": ["tree", "sky"],
            },
        },
    }


def truths(bag: Path) -> list[tuple[str, dict[str, tuple[bool, float]]]]:
    return [
        (m.model_id, {x.name: (x.present, float(x.thermal_share)) for x in m.labels})
        for m in read(bag, TRUTH_TOPIC)
    ]


def test_labels_beside_the_split_become_a_topic(split: Path, tmp_path: Path) -> None:
    (split.parent / "annotations.json").write_text(json.dumps(annotated()))
    (split.parent / "labels.json").write_text('{"b": ["car"]}')
    (split.parent / "labels_meta.json").write_text('{"annotated_vocabulary": ["car"]}')
    bag = tmp_path / "bag"
    counts = write_pairs_bag(split, bag, labels=FOUND)
    assert counts[TRUTH_TOPIC] == 3
    first, second, third = truths(bag)
    whole = {"person": (True, 1.0), "road": (True, 0.5), "car": (True, 0.0)}
    assert first == ("ground_truth", whole)
    assert second[0] == "ground_truth_partial"
    assert set(second[1]) == set(NAMES) - {"tree", "sky"}
    assert second[1]["person"] == (True, 1.0)
    assert second[1]["car"][0] and math.isnan(second[1]["car"][1])  # labelled by people alone
    assert not second[1]["road"][0]
    assert third == ("ground_truth_partial", {})
    labelled = [stamp_of(m) for m in read(bag, TRUTH_TOPIC)]
    assert labelled == [stamp_of(m) for m in read(bag, VISIBLE_TOPIC)]
    message = read(bag, TRUTH_TOPIC)[0]
    assert (message.width, message.height) == (80, 64)


def test_labels_of_a_file_and_of_another_vocabulary(split: Path, tmp_path: Path) -> None:
    file, names = tmp_path / "mine.json", tmp_path / "names.yaml"
    file.write_text(json.dumps(annotated(("person", "road", "car", "tree", "sky"))))
    names.write_text(
        'text_encoder: x\ntemplate: "{}"\nentities: [{name: person}, {name: road}, {name: deer}]\n'
    )
    write_pairs_bag(split, tmp_path / "bag", labels=file, vocabulary=names)
    first, second, _ = truths(tmp_path / "bag")
    assert first == ("ground_truth_partial", {"person": (True, 1.0), "road": (True, 0.5)})
    assert list(second[1]) == ["person", "road"]


def test_released_annotations_are_found_by_the_name(tmp_path: Path) -> None:
    released = released_annotations() / "tno.json"
    stem = min(json.loads(released.read_text())["pairs"])
    split = make_split(tmp_path / "tno" / "test", [stem, "other"])
    write_pairs_bag(split, tmp_path / "bag", labels=FOUND)
    known = [len(labels) for _, labels in truths(tmp_path / "bag")]
    assert sorted(known)[0] == 0 and max(known) > 1


def test_no_labels_of_these_pairs(split: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no annotations of the pairs.*labels.json.*give their"):
        write_pairs_bag(split, tmp_path / "bag", labels=FOUND)
    with pytest.raises(DataError, match="knows none of the 3 pairs.*'a'"):
        write_pairs_bag(split, tmp_path / "bag", labels=released_annotations() / "msrs.json")
    with pytest.raises(DataError, match="gone.json do not exist"):
        write_pairs_bag(split, tmp_path / "bag", labels=tmp_path / "gone.json")
    assert [p.name for p in tmp_path.iterdir()] == ["Park"]


def test_nothing_is_left_of_a_bag_that_fails(split: Path, tmp_path: Path) -> None:
    bag, index = tmp_path / "bag", tmp_path / "gone" / "index.csv"
    with pytest.raises(DataError, match="index .* in a folder that is there"):
        write_pairs_bag(split, bag, index=index)
    write_pairs_bag(split, bag)
    before = (bag / "bag.mcap").read_bytes()
    damaged = split / "vi" / "c.png"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    with pytest.raises(DataError, match="c.png cannot be read"):
        write_pairs_bag(split, bag, overwrite=True)
    assert (bag / "bag.mcap").read_bytes() == before
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes").write_text("keep")
    with pytest.raises(BagError, match="not a bag"):
        write_pairs_bag(split, mine, overwrite=True)
    assert (mine / "notes").read_text() == "keep"
    assert {p.name for p in tmp_path.iterdir()} == {"Park", "bag", "mine"}


def test_the_command(split: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (split.parent / "annotations.json").write_text(json.dumps(annotated()))
    bag = tmp_path / "bag"
    command = ["bag", "from-pairs", str(split), str(bag), "--thermal-rate", "5", "--labels"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "labels of 2 of 3 pairs" in said.out and f"3 {TRUTH_TOPIC}" in said.out
    assert "1 pairs are in no thermal frame" in said.err
    assert main(["bag", "from-pairs", str(split), str(bag), "--drops", "2"]) == 1
    assert "drops of the cameras is 2.0" in capsys.readouterr().err


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared is not here")
def test_real_pairs_come_back_whole(tmp_path: Path) -> None:
    split = REAL / "MSRS" / "test"
    bag = tmp_path / "bag"
    counts = write_pairs_bag(split, bag, labels=FOUND)
    files = sorted((split / "vi").iterdir())
    assert set(counts.values()) == {len(files)} and len(counts) == 3
    vocabulary = load_vocabulary(config_path("vocabulary.yaml"))
    annotations = Annotations(split.parent, vocabulary)
    with BagSource(bag) as source:
        records = {t: source.messages([t]) for t in counts}
        for path in files:
            thermal, visible, truth = (
                source.deserialize(next(records[t]).data, source.topic(t).msgtype)
                for t in (THERMAL_TOPIC, VISIBLE_TOPIC, TRUTH_TOPIC)
            )
            assert stamp_of(thermal) == stamp_of(visible) == stamp_of(truth)
            own = next((split / "ir").glob(f"{path.stem}.*"))
            assert np.array_equal(pixels(thermal), cv2.imread(str(own), cv2.IMREAD_GRAYSCALE))
            assert np.array_equal(pixels(visible), cv2.imread(str(path)))
            known = {label.name: int(label.present) for label in truth.labels}
            rest = 0 if truth.model_id == "ground_truth" else -1
            found = [known.get(name, rest) for name in NAMES]
            assert found == annotations.target(path.stem).tolist()

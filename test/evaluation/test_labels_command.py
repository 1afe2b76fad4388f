"""egmt evaluate labels, on a made-up data set and on the real one."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import ConfigError, DataError
from egmt_ros.evaluation.labels import labels_command
from egmt_ros.evaluation.labels.label_evaluation import as_markdown, evaluate_labels
from egmt_ros.evaluation.labels.modality import entity_regions, read_box_counts, shown_in
from egmt_ros.resources import config_path

DATA = Path(__file__).parents[3] / "shared" / "data"


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    labels_command.add_arguments(parser)
    return labels_command.run(parser.parse_args([str(a) for a in arguments]))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One data set of 12 pairs a split, a few scenes; people looked for person and car."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data" / "MSRS"
    labels, boxes = {}, {}
    number = 0
    for split in ("train", "val", "test"):
        for kind in ("ir", "vi", "seg"):
            (folder / split / kind).mkdir(parents=True)
        for index in range(12):
            number += 25 if index % 3 == 0 else 4
            stem = f"{number:05d}N"
            bright = index % 2
            thermal = rng.integers(0, 128, (64, 80), np.uint8) + np.uint8(120 * bright)
            visible = rng.integers(0, 256, (64, 80, 3), np.uint8)
            mask = np.zeros((64, 80), np.uint8)
            mask[10:30, 20:40] = 2 * bright
            for kind, image in (("ir", thermal), ("vi", visible), ("seg", mask)):
                cv2.imwrite(str(folder / split / kind / f"{stem}.png"), image)
            labels[stem] = ["person"] * bright + ["car"] * (index % 3 == 0)
            boxes[stem] = {
                "infrared": {"person": 1} if bright else {},
                "visible": {"person": 1} if index == 1 else {},
                "fusion": {},
            }
    (folder / "labels.json").write_text(json.dumps(labels))
    meta = {"annotated_vocabulary": ["person", "car", "tank"]}
    (folder / "labels_meta.json").write_text(json.dumps(meta))
    (folder / "labels_by_modality.json").write_text(json.dumps(boxes))
    return tmp_path / "data"


def test_tables_and_json(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "labels.json"
    assert run("--data", data, "--probe", "pixels", "--resamples", 50, "--out", out) == 0
    found = json.loads(out.read_text())
    assert set(found["scores"]) == {"all", "MSRS"} and found["counted"] == "MSRS"
    assert found["by_people"] == {"MSRS": ["person", "car"]}
    table = {row["name"]: row for row in found["scores"]["MSRS"]["entities"]}
    assert table["person"]["known"] == 12 and table["person"]["positives"] == 6
    assert table["person"]["others"]["pixels"] == 1.0  # brightness tells: the probe finds it
    assert table["sky"]["known"] == 0 and table["sky"]["ap"]["value"] is None
    assert found["scores"]["all"]["groups"] == 4
    assert found["scores"]["all"]["counted"]["entities"] == []  # fewer than 10 positives
    shown = {row["shown"]: row for row in found["shown"]["MSRS"] if row["entity"] == "person"}
    assert [shown[way]["frames"] for way in ("both", "thermal alone", "neither")] == [1, 5, 6]
    alone = found["pointing"]["boxed on the thermal image alone"]
    assert {(row["region"], row["frames"]) for row in alone} == {
        ("mask pixels", 5),
        ("boxes around mask parts", 5),
    }
    assert found["held_out"]["MSRS"]["pixels"]["frames"] == 24
    text = capsys.readouterr().out
    for line in ("## Macro AP", "| person | thermal alone | 5 |", "Probe `pixels`: C = "):
        assert line in text


def test_without_a_probe_train_and_val_are_not_needed(data: Path) -> None:
    evaluation = evaluate_labels(data / "MSRS", "test", counted=["Road"], resamples=20)
    assert evaluation.counted is None and evaluation.probes == {}
    assert evaluation.held_out == {"MSRS": {}}
    assert "probe" not in as_markdown(evaluation)
    by_frame = evaluate_labels(data, "test", draw_scenes=False, resamples=20)
    assert by_frame.scores["all"].groups == 12
    same = by_frame.scores["all"].of("person"), evaluation.scores["all"].of("person")
    assert same[0].ap.value == same[1].ap.value and same[0].f1 == same[1].f1


def test_what_is_wrong_is_named(data: Path) -> None:
    with pytest.raises(ConfigError, match="--probe names 'magic'"):
        run("--data", data, "--probe", "pixels,magic")
    with pytest.raises(DataError, match="no pairs in"):
        run("--data", data, "--split", "night")
    cv2.imwrite(str(next((data / "MSRS/test/vi").iterdir())), np.zeros((60, 80, 3), np.uint8))
    with pytest.raises(DataError, match="80x64 uint8 and .* 80x60"):
        run("--data", data)


def test_the_real_annotations_of_val() -> None:
    folder = DATA / "MSRS"
    if not (folder / "val").is_dir():
        pytest.skip("../shared is not here")
    words = load_vocabulary(config_path("vocabulary.yaml"))
    counts = read_box_counts(folder, words)
    frames = [path.stem for path in (folder / "val" / "ir").iterdir()]
    ways = Counter(shown_in(counts[frame], "person") for frame in frames)
    assert ways == {"both": 23, "thermal alone": 18, "neither": 5}
    regions = entity_regions(folder, "val", "person", words)
    assert set(regions) == {"mask pixels", "boxes around mask parts"}
    for frame, mask in regions["mask pixels"].items():
        assert mask.sum() <= regions["boxes around mask parts"][frame].sum()
    assert len(regions["mask pixels"]) == 39

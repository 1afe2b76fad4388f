"""Folders of real pairs: finding, reading, turning into a bag."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.errors import DataError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import IMAGE
from egmt_ros.evaluation.bags.pair_folder import scan_pairs
from egmt_ros.evaluation.bags.pair_images import letterbox
from egmt_ros.evaluation.bags.pairs_bag import write_pairs_bag
from egmt_ros.evaluation.bags.synthetic_bag import THERMAL_TOPIC, VISIBLE_TOPIC


def put(path: Path, shape: tuple[int, ...], value: int = 0, dtype: type = np.uint8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(value).integers(0, 200, shape).astype(dtype)
    assert cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    for k, size in enumerate([(48, 64), (48, 64), (40, 50)]):
        put(tmp_path / f"data/ir/{k:03d}.png", size, k)
        put(tmp_path / f"data/vi/{k:03d}.{'png' if k else 'bmp'}", (*size, 3), k + 10)
    return tmp_path / "data"


def test_pairs_are_found_by_stem(folder):
    pairs = scan_pairs(folder).pairs
    assert [p.stem for p in pairs] == ["000", "001", "002"]
    assert pairs[0].thermal.name == "000.png" and pairs[0].visible.name == "000.bmp"
    assert scan_pairs(folder / "ir", folder / "vi").pairs == pairs


@pytest.mark.parametrize(("warm", "seen"), [("infrared", "visible"), ("thermal", "RGB")])
def test_other_folder_names(tmp_path, warm, seen):
    put(tmp_path / warm / "a.png", (8, 8))
    put(tmp_path / seen / "a.jpg", (8, 8, 3))
    assert [p.stem for p in scan_pairs(tmp_path).pairs] == ["a"]


def test_files_without_partner_are_reported(folder):
    put(folder / "ir/lonely.png", (8, 8))
    put(folder / "vi/single.png", (8, 8, 3))
    (folder / "vi/notes.txt").write_text("no image")
    scan = scan_pairs(folder)
    assert len(scan.pairs) == 3
    assert [p.name for p in scan.unmatched_thermal] == ["lonely.png"]
    assert [p.name for p in scan.unmatched_visible] == ["single.png"]
    assert "2 files" in scan.note() and "ir/lonely.png" in scan.note()


def test_wrong_folders_are_named(tmp_path, folder):
    with pytest.raises(DataError, match="no folder.*ir and vi"):
        scan_pairs(tmp_path / "nothing")
    with pytest.raises(DataError, match="no thermal folder.*subfolders: data"):
        scan_pairs(tmp_path)
    put(folder / "thermal/a.png", (8, 8))
    with pytest.raises(DataError, match="several thermal folders: ir, thermal"):
        scan_pairs(folder)
    put(tmp_path / "b/ir/a.png", (8, 8))
    put(tmp_path / "b/vi/c.png", (8, 8))
    with pytest.raises(DataError, match="no pair.*same name"):
        scan_pairs(tmp_path / "b")
    put(tmp_path / "b/ir/a.jpg", (8, 8))
    with pytest.raises(DataError, match="two images of the name a"):
        scan_pairs(tmp_path / "b")


def test_bag_of_pairs(folder, tmp_path):
    counts = write_pairs_bag(folder, tmp_path / "bag", rate=20.0, repeat=2)
    assert counts == {THERMAL_TOPIC: 6, VISIBLE_TOPIC: 6}
    with BagSource(tmp_path / "bag") as bag:
        found: dict[str, list] = {THERMAL_TOPIC: [], VISIBLE_TOPIC: []}
        for record in bag:
            found[record.topic].append(bag.deserialize(record.data, IMAGE))
    stamps = [
        [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages]
        for messages in found.values()
    ]
    assert stamps[0] == stamps[1] and set(np.diff(stamps[0])) == {50_000_000}
    first = found[VISIBLE_TOPIC][0]
    assert first.encoding == "bgr8" and found[THERMAL_TOPIC][0].encoding == "mono8"
    image = first.data.reshape(first.height, first.width, 3)
    assert np.array_equal(image, cv2.imread(str(folder / "vi/000.bmp")))
    assert (found[THERMAL_TOPIC][-1].width, found[THERMAL_TOPIC][-1].height) == (50, 40)


def test_unequal_sizes_in_a_pair(folder, tmp_path, capsys):
    put(folder / "ir/009.png", (24, 64))
    put(folder / "vi/009.png", (48, 64, 3))
    with pytest.raises(DataError, match="009.*64x24.*64x48.*mismatch"):
        write_pairs_bag(folder, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert write_pairs_bag(folder, tmp_path / "b", mismatch="skip")[VISIBLE_TOPIC] == 3
    assert "skipped: 009" in capsys.readouterr().err
    assert write_pairs_bag(folder, tmp_path / "c", mismatch="letterbox")[VISIBLE_TOPIC] == 4
    for k in range(3):
        (folder / f"ir/{k:03d}.png").unlink()
    with pytest.raises(DataError, match="every pair was skipped"):
        write_pairs_bag(folder, tmp_path / "d", mismatch="skip")


def test_letterbox_keeps_the_aspect():
    image = np.full((10, 20), 7, np.uint8)
    out = letterbox(image, 40, 40)
    assert out.shape == (40, 40)
    assert (out[10:30] == 7).all() and (out[:10] == 0).all() and (out[30:] == 0).all()

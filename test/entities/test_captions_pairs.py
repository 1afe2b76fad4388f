"""Captioning pairs of real image files with a captioner that counts: cache, resuming, files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from egmt_ros.entities.captions.caption_cache import CaptionCache
from egmt_ros.entities.captions.caption_file import read_caption_file
from egmt_ros.entities.captions.caption_target import CaptionTarget, open_targets
from egmt_ros.entities.captions.captioning import CaptioningResult, caption_pairs
from egmt_ros.entities.captions.pair_folders import find_data_sets
from egmt_ros.errors import ConfigError, DataError, DeviceError, InputError

LABEL = "tiny@1"


def write_image(path: Path, seed: int, depth: type = np.uint8, colour: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    shape = (24, 32, 3) if colour else (24, 32)
    high = 256 if depth is np.uint8 else 20_000
    assert cv2.imwrite(str(path), rng.integers(high // 2, high, shape).astype(depth))


def make_pairs(folder: Path, *names: str, split: str = "train") -> Path:
    for seed, name in enumerate(names):
        write_image(folder / split / "ir" / f"{name}.png", seed)
        write_image(folder / split / "vi" / f"{name}.png", 100 + seed, colour=True)
    return folder


class Counting:
    """Captions an image by its mean, and remembers what it was asked."""

    def __init__(self, stop_at: int = 10**9, stop_with: BaseException | None = None) -> None:
        self.prompts = {"infrared": "warm", "visible": "seen"}
        self.batches: list[tuple[str, int]] = []
        self._stop_at, self._stop_with = stop_at, stop_with

    @property
    def images(self) -> int:
        return sum(count for _, count in self.batches)

    def caption(self, images: Sequence[np.ndarray], prompt: str) -> list[str]:
        if len(self.batches) >= self._stop_at and self._stop_with is not None:
            raise self._stop_with
        self.batches.append((prompt, len(images)))
        assert all(i.dtype == np.uint8 and i.ndim == 3 and i.shape[2] == 3 for i in images)
        return [f"{prompt} {image.mean():.3f}" for image in images]


def caption(
    data: Path, captioner: Counting, cache: Path, batch_size: int = 2, splits: Sequence[str] = ()
) -> tuple[list[CaptionTarget], CaptioningResult]:
    """What the command does, with another captioner."""
    targets, result = open_targets(find_data_sets(data, splits), None), CaptioningResult()
    tasks = [task for target in targets for task in target.tasks]
    with CaptionCache(cache, "tiny", LABEL, {}) as stored:
        try:
            caption_pairs(tasks, captioner, stored, batch_size, result)
        finally:
            for target in targets:
                target.write(result.captions, LABEL)
    return targets, result


def entries(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "captions.json").read_text())


def test_both_images_of_every_pair(tmp_path: Path) -> None:
    data = make_pairs(tmp_path / "set", "a", "b", "c")
    make_pairs(data, "d", split="val")
    captioner = Counting()
    (target,), result = caption(data, captioner, tmp_path / "cache")
    found = read_caption_file(data / "captions.json")
    assert found.problems == () and list(found.captions) == ["a", "b", "c", "d"]
    assert [c.split for c in found.captions.values()] == ["train"] * 3 + ["val"]
    assert len({c.infrared for c in found.captions.values()}) == 4 - 1  # d has the pixels of a
    assert all(c.infrared.startswith("warm ") for c in found.captions.values())
    assert all(c.visible.startswith("seen ") for c in found.captions.values())
    assert {c.captioned_by for c in found.captions.values()} == {LABEL}
    assert target.captioned == 4 and result.problems == []
    # Batches of one prompt, and the same pixels once.
    assert captioner.batches == [("warm", 2), ("seen", 2), ("warm", 1), ("seen", 1)]
    assert result.generated == 6 and result.cached == 2


def test_nothing_is_captioned_twice(tmp_path: Path) -> None:
    data = make_pairs(tmp_path / "set", "a", "b", "c")
    caption(data, Counting(), tmp_path / "cache")
    first = (data / "captions.json").read_bytes()
    again = Counting()
    caption(data, again, tmp_path / "cache")
    (data / "captions.json").unlink()
    copy = data.rename(tmp_path / "elsewhere")
    image = cv2.imread(str(copy / "train" / "ir" / "a.png"), cv2.IMREAD_UNCHANGED)
    (copy / "train" / "ir" / "a.png").unlink()
    cv2.imwrite(str(copy / "train" / "ir" / "a.bmp"), image)  # another file of the same pixels
    caption(copy, again, tmp_path / "cache")
    assert again.images == 0
    assert (copy / "captions.json").read_bytes() == first
    write_image(copy / "train" / "ir" / "new.png", 77)
    write_image(copy / "train" / "vi" / "new.png", 78)
    caption(copy, again, tmp_path / "cache")
    assert again.images == 2 and len(entries(copy)) == 4


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), DeviceError("out of memory")])
def test_an_interrupt_loses_nothing(tmp_path: Path, stop: BaseException) -> None:
    names = [f"{number:02d}" for number in range(7)]
    data = make_pairs(tmp_path / "set", *names)
    stopped = Counting(stop_at=3, stop_with=stop)
    with pytest.raises(type(stop)):
        caption(data, stopped, tmp_path / "cache")
    assert stopped.images == 6
    assert list(entries(data)) == ["00", "01"]  # the pairs that are complete
    on = Counting()
    caption(data, on, tmp_path / "cache")
    assert stopped.images + on.images == 14
    whole = make_pairs(tmp_path / "again" / "set", *names)
    caption(whole, Counting(), tmp_path / "other", batch_size=5)
    assert entries(data) == entries(whole)


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    data = make_pairs(tmp_path / "set", "a", "b", "c", "d")
    old = {
        "z": {"split": "gone", "infrared": "x", "visible": "y", "rating": 5},
        "a": {"split": "train", "infrared": "mine", "visible": "mine too", "unsure": ["car"]},
        "b": {"visible": "only seen", "entities": {"visible": ["car"]}, "note": {"by": "me"}},
        "c": {"infrared": "", "visible": None, "captioned_by": "nobody", "entities": {}},
    }
    (data / "captions.json").write_text(json.dumps(old))
    captioner = Counting()
    (target,), _ = caption(data, captioner, tmp_path / "cache")
    new = entries(data)
    assert list(new) == ["z", "a", "b", "c", "d"]
    assert new["z"] == old["z"] and new["a"] == old["a"]
    assert new["b"]["visible"] == "only seen" and new["b"]["infrared"].startswith("warm ")
    assert new["b"]["entities"] == {"visible": ["car"]} and new["b"]["note"] == {"by": "me"}
    assert new["b"]["captioned_by"] == f"infrared: {LABEL}"
    assert new["c"]["captioned_by"] == LABEL and new["c"]["entities"] == {}
    assert captioner.images == 5
    assert target.kept == 1 and target.captioned == 3
    said = target.summary()
    assert "3 pairs captioned, 1 kept as they were" in said
    assert "entities of 2 kept" in said and "unsure of 1 kept" in said
    assert "1 entries of other pairs kept" in said


def test_what_somebody_writes_meanwhile_stays(tmp_path: Path) -> None:
    data = make_pairs(tmp_path / "set", "a", "b")

    class Meddling(Counting):
        def caption(self, images: Sequence[np.ndarray], prompt: str) -> list[str]:
            person = {"a": {"infrared": "by a person"}, "x": {"visible": "new"}}
            (data / "captions.json").write_text(json.dumps(person))
            return super().caption(images, prompt)

    caption(data, Meddling(), tmp_path / "cache")
    new = entries(data)
    assert new["a"]["infrared"] == "by a person" and new["a"]["visible"].startswith("seen ")
    assert new["a"]["captioned_by"] == f"visible: {LABEL}"
    assert new["x"] == {"visible": "new"} and new["b"]["captioned_by"] == LABEL


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {}, "a": {}}',
        '{"pair": "a"}\n{"pair": "b", "infrared": "cut sho',
        '{"a": {"infrared": "x", "infrared": "y"}}',
    ],
)
def test_a_file_that_would_lose_something_is_not_touched(tmp_path: Path, text: str) -> None:
    data = make_pairs(tmp_path / "set", "a")
    (data / "captions.json").write_text(text)
    with pytest.raises(DataError, match="would lose .*repair the file, or give another as --out"):
        caption(data, Counting(), tmp_path / "cache")
    assert (data / "captions.json").read_text() == text


def test_entries_of_other_kinds_are_named_and_left(tmp_path: Path) -> None:
    data = make_pairs(tmp_path / "set", "a", "b", "c")
    old = {"a": "a text", "b": {"infrared": 3}}
    (data / "captions.json").write_text(json.dumps(old))
    (target,), _ = caption(data, Counting(), tmp_path / "cache")
    assert entries(data).items() >= old.items() and "c" in entries(data)
    assert len(target.problems) == 2
    assert "set/train/a: its entry is 'a text'" in target.problems[0]
    assert "set/train/b: its infrared caption is 3" in target.problems[1]


def test_a_model_that_says_nothing_is_named_and_not_asked_again(tmp_path: Path) -> None:
    data = make_pairs(tmp_path / "set", "a", "b")

    class Silent(Counting):
        def caption(self, images: Sequence[np.ndarray], prompt: str) -> list[str]:
            texts = super().caption(images, prompt)
            return ["" if prompt == "warm" or i else text for i, text in enumerate(texts)]

    silent = Silent()
    (target,), _ = caption(data, silent, tmp_path / "cache")
    assert list(entries(data)) == ["a"] and entries(data)["a"]["infrared"] == ""
    assert "set/train/a: the model says nothing about infrared" in target.problems
    assert len(target.problems) == 3
    found = read_caption_file(data / "captions.json")
    assert len(found.problems) == 1 and "the infrared caption is empty" in found.problems[0]
    before = (data / "captions.json").read_bytes()
    caption(data, silent, tmp_path / "cache")
    assert silent.images == 4
    assert (data / "captions.json").read_bytes() == before


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    data = make_pairs(tmp_path / "set", "good", "damaged", "empty", "colour", "float")
    train = data / "train"
    (train / "vi" / "damaged.png").write_bytes(b"\x89PNG cut short")
    (train / "ir" / "empty.png").write_bytes(b"")
    palette = np.zeros((24, 32, 3), np.uint8)
    palette[:, 16:] = (0, 0, 255)
    cv2.imwrite(str(train / "ir" / "colour.png"), palette)
    (train / "ir" / "float.png").unlink()
    cv2.imwrite(str(train / "ir" / "float.tif"), np.full((24, 32), np.nan, np.float32))
    write_image(train / "ir" / "alone.png", 5)
    write_image(train / "vi" / "lonely.png", 6)
    write_image(train / "ir" / "twice.png", 7)
    write_image(train / "ir" / "twice.jpg", 7)
    write_image(train / "vi" / "twice.png", 8)
    make_pairs(data, "good", split="val")
    write_image(data / "only_ir" / "ir" / "x.png", 9)
    (train / "ir" / ".hidden.png").touch()
    (train / "ir" / "notes.txt").touch()
    (target,), result = caption(data, Counting(), tmp_path / "cache")
    assert list(entries(data)) == ["good"]
    named = dict(problem.split(": ", 1) for problem in target.problems + result.problems)
    assert named.keys() == {
        "set/only_ir",
        "set/val/good",
        *(f"set/train/{n}" for n in ("alone", "lonely", "twice")),
        *(f"set/train/{n}" for n in ("damaged", "empty", "colour", "float")),
    }
    assert "no partner in vi" in named["set/train/alone"]
    assert "no partner in ir" in named["set/train/lonely"]
    assert "twice.jpg and twice.png" in named["set/train/twice"]
    assert "a pair of this name in train" in named["set/val/good"]
    assert "no folder vi, so the 1 images in ir" in named["set/only_ir"]
    assert "cannot be read" in named["set/train/damaged"]
    assert "colour image" in named["set/train/colour"]
    assert "NaN" in named["set/train/float"]


def test_sixteen_bits_are_shown_as_the_pipeline_shows_them(tmp_path: Path) -> None:
    from egmt_ros.pipeline.thermal import ThermalRangeEstimator

    data = make_pairs(tmp_path / "set", "a")
    write_image(data / "train" / "ir" / "a.png", 3, np.uint16)
    counts = cv2.imread(str(data / "train" / "ir" / "a.png"), cv2.IMREAD_UNCHANGED)
    (found,) = find_data_sets(data)
    shown = found.pairs[0].read("infrared")
    limits = ThermalRangeEstimator("frame").update(counts, 0)
    expected = (counts.astype(np.float64) - limits.low) / (limits.high - limits.low) * 255
    assert shown.dtype == np.uint8 and shown.min() == 0 and shown.max() == 255
    assert np.abs(shown[..., 0] - expected.clip(0, 255)).max() <= 0.51
    assert (shown == shown[..., :1]).all()


def test_eight_bits_are_shown_as_they_are_and_colours_in_order(tmp_path: Path) -> None:
    data = make_pairs(tmp_path / "set", "a")
    (found,) = find_data_sets(data)
    ir = cv2.imread(str(data / "train" / "ir" / "a.png"), cv2.IMREAD_UNCHANGED)
    vi = cv2.imread(str(data / "train" / "vi" / "a.png"))
    assert (found.pairs[0].read("infrared")[..., 1] == ir).all()
    assert (found.pairs[0].read("visible") == vi[..., ::-1]).all()
    cv2.imwrite(str(data / "train" / "vi" / "a.png"), ir)
    assert (found.pairs[0].read("visible")[..., 2] == ir).all()
    cv2.imwrite(str(data / "train" / "ir" / "nan.tif"), np.full((9, 9), np.inf, np.float32))
    with pytest.raises(InputError, match="NaN or infinite"):
        found.pairs[0]._replace(infrared=data / "train" / "ir" / "nan.tif").read("infrared")


def test_data_sets_and_splits(tmp_path: Path) -> None:
    for name in ("B", "A"):
        for split in ("test", "zoo", "val", "train"):
            make_pairs(tmp_path / name, f"{name}{split}", split=split)
    make_pairs(tmp_path / ".hidden", "x")
    (tmp_path / "empty").mkdir()
    found = find_data_sets(tmp_path)
    assert [f.folder.name for f in found] == ["A", "B"]
    assert [p.split for p in found[0].pairs] == ["train", "val", "test", "zoo"]
    found = find_data_sets(tmp_path, ["val", "train"])
    assert [p.name for p in found[1].pairs] == ["Bval", "Btrain"]
    (alone,) = find_data_sets(tmp_path / "A", ["zoo"])
    assert [p.name for p in alone.pairs] == ["Azoo"]


def test_folders_without_pairs_are_refused(tmp_path: Path) -> None:
    make_pairs(tmp_path / "set", "a")
    for folder, splits, words in (
        (tmp_path / "nowhere", (), "there is no folder"),
        (tmp_path / "set", ["test"], "expected <dataset>/test/ir"),
        (tmp_path, ["train", "tset"], "expected <dataset>/tset/ir"),
        (tmp_path / "set" / "train", (), "a split itself: give its parent"),
    ):
        with pytest.raises(DataError, match=words):
            find_data_sets(folder, splits)


def test_out_is_for_one_data_set_and_must_be_writable(tmp_path: Path) -> None:
    for name in ("A", "B"):
        make_pairs(tmp_path / name, "a")
    with pytest.raises(ConfigError, match=r"2 data sets \(A, B\)"):
        open_targets(find_data_sets(tmp_path), tmp_path / "out.json")
    found = find_data_sets(tmp_path / "A")
    with pytest.raises(ConfigError, match="folder that exists"):
        open_targets(found, tmp_path / "no" / "out.json")
    with pytest.raises(DataError, match="cannot be read"):
        open_targets(found, tmp_path)
    (target,) = open_targets(found, tmp_path / "out.json")
    assert target.path == tmp_path / "out.json"

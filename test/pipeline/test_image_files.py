"""Reading image files, matching folders, and egmt fuse beside its sources."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.cli import main
from egmt_ros.errors import DataError
from egmt_ros.pipeline.image_files import (
    images_by_stem,
    list_images,
    match_pairs,
    read_thermal,
    read_visible,
    read_visible_8_bit,
    to_grey,
)

GREY = np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 255, (20, 30, 3), np.uint8)


def put(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def test_thermal_images(tmp_path: Path) -> None:
    assert np.array_equal(read_thermal(put(tmp_path / "g.png", GREY)), GREY)
    assert np.array_equal(read_thermal(put(tmp_path / "c.png", np.dstack([GREY] * 3))), GREY)
    deep = put(tmp_path / "d.png", GREY.astype(np.uint16) * 256)
    assert np.array_equal(read_thermal(deep), GREY.astype(np.uint16) * 256)
    kelvin = put(tmp_path / "k.tiff", GREY.astype(np.float32) + 0.5)
    assert np.array_equal(read_thermal(kelvin), GREY + np.float32(0.5))


def test_grey_that_was_saved_as_a_colour_jpeg(tmp_path: Path) -> None:
    uneven = np.dstack([GREY // 2, GREY // 2 + 5, GREY // 2 + 10])
    read = read_thermal(put(tmp_path / "a.png", uneven))
    assert read.shape == GREY.shape and np.abs(read.astype(int) - GREY // 2 - 5).max() <= 5


def test_a_palette_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"c\.png is a colour image.*grey"):
        read_thermal(put(tmp_path / "c.png", COLOUR))


def test_visible_images(tmp_path: Path) -> None:
    assert np.array_equal(read_visible(put(tmp_path / "c.png", COLOUR)), COLOUR)
    assert np.array_equal(read_visible(put(tmp_path / "g.png", GREY)), GREY)
    assert np.array_equal(read_visible(put(tmp_path / "a.png", np.dstack([COLOUR, GREY]))), COLOUR)
    deep = put(tmp_path / "d.png", COLOUR.astype(np.uint16) * 256 + 200)
    assert np.array_equal(read_visible(deep), COLOUR)
    with pytest.raises(DataError, match="float32"):
        read_visible(put(tmp_path / "f.tiff", GREY.astype(np.float32)))


def test_visible_images_of_8_bits_alone(tmp_path: Path) -> None:
    """Where grey levels are counted, 16 bits are not cut to 8 in passing."""
    for name, image in (("c", COLOUR), ("g", GREY), ("a", np.dstack([COLOUR, GREY]))):
        path = put(tmp_path / f"{name}.png", image)
        assert np.array_equal(read_visible_8_bit(path), read_visible(path))
    with pytest.raises(DataError, match=r"d\.png holds uint16; expected 8 bits"):
        read_visible_8_bit(put(tmp_path / "d.png", COLOUR.astype(np.uint16)))


def test_luminance_is_rounded() -> None:
    assert to_grey(GREY) is GREY
    expected = np.round(COLOUR @ [0.114, 0.587, 0.299])
    assert np.abs(to_grey(COLOUR) - expected).max() <= 1
    assert np.mean(to_grey(COLOUR) == expected) > 0.99


def test_an_orientation_tag_turns_neither_image(tmp_path: Path) -> None:
    """A quarter turn that stands in one file alone would part the two images of a pair."""
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    tag = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag
    for read, image in ((read_thermal, GREY), (read_visible, COLOUR)):
        path = put(tmp_path / "a.jpg", image)
        upright = read(path)
        data = path.read_bytes()
        path.write_bytes(data[:2] + segment + data[2:])
        assert cv2.imread(str(path), cv2.IMREAD_COLOR).shape[:2] == (30, 20)  # the tag is valid
        assert np.array_equal(read(path), upright)


@pytest.mark.parametrize("content", [b"", b"\x89PNG not really"])
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    for read in (read_thermal, read_visible):
        with pytest.raises(DataError, match=r"broken\.png cannot be read as an image"):
            read(tmp_path / "broken.png")
        with pytest.raises(DataError, match="does not exist"):
            read(tmp_path / "missing.png")


def test_matching_ignores_what_is_hidden_or_no_image(tmp_path: Path) -> None:
    for side in ("ir", "vi"):
        put(tmp_path / side / "a.png", GREY)
    put(tmp_path / "ir" / "._b.png", GREY)
    (tmp_path / "ir" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "vi" / "notes.txt").write_text("x")
    assert [pair[0] for pair in match_pairs(tmp_path / "ir", tmp_path / "vi")] == ["a"]
    put(tmp_path / "ir" / "a.jpg", GREY)
    with pytest.raises(DataError, match="two images of the name a"):
        images_by_stem(tmp_path / "ir")
    found = list_images(tmp_path / "ir")
    assert {stem: [p.name for p in paths] for stem, paths in found.items()} == {
        "a": ["a.jpg", "a.png"]
    }


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(2)
    thermal = put(tmp_path / "ir" / "a.png", rng.integers(0, 255, (64, 80), np.uint8))
    return thermal, put(tmp_path / "vi" / "a.png", rng.integers(0, 255, (64, 80, 3), np.uint8))


def test_fuse_never_overwrites_its_sources(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = [path.read_bytes() for path in pair]
    for thermal, visible in (pair, [path.parent for path in pair]):
        for out in (pair[0].parent, pair[1].parent, pair[1].parent / ".." / "ir"):
            assert main(["fuse", str(thermal), str(visible), "--out", str(out)]) == 1
            assert "--out is" in capsys.readouterr().err
    assert [path.read_bytes() for path in pair] == before
    assert not list(pair[0].parent.glob("labels.json"))


def test_fuse_tells_what_it_could_not_write(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fuse", str(pair[0]), str(pair[1]), "--device", "cpu", "--out"]
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    assert main([*arguments, str(tmp_path / "out")]) == 1
    assert f"{tmp_path / 'out' / 'a.png'} cannot be written" in capsys.readouterr().err
    assert main([*arguments, str(pair[0] / "under")]) == 1
    assert "cannot be made" in capsys.readouterr().err
    assert main([*arguments, str(tmp_path / "fused")]) == 0
    assert cv2.imread(str(tmp_path / "fused" / "a.png")).shape == (64, 80, 3)
    assert list(json.loads((tmp_path / "fused" / "labels.json").read_text())) == ["a"]


def test_fuse_by_a_homography_shows_the_visible_image_alone_outside(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fuse", str(pair[0]), str(pair[1]), "--device", "cpu", "--out", str(tmp_path)]
    file = tmp_path / "homography.yaml"
    file.write_text("homography: [1, 0, 30, 0, 1, 0, 0, 0, 1]\nthermal_size: [80, 64]\n")
    assert main([*arguments, "--homography", str(file)]) == 0
    fused, visible = cv2.imread(str(tmp_path / "a.png")), cv2.imread(str(pair[1]))
    assert np.array_equal(fused[:, :29], visible[:, :29])
    assert not np.array_equal(fused[:, 40:], visible[:, 40:])
    file.write_text("homography: [1, 0, 30, 0, 1, 0, 0, 0, 1]\nthermal_size: [40, 64]\n")
    assert main([*arguments, "--homography", str(file)]) == 1
    assert "thermal image is 80x64" in capsys.readouterr().err

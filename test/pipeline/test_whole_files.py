"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.errors import DataError
from egmt_ros.pipeline.whole_files import write_image, write_whole


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in tmp_path.iterdir()] == ["labels.json"]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(b"first")

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("egmt_ros.pipeline.whole_files.os.replace", no_room)
    with pytest.raises(DataError, match=f"{path} cannot be written .No space left on device"):
        write_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["labels.json"]
    folder = tmp_path / "missing" / "a.png"
    with pytest.raises(DataError, match="No such file or directory"):
        write_whole(folder, b"")


@pytest.mark.parametrize("image", [np.arange(600, dtype=np.uint8).reshape(20, 30),
                                   np.zeros((4, 5, 3), np.uint8),
                                   np.full((4, 5), 40_000, np.uint16)])  # fmt: skip
def test_an_image_is_read_back_as_it_was_written(tmp_path: Path, image: np.ndarray) -> None:
    write_image(tmp_path / "a.png", image)
    assert np.array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED), image)


def test_a_format_that_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a.xyz cannot be written; give a .png"):
        write_image(tmp_path / "a.xyz", np.zeros((4, 5), np.uint8))
    assert list(tmp_path.iterdir()) == []

"""Homographies: numbers and files in, numbers and files out, or an error that helps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.registration.homography import Homography, parse_homography, write_homography

MATRIX = np.array([[1.1, 0.02, 7.0], [-0.01, 0.95, -3.25], [1e-5, 2e-6, 1.0]])


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    written = Homography.from_matrix(3 * MATRIX, (160, 120), (640, 480))
    path = tmp_path / "my homography.yaml"
    write_homography(path, written, ["from: two pairs"])
    assert parse_homography(str(path)) == written
    np.testing.assert_allclose(written.matrix, MATRIX)
    assert path.read_text().startswith("# from: two pairs\n")


def test_a_file_written_by_hand_is_read(tmp_path: Path) -> None:
    path = tmp_path / "h.yaml"
    path.write_text("homography: [1, 0, 1e1, 0, 1, 0, 1e-5, 0, 1]\n")
    assert parse_homography(str(path)).rows == ((1, 0, 10), (0, 1, 0), (1e-5, 0, 1))


@pytest.mark.parametrize("text", ["1 0 4.5 0 1 -2 0 0 1", "[1, 0, 4.5, 0, 1, -2, 0, 0, 1]"])
def test_nine_numbers_are_rows(text: str) -> None:
    homography = parse_homography(text)
    assert homography.rows == ((1, 0, 4.5), (0, 1, -2), (0, 0, 1))
    assert homography.thermal_size is None and homography.visible_size is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 2 3", "3 numbers.*nine"),
        ("nan 0 0 0 1 0 0 0 1", "finite"),
        ("1 0 0 2 0 0 0 0 1", "inverted"),
        ("1 0 0 0 1 0 0 0 0", "last number is not 0"),
        ("/nowhere/h.yaml", "no homography file /nowhere/h.yaml.*egmt calibrate"),
    ],
)
def test_unusable_values_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_homography(text)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("homography: [1, 2]", "nine numbers"),
        ("matrix: 1", "homography is None"),
        ("- 1", "homography is None"),
        ("a: [", "cannot be read"),
        ("homography: [1, 0, 0, 0, 1, 0, 0, 0, true]", "nine numbers"),
        ("homography: [1, 0, 0, 0, 1, 0, 0, 0, 1]\nvisible_size: [640]", "visible_size is"),
        ("homography: [0, 0, 0, 0, 0, 0, 0, 0, 1]", "inverted"),
    ],
)
def test_unusable_files_are_refused_by_name(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "h.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=f"h.yaml.*{words}"):
        parse_homography(str(path))

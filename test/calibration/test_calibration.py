"""The homography between the cameras: known warps are found again, and the rest is refused."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.calibration.alignment import align
from egmt_ros.calibration.points import fit_points, read_points
from egmt_ros.cli import main
from egmt_ros.errors import DataError
from egmt_ros.evaluation.registration.known_warps import (
    HEIGHT,
    WIDTH,
    displaced,
    distance,
    known_warp,
)
from egmt_ros.evaluation.scene.street import StreetScene
from egmt_ros.pipeline.image_files import read_thermal, read_visible, to_grey
from egmt_ros.pipeline.registration.edges import ImagePair
from egmt_ros.pipeline.registration.homography import read_homography
from egmt_ros.pipeline.registration.residual import measure_residual

DATA = Path(__file__).parents[3] / "shared" / "data"


@cache
def street(seed: int = 1, time_of_day: str = "night") -> ImagePair:
    scene = StreetScene(seed, WIDTH, HEIGHT, time_of_day)
    return ImagePair(scene.render_thermal(2.0), to_grey(scene.render_visible(2.0)))


@pytest.mark.parametrize(
    ("time_of_day", "shift", "scale", "degrees"),
    [
        ("night", (16, -16), 1.05, 2),
        ("night", (-16, -9), 1.05, -2),
        ("night", (0, 0), 1, 0),
        ("dusk", (-16, 16), 0.95, -2),
    ],
)
def test_a_warp_of_the_street_is_found_within_a_fifth_of_a_pixel(
    time_of_day, shift, scale, degrees
) -> None:
    matrix = known_warp(shift, scale, degrees)
    pair = displaced(street(time_of_day=time_of_day), matrix)
    found = align([pair], np.eye(3))
    assert distance(found, matrix) < 0.2
    assert measure_residual([pair], found).median < 0.5


def test_several_pairs_give_a_full_homography() -> None:
    matrix = known_warp((-11, 6), 0.97, 1.5)
    matrix[2, :2] = 1e-5, -2e-5
    pairs = [displaced(street(seed), matrix) for seed in (1, 2)]
    assert distance(align(pairs, np.eye(3), "homography"), matrix) < 0.3


def test_a_small_thermal_image_and_its_rough_start() -> None:
    size = 160, 120
    quarter = np.array([[4, 0, 1.5], [0, 4, 1.5], [0, 0, 1]])
    matrix = known_warp((12, -8), 1.04, 1) @ quarter
    sharp = street()
    blurred = sharp._replace(thermal=cv2.GaussianBlur(sharp.thermal, (0, 0), 1.6))
    found = align([displaced(blurred, matrix, size)], quarter)
    assert distance(found, matrix, size) < 1.0


def test_inverted_and_16_bit_thermal_images_are_aligned_as_well() -> None:
    matrix = known_warp((9, -12), 0.96, -1)
    pair = displaced(street(), matrix)
    deep = pair._replace(thermal=(30000 - 20 * pair.thermal.astype(int)).astype(np.uint16))
    assert distance(align([deep], np.eye(3)), matrix) < 0.3


@pytest.mark.parametrize("shift", [1.0, 3.0, 5.5])
def test_the_residual_is_the_shift_that_was_made(shift: float) -> None:
    pair = displaced(street(), known_warp((shift, 0), 1, 0))
    residual = measure_residual([pair], np.eye(3))
    assert residual.median == pytest.approx(shift, abs=0.25)
    assert residual.measured >= 10


REAL = {
    "MSRS": ["00099D", "01230N"],
    "RoadScene": ["FLIR_03909", "FLIR_06219"],
}


@pytest.mark.parametrize("dataset", REAL)
def test_warps_of_real_pairs_are_found_within_a_pixel(dataset: str) -> None:
    """Against how the pair lies by itself: the sets are some pixels off."""
    if not DATA.is_dir():
        pytest.skip("../shared is not here")
    size = WIDTH, HEIGHT
    warps = [known_warp((16, 10), 0.95, 2), known_warp((-14, 16), 1.05, -2)]
    for stem, matrix in zip(REAL[dataset], warps, strict=True):
        folder = DATA / dataset / "val"
        (thermal,), (visible,) = ((folder / s).glob(f"{stem}.*") for s in ("ir", "vi"))
        grey = to_grey(read_visible(visible))
        pair = ImagePair(cv2.resize(read_thermal(thermal), size), cv2.resize(grey, size))
        itself = align([pair], np.eye(3))
        found = align([displaced(pair, matrix)], np.eye(3))
        assert distance(found, itself @ matrix) < 1.0, stem
        assert distance(found, matrix) < 5.0, stem


def write(folder: Path, name: str, image: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    assert cv2.imwrite(str(folder / name), image)
    return folder / name


def test_the_command_writes_what_the_node_reads_and_says_how_good_it_is(tmp_path, capsys) -> None:
    matrix = known_warp((14, -7), 1.03, 1.5)
    for seed in (1, 2):
        pair = displaced(street(seed), matrix)
        write(tmp_path / "ir", f"{seed}.png", pair.thermal)
        write(tmp_path / "vi", f"{seed}.png", pair.visible)
    out = tmp_path / "homography.yaml"
    assert main(["calibrate", str(tmp_path / "ir"), str(tmp_path / "vi"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "2 pair(s)" in said and "residual 0." in said and str(out) in said
    homography = read_homography(out)
    assert homography.thermal_size == homography.visible_size == (WIDTH, HEIGHT)
    assert distance(homography.matrix, matrix) < 0.3
    assert "residual 0." in out.read_text()


def test_points_give_a_homography_and_a_wrong_one_is_left_out(tmp_path, capsys) -> None:
    matrix = known_warp((14, -7), 1.03, 1.5)
    rng = np.random.default_rng(0)
    thermal = rng.uniform((0, 0), (WIDTH, HEIGHT), (12, 2))
    visible = cv2.perspectiveTransform(thermal[None], matrix)[0] + rng.normal(0, 0.3, (12, 2))
    visible[3] += 40
    lines = [" ".join(map(str, row)) for row in np.hstack([thermal, visible])]
    points = tmp_path / "points.txt"
    points.write_text("# xt yt xv yv\n" + "\n".join(lines) + "  # the last\n")
    pair = displaced(street(), matrix)
    images = [write(tmp_path, f"{k}.png", i) for k, i in pair._asdict().items()]
    out = tmp_path / "homography.yaml"
    arguments = ["calibrate", *map(str, images), "--points", str(points), "--out", str(out)]
    assert main(arguments) == 0
    assert "11 of 12 points used, 0." in capsys.readouterr().out
    assert distance(read_homography(out).matrix, matrix) < 1.0
    # And as the rough start of an alignment.
    better = tmp_path / "better.yaml"
    arguments = ["calibrate", *map(str, images), "--start", str(out), "--out", str(better)]
    assert main(arguments) == 0
    assert distance(read_homography(better).matrix, matrix) < 0.4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1 2 3 4\n5 6 7 8\n1 1 1 1", "3 points.*at least 4"),
        ("1 2 3", "line 1 is '1 2 3'.*four numbers"),
        ("1 2 3 nan", "line 1"),
        ("a b c d", "line 1"),
    ],
)
def test_unusable_points_are_refused(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "points.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=words):
        read_points(path)


def test_points_on_a_line_are_refused() -> None:
    line = np.outer(np.arange(5.0), np.ones(4))
    with pytest.raises(DataError, match="no homography fits the 5 points"):
        fit_points(line)


def test_images_that_have_nothing_in_common_write_nothing(tmp_path, capsys) -> None:
    rng = np.random.default_rng(0)
    images = [
        str(write(tmp_path, name, rng.integers(0, 256, (240, 320), np.uint8)))
        for name in ("thermal.png", "visible.png")
    ]
    out = tmp_path / "homography.yaml"
    assert main(["calibrate", *images, "--out", str(out)]) == 1
    assert "--points" in capsys.readouterr().err
    assert not out.exists()


def test_a_pair_that_shows_nothing_is_left_out_and_nothing_else_is_refused() -> None:
    matrix = known_warp((9, -12), 0.96, -1)
    pair = displaced(street(), matrix)
    dark = pair._replace(visible=np.zeros_like(pair.visible))
    assert distance(align([dark, pair], np.eye(3)), matrix) < 0.3
    with pytest.raises(DataError, match="no pair has edges"):
        align([dark], np.eye(3))
    with pytest.raises(DataError, match="no pair has edges.*--start"):
        align([pair], known_warp((900, 0), 1, 0))


def test_arguments_that_cannot_be_used_are_refused(tmp_path, capsys) -> None:
    big = str(write(tmp_path, "big.png", np.zeros((240, 320), np.uint8)))
    small = str(write(tmp_path, "small.png", np.zeros((120, 160), np.uint8)))
    out = ["--out", str(tmp_path / "h.yaml")]
    for arguments, words in (
        ([big, *out], "1 images or folders"),
        ([small, big, big, big, *out], "big.png is 320x240"),
        ([big, big, *out, "--pairs", "0"], "--pairs is 0"),
        ([big, big, "--out", str(tmp_path / "no" / "h.yaml")], "cannot be written"),
        ([big, big, *out, "--start", "1 2"], "2 numbers"),
    ):
        assert main(["calibrate", *arguments]) == 1
        assert words in capsys.readouterr().err

"""The engine with the default checkpoint: contracts, guidance, and bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from egmt_ros.cli import main
from egmt_ros.errors import CheckpointError, DeviceError, InputError
from egmt_ros.model.checkpoint import read_info
from egmt_ros.pipeline import FusionEngine
from egmt_ros.pipeline.passthrough import thermal_alone, visible_alone
from egmt_ros.pipeline.regions import attention_region
from egmt_ros.pipeline.thermal import ThermalRange
from egmt_ros.pipeline.thermal_reader import ThermalFrame
from egmt_ros.resources import weights_path


def street(height: int = 240, width: int = 320) -> tuple[np.ndarray, np.ndarray]:
    """A dim street with a bright sky and a warm figure that the visible image does not show."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    base = 60 + 50 * (y / height) + 12 * np.sin(x / 5) * np.sin(y / 7)
    visible = np.stack([base * 0.8, base, base * 0.9], -1)
    visible[: height // 3] = (230, 180, 140)
    thermal = 40 + 20 * (y / height) + 4 * np.cos(x / 11)
    rows, cols = slice(height // 2, height // 2 + 60), slice(width // 2, width // 2 + 22)
    thermal[rows, cols] = 235
    return thermal.astype(np.uint8), visible.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def engine() -> FusionEngine:
    return FusionEngine.load(device="cpu")


def test_result(engine: FusionEngine) -> None:
    thermal, visible = street()
    result = engine.fuse(thermal, visible)
    assert result.image.shape == visible.shape and result.image.dtype == np.uint8
    assert tuple(result.scores) == engine.names
    assert len(engine.names) >= 20 and len(engine.thresholds) == len(engine.names)
    assert sorted(label.index for label in result.labels) == list(range(len(engine.names)))
    localised = read_info(weights_path()).localised
    assert {"person", "car"} <= set(localised) < set(engine.names)
    ordered = [label.score for label in result.labels]
    assert ordered == sorted(ordered, reverse=True)
    for label in result.labels:
        assert label.score == pytest.approx(result.scores[label.name])
        assert label.present == (label.score >= engine.thresholds[label.index])
        assert (label.region is not None) == (label.present and label.name in localised)
        assert 0 <= label.region_mass <= 1
        if label.region:
            assert 0 <= label.region.x < label.region.x + label.region.width <= 320
            assert 0 <= label.region.y < label.region.y + label.region.height <= 240
    assert result.attention.shape[0] == len(engine.names)
    assert set(result.timings) == {"prepare", "network", "finish"}


def test_thermal_target_stands_out_and_colours_stay(engine: FusionEngine) -> None:
    thermal, visible = street()
    fused = engine.fuse(thermal, visible).image
    figure = (slice(125, 175), slice(163, 179))
    beside = (slice(125, 175), slice(190, 206))
    grey = cv2.cvtColor(fused, cv2.COLOR_BGR2GRAY).astype(float)
    assert grey[figure].mean() - grey[beside].mean() > 60
    chroma = cv2.cvtColor(fused, cv2.COLOR_BGR2YCrCb)[..., 1:].astype(int)
    expected = cv2.cvtColor(visible, cv2.COLOR_BGR2YCrCb)[..., 1:].astype(int)
    assert np.abs(chroma - expected).mean() < 3


def test_the_same_pair_gives_the_same_result(engine: FusionEngine) -> None:
    first = engine.fuse(*street())
    engine.fuse(*(np.ascontiguousarray(image[::-1]) for image in street()))
    again = engine.fuse(*street())
    np.testing.assert_array_equal(first.image, again.image)
    assert first.scores == again.scores


@pytest.fixture(scope="module")
def on_torch() -> FusionEngine:
    """Prepares nothing for an image size."""
    return FusionEngine.load(device="cpu", runtime="torch")


# That OpenVINO gives the same at sizes of all kinds is in test_runtime.py.
@pytest.mark.parametrize("size", [(64, 64), (65, 131), (97, 64), (480, 640), (270, 483)])
def test_sizes(on_torch: FusionEngine, size: tuple[int, int]) -> None:
    thermal, visible = street(480, 640)
    result = on_torch.fuse(thermal[: size[0], : size[1]], visible[: size[0], : size[1]])
    assert result.image.shape == (*size, 3)
    rows, cols = result.attention.shape[1:]
    assert rows * result.attention_cell >= size[0] and cols * result.attention_cell >= size[1]


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_camera_that_shows_nothing_leaves_the_other_as_it_is(
    engine: FusionEngine, value: int
) -> None:
    thermal, visible = street()
    ycrcb = cv2.cvtColor(visible, cv2.COLOR_BGR2YCrCb)
    shown = engine.fuse(np.full_like(thermal, value), visible).image
    np.testing.assert_array_equal(shown, cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2BGR))
    grey = np.ascontiguousarray(ycrcb[..., 0])
    nothing = np.full(thermal.shape[::-1], value, np.float32).T[::-1]  # strided
    np.testing.assert_array_equal(engine.fuse(nothing, grey).image, grey)

    dead = np.full_like(grey, value)
    np.testing.assert_array_equal(engine.fuse(thermal, dead).image, thermal)
    counts = thermal.astype(np.uint16) * 10 + 27_000
    shown = engine.fuse(counts, dead, ThermalRange(27_000, 29_550)).image
    np.testing.assert_array_equal(shown, thermal)
    hot_dark = engine.fuse(thermal, dead, ThermalRange(255, 0)).image
    np.testing.assert_array_equal(hot_dark, 255 - thermal)

    neither = engine.fuse(np.full_like(thermal, value), dead).image
    assert neither.shape == thermal.shape
    # One pixel is a picture: the network decides.
    almost = dead.copy()
    almost[7, 9] ^= 1
    assert not np.array_equal(engine.fuse(thermal, almost).image, thermal)


def test_grey_visible_image(engine: FusionEngine) -> None:
    thermal, visible = street()
    grey = cv2.cvtColor(visible, cv2.COLOR_BGR2GRAY)
    fused = engine.fuse(thermal, grey).image
    assert fused.shape == grey.shape
    colour = engine.fuse(thermal, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)).image
    assert np.abs(colour[..., 1].astype(int) - fused).max() <= 1


def test_thermal_types_agree(engine: FusionEngine) -> None:
    thermal, visible = street()
    expected = engine.fuse(thermal, visible).image.astype(int)
    wide = engine.fuse(thermal.astype(np.uint16) * 16 + 4000, visible, ThermalRange(4000, 8080))
    celsius = engine.fuse(thermal.astype(np.float32) / 4 - 10, visible, ThermalRange(-10, 53.75))
    for result in (wide, celsius):
        assert np.abs(result.image.astype(int) - expected).max() <= 1
    automatic = engine.fuse(thermal.astype(np.uint16) * 16 + 4000, visible)
    assert automatic.image[150, 170].mean() > automatic.image[150, 200].mean() + 40


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_input_is_left_as_it_is(engine: FusionEngine, dtype: type) -> None:
    thermal, visible = street()
    thermal = thermal.astype(dtype)
    copies = thermal.copy(), visible.copy()
    engine.fuse(thermal, visible, ThermalRange(10, 200))
    np.testing.assert_array_equal(thermal, copies[0])
    np.testing.assert_array_equal(visible, copies[1])


def test_an_inverted_range_turns_black_hot_around(engine: FusionEngine) -> None:
    thermal, visible = street()
    expected = engine.fuse(thermal, visible).image.astype(int)
    inverted = engine.fuse(255 - thermal, visible, ThermalRange(255.0, 0.0)).image.astype(int)
    assert np.abs(inverted - expected).max() <= 1


def test_strided_input(engine: FusionEngine) -> None:
    """Views of padded messages are not contiguous."""
    thermal, visible = street()
    wide_t, wide_v = np.zeros((240, 330), np.uint8), np.zeros((240, 330, 3), np.uint8)
    wide_t[:, :320], wide_v[:, :320] = thermal, visible
    result = engine.fuse(wide_t[:, :320], wide_v[:, :320])
    np.testing.assert_array_equal(result.image, engine.fuse(thermal, visible).image)


@pytest.mark.parametrize(
    ("thermal", "visible", "reason"),
    [
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8), "thermal_type"),
        (np.zeros((64, 64), np.int32), np.zeros((64, 64), np.uint8), "thermal_type"),
        (np.zeros((64, 64), np.uint8), np.zeros((64, 64, 4), np.uint8), "visible_type"),
        (np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint16), "visible_type"),
        (np.zeros((64, 64), np.uint8), np.zeros((64, 80), np.uint8), "size_mismatch"),
        (np.zeros((63, 90), np.uint8), np.zeros((63, 90), np.uint8), "too_small"),
        (np.full((64, 64), np.nan, np.float32), np.zeros((64, 64), np.uint8), "not_finite"),
    ],
)
def test_bad_input(
    engine: FusionEngine, thermal: np.ndarray, visible: np.ndarray, reason: str
) -> None:
    with pytest.raises(InputError, match="expected|replace") as caught:
        engine.fuse(thermal, visible)
    assert caught.value.reason == reason


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "CPU", "cuda:-1"])
def test_unknown_devices(device: str) -> None:
    with pytest.raises(DeviceError, match="expected auto, cpu or cuda:N"):
        FusionEngine.load(device=device)


def test_a_missing_cuda_device_is_an_error() -> None:
    missing = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(DeviceError, match=missing):
        FusionEngine.load(device=missing)


def test_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        FusionEngine.load(tmp_path / "none.safetensors")


def test_fusing_needs_no_transformers_and_no_rclpy(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['transformers'] = None; sys.modules['rclpy'] = None\n"
        "import numpy as np\n"
        "from egmt_ros.pipeline import FusionEngine\n"
        "engine = FusionEngine.load(device='cpu', runtime='torch')\n"
        "result = engine.fuse(np.zeros((64, 80), np.uint8), np.zeros((64, 80, 3), np.uint8))\n"
        "assert result.image.shape == (64, 80, 3) and len(result.scores) >= 20\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=120)


def test_attention_region_bounds_the_component_of_the_peak() -> None:
    attention = np.zeros((6, 8), np.float32)
    attention[1:3, 2:4] = 0.2
    attention[5, 7] = 0.19  # as strong, but apart
    attention[2, 3] = 0.21
    region, mass = attention_region(attention, 16, 125, 96)
    assert (region.x, region.y, region.width, region.height) == (32, 16, 32, 32)
    assert mass == pytest.approx(0.81 / 1.0)
    edge, _ = attention_region(np.eye(1, 8, 7, dtype=np.float32), 16, 125, 16)
    assert edge.x + edge.width == 125


# egmt fuse


def write_pair(folder: Path, stem: str) -> None:
    thermal, visible = street(96, 128)
    for name, image in (("ir", thermal), ("vi", visible)):
        (folder / name).mkdir(exist_ok=True, parents=True)
        cv2.imwrite(str(folder / name / f"{stem}.png"), image)


def test_fuse_command_on_folders(engine: FusionEngine, tmp_path: Path) -> None:
    for stem in ("a", "b.c"):
        write_pair(tmp_path, stem)
    out = tmp_path / "new" / "out"
    assert main(["fuse", f"{tmp_path}/ir", f"{tmp_path}/vi", "--out", str(out)]) == 0
    labels = json.loads((out / "labels.json").read_text())
    assert set(labels) == {"a", "b.c"}
    assert tuple(labels["a"]) == engine.names
    expected = engine.fuse(*street(96, 128)).image
    np.testing.assert_array_equal(cv2.imread(str(out / "b.c.png")), expected)


def test_fuse_command_on_two_files_of_different_size(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    small = cv2.resize(cv2.imread(str(tmp_path / "ir/a.png"), cv2.IMREAD_GRAYSCALE), (64, 64))
    cv2.imwrite(str(tmp_path / "thermal.png"), small.astype(np.uint16) * 100)
    files = [str(tmp_path / "thermal.png"), str(tmp_path / "vi/a.png")]
    assert main(["fuse", *files, "--out", str(tmp_path / "out")]) == 0
    assert cv2.imread(str(tmp_path / "out" / "thermal.png")).shape == (96, 128, 3)


def test_fuse_command_names_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pair(tmp_path, "a")
    (tmp_path / "vi" / "lonely.png").write_bytes(b"x")
    folders = [f"{tmp_path}/ir", f"{tmp_path}/vi"]
    assert main(["fuse", *folders, "--out", f"{tmp_path}/out"]) == 1
    assert "'lonely'" in capsys.readouterr().err
    (tmp_path / "ir" / "lonely.png").write_bytes(b"x")
    assert main(["fuse", *folders, "--out", f"{tmp_path}/out"]) == 1
    assert "cannot be read as an image" in capsys.readouterr().err
    assert main(["fuse", f"{tmp_path}/no", f"{tmp_path}/vi", "--out", f"{tmp_path}/out"]) == 1
    assert "does not exist" in capsys.readouterr().err
    palette = cv2.applyColorMap(street(96, 128)[0], cv2.COLORMAP_JET)
    cv2.imwrite(str(tmp_path / "p.png"), palette)
    files = [f"{tmp_path}/p.png", f"{tmp_path}/vi/a.png"]
    assert main(["fuse", *files, "--out", f"{tmp_path}/out"]) == 1
    assert "palette" in capsys.readouterr().err


def test_one_camera_alone_is_shown_as_it_is_with_the_labels_for_a_black_other_one(
    engine: FusionEngine,
) -> None:
    thermal, visible = street()
    alone = visible_alone(engine.fuse, visible)
    assert np.array_equal(alone.image, visible)
    assert alone.scores == engine.fuse(np.zeros_like(thermal), visible).scores
    alone = thermal_alone(engine.fuse, ThermalFrame(thermal, ThermalRange(0, 255), None), False)
    assert np.array_equal(alone.image, thermal)
    assert alone.scores == engine.fuse(thermal, np.zeros_like(thermal)).scores
    assert alone.labels and alone.attention.shape[0] == len(engine.names)

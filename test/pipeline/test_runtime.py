"""The runtimes: equal results, changes of size, options, and what is missing."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from egmt_ros.errors import ConfigError, EgmtError, MissingDependencyError
from egmt_ros.model.blocks import fold_batch_norms
from egmt_ros.model.checkpoint import load_checkpoint
from egmt_ros.pipeline import FusionEngine, runtime_openvino
from egmt_ros.pipeline.runtime import Runtime, available_runtimes, make_runtime, weights_array
from egmt_ros.pipeline.size_cache import SizeCache
from egmt_ros.pipeline.thermal import ThermalRange
from egmt_ros.resources import weights_path

CPU = torch.device("cpu")
FULL = ThermalRange(0.0, 255.0)
needs_openvino = pytest.mark.skipif(
    "openvino" not in available_runtimes(CPU), reason="openvino is not installed"
)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def runtime(name: str, device: torch.device = CPU, **options: object) -> Runtime:
    network, _ = load_checkpoint(weights_path())
    return make_runtime(name, fold_batch_norms(network.eval()), device, **options)


def pair(height: int, width: int, dtype: type = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """A smooth scene with a warm figure and some noise."""
    rng = np.random.default_rng(height * width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    thermal = 60 + 40 * np.sin(x / 17) * np.cos(y / 13) + rng.normal(0, 4, (height, width))
    thermal[height // 3 : height // 2, width // 3 : width // 2] = 230
    planes = [110 + 70 * np.cos((x + shift * y) / 23) for shift in (0.3, 0.6, 0.9)]
    ycrcb = np.stack(planes, -1) + rng.normal(0, 3, (height, width, 3))
    return thermal.clip(0, 255).astype(dtype), ycrcb.clip(0, 255).astype(np.uint8)


def assert_alike(ours: tuple, theirs: tuple, grey: int = 1, score: float = 1e-3) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
    assert np.abs(ours[0].astype(int) - theirs[0]).max() <= grey
    assert np.abs(ours[1] - theirs[1]).max() <= score
    assert np.abs(ours[2] - theirs[2]).max() <= score


@pytest.fixture(scope="module")
def on_torch() -> Runtime:
    return runtime("torch")


@pytest.fixture(scope="module")
def on_openvino() -> Runtime:
    return runtime("openvino")


# Equality -----------------------------------------------------------------------------------------


# Four sizes are kept for all engines of the same weights: the last of these serve the tests below.
@needs_openvino
@pytest.mark.parametrize("size", [(721, 1100), (240, 320), (64, 64), (65, 71)])
def test_openvino_agrees_with_torch(
    on_torch: Runtime, on_openvino: Runtime, size: tuple[int, int]
) -> None:
    images = pair(*size)
    expected = on_torch.run(*images, FULL)
    found = on_openvino.run(*images, FULL)
    assert found.fused.shape == size and found.fused.dtype == np.uint8
    assert_alike(found, expected)
    for one, other in zip(found, on_openvino.run(*images, FULL), strict=True):
        np.testing.assert_array_equal(one, other)


@needs_openvino
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("limits", [ThermalRange(20.0, 200.0), ThermalRange(200.0, 20.0)])
def test_thermal_types_and_limits_agree(
    on_torch: Runtime, on_openvino: Runtime, dtype: type, limits: ThermalRange
) -> None:
    thermal, ycrcb = pair(65, 71, dtype)
    given = thermal.copy(), ycrcb.copy()
    assert_alike(on_openvino.run(thermal, ycrcb, limits), on_torch.run(thermal, ycrcb, limits))
    np.testing.assert_array_equal(thermal, given[0])
    np.testing.assert_array_equal(ycrcb, given[1])


@needs_openvino
def test_entity_weights_are_an_input_and_need_no_preparation() -> None:
    """After the first pair nothing is compiled, and the weights reach the network."""
    announced: list[str] = []
    engines = [runtime(name, announce=announced.append) for name in ("torch", "openvino")]
    images = pair(64, 80)
    plain = engines[1].run(*images, FULL)
    count = len(announced)
    assert count == 2 and "80x64" in announced[0]
    weights = np.zeros(len(plain.scores), np.float32)
    expected, found = (engine.run(*images, FULL, weights) for engine in engines)
    assert_alike(found, expected)
    assert np.abs(found.fused.astype(int) - plain.fused).max() > 0
    ones = engines[1].run(*images, FULL, np.ones_like(weights))
    np.testing.assert_array_equal(ones.fused, plain.fused)
    assert len(announced) == count


@pytest.mark.parametrize(
    "weights",
    [np.ones(3), np.full(5, -1.0), np.full(5, np.nan), np.full(5, np.inf), np.ones((5, 1))],
)
def test_entity_weights_that_mean_nothing(weights: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="expected 5 finite numbers"):
        weights_array(weights, 5)
    np.testing.assert_array_equal(weights_array(None, 5), np.ones(5, np.float32))


def test_strided_images_are_taken_as_they_look(on_torch: Runtime) -> None:
    thermal, ycrcb = pair(64, 80)
    for engine in (on_torch, *([runtime("openvino")] if openvino_is_there() else [])):
        expected = engine.run(np.ascontiguousarray(thermal[:, ::-1]), ycrcb[::-1].copy(), FULL)
        found = engine.run(thermal[:, ::-1], ycrcb[::-1], FULL)
        np.testing.assert_array_equal(found.fused, expected.fused)


def openvino_is_there() -> bool:
    return "openvino" in available_runtimes(CPU)


@pytest.mark.parametrize("name", ["torch", pytest.param("openvino", marks=needs_openvino)])
def test_a_result_is_not_overwritten_by_the_next(name: str) -> None:
    engine = runtime(name)
    first = engine.run(*pair(64, 80), FULL)
    kept = [array.copy() for array in first]
    engine.run(*(np.ascontiguousarray(image[::-1]) for image in pair(64, 80)), FULL)
    for array, copy in zip(first, kept, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", ["torch", pytest.param("openvino", marks=needs_openvino)])
def test_bfloat16_is_close_and_float32_the_default(name: str) -> None:
    images = pair(64, 80)
    exact, short = runtime(name), runtime(name, precision="bfloat16")
    assert (exact.precision, short.precision) == ("float32", "bfloat16")
    expected, found = exact.run(*images, FULL), short.run(*images, FULL)
    assert np.abs(found.fused.astype(int) - expected.fused).mean() < 3
    assert np.abs(found.scores - expected.scores).max() < 0.1


# Size changes -------------------------------------------------------------------------------------


@needs_openvino
def test_a_stream_may_change_its_size(on_torch: Runtime) -> None:
    announced: list[str] = []
    engine = runtime("openvino", announce=announced.append)
    for size in ((64, 64), (65, 71), (64, 64), (65, 71), (64, 80)):
        assert_alike(engine.run(*pair(*size), FULL), on_torch.run(*pair(*size), FULL))
    assert [line for line in announced if line.startswith("preparing")] == [
        f"preparing the network for images of {size} ..." for size in ("64x64", "71x65", "80x64")
    ]


def test_sizes_are_kept_until_others_are_used_more() -> None:
    prepared: list[tuple[int, int]] = []

    def prepare(width: int, height: int) -> tuple[int, int]:
        assert cache.preparing_until > time.monotonic()
        if height == 0:
            raise EgmtError("no")
        prepared.append((width, height))
        return width, height

    cache = SizeCache(prepare, lambda line: None, kept=2)
    for width in (1, 2, 1, 3, 1, 2):
        assert cache.get(width, 9) == (width, 9)
    assert prepared == [(1, 9), (2, 9), (3, 9), (2, 9)]
    for _ in range(2):
        with pytest.raises(EgmtError, match="no"):
            cache.get(5, 0)
    now = time.monotonic()
    assert now - 60.0 < cache.preparing_until <= now
    cache.clear()
    cache.get(2, 9)
    assert prepared[-1] == (2, 9) and len(prepared) == 5


def test_sizes_that_keep_changing_are_told_less_and_less_often() -> None:
    lines: list[str] = []
    cache = SizeCache(lambda width, height: None, lines.append, kept=2)
    for width in range(1, 101):
        cache.get(width, 9)
    begun = [line for line in lines if line.startswith("preparing")]
    sizes = [int(line.split("images of ")[1].split("x")[0]) for line in begun]
    assert sizes == [1, 2, 3, 4, 8, 16, 32, 64] and len(lines) == 2 * len(begun)
    assert begun[-1].endswith("(sizes keep changing: 64 times so far, 2 are kept)")


# Engines ------------------------------------------------------------------------------------------


@needs_openvino
def test_auto_takes_openvino_on_the_cpu_and_the_engine_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = FusionEngine.load(device="cpu")
    assert (engine.device, engine.runtime, engine.precision) == ("cpu", "openvino", "float32")
    with caplog.at_level(logging.INFO):
        engine.warm_up(80, 64)
    assert "prepared the network for images of 80x64 in" in caplog.text
    torch_engine = FusionEngine.load(device="cpu", runtime="torch")
    assert torch_engine.runtime == "torch"
    thermal, visible = pair(64, 80)
    results = [one.fuse(thermal, visible) for one in (engine, torch_engine)]
    assert np.abs(results[0].image.astype(int) - results[1].image).max() <= 2  # after YCrCb -> BGR
    assert [label.name for label in results[0].labels if label.present] == [
        label.name for label in results[1].labels if label.present
    ]


@pytest.mark.parametrize("name", ["torch", pytest.param("openvino", marks=needs_openvino)])
def test_two_engines_in_threads_of_their_own(name: str) -> None:
    """As in a process with two nodes: made in one thread, used in another, both at once."""
    images = {size: pair(*size) for size in ((64, 80), (64, 64))}
    engines = {size: FusionEngine.load(device="cpu", runtime=name) for size in images}
    expected = {size: engines[size].fuse(*images[size]).image for size in images}
    wrong: list[object] = []

    def work(size: tuple[int, int]) -> None:
        try:
            for _ in range(10):
                found = engines[size].fuse(*images[size]).image
                if not np.array_equal(found, expected[size]):
                    wrong.append(size)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(size,)) for size in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert wrong == []
    for engine in engines.values():
        engine.close()


# What cannot be done ------------------------------------------------------------------------------


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "openvino", None)


def test_without_openvino_auto_takes_torch(without_openvino: None) -> None:
    assert runtime("auto").name == "torch"
    assert available_runtimes(CPU) == ("torch",)


def test_openvino_that_is_asked_for_and_missing(without_openvino: None) -> None:
    with pytest.raises(MissingDependencyError, match="pip install openvino.*model.runtime: torch"):
        FusionEngine.load(device="cpu", runtime="openvino")


@pytest.mark.parametrize(
    ("name", "device", "precision", "words"),
    [
        ("onnx", "cpu", "float32", "model.runtime is 'onnx'; expected one of auto, torch"),
        ("torch", "cpu", "int8", "model.precision is 'int8'; expected one of float32"),
        ("auto", "cpu", "float16", "float16 on device cpu.*bfloat16"),
        ("openvino", "cuda:0", "float32", "openvino on device cuda:0.*model.runtime: torch"),
        ("cuda-graphs", "cpu", "float32", "cuda-graphs on device cpu.*needs a CUDA device"),
    ],
)
def test_runtimes_that_do_not_suit(name: str, device: str, precision: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        runtime(name, torch.device(device), precision=precision)


@needs_openvino
def test_what_openvino_refuses_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = runtime("openvino")

    def refuse(*arguments: object) -> None:
        raise RuntimeError("no kernel\n  for this")

    monkeypatch.setattr(engine, "_converted", refuse)
    with pytest.raises(EgmtError, match=r"80x64 \(no kernel for this\); set model.runtime: torch"):
        engine.run(*pair(64, 80), FULL)


@needs_openvino
def test_openvino_is_imported_late_and_without_its_telemetry() -> None:
    """Importing the package with its telemetry would send a message to its makers."""
    code = (
        "import sys, types\n"
        "import egmt_ros.pipeline.engine\n"
        "assert 'openvino' not in sys.modules\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        assert not name.startswith('openvino_telemetry'), name\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from egmt_ros.pipeline.runtime_openvino import import_openvino\n"
        "assert import_openvino() is sys.modules['openvino']\n"
        "assert 'openvino_telemetry' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert runtime_openvino.import_openvino() is sys.modules["openvino"]


# CUDA ---------------------------------------------------------------------------------------------


@needs_cuda
@pytest.mark.parametrize("name", ["torch", "cuda-graphs"])
@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_cuda_agrees_with_the_cpu(on_torch: Runtime, name: str, precision: str) -> None:
    engine = runtime(name, torch.device("cuda", 0), precision=precision)
    for size in ((65, 71), (240, 320), (65, 71)):
        images = pair(*size)
        expected, found = on_torch.run(*images, FULL), engine.run(*images, FULL)
        grey = np.abs(found.fused.astype(int) - expected.fused)
        # Convolutions on a GPU may use TF32.
        assert grey.mean() < (0.5 if precision == "float32" else 3)
        assert np.abs(found.scores - expected.scores).max() < 0.1
    engine.close()

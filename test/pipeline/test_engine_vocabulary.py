"""Another vocabulary for an engine: which entities, what it costs, and what stays as it is."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from egmt_ros.errors import ConfigError, EgmtError
from egmt_ros.model.checkpoint import CheckpointInfo, load_checkpoint, save_checkpoint
from egmt_ros.model.config import EGMTConfig
from egmt_ros.model.network import EGMT
from egmt_ros.model.vocabulary_hash import vocabulary_hash
from egmt_ros.pipeline import FusionEngine
from egmt_ros.pipeline.embedding_file import EmbeddingFile
from egmt_ros.pipeline.entity_bank import NEW_THRESHOLD
from egmt_ros.pipeline.fuse_command import add_arguments, run
from egmt_ros.pipeline.runtime import available_runtimes

NAMES = ("person", "car", "sky", "road", "tree")
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.6)
PRIOR = (0.5, -1.0, 1.0, 2.0, 0.0)
WIDTH = 12
SMALL = EGMTConfig(
    widths=(8, 8, 8), backbone_multiplier=0.35, decoder_width=8, attention_width=8, text_width=WIDTH
)
RUNTIMES = available_runtimes(torch.device("cpu"))


def words(*names: str) -> np.ndarray:
    """(E, WIDTH) embeddings of a text encoder that exists only here."""
    rows = [np.random.default_rng(list(name.encode())).normal(size=WIDTH) for name in names]
    return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


class Encoder:
    """That text encoder; counts what it is asked."""

    def __init__(self, name: str = "words", template: str = "{}", width: int = WIDTH) -> None:
        self.name, self.template, self.width = name, template, width
        self.asked: list[str] = []

    def knows(self, name: str) -> bool:
        return True

    def embed(self, names: list[str]) -> np.ndarray:
        self.asked += names
        return words(*names)


def make_checkpoint(folder: Path) -> Path:
    torch.manual_seed(0)
    network = EGMT(SMALL, torch.from_numpy(words(*NAMES)), torch.tensor(PRIOR)).eval()
    info = CheckpointInfo(
        name="small",
        network=SMALL,
        names=NAMES,
        thresholds=THRESHOLDS,
        text_encoder="words",
        template="{}",
        vocabulary_hash=vocabulary_hash(NAMES, "words", "{}"),
        localised=("person", "car"),
    )
    save_checkpoint(folder / "small.safetensors", network, info)
    return folder / "small.safetensors"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module", params=RUNTIMES)
def engine(request: pytest.FixtureRequest, checkpoint: Path) -> FusionEngine:
    return FusionEngine.load(checkpoint, "cpu", runtime=request.param)


def pair(height: int = 64, width: int = 80) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (6, 7, 4)).astype(np.uint8)
    large = cv2.resize(small, (width, height))
    return np.ascontiguousarray(large[..., 0]), np.ascontiguousarray(large[..., 1:])


# Which entities -----------------------------------------------------------------------------------


def test_stored_entities_in_any_order_are_scored_as_before(engine: FusionEngine) -> None:
    plain = engine.fuse(*pair())
    other = engine.with_vocabulary(("road", "person"))
    assert other.names == ("road", "person") and other.thresholds == (0.4, 0.1)
    assert (other.model_id, other.runtime) == (engine.model_id, engine.runtime)
    assert other.vocabulary_hash == vocabulary_hash(("road", "person"), "words", "{}")
    result = other.fuse(*pair())
    assert tuple(result.scores) == other.names
    for name, score in result.scores.items():
        assert score == pytest.approx(plain.scores[name], abs=1e-5)
    assert result.attention.shape[0] == 2
    np.testing.assert_allclose(result.attention[1], plain.attention[0], atol=1e-5)
    labels = {label.name: label for label in result.labels}
    assert labels["person"].index == 1 and labels["person"].region is not None
    assert labels["road"].region is None, "it was never learned where a road is"
    assert engine.names == NAMES, "the first engine stays as it is"
    np.testing.assert_array_equal(engine.fuse(*pair()).image, plain.image)
    back = other.with_vocabulary(NAMES)
    assert back.thresholds == THRESHOLDS and back.vocabulary_hash == engine.vocabulary_hash
    np.testing.assert_array_equal(back.fuse(*pair()).image, plain.image)


@pytest.mark.parametrize("names", [("dog",), (*NAMES, "dog", "traffic light")])
def test_new_entities_are_embedded_with_the_mean_prior(
    engine: FusionEngine, checkpoint: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    """As the engine of a checkpoint would that holds them."""
    encoder = Encoder()
    found = engine.with_vocabulary(names, encoder=encoder)
    assert set(names) - set(NAMES) <= set(encoder.asked)
    stored = dict(zip(NAMES, zip(PRIOR, THRESHOLDS, strict=True), strict=True))
    mean = sum(PRIOR) / len(PRIOR)
    prior, thresholds = zip(*(stored.get(n, (mean, NEW_THRESHOLD)) for n in names), strict=True)
    assert found.thresholds == thresholds
    network, info = load_checkpoint(checkpoint)
    own = {"embeddings": torch.from_numpy(words(*names)), "prior": torch.tensor(prior)}
    other = EGMT(SMALL, own["embeddings"])
    other.load_state_dict(network.state_dict() | own)
    info = replace(
        info,
        names=names,
        thresholds=thresholds,
        vocabulary_hash=vocabulary_hash(names, "words", "{}"),
        localised=(),
    )
    save_checkpoint(tmp_path / "other.safetensors", other.eval(), info)
    expected = FusionEngine.load(tmp_path / "other.safetensors", "cpu", runtime="torch")
    assert found.vocabulary_hash == expected.vocabulary_hash
    results = [e.fuse(*pair()) for e in (found, expected)]
    assert results[0].scores == pytest.approx(results[1].scores, abs=1e-4)
    assert np.abs(results[0].image.astype(int) - results[1].image).max() <= 2


def test_thresholds_of_ones_own(engine: FusionEngine) -> None:
    other = engine.with_vocabulary(("dog", "car"), (0.0, 1.0), Encoder())
    assert other.thresholds == (0.0, 1.0)
    present = {label.name: label.present for label in other.fuse(*pair()).labels}
    assert present == {"dog": True, "car": False}


def test_a_file_serves_as_text_encoder(engine: FusionEngine) -> None:
    file = EmbeddingFile(("dog", "car"), words("dog", "car"), "words", "{}")
    other = engine.with_vocabulary(("car", "dog", "sky"), encoder=file)
    by_model = engine.with_vocabulary(("car", "dog", "sky"), encoder=Encoder())
    assert other.fuse(*pair()).scores == by_model.fuse(*pair()).scores
    with pytest.raises(ConfigError, match="'cat' has no stored embedding.*embedding file"):
        engine.with_vocabulary(("cat",), encoder=file)


# What is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "thresholds", "words"),
    [
        ((), (), "the vocabulary is empty"),
        (("car", "sky", "car"), (), "'car' is named twice"),
        (("",), (), "'' cannot be used"),
        ((" car",), (), "' car' cannot be used"),
        (("a\nb",), (), "printable"),
        (("x" * 201,), (), "1 to 200"),
        (tuple(map(str, range(1001))), (), "1001 entities are named; expected at most 1000"),
        (("car", "sky"), (0.5,), "1 thresholds are given for 2 entities"),
        (("car",), (0.5, 0.5), "2 thresholds are given for 1"),
        (("car",), (1.1,), "'car' is 1.1; expected a number from 0 to 1"),
        (("car",), (-0.1,), "'car' is -0.1"),
        (("car", "sky"), (0.5, float("nan")), "'sky' is nan"),
        (("Persons", "dog"), (), "'Persons', 'dog' .did you mean 'person'.. is not among the 5"),
        (("dog",), (), "no text encoder is configured.*entities.text_encoder.*words"),
    ],
)
def test_vocabularies_that_cannot_be_used(
    engine: FusionEngine, names: tuple, thresholds: tuple, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        engine.with_vocabulary(names, thresholds)


def test_only_the_text_encoder_of_the_weights_will_do(engine: FusionEngine) -> None:
    class Retrained(Encoder):
        def embed(self, names: list[str]) -> np.ndarray:
            return words(*(f"{name}!" for name in names))

    for encoder, message in (
        (Encoder(name="clip"), "text encoder is 'clip', but that of the weights small@.* 'words'"),
        (Encoder(template="a {}"), "template is 'a {}', but that of the weights"),
        (Encoder(width=5), "width is 5, .* 12"),
        (Retrained(), "'words' is not the one .* embedding of 'person' has cosine"),
    ):
        with pytest.raises(ConfigError, match=message):
            engine.with_vocabulary(("dog",), encoder=encoder)
        assert engine.with_vocabulary(("car",), encoder=encoder).names == ("car",)


def test_a_closed_engine_says_so(checkpoint: Path) -> None:
    engine = FusionEngine.load(checkpoint, "cpu", runtime="torch")
    other = engine.with_vocabulary(("car",))
    engine.close()
    with pytest.raises(EgmtError, match="engine is closed"):
        engine.with_vocabulary(("car",))
    assert other.fuse(*pair()).image.shape == (64, 80, 3), "the other one goes on"


# What it costs ------------------------------------------------------------------------------------


def test_weights_are_shared_and_the_old_engine_is_freed(engine: FusionEngine) -> None:
    first = engine.with_vocabulary(("car", "sky"))
    second = first.with_vocabulary(("person",))
    pointers = [
        {p.data_ptr() for name, p in e._network.state_dict().items() if "encoder" in name}
        for e in (engine, first, second)
    ]
    assert pointers[0] == pointers[1] == pointers[2]
    first.warm_up(80, 64, rounds=1)
    gone = [weakref.ref(first), weakref.ref(first._runtime), weakref.ref(first._network)]
    first.close()
    del first
    gc.collect()
    assert [reference() for reference in gone] == [None, None, None]
    assert second.fuse(*pair()).scores.keys() == {"person"}


@pytest.mark.skipif("openvino" not in RUNTIMES, reason="openvino is not installed")
def test_openvino_traces_once_for_all_vocabularies(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch never frees a trace: one for each vocabulary or loading would be a leak."""
    from egmt_ros.pipeline import runtime_openvino

    monkeypatch.setattr(runtime_openvino._Kept, "network", None)
    traced, announced = [], []
    trace = torch.jit.trace
    monkeypatch.setattr(
        torch.jit, "trace", lambda *args, **kwargs: traced.append(1) or trace(*args, **kwargs)
    )
    engine = FusionEngine.load(checkpoint, "cpu", runtime="openvino", announce=announced.append)
    engine.fuse(*pair())
    for names in (("car",), (*NAMES, "dog")):
        other = engine.with_vocabulary(names, encoder=Encoder())
        assert len(other.fuse(*pair()).scores) == len(names)
        engine.close()
        engine = other
    assert len(traced) == 1
    assert sum("prepared" in line for line in announced) == 3
    engine.close()
    again = FusionEngine.load(checkpoint, "cpu", runtime="openvino")
    again.fuse(*pair())
    assert len(traced) == 1, "the same weights, loaded again"
    weights = dict(again._network.named_parameters())
    with torch.no_grad():
        next(tensor for name, tensor in weights.items() if "." in name).add_(1.0)
    other_weights = runtime_openvino._converted(again._network)
    assert other_weights is not again._runtime._network, "other weights"
    assert runtime_openvino._converted(again._network) is other_weights


def test_one_thread_fuses_while_another_makes_engines(engine: FusionEngine) -> None:
    expected = engine.fuse(*pair()).image
    wrong: list[object] = []
    done = threading.Event()

    def fuse() -> None:
        try:
            while not done.is_set():
                if not np.array_equal(engine.fuse(*pair()).image, expected):
                    wrong.append("another image")
        except Exception as error:
            wrong.append(error)

    thread = threading.Thread(target=fuse)
    thread.start()
    for size in ((80, 64), (64, 64)):  # the second one the first engine lacks
        other = engine.with_vocabulary(("car", "dog"), encoder=Encoder())
        other.warm_up(*size, rounds=1)
        other.close()
    done.set()
    thread.join(30)
    assert not thread.is_alive() and wrong == []


# Emphasis -----------------------------------------------------------------------------------------


def test_emphasis_reaches_the_network_and_neutral_is_none(engine: FusionEngine) -> None:
    plain = engine.fuse(*pair())
    neutral = engine.fuse(*pair(), entity_weights=engine.emphasis({}))
    np.testing.assert_array_equal(neutral.image, plain.image)
    seen = []
    runtime = engine._runtime
    original = runtime.run

    def recording(thermal, ycrcb, limits, entity_weights=None):
        seen.append(entity_weights)
        return original(thermal, ycrcb, limits, entity_weights)

    runtime.run = recording
    try:
        engine.fuse(*pair(), entity_weights=engine.emphasis({"sky": 0.0, "person": 4.0}))
    finally:
        del runtime.run
    np.testing.assert_array_equal(seen[0], [4, 1, 0, 1, 1])
    strong = engine.fuse(*pair(), entity_weights=engine.emphasis(dict.fromkeys(NAMES, 4.0)))
    assert strong.scores == plain.scores
    with pytest.raises(ConfigError, match="'dog', which is not in the vocabulary of 5"):
        engine.emphasis({"dog": 1.0})
    with pytest.raises(ConfigError, match="expected 5 finite numbers"):
        engine.fuse(*pair(), entity_weights=np.ones(4, np.float32))


# egmt fuse ----------------------------------------------------------------------------------------


def test_fuse_command_with_other_entities_and_emphasis(checkpoint: Path, tmp_path: Path) -> None:
    import argparse

    thermal, visible = pair()
    cv2.imwrite(str(tmp_path / "t.png"), thermal)
    cv2.imwrite(str(tmp_path / "v.png"), visible)
    EmbeddingFile(("dog", "car"), words("dog", "car"), "words", "{}").write(tmp_path / "w.npz")

    def fuse(*options: str) -> dict[str, float]:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        images = [str(tmp_path / "t.png"), str(tmp_path / "v.png")]
        out = ["--out", str(tmp_path / "out"), "--weights", str(checkpoint), "--device", "cpu"]
        assert run(parser.parse_args([*images, *out, *options])) == 0
        return json.loads((tmp_path / "out" / "labels.json").read_text())["t"]

    assert tuple(fuse()) == NAMES
    assert tuple(fuse("--entities", "sky", "car", "--emphasis", "car=2.0", "sky=0")) == (
        "sky",
        "car",
    )
    assert tuple(fuse("--embeddings", str(tmp_path / "w.npz"))) == ("dog", "car")
    held = ("--embeddings", str(tmp_path / "w.npz"))
    assert tuple(fuse(*held, "--entities", "sky", "dog")) == ("sky", "dog")
    with pytest.raises(ConfigError, match="'sky', which is not in the vocabulary of 1"):
        fuse("--entities", "car", "--emphasis", "sky=2")
    with pytest.raises(ConfigError, match="5; expected a number from 0 to 4"):
        fuse("--emphasis", "car=5")

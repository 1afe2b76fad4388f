"""Checkpoints: round trip, and every way in which one can be wrong."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from egmt_ros.errors import CheckpointError
from egmt_ros.model.checkpoint import (
    LARGEST_JSON,
    CheckpointInfo,
    load_checkpoint,
    read_info,
    save_checkpoint,
)
from egmt_ros.model.config import LIMITS, EGMTConfig
from egmt_ros.model.network import EGMT
from egmt_ros.model.vocabulary_hash import vocabulary_hash

CONFIG = EGMTConfig(
    widths=(8, 8, 8), depths=(1, 1, 1), decoder_width=8, attention_width=8, text_width=6
)


NAMES = ("person", "car", "sky")


def describe(names: tuple[str, ...] = NAMES, config: EGMTConfig = CONFIG) -> CheckpointInfo:
    return CheckpointInfo(
        name="tiny",
        network=config,
        names=names,
        thresholds=(0.5, 0.4, 0.3)[: len(names)],
        text_encoder="encoder",
        template="{}",
        vocabulary_hash=vocabulary_hash(names, "encoder", "{}"),
        localised=names[:1],
        training={"steps": 1},
    )


def make_network() -> EGMT:
    torch.manual_seed(0)
    return EGMT(CONFIG, torch.randn(3, 6)).eval()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.safetensors"
    save_checkpoint(file, make_network(), describe())
    return file


def edit(path: Path, **values: object) -> None:
    described = path.with_suffix(".json")
    described.write_text(json.dumps(json.loads(described.read_text()) | values))


def rewrite(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Other weights under the old description, with a hash that fits."""
    path.write_bytes(save(tensors))
    edit(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def refuse(path: Path, *words: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    for word in words:
        assert word in str(caught.value)


def test_round_trip(path: Path) -> None:
    network, info = load_checkpoint(path)
    assert info.names == ("person", "car", "sky")
    assert info.thresholds == (0.5, 0.4, 0.3)
    assert info.model_id == f"tiny@{info.sha256[:12]}"
    assert not network.training
    assert network.embeddings.shape == (3, 6)
    assert not list(path.parent.glob("*.part"))


def test_the_loaded_network_is_the_saved_one_on_the_cpu(path: Path) -> None:
    network, _ = load_checkpoint(path)
    saved = make_network()
    for name, value in network.state_dict().items():
        assert value.device.type == "cpu"
        assert torch.equal(value, saved.state_dict()[name]), name
    assert all(p.requires_grad and not p.is_meta for p in network.parameters())
    assert not any(b.is_meta for b in network.buffers())
    images = torch.rand(1, 1, 64, 80), torch.rand(1, 3, 64, 80)
    with torch.inference_mode():
        assert torch.equal(network(*images).fused, saved(*images).fused)


def test_an_interrupted_save_leaves_the_old_checkpoint(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = read_info(path)

    def no_space(descriptor: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(path, EGMT(CONFIG, torch.randn(3, 6)), describe())
    assert load_checkpoint(path)[1] == old


def test_an_old_checkpoint_without_metadata_still_loads(path: Path) -> None:
    rewrite(path, load(path.read_bytes()))
    assert load_checkpoint(path)[1].names == NAMES


def test_a_wrong_description_is_never_saved(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="vocabulary_hash"):
        save_checkpoint(
            tmp_path / "a.safetensors", make_network(), replace(describe(), template="a {}")
        )
    assert not list(tmp_path.iterdir())


def test_one_flipped_bit_is_noticed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    refuse(path, "damaged", "SHA-256", "restore")


def test_a_truncated_file_is_noticed(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])
    refuse(path, "damaged", str(path))


def test_garbage_with_a_matching_hash_is_noticed(path: Path) -> None:
    path.write_bytes(b"garbage" * 100)
    edit(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    refuse(path, "not a safetensors file")


def test_weights_of_another_network(path: Path) -> None:
    save_checkpoint(path, make_network(), describe(config=replace(CONFIG, decoder_width=16)))
    refuse(path, "do not match the network")


def test_names_that_do_not_fit_the_embeddings(path: Path) -> None:
    save_checkpoint(path, make_network(), describe(("person",)))
    refuse(path, "embeddings are (3, 6)", "(1, 6)")


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16])
def test_weights_of_another_type(path: Path, dtype: torch.dtype) -> None:
    tensors = load(path.read_bytes())
    rewrite(path, tensors | {"embeddings": tensors["embeddings"].to(dtype)})
    refuse(path, "embeddings is", str(dtype), "torch.float32")


@pytest.mark.parametrize(
    "values",
    [
        {"thresholds": [0.5, 0.4, 0.31]},
        {"localised": ["person", "sky"]},
        {"network": CONFIG.to_dict() | {"token_budget": 600}},
        {
            "names": ["car", "person", "sky"],
            "vocabulary_hash": vocabulary_hash(("car", "person", "sky"), "encoder", "{}"),
        },
    ],
)
def test_a_changed_description(path: Path, values: dict[str, object]) -> None:
    edit(path, **values)
    refuse(path, "the .json was changed", "tiny.json", "restore both")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("thresholds", [0.5], "3 names and 1 thresholds"),
        ("thresholds", [0.5, 0.5, float("nan")], "thresholds holds nan"),
        ("thresholds", [0.5, 0.5, 1.5], "thresholds holds 1.5"),
        ("thresholds", [0.5, 0.5, 10**400], "thresholds holds 1000"),
        ("thresholds", [0.5, 0.5, True], "thresholds holds True"),
        ("thresholds", ["0.5", 0.5, 0.5], "thresholds holds '0.5'"),
        ("thresholds", None, "TypeError"),
        ("names", ["person", "car", "car"], "names an entity twice"),
        ("names", ["person", "car", ""], "names holds ''"),
        ("names", ["person", "car", 3], "names holds 3"),
        ("names", ["person", "car", "a\nb"], "printable"),
        ("names", ["person", "car", "tree"], "vocabulary_hash is"),
        ("text_encoder", "another", "vocabulary_hash is"),
        ("text_encoder", 3, "text_encoder is 3"),
        ("vocabulary_hash", "0123", "vocabulary_hash is '0123'"),
        ("localised", ["tree"], "localised holds 'tree'"),
        ("sha256", 5, "sha256 is 5"),
        ("name", None, "name is None"),
        ("training", [], "training is []"),
        ("network", [], "network is []"),
        ("network", {"depths": [1, 1, True]}, "network.depths"),
        ("network", {"widths": [10**9, 8, 8]}, "network.widths"),
        ("network", {"widths": 8}, "network.widths"),
        ("network", {"attention_heads": True}, "network.attention_heads"),
        ("network", {"text_width": 10**12}, "network.text_width"),
        ("more", 1, "more"),
    ],
)
def test_a_description_with_wrong_values(path: Path, key: str, value: object, words: str) -> None:
    edit(path, **{key: value})
    refuse(path, "tiny.json is damaged", words)


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_every_size_of_the_network_has_a_limit(path: Path, name: str) -> None:
    value = LIMITS[name] + 1
    edit(path, network={name: [1, 1, value] if name in ("widths", "depths") else value})
    refuse(path, f"network.{name}", f"to {LIMITS[name]}")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", ("damaged", "not valid JSON")),
        ("[" * 100_000, ("damaged", "not valid JSON")),
        ("1" * 5000, ("damaged", "not valid JSON")),
        ("[]", ("foreign",)),
        (" " * (LARGEST_JSON + 1), ("foreign", "more than")),
        ('{"format": "pt"}', ("foreign", "egmt-checkpoint")),
        ('{"format": "egmt-checkpoint", "version": 99}', ("version 99",)),
        ('{"format": "egmt-checkpoint", "version": 1}', ("damaged",)),
    ],
)
def test_a_wrong_description(path: Path, content: str, words: tuple[str, ...]) -> None:
    path.with_suffix(".json").write_text(content)
    refuse(path, *words)


def test_a_missing_description(path: Path) -> None:
    path.with_suffix(".json").unlink()
    refuse(path, "tiny.json", "copy both")


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_folder_in_place_of_a_file(path: Path, suffix: str) -> None:
    path.with_suffix(suffix).unlink()
    path.with_suffix(suffix).mkdir()
    refuse(path, f"tiny{suffix} cannot be read")


def test_a_description_that_is_not_text(path: Path) -> None:
    path.with_suffix(".json").write_bytes(b"\xff\xfe\xff")
    refuse(path, "damaged", "not valid JSON")


def test_missing_weights(path: Path) -> None:
    path.unlink()
    refuse(path, str(path), "cannot be read")


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    torch.save({"a": torch.zeros(1)}, file)
    refuse(file, "foreign", ".safetensors", "never loaded")


def test_values_that_are_not_finite(path: Path) -> None:
    network, info = load_checkpoint(path)
    with torch.no_grad():
        network.decoder.output.bias[0] = float("nan")
    save_checkpoint(path, network, info)
    refuse(path, "not finite")

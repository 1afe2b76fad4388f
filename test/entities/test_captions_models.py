"""Captioning with tiny models of random weights: families of models, loading, the command."""

from __future__ import annotations

import argparse
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("PIL")

from egmt_ros.entities.captions import captions_command, model_source  # noqa: E402
from egmt_ros.entities.captions.caption_config import load_caption_config  # noqa: E402
from egmt_ros.entities.captions.captioner import Captioner  # noqa: E402
from egmt_ros.entities.captions.model_source import find_model  # noqa: E402
from egmt_ros.errors import (  # noqa: E402
    CheckpointError,
    ConfigError,
    DataError,
    DeviceError,
    MissingDependencyError,
)
from egmt_ros.resources import config_path  # noqa: E402

WORDS = "a thermal image photo of person car road tree street walks on the dark describe".split()
SIDE = 32
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "projection_dim": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 16,
}
TEXT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.5,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
CHAT = (
    "{% for m in messages %}{{ m['role'] + ' ' }}{% for c in m['content'] %}"
    "{{ '<image> ' if c['type'] == 'image' else c['text'] + ' ' }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant' }}{% endif %}"
)


def make_tokenizer(begins: bool = True, ends: bool = False, **special: str) -> Any:
    """A tokenizer of words; <s> is 2 and </s> is 3, and put around texts if wanted."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    names = ["<pad>", "<unk>", "<s>", "</s>", "<image>"]
    words = {word: number for number, word in enumerate([*names, "user", "assistant", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    single = " ".join(["<s>"] * begins + ["$A"] + ["</s>"] * ends)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        **special,
    )
    made.add_special_tokens({"additional_special_tokens": ["<image>"]})
    made.image_token = "<image>"
    return made


def square() -> Any:
    return transformers.BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})


def clip_square() -> Any:
    return transformers.CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )


def make_blip() -> tuple[Any, Any]:
    tokenizer = make_tokenizer(ends=True, sep_token="</s>")
    text = {
        **TEXT,
        "vocab_size": len(tokenizer),
        "encoder_hidden_size": 16,
        "projection_dim": 16,
        "sep_token_id": 3,
    }
    config = transformers.BlipConfig(
        text_config=text,
        vision_config={**VISION, "initializer_range": 0.5},
        projection_dim=16,
        image_text_hidden_size=16,
    )
    return (
        transformers.BlipForConditionalGeneration(config),
        transformers.BlipProcessor(square(), tokenizer),
    )


def make_blip2(text: dict[str, Any], ends: bool) -> tuple[Any, Any]:
    tokenizer = make_tokenizer(begins=not ends, ends=ends)
    former = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "encoder_hidden_size": 16,
        "vocab_size": len(tokenizer),
        "cross_attention_frequency": 1,
        "initializer_range": 0.5,
    }
    config = transformers.Blip2Config(
        vision_config={**VISION, "initializer_range": 0.5},
        qformer_config=former,
        text_config={"vocab_size": len(tokenizer), **text},
        num_query_tokens=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    model = transformers.Blip2ForConditionalGeneration(config)
    torch.nn.init.normal_(model.query_tokens)
    torch.nn.init.normal_(model.language_projection.weight)  # so that images make a difference
    return model, transformers.Blip2Processor(square(), tokenizer, num_query_tokens=4)


def make_blip2_opt() -> tuple[Any, Any]:
    sizes = {"ffn_dim": 32, "word_embed_proj_dim": 16, "init_std": 0.5, "model_type": "opt"}
    return make_blip2({**TEXT, **sizes}, ends=False)


def make_blip2_t5() -> tuple[Any, Any]:
    sizes = {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1}
    more = {"num_heads": 2, "initializer_factor": 5.0, "decoder_start_token_id": 0}
    return make_blip2({**sizes, **more, "pad_token_id": 0, "eos_token_id": 3}, ends=True)


def make_llava() -> tuple[Any, Any]:
    tokenizer = make_tokenizer()
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION, initializer_factor=5.0),
        text_config=transformers.LlamaConfig(**TEXT, vocab_size=len(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    processor = transformers.LlavaProcessor(
        clip_square(),
        tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    )
    model = transformers.LlavaForConditionalGeneration(config)
    for parameter in model.model.multi_modal_projector.parameters():
        torch.nn.init.normal_(parameter)
    return model, processor


def make_git() -> tuple[Any, Any]:
    tokenizer = make_tokenizer(ends=True, cls_token="<s>", sep_token="</s>")
    config = transformers.GitConfig(
        vision_config={**VISION, "initializer_range": 0.5}, **TEXT, vocab_size=len(tokenizer)
    )
    return (
        transformers.GitForCausalLM(config),
        transformers.GitProcessor(clip_square(), tokenizer),
    )


MAKERS = {
    "blip": make_blip,
    "blip2_opt": make_blip2_opt,
    "blip2_t5": make_blip2_t5,
    "llava": make_llava,
    "git": make_git,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name of a maker -> folder of the model, made when it is first asked for."""
    root = tmp_path_factory.mktemp("models")

    def folder(name: str) -> Path:
        if not (root / name).is_dir():
            torch.manual_seed(7)
            model, processor = MAKERS[name]()
            model.eval().save_pretrained(root / name)
            processor.save_pretrained(root / name)
        return root / name

    return folder


@pytest.fixture
def config() -> Any:
    return replace(load_caption_config(config_path("captions.yaml")), max_new_tokens=12)


def images(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    return [rng.integers(0, 256, (20 + 3 * n, 40 - n, 3), dtype=np.uint8) for n in range(count)]


def raw_texts(folder: Path, pictures: Sequence[np.ndarray], prompt: str) -> list[str]:
    """What the model generates, as the documentation of transformers does it; with the prompt."""
    from PIL import Image

    processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True)
    found = []
    for picture in pictures:
        inputs = processor(
            images=Image.fromarray(picture), text=[prompt], return_tensors="pt", padding=True
        )
        tokens = model.generate(**inputs, max_new_tokens=12, num_beams=3, do_sample=False)
        (text,) = processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        found.append(" ".join(text.split()))
    return found


# Families of models -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["blip", "blip2_opt"])
def test_a_text_is_continued_and_the_prompt_left_out(
    models: Callable[[str], Path], config: Any, name: str
) -> None:
    captioner = Captioner(find_model(str(models(name))), config, "cpu")
    assert captioner.prompts == config.completion
    pictures = images(3)
    for prompt in ("a thermal image of", "dark"):
        captions = captioner.caption(pictures, prompt)
        assert [f"{prompt} {c}".strip() for c in captions] == raw_texts(
            models(name), pictures, prompt
        )
        assert len(set(captions)) > 1
        assert captioner.caption(pictures[2:], prompt) == captions[2:]  # whatever is beside it
    without = captioner.caption(pictures, "")
    assert len(without) == 3 and any(without)


def test_an_answer_of_an_encoder_and_decoder_is_left_whole(
    models: Callable[[str], Path], config: Any
) -> None:
    captioner = Captioner(find_model(str(models("blip2_t5"))), config, "cpu")
    captions = captioner.caption(images(3), "a photo of")
    assert captions == raw_texts(models("blip2_t5"), images(3), "a photo of")
    assert any(captions)


def test_a_chat_model_is_asked(models: Callable[[str], Path], config: Any) -> None:
    captioner = Captioner(find_model(str(models("llava"))), config, "cpu")
    assert captioner.prompts == config.chat
    captions = captioner.caption(images(3), "describe the image")
    text = "user <image> describe the image assistant"
    for caption, raw in zip(captions, raw_texts(models("llava"), images(3), text), strict=True):
        assert f"user describe the image assistant {caption}" == raw
    assert len(set(captions)) > 1
    assert captioner.caption(images(3), "describe the dark road") != captions


def test_a_prompt_is_not_ended_where_it_is_to_be_continued(
    models: Callable[[str], Path], config: Any
) -> None:
    captioner = Captioner(find_model(str(models("git"))), config, "cpu")
    asked = []
    captioner.caption(images(1), "")  # loads the weights
    generate = captioner._model.generate
    captioner._model.generate = lambda **inputs: asked.append(inputs) or generate(**inputs)
    captions = captioner.caption(images(3), "a photo of")
    ids = asked[0]["input_ids"]
    assert ids.shape == asked[0]["attention_mask"].shape == (3, 4) and 3 not in ids
    assert all("photo of" not in caption for caption in captions)


def test_a_precision_may_be_chosen(models: Callable[[str], Path], config: Any) -> None:
    captioner = Captioner(
        find_model(str(models("blip"))), replace(config, dtype="bfloat16", beams=1), "cpu"
    )
    assert len(captioner.caption(images(2), "a photo of")) == 2
    assert captioner._model.dtype == torch.bfloat16


# What goes wrong --------------------------------------------------------------------------------


@pytest.fixture
def broken(models: Callable[[str], Path], tmp_path: Path) -> Path:
    return shutil.copytree(models("blip"), tmp_path / "broken")


def opened(folder: Path, config: Any) -> list[str]:
    return Captioner(find_model(str(folder)), config, "cpu").caption(images(1), "a photo of")


def test_folders_that_are_no_model(tmp_path: Path, config: Any) -> None:
    for name in ("./not here", "/no/such/folder", "~/no/such/blip", "a/b/c", ""):
        with pytest.raises(ConfigError, match="does not exist.*hub id such as"):
            find_model(name if name else str(tmp_path / "gone"))
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="does not exist"):
        find_model(str(tmp_path / "file"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty holds no config.json"):
        find_model(str(tmp_path / "empty"))


def test_a_damaged_model_is_named(broken: Path, config: Any) -> None:
    weights = broken / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="broken@.*cannot be loaded.*folder is complete"):
        opened(broken, config)
    weights.unlink()
    with pytest.raises(CheckpointError, match="broken@.*cannot be loaded"):
        opened(broken, config)


def test_weights_that_lack_tensors_are_refused(broken: Path, config: Any) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(broken / "model.safetensors")
    gone = [name for name in tensors if "crossattention" in name]
    assert gone
    save_file(
        {name: t for name, t in tensors.items() if name not in gone},
        broken / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(CheckpointError, match=f"lack .*crossattention.*{len(gone) - 1} more"):
        opened(broken, config)


def test_a_model_that_is_no_captioner(broken: Path, config: Any) -> None:
    (broken / "processor_config.json").unlink()
    with pytest.raises(CheckpointError, match="processor of images and texts|cannot be loaded"):
        opened(broken, config)
    shutil.rmtree(broken)
    sizes = {k: v for k, v in TEXT.items() if not k.endswith("_id")}
    made = transformers.BertModel(transformers.BertConfig(**sizes, vocab_size=30))
    made.save_pretrained(broken)
    make_tokenizer().save_pretrained(broken)
    with pytest.raises(CheckpointError, match="comes with a .* alone"):
        opened(broken, config)


def test_a_model_of_another_kind(broken: Path, config: Any) -> None:
    made = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**made, "model_type": "bert"}))
    with pytest.raises(CheckpointError, match="cannot be loaded.*image-to-text model"):
        opened(broken, config)


def test_a_prompt_that_the_model_does_not_take(models: Callable[[str], Path], config: Any) -> None:
    captioner = Captioner(find_model(str(models("blip"))), config, "cpu")
    with pytest.raises(CheckpointError, match="prompt 'a a .*another prompt"):
        captioner.caption(images(1), "a " * 200)


@pytest.mark.parametrize(("count", "words"), [(4, "--batch-size, such as 2"), (1, "dtype to bf")])
def test_out_of_memory_names_the_batch_size(
    models: Callable[[str], Path],
    config: Any,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    words: str,
) -> None:
    captioner = Captioner(find_model(str(models("blip"))), config, "cpu")
    captioner.caption(images(1), "")

    def generate(**inputs: Any) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(captioner._model, "generate", generate)
    with pytest.raises(DeviceError, match=f"ran out of memory .*{words}"):
        captioner.caption(images(count), "a photo of")


def test_without_transformers(
    models: Callable[[str], Path], config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = find_model(str(models("blip")))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match="make setup EXTRAS=annotate"):
        Captioner(source, config, "cpu")


def test_a_device_that_is_not_there(models: Callable[[str], Path], config: Any) -> None:
    with pytest.raises(DeviceError, match="cuda:77"):
        Captioner(find_model(str(models("blip"))), config, "cuda:77")


def test_a_folder_is_known_by_its_contents(models: Callable[[str], Path], broken: Path) -> None:
    first, second = find_model(str(models("blip"))), find_model(str(broken))
    assert first.identity == second.identity and first.label != second.label
    (broken / "README.md").write_text("notes")
    (broken / "pytorch_model.bin").write_bytes(b"of another library")
    assert find_model(str(broken)).identity == first.identity
    data = bytearray((broken / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (broken / "model.safetensors").write_bytes(data)
    assert find_model(str(broken)).identity != first.identity


# The hub ----------------------------------------------------------------------------------------

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub with one model, team/tiny, whose files are in the server's `folder`."""

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: bool) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        files = {path.name: path for path in self.server.folder.iterdir()}
        code, data = "", b""
        if parts[:4] == ["api", "models", "team", "tiny"]:
            if parts[-1] == "nothing":
                code = "RevisionNotFound"
            elif "tree" in parts:
                data = json.dumps(
                    [{"type": "file", "path": n, "size": 1, "oid": "1"} for n in files]
                ).encode()
            else:
                data = json.dumps({"id": "team/tiny", "sha": COMMIT, "siblings": []}).encode()
        elif parts[:3] == ["team", "tiny", "resolve"]:
            code = "" if parts[-1] in files else "EntryNotFound"
            data = b"" if code else files[parts[-1]].read_bytes()
        else:
            code = "GatedRepo" if "gated" in parts else "RepoNotFound"
        self.send_response(403 if code == "GatedRepo" else 404 if code else 200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{parts[-1]}"')
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        if body:
            self.wfile.write(data)


@pytest.fixture
def hub(models: Callable[[str], Path]) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.folder = models("blip")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def use_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return lambda endpoint: monkeypatch.setattr(constants, "ENDPOINT", endpoint)


def test_a_hub_model_is_known_by_its_commit(hub: str, use_hub: Callable[[str], None]) -> None:
    use_hub(hub)
    found = find_model("team/tiny")
    assert found == ("team/tiny", COMMIT, f"team/tiny@{COMMIT}", f"team/tiny@{COMMIT}", False)
    assert find_model(found.label) == found
    for name, words in (
        ("team/other", "hub has no model of this id"),
        ("team/tiny@nothing", "no revision nothing"),
        ("team/gated", "on request only.*hf auth login"),
    ):
        with pytest.raises(ConfigError, match=f"model {name} .*{words}"):
            find_model(name)


def test_a_hub_that_does_not_answer(
    use_hub: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(model_source, "HUB_WAIT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_hub(f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(ConfigError, match="model team/tiny .*cannot be reached.*folder as --m"):
            find_model("team/tiny")
        assert time.monotonic() - started < 5
    use_hub("http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="cannot be reached .*check the network"):
        find_model("team/tiny")
    monkeypatch.setattr(sys.modules["huggingface_hub"].constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="HF_HUB_OFFLINE"):
        find_model("team/tiny")


def test_a_downloaded_model_needs_no_hub(use_hub: Callable[[str], None], tmp_path: Path) -> None:
    use_hub("http://127.0.0.1:9")
    snapshot = tmp_path / "hub" / "models--team--tiny" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    for name in ("team/tiny", f"team/tiny@{COMMIT}"):
        found = find_model(name)
        assert found.revision == COMMIT and found.local_only
    with pytest.raises(ConfigError, match="team/tiny@other .*cannot be reached"):
        find_model("team/tiny@other")


# The command ------------------------------------------------------------------------------------


def make_data(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(8)
    for side, shape in (("ir", (30, 40)), ("vi", (30, 40, 3))):
        (folder / "train" / side).mkdir(parents=True)
        for number in range(count):
            path = folder / "train" / side / f"{number:02d}.png"
            assert cv2.imwrite(str(path), rng.integers(0, 256, shape, dtype=np.uint8))
    return folder


@pytest.fixture
def egmt(
    models: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """`egmt annotate captions` with a tiny BLIP, short captions and a cache of the test's own."""
    settings = yaml.safe_load(config_path("captions.yaml").read_text())
    path = tmp_path / "captions.yaml"
    path.write_text(yaml.safe_dump({**settings, "max_new_tokens": 8, "batch_size": 2}))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(data: Path, *more: str | Path) -> int:
        parser = argparse.ArgumentParser()
        captions_command.add_arguments(parser)
        chosen = ["--model", models("blip"), "--config", path, "--device", "cpu", *more]
        return captions_command.run(parser.parse_args([str(a) for a in ("--data", data, *chosen)]))

    return call


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of images, one for each time a BLIP model generates."""
    calls: list[int] = []
    generate = transformers.BlipForConditionalGeneration.generate

    def counting(self: Any, pixel_values: Any, **more: Any) -> Any:
        tokens = generate(self, pixel_values, **more)
        calls.append(len(pixel_values))
        return tokens

    monkeypatch.setattr(transformers.BlipForConditionalGeneration, "generate", counting)
    return calls


def test_the_command_never_captions_twice(
    egmt: Callable[..., int],
    generated: list[int],
    models: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = make_data(tmp_path / "set", 3)
    assert egmt(data) == 0
    assert sorted(generated) == [1, 1, 2, 2]
    said = capsys.readouterr()
    assert "6 images captioned by blip@" in said.out and "set: 3 pairs captioned" in said.out
    assert "6/6" in said.err  # the progress bar
    first = json.loads((data / "captions.json").read_text())
    assert list(first) == ["00", "01", "02"]
    assert all(entry["infrared"] and entry["visible"] for entry in first.values())
    assert first["00"]["captioned_by"].startswith("blip@")

    # All is there: not even the model is looked at.
    assert egmt(data, "--model", "/no/such/model") == 0
    assert "0 pairs captioned, 3 kept as they were" in capsys.readouterr().out
    # All is in the cache, also for another file and a copy of the model.
    copy = shutil.copytree(models("blip"), tmp_path / "copied")
    assert egmt(data, "--out", tmp_path / "out.json", "--model", copy) == 0
    again = json.loads((tmp_path / "out.json").read_text())
    assert [e["infrared"] for e in again.values()] == [e["infrared"] for e in first.values()]
    assert len(generated) == 4

    # Another cache, prompt or setting is another caption.
    egmt(data, "--out", tmp_path / "out2.json", "--cache", tmp_path / "new")
    assert sum(generated) == 12
    settings = yaml.safe_load((tmp_path / "captions.yaml").read_text())
    settings["prompts"]["completion"]["visible"] = "the dark"
    (tmp_path / "captions.yaml").write_text(yaml.safe_dump(settings))
    egmt(data, "--out", tmp_path / "out3.json", "--batch-size", "3")
    assert generated[-1] == 3 and sum(generated) == 15


def test_the_command_goes_on_after_an_interrupt(
    egmt: Callable[..., int],
    generated: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = make_data(tmp_path / "set", 5)
    counting = transformers.BlipForConditionalGeneration.generate

    def interrupted(self: Any, pixel_values: Any, **more: Any) -> Any:
        if len(generated) == 3:
            raise KeyboardInterrupt
        return counting(self, pixel_values, **more)

    with monkeypatch.context() as patch:
        patch.setattr(transformers.BlipForConditionalGeneration, "generate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            egmt(data)
    assert "the same command goes on" in capsys.readouterr().err
    assert list(json.loads((data / "captions.json").read_text())) == ["00", "01"]
    assert egmt(data) == 0
    assert sum(generated) == 10
    assert len(json.loads((data / "captions.json").read_text())) == 5


def test_the_command_names_what_it_leaves_out(
    egmt: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_data(tmp_path / "set", 3)
    (data / "train" / "vi" / "00.png").write_bytes(b"no image")
    (data / "train" / "ir" / "02.png").unlink()
    assert egmt(data) == 0
    said = capsys.readouterr()
    assert "set/train/00: " in said.err and "set/train/02: no partner in ir" in said.err
    assert "2 problems" in said.err and "1 pairs captioned" in said.out
    (data / "train" / "vi" / "01.png").unlink()
    (data / "captions.json").unlink()
    with pytest.raises(DataError, match="no pair .*has captions; the 3 problems"):
        egmt(data)
    assert not (data / "captions.json").exists()


def test_wrong_arguments_fail_before_anything_is_done(
    egmt: Callable[..., int], generated: list[int], tmp_path: Path
) -> None:
    data = make_data(tmp_path / "set", 1)
    for more, words in (
        (("--batch-size", "0"), "--batch-size is 0"),
        (("--config", tmp_path / "no.yaml"), "do not exist"),
        (("--out", tmp_path / "no" / "out.json"), "folder that exists"),
        (("--model", tmp_path / "no"), "does not exist"),
        (("--cache", data / "train" / "ir" / "00.png"), "cannot be stored"),
    ):
        with pytest.raises(ConfigError, match=words):
            egmt(data, *more)
    assert generated == [] and not (data / "captions.json").exists()


FROM_HUB = """
import argparse, json, sys
sys.path[:0] = json.loads(sys.argv[1])
from egmt_ros.entities.captions import captions_command
parser = argparse.ArgumentParser()
captions_command.add_arguments(parser)
sys.exit(captions_command.run(parser.parse_args(sys.argv[2:])))
"""


def test_a_model_of_the_hub_is_downloaded_once(hub: str, tmp_path: Path) -> None:
    data = make_data(tmp_path / "set", 1)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    command = [sys.executable, "-c", FROM_HUB, json.dumps([p for p in sys.path if p])]
    command += ["--data", data, "--model", "team/tiny", "--cache", tmp_path / "cache"]
    done = subprocess.run(
        [*command, "--device", "cpu"],
        env={**clean, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert f"2 images captioned by team/tiny@{COMMIT}" in done.stdout
    entry = json.loads((data / "captions.json").read_text())["00"]
    assert entry["captioned_by"] == f"team/tiny@{COMMIT}"
    snapshot = tmp_path / "home" / "hub" / "models--team--tiny" / "snapshots" / COMMIT
    assert (snapshot / "model.safetensors").is_file()

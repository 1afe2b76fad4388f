"""The cache of captions: what is stored stays, whatever happens to the process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.entities.captions.caption_cache import (
    CaptionCache,
    default_cache_folder,
    image_digest,
)
from egmt_ros.errors import ConfigError

SETTINGS = {"max_new_tokens": 80, "beams": 3}


def opened(folder: Path, model: str = "sha256:1", label: str = "blip@1", **other) -> CaptionCache:
    return CaptionCache(folder, model, label, {**SETTINGS, **other})


def test_captions_are_found_again_by_image_and_prompt(tmp_path: Path) -> None:
    with opened(tmp_path / "made") as cache:
        cache.add("a photo of", {"one": "a car", "two": ""})
        assert cache.get("one", "a photo of") == "a car"
        assert cache.get("one", "another prompt") is None
    with opened(tmp_path / "made") as cache:
        assert cache.get("one", "a photo of") == "a car"
        assert cache.get("two", "a photo of") == ""  # the model said nothing: not asked again
        assert cache.get("three", "a photo of") is None
        assert len(cache) == 2 and cache.damaged == 0


def test_another_name_of_the_model_finds_its_captions(tmp_path: Path) -> None:
    with opened(tmp_path, label="blip@1") as cache:
        cache.add("p", {"one": "x"})
    with opened(tmp_path, label="renamed@1") as cache:
        assert cache.get("one", "p") == "x"


def test_models_and_settings_do_not_mix(tmp_path: Path) -> None:
    with opened(tmp_path) as cache:
        cache.add("p", {"one": "x"})
    for other in (
        opened(tmp_path, model="sha256:2"),
        opened(tmp_path, beams=1),
        opened(tmp_path, dtype="float16"),
    ):
        with other:
            assert other.get("one", "p") is None


def test_the_file_says_what_made_it(tmp_path: Path) -> None:
    with opened(tmp_path, label="Salesforce/blip-base@82a37760") as cache:
        cache.add("p", {"one": "x"})
    (path,) = tmp_path.iterdir()
    header, line = map(json.loads, path.read_text().splitlines())
    assert header["label"] == "Salesforce/blip-base@82a37760"
    assert header["model"] == "sha256:1" and header["generation"] == SETTINGS
    assert line == {"image": "one", "prompt": "p", "caption": "x"}


@settings(max_examples=25)
@given(cut=st.integers(0, 400), rest=st.binary(max_size=20))
def test_a_torn_file_loses_at_most_what_was_torn(
    tmp_path_factory: pytest.TempPathFactory, cut: int, rest: bytes
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    with opened(folder) as cache:
        for number in range(4):
            cache.add("p", {f"image{number}": f"caption {number}"})
    data = cache.path.read_bytes()
    whole = data[:cut].count(b"\n") - 1  # lines after the header
    cache.path.write_bytes(data[:cut] + rest)
    with opened(folder) as torn:
        for number in range(max(whole, 0)):
            assert torn.get(f"image{number}", "p") == f"caption {number}"
        torn.add("p", {"new": "after the tear"})
    with opened(folder) as again:
        assert again.get("new", "p") == "after the tear"
        assert all(again.get(f"image{n}", "p") == f"caption {n}" for n in range(max(whole, 0)))


def test_damaged_lines_are_counted(tmp_path: Path) -> None:
    with opened(tmp_path) as cache:
        cache.add("p", {"one": "x"})
    with cache.path.open("a") as file:
        file.write('{"image": "two"}\n[]\n{"image": 1, "prompt": "p", "caption": "y"}\n{"im')
    with opened(tmp_path) as again:
        assert again.damaged == 4 and len(again) == 1


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path):
        with pytest.raises(ConfigError, match="another process.*--cache"):
            opened(tmp_path)
        opened(tmp_path, beams=1).close()  # another file
    opened(tmp_path).close()


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be stored in .*file.*--cache"):
        opened(tmp_path / "file" / "below")


def test_the_digest_is_of_size_and_pixels() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert image_digest(image) == image_digest(image.copy())
    assert image_digest(image[:, ::-1]) != image_digest(image)
    assert image_digest(image.reshape(4, 2, 3)) != image_digest(image)
    changed = image.copy()
    changed[1, 3, 2] += 1
    assert image_digest(changed) != image_digest(image)


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "egmt_ros" / "captions"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_folder() == Path.home() / ".cache" / "egmt_ros" / "captions"

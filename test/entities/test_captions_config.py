"""The settings of captioning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from egmt_ros.entities.captions.caption_config import load_caption_config
from egmt_ros.errors import ConfigError
from egmt_ros.resources import config_path

DEFAULT = yaml.safe_load(config_path("captions.yaml").read_text())


def test_the_default_settings() -> None:
    config = load_caption_config(config_path("captions.yaml"))
    assert config.completion["infrared"] == "a thermal image of"
    assert config.chat.keys() == {"infrared", "visible"} and "\n" not in config.chat["infrared"]
    assert config.generation == {"max_new_tokens": 80, "beams": 3, "dtype": "auto"}


def load(folder: Path, **changes: Any):
    path = folder / "captions.yaml"
    path.write_text(yaml.safe_dump({**DEFAULT, **changes}))
    return load_caption_config(path)


def prompts(**changes: Any) -> dict[str, Any]:
    return {**DEFAULT["prompts"], **changes}


def test_prompts_may_be_left_empty_where_a_text_is_continued(tmp_path: Path) -> None:
    config = load(tmp_path, prompts=prompts(completion={"infrared": "", "visible": " a\n b "}))
    assert config.completion == {"infrared": "", "visible": "a b"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"beams": 0}, "beams is 0; expected a whole number from 1 to 64"),
        ({"beams": True}, "beams is True"),
        ({"max_new_tokens": 2.5}, "max_new_tokens is 2.5"),
        ({"batch_size": "8"}, "batch_size is '8'"),
        ({"dtype": "int8"}, "dtype is 'int8'; expected one of auto, float32"),
        ({"dtype": ["auto"]}, "dtype is"),
        ({"speed": 1}, "'speed' of the file is unknown"),
        ({"prompts": "a photo"}, "prompts is 'a photo'; expected a mapping"),
        ({"prompts": prompts(chat={"infrared": "x"})}, "'visible' of prompts.chat is missing"),
        ({"prompts": prompts(story={})}, "'story' of prompts is unknown"),
        (
            {"prompts": prompts(chat={"infrared": " ", "visible": "x"})},
            "prompts.chat.infrared is ' '; expected a text$",
        ),
        (
            {"prompts": prompts(completion={"infrared": None, "visible": "x"})},
            "prompts.completion.infrared is None; expected a text",
        ),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=f"captions.yaml: .*{words}"):
        load(tmp_path, **changes)


def test_a_file_of_another_shape(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    with pytest.raises(ConfigError, match="settings.yaml do not exist"):
        load_caption_config(path)
    for text, words in (("- 1", "the file is"), ("a: [", "not YAML"), ("", "the file is None")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=words):
            load_caption_config(path)

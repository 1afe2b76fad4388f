"""Settings of captioning, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from egmt_ros.entities.captions.caption_file import IMAGES, is_text, one_line
from egmt_ros.errors import ConfigError

DTYPES = ("auto", "float32", "bfloat16", "float16")
_KEYS = ("prompts", "max_new_tokens", "beams", "dtype", "batch_size")
_STYLES = ("completion", "chat")
_MOST = {"max_new_tokens": 4096, "beams": 64, "batch_size": 4096}


@dataclass(frozen=True)
class CaptionConfig:
    """How images are captioned; config/captions.yaml says what each setting means.

    Attributes:
        completion: "infrared", "visible" -> prompt of models that continue a text; "" for none.
        chat: The same of models with a chat template; never "".
        max_new_tokens: 1 to 4096.
        beams: 1 to 64.
        dtype: One of DTYPES.
        batch_size: 1 to 4096 images.
    """

    completion: Mapping[str, str]
    chat: Mapping[str, str]
    max_new_tokens: int
    beams: int
    dtype: str
    batch_size: int

    @property
    def generation(self) -> dict[str, Any]:
        """The settings that decide a caption, beside model and prompt."""
        return {
            "max_new_tokens": self.max_new_tokens,
            "beams": self.beams,
            "dtype": self.dtype,
        }


def load_caption_config(path: Path) -> CaptionConfig:
    """Read the settings; every key must be there, as in config/captions.yaml.

    Raises:
        ConfigError: The file is missing or not YAML, a key is missing or unknown, or its value
            is of another kind or out of range.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"caption settings {path} do not exist; correct --config") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"caption settings {path} are not YAML: {error}") from error
    try:
        values = _with_keys("the file", found, _KEYS)
        prompts = _with_keys("prompts", values["prompts"], _STYLES)
        return CaptionConfig(
            completion=_prompts("completion", prompts["completion"]),
            chat=_prompts("chat", prompts["chat"]),
            dtype=_dtype(values["dtype"]),
            **{key: whole_number(key, values[key], most) for key, most in _MOST.items()},
        )
    except ConfigError as error:
        raise ConfigError(f"caption settings {path}: {error}") from error


def whole_number(key: str, value: Any, most: int = _MOST["batch_size"]) -> int:
    """The value, which must be a whole number from 1 to `most`.

    Raises:
        ConfigError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ConfigError(f"{key} is {value!r:.60}; expected a whole number from 1 to {most}")
    return value


def _with_keys(where: str, found: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ConfigError(f"{where} is {found!r:.60}; expected a mapping with {', '.join(keys)}")
    for key in (*found, *keys):
        if key not in found or key not in keys:
            what = "missing" if key in keys else "unknown"
            raise ConfigError(f"{key!r:.60} of {where} is {what}; expected {', '.join(keys)}")
    return found


def _prompts(style: str, found: Any) -> dict[str, str]:
    prompts = _with_keys(f"prompts.{style}", found, IMAGES)
    for image, prompt in prompts.items():
        if not is_text(prompt) or (style == "chat" and not prompt.strip()):
            expected = "a text" if style == "chat" else 'a text ("" for none)'
            raise ConfigError(f"prompts.{style}.{image} is {prompt!r:.60}; expected {expected}")
    return {image: one_line(prompt) for image, prompt in prompts.items()}


def _dtype(value: Any) -> str:
    if value not in DTYPES:
        raise ConfigError(f"dtype is {value!r:.60}; expected one of {', '.join(DTYPES)}")
    return value

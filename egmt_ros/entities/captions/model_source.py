"""Which model a folder or a hub id means, so that captions of one are never taken for another's."""

from __future__ import annotations

import hashlib
import re
import threading
from pathlib import Path
from typing import Any, NamedTuple

from egmt_ros.errors import ConfigError, MissingDependencyError

HUB_WAIT = 10.0
"""Seconds to wait for the hub; transformers itself would try for minutes."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# What decides the captions of a model folder; .bin counts where there is no .safetensors.
_SETTINGS = (".json", ".txt", ".model", ".jinja", ".vocab")
_SHORT = 12
_CHUNK = 1 << 22


class ModelSource(NamedTuple):
    """A model that was found.

    Attributes:
        location: Folder or hub id, as transformers takes it.
        revision: Commit of the hub's repository; None for a folder.
        identity: What its captions are stored under: the SHA-256 of the folder's contents, or hub
            id and commit.
        label: A short form of it for people; of a hub model one that can be given as the model.
        local_only: Load what is on this machine, ask no network.
    """

    location: str
    revision: str | None
    identity: str
    label: str
    local_only: bool


def find_model(model: str) -> ModelSource:
    """Find a model; nothing of it is loaded.

    A hub model that is on this machine already is taken from there if the hub does not answer.

    Args:
        model: Folder as `save_pretrained` writes it, or hub id, as `id@commit` too.

    Raises:
        ConfigError: There is no such folder or hub model, or the network is missing.
        MissingDependencyError: It is a hub id, and huggingface_hub is not installed.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _from_folder(folder)
    name, _, revision = model.partition("@")
    if not _HUB_ID.fullmatch(name) or folder.exists():
        raise ConfigError(
            f"model folder {model} does not exist; give the folder of a transformers model "
            "(config.json, weights and processor), or a hub id such as "
            "Salesforce/blip-image-captioning-base"
        )
    return _from_hub(name, revision or "main")


def _from_folder(folder: Path) -> ModelSource:
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"model folder {folder} holds no config.json; expected a transformers model "
            "(config.json, weights and processor) as save_pretrained or a download writes it"
        )
    files = sorted(path for path in folder.iterdir() if path.is_file())
    weights = ".safetensors" if any(p.suffix == ".safetensors" for p in files) else ".bin"
    total = hashlib.sha256()
    for path in files:
        if path.suffix in _SETTINGS or path.suffix == weights:
            total.update(f"{path.name} {_sha256(path)}\n".encode())
    digest = total.hexdigest()
    resolved = folder.resolve()
    return ModelSource(
        str(resolved), None, f"sha256:{digest}", f"{resolved.name}@{digest[:_SHORT]}", True
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ConfigError(f"{path} of the model folder cannot be read ({error})") from error
    return digest.hexdigest()


def _from_hub(name: str, revision: str) -> ModelSource:
    try:
        here = _downloaded(name, revision)
    except ImportError as error:
        raise MissingDependencyError(
            f"there is no folder {name}, and a model of the hub needs huggingface_hub, which is "
            "not installed: make setup EXTRAS=annotate, or pip install 'egmt_ros[annotate]'"
        ) from error
    if here is not None and _COMMIT.fullmatch(revision):
        return _hub_source(name, here, True)
    answer = _ask_hub(name, revision)
    if isinstance(answer, str):
        return _hub_source(name, answer, False)
    if here is not None:
        return _hub_source(name, here, True)
    what = name if revision == "main" else f"{name}@{revision}"
    raise ConfigError(
        f"model {what} is neither a folder here nor on this machine from an earlier download, and "
        f"{answer.message}; {answer.remedy}"
    ) from answer.cause


def _downloaded(name: str, revision: str) -> str | None:
    """The commit of a hub model that was downloaded before; of `main` the latest download."""
    from huggingface_hub import constants, try_to_load_from_cache

    cached = try_to_load_from_cache(name, "config.json", revision=revision)
    if isinstance(cached, str):
        return Path(cached).parent.name
    if revision != "main":
        return None
    # What was downloaded as a commit is not noted as a branch.
    snapshots = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "snapshots"
    complete = [path.parent for path in snapshots.glob("*/config.json")]
    return max(complete, key=lambda path: path.stat().st_mtime).name if complete else None


def _hub_source(name: str, commit: str, local_only: bool) -> ModelSource:
    label = f"{name}@{commit}"
    return ModelSource(name, commit, label, label, local_only)


class _NoAnswer(NamedTuple):
    message: str
    remedy: str
    cause: Exception | None


def _ask_hub(name: str, revision: str) -> str | _NoAnswer:
    """The commit that a hub model is at, or why it cannot be had; within HUB_WAIT seconds."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(HfApi().model_info(name, revision=revision, timeout=HUB_WAIT).sha)
        except Exception as error:  # of whatever HTTP library huggingface_hub uses
            found.append(error)

    # The timeout of a request does not bound the look-up of the host's name.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(HUB_WAIT)
    answer = found[0] if found else TimeoutError(f"no answer within {HUB_WAIT:g} s")
    if isinstance(answer, str):
        return answer
    download = "download it where there is a network, and give its folder as --model"
    if isinstance(answer, OfflineModeIsEnabled):
        return _NoAnswer("HF_HUB_OFFLINE forbids to ask for it", f"unset it, or {download}", answer)
    if isinstance(answer, GatedRepoError):
        accept = "accept its terms on its page and log in with `hf auth login`"
        return _NoAnswer("its makers give it out on request only", accept, answer)
    if isinstance(answer, RevisionNotFoundError):
        return _NoAnswer(f"the hub has no revision {revision} of it", "correct it", answer)
    if isinstance(answer, RepositoryNotFoundError):
        correct = "correct the folder or the id (a private one needs `hf auth login`)"
        return _NoAnswer("the hub has no model of this id", correct, answer)
    reason = f"the hub cannot be reached ({one_line_of(answer)})"
    return _NoAnswer(reason, f"check the network, or {download}", answer)


def one_line_of(error: object, length: int = 300) -> str:
    """The first line of an error's message that says anything, not longer than `length`."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:length]

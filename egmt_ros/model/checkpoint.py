"""Checkpoints: `<name>.safetensors` with the weights beside `<name>.json` with everything else.

The JSON holds the SHA-256 of the weights, and the weights' metadata that of the JSON's decisive
fields, so a damaged, edited or exchanged file is noticed on loading. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from egmt_ros.errors import CheckpointError, ConfigError
from egmt_ros.model.config import EGMTConfig
from egmt_ros.model.network import EGMT
from egmt_ros.model.vocabulary_hash import vocabulary_hash

FORMAT = "egmt-checkpoint"
FORMAT_VERSION = 1
LARGEST_JSON = 1_000_000
"""Bytes; a real description has a few thousand."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What stands in the JSON of a checkpoint.

    Attributes:
        name: Name of the model, for example "egmt-base".
        network: Shape of the network.
        names: Entities, in the order of the stored embeddings.
        thresholds: Score from which an entity counts as present, 0..1, one for each name.
        localised: Entities whose places were learned from masks or boxes; the attention of the
            others shows what the scene's label rests on, not where the entity is.
        text_encoder: Text encoder of the stored embeddings.
        template: Text that was embedded, with `{}` for the name.
        vocabulary_hash: Hash of names, text encoder and template.
        sha256: Hash of the safetensors file, hex.
        training: Free-form facts about the training run.
    """

    name: str
    network: EGMTConfig
    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    text_encoder: str
    template: str
    vocabulary_hash: str
    localised: tuple[str, ...] = ()
    sha256: str = ""
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def model_id(self) -> str:
        """Name and first 12 hex digits of the weights' hash."""
        return f"{self.name}@{self.sha256[:12]}"


def save_checkpoint(path: Path, network: EGMT, info: CheckpointInfo) -> CheckpointInfo:
    """Write `path` (.safetensors) and the JSON beside it; return the info with the hash.

    Both files are written under another name first and then renamed: an interrupted save leaves
    the old ones, or, between the two renames, a pair that `load_checkpoint` refuses.

    Raises:
        CheckpointError: The info is one that `load_checkpoint` would refuse.
    """
    values = asdict(info) | {"network": info.network.to_dict()}
    info = _parse(values, path)
    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    data = save(tensors, metadata={"description": _description_hash(info)})
    values["sha256"] = hashlib.sha256(data).hexdigest()
    text = json.dumps({"format": FORMAT, "version": FORMAT_VERSION} | values, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = {}
    for target, content in ((path, data), (path.with_suffix(".json"), f"{text}\n".encode())):
        parts[target] = target.with_name(target.name + ".part")
        with parts[target].open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    for target, part in parts.items():
        os.replace(part, target)
    return replace(info, sha256=values["sha256"])


def read_info(path: Path) -> CheckpointInfo:
    """Read the JSON beside the weights `path`.

    Raises:
        CheckpointError: It is missing, not JSON, foreign, incomplete, or contradicts itself.
    """
    described = path.with_suffix(".json")
    try:
        with described.open("rb") as file:
            content = file.read(LARGEST_JSON + 1)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"checkpoint {path} has no {described.name} beside it; an EGMT checkpoint is a "
            ".safetensors file and a .json file of one name: copy both"
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{described} cannot be read ({error}); expected the .json file of a checkpoint"
        ) from error
    if len(content) > LARGEST_JSON:
        raise CheckpointError(
            f"{described} is foreign: it has more than {LARGEST_JSON} bytes; "
            "give a checkpoint that egmt train wrote"
        )
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{described} is damaged: not valid JSON ({error}); restore the file"
        ) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise CheckpointError(
            f"{described} is foreign: it does not say format {FORMAT!r}; "
            "give a checkpoint that egmt train wrote"
        )
    if values.get("version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{described} has format version {values.get('version')!r}; this release reads "
            f"{FORMAT_VERSION}: use the release that wrote it, or train again"
        )
    return _parse({k: v for k, v in values.items() if k not in ("format", "version")}, path)


def load_checkpoint(path: Path) -> tuple[EGMT, CheckpointInfo]:
    """Load a checkpoint and verify it.

    Args:
        path: The .safetensors file.

    Returns:
        The network on the CPU in evaluation mode, and its description.

    Raises:
        CheckpointError: A file is missing, damaged, foreign, or does not match the other.
    """
    if path.suffix != ".safetensors":
        raise CheckpointError(
            f"weights {path} are foreign: expected a .safetensors file, found {path.suffix!r}; "
            "pickled weights (.pt, .pth) are never loaded"
        )
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"weights {path} cannot be read ({error}); give the path of a .safetensors file"
        ) from error
    info = read_info(path)
    described = path.with_suffix(".json").name
    digest = hashlib.sha256(data).hexdigest()
    if digest != info.sha256:
        raise CheckpointError(
            f"weights {path} are damaged or not the ones that {described} describes: SHA-256 is "
            f"{digest[:12]}..., expected {info.sha256[:12]}...; restore both files from one source"
        )
    try:
        tensors = {name: tensor.clone() for name, tensor in load(data).items()}
        metadata = _metadata(data)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"weights {path} are damaged: not a safetensors file ({error}); restore the file"
        ) from error
    if metadata.get("description", _description_hash(info)) != _description_hash(info):
        raise CheckpointError(
            f"the .json was changed: {described} does not describe the network, names, thresholds "
            f"and text encoder that weights {path} were saved with; restore both files from one "
            "source"
        )
    embeddings = tensors.get("embeddings")
    expected = (len(info.names), info.network.text_width)
    if embeddings is None or tuple(embeddings.shape) != expected:
        found = None if embeddings is None else tuple(embeddings.shape)
        raise CheckpointError(
            f"weights {path} do not match their JSON: embeddings are {found}, expected {expected}"
        )
    return _build(info, tensors, path).eval(), info


def _build(info: CheckpointInfo, tensors: dict[str, Tensor], path: Path) -> EGMT:
    """The network with exactly these tensors, without memory for any others."""
    with torch.device("meta"):
        network = EGMT(info.network, torch.empty(len(info.names), info.network.text_width))
    for name, wanted in network.state_dict().items():
        if name in tensors and tensors[name].dtype != wanted.dtype:
            raise CheckpointError(
                f"weights {path} do not match the network in their JSON: {name} is "
                f"{tensors[name].dtype}, expected {wanted.dtype}; restore both files"
            )
    try:
        network.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"weights {path} do not match the network in their JSON: {reason}; "
            "restore both files from one source"
        ) from error
    if not all(torch.isfinite(v).all() for v in tensors.values() if v.is_floating_point()):
        raise CheckpointError(f"weights {path} hold values that are not finite; train again")
    return network


def _metadata(data: bytes) -> dict[str, str]:
    """The free-form strings in the header of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]).get("__metadata__") or {}


def _description_hash(info: CheckpointInfo) -> str:
    """SHA-256 of what the weights mean nothing without, hex."""
    fields = {
        "network": info.network.to_dict(),
        "names": info.names,
        "thresholds": info.thresholds,
        "localised": info.localised,
        "text_encoder": info.text_encoder,
        "template": info.template,
    }
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _parse(values: dict[str, Any], path: Path) -> CheckpointInfo:
    described = path.with_suffix(".json")
    try:
        info = CheckpointInfo(
            **values
            | {
                "network": EGMTConfig.from_dict(values["network"]),
                "names": tuple(values["names"]),
                "thresholds": tuple(values["thresholds"]),
                "localised": tuple(values.get("localised", ())),
            }
        )
    except (ConfigError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{described} is damaged or of another release ({type(error).__name__}: {error}); "
            "restore the file that belongs to the weights"
        ) from error
    wrong = _contradiction(info)
    if wrong:
        raise CheckpointError(
            f"{described} is damaged: {wrong}; restore the file that belongs to the weights"
        )
    return replace(info, thresholds=tuple(float(value) for value in info.thresholds))


def _contradiction(info: CheckpointInfo) -> str | None:
    """What is wrong with the values, or None."""
    for key in ("name", "text_encoder", "template", "vocabulary_hash", "sha256"):
        if not isinstance(getattr(info, key), str):
            return f"{key} is {getattr(info, key)!r:.60}, expected a text"
    if not isinstance(info.training, dict):
        return f"training is {info.training!r:.60}, expected a mapping"
    for name in info.names:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            return f"names holds {name!r:.60}, expected printable texts"
    if not info.names or len(set(info.names)) < len(info.names):
        return "names is empty or names an entity twice, expected each entity once"
    if len(info.names) != len(info.thresholds):
        return (
            f"it has {len(info.names)} names and {len(info.thresholds)} thresholds, "
            "expected one threshold for each name"
        )
    for value in info.thresholds:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            return f"thresholds holds {value!r:.60}, expected numbers from 0 to 1"
    for name in info.localised:
        if name not in info.names:
            return f"localised holds {name!r:.60}, which is not in names"
    found = vocabulary_hash(info.names, info.text_encoder, info.template)
    if info.vocabulary_hash != found:
        return (
            f"vocabulary_hash is {info.vocabulary_hash!r:.60}, but that of its names, "
            f"text_encoder and template is {found!r}"
        )
    return None

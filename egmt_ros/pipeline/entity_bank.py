"""The entities of a checkpoint, and how another vocabulary is made of them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from egmt_ros.errors import ConfigError
from egmt_ros.model.checkpoint import CheckpointInfo
from egmt_ros.model.network import EGMT
from egmt_ros.model.vocabulary_hash import vocabulary_hash
from egmt_ros.pipeline.text_encoder import TextEncoder

NEW_THRESHOLD = 0.5
"""Score from which an entity counts as present whose threshold nobody chose."""
MOST_ENTITIES = 1000
LONGEST_NAME = 200
"""Characters."""
ALIKE = 0.999
"""Cosine from which a text encoder is taken to be the one that made a stored embedding."""


class Entities(NamedTuple):
    """A vocabulary as the network takes it.

    Attributes:
        names: Entities in the order of their indices.
        thresholds: Score from which each counts as present, 0..1.
        embeddings: (E, text_width) float32, on the CPU.
        prior: (E,) float32 log odds of each before anything was seen.
        vocabulary_hash: Of names, text encoder and template.
    """

    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    embeddings: Tensor
    prior: Tensor
    vocabulary_hash: str


class EntityBank:
    """What a checkpoint knows about its entities, kept while the engine looks for others.

    A name that the checkpoint lacks has an embedding from a text encoder, the mean prior of the
    checkpoint's entities, and `NEW_THRESHOLD`.
    """

    def __init__(self, network: EGMT, info: CheckpointInfo) -> None:
        self._info = info
        self._embeddings = network.embeddings.detach().cpu().float().clone()
        self._prior = network.prior.detach().cpu().float().clone()

    @property
    def stored(self) -> Entities:
        """The checkpoint's own vocabulary."""
        info = self._info
        return Entities(
            info.names, info.thresholds, self._embeddings, self._prior, info.vocabulary_hash
        )

    def choose(
        self,
        names: Sequence[str],
        thresholds: Sequence[float] = (),
        encoder: TextEncoder | None = None,
    ) -> Entities:
        """Make a vocabulary.

        Args:
            names: Its entities, in order.
            thresholds: One for each, 0..1; none: the stored ones, `NEW_THRESHOLD` for new names.
            encoder: Asked for the embeddings of new names only.

        Raises:
            ConfigError: Names or thresholds cannot be used, or a name is new and the encoder is
                missing, is not the one of the checkpoint, or does not know it.
            EgmtError: The encoder cannot embed.
        """
        names = tuple(names)
        _check_names(names)
        new = [name for name in names if name not in self._info.names]
        chosen = _check_thresholds(names, thresholds) or tuple(map(self._threshold, names))
        embeddings = dict(zip(self._info.names, self._embeddings, strict=True))
        prior = dict(zip(self._info.names, self._prior, strict=True))
        if new:
            embeddings |= zip(new, self._embed(new, encoder), strict=True)
            prior |= dict.fromkeys(new, self._prior.mean())
        return Entities(
            names,
            chosen,
            torch.stack([embeddings[name] for name in names]),
            torch.stack([prior[name] for name in names]),
            vocabulary_hash(names, self._info.text_encoder, self._info.template),
        )

    def _threshold(self, name: str) -> float:
        info = self._info
        return info.thresholds[info.names.index(name)] if name in info.names else NEW_THRESHOLD

    def _embed(self, new: Sequence[str], encoder: TextEncoder | None) -> Tensor:
        """(N, text_width) embeddings of names that the checkpoint lacks."""
        info = self._info
        listed = ", ".join(map(repr, new[:12])) + (" ..." if len(new) > 12 else "")
        if encoder is None:
            close = difflib.get_close_matches(new[0].casefold(), info.names, 1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(
                f"{listed}{hint} is not among the {len(info.names)} entities whose embeddings the "
                f"weights {info.model_id} hold, and no text encoder is configured to make others; "
                "set the parameter entities.text_encoder of the node (in Python: give encoder) to "
                f"the one of the weights, {info.text_encoder}: minilm, clip:FOLDER, or "
                "file:FILE.npz with embeddings from egmt annotate embed"
            )
        for key, found, expected in (
            ("text encoder", encoder.name, info.text_encoder),
            ("template", encoder.template, info.template),
            ("width", encoder.width, self._embeddings.shape[1]),
        ):
            if found != expected:
                raise ConfigError(
                    f"{listed} cannot be embedded: the {key} is {found!r}, but that of the weights "
                    f"{info.model_id} is {expected!r}, and embeddings of different encoders mean "
                    "nothing to each other; configure that one"
                )
        for name in new:
            if not encoder.knows(name):
                raise ConfigError(
                    f"{name!r} has no stored embedding, neither in the weights {info.model_id} "
                    "nor in the embedding file; add it to the file with egmt annotate embed"
                )
        known = [name for name in info.names if encoder.knows(name)]
        made = np.asarray(encoder.embed([*known, *new]), np.float32)
        for name, vector in zip(known, made[: len(known)], strict=True):
            self._compare(name, torch.from_numpy(vector), encoder)
        return torch.from_numpy(made[len(known) :])

    def _compare(self, name: str, vector: Tensor, encoder: TextEncoder) -> None:
        """An encoder of the right name can still have other weights than the one of training."""
        stored = self._embeddings[self._info.names.index(name)]
        cosine = float(torch.nn.functional.cosine_similarity(stored, vector, dim=0))
        if not cosine >= ALIKE:
            raise ConfigError(
                f"text encoder {encoder.name!r} is not the one that the weights "
                f"{self._info.model_id} were trained with: its embedding of {name!r} has cosine "
                f"{cosine:.3f} with the stored one, expected at least {ALIKE}; configure the model "
                "that was used in training"
            )


def _check_names(names: tuple[str, ...]) -> None:
    if not names:
        raise ConfigError("the vocabulary is empty; expected at least one entity name")
    if len(names) > MOST_ENTITIES:
        raise ConfigError(f"{len(names)} entities are named; expected at most {MOST_ENTITIES}")
    for name in names:
        plain = isinstance(name, str) and name.isprintable() and name == name.strip()
        if not plain or not 0 < len(name) <= LONGEST_NAME:
            raise ConfigError(
                f"entity name {name!r:.60} cannot be used; expected 1 to {LONGEST_NAME} printable "
                "characters without spaces around them"
            )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"entity {twice[0]!r} is named twice; expected each entity once")


def _check_thresholds(names: tuple[str, ...], thresholds: Sequence[float]) -> tuple[float, ...]:
    if len(thresholds) not in (0, len(names)):
        raise ConfigError(
            f"{len(thresholds)} thresholds are given for {len(names)} entities; expected one for "
            "each, or none to take the stored ones"
        )
    for name, value in zip(names, thresholds, strict=False):
        if not (math.isfinite(value) and 0.0 <= value <= 1.0):
            raise ConfigError(f"threshold of {name!r} is {value:g}; expected a number from 0 to 1")
    return tuple(float(value) for value in thresholds)

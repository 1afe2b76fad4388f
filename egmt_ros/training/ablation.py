"""Ablations: the network with one of its ideas cut out.

Each is surgery on a finished `EGMT`, drawn after its own weights, so that with one seed all start
from equal weights wherever they have the same parts. The network itself knows nothing of it, and
an ablated one is measured, never exported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from egmt_ros.errors import ConfigError, InputError
from egmt_ros.model.config import EGMTConfig
from egmt_ros.model.interaction import EntityGuidance
from egmt_ros.model.label_head import LabelHead
from egmt_ros.model.network import EGMT
from egmt_ros.training.config import LossWeights, TrainingConfig

FULL = "full"
"""Name of the network with nothing cut out, with which the others are compared."""


class NoGuidance(nn.Module):
    """Guidance that says nothing."""

    def forward(
        self, tokens: Tensor, entities: Tensor, strength: Tensor, relevance: Tensor
    ) -> Tensor:
        """(B, N, C) zeros for (B, N, 2 C) tokens."""
        return tokens.new_zeros(*tokens.shape[:-1], tokens.shape[-1] // 2)


class BankGuidance(EntityGuidance):
    """The guidance's own weights, asked about a learned bank instead of the entities.

    All of the bank takes part alike: neither what the entities are nor how strong or where they
    were found comes in. What stays is the switch: with weights of 0 for all entities, nothing
    takes part, so that training's unguided views can be told from the others.

    Args:
        config: Shape of the network.
        size: Tokens in the bank, as many as there are entities.
    """

    def __init__(self, config: EGMTConfig, size: int) -> None:
        super().__init__(config)
        # As spread as the entities, which come out of a layer norm.
        self.bank = nn.Parameter(torch.randn(size, config.attention_width))

    def forward(
        self, tokens: Tensor, entities: Tensor, strength: Tensor, relevance: Tensor
    ) -> Tensor:
        """(B, N, C) guidance; see `EntityGuidance`."""
        uniform = _switch(strength).expand(-1, len(self.bank))
        return super().forward(tokens, self.bank, uniform, _certain(tokens))


class SentenceGuidance(EntityGuidance):
    """The guidance's own weights, asked about the pair's two captions instead of the entities.

    The sentences take the entities' way, through the projection of the label head, so that no
    weight is added. A pair without captions has the "none of them" alone.

    Args:
        config: Shape of the network.
        label_head: Whose projection of text embeddings is used.
    """

    def __init__(self, config: EGMTConfig, label_head: LabelHead) -> None:
        super().__init__(config)
        self._label_head = (label_head,)  # in a tuple: not a part of this module
        self._sentences: Tensor | None = None

    def ask(self, sentences: Tensor) -> None:
        """Say what the next batch's captions are.

        Args:
            sentences: (B, 2, text_width) embeddings; zeros where there is no caption.
        """
        self._sentences = sentences

    def forward(
        self, tokens: Tensor, entities: Tensor, strength: Tensor, relevance: Tensor
    ) -> Tensor:
        """(B, N, C) guidance; see `EntityGuidance`.

        Raises:
            InputError: `ask` was not called for this batch.
        """
        sentences, self._sentences = self._sentences, None
        if sentences is None or len(sentences) != len(tokens):
            found = "none" if sentences is None else len(sentences)
            raise InputError(
                f"{found} of the batch's {len(tokens)} pairs of sentences are known; "
                "call guidance.ask before each batch"
            )
        there = sentences.abs().sum(-1) > 0
        strengths = there * _switch(strength)
        projected = self._label_head[0].entities(sentences)
        parts = zip(tokens.split(1), projected, strengths.split(1), strict=True)
        return torch.cat(
            [super(SentenceGuidance, self).forward(*part, _certain(tokens)) for part in parts]
        )


class NoAttention(nn.Module):
    """Inter-visual attention that finds nothing in the other modality."""

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """Return `x`."""
        return x


class Ablation(NamedTuple):
    """One row of the table.

    Attributes:
        description: What is cut, and what takes its place.
        change: Changes a finished network in place.
        loss: Loss weights that differ from the configuration's.
        always_guided: No training view is an unguided one: the network could not tell it from
            the others, and would learn the mean of two targets.
        captions: The network must be told the captions; see `SentenceGuidance.ask`.
    """

    description: str
    change: Callable[[EGMT], None] = lambda network: None
    loss: Mapping[str, float] = MappingProxyType({})
    always_guided: bool = False
    captions: bool = False


def _cut_guidance(network: EGMT) -> None:
    network.guidance = NoGuidance()


def _ask_a_bank(network: EGMT) -> None:
    bank = BankGuidance(network.config, len(network.embeddings))
    _take_over(bank, network.guidance)
    network.guidance = bank


def _ask_sentences(network: EGMT) -> None:
    guidance = SentenceGuidance(network.config, network.label_head)
    _take_over(guidance, network.guidance)
    network.guidance = guidance


def _forget_label_statistics(network: EGMT) -> None:
    nn.init.zeros_(network.prior)


def _cut_inter_visual(network: EGMT) -> None:
    network.thermal_asks, network.visible_asks = NoAttention(), NoAttention()


def _learn_embeddings(network: EGMT) -> None:
    text = network.embeddings
    start = F.normalize(torch.randn_like(text), dim=-1) * text.norm(dim=-1, keepdim=True)
    del network.embeddings
    network.embeddings = nn.Parameter(start)


ABLATIONS: Mapping[str, Ablation] = MappingProxyType(
    {
        FULL: Ablation("nothing is cut"),
        "no-guidance": Ablation(
            "the guidance is zeros; all training views are guided ones",
            _cut_guidance,
            always_guided=True,
        ),
        "control": Ablation(
            "a learned bank of as many tokens stands in for the entities, all equally strong and "
            "everywhere: the parameters of full and the bank's, no entity input",
            _ask_a_bank,
        ),
        "no-labels": Ablation(
            "the label losses are 0 and the priors do not start from the labels' statistics",
            _forget_label_statistics,
            loss=MappingProxyType({"labels": 0.0, "dense": 0.0}),
        ),
        "no-inter-visual": Ablation(
            "neither modality asks the other before the decoder", _cut_inter_visual
        ),
        "sentences": Ablation(
            "embeddings of the pair's two captions guide the fusion in place of the entities, "
            "when training and when validating; a pair without captions has none",
            _ask_sentences,
            captions=True,
        ),
        "learned-embeddings": Ablation(
            "the entities' embeddings are learned from a random start, not those of their names",
            _learn_embeddings,
        ),
    }
)
"""Name -> what is cut."""


def find_ablation(name: str) -> Ablation:
    """The ablation of that name.

    Raises:
        ConfigError: There is none.
    """
    if name not in ABLATIONS:
        raise ConfigError(f"ablation is {name!r}; expected of {', '.join(ABLATIONS)}")
    return ABLATIONS[name]


def ablated_loss(ablation: Ablation, weights: LossWeights) -> LossWeights:
    """The loss weights of an ablation."""
    return replace(weights, **ablation.loss)


def ablated_unguided(ablation: Ablation, config: TrainingConfig) -> float:
    """Share of the views with drawn entities that an ablation fuses without guidance."""
    return 0.0 if ablation.always_guided else config.unguided


def _switch(strength: Tensor) -> Tensor:
    """(B, 1): 1 where any of the (B, E) entities takes part, else 0."""
    return (strength > 0).any(-1, keepdim=True).to(strength)


def _certain(like: Tensor) -> Tensor:
    """(1, 1, 1) relevance that leaves all tokens as they are."""
    return like.new_full((1, 1, 1), torch.inf)


def _take_over(new: EntityGuidance, old: EntityGuidance) -> None:
    """Start from the weights that the full network starts from."""
    new.load_state_dict(old.state_dict(), strict=False)

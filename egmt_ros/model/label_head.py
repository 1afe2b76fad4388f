"""Multi-label head: each entity's embedding asks the tokens what it sees, and where.

Two looks at the same tokens are averaged: the attended one finds small things and says where they
are; the overview knows the kind of scene, and on few training frames it errs elsewhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from egmt_ros.model.config import EGMTConfig


class Labels(NamedTuple):
    """What the label head found.

    Attributes:
        looks: (2, B, E) log odds that the images add to each entity's prior, by the attended look
            and by the overview.
        relevance: (B, E, N) logit of each entity at each token; the dense form of the score.
        attention: (B, E, N) attention over tokens; each row adds up to 1.
    """

    looks: Tensor
    relevance: Tensor
    attention: Tensor


class LabelHead(nn.Module):
    """Cross attention of entity queries over visual tokens.

    All weights are shared by the entities: here an entity is nothing but its text embedding, so
    the vocabulary can change without a change of weights.
    """

    def __init__(self, config: EGMTConfig) -> None:
        super().__init__()
        width, inner = config.widths[2], config.attention_width
        self.embed = nn.Sequential(
            nn.Linear(config.text_width, 2 * inner), nn.GELU(), nn.Linear(2 * inner, inner)
        )
        self.embed_norm = nn.LayerNorm(inner)
        self.thermal_key = nn.Linear(width + 2, inner)
        self.visible_key = nn.Linear(width + 2, inner)
        self.value = nn.Linear(2 * width + 2, inner)
        self.relevance_bias = nn.Linear(inner, 1)
        self.read = nn.Sequential(
            nn.LayerNorm(3 * inner),
            nn.Linear(3 * inner, 2 * inner),
            nn.GELU(),
            nn.Dropout(0.2),
            nn.Linear(2 * inner, 1),
        )
        self.sharpness = nn.Parameter(torch.tensor(0.0))
        self.overview = Overview(2 * width, inner)

    def entities(self, embeddings: Tensor) -> Tensor:
        """Project (E, text_width) text embeddings to (E, D) entity queries."""
        return self.embed_norm(self.embed(embeddings))

    def forward(self, thermal: Tensor, visible: Tensor, place: Tensor, entities: Tensor) -> Labels:
        """Score the entities.

        Args:
            thermal: (B, N, C) thermal tokens.
            visible: (B, N, C) visible tokens.
            place: (N, 2) position of each token, -1..1.
            entities: (E, D) from `entities`.
        """
        place = place.expand(thermal.shape[0], -1, -1)
        scale = 1.0 / math.sqrt(entities.shape[-1])
        from_thermal = self.thermal_key(torch.cat([thermal, place], -1)) @ entities.T * scale
        from_visible = self.visible_key(torch.cat([visible, place], -1)) @ entities.T * scale
        bias = self.relevance_bias(entities).squeeze(-1) - 3.0
        relevance = (from_thermal + from_visible + bias).transpose(1, 2)
        attention = torch.softmax(relevance * self.sharpness.exp(), dim=-1)
        values = self.value(torch.cat([thermal, visible, place], -1))
        seen = attention @ values
        overall = values.mean(1, keepdim=True).expand_as(seen)
        asked = entities.expand_as(seen)
        evidence = self.read(torch.cat([asked, seen, overall], -1)).squeeze(-1)
        # The strongest evidence anywhere: a small person must not drown in the average.
        count = relevance.shape[-1]
        evidence = evidence + torch.logsumexp(2.0 * relevance, -1) / 2.0 - 0.25 * math.log(count)
        overview = self.overview(torch.cat([thermal, visible], -1), entities)
        return Labels(torch.stack([evidence, overview]), relevance, attention)


class Overview(nn.Module):
    """Score entities by the statistics of all tokens: mean, maximum and standard deviation.

    Args:
        width: Channels of the tokens.
        inner: Width of the entity queries.
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.scale = RunningScale(3 * width)
        self.drop = nn.Dropout(0.5)
        self.read = nn.Linear(3 * width, inner)
        self.bias = nn.Linear(inner, 1)

    def forward(self, tokens: Tensor, entities: Tensor) -> Tensor:
        """(B, E) log odds from (B, N, C) tokens and (E, D) entity queries."""
        deviation = (tokens.var(1) + 1e-6).sqrt()
        statistics = [tokens.mean(1), tokens.amax(1), deviation]
        seen = self.read(self.drop(self.scale(torch.cat(statistics, -1))))
        return seen @ entities.T / math.sqrt(entities.shape[-1]) + self.bias(entities).squeeze(-1)


class RunningScale(nn.Module):
    """Standardise features by their running mean and variance.

    Unlike batch normalisation it does so in training as well: the batches are of a few frames,
    whose own statistics would be noise.
    """

    SLOWEST = 0.01

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("square", torch.ones(width))
        self.register_buffer("batches", torch.tensor(0.0))

    def forward(self, features: Tensor) -> Tensor:
        """Standardise (B, C) features."""
        if self.training:
            with torch.no_grad():
                self.batches += 1.0
                rate = (1.0 / (self.batches + 1.0)).clamp_min(self.SLOWEST)
                self.mean.lerp_(features.mean(0), rate)
                self.square.lerp_(features.square().mean(0), rate)
        variance = (self.square - self.mean.square()).clamp_min(1e-4)
        return (features - self.mean) * variance.rsqrt()

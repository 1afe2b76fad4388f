"""Multi-label head: each entity's embedding asks the tokens what it sees, and where."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from egmt_ros.model.config import EGMTConfig


class Labels(NamedTuple):
    """What the label head found.

    Attributes:
        evidence: (B, E) log odds that the images add to each entity's prior.
        relevance: (B, E, N) logit of each entity at each token; the dense form of the score.
        attention: (B, E, N) attention over tokens; each row adds up to 1.
    """

    evidence: Tensor
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
        return Labels(evidence, relevance, attention)

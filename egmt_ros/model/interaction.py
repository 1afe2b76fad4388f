"""ECIM, the entity-guided cross-modal interactive module.

Two levels, after the abstract of EGMT (arXiv 2601.01870), whose equations are not public; the
design is ours. *Inter-visual*: thermal tokens ask visible ones and visible tokens ask thermal
ones. *Visual-entity*: entities ask the tokens (label head), and the entities found, weighted by
their scores, answer the tokens' questions and so guide the fusion.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from egmt_ros.model.config import EGMTConfig


def pool_factor(rows: int, cols: int, budget: int) -> int:
    """Smallest whole factor that pools a grid of `rows` x `cols` to at most `budget` cells."""
    factor = 1
    while math.ceil(rows / factor) * math.ceil(cols / factor) > budget:
        factor += 1
    return factor


def pool_to_budget(x: Tensor, budget: int) -> Tensor:
    """Average-pool (B, C, h, w) by the `pool_factor` of `budget`."""
    factor = pool_factor(*x.shape[-2:], budget)
    if factor == 1:
        return x
    return F.avg_pool2d(x, factor, ceil_mode=True, count_include_pad=False)


def to_tokens(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h*w, C)."""
    return x.flatten(2).transpose(1, 2)


class InterVisualAttention(nn.Module):
    """One modality asks the other: multi-head attention over a fixed number of pooled tokens."""

    def __init__(self, config: EGMTConfig) -> None:
        super().__init__()
        width, inner = config.widths[2], config.attention_width
        self.budget = config.memory_budget
        self.heads = config.attention_heads
        self.norm = nn.LayerNorm(width)
        self.memory_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, inner)
        self.key_value = nn.Linear(width, 2 * inner)
        self.output = nn.Linear(inner, width)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """Return `x` (B, C, h, w) enriched by what it finds in `other` (B, C, h, w)."""
        batch, _, height, width = x.shape
        memory = self.memory_norm(to_tokens(pool_to_budget(other, self.budget)))
        query = self._split(self.query(self.norm(to_tokens(x))))
        key, value = (self._split(part) for part in self.key_value(memory).chunk(2, dim=-1))
        weights = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(key.shape[-1]), dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, height * width, -1)
        return x + self.output(mixed).transpose(1, 2).reshape(x.shape)

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class EntityGuidance(nn.Module):
    """Visual tokens ask the entities that were found; the answer modulates the fusion.

    Each entity takes part in proportion to its score (and to the weight that a caller gives it);
    a learned "none of them" stands beside the entities, so that a token may ignore all.
    """

    def __init__(self, config: EGMTConfig) -> None:
        super().__init__()
        width, inner = config.widths[2], config.attention_width
        self.query = nn.Linear(2 * width, inner)
        self.key = nn.Linear(inner, inner)
        self.value = nn.Linear(inner, width)
        self.none_key = nn.Parameter(torch.zeros(inner))
        self.none_value = nn.Parameter(torch.zeros(width))

    def forward(
        self, tokens: Tensor, entities: Tensor, strength: Tensor, relevance: Tensor
    ) -> Tensor:
        """Guide each token by the entities.

        Args:
            tokens: (B, N, 2 C) thermal and visible tokens side by side.
            entities: (E, D) projected text embeddings.
            strength: (B, E) score times weight of each entity, 0 or more.
            relevance: (B, E, N) how much each entity recognises itself in each token (logits).

        Returns:
            (B, N, C) guidance.
        """
        keys = self.key(entities)
        logits = self.query(tokens) @ keys.T / math.sqrt(keys.shape[-1])
        logits = logits + F.logsigmoid(relevance).transpose(1, 2)
        part = torch.where(strength > 0, strength.clamp_min(1e-4).log(), -torch.inf)
        logits = logits + part.unsqueeze(1)
        none = (self.query(tokens) @ self.none_key / math.sqrt(keys.shape[-1])).unsqueeze(-1)
        share = torch.softmax(torch.cat([logits, none - 2.0], dim=-1), dim=-1)
        values = torch.cat([self.value(entities), self.none_value.unsqueeze(0)])
        return share @ values

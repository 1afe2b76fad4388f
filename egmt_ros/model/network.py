"""EGMT: fusion and multi-label classification with shared features and entity guidance."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from egmt_ros.model.blocks import upsample
from egmt_ros.model.config import EGMTConfig
from egmt_ros.model.decoder import Decoder
from egmt_ros.model.emphasis import Emphasis
from egmt_ros.model.encoder import Encoder
from egmt_ros.model.interaction import (
    EntityGuidance,
    InterVisualAttention,
    pool_factor,
    pool_to_budget,
    to_tokens,
)
from egmt_ros.model.label_head import LabelHead

COARSE_STRIDE = 16
"""Side of a cell of the coarse features, pixels; inputs are padded to a multiple of it."""
MINIMUM_SIDE = 64
"""Smallest image side, pixels."""


class EGMTOutput(NamedTuple):
    """What the network returns.

    Attributes:
        fused: (B, 1, H, W) fused luminance, 0..1 (not clipped).
        logits: (B, E) entity scores before the sigmoid: the mean of the looks.
        attention: (B, E, h, w) where each entity was seen; each map adds up to 1.
        relevance: (B, E, h, w) dense logits of the entities, for training.
        looks: (2, B, E) scores of the attended look and of the overview, for training.
        fine: (B, C, H/4, W/4) finest features of the decoder, of the padded image; for
            `EGMT.emphasise` and for training.
    """

    fused: Tensor
    logits: Tensor
    attention: Tensor
    relevance: Tensor
    looks: Tensor
    fine: Tensor


class EGMT(nn.Module):
    """Entity-guided multi-task fusion network.

    Args:
        config: Shape of the network.
        embeddings: (E, text_width) text embeddings of the vocabulary, stored with the weights.
        prior: (E,) log odds of each entity before anything was seen; None starts at 0. Learned.
    """

    def __init__(self, config: EGMTConfig, embeddings: Tensor, prior: Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        self.thermal_encoder = Encoder(config, chroma=0)
        self.visible_encoder = Encoder(config, chroma=2)
        self.thermal_asks = InterVisualAttention(config)
        self.visible_asks = InterVisualAttention(config)
        self.label_head = LabelHead(config)
        self.guidance = EntityGuidance(config)
        self.decoder = Decoder(config)
        self.emphasis = Emphasis(config.decoder_width)
        self.register_buffer("embeddings", embeddings.float())
        self.prior = nn.Parameter(embeddings.new_zeros(len(embeddings)) if prior is None else prior)

    def forward(
        self,
        thermal: Tensor,
        visible: Tensor,
        embeddings: Tensor | None = None,
        entity_weights: Tensor | None = None,
    ) -> EGMTOutput:
        """Fuse and label.

        Args:
            thermal: (B, 1, H, W) normalised thermal image, 0..1.
            visible: (B, 3, H, W) visible image as Y, Cr, Cb, 0..1 (grey: both chroma 0.5).
            embeddings: (E, text_width) other text embeddings than the stored ones; their priors
                stay those of the stored entities.
            entity_weights: (E,), or (B, E) or (B, 1), factors on the entities' part in the
                guidance; from 1 up all of it, 0 is none. See also `emphasise`.

        H and W may be any number from `MINIMUM_SIDE` up.
        """
        height, width = thermal.shape[-2:]
        thermal, visible = _padded(thermal), _padded(visible)
        luminance, chroma = visible[:, :1], visible[:, 1:]
        seen_t = self.thermal_encoder(thermal)
        seen_v = self.visible_encoder(luminance, chroma)
        coarse_t = self.thermal_asks(seen_t.coarse, seen_v.coarse)
        coarse_v = self.visible_asks(seen_v.coarse, seen_t.coarse)
        seen_t = seen_t._replace(coarse=coarse_t)
        seen_v = seen_v._replace(coarse=coarse_v)

        pooled_t = pool_to_budget(coarse_t, self.config.token_budget)
        pooled_v = pool_to_budget(coarse_v, self.config.token_budget)
        rows, cols = pooled_t.shape[-2:]
        tokens_t, tokens_v = to_tokens(pooled_t), to_tokens(pooled_v)
        entities = self.label_head.entities(self.embeddings if embeddings is None else embeddings)
        labels = self.label_head(tokens_t, tokens_v, _places(rows, cols, tokens_t), entities)

        looks = labels.looks + self.prior
        logits = looks.mean(0)
        scores = logits.sigmoid()
        strength = scores
        if entity_weights is not None:  # more than all of it an entity cannot guide
            strength = scores * entity_weights.clamp_max(1.0)
        tokens = torch.cat([tokens_t, tokens_v], -1)
        guidance = self.guidance(tokens, entities, strength, labels.relevance)
        guidance = guidance.transpose(1, 2).unflatten(-1, (rows, cols))
        guidance = self._to_coarse(guidance, coarse_t)
        fused, fine = self.decoder(seen_t, seen_v, guidance, (thermal, luminance))
        return EGMTOutput(
            fused[..., :height, :width],
            logits,
            labels.attention.unflatten(-1, (rows, cols)),
            labels.relevance.unflatten(-1, (rows, cols)),
            looks,
            fine,
        )

    def emphasise(
        self, output: EGMTOutput, sources: tuple[Tensor, Tensor], entity_weights: Tensor
    ) -> Tensor:
        """Let the pixels of entities stand out more, or less; see `Emphasis`.

        Apart from `forward`, so that it costs nothing where nobody asks for it.

        Args:
            output: Of `forward` with the same weights, its fused image 0..1.
            sources: (B, 1, H, W) thermal and visible luminance, 0..1.
            entity_weights: (E,) or (B, E), 1 is neutral, 0 is none.

        Returns:
            (B, 1, H, W) fused luminance.
        """
        height, width = output.fused.shape[-2:]
        wanted = (entity_weights - 1.0) * output.logits.sigmoid()
        changed = torch.stack([wanted.abs().clamp_max(1.0), wanted], 1)
        maps = torch.einsum("bke,beyx->bkyx", changed, output.relevance.sigmoid())
        fused = _padded(output.fused)
        thermal, visible = (_padded(source) for source in sources)
        cells = fused[..., ::COARSE_STRIDE, ::COARSE_STRIDE]
        where, demand = self._to_coarse(maps, cells).split(1, 1)
        where = where.clamp_max(1.0)
        found = self.emphasis(fused, (thermal, visible), output.fine, where, demand)
        return found[..., :height, :width]

    def _to_coarse(self, tokens: Tensor, coarse: Tensor) -> Tensor:
        """Enlarge (B, C, rows, cols) of pooled tokens to the size of the coarse features."""
        factor = pool_factor(*coarse.shape[-2:], self.config.token_budget)
        if factor > 1:  # the last pooled cells can reach beyond the image
            tokens = upsample(tokens, factor)[..., : coarse.shape[-2], : coarse.shape[-1]]
        return tokens


def _padded(image: Tensor) -> Tensor:
    """Repeat the last row and column of (B, C, H, W) up to multiples of `COARSE_STRIDE`."""
    height, width = image.shape[-2:]
    pad = (0, -width % COARSE_STRIDE, 0, -height % COARSE_STRIDE)
    return F.pad(image, pad, mode="replicate") if any(pad) else image


def _places(rows: int, cols: int, like: Tensor) -> Tensor:
    """(rows * cols, 2) centres y, x of the cells of a grid, within -1..1."""
    y = (torch.arange(rows, device=like.device, dtype=like.dtype) + 0.5) * (2.0 / rows) - 1.0
    x = (torch.arange(cols, device=like.device, dtype=like.dtype) + 0.5) * (2.0 / cols) - 1.0
    return torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).flatten(0, 1)

"""Emphasis: make the pixels of chosen entities stand out more, or less, on request."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from egmt_ros.model.blocks import upsample
from egmt_ros.model.encoder import STRIDE

CELL = 16
"""Side of a cell of the coarse features, pixels."""
RISE = 1.0
"""How fast the pixels of an entity approach black or white with the demand; at a demand of 1 they
have gone 1 - exp(-RISE) of the way."""
CERTAIN = 0.05
"""Contrast to the surroundings, 0..1, from which it is certain which way an entity stands out."""
AROUND = 15
"""Side of the neighbourhood that counts as the surroundings, in coarse cells."""
SURE, SHARPNESS = 3.0, 2.0
"""Logit from which a pixel is taken to be the entity's, and how sudden that is: of the pixels that
are less sure every other one is not, and brightens the surroundings instead."""
CORE = 3.0
"""How much more the pixels count that stand out most in the thermal image. This, SURE, AROUND and
RISE were chosen on MSRS val for contrast at equal change."""


class Emphasis(nn.Module):
    """Steer the contrast of entities; with every weight at 1 nothing changes, to the bit.

    The demand says roughly where and how much, the matte which pixels there are the entity's.
    A positive demand moves them away from their surroundings: a bright figure towards white, a
    dark one towards black, and each pixel the more the more it stands out already, in the fused
    image and in the thermal one, so that the outline stays sharp though the matte is not. A
    negative one moves them to the average of the sources, which is how they would look if nobody
    had looked for entities.

    Args:
        width: Channels of the decoder's finest features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width + 1, width + 1, 3, padding=1, groups=width + 1)
        self.hidden = nn.Conv2d(width + 1, width, 1)
        self.matte = nn.Conv2d(width, STRIDE * STRIDE, 1)

    def matte_logits(self, fine: Tensor, where: Tensor) -> Tensor:
        """Tell which pixels are those of the entity.

        Args:
            fine: (B, C, H/4, W/4) finest features of the decoder.
            where: (B, 1, H/16, W/16) how much the entity recognises itself there, 0..1.

        Returns:
            (B, 1, H, W) logits.
        """
        x = torch.cat([fine, upsample(where, CELL // STRIDE)], 1)
        return F.pixel_shuffle(self.matte(self.hidden(self.spatial(x)).relu()), STRIDE)

    def forward(
        self,
        fused: Tensor,
        sources: tuple[Tensor, Tensor],
        fine: Tensor,
        where: Tensor,
        demand: Tensor,
    ) -> Tensor:
        """Change the fused image where there is a demand.

        Args:
            fused: (B, 1, H, W) luminance, 0..1.
            sources: Thermal and visible luminance, like it.
            fine: (B, C, H/4, W/4) finest features of the decoder.
            where: (B, 1, H/16, W/16) relevance of the entities whose weight is not 1, 0..1.
            demand: (B, 1, H/16, W/16) sum over the entities of (weight - 1) * score * relevance.

        Returns:
            (B, 1, H, W) luminance.
        """
        # The pixels of a cell come from different channels, which would show as a grid.
        logits = _smooth(self.matte_logits(fine, where).float(), STRIDE + 1)
        matte = (SHARPNESS * (logits - SURE)).sigmoid()
        thermal, visible = sources
        more, less = demand.clamp_min(0.0), (-demand).clamp(0.0, 1.0)
        cells = [1.0 - torch.exp(-RISE * more), less]
        for image in (fused, thermal):
            cells += _entity_and_ground(image, matte)
        push, less, *stand = upsample(torch.cat(cells, 1), CELL).split(1, 1)
        white = (stand[0] > stand[1]).to(fused.dtype)
        core = (2.0 * _stands_out(thermal, *stand[2:]) - 1.0).clamp_min(0.0) ** CORE
        apart = push * core * _stands_out(fused, *stand[:2]) * (white - fused)
        back = less * (0.5 * (thermal + visible) - fused)
        return fused + matte * apart + logits.sigmoid() * back


def _entity_and_ground(image: Tensor, matte: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of the entity's pixels around each cell, and of the others; (B, 1, H/16, W/16)."""
    share = F.avg_pool2d(matte, CELL)
    inside = F.avg_pool2d(matte * image, CELL)
    outside = F.avg_pool2d(image, CELL) - inside
    entity = _smooth(inside, AROUND) / _smooth(share, AROUND).clamp_min(1e-4)
    ground = _smooth(outside, AROUND) / _smooth(1.0 - share, AROUND).clamp_min(1e-4)
    return entity, ground


def _stands_out(image: Tensor, entity: Tensor, ground: Tensor) -> Tensor:
    """0..1: how far a pixel has left the ground in the entity's direction; 1 is its mean."""
    contrast = entity - ground
    ratio = contrast * (image - ground) / (contrast.square() + CERTAIN**2)
    return ratio.clamp(0.0, 1.0)


def _smooth(image: Tensor, side: int) -> Tensor:
    """Mean of the neighbourhood of each pixel; `side` is odd."""
    return F.avg_pool2d(image, side, stride=1, padding=side // 2, count_include_pad=False)

"""Emphasis: make the pixels of chosen entities stand out more, or less, on request."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from egmt_ros.model.blocks import upsample
from egmt_ros.model.encoder import STRIDE

CELL = 16
"""Side of a cell of the coarse features, pixels."""
RISE = 0.3
"""How fast the pixels of an entity approach black or white with the demand; at a demand of 1 they
have gone 1 - exp(-RISE) of the way."""
CERTAIN = 0.05
"""Contrast to the surroundings, 0..1, from which it is certain which way an entity stands out."""
AROUND = 5
"""Side of the neighbourhood that counts as the surroundings, in coarse cells."""


class Emphasis(nn.Module):
    """Steer the contrast of entities; with every weight at 1 nothing changes, to the bit.

    The demand says roughly where and how much, the matte which pixels there are the entity's.
    A positive demand moves them away from their surroundings: a bright figure towards white, a
    dark one towards black, and each pixel the more the more it stands out already, so that the
    outline stays sharp though the matte is not. A negative one moves them to the average of the
    sources, which is how they would look if nobody had looked for entities.

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
        self, fused: Tensor, fine: Tensor, average: Tensor, where: Tensor, demand: Tensor
    ) -> Tensor:
        """Change the fused image where there is a demand.

        Args:
            fused: (B, 1, H, W) luminance, 0..1.
            fine: (B, C, H/4, W/4) finest features of the decoder.
            average: (B, 1, H, W) average of the sources.
            where: (B, 1, H/16, W/16) relevance of the entities whose weight is not 1, 0..1.
            demand: (B, 1, H/16, W/16) sum over the entities of (weight - 1) * score * relevance.

        Returns:
            (B, 1, H, W) luminance.
        """
        matte = self.matte_logits(fine, where).float().sigmoid()
        share = F.avg_pool2d(matte, CELL)
        inside = F.avg_pool2d(matte * fused, CELL)
        outside = F.avg_pool2d(fused, CELL) - inside
        entity = _blur(inside) / _blur(share).clamp_min(1e-4)
        ground = _blur(outside) / _blur(1.0 - share).clamp_min(1e-4)
        contrast = entity - ground
        more, less = demand.clamp_min(0.0), (-demand).clamp(0.0, 1.0)
        cells = torch.cat([1.0 - torch.exp(-RISE * more), ground, contrast, less], 1)
        push, ground, contrast, less = upsample(cells, CELL).split(1, 1)
        stands_out = contrast * (fused - ground) / (contrast.square() + CERTAIN**2)
        white = (contrast > 0).to(fused.dtype)
        apart = push * stands_out.clamp(0.0, 1.0) * (white - fused)
        return fused + matte * (apart + less * (average - fused))


def _blur(cells: Tensor) -> Tensor:
    return F.avg_pool2d(cells, AROUND, stride=1, padding=AROUND // 2, count_include_pad=False)

"""Encoder of one modality: features at 1/4, 1/8 and 1/16 of the image size."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from egmt_ros.model.backbone import Backbone
from egmt_ros.model.blocks import Block, ConvNorm, upsample
from egmt_ros.model.config import EGMTConfig

STRIDE = 4
"""Side of the pixel cell that the first layer turns into channels."""


class Features(NamedTuple):
    """Features of one modality.

    Attributes:
        cells: (B, 16, H/4, W/4) the luminance itself, 4x4 pixels folded into channels.
        fine: (B, C0, H/4, W/4).
        middle: (B, C1, H/8, W/8).
        coarse: (B, C2, H/16, W/16).
    """

    cells: Tensor
    fine: Tensor
    middle: Tensor
    coarse: Tensor


class Encoder(nn.Module):
    """Encoder of one modality: what things are, from the backbone, and fine detail beside it.

    For the detail, luminance (or temperature) is folded, not pooled, so no pixel is lost; chroma,
    if any, is averaged over the cell.

    Args:
        config: Shape of the network.
        chroma: Number of chroma channels behind the luminance: 0 thermal, 2 visible.
    """

    def __init__(self, config: EGMTConfig, chroma: int) -> None:
        super().__init__()
        fine, middle, coarse = config.widths
        self.backbone = Backbone(chroma, config.backbone_multiplier)
        near, wide, widest = self.backbone.widths
        self.stem = ConvNorm(STRIDE * STRIDE + chroma, fine, kernel=3)
        self.fine = _blocks(fine, config.depths[0])
        self.to_middle = ConvNorm(near, middle)
        self.middle = _blocks(middle, config.depths[1])
        self.to_coarse = ConvNorm(wide, coarse)
        self.widest_to_coarse = ConvNorm(widest, coarse)
        self.coarse = _blocks(coarse, config.depths[2])

    def forward(self, luminance: Tensor, chroma: Tensor | None = None) -> Features:
        """Encode (B, 1, H, W) luminance and (B, 2, H, W) chroma, 0..1; H, W multiples of 16."""
        cells = F.pixel_unshuffle(luminance, STRIDE)
        x = cells
        if chroma is not None:
            x = torch.cat([cells, F.avg_pool2d(chroma, STRIDE)], 1)
        fine = self.fine(self.stem(x).relu())
        near, wide, widest = self.backbone(luminance, chroma)
        middle = self.middle(self.to_middle(near).relu())
        around = upsample(self.widest_to_coarse(widest))[..., : wide.shape[-2], : wide.shape[-1]]
        coarse = self.coarse((self.to_coarse(wide) + around).relu())
        return Features(cells, fine, middle, coarse)


def _blocks(width: int, depth: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(depth)))

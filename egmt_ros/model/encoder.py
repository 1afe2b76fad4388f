"""Encoder of one modality: features at 1/4, 1/8 and 1/16 of the image size."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from egmt_ros.model.blocks import Block, ConvNorm
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
    """Encoder of one modality.

    Luminance (or temperature) is folded, not pooled, so no pixel is lost; chroma, if any, is
    averaged over the cell.

    Args:
        config: Shape of the network.
        chroma: Number of chroma channels behind the luminance: 0 thermal, 2 visible.
    """

    def __init__(self, config: EGMTConfig, chroma: int) -> None:
        super().__init__()
        fine, middle, coarse = config.widths
        self.stem = ConvNorm(STRIDE * STRIDE + chroma, fine, kernel=3)
        self.fine = nn.Sequential(*(Block(fine) for _ in range(config.depths[0])))
        self.to_middle = ConvNorm(fine, middle, kernel=2, stride=2)
        self.middle = nn.Sequential(*(Block(middle) for _ in range(config.depths[1])))
        self.to_coarse = ConvNorm(middle, coarse, kernel=2, stride=2)
        self.coarse = nn.Sequential(*(Block(coarse) for _ in range(config.depths[2])))

    def forward(self, luminance: Tensor, chroma: Tensor | None = None) -> Features:
        """Encode (B, 1, H, W) luminance and (B, 2, H, W) chroma, 0..1; H, W multiples of 16."""
        cells = F.pixel_unshuffle(luminance, STRIDE)
        x = cells
        if chroma is not None:
            x = F.pad(cells, (0, 0, 0, 0, 0, 2))
            x[:, -2:] = F.avg_pool2d(chroma, STRIDE)
        fine = self.fine(self.stem(x).relu_())
        middle = self.middle(self.to_middle(fine).relu_())
        coarse = self.coarse(self.to_coarse(middle).relu_())
        return Features(cells, fine, middle, coarse)

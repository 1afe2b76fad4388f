"""Backbone: the first stages of EfficientNet-Lite0, on the image at half size.

Inverted residual blocks (Sandler et al., "MobileNetV2", CVPR 2018) in the arrangement of
EfficientNet-Lite0 (Tan and Le, "EfficientNet", ICML 2019; Lite: no squeeze-and-excitation, ReLU6),
so that training can start from weights learned on ImageNet. Its last two stages are left out.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from egmt_ros.model.blocks import ConvNorm

NORM_EPSILON = 1e-3
"""What EfficientNet adds to a variance in its batch norms."""
GREY, NEUTRAL = 0.45, 0.5
"""What is subtracted from luminance (about ImageNet's mean) and from chroma, so zero padding is
neutral."""


class Stage(NamedTuple):
    """Blocks of one stage; the first block has the stride."""

    expansion: int
    width: int
    blocks: int
    stride: int
    kernel: int


STEM_WIDTH = 32
STAGES = (
    Stage(expansion=1, width=16, blocks=1, stride=1, kernel=3),
    Stage(expansion=6, width=24, blocks=2, stride=2, kernel=3),
    Stage(expansion=6, width=40, blocks=2, stride=2, kernel=5),
    Stage(expansion=6, width=80, blocks=3, stride=2, kernel=3),
    Stage(expansion=6, width=112, blocks=3, stride=1, kernel=5),
)
TAKEN = (1, 2, 4)
"""Stages whose output is used, at 1/8, 1/16 and 1/32 of the (full) image size."""


def scaled_width(width: int, multiplier: float) -> int:
    """Channels under a width multiplier, at least 4 and a multiple of 4."""
    return max(4, round(width * multiplier / 4) * 4)


class InvertedResidual(nn.Module):
    """Expand pointwise, filter depthwise, project; the input is added where shapes allow."""

    def __init__(self, inputs: int, outputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        inner = inputs * stage.expansion
        self.expand = ConvNorm(inputs, inner, epsilon=NORM_EPSILON) if stage.expansion > 1 else None
        self.filter = ConvNorm(
            inner, inner, stage.kernel, stride, groups=inner, epsilon=NORM_EPSILON
        )
        self.project = ConvNorm(inner, outputs, epsilon=NORM_EPSILON)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else F.relu6(self.expand(x))
        projected = self.project(F.relu6(self.filter(inner)))
        return x + projected if self.residual else projected


class Backbone(nn.Module):
    """Features of one modality at 1/8, 1/16 and 1/32 of the image size.

    Args:
        chroma: Number of chroma channels behind the luminance: 0 thermal, 2 visible.
        multiplier: Factor on all widths; ImageNet weights exist for 1.

    Attributes:
        widths: Channels of the three levels.
    """

    def __init__(self, chroma: int, multiplier: float = 1.0) -> None:
        super().__init__()
        width = scaled_width(STEM_WIDTH, multiplier)
        self.stem = ConvNorm(1 + chroma, width, 3, 2, epsilon=NORM_EPSILON)
        stages = []
        for stage in STAGES:
            blocks = []
            for index in range(stage.blocks):
                stride = stage.stride if index == 0 else 1
                outputs = scaled_width(stage.width, multiplier)
                blocks.append(InvertedResidual(width, outputs, stage, stride))
                width = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.widths = tuple(scaled_width(STAGES[i].width, multiplier) for i in TAKEN)

    def forward(self, luminance: Tensor, chroma: Tensor | None = None) -> list[Tensor]:
        """Encode (B, 1, H, W) luminance and (B, 2, H, W) chroma, 0..1; H, W multiples of 16."""
        x = F.avg_pool2d(luminance, 2) - GREY
        if chroma is not None:
            x = torch.cat([x, F.avg_pool2d(chroma, 2) - NEUTRAL], 1)
        x = F.relu6(self.stem(x))
        found = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in TAKEN:
                found.append(x)
        return found

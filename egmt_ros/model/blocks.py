"""Building blocks of the network.

Every normalisation in them is a batch norm behind a convolution, so that `fold_batch_norms` can
merge it into that convolution before inference.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval


class ConvNorm(nn.Module):
    """Convolution and batch norm, one convolution after `fold_batch_norms`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False
        )
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=epsilon)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))

    def fold(self) -> None:
        """Merge the batch norm into the convolution (inference only)."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class Block(nn.Module):
    """Residual block: depthwise 5x5, then a pointwise network of twice (or `expansion`) the width.

    The spatial part and the channel part of ConvNeXt (Liu et al., CVPR 2022) with batch norm and
    ReLU, which fold and run fast on a CPU.
    """

    def __init__(self, width: int, expansion: int = 2) -> None:
        super().__init__()
        self.spatial = ConvNorm(width, width, kernel=5, groups=width)
        self.expand = nn.Conv2d(width, expansion * width, 1)
        self.reduce = ConvNorm(expansion * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.reduce(torch.relu_(self.expand(self.spatial(x))))


def upsample(x: Tensor, factor: int = 2) -> Tensor:
    """Enlarge (B, C, h, w) bilinearly by a whole factor."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Merge every batch norm of a network in evaluation mode into its convolution, in place."""
    for child in module.modules():
        if isinstance(child, ConvNorm):
            child.fold()
    return module

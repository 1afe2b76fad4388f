"""Fusion decoder: from both encoders and the entities' guidance to one luminance image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from egmt_ros.model.blocks import Block, ConvNorm, upsample
from egmt_ros.model.config import EGMTConfig
from egmt_ros.model.encoder import STRIDE, Features


class Decoder(nn.Module):
    """Predict, for each pixel, the weight of the thermal image and a correction.

    The fused luminance is `w * thermal + (1 - w) * visible + r`. Guidance scales and shifts the
    features of both finer levels, (1 + gamma) * x + beta.
    """

    def __init__(self, config: EGMTConfig) -> None:
        super().__init__()
        fine, middle, coarse = config.widths
        width = config.decoder_width
        cells = STRIDE * STRIDE
        self.join_coarse = ConvNorm(2 * coarse, coarse)
        self.coarse = Block(coarse)
        self.join_middle = ConvNorm(2 * middle, middle)
        self.coarse_to_middle = nn.Conv2d(coarse, middle, 1)
        self.modulate_middle = nn.Conv2d(coarse, 2 * middle, 1)
        self.middle = Block(middle)
        self.join_fine = ConvNorm(2 * fine, width)
        self.middle_to_fine = nn.Conv2d(middle, width, 1)
        self.modulate_fine = nn.Conv2d(coarse, 2 * width, 1)
        self.fine = Block(width)
        self.hidden = nn.Conv2d(width + 2 * cells, 64, 1)
        self.output = nn.Conv2d(64, 2 * cells, 1)

    def forward(
        self, thermal: Features, visible: Features, guidance: Tensor, images: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Decode to (B, 1, H, W) fused luminance, 0..1 (not clipped), and the finest features.

        Args:
            thermal: Features of the thermal image, coarse level after the inter-visual attention.
            visible: The same of the visible image.
            guidance: (B, C2, H/16, W/16) from the entities.
            images: The two luminance images (B, 1, H, W), 0..1.
        """
        coarse = self.join_coarse(torch.cat([thermal.coarse, visible.coarse], 1)) + guidance
        coarse = self.coarse(coarse.relu())
        middle = self.join_middle(torch.cat([thermal.middle, visible.middle], 1))
        middle = middle + upsample(self.coarse_to_middle(coarse))
        middle = self.middle(_modulate(middle, upsample(self.modulate_middle(guidance))))
        fine = self.join_fine(torch.cat([thermal.fine, visible.fine], 1))
        fine = fine + upsample(self.middle_to_fine(middle))
        fine = self.fine(_modulate(fine, upsample(self.modulate_fine(guidance), 4)))
        hidden = self.hidden(torch.cat([fine, thermal.cells, visible.cells], 1)).relu_()
        weight, correction = self.output(hidden).chunk(2, dim=1)
        weight = F.pixel_shuffle(weight, STRIDE).float().sigmoid()
        correction = F.pixel_shuffle(correction, STRIDE).float()
        fused = torch.lerp(images[1], images[0], weight) + 0.25 * torch.tanh(correction)
        return fused, fine


def _modulate(x: Tensor, scale_and_shift: Tensor) -> Tensor:
    scale, shift = scale_and_shift.chunk(2, dim=1)
    return torch.addcmul(x + shift, x, scale).relu()

"""Fusion metrics, differentiable: the evaluator reports them and the training optimises them.

All take luminance tensors (B, 1, H, W) on the grey-level scale 0..255 and return (B,). The sources
are A (thermal) and B (visible), the fused image is F. Sums run over both sources; nothing is
stretched.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

_EPS = 1e-10


class PairScores(NamedTuple):
    """Fusion metrics of a batch, each (B,).

    Attributes:
        vif: VIF(A, F) + VIF(B, F).
        vif_min: The smaller of the two.
        qabf: Qabf, gradient-weighted over both sources.
        q_min: The smaller of the two gradient-weighted Q.
        scd: Sum of the correlations of differences.
        ssim: SSIM(A, F) + SSIM(B, F).
        ssim_min: The smaller of the two.
        cc_min: The smaller of corr(A, F) and corr(B, F).
    """

    vif: Tensor
    vif_min: Tensor
    qabf: Tensor
    q_min: Tensor
    scd: Tensor
    ssim: Tensor
    ssim_min: Tensor
    cc_min: Tensor


def score_pair(thermal: Tensor, visible: Tensor, fused: Tensor) -> PairScores:
    """Compute every metric of a batch of (B, 1, H, W) images, 0..255."""
    vif_a, vif_b = vif(thermal, fused), vif(visible, fused)
    ssim_a, ssim_b = ssim(thermal, fused), ssim(visible, fused)
    edges = edge_preservation(thermal, visible, fused)
    return PairScores(
        vif_a + vif_b,
        torch.minimum(vif_a, vif_b),
        edges.qabf,
        torch.minimum(edges.q_thermal, edges.q_visible),
        scd(thermal, visible, fused),
        ssim_a + ssim_b,
        torch.minimum(ssim_a, ssim_b),
        torch.minimum(correlation(thermal, fused), correlation(visible, fused)),
    )


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson correlation of each image of `a` with the same of `b`; 0 where one is flat."""
    a = a.flatten(1) - a.flatten(1).mean(1, keepdim=True)
    b = b.flatten(1) - b.flatten(1).mean(1, keepdim=True)
    return (a * b).sum(1) / ((a * a).sum(1) * (b * b).sum(1)).clamp_min(_EPS).sqrt()


def scd(thermal: Tensor, visible: Tensor, fused: Tensor) -> Tensor:
    """Sum of the correlations of differences, corr(A, F - B) + corr(B, F - A), -2..2.

    Aslantas and Bendes, "A new image quality metric for image fusion: the sum of the correlations
    of differences", AEU Int. J. Electron. Commun. 2015. It grows with the fused image's contrast.
    """
    return correlation(thermal, fused - visible) + correlation(visible, fused - thermal)


def scd_at_equal_contrast(thermal: Tensor, visible: Tensor, fused: Tensor) -> Tensor:
    """SCDn: SCD after the fused image got mean and standard deviation of the sources' average.

    That is without rounding and clipping. Gain and offset, which lift SCD, leave it as it is.
    """
    average, flat = (thermal + visible).flatten(1) / 2, fused.flatten(1)
    gain = average.std(1, keepdim=True) / flat.std(1, keepdim=True).clamp_min(_EPS)
    flat = (flat - flat.mean(1, keepdim=True)) * gain + average.mean(1, keepdim=True)
    return scd(thermal, visible, flat.reshape(fused.shape))


def ssim(reference: Tensor, image: Tensor) -> Tensor:
    """Mean SSIM, 7x7 uniform window, sample covariance, data_range 255.

    Wang et al., "Image quality assessment: from error visibility to structural similarity",
    IEEE TIP 2004; window and border as in scikit-image's defaults.
    """
    window = 7
    unbiased = window * window / (window * window - 1)
    stacked = torch.cat(
        [reference, image, reference * reference, image * image, reference * image], 1
    )
    mu_x, mu_y, xx, yy, xy = F.avg_pool2d(stacked, window, stride=1).split(1, 1)
    var_x, var_y = unbiased * (xx - mu_x * mu_x), unbiased * (yy - mu_y * mu_y)
    cov = unbiased * (xy - mu_x * mu_y)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mu_x * mu_y + c1) / (mu_x * mu_x + mu_y * mu_y + c1)
    structure = (2 * cov + c2) / (var_x + var_y + c2)
    return (luminance * structure).flatten(1).mean(1)


def vif(reference: Tensor, image: Tensor, noise_variance: float = 2.0) -> Tensor:
    """Pixel-domain visual information fidelity: four scales, valid windows.

    Sheikh and Bovik, "Image information and visual quality", IEEE TIP 2006; pixel form with
    Gaussian windows of 17, 9, 5 and 3 pixels, standard deviation window / 5.
    """
    kept = torch.zeros(reference.shape[0], device=reference.device)
    total = torch.zeros_like(kept)
    # Variances do not depend on the mean, but their rounding does: a flat image must have none.
    reference = reference - reference.mean((2, 3), keepdim=True)
    image = image - image.mean((2, 3), keepdim=True)
    for scale in range(1, 5):
        size = 2 ** (5 - scale) + 1
        if scale > 1:
            both = _blur(torch.cat([reference, image], 1), size)[..., ::2, ::2]
            reference, image = both.split(1, 1)
        stacked = torch.cat(
            [reference, image, reference * reference, image * image, reference * image], 1
        )
        mu_x, mu_y, xx, yy, xy = _blur(stacked, size).split(1, 1)
        var_x = (xx - mu_x * mu_x).clamp_min(0.0)
        var_y = (yy - mu_y * mu_y).clamp_min(0.0)
        cov = xy - mu_x * mu_y
        gain = cov / (var_x + _EPS)
        rest = var_y - gain * cov
        flat_x, flat_y, negative = var_x < _EPS, var_y < _EPS, gain < 0
        rest = torch.where(flat_x | negative, var_y, rest)
        rest = torch.where(flat_y & ~flat_x, torch.zeros_like(rest), rest).clamp_min(_EPS)
        gain = torch.where(flat_x | flat_y | negative, torch.zeros_like(gain), gain)
        var_x = torch.where(flat_x, torch.zeros_like(var_x), var_x)
        kept = kept + torch.log1p(gain * gain * var_x / (rest + noise_variance)).flatten(1).sum(1)
        total = total + torch.log1p(var_x / noise_variance).flatten(1).sum(1)
    return (kept + _EPS) / (total + _EPS)


class EdgePreservation(NamedTuple):
    """Qabf and the gradient-weighted Q of each source, each (B,)."""

    qabf: Tensor
    q_thermal: Tensor
    q_visible: Tensor


def edge_preservation(thermal: Tensor, visible: Tensor, fused: Tensor) -> EdgePreservation:
    """Qabf of Xydeas and Petrovic, "Objective image fusion performance measure", 2000.

    Sobel gradients with zero padding, orientation arctan(sy / sx) without unwrapping, constants
    0.9994, -15, 0.5 (strength) and 0.9879, -22, 0.8 (orientation).
    """
    strength_f, angle_f = _sobel(fused)
    weighted, weights = [], []
    for source in (thermal, visible):
        strength, angle = _sobel(source)
        weak = torch.minimum(strength, strength_f)
        ratio = (weak + 1e-6) / (torch.maximum(strength, strength_f) + 1e-6)
        # As in the code that published tables come from: where both are equal, the strength
        # itself stands in for the ratio 1.
        ratio = torch.where(strength == strength_f, strength_f, ratio)
        alignment = 1.0 - (angle - angle_f).abs() / (math.pi / 2)
        quality = (
            0.9994
            / (1.0 + torch.exp(-15.0 * (ratio - 0.5)))
            * 0.9879
            / (1.0 + torch.exp(-22.0 * (alignment - 0.8)))
        )
        weighted.append((quality * strength).flatten(1).sum(1))
        weights.append(strength.flatten(1).sum(1))
    qabf = (weighted[0] + weighted[1]) / (weights[0] + weights[1] + _EPS)
    return EdgePreservation(
        qabf, weighted[0] / (weights[0] + _EPS), weighted[1] / (weights[1] + _EPS)
    )


def _sobel(image: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient strength and orientation, -pi/2..pi/2, y upwards; pi/2 where gx is 0."""
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([kernel, -kernel.T]).unsqueeze(1).to(image)
    gx, gy = F.conv2d(image, kernels, padding=1).split(1, 1)
    strength = (gx * gx + gy * gy + 1e-12).sqrt()
    vertical = gx.abs() < 1e-6
    safe = torch.where(vertical, torch.ones_like(gx), gx)
    angle = torch.where(vertical, torch.full_like(gx, math.pi / 2), torch.atan(gy / safe))
    return strength, angle


@lru_cache(maxsize=8)
def _gaussian(size: int) -> Tensor:
    x = torch.arange(size, dtype=torch.float64) - size // 2
    window = torch.exp(-(x**2) / (2 * (size / 5.0) ** 2))
    return (window / window.sum()).float()


def _blur(x: Tensor, size: int) -> Tensor:
    """Separable Gaussian of each channel, valid windows."""
    channels = x.shape[1]
    taps = _gaussian(size).to(x).expand(channels, 1, -1)
    x = F.conv2d(x, taps.unsqueeze(2), groups=channels)
    return F.conv2d(x, taps.unsqueeze(3), groups=channels)

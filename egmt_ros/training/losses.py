"""Losses of the two tasks, fusion and multi-label classification."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from egmt_ros.evaluation.fusion.metrics import score_pair
from egmt_ros.model.emphasis import Emphasis
from egmt_ros.model.network import EGMTOutput
from egmt_ros.training.augmentation import Batch
from egmt_ros.training.config import LossWeights

METRIC_WINDOW = (256, 320)
"""Rows and columns of the part of a view in which the metrics are computed."""

REACH = 5
"""Side of the neighbourhood in which an edge of the fused image must have its like, pixels."""

PATCH_SIDES = (4, 8, 16, 32)
"""Sides of the cells, pixels, whose means are compared for patches."""

HALO_DISTANCES = (2, 4, 8, 16, 32)
"""How far apart two points are, pixels, whose values are compared for halos."""


def total_loss(
    output: EGMTOutput,
    emphasis: Emphasis,
    batch: Batch,
    weights: LossWeights,
    unguided: Tensor,
    balance: Mapping[str, Tensor] | None = None,
    smoothing: float = 0.0,
) -> tuple[Tensor, dict[str, float]]:
    """Return the weighted loss of a batch and its terms, unweighted, for the log.

    Args:
        output: What the network returned.
        emphasis: Of the network.
        batch: What it was given.
        weights: Weights of the terms.
        unguided: (B,) bool, the views that were fused without entities.
        balance: Name of a metric's term -> (B,) factors on what each view adds to it; None: 1.
        smoothing: Of the labels; see `label_loss`.
    """
    terms = {
        "labels": label_loss(output.looks, batch.target.expand_as(output.looks), smoothing),
        "dense": dense_loss(output.relevance, batch.dense),
        "matte": matte_loss(emphasis, output, batch),
    }
    paired = batch.paired.bool()
    fuses = any(value for name, value in vars(weights).items() if name not in terms)
    if fuses and paired.any():
        terms |= fusion_terms(
            batch.shown_thermal[paired],
            batch.shown_visible[paired],
            output.fused[paired],
            batch.salient[paired],
            unguided[paired],
            batch.lone[paired].bool(),
            {name: factors[paired] for name, factors in (balance or {}).items()},
        )
    total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
    return total, {name: term.item() for name, term in terms.items()}


def fusion_terms(
    thermal: Tensor,
    visible: Tensor,
    fused: Tensor,
    salient: Tensor,
    unguided: Tensor,
    lone: Tensor,
    balance: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Fusion losses; every image (B, 1, H, W), 0..1; `unguided` and `lone` (B,) bool.

    Intensity and gradient against the pixelwise maximum of the sources are the core that nearly
    all neighbours share (SeAFusion, Tang et al., 2022, and after). What the entities decide is
    how their own pixels look: with guidance they stand out as the maximum of the sources, without
    they are blended to the average, so the network has to listen to the guidance. An edge that is
    steeper than all edges of both sources near it is spurious: a halo, or the grid of the cells in
    a flat sky. The same of the means of larger cells is a patch: the change from one source to the
    other shows where both are smooth, on a lit road or in a clear sky. Points that are alike in
    both sources are to be alike in the fused image, however far the next edge: see `halos`.

    The others are the metrics themselves, each with its form for the source that is represented
    worse, because the sums alone are maximised by copying one source; guided views of two
    sources only, and of these a random window: the metrics cost more than the network.
    """
    blended = salient * unguided.float().view(-1, 1, 1, 1)
    strongest = torch.maximum(thermal, visible)
    target = torch.lerp(strongest, 0.5 * (thermal + visible), blended)
    steepest = torch.maximum(_gradient(thermal), _gradient(visible))
    slope = _gradient(fused)
    around = F.max_pool2d(steepest, REACH, stride=1, padding=REACH // 2)
    distance = (fused - target).abs()
    clipped = fused.clamp(0.0, 1.0)
    terms = {
        "intensity": distance.mean() + (fused - clipped).abs().mean(),
        "entity_intensity": (salient * distance).sum() / salient.sum().clamp_min(1.0),
        "gradient": ((1.0 - blended) * (slope - steepest).abs()).mean(),
        "spurious": (slope - around).clamp_min(0.0).mean(),
        "patches": patches(thermal, visible, fused).mean(),
        "halos": halos(thermal, visible, fused).mean(),
    }
    judged = ~unguided & ~lone
    if not judged.any():
        return terms
    parts = _window(torch.cat([thermal, visible, clipped], 1)[judged])
    scores = score_pair(*(255.0 * part for part in parts.split(1, 1)))
    lost = {
        "ssim": 2.0 - scores.ssim,
        "ssim_min": 1.0 - scores.ssim_min,
        # VIF has no upper bound, and a gain in contrast alone raises it.
        "vif": -scores.vif.clamp_max(1.5),
        "vif_min": -scores.vif_min.clamp_max(0.7),
        "qabf": 1.0 - scores.qabf,
        "q_min": 1.0 - scores.q_min,
        "scd": 2.0 - scores.scd,
        "cc_min": 1.0 - scores.cc_min,
    }
    for name, factors in (balance or {}).items():
        lost[name] = lost[name] * factors[judged]
    return terms | {name: values.mean() for name, values in lost.items()}


def patches(thermal: Tensor, visible: Tensor, fused: Tensor) -> Tensor:
    """How much steeper the fused image is than both sources, between the means of larger cells.

    Args:
        thermal: (B, 1, H, W), 0..1; the others alike.
        visible: The other source.
        fused: Their fusion.

    Returns:
        (B,) mean over `PATCH_SIDES` of the excess over the steepest slope of a source among a
        cell and its eight neighbours; 0 is none.
    """
    excess = []
    for side in PATCH_SIDES:
        slope_t, slope_v, slope_f = (
            _gradient(F.avg_pool2d(image, side, ceil_mode=True, count_include_pad=False))
            for image in (thermal, visible, fused)
        )
        around = F.max_pool2d(torch.maximum(slope_t, slope_v), 3, stride=1, padding=1)
        excess.append((slope_f - around).clamp_min(0.0).mean((1, 2, 3)))
    return torch.stack(excess).mean(0)


def halos(thermal: Tensor, visible: Tensor, fused: Tensor) -> Tensor:
    """How much two points of the fused image differ that are alike in both sources.

    However steep the sources are near by, a sky that is even in both must not darken towards a
    hot roof: that is a halo. Two points may differ by as much as both sources do together.

    Args:
        thermal: (B, 1, H, W), 0..1; the others alike.
        visible: The other source.
        fused: Their fusion.

    Returns:
        (B,) mean over both axes, and over those of `HALO_DISTANCES` that the image is larger
        than, of the excess over the sum of both sources' differences; 0 is none.
    """
    excess = []
    for axis in (-2, -1):
        for distance in HALO_DISTANCES:
            rest = fused.shape[axis] - distance
            if rest <= 0:
                continue
            apart_t, apart_v, apart_f = (
                (image.narrow(axis, distance, rest) - image.narrow(axis, 0, rest)).abs()
                for image in (thermal, visible, fused)
            )
            excess.append((apart_f - apart_t - apart_v).clamp_min(0.0).mean((1, 2, 3)))
    return torch.stack(excess).mean(0)


def label_loss(logits: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
    """Binary cross entropy over the known entities; any shape, target -1 is unknown.

    `smoothing` s moves the targets from 0 and 1 to s/2 and 1 - s/2 against overconfidence
    (Szegedy et al., "Rethinking the Inception architecture", CVPR 2016, for two classes).
    """
    known = (target >= 0).float()
    smooth = target.clamp_min(0.0) * (1.0 - smoothing) + 0.5 * smoothing
    loss = F.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    return (loss * known).sum() / known.sum().clamp_min(1.0)


def dense_loss(relevance: Tensor, dense: Tensor) -> Tensor:
    """Focal binary cross entropy of each cell; (B, E, h, w), target -1 is unknown.

    Lin et al., "Focal loss for dense object detection", ICCV 2017, gamma 1: most cells are empty.
    """
    known = (dense >= 0).float()
    target = (dense > 0.12).float()
    loss = F.binary_cross_entropy_with_logits(relevance, target, reduction="none")
    wrong = (relevance.sigmoid() - target).abs().detach()
    balance = 1.0 + 4.0 * target
    return (balance * wrong * loss * known).sum() / (known * balance).sum().clamp_min(1.0) * 10.0


def matte_loss(emphasis: Emphasis, output: EGMTOutput, batch: Batch) -> Tensor:
    """Binary cross entropy of the pixels plus Dice loss, of one entity of each outlined view.

    The entity is drawn by chance from those that are there. Most pixels are not its own; the Dice
    loss (Milletari et al., "V-Net", 3DV 2016) does not mind. Views whose entities were drawn as
    boxes, or not at all, do not count. Only the emphasis learns from this loss.
    """
    there = (batch.dense.amax((2, 3)) > 0.0) & batch.outlined.bool().unsqueeze(1)
    views = there.any(1)
    if not views.any():
        return 0.0 * emphasis.matte.bias.sum()
    chosen = torch.multinomial(there[views].float(), 1).view(-1, 1, 1, 1)
    pick = chosen.expand(-1, 1, *batch.dense.shape[-2:])
    where = output.relevance[views].detach().sigmoid().gather(1, pick)
    logits = emphasis.matte_logits(output.fine[views].detach(), where)
    side = batch.salient.shape[-1] // pick.shape[-1]
    near = F.interpolate((batch.dense[views].gather(1, pick) > 0.0).float(), scale_factor=side)
    target = batch.salient[views] * near
    entropy = F.binary_cross_entropy_with_logits(logits, target)
    found = logits.sigmoid()
    both = (found * target).sum((1, 2, 3))
    dice = 1.0 - (2.0 * both + 1.0) / (found.sum((1, 2, 3)) + target.sum((1, 2, 3)) + 1.0)
    return entropy + dice.mean()


def _window(images: Tensor) -> Tensor:
    """Cut one random window of METRIC_WINDOW, or of what there is, from (B, C, H, W)."""
    for axis, size in zip((-2, -1), METRIC_WINDOW, strict=True):
        spare = images.shape[axis] - size
        if spare > 0:
            images = images.narrow(axis, int(torch.randint(spare + 1, ())), size)
    return images


def _gradient(image: Tensor) -> Tensor:
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([kernel, kernel.T]).unsqueeze(1).to(image)
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, kernels).abs().sum(1, keepdim=True) / 4.0

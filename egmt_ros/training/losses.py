"""Losses of the two tasks, fusion and multi-label classification."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from egmt_ros.evaluation.fusion.metrics import score_pair
from egmt_ros.model.network import EGMTOutput
from egmt_ros.training.augmentation import Batch
from egmt_ros.training.config import LossWeights

METRIC_WINDOW = (256, 320)
"""Rows and columns of the part of a view in which the metrics are computed."""

REACH = 5
"""Side of the neighbourhood in which an edge of the fused image must have its like, pixels."""


def total_loss(
    output: EGMTOutput,
    batch: Batch,
    weights: LossWeights,
    unguided: Tensor,
    balance: Mapping[str, Tensor] | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """Return the weighted loss of a batch and its terms, unweighted, for the log.

    Args:
        output: What the network returned.
        batch: What it was given.
        weights: Weights of the terms.
        unguided: (B,) bool, the views that were fused without entities.
        balance: Name of a metric's term -> (B,) factors on what each view adds to it; None: 1.
    """
    terms = {
        "labels": label_loss(output.logits, batch.target),
        "dense": dense_loss(output.relevance, batch.dense),
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
    a flat sky.

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


def label_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross entropy over the known entities; (B, E), target -1 is unknown."""
    known = (target >= 0).float()
    loss = F.binary_cross_entropy_with_logits(logits, target.clamp_min(0.0), reduction="none")
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

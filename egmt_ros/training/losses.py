"""Losses of the two tasks, fusion and multi-label classification."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from egmt_ros.evaluation.fusion.metrics import score_pair
from egmt_ros.model.network import EGMTOutput
from egmt_ros.training.augmentation import Batch
from egmt_ros.training.config import LossWeights


def total_loss(
    output: EGMTOutput,
    batch: Batch,
    weights: LossWeights,
    unguided: Tensor,
    more: dict[str, Tensor],
) -> tuple[Tensor, dict[str, float]]:
    """Return the weighted loss of a batch and its terms, unweighted, for the log.

    Args:
        output: What the network returned.
        batch: What it was given.
        weights: Weights of the terms.
        unguided: (B,) bool, the views that were fused without entities.
        more: Further terms, by the names of their weights.
    """
    terms = more | {
        "labels": label_loss(output.logits, batch.target),
        "dense": dense_loss(output.relevance, batch.dense),
    }
    paired = batch.paired.bool()
    if paired.any():
        terms |= fusion_terms(
            batch.thermal[paired],
            batch.visible[paired, :1],
            output.fused[paired],
            batch.salient[paired],
            unguided[paired],
        )
    total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
    return total, {name: term.item() for name, term in terms.items()}


def fusion_terms(
    thermal: Tensor,
    visible: Tensor,
    fused: Tensor,
    salient: Tensor,
    unguided: Tensor,
) -> dict[str, Tensor]:
    """Fusion losses; every image (B, 1, H, W), 0..1; `unguided` (B,) bool.

    Intensity and gradient against the pixelwise maximum of the sources are the core that nearly
    all neighbours share (SeAFusion, Tang et al., 2022, and after). What the entities decide is
    how their own pixels look: with guidance they stand out as the maximum of the sources, without
    they are blended to the average, so the network has to listen to the guidance.

    The others are the metrics themselves, each with its form for the source that is represented
    worse, because the sums alone are maximised by copying one source; guided views only.
    """
    blended = salient * unguided.float().view(-1, 1, 1, 1)
    strongest = torch.maximum(thermal, visible)
    target = torch.lerp(strongest, 0.5 * (thermal + visible), blended)
    steepest = torch.maximum(_gradient(thermal), _gradient(visible))
    distance = (fused - target).abs()
    clipped = fused.clamp(0.0, 1.0)
    terms = {
        "intensity": distance.mean() + (fused - clipped).abs().mean(),
        "entity_intensity": (salient * distance).sum() / salient.sum().clamp_min(1.0),
        "gradient": ((1.0 - blended) * (_gradient(fused) - steepest).abs()).mean(),
    }
    guided = ~unguided
    if not guided.any():
        return terms
    scores = score_pair(*(255.0 * image[guided] for image in (thermal, visible, clipped)))
    return terms | {
        "ssim": 2.0 - scores.ssim.mean(),
        "ssim_min": 1.0 - scores.ssim_min.mean(),
        # VIF has no upper bound, and a gain in contrast alone raises it.
        "vif": -scores.vif.clamp_max(1.5).mean(),
        "vif_min": -scores.vif_min.clamp_max(0.7).mean(),
        "qabf": 1.0 - scores.qabf.mean(),
        "q_min": 1.0 - scores.q_min.mean(),
        "scd": 2.0 - scores.scd.mean(),
        "cc_min": 1.0 - scores.cc_min.mean(),
    }


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


def _gradient(image: Tensor) -> Tensor:
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([kernel, kernel.T]).unsqueeze(1).to(image)
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, kernels).abs().sum(1, keepdim=True) / 4.0

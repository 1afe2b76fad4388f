"""Losses: what they ask of images, labels and places, on made-up ones."""

from __future__ import annotations

import pytest
import torch

from egmt_ros.resources import config_path
from egmt_ros.training.config import load_training_config
from egmt_ros.training.losses import dense_loss, fusion_terms, halos, label_loss, patches


def test_unknown_labels_have_no_part_in_the_losses() -> None:
    logits = torch.zeros(1, 2, requires_grad=True)
    label_loss(logits, torch.tensor([[1.0, -1.0]])).backward()
    assert logits.grad[0, 0] < 0 and logits.grad[0, 1] == 0
    relevance = torch.zeros(1, 2, 2, 2, requires_grad=True)
    dense = torch.zeros(1, 2, 2, 2)
    dense[0, 1] = -1
    dense_loss(relevance, dense).backward()
    assert (relevance.grad[0, 0] > 0).all() and (relevance.grad[0, 1] == 0).all()
    assert label_loss(logits, torch.full((1, 2), -1.0)) == 0


def test_fusion_loss_prefers_both_sources_to_a_copy_of_one() -> None:
    rng = torch.Generator().manual_seed(3)
    smooth = torch.nn.functional.avg_pool2d
    thermal = smooth(torch.rand(1, 1, 136, 136, generator=rng), 9, 1).mul(4).sub(1.5).clamp(0, 1)
    visible = smooth(torch.rand(1, 1, 136, 136, generator=rng), 9, 1).mul(4).sub(1.5).clamp(0, 1)
    salient = torch.zeros_like(thermal)
    weights = load_training_config(config_path("training.yaml")).loss

    def loss(fused: torch.Tensor) -> float:
        no = torch.tensor([False])
        terms = fusion_terms(thermal, visible, fused, salient, no, no)
        return sum(getattr(weights, name) * float(term) for name, term in terms.items())

    both = loss(torch.maximum(thermal, visible))
    assert both < loss(thermal) and both < loss(visible)


def test_guidance_decides_how_the_pixels_of_an_entity_are_to_look() -> None:
    thermal, visible = torch.full((2, 1, 136, 136), 0.9), torch.full((2, 1, 136, 136), 0.1)
    salient = torch.zeros_like(thermal)
    salient[..., 40:90, 40:90] = 1.0
    outstanding = torch.full_like(thermal, 0.9)
    blended = torch.lerp(outstanding, torch.full_like(thermal, 0.5), salient)
    for unguided, best, other in ((False, outstanding, blended), (True, blended, outstanding)):
        chosen = torch.tensor([unguided, unguided])
        loss = [
            fusion_terms(thermal, visible, fused, salient, chosen, ~chosen & chosen)[
                "entity_intensity"
            ].item()
            for fused in (best, other)
        ]
        assert loss[0] == pytest.approx(0.0, abs=1e-6) and loss[1] > 0.1


def test_an_edge_that_no_source_has_is_spurious() -> None:
    thermal, visible = torch.full((1, 1, 136, 136), 0.2), torch.full((1, 1, 136, 136), 0.8)
    visible[..., 40:90, 40:90] = 0.1
    nothing, flag = torch.zeros_like(thermal), torch.zeros(1, dtype=torch.bool)

    def spurious(fused: torch.Tensor) -> float:
        return fusion_terms(thermal, visible, fused, nothing, flag, flag)["spurious"].item()

    strongest = torch.maximum(thermal, visible)
    assert spurious(strongest) == 0.0
    assert spurious(0.5 * (thermal + visible)) == 0.0
    assert spurious(0.9 - strongest) < 1e-6  # as steep as a source, whichever way
    grid = torch.zeros_like(thermal)
    grid[..., ::4, :] = 0.02
    assert spurious(strongest + grid) > 1e-3
    halo = torch.zeros_like(thermal)
    halo[..., 30:100, 30:100] = 0.1
    assert spurious(strongest - halo) > 1e-3


def test_a_smooth_patch_that_no_source_has_is_noticed() -> None:
    """The sources are a smooth sky and a black one; the fusion must choose, not wander."""
    visible = torch.linspace(0.7, 0.8, 160).expand(1, 1, 128, 160).contiguous()
    thermal = torch.zeros_like(visible)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 128), torch.linspace(-1, 1, 160), indexing="ij")
    patch = 0.3 * torch.exp(-6.0 * (x.square() + y.square()))
    steepest = max(patch.diff(dim=0).abs().max(), patch.diff(dim=1).abs().max())
    assert steepest < 0.013  # from pixel to pixel nothing to see

    for even in (visible, thermal, torch.maximum(thermal, visible), 0.5 * (thermal + visible)):
        assert patches(thermal, visible, even).item() < 1e-6
    dark = patches(thermal, visible, visible - patch)
    assert dark.shape == (1,) and dark.item() > 0.02
    shown = patches(patch + thermal, visible, visible - patch).item()
    assert shown < 0.1 * dark.item()  # a source has it
    assert patches(*(image[..., :70, :90] for image in (thermal, visible, visible))).item() < 1e-6


def test_a_halo_around_what_a_source_shows_is_noticed() -> None:
    """A hot roof in a sky that is white in one source and black in the other."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 128), torch.linspace(-1, 1, 160), indexing="ij")
    distance = (x.square() + y.square()).sqrt().expand(1, 1, -1, -1)
    visible = torch.full_like(distance, 0.95)
    thermal = (distance < 0.2).float()
    halo = 0.3 * torch.exp(-4.0 * (distance - 0.2).clamp_min(0.0)) * (1.0 - thermal)

    for clean in (visible, thermal, 0.3 * thermal + 0.7 * visible, 0.3 + 0.6 * thermal):
        assert halos(thermal, visible, clean).item() < 1e-6
    seen = halos(thermal, visible, visible - halo)
    assert seen.shape == (1,) and seen.item() > 0.01
    assert halos(thermal + halo, visible, visible - halo).item() < 1e-6  # a source has it
    corner = (image[..., :20, :20] for image in (thermal, visible, visible))
    assert halos(*corner).item() == 0.0  # smaller than the largest distance


def test_smoothing_asks_for_less_than_certainty() -> None:
    target = torch.tensor([[1.0, 0.0, -1.0]])
    sure, wise = torch.tensor([[9.0, -9.0, 9.0]]), torch.tensor([[2.2, -2.2, -9.0]])
    assert label_loss(sure, target) < label_loss(wise, target)
    assert label_loss(sure, target, 0.2) > label_loss(wise, target, 0.2)
    logits = torch.zeros(1, 3, requires_grad=True)
    label_loss(logits, target, 1.0).backward()  # everything uncertain: 0.5 is right
    assert (logits.grad == 0).all()

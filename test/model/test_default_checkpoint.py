"""The default checkpoint: size, cost, guidance by the entities, quality."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from egmt_ros.evaluation.fusion.classical import mean
from egmt_ros.evaluation.fusion.metrics import PairScores, score_pair
from egmt_ros.evaluation.scene import StreetScene
from egmt_ros.model.checkpoint import CheckpointInfo, load_checkpoint
from egmt_ros.model.cost import count_gmac
from egmt_ros.model.network import EGMT
from egmt_ros.resources import weights_path


@pytest.fixture(scope="module")
def checkpoint() -> tuple[EGMT, CheckpointInfo]:
    return load_checkpoint(weights_path())


@pytest.fixture(scope="module")
def night() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thermal and visible (BGR) image of people in the dark, and the mask of their warm pixels."""
    scene = StreetScene(seed=0, width=640, height=480, time_of_day="night")
    thermal, visible = scene.render_thermal(5.0), scene.render_visible(5.0)
    people = np.zeros(thermal.shape, bool)
    for box in scene.annotations(5.0).boxes:
        if box.name == "person":
            people[box.y : box.y + box.height, box.x : box.x + box.width] = True
    people &= thermal > 120
    assert people.sum() > 1000
    return thermal, visible, people


def tensors(thermal: np.ndarray, visible: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    ycrcb = cv2.cvtColor(visible, cv2.COLOR_BGR2YCrCb)
    return (
        torch.from_numpy(thermal)[None, None] / 255.0,
        torch.from_numpy(ycrcb).permute(2, 0, 1)[None] / 255.0,
    )


def luminance(fused: torch.Tensor) -> np.ndarray:
    return (255.0 * fused[0, 0].clamp(0, 1)).round().numpy()


def test_size_and_cost(checkpoint: tuple[EGMT, CheckpointInfo]) -> None:
    network, info = checkpoint
    assert weights_path().stat().st_size <= 20e6
    assert count_gmac(network, 640, 480) <= 2.0
    assert len(info.names) >= 20
    assert {"person", "car"} <= set(info.localised) < set(info.names)


@pytest.mark.parametrize("change", ["zeroed", "shuffled", "scrambled"])
def test_other_embeddings_change_image_and_scores(
    checkpoint: tuple[EGMT, CheckpointInfo],
    night: tuple[np.ndarray, np.ndarray, np.ndarray],
    change: str,
) -> None:
    """Zeroed, given to each other's entities, or with their 384 numbers in another order."""
    network, info = checkpoint
    images = tensors(*night[:2])
    own, generator = network.embeddings, torch.Generator().manual_seed(0)
    order = torch.randperm(len(info.names), generator=generator)
    other = {
        "zeroed": torch.zeros_like(own),
        "shuffled": own[order],
        "scrambled": own[:, torch.randperm(own.shape[1], generator=generator)],
    }[change]
    with torch.inference_mode():
        plain = network(*images)
        changed = network(*images, embeddings=other)
    levels = np.abs(luminance(plain.fused) - luminance(changed.fused))
    assert levels.mean() > LEAST_LEVELS[change]
    moved = (plain.logits.sigmoid() - changed.logits.sigmoid()).abs()
    assert moved.mean() > 0.05 and moved.max() > 0.3
    if change == "shuffled":  # the evidence goes with the embedding, the prior stays
        evidence = plain.logits - network.prior
        torch.testing.assert_close(
            changed.logits - network.prior, evidence[:, order], atol=1e-3, rtol=1e-3
        )


LEAST_LEVELS = {"zeroed": 0.5, "shuffled": 0.05, "scrambled": 0.5}
"""Mean change of the fused image, whole grey levels."""


def test_entities_make_people_stand_out(
    checkpoint: tuple[EGMT, CheckpointInfo], night: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    """With the entities out of the guidance, people are blended instead of standing out."""
    network, info = checkpoint
    thermal, visible, people = night
    images = tensors(thermal, visible)
    with torch.inference_mode():
        guided = luminance(network(*images).fused)
        alone = luminance(network(*images, entity_weights=torch.zeros(len(info.names))).fused)
    assert guided[people].mean() - alone[people].mean() > 10


def test_fused_image_keeps_more_of_both_than_their_average(
    checkpoint: tuple[EGMT, CheckpointInfo], night: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    thermal, visible, _ = night
    grey = cv2.cvtColor(visible, cv2.COLOR_BGR2GRAY)
    images = tensors(thermal, visible)
    with torch.inference_mode():
        fused = luminance(checkpoint[0](*images).fused)

    def scores(image: np.ndarray) -> PairScores:
        stack = [np.asarray(i, np.float32) for i in (thermal, grey, image)]
        return score_pair(*(torch.from_numpy(i)[None, None] for i in stack))

    ours, average = scores(fused), scores(mean(thermal, grey))
    for metric in ("vif", "vif_min", "qabf", "q_min", "scd"):
        assert getattr(ours, metric) > getattr(average, metric), metric

"""Emphasis: neutral by default, only the entity's pixels, in the right direction."""

from __future__ import annotations

import pytest
import torch

from egmt_ros.model.config import EGMTConfig
from egmt_ros.model.emphasis import Emphasis
from egmt_ros.model.network import EGMT

GROUND, CELLS = 0.4, (6, 8)
HEIGHT, WIDTH = 16 * CELLS[0], 16 * CELLS[1]


class KnownMatte(Emphasis):
    """Emphasis that knows which pixels are the figure's."""

    def __init__(self, figure: torch.Tensor) -> None:
        super().__init__(4)
        self.figure = figure

    def matte_logits(self, fine: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        return 40.0 * self.figure - 20.0


@pytest.fixture
def figure() -> torch.Tensor:
    """A standing figure in the middle, (1, 1, H, W)."""
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[..., 32:64, 56:72] = 1.0
    return mask


def emphasised(figure: torch.Tensor, fused: torch.Tensor, demand: float) -> torch.Tensor:
    """The figure is warm; the average of the sources is 0.5 everywhere."""
    cells = torch.full((1, 1, *CELLS), demand)
    thermal = 0.2 + 0.6 * figure
    sources = thermal, 1.0 - thermal
    fine = torch.zeros(1, 4, HEIGHT // 4, WIDTH // 4)
    return KnownMatte(figure)(fused, sources, fine, cells, cells)


@pytest.mark.parametrize("shade", [0.8, 0.1])
def test_a_demand_moves_the_figure_away_from_its_surroundings(
    figure: torch.Tensor, shade: float
) -> None:
    fused = GROUND + (shade - GROUND) * figure
    assert torch.equal(emphasised(figure, fused, 0.0), fused)
    inside, outside = figure.bool(), ~figure.bool()
    before = abs(shade - GROUND)
    for demand in (0.5, 1.0, 3.0):
        found = emphasised(figure, fused, demand)
        torch.testing.assert_close(found[outside], fused[outside], atol=1e-4, rtol=0)
        contrast = (found[inside].mean() - GROUND) * (1 if shade > GROUND else -1)
        assert contrast > before + 0.005
        before = contrast.item()
        assert 0.0 <= found.min() and found.max() <= 1.0


def test_a_negative_demand_goes_back_to_the_average_of_the_sources(figure: torch.Tensor) -> None:
    fused = GROUND + 0.4 * figure
    inside = -torch.nn.functional.max_pool2d(-figure, 7, 1, 3) > 0  # not its edge
    half, none = (emphasised(figure, fused, demand)[inside] for demand in (-0.5, -1.0))
    torch.testing.assert_close(half, torch.full_like(half, 0.65), atol=1e-3, rtol=0)
    torch.testing.assert_close(none, torch.full_like(none, 0.5), atol=1e-3, rtol=0)
    torch.testing.assert_close(emphasised(figure, fused, -7.0)[inside], none)


def test_a_figure_without_contrast_is_left_alone(figure: torch.Tensor) -> None:
    """Nobody could say whether it should become white or black."""
    fused = torch.full_like(figure, GROUND)
    torch.testing.assert_close(emphasised(figure, fused, 3.0), fused, atol=1e-3, rtol=0)


@pytest.fixture
def network() -> EGMT:
    torch.manual_seed(0)
    config = EGMTConfig(backbone_multiplier=0.25, text_width=8)
    network = EGMT(config, torch.randn(3, 8)).eval()
    with torch.no_grad():
        network.emphasis.matte.bias.fill_(9.0)  # every pixel is the entity's
    return network


def emphasise(network: EGMT, images: tuple[torch.Tensor, ...], weights: torch.Tensor):
    thermal, visible = images
    output = network(*images, entity_weights=weights)
    return output.fused, network.emphasise(output, (thermal, visible[:, :1]), weights)


def test_neutral_weights_change_nothing_to_the_bit(network: EGMT) -> None:
    images = torch.rand(2, 1, 72, 90), torch.rand(2, 3, 72, 90)
    with torch.inference_mode():
        guided, found = emphasise(network, images, torch.ones(3))
        assert torch.equal(found, guided)
        torch.testing.assert_close(guided, network(*images).fused)
        guided, found = emphasise(network, images, torch.tensor([4.0, 1.0, 1.0]))
    assert found.shape == guided.shape and not torch.equal(found, guided)


def test_each_frame_of_a_batch_has_its_own_weights(network: EGMT) -> None:
    images = torch.rand(2, 1, 64, 80), torch.rand(2, 3, 64, 80)
    weights = torch.tensor([[1.0, 1.0, 1.0], [1.0, 4.0, 0.0]])
    with torch.inference_mode():
        guided, both = emphasise(network, images, weights)
        _, second = emphasise(network, tuple(i[1:] for i in images), weights[1])
    assert torch.equal(both[0], guided[0])
    torch.testing.assert_close(both[1:], second, atol=1e-5, rtol=1e-5)
    assert not torch.equal(both[1], guided[1])


def test_large_images_are_emphasised_where_their_tokens_are(network: EGMT) -> None:
    """Beyond the token budget a token covers several coarse cells."""
    images = torch.rand(1, 1, 656, 720), torch.rand(1, 3, 656, 720)
    with torch.inference_mode():
        guided, found = emphasise(network, images, torch.tensor([4.0, 1.0, 1.0]))
    assert found.shape == guided.shape and not torch.equal(found, guided)

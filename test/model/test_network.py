"""The network: sizes, budgets, cost, gradients of both tasks."""

from __future__ import annotations

import pytest
import torch

from egmt_ros.errors import ConfigError
from egmt_ros.model.blocks import fold_batch_norms
from egmt_ros.model.config import EGMTConfig
from egmt_ros.model.cost import count_gmac
from egmt_ros.model.interaction import pool_factor
from egmt_ros.model.label_head import RunningScale
from egmt_ros.model.network import EGMT

SMALL = EGMTConfig(
    widths=(8, 12, 16), depths=(1, 1, 1), decoder_width=8, attention_width=16, text_width=12
)


def pair(height: int, width: int, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    thermal = torch.rand(batch, 1, height, width, generator=generator)
    return thermal, torch.rand(batch, 3, height, width, generator=generator)


@pytest.fixture
def network() -> EGMT:
    torch.manual_seed(0)
    return EGMT(SMALL, torch.randn(5, 12)).eval()


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (71, 64), (480, 640), (333, 501)])
def test_any_size_from_64_up(network: EGMT, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        output = network(*pair(*size))
    assert output.fused.shape == (1, 1, *size)
    assert output.logits.shape == (1, 5)
    assert torch.isfinite(output.fused).all()
    sums = output.attention.flatten(2).sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums))


@pytest.mark.parametrize("size", [(480, 640), (720, 1280), (1080, 1920)])
def test_entity_attention_keeps_to_its_budget(network: EGMT, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        rows, cols = network(*pair(*size)).attention.shape[-2:]
    assert rows * cols <= SMALL.token_budget
    assert rows * cols > SMALL.token_budget / 5


def test_pool_factor_is_the_smallest_that_fits() -> None:
    assert pool_factor(30, 40, 1200) == 1
    assert pool_factor(30, 40, 1199) == 2
    assert pool_factor(68, 120, 1200) == 3


def test_default_network_costs_at_most_2_gmac_and_grows_with_the_pixels() -> None:
    network = EGMT(EGMTConfig(), torch.randn(25, 384)).eval()
    vga, qvga = count_gmac(network, 640, 480), count_gmac(network, 320, 240)
    assert 0.5 < vga <= 2.0
    assert vga / qvga == pytest.approx(4.0, rel=0.1)


def test_padding_does_not_reach_the_image(network: EGMT) -> None:
    """An odd size is fused as the same pixels padded by repetition would be."""
    thermal, visible = pair(75, 90)
    repeat = torch.nn.functional.pad
    with torch.inference_mode():
        odd = network(thermal, visible).fused
        padded = network(
            repeat(thermal, (0, 6, 0, 5), mode="replicate"),
            repeat(visible, (0, 6, 0, 5), mode="replicate"),
        ).fused
    torch.testing.assert_close(odd, padded[..., :75, :90])


def test_folding_batch_norms_changes_nothing(network: EGMT) -> None:
    network.train()
    network(*pair(64, 96, batch=3))  # gives the norms statistics of their own
    network.eval()
    with torch.inference_mode():
        before = network(*pair(80, 96))
        after = fold_batch_norms(network)(*pair(80, 96))
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    torch.testing.assert_close(after.fused, before.fused, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after.logits, before.logits, atol=1e-4, rtol=1e-4)


def test_both_tasks_train_the_encoders(network: EGMT) -> None:
    weight = network.thermal_encoder.backbone.stem.conv.weight
    output = network(*pair(64, 64))
    for task in (output.fused.mean(), output.logits.mean()):
        (gradient,) = torch.autograd.grad(task, weight, retain_graph=True)
        assert gradient.abs().max() > 0


def test_the_visible_image_reaches_the_thermal_tokens(network: EGMT) -> None:
    """Inter-visual attention: what one modality shows changes what the other one says."""
    thermal, visible = pair(64, 64)
    other = visible.roll(32, dims=-1)
    coarse_t = network.thermal_encoder(thermal).coarse

    def ask(image: torch.Tensor) -> torch.Tensor:
        return network.thermal_asks(
            coarse_t, network.visible_encoder(image[:, :1], image[:, 1:]).coarse
        )

    assert not torch.allclose(ask(visible), ask(other * 0.2))


def test_entity_weights_steer_the_fusion_but_not_the_scores(network: EGMT) -> None:
    images = pair(64, 96)
    with torch.inference_mode():
        plain = network(*images)
        none = network(*images, entity_weights=torch.zeros(5))
        same = network(*images, entity_weights=torch.ones(5))
    torch.testing.assert_close(plain.fused, same.fused)
    torch.testing.assert_close(plain.logits, none.logits)
    assert (plain.fused - none.fused).abs().max() > 1e-6


def test_running_scale_forgets_units_and_is_frozen_at_run_time() -> None:
    scale = RunningScale(3)
    unit = torch.tensor([1.0, 100.0, 0.01])
    torch.manual_seed(0)
    for _ in range(400):
        scale(torch.randn(4, 3) * unit + 5.0 * unit)
    scale.eval()
    before = {name: value.clone() for name, value in scale.state_dict().items()}
    seen = scale(torch.randn(2000, 3) * unit + 5.0 * unit)
    # The variance has a floor, so that a constant feature stays small.
    assert seen[:, :2].mean(0).abs().max() < 0.2 and (seen[:, :2].std(0) - 1.0).abs().max() < 0.2
    assert seen[:, 2].abs().max() < 5.0
    assert all(torch.equal(before[name], value) for name, value in scale.state_dict().items())
    still = RunningScale(1).train()
    assert torch.isfinite(torch.stack([still(torch.full((3, 1), 7.0)) for _ in range(9)])).all()


@pytest.mark.parametrize(
    "values",
    [
        {"widths": [8, 8]},
        {"widths": [8, 8, 0]},
        {"attention_width": 15},
        {"token_budget": 0},
        {"colour": 3},
    ],
)
def test_impossible_configurations_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        EGMTConfig.from_dict(values)


def test_config_round_trip() -> None:
    assert EGMTConfig.from_dict(SMALL.to_dict()) == SMALL

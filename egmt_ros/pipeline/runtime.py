"""Run-time forms of the network: what executes it, for a pair that is checked and registered.

Chosen by name, see `make_runtime`:

* ``torch``: PyTorch, on the CPU or a CUDA device;
* ``openvino``: OpenVINO on the CPU, from the optional package `openvino`;
* ``cuda-graphs``: PyTorch on a CUDA device, each image size recorded once and replayed;
* ``auto``: openvino on a CPU where the package is there, otherwise torch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from egmt_ros.errors import ConfigError, MissingDependencyError
from egmt_ros.model.network import EGMT, EGMTOutput
from egmt_ros.pipeline.thermal import ThermalRange

RUNTIMES = ("auto", "torch", "openvino", "cuda-graphs")
PRECISIONS = ("float32", "bfloat16", "float16")
"""Of the products inside the network; inputs, outputs and the final mixing stay as they are."""

Announce = Callable[[str], None]
"""Told of what takes long, one line each."""


class RuntimeOutput(NamedTuple):
    """What a runtime returns, all of its own memory.

    Attributes:
        fused: (H, W) uint8 fused luminance.
        scores: (E,) float32 score of each entity, 0..1.
        attention: (E, h, w) float32 where each entity was seen; each map adds up to 1.
    """

    fused: np.ndarray
    scores: np.ndarray
    attention: np.ndarray


class Runtime(Protocol):
    """Executes the network. Deterministic; for one thread at a time.

    Attributes:
        name: One of `RUNTIMES` but "auto".
        precision: One of `PRECISIONS`.
        preparing_until: Of the last image size, see `SizeCache`; -inf where none is prepared for.
    """

    name: str
    precision: str
    preparing_until: float

    def run(
        self,
        thermal: np.ndarray,
        ycrcb: np.ndarray,
        limits: ThermalRange,
        entity_weights: np.ndarray | None = None,
    ) -> RuntimeOutput:
        """Fuse and label.

        Args:
            thermal: (H, W) uint8, uint16 or float32, finite.
            ycrcb: (H, W, 3) uint8 Y, Cr, Cb; grey: both chroma 128.
            limits: Thermal values that become 0 and 1.
            entity_weights: (E,) factors on the entities' part in the guidance and how much their
                pixels are to stand out, 0 or more; None stands for ones. A change needs no
                preparation; other weights than ones cost some milliseconds.

        Raises:
            EgmtError: The network cannot be executed at this size.
        """

    def with_entities(self, network: EGMT) -> Runtime:
        """Another runtime of this kind, for another thread if need be.

        Args:
            network: That of this runtime with other entities, from `shared_weights`; belongs to
                the other runtime afterwards.
        """

    def close(self) -> None:
        """Release the network's memory; the runtime cannot be used afterwards."""


class FrameNetwork(nn.Module):
    """The network between the pixels that come in and those that go out.

    Conversion and scaling are part of it, so that every runtime does them alike, and a compiling
    one together with the convolutions.
    """

    def __init__(self, network: EGMT) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, thermal: Tensor, ycrcb: Tensor, limits: Tensor, entity_weights: Tensor
    ) -> tuple[Tensor, ...]:
        """Fuse one pair.

        Args:
            thermal: (H, W) float32.
            ycrcb: (H, W, 3) uint8.
            limits: (2,) float32, see `limits_array`.
            entity_weights: (E,) float32.

        Returns:
            Fused luminance (H, W) uint8, scores (E,) and attention (E, h, w), float32; then what
            `emphasise` needs: (1, E, h, w) relevance and (1, C, H/4, W/4) finest features.
        """
        output = self.network(
            _normalised(thermal, limits),
            ycrcb.float().mul(1.0 / 255.0).permute(2, 0, 1)[None],
            entity_weights=entity_weights,
        )
        scores = output.logits[0].float().sigmoid()
        attention = output.attention[0].float()
        return _grey_levels(output.fused), scores, attention, output.relevance, output.fine

    def emphasise(
        self,
        thermal: Tensor,
        ycrcb: Tensor,
        limits: Tensor,
        entity_weights: Tensor,
        outputs: Sequence[Tensor],
    ) -> Tensor:
        """Let entities stand out in a pair that was fused; see `EGMT.emphasise`.

        Args:
            thermal, ycrcb, limits, entity_weights: As given to `forward`.
            outputs: What that returned.

        Returns:
            (H, W) uint8 fused luminance.
        """
        fused, scores, attention, relevance, fine = outputs
        luminance = ycrcb[..., 0].float()[None, None] / 255.0
        sources = _normalised(thermal, limits), luminance
        logits = scores.float().logit(eps=1e-6)[None]
        output = EGMTOutput(
            fused=fused.float()[None, None] / 255.0,
            logits=logits,
            attention=attention[None],
            relevance=relevance.float(),
            looks=logits[None],
            fine=fine.float(),
        )
        return _grey_levels(self.network.emphasise(output, sources, entity_weights))


def _normalised(thermal: Tensor, limits: Tensor) -> Tensor:
    """(1, 1, H, W), 0..1, of (H, W) thermal values."""
    return ((thermal - limits[0]) * limits[1]).clamp(0.0, 1.0)[None, None]


def _grey_levels(fused: Tensor) -> Tensor:
    """(H, W) uint8 of (1, 1, H, W), 0..1."""
    return (fused[0, 0].float() * 255.0).round().clamp(0.0, 255.0).to(torch.uint8)


def limits_array(limits: ThermalRange) -> np.ndarray:
    """(2,) float32: the value that becomes 0, and the factor on what lies above it."""
    return np.array([limits.low, 1.0 / (limits.high - limits.low)], np.float32)


def weights_array(entity_weights: np.ndarray | None, entities: int) -> np.ndarray:
    """(E,) float32 weights, ones for None.

    Raises:
        ConfigError: Another number of them, or one that is negative or not finite.
    """
    if entity_weights is None:
        return np.ones(entities, np.float32)
    weights = np.ascontiguousarray(entity_weights, np.float32)
    if weights.shape != (entities,) or not (np.isfinite(weights) & (weights >= 0)).all():
        raise ConfigError(
            f"entity weights are {weights!r:.80} of shape {weights.shape}; "
            f"expected {entities} finite numbers, 0 or more, one for each entity"
        )
    return weights


def make_runtime(
    name: str,
    network: EGMT,
    device: torch.device,
    precision: str = "float32",
    announce: Announce | None = None,
) -> Runtime:
    """Choose a runtime and give it the network.

    Args:
        name: One of `RUNTIMES`.
        network: In evaluation mode, batch norms folded; belongs to the runtime afterwards.
        device: Where it is to run.
        precision: One of `PRECISIONS`.
        announce: Called with a line when an image size has to be prepared, which can take a
            second or more; None writes it to the log of this module.

    Raises:
        ConfigError: Unknown name or precision, or one that the device cannot do.
        MissingDependencyError: "openvino" is asked for and not installed.
    """
    from egmt_ros.pipeline import runtime_openvino, runtime_torch

    if name not in RUNTIMES:
        raise ConfigError(f"model.runtime is {name!r}; expected one of {', '.join(RUNTIMES)}")
    if precision not in PRECISIONS:
        raise ConfigError(
            f"model.precision is {precision!r}; expected one of {', '.join(PRECISIONS)}"
        )
    if precision == "float16" and device.type != "cuda":
        raise ConfigError(
            f"model.precision is float16 on device {device}, which computes in float32 and "
            "bfloat16; choose one of these, or a CUDA device"
        )
    if name == "openvino" and device.type != "cpu":
        raise ConfigError(
            f"model.runtime is openvino on device {device}; it runs on the CPU: set "
            "model.device: cpu, or model.runtime: torch"
        )
    if name == "cuda-graphs" and device.type != "cuda":
        raise ConfigError(
            f"model.runtime is cuda-graphs on device {device}; it needs a CUDA device: set "
            "model.device: cuda:0, or model.runtime: auto"
        )
    announce = announce or logging.getLogger(__name__).info
    if name == "openvino" or (name == "auto" and device.type == "cpu"):
        try:
            return runtime_openvino.OpenVinoRuntime(network, precision, announce)
        except MissingDependencyError:
            if name == "openvino":
                raise
    if name == "cuda-graphs":
        return runtime_torch.CudaGraphRuntime(network, device, precision, announce)
    return runtime_torch.TorchRuntime(network, device, precision)


def available_runtimes(device: torch.device) -> tuple[str, ...]:
    """Names of the runtimes that work on a device of this machine."""
    from egmt_ros.pipeline.runtime_openvino import import_openvino

    if device.type == "cuda":
        return ("torch", "cuda-graphs")
    try:
        import_openvino()
    except MissingDependencyError:
        return ("torch",)
    return ("torch", "openvino")

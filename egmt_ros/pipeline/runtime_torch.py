"""PyTorch as the runtime: on the CPU, on a CUDA device, and there from recorded CUDA graphs."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from egmt_ros.errors import DeviceError
from egmt_ros.model.network import EGMT
from egmt_ros.pipeline.runtime import (
    Announce,
    FrameNetwork,
    RuntimeOutput,
    limits_array,
    weights_array,
)
from egmt_ros.pipeline.size_cache import SizeCache
from egmt_ros.pipeline.thermal import ThermalRange

WARM_UP_ROUNDS = 3
"""Before a graph is recorded: the libraries choose their kernels then, which cannot be recorded."""


class TorchRuntime:
    """Runs the network as it is, with weights in channels_last, the layout CPU kernels like."""

    name = "torch"
    preparing_until = -math.inf

    def __init__(self, network: EGMT, device: torch.device, precision: str = "float32") -> None:
        self.precision = precision
        self._device = device
        self._frame = FrameNetwork(network).eval().requires_grad_(False).to(device)
        self._frame.to(memory_format=torch.channels_last)
        self._entities = len(network.embeddings)

    def run(
        self,
        thermal: np.ndarray,
        ycrcb: np.ndarray,
        limits: ThermalRange,
        entity_weights: np.ndarray | None = None,
    ) -> RuntimeOutput:
        """See `Runtime.run`."""
        weights = weights_array(entity_weights, self._entities)
        if thermal.dtype == np.uint16:  # torch can do next to nothing with it
            thermal = thermal.astype(np.float32)
        arrays = (thermal, ycrcb, limits_array(limits), weights)
        inputs = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
        with torch.inference_mode():
            thermal, *others = (tensor.to(self._device) for tensor in inputs)
            on_device = (thermal.float(), *others)
            fused, scores, attention, *more = self._execute(*on_device)
            if (weights != 1.0).any():
                outputs = (fused, scores, attention, *more)
                fused = self._frame.emphasise(*on_device, outputs)
            # The first copy waits for the device.
            return RuntimeOutput(*(part.cpu().numpy() for part in (fused, scores, attention)))

    def with_entities(self, network: EGMT) -> TorchRuntime:
        """See `Runtime.with_entities`."""
        return TorchRuntime(network, self._device, self.precision)

    def close(self) -> None:
        """See `Runtime.close`."""
        del self._frame
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _execute(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self._forward(*inputs)

    def _forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        dtype = getattr(torch, self.precision)
        reduced = self.precision != "float32"
        with torch.autocast(self._device.type, dtype if reduced else None, enabled=reduced):
            return self._frame(*inputs)


class _Recording(NamedTuple):
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class CudaGraphRuntime(TorchRuntime):
    """Records the kernels of an image size at its first pair and replays them afterwards.

    For a network of many small kernels, whose launches would cost more than the kernels.
    """

    name = "cuda-graphs"

    def __init__(
        self, network: EGMT, device: torch.device, precision: str, announce: Announce
    ) -> None:
        super().__init__(network, device, precision)
        self._announce = announce
        self._recordings = SizeCache(self._record, announce)

    @property
    def preparing_until(self) -> float:
        """See `Runtime`."""
        return self._recordings.preparing_until

    def with_entities(self, network: EGMT) -> CudaGraphRuntime:
        """See `Runtime.with_entities`."""
        return CudaGraphRuntime(network, self._device, self.precision, self._announce)

    def close(self) -> None:
        """See `Runtime.close`."""
        self._recordings.clear()
        super().close()

    def _execute(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        height, width = inputs[0].shape
        recording = self._recordings.get(width, height)
        for target, source in zip(recording.inputs, inputs, strict=True):
            target.copy_(source)
        recording.graph.replay()
        return recording.outputs

    def _record(self, width: int, height: int) -> _Recording:
        inputs = tuple(
            torch.ones(shape, dtype=dtype, device=self._device)
            for shape, dtype in (
                ((height, width), torch.float32),
                ((height, width, 3), torch.uint8),
                ((2,), torch.float32),
                ((self._entities,), torch.float32),
            )
        )
        try:
            with torch.cuda.device(self._device):
                stream = torch.cuda.Stream()
                stream.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(stream):
                    for _ in range(WARM_UP_ROUNDS):
                        self._forward(*inputs)
                torch.cuda.current_stream().wait_stream(stream)
                graph = torch.cuda.CUDAGraph()
                # Another engine may use the device in its thread meanwhile.
                with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                    outputs = self._forward(*inputs)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise DeviceError(
                f"no CUDA graph of {width}x{height} can be recorded on {self._device} ({reason}); "
                "set model.runtime: torch"
            ) from error
        return _Recording(graph, inputs, outputs)

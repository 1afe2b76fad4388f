"""OpenVINO as the runtime, on the CPU: the network traced and compiled once for each image size.

The network's Python chooses padding and pooling by the size, so a trace holds for one size. It
serves every vocabulary; compiled is for one.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import warnings
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from egmt_ros.errors import EgmtError, MissingDependencyError
from egmt_ros.model.network import EGMT
from egmt_ros.pipeline.runtime import (
    Announce,
    FrameNetwork,
    RuntimeOutput,
    limits_array,
    weights_array,
)
from egmt_ros.pipeline.shared_weights import with_entities
from egmt_ros.pipeline.size_cache import SizeCache
from egmt_ros.pipeline.thermal import ThermalRange

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
_TELEMETRY = "openvino_telemetry"
_FIRST_OF_ENTITIES = 3
"""Inputs from this one on have a row or value for each entity: weights, embeddings, prior."""
_TRACING = threading.Lock()
"""PyTorch traces into a table of its own that all threads share."""


class _Compiled(NamedTuple):
    request: Any  # openvino.InferRequest
    model: Any  # openvino.CompiledModel, which the request needs


class OpenVinoRuntime:
    """Compiles the network for each image size at its first pair.

    The number of threads is PyTorch's at that time (`torch.set_num_threads`).

    Args:
        network: In evaluation mode, batch norms folded.
        precision: "float32" or "bfloat16".
        announce: Told before and after an image size is prepared.
        converted: Models of the same network with other entities; None makes them, unless the
            last ones were made of the same weights.

    Raises:
        MissingDependencyError: The package openvino is not installed.
    """

    name = "openvino"

    def __init__(
        self,
        network: EGMT,
        precision: str,
        announce: Announce,
        converted: _ConvertedNetwork | None = None,
    ) -> None:
        self.precision = precision
        self._announce = announce
        self._openvino = import_openvino()
        self._core = self._openvino.Core()
        self._entities = (network.embeddings.detach().numpy(), network.prior.detach().numpy())
        self._network = converted or _converted(network)
        self._compiled: SizeCache[_Compiled] = SizeCache(self._compile, announce)

    @property
    def preparing_until(self) -> float:
        """See `Runtime`."""
        return self._compiled.preparing_until

    def run(
        self,
        thermal: np.ndarray,
        ycrcb: np.ndarray,
        limits: ThermalRange,
        entity_weights: np.ndarray | None = None,
    ) -> RuntimeOutput:
        """See `Runtime.run`."""
        height, width = thermal.shape
        weights = weights_array(entity_weights, len(self._entities[0]))
        images = [
            np.ascontiguousarray(thermal, np.float32),
            np.ascontiguousarray(ycrcb),
            limits_array(limits),
            weights,
        ]
        inputs = [*images, *self._entities]
        request = self._compiled.get(width, height).request
        try:
            request.infer(inputs, share_inputs=True)
        except RuntimeError as error:
            raise EgmtError(
                f"OpenVINO cannot run the network at {width}x{height} ({_short(error)}); "
                "set model.runtime: torch"
            ) from error
        outputs = [request.get_output_tensor(i).data for i in range(len(request.output_tensors))]
        # The tensors are overwritten by the next pair.
        fused, scores, attention = (output.copy() for output in outputs[:3])
        if (weights != 1.0).any():
            fused = self._network.emphasise(images, outputs)
        return RuntimeOutput(fused, scores, attention)

    def with_entities(self, network: EGMT) -> OpenVinoRuntime:
        """See `Runtime.with_entities`. What was converted is shared, so that only compiling is
        left to do for a size that this one has prepared: a third of the time.
        """
        return OpenVinoRuntime(network, self.precision, self._announce, self._network)

    def close(self) -> None:
        """See `Runtime.close`."""
        self._compiled.clear()
        del self._network

    def _compile(self, width: int, height: int) -> _Compiled:
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            # Left to itself it computes in bfloat16 wherever the processor can.
            "INFERENCE_PRECISION_HINT": _HINTS[self.precision],
            # Pinned, two engines, or the node beside other programs, would queue at one core.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = self._core.compile_model(self._converted(width, height), "CPU", settings)
            return _Compiled(model.create_infer_request(), model)
        except RuntimeError as error:
            raise EgmtError(
                f"OpenVINO {self._openvino.__version__} cannot compile the network for "
                f"{width}x{height} ({_short(error)}); set model.runtime: torch"
            ) from error

    def _converted(self, width: int, height: int) -> Any:
        """The OpenVINO model of one size for this number of entities.

        The entities are inputs as well, but their number is fixed: kept open, it would cost a few
        per cent of the time of every pair.
        """
        model = self._network.model(width, height).clone()
        for parameter in model.get_parameters()[_FIRST_OF_ENTITIES:]:
            shape = parameter.get_partial_shape()
            shape[0] = len(self._entities[0])
            parameter.set_partial_shape(shape)
        model.validate_nodes_and_infer_types()
        return model


class _OpenNetwork(torch.nn.Module):
    """`FrameNetwork` with the entities as inputs: one trace serves every vocabulary."""

    def __init__(self, network: EGMT) -> None:
        super().__init__()
        # A network of its own, for its entities come and go with every call.
        network = with_entities(network, network.embeddings, network.prior)
        del network.embeddings, network.prior
        self.frame = FrameNetwork(network).eval().requires_grad_(False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """As `FrameNetwork`, with (E, text_width) embeddings and (E,) prior behind the inputs."""
        *images, embeddings, prior = inputs
        network = self.frame.network
        network.embeddings, network.prior = embeddings, prior
        try:
            return self.frame(*images)
        finally:
            del network.embeddings, network.prior


class _ConvertedNetwork:
    """OpenVINO models of a network, made once for each image size, for any number of entities.

    PyTorch never lets go of what it traced, so that a trace for each vocabulary would make the
    process grow by three times the weights each time. May be used by several threads.
    """

    def __init__(self, network: EGMT) -> None:
        self._openvino = import_openvino()
        self._network = _OpenNetwork(network)
        self._width = network.config.text_width
        self._models: SizeCache[Any] = SizeCache(self._convert, lambda line: None)

    def model(self, width: int, height: int) -> Any:
        """The model of a size, pixels; the number of entities is open."""
        with _TRACING:
            return self._models.get(width, height)

    def emphasise(self, images: list[np.ndarray], outputs: list[np.ndarray]) -> np.ndarray:
        """See `FrameNetwork.emphasise`; PyTorch does it, for it is seldom asked for."""
        given, found = ([torch.from_numpy(array) for array in part] for part in (images, outputs))
        with torch.inference_mode():
            return self._network.frame.emphasise(*given, found).numpy()

    def _convert(self, width: int, height: int) -> Any:
        """By the front end itself: `openvino.convert_model` does the same, but first infers types
        that are known here, which takes ten times as long.
        """
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        some = 3  # entities; not 1, which would be taken for a dimension to repeat
        example = (
            torch.zeros(height, width),
            torch.zeros(height, width, 3, dtype=torch.uint8),
            torch.tensor([0.0, 1.0]),
            torch.ones(some),
            torch.zeros(some, self._width),
            torch.zeros(some),
        )
        with torch.no_grad(), warnings.catch_warnings():
            # That the trace holds for one size only, which is meant; and that tracing is old.
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(self._network, example, check_trace=False)
        decoder = TorchScriptPythonDecoder(traced)  # a name, for it must outlive the conversion
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))
        types = {torch.float32: self._openvino.Type.f32, torch.uint8: self._openvino.Type.u8}
        for index, (parameter, tensor) in enumerate(
            zip(model.get_parameters(), example, strict=True)
        ):
            shape = list(tensor.shape)
            if index >= _FIRST_OF_ENTITIES:
                shape[0] = -1
            parameter.set_element_type(types[tensor.dtype])
            parameter.set_partial_shape(self._openvino.PartialShape(shape))
        model.validate_nodes_and_infer_types()
        return model


class _Kept:
    """The models converted last, for the next engine of the same weights."""

    lock = threading.Lock()
    fingerprint = ""
    network: _ConvertedNetwork | None = None


def _converted(network: EGMT) -> _ConvertedNetwork:
    """Models of a network: the last ones if they were made of the same weights, or new ones.

    A process that configures and cleans up again and again, or reloads the same weights, would
    otherwise grow by a trace each time (see `_ConvertedNetwork`).
    """
    digest = hashlib.sha256(repr(network.config).encode())
    for name, tensor in network.state_dict().items():
        if name not in ("embeddings", "prior"):  # the entities, which are inputs
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    fingerprint = digest.hexdigest()
    with _Kept.lock:
        if _Kept.network is None or _Kept.fingerprint != fingerprint:
            _Kept.fingerprint, _Kept.network = fingerprint, _ConvertedNetwork(network)
        return _Kept.network


def import_openvino() -> ModuleType:
    """The package openvino, without its telemetry: importing it would report to its makers.

    Raises:
        MissingDependencyError: It is not installed, or cannot be loaded on this machine.
    """
    silenced = "openvino" not in sys.modules and _TELEMETRY not in sys.modules
    if silenced:
        sys.modules[_TELEMETRY] = None  # looks uninstalled; openvino then does without
    try:
        import openvino
        import openvino.frontend.pytorch.ts_decoder  # also what _converted needs
    except ImportError as error:
        raise MissingDependencyError(
            f"model.runtime is openvino, but the package cannot be imported ({error}); run "
            "pip install openvino, or set model.runtime: torch (auto takes what is there)"
        ) from error
    finally:
        if silenced:
            del sys.modules[_TELEMETRY]
    return openvino


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[-300:]

"""OpenVINO as the runtime, on the CPU: the network traced and compiled once for each image size.

The network's Python chooses padding and pooling by the size, so a trace holds for one size.
"""

from __future__ import annotations

import sys
import warnings
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch

from egmt_ros.errors import EgmtError, MissingDependencyError
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

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
_TELEMETRY = "openvino_telemetry"


class _Compiled(NamedTuple):
    request: Any  # openvino.InferRequest
    model: Any  # openvino.CompiledModel, which the request needs


class OpenVinoRuntime:
    """Compiles the network for each image size at its first pair.

    The number of threads is PyTorch's at that time (`torch.set_num_threads`).

    Raises:
        MissingDependencyError: The package openvino is not installed.
    """

    name = "openvino"

    def __init__(self, network: EGMT, precision: str, announce: Announce) -> None:
        self.precision = precision
        self._openvino = import_openvino()
        self._core = self._openvino.Core()
        self._frame = FrameNetwork(network).eval().requires_grad_(False)
        self._entities = len(network.embeddings)
        self._compiled: SizeCache[_Compiled] = SizeCache(self._compile, announce)

    def run(
        self,
        thermal: np.ndarray,
        ycrcb: np.ndarray,
        limits: ThermalRange,
        entity_weights: np.ndarray | None = None,
    ) -> RuntimeOutput:
        """See `Runtime.run`."""
        height, width = thermal.shape
        inputs = [
            np.ascontiguousarray(thermal, np.float32),
            np.ascontiguousarray(ycrcb),
            limits_array(limits),
            weights_array(entity_weights, self._entities),
        ]
        request = self._compiled.get(width, height).request
        try:
            request.infer(inputs, share_inputs=True)
        except RuntimeError as error:
            raise EgmtError(
                f"OpenVINO cannot run the network at {width}x{height} ({_short(error)}); "
                "set model.runtime: torch"
            ) from error
        # The tensors are overwritten by the next pair.
        return RuntimeOutput(*(request.get_output_tensor(i).data.copy() for i in range(3)))

    def close(self) -> None:
        """See `Runtime.close`."""
        self._compiled.clear()
        del self._frame

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
        """The OpenVINO model of one size.

        By the front end itself: `openvino.convert_model` does the same, but first infers types
        that are known here, which takes ten times as long.
        """
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        example = (
            torch.zeros(height, width),
            torch.zeros(height, width, 3, dtype=torch.uint8),
            torch.tensor([0.0, 1.0]),
            torch.ones(self._entities),
        )
        with torch.no_grad(), warnings.catch_warnings():
            # That the trace holds for one size only, which is meant; and that tracing is old.
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(self._frame, example, check_trace=False)
        decoder = TorchScriptPythonDecoder(traced)  # a name, for it must outlive the conversion
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))
        types = {torch.float32: self._openvino.Type.f32, torch.uint8: self._openvino.Type.u8}
        for parameter, tensor in zip(model.get_parameters(), example, strict=True):
            parameter.set_element_type(types[tensor.dtype])
            parameter.set_partial_shape(self._openvino.PartialShape(list(tensor.shape)))
        model.validate_nodes_and_infer_types()
        return model


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

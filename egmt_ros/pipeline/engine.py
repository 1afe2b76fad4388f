"""The fusion engine: one registered pair in, one fused image and its entity labels out."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from egmt_ros.errors import ConfigError, EgmtError, InputError
from egmt_ros.model.blocks import fold_batch_norms
from egmt_ros.model.checkpoint import CheckpointInfo, load_checkpoint
from egmt_ros.model.interaction import pool_factor
from egmt_ros.model.network import COARSE_STRIDE, EGMT, MINIMUM_SIDE
from egmt_ros.pipeline.devices import resolve_device
from egmt_ros.pipeline.emphasis import emphasis_weights
from egmt_ros.pipeline.entity_bank import Entities, EntityBank
from egmt_ros.pipeline.regions import attention_region
from egmt_ros.pipeline.results import EntityLabel, FusionResult
from egmt_ros.pipeline.runtime import Announce, Runtime, make_runtime
from egmt_ros.pipeline.shared_weights import with_entities
from egmt_ros.pipeline.text_encoder import TextEncoder
from egmt_ros.pipeline.thermal import (
    FULL_SCALE_8_BIT,
    ThermalRange,
    ThermalRangeEstimator,
    reject_non_finite,
    shown_grey,
)
from egmt_ros.resources import weights_path

NEUTRAL_CHROMA = 128


class FusionEngine:
    """Runs EGMT on one pair after another. Stateless: a result depends on its pair alone.

    Not thread-safe: give each thread an engine of its own. Takes over the network that it is
    given and changes it for inference.

    Attributes:
        names: Entities of the vocabulary; `with_vocabulary` makes an engine with others.
        thresholds: Score from which each entity counts as present, 0..1.
        model_id: Name and short hash of the weights.
        vocabulary_hash: Hash of the vocabulary.
        text_encoder: Text encoder that made the vocabulary's embeddings.
        template: Text that it embedded, with `{}` for the name.
        device: Where the network runs, "cpu" or "cuda:N".
        runtime: What executes it, one of `egmt_ros.pipeline.runtime.RUNTIMES` but "auto".
        precision: Of the products inside the network, "float32", "bfloat16" or "float16".
    """

    def __init__(
        self,
        network: EGMT,
        info: CheckpointInfo,
        device: torch.device,
        runtime: str = "auto",
        precision: str = "float32",
        announce: Announce | None = None,
    ) -> None:
        self._bank = EntityBank(network, info)
        self._budget = network.config.token_budget
        self._localised = frozenset(info.localised)
        folded = fold_batch_norms(network.eval())
        made = make_runtime(runtime, folded, device, precision, announce)
        self._look_for(self._bank.stored, folded, made)
        self.model_id = info.model_id
        self.text_encoder = info.text_encoder
        self.template = info.template
        self.device = str(device)
        self.runtime = made.name
        self.precision = made.precision

    def _look_for(self, entities: Entities, network: EGMT, runtime: Runtime) -> None:
        """Take over a vocabulary, and the network and runtime that have it."""
        self._network: EGMT | None = network
        self._runtime = runtime
        self._frame_range = ThermalRangeEstimator("frame")
        self.names = entities.names
        self.thresholds = entities.thresholds
        self.vocabulary_hash = entities.vocabulary_hash

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        device: str = "auto",
        threads: int | None = None,
        runtime: str = "auto",
        precision: str = "float32",
        announce: Announce | None = None,
    ) -> FusionEngine:
        """Load a checkpoint.

        Args:
            weights: Path of a .safetensors file with its .json beside it; None or "" takes the
                default checkpoint.
            device: "auto", "cpu" or "cuda:N".
            threads: CPU threads of PyTorch in this process, which OpenVINO takes over; None
                leaves them as they are.
            runtime: "auto", "torch", "openvino" or "cuda-graphs"; see `egmt_ros.pipeline.runtime`.
            precision: "float32", "bfloat16" or "float16" (CUDA only).
            announce: Told in a line when an image size is new and the runtime has to prepare for
                it, which can take a second or more; None writes that to the log.

        Raises:
            CheckpointError: The checkpoint is missing, damaged, foreign or mismatched.
            DeviceError: The device is not there.
            ConfigError: `threads` is below 1; runtime or precision is unknown or does not suit
                the device.
            MissingDependencyError: OpenVINO is asked for and not installed.
        """
        chosen = resolve_device(device)
        if threads is not None:
            if threads < 1:
                raise ConfigError(f"threads is {threads}; expected at least 1")
            torch.set_num_threads(threads)
        path = Path(weights) if weights else weights_path()
        network, info = load_checkpoint(path)
        return cls(network, info, chosen, runtime, precision, announce)

    def with_vocabulary(
        self,
        names: Sequence[str],
        thresholds: Sequence[float] = (),
        encoder: TextEncoder | None = None,
    ) -> FusionEngine:
        """Make an engine of the same weights that looks for other entities.

        This engine stays as it is and can go on fusing in another thread meanwhile; close it when
        it is not needed any more. Both share the weights. A runtime that prepares for image sizes
        (openvino, cuda-graphs) does so anew: `warm_up` the new engine before its first pair.

        Entities of the checkpoint have their stored embeddings, priors, thresholds and regions,
        whatever vocabulary this engine has. Others, which the network was never trained for, get
        an embedding from `encoder`, the mean prior of the checkpoint's entities, the threshold
        `egmt_ros.pipeline.entity_bank.NEW_THRESHOLD`, and no regions.

        Args:
            names: Entities to look for, in the order of their indices, each once.
            thresholds: Score from which each counts as present, 0..1; empty: the stored ones.
            encoder: Embeds the names that the checkpoint lacks. Must be the text encoder, with
                the template, that made the checkpoint's embeddings.

        Raises:
            ConfigError: Names or thresholds cannot be used, or a name is not in the checkpoint
                and the encoder is missing, another one, or does not know it.
            EgmtError: The encoder cannot embed, or the engine is closed.
        """
        network, runtime = self._network, self._runtime
        if network is None:
            raise EgmtError("the engine is closed; load another one")
        entities = self._bank.choose(names, thresholds, encoder)
        network = with_entities(network, entities.embeddings, entities.prior)
        other = copy.copy(self)
        other._look_for(entities, network, runtime.with_entities(network))
        return other

    def emphasis(self, factors: Mapping[str, float]) -> np.ndarray:
        """Make the `entity_weights` of `fuse`.

        Args:
            factors: Entity -> how much it is to guide the fusion, 0 (not at all) to 4; those left
                out have 1, which is neutral.

        Returns:
            (E,) float32 in the order of `names`.

        Raises:
            ConfigError: An entity is not in the vocabulary, or a factor is out of range.
        """
        return emphasis_weights(self.names, factors)

    def fuse(
        self,
        thermal: np.ndarray,
        visible: np.ndarray,
        thermal_range: ThermalRange | None = None,
        entity_weights: np.ndarray | None = None,
    ) -> FusionResult:
        """Fuse a registered pair.

        Where one image is of one value everywhere (a lens cap, a dead camera), the fused
        luminance is that of the other image, unchanged; the labels are the network's.

        Args:
            thermal: (H, W) uint8, uint16 or float32.
            visible: (H, W, 3) uint8 BGR or (H, W) uint8, of the same size.
            thermal_range: Values that become black and white; None takes 0..255 for uint8 and
                this frame's own percentiles for the others.
            entity_weights: (E,) how much each entity guides the fusion, see `emphasis`; may
                change with every pair at no cost. None: all neutral.

        Raises:
            ConfigError: The weights are not E finite numbers from 0 up.
            InputError: Shape, type or size cannot be fused, or a thermal value is not finite.
        """
        start = time.perf_counter()
        _check(thermal, visible)
        height, width = thermal.shape
        if thermal_range is None:
            whole = thermal.dtype == np.uint8
            thermal_range = FULL_SCALE_8_BIT if whole else self._frame_range.update(thermal, 0)
        ycrcb = _to_ycrcb(visible)
        prepared = time.perf_counter()
        fused, scores, attention = self._runtime.run(thermal, ycrcb, thermal_range, entity_weights)
        alone = _only_picture(thermal, ycrcb, thermal_range)
        if alone is not None:
            fused = alone
        run = time.perf_counter()
        rows, cols = -(-height // COARSE_STRIDE), -(-width // COARSE_STRIDE)
        cell = COARSE_STRIDE * pool_factor(rows, cols, self._budget)
        labels = self._labels(scores, attention, cell, width, height)
        image = _with_chroma(fused, ycrcb) if visible.ndim == 3 else fused
        done = time.perf_counter()
        return FusionResult(
            image=image,
            scores={name: float(s) for name, s in zip(self.names, scores, strict=True)},
            labels=labels,
            attention=attention,
            attention_cell=cell,
            timings={
                "prepare": 1e3 * (prepared - start),
                "network": 1e3 * (run - prepared),
                "finish": 1e3 * (done - run),
            },
        )

    @property
    def preparing_until(self) -> float:
        """When it was, or ought to be, prepared for the size of its images, at the latest.

        Seconds of time.monotonic(), -inf for never; from any thread.
        """
        return self._runtime.preparing_until

    def warm_up(self, width: int = 640, height: int = 480, rounds: int = 3) -> float:
        """Fuse a few frames of noise; return the milliseconds of the last one.

        Afterwards the runtime is prepared for this size.
        """
        rng = np.random.default_rng(0)
        thermal = rng.integers(0, 256, (height, width), np.uint8)
        visible = rng.integers(0, 256, (height, width, 3), np.uint8)
        took = 0.0
        for _ in range(rounds):
            took = sum(self.fuse(thermal, visible).timings.values())
        return took

    def close(self) -> None:
        """Release the network's memory; the engine cannot be used afterwards."""
        self._runtime.close()
        self._network = None

    def _labels(
        self,
        scores: np.ndarray,
        attention: np.ndarray,
        cell: int,
        width: int,
        height: int,
    ) -> tuple[EntityLabel, ...]:
        labels = []
        for index in np.argsort(-scores, kind="stable"):
            present = bool(scores[index] >= self.thresholds[index])
            region, mass = None, 0.0
            if present and self.names[index] in self._localised:
                region, mass = attention_region(attention[index], cell, width, height)
            labels.append(
                EntityLabel(
                    index=int(index),
                    name=self.names[index],
                    score=float(scores[index]),
                    present=present,
                    region=region,
                    region_mass=mass,
                    thermal_share=math.nan,
                )
            )
        return tuple(labels)


def _check(thermal: np.ndarray, visible: np.ndarray) -> None:
    if thermal.ndim != 2 or thermal.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(
            f"thermal image is {thermal.shape} {thermal.dtype}; "
            "expected (H, W) uint8, uint16 or float32",
            reason="thermal_type",
        )
    grey_or_colour = visible.ndim == 2 or (visible.ndim == 3 and visible.shape[2] == 3)
    if not grey_or_colour or visible.dtype != np.uint8:
        raise InputError(
            f"visible image is {visible.shape} {visible.dtype}; "
            "expected (H, W, 3) uint8 in the order B, G, R, or (H, W) uint8",
            reason="visible_type",
        )
    if thermal.shape != visible.shape[:2]:
        raise InputError(
            f"thermal image is {thermal.shape[1]}x{thermal.shape[0]} and visible image "
            f"{visible.shape[1]}x{visible.shape[0]}; expected a registered pair of equal size: "
            "set registration.mode to scale, or resize one of them",
            reason="size_mismatch",
        )
    if min(thermal.shape) < MINIMUM_SIDE:
        raise InputError(
            f"images are {thermal.shape[1]}x{thermal.shape[0]}; "
            f"expected at least {MINIMUM_SIDE} pixels each way: enlarge them",
            reason="too_small",
        )
    reject_non_finite(thermal)


def _to_ycrcb(visible: np.ndarray) -> np.ndarray:
    if visible.ndim == 3:
        return cv2.cvtColor(visible, cv2.COLOR_BGR2YCrCb)
    neutral = np.full_like(visible, NEUTRAL_CHROMA)
    return cv2.merge([np.ascontiguousarray(visible), neutral, neutral])


def _only_picture(
    thermal: np.ndarray, ycrcb: np.ndarray, limits: ThermalRange
) -> np.ndarray | None:
    """(H, W) uint8 luminance of the one image that shows anything; None if both or neither do."""
    luminance = cv2.extractChannel(ycrcb, 0)
    flat_thermal, flat_visible = _flat(thermal), _flat(luminance)
    if flat_thermal == flat_visible:
        return None
    if flat_thermal:
        return luminance
    return shown_grey(thermal, limits)


def _flat(image: np.ndarray) -> bool:
    if image[0, 0] != image[image.shape[0] // 2, image.shape[1] // 2]:
        return False  # nearly always, and costs nothing
    low, high, *_ = cv2.minMaxLoc(np.ascontiguousarray(image))
    return low == high


def _with_chroma(luminance: np.ndarray, ycrcb: np.ndarray) -> np.ndarray:
    """Replace the luminance of `ycrcb` (which is overwritten) and return BGR."""
    cv2.insertChannel(luminance, ycrcb, 0)
    return cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2BGR)

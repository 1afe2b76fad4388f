"""What the engine returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from egmt_ros.pipeline.thermal import ThermalRange


@dataclass(frozen=True)
class Region:
    """Rectangle in pixels of the fused image; `x`, `y` is the top left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class EntityLabel:
    """One entity and how sure the model is of it.

    Attributes:
        index: Position in the vocabulary.
        name: Entity.
        score: Probability that the entity is in the scene, 0..1, independent of the others.
        present: Whether the score reaches the entity's threshold.
        region: Extent of the entity's attention: evidence, not a detection box. None if it is
            absent, or the weights never learned where it is.
        region_mass: Share of the attention inside the region, 0..1; 0 without a region.
        thermal_share: Share of the evidence from the thermal image, 0..1; NaN: not computed.
    """

    index: int
    name: str
    score: float
    present: bool
    region: Region | None
    region_mass: float
    thermal_share: float


@dataclass(frozen=True)
class ThermalReading:
    """What was read from a thermal image besides its picture.

    Attributes:
        min_celsius, max_celsius: Coldest and hottest pixel; NaN unless the camera is radiometric.
        filled_pixels: NaN and infinite pixels that were filled from their neighbours.
        dead_rows, dead_columns: How many were found.
        lines_repaired: Whether dead rows and columns were interpolated.
    """

    min_celsius: float
    max_celsius: float
    filled_pixels: int
    dead_rows: int
    dead_columns: int
    lines_repaired: bool


@dataclass(frozen=True, eq=False)
class Sources:
    """The registered images that were fused; of a camera that is missing None.

    Attributes:
        thermal: (H, W) uint8, uint16 or float32.
        range: Its values that are black and white.
        visible: (H, W, 3) uint8 BGR or (H, W) uint8.
        outside: (H, W) uint8, 1 where there is no thermal image; None: it is everywhere.
    """

    thermal: np.ndarray | None
    range: ThermalRange | None
    visible: np.ndarray | None
    outside: np.ndarray | None = None


@dataclass(frozen=True)
class FusionResult:
    """Result of fusing one pair.

    Attributes:
        image: (H, W, 3) uint8 BGR, or (H, W) uint8 for a grey visible image.
        scores: Entity -> score 0..1, in the order of the vocabulary.
        labels: Every entity of the vocabulary, highest score first.
        attention: (E, h, w) float32 where each entity was seen; each map adds up to 1. Its cells
            are `attention_cell` pixels wide and high from the top left corner on; the last row
            and column can reach beyond the image.
        attention_cell: Side of an attention cell, pixels.
        timings: Stage -> milliseconds: "prepare", "network", "finish".
        thermal: What the thermal image says besides; None: nobody looked.
        sources: What was fused, for looking at; None: not kept.
    """

    image: np.ndarray
    scores: dict[str, float]
    labels: tuple[EntityLabel, ...]
    attention: np.ndarray
    attention_cell: int
    timings: dict[str, float]
    thermal: ThermalReading | None = None
    sources: Sources | None = None

"""Every metric of one fused image, and how it is called in tables."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from egmt_ros.evaluation.fusion.image_statistics import (
    average_gradient,
    clipped_share,
    entropy,
    fusion_mutual_information,
    spatial_frequency,
    standard_deviation,
)
from egmt_ros.evaluation.fusion.metrics import scd_at_equal_contrast, score_pair

MINIMUM_SIDE = 41
"""Smallest image side that VIF's four scales of valid windows leave a pixel of."""


class Column(NamedTuple):
    """A metric in a table: its title, its decimals, and what it is multiplied by."""

    title: str
    decimals: int = 3
    factor: float = 1.0


COLUMNS = {
    "vif": Column("VIF"),
    "qabf": Column("Qabf"),
    "scd": Column("SCD"),
    "ssim": Column("SSIM"),
    "vif_min": Column("VIFmin"),
    "q_min": Column("Qmin"),
    "ssim_min": Column("SSIMmin"),
    "cc_min": Column("CCmin"),
    "scd_n": Column("SCDn"),
    "mi": Column("MI", 2),
    "en": Column("EN", 2),
    "sd": Column("SD", 2),
    "sf": Column("SF", 2),
    "ag": Column("AG", 2),
    "clipped": Column("clipped %", 2, 100.0),
}
"""Key in JSON and CSV -> column of the tables, in their order."""

COMPARED = ("vif", "qabf", "scd", "ssim", "vif_min", "q_min", "ssim_min", "cc_min")
"""Metrics that tell methods apart: noise and gain lift most of the others."""


def measure(thermal: np.ndarray, visible: np.ndarray, fused: np.ndarray) -> dict[str, float]:
    """Score a fused image against its sources; (H, W) uint8 luminance each.

    Returns:
        A value for each of COLUMNS, in that order. `clipped` is a share 0..1; the others are as
        in `metrics` and `image_statistics`.
    """
    tensors = [torch.from_numpy(image).float()[None, None] for image in (thermal, visible, fused)]
    values = {name: float(value) for name, value in score_pair(*tensors)._asdict().items()}
    values |= {
        "scd_n": float(scd_at_equal_contrast(*tensors)),
        "mi": fusion_mutual_information(thermal, visible, fused),
        "en": entropy(fused),
        "sd": standard_deviation(fused),
        "sf": spatial_frequency(fused),
        "ag": average_gradient(fused),
        "clipped": clipped_share(thermal, visible, fused),
    }
    return {name: values[name] for name in COLUMNS}

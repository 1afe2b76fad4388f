"""Values of summaries as plain JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Plain JSON values; floats to 6 significant digits, not-a-number and infinity as null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{float(value):.6g}") if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Path):
        return str(value)
    return value

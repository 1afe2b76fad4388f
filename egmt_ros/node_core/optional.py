"""What the node uses where it is installed."""

from __future__ import annotations

import importlib.util


def has_message_filters() -> bool:
    """Whether the synchronisers of message_filters are installed."""
    try:
        spec = importlib.util.find_spec("message_filters")
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None  # a bare folder of the name has none

"""Shape of the network, saved beside the weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from egmt_ros.errors import ConfigError

LIMITS = {
    "widths": 2048,
    "depths": 64,
    "decoder_width": 2048,
    "attention_width": 2048,
    "attention_heads": 256,
    "token_budget": 65536,
    "memory_budget": 65536,
    "text_width": 16384,
}
"""Largest value of each field: far beyond any useful network, small enough for any memory."""


@dataclass(frozen=True)
class EGMTConfig:
    """Shape of an EGMT network.

    Attributes:
        widths: Channels of the encoders' features at 1/4, 1/8 and 1/16 of the input size.
        depths: Blocks of each encoder at these sizes, behind the backbone's.
        backbone_multiplier: Factor on the widths of the backbone.
        decoder_width: Channels of the decoder at 1/4 of the input size.
        attention_width: Width of queries, keys and values in every attention.
        attention_heads: Heads of the inter-visual attention; divides attention_width.
        token_budget: Most positions that entity attention looks at, whatever the image size.
        memory_budget: Most positions of the other modality in inter-visual attention.
        text_width: Width of the text encoder's embeddings (384: all-MiniLM-L6-v2).
    """

    widths: tuple[int, int, int] = (32, 48, 96)
    depths: tuple[int, int, int] = (1, 1, 1)
    backbone_multiplier: float = 1.0
    decoder_width: int = 32
    attention_width: int = 64
    attention_heads: int = 2
    token_budget: int = 1200
    memory_budget: int = 300
    text_width: int = 384

    def __post_init__(self) -> None:
        for name, limit in LIMITS.items():
            value = getattr(self, name)
            three = name in ("widths", "depths")
            entries = value if three else (value,)
            if not isinstance(entries, tuple) or len(entries) != (3 if three else 1):
                fits = False
            else:
                fits = all(type(entry) is int and 1 <= entry <= limit for entry in entries)
            if not fits:
                wanted = "three whole numbers" if three else "a whole number"
                raise ConfigError(
                    f"network.{name} is {value!r:.60}; expected {wanted} from 1 to {limit}"
                )
        multiplier = self.backbone_multiplier
        if type(multiplier) not in (int, float) or not 0.1 <= multiplier <= 4.0:
            raise ConfigError(
                f"network.backbone_multiplier is {multiplier!r:.60}; "
                "expected a number from 0.1 to 4"
            )
        if self.attention_width % self.attention_heads:
            raise ConfigError(
                f"network.attention_width {self.attention_width} is not a multiple of "
                f"network.attention_heads {self.attention_heads}; change one of them"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EGMTConfig:
        """Build from the output of `to_dict`.

        Raises:
            ConfigError: A field is unknown or has a value that no network can have.
        """
        if not isinstance(values, dict):
            raise ConfigError(
                f"network is {values!r:.60}; expected a mapping of EGMTConfig's fields"
            )
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(map(str, values)) - known)
        if unknown:
            raise ConfigError(f"network has no field {unknown[0]!r}; known are {sorted(known)}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

"""Hash of a vocabulary: which entities, embedded how."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence


def vocabulary_hash(names: Sequence[str], text_encoder: str, template: str) -> str:
    """First 16 hex digits of the SHA-256 of names, text encoder and template."""
    key = json.dumps([list(names), text_encoder, template])
    return hashlib.sha256(key.encode()).hexdigest()[:16]

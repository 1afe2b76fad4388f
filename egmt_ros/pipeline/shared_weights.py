"""Networks that differ in their entities alone and share everything else."""

from __future__ import annotations

import torch
from torch import Tensor

from egmt_ros.model.blocks import fold_batch_norms
from egmt_ros.model.network import EGMT


def with_entities(network: EGMT, embeddings: Tensor, prior: Tensor) -> EGMT:
    """Make a network with other entities; its other weights are those of `network`, not copies.

    Args:
        network: In evaluation mode, batch norms folded.
        embeddings: (E, text_width) text embeddings.
        prior: (E,) log odds of each entity before anything was seen.
    """
    with torch.device("meta"):
        other = EGMT(network.config, torch.empty_like(embeddings, device="meta"))
    fold_batch_norms(other.eval())
    own = {"embeddings": embeddings, "prior": prior}
    other.load_state_dict(network.state_dict() | own, assign=True)
    return other

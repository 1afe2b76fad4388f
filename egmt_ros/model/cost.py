"""Cost of the network in multiply-accumulates."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from egmt_ros.model.network import EGMT


def count_gmac(network: EGMT, width: int, height: int) -> float:
    """Multiply-accumulates of one pair, in 10^9; products of attention are counted."""
    parameter = next(network.parameters())
    thermal = torch.zeros(1, 1, height, width, device=parameter.device)
    visible = torch.zeros(1, 3, height, width, device=parameter.device)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(thermal, visible)
    return counter.get_total_flops() / 2e9

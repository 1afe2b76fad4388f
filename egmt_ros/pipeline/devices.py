"""Choice of the compute device."""

from __future__ import annotations

import re

import torch

from egmt_ros.errors import DeviceError


def resolve_device(name: str) -> torch.device:
    """Turn "auto", "cpu" or "cuda:N" into a device that is there.

    "auto" takes the first CUDA device, or the CPU if there is none. A device that is asked for by
    name is never replaced by another.

    Raises:
        DeviceError: The name is none of these, or the CUDA device is missing.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if not re.fullmatch(r"cuda(:\d+)?", name):
        raise DeviceError(f"model.device is {name!r}; expected auto, cpu or cuda:N (N from 0)")
    index = int(name.partition(":")[2] or 0)
    if not torch.cuda.is_available():
        raise DeviceError(
            f"model.device is {name!r} but PyTorch {torch.__version__} sees no CUDA device; "
            "install a CUDA build and a driver, or use cpu or auto"
        )
    if index >= torch.cuda.device_count():
        raise DeviceError(
            f"model.device is {name!r} but there are {torch.cuda.device_count()} CUDA devices, "
            "numbered from 0; use one of them, cpu or auto"
        )
    return torch.device("cuda", index)

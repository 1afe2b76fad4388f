"""What is said of an error that was not raised on purpose."""

from __future__ import annotations

import sys

from egmt_ros.errors import EgmtError


def out_of_cuda_memory(error: BaseException) -> bool:
    """Whether a CUDA device had no memory left; does not import PyTorch.

    Its allocator raises torch.cuda.OutOfMemoryError; what allocates behind its back (graphs,
    cuDNN) raises a RuntimeError with the words of the CUDA runtime. Either may be the cause of
    an error of our own.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    if isinstance(error, RuntimeError) and "CUDA error: out of memory" in str(error):
        return True
    return error.__cause__ is not None and out_of_cuda_memory(error.__cause__)


def describe(error: BaseException) -> str:
    """One sentence or more about an error, with the remedy where it is known."""
    if isinstance(error, EgmtError):
        return str(error)
    if out_of_cuda_memory(error):
        return (
            f"CUDA out of memory ({_detail(error)}): end other processes on the device, use"
            " smaller images or model.precision float16, or set model.fallback_to_cpu"
        )
    return f"{type(error).__name__}: {error}"


def reject_reason(error: BaseException) -> str:
    """Slug for the counters of rejected frames."""
    return "cuda_out_of_memory" if out_of_cuda_memory(error) else "inference_failed"


def _detail(error: BaseException) -> str:
    """The first line of what the error says, without what is said anyway."""
    line = str(error).partition("\n")[0]
    return line.removeprefix("CUDA out of memory.").strip(" .") or type(error).__name__

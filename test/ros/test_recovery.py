"""What is said of errors, and the delays between attempts."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from egmt_ros.errors import CheckpointError, DeviceError  # noqa: E402
from egmt_ros.ros.failures import describe, out_of_cuda_memory, reject_reason  # noqa: E402
from egmt_ros.ros.recovery import Backoff  # noqa: E402


def test_delays_double_up_to_a_minute_and_begin_again():
    backoff = Backoff()
    assert [backoff.next() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    backoff.reset()
    assert [backoff.next() for _ in range(2)] == [1, 2]


def test_cuda_out_of_memory_is_told_from_other_errors():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    for error, detail in (
        (
            torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nand more"),
            "Tried to allocate 2 GiB",
        ),
        (
            RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA"),
            "CUDA error: out of memory",
        ),
        (torch.cuda.OutOfMemoryError(), "OutOfMemoryError"),
    ):
        assert out_of_cuda_memory(error) and reject_reason(error) == "cuda_out_of_memory"
        text = describe(error)
        assert text.startswith(f"CUDA out of memory ({detail}): ")
        assert "model.fallback_to_cpu" in text
    graph = DeviceError("no CUDA graph can be recorded")
    graph.__cause__ = torch.cuda.OutOfMemoryError()
    assert out_of_cuda_memory(graph) and reject_reason(graph) == "cuda_out_of_memory"
    assert describe(graph) == "no CUDA graph can be recorded"
    for error in (RuntimeError("out of memory"), MemoryError(), ValueError("CUDA out of memory")):
        assert not out_of_cuda_memory(error) and reject_reason(error) == "inference_failed"
    assert describe(KeyError("x")) == "KeyError: 'x'"
    assert describe(CheckpointError("weights are damaged")) == "weights are damaged"

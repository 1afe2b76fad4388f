"""What the process takes of the machine."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from egmt_ros.pipeline.usage import GpuMemory, gpu_memory, process_usage


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_memory_grows_with_what_is_held():
    before = process_usage()
    held = np.ones(40_000_000, np.uint8)
    after = process_usage()
    assert held.size and after.resident - before.resident > 30_000_000
    assert after.peak >= before.peak >= before.resident - 1_000_000


def test_processor_time_is_that_of_this_process():
    before = process_usage()
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    assert process_usage().cpu - before.cpu >= 0.02 and before.threads >= 1


def test_memory_of_a_gpu_is_asked_of_the_device_in_use(monkeypatch):
    asked = []

    def tell(*sizes):
        return lambda device: asked.append(device) or (sizes if len(sizes) > 1 else sizes[0])

    cuda = SimpleNamespace(
        mem_get_info=tell(3, 4), memory_allocated=tell(1), memory_reserved=tell(2)
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert gpu_memory("cpu") is None and asked == []
    assert gpu_memory("cuda:1") == GpuMemory(allocated=1, reserved=2, free=3, total=4)
    assert asked == ["cuda:1"] * 3
    monkeypatch.delitem(sys.modules, "torch")
    assert gpu_memory("cuda:1") is None and "torch" not in sys.modules

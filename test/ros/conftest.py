"""A rig for node tests: the node with two cameras and a listener, over real DDS.

The node runs in its own context with its own executor thread; cameras and listener are a second
participant, so that every message really travels through Fast DDS.
"""

from __future__ import annotations

import array
import copy
import gc
import math
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.emphasis import emphasis_weights
from egmt_ros.pipeline.results import EntityLabel, FusionResult, Region

sys.path.insert(0, str(Path(__file__).parent))
from fault_harness import PATIENCE, START, Campaign  # noqa: E402

try:
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from egmt_msgs.msg import EntityLabelArray, EntityVocabulary
    from egmt_msgs.srv import SetVocabulary
    from lifecycle_msgs.srv import ChangeState
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import Parameter
    from rclpy.qos import (
        DurabilityPolicy,
        QoSProfile,
        ReliabilityPolicy,
        qos_profile_sensor_data,
    )
    from rclpy.signals import SignalHandlerOptions
    from sensor_msgs.msg import Image
    from std_srvs.srv import Trigger

    RELIABLE = QoSProfile(depth=200, reliability=ReliabilityPolicy.RELIABLE)
    LATCHED = QoSProfile(
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )
    MISSING = ""
except ImportError as error:  # the fixtures then skip; the tests of this room without ROS run
    MISSING = str(error)

OUTCOMES = ("fused", "unpaired", "superseded", "rejected", "inactive", "disabled", "passthrough")
FIELDS = ("received", *OUTCOMES, "in_flight")
MS = 1_000_000


class FakeEngine:
    """Averages; knows three entities; can be told to be slow, to fail or to see nothing.

    With other entities it is another engine: those of `stored`, or any with a text encoder.
    """

    names = ("person", "car", "tree")
    thresholds = (0.5, 0.5, 0.5)
    model_id = "fake@000000000000"
    vocabulary_hash = "f" * 16
    text_encoder = "none"
    template = "{}"
    stored = ("person", "car", "tree", "sky", "road")
    device = "cpu"
    runtime = "fake"
    preparing_until = -math.inf

    def __init__(self, delay: float = 0.0, scores: tuple[float, ...] = (0.9, 0.2, 0.6)) -> None:
        self.delay = delay
        self.scores = scores
        self.fail = False
        self.ranges = []
        self.thermal = []
        self.weights = []
        self.vocabularies = []
        self.preparing = 0.0
        self.warmed_up = None
        self.closed = False
        self.loads = 0
        self.begun = 0

    def load(self, *, weights, device, threads, runtime, precision, announce):
        self.loads += 1
        self.closed = False
        self.loaded_with = (weights, device, threads)
        self.executed_with = (runtime, precision)
        self.announce = announce
        return self

    def warm_up(self, width, height):
        self.warmed_up = (width, height)
        return 1.0

    def with_vocabulary(self, names, thresholds=(), encoder=None):
        if not names:
            raise ConfigError("the vocabulary is empty")
        for name in names:
            if name not in self.stored and encoder is None:
                raise ConfigError(f"{name!r}: set entities.text_encoder")
        other = copy.copy(self)
        other.names = tuple(names)
        other.thresholds = tuple(thresholds) or (0.5,) * len(names)
        other.vocabulary_hash = "-".join(names)
        other.scores = (0.9,) * len(names)
        other.closed = False
        other.warmed_up = None
        self.vocabularies.append(other)
        time.sleep(self.preparing)
        return other

    def emphasis(self, factors):
        return emphasis_weights(self.names, factors)

    def fuse(self, thermal, visible, thermal_range=None, entity_weights=None):
        assert not self.closed
        self.begun += 1
        time.sleep(self.delay)
        if self.fail:
            raise RuntimeError("out of memory")
        self.ranges.append(thermal_range)
        self.thermal.append(thermal)
        self.weights.append(entity_weights)
        labels = [
            EntityLabel(i, name, score, True, Region(1, 2, 3, 4), 0.7, 0.25)
            if score >= 0.5
            else EntityLabel(i, name, score, False, None, 0.0, 0.25)
            for i, (name, score) in enumerate(zip(self.names, self.scores, strict=True))
        ]
        labels.sort(key=lambda label: -label.score)
        return FusionResult(
            image=visible.copy(),
            scores=dict(zip(self.names, self.scores, strict=True)),
            labels=tuple(labels),
            attention=np.full((len(self.names), 2, 3), 1 / 6, np.float32),
            attention_cell=32,
            timings={},
        )

    def close(self):
        self.closed = True


class FakeLoader:
    """Loads a new fake engine each time, on cuda:0 unless the CPU is asked for.

    Attributes:
        engines: Those loaded, with what `load` was asked for.
        refusal: Raised by `load` if set.
        gate: `load` waits until it is set, as it is at first.
        make: Makes the next engine.
    """

    def __init__(self, make=FakeEngine):
        self.engines = []
        self.asked = []
        self.refusal = None
        self.gate = threading.Event()
        self.gate.set()
        self.make = make

    def load(self, *, device, **arguments):
        self.asked.append({"device": device, **arguments})
        assert self.gate.wait(30)
        if self.refusal is not None:
            raise self.refusal
        engine = self.make()
        engine.device = "cpu" if device == "cpu" else "cuda:0"
        self.engines.append(engine)
        return engine


class Caller:
    """Clients of the node's services."""

    def __init__(self, rig):
        self.rig = rig
        self.clients = {}

    def ask(self, kind, name, request):
        """Send a request; the future of the response."""
        if name not in self.clients:
            self.clients[name] = self.rig.tester.create_client(kind, f"{self.rig.base}/{name}")
            self.rig.wait(self.clients[name].service_is_ready, f"service {name} is there")
        return self.clients[name].call_async(request)

    def call(self, kind, name, request):
        future = self.ask(kind, name, request)
        self.rig.wait(future.done, f"service {name} answers")
        return future.result()

    def set_vocabulary(self, *names, thresholds=()):
        request = SetVocabulary.Request(names=names, thresholds=thresholds)
        return self.call(SetVocabulary, "set_vocabulary", request)

    def ask_vocabulary(self, *names):
        return self.ask(SetVocabulary, "set_vocabulary", SetVocabulary.Request(names=names))

    def reload(self):
        return self.call(Trigger, "reload_model", Trigger.Request())

    def ask_reload(self):
        return self.ask(Trigger, "reload_model", Trigger.Request())

    def transition(self, label):
        request = ChangeState.Request()
        request.transition.label = label
        return self.call(ChangeState, "change_state", request).success


def image_message(pixels, encoding, stamp, frame_id, **changes):
    """sensor_msgs/Image of an array; `changes` overwrite fields to make it bad."""
    message = Image()
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 1_000_000_000)
    message.header.frame_id = frame_id
    message.height, message.width = pixels.shape[:2]
    message.encoding = encoding
    message.step = pixels.strides[0]
    message.data = array.array("B", np.ascontiguousarray(pixels).tobytes())
    for name, value in changes.items():
        setattr(message, name, value)
    return message


class Rig:
    """The node under test, its cameras and its listener."""

    def __init__(self, context, domain):
        self.node_context = context
        self.context = rclpy.Context()
        rclpy.init(
            args=[],
            context=self.context,
            domain_id=domain,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self.tester = rclpy.create_node("tester", context=self.context)
        self.messages = defaultdict(list)
        self.nodes = []
        self._spinners = [self._spin(self.tester, self.context)]
        self.base = "/egmt_fusion"

    def _spin(self, node, context):
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        stop = threading.Event()

        def loop():
            while not stop.is_set() and context.ok():
                executor.spin_once(timeout_sec=0.05)

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        return executor, stop, thread

    @staticmethod
    def _end(spinner):
        executor, stop, thread = spinner
        stop.set()
        executor.wake()
        thread.join(10)
        assert not thread.is_alive(), "a callback of the node hangs"
        executor.shutdown()

    def start(self, engine=None, parameters=(), *, ready=True, **kwargs):
        """Start the node and the cameras; wait until it is active and all are connected."""
        from egmt_ros.ros.node import FusionNode

        self.engine = engine or FakeEngine()
        values = {"diagnostics.period": 0.1, "sync.wait": 1.0, **dict(parameters)}
        self.listen()
        self.node = FusionNode(
            engine_factory=self.engine.load,
            context=self.node_context,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
            **kwargs,
        )
        self.nodes.append(self.node)
        self._spinners.append(self._spin(self.node, self.node_context))
        if ready:
            self.wait_phase("active")
            self.wait(self.connected, "cameras and listener are connected")
        return self.node

    def listen(self, remap=None):
        base = self.base
        for key, kind, topic, profile in (
            ("image", Image, f"{base}/output/image", RELIABLE),
            ("entities", EntityLabelArray, f"{base}/output/entities", RELIABLE),
            ("vocabulary", EntityVocabulary, f"{base}/output/vocabulary", LATCHED),
            ("diagnostics", DiagnosticArray, "/diagnostics", RELIABLE),
        ):
            self.tester.create_subscription(kind, topic, self.messages[key].append, profile)
        self.cameras = {
            side: self.tester.create_publisher(
                Image, f"{base}/input/{side}/image", qos_profile_sensor_data
            )
            for side in ("thermal", "visible")
        }

    def connected(self):
        return (
            all(camera.get_subscription_count() == 1 for camera in self.cameras.values())
            and self.tester.count_publishers(f"{self.base}/output/image") == 1
            and self.tester.count_publishers(f"{self.base}/output/entities") == 1
            and self.messages["diagnostics"]
            and self.messages["vocabulary"]
            # The node, too, must have found the cameras: a writer sends before its reader knows.
            and all(self.status(f"{side} input")[1]["matched"] == "1" for side in self.cameras)
        )

    def wait(self, condition, what, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"waited {timeout} s in vain until {what}"
            time.sleep(0.005)

    def wait_phase(self, phase):
        self.wait(lambda: self.node.phase == phase, f"the node is {phase}")

    def send(self, side, stamp, pixels=None, encoding=None, **changes):
        """Publish an image; by default 64x64, mono8 thermal and bgr8 visible."""
        if pixels is None:
            shape = (64, 64) if side == "thermal" else (64, 64, 3)
            pixels = np.full(shape, 100, np.uint8)
        encoding = encoding or ("mono8" if side == "thermal" else "bgr8")
        message = image_message(pixels, encoding, stamp, f"{side}_optical_frame", **changes)
        self.cameras[side].publish(message)

    def send_pair(self, stamp, gap=0, **kwargs):
        self.send("thermal", stamp + gap, **kwargs)
        self.send("visible", stamp)

    def fuse_pair(self, number):
        """Fuse the pair of this number, from 1 on, 100 ms after the one before; its labels."""
        self.send_pair(START + number * 100 * MS)
        self.wait(lambda: len(self.messages["entities"]) >= number, f"{number} arrays have come")
        return self.messages["entities"][-1]

    def settled(self, **received):
        """Wait until the node received so many frames a side and none is in flight."""
        self.wait(
            lambda: all(
                self.account(side)["received"] == count and self.account(side)["in_flight"] == 0
                for side, count in received.items()
            ),
            f"{received} are received and settled; is {self.node._account.snapshot()}",
        )
        for side in ("thermal", "visible"):
            assert_balanced(self.account(side))

    def account(self, side):
        """Counts of one input from the node itself."""
        return self.node._account_by_name()[side]

    def status(self, name):
        """(message, values) of the newest status of this name on /diagnostics."""
        for status in self.messages["diagnostics"][-1].status:
            if status.name == f"egmt_fusion: {name}":
                return status, {item.key: item.value for item in status.values}
        raise AssertionError(f"no status egmt_fusion: {name}")

    def reported(self, side):
        """Counts of one input as the newest diagnostics say."""
        values = self.status(f"{side} input")[1]
        return {name: int(values[name]) for name in FIELDS}

    def close(self):
        for spinner in reversed(self._spinners[1:]):
            self._end(spinner)
        for node in self.nodes:
            node.destroy_node()
        self._end(self._spinners[0])
        self.tester.destroy_node()
        self.context.try_shutdown()


def assert_balanced(counts):
    assert counts["received"] == sum(counts[name] for name in (*OUTCOMES, "in_flight")), counts


@pytest.fixture
def rig(ros_context, ros_domain):
    if MISSING:
        pytest.skip(f"the node needs ROS 2 and egmt_msgs: {MISSING}")
    rig = Rig(ros_context, ros_domain)
    yield rig
    rig.close()


@pytest.fixture
def fake_engine():
    """The class, to be made with a delay or scores."""
    return FakeEngine


@pytest.fixture
def fake_loader():
    """Loads fake engines, each time a new one."""
    return FakeLoader()


@pytest.fixture
def save_network():
    """Writes a small random network with entities from {name: embedding of 12 numbers}."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from egmt_ros.model.checkpoint import CheckpointInfo, save_checkpoint
    from egmt_ros.model.config import EGMTConfig
    from egmt_ros.model.network import EGMT
    from egmt_ros.model.vocabulary_hash import vocabulary_hash

    small = EGMTConfig(
        widths=(8, 8, 8),
        backbone_multiplier=0.35,
        decoder_width=8,
        attention_width=8,
        text_width=12,
    )

    def save(path, embeddings, seed=0):
        torch.manual_seed(seed)
        names = tuple(embeddings)
        rows = np.array([embeddings[name] for name in names], np.float32)
        thresholds = (0.0, *(0.1 * (i + 1) for i in range(1, len(names))))
        info = CheckpointInfo(
            "small", small, names, thresholds, "words", "{}", vocabulary_hash(names, "words", "{}")
        )
        save_checkpoint(path, EGMT(small, torch.from_numpy(rows)).eval(), info)

    return save


@pytest.fixture
def caller(rig):
    return Caller(rig)


@pytest.fixture
def make_image():
    return image_message


@pytest.fixture
def settled_heap():
    """Leaves what exists already out of `gc`, which then has little to go through each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def campaign(rig, settled_heap):
    """The rig with the checks that follow every fault."""
    return Campaign(rig)

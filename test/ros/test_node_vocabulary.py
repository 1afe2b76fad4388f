"""Other entities and emphasis while the node runs: service, parameters, and what is published."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("egmt_msgs.msg", reason="egmt_msgs is not built")

from egmt_msgs.msg import EntityLabelArray, EntityVocabulary  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402

MS = 1_000_000
START = 1_700_000_000_000_000_000


def change(rig, **values):
    """Set parameters of entities.*; the one result."""
    return rig.node.set_parameters_atomically(
        [Parameter(f"entities.{name}", value=value) for name, value in values.items()]
    )


# The service --------------------------------------------------------------------------------------


def test_another_vocabulary_is_published_before_the_arrays_that_use_it(rig, caller):
    rig.start(parameters={"entities.publish_all": True})
    assert rig.fuse_pair(1).vocabulary_hash == "f" * 16
    first = rig.engine
    response = caller.set_vocabulary("sky", "person", thresholds=[0.25, 0.5])
    assert response.success and response.vocabulary_hash == "sky-person"
    assert "2 entities in force: sky, person" in response.message
    rig.wait(lambda: len(rig.messages["vocabulary"]) == 2, "the new vocabulary has come")
    vocabulary = rig.messages["vocabulary"][-1]
    assert (vocabulary.names, list(vocabulary.thresholds)) == (["sky", "person"], [0.25, 0.5])
    assert vocabulary.vocabulary_hash == "sky-person"
    labels = rig.fuse_pair(2)
    assert labels.vocabulary_hash == "sky-person"
    assert [(label.index, label.name) for label in labels.labels] == [(0, "sky"), (1, "person")]
    assert first.closed and not first.vocabularies[0].closed
    assert first.vocabularies[0].warmed_up == (64, 64), "prepared for the size of the images"
    rig.wait(
        lambda: (
            rig.status("model")[1]["vocabulary_hash"] == "sky-person"
            and rig.status("model")[1]["entities"] == "2"
        ),
        "diagnostics say so",
    )
    late = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    topic = f"{rig.base}/output/vocabulary"
    rig.tester.create_subscription(EntityVocabulary, topic, late.append, latched)
    rig.wait(lambda: late, "a late joiner gets a vocabulary")
    assert late[0].vocabulary_hash == "sky-person"


@dataclass
class Sent:
    """What was published, each with the moment at which it was (source timestamp, ns)."""

    vocabularies: list = field(default_factory=list)
    arrays: list = field(default_factory=list)


def test_no_frame_is_lost_or_misnamed_while_vocabularies_change(rig, caller, fake_engine):
    engine = fake_engine(delay=0.005)
    engine.preparing = 0.25
    rig.start(engine, {"input.thermal.depth": 100, "input.visible.depth": 100})
    sent = Sent()
    reliable = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
    latched = QoSProfile(
        depth=100,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )

    def vocabulary(message, info):
        sent.vocabularies.append((info["source_timestamp"], message.vocabulary_hash))

    def array(message, info):
        names = {label.name for label in message.labels}
        sent.arrays.append((info["source_timestamp"], message.vocabulary_hash, names))

    base = rig.base
    rig.tester.create_subscription(
        EntityVocabulary, f"{base}/output/vocabulary", vocabulary, latched
    )
    rig.tester.create_subscription(EntityLabelArray, f"{base}/output/entities", array, reliable)
    rig.wait(lambda: sent.vocabularies, "the vocabulary has come")
    rig.wait(lambda: rig.node.count_subscribers(f"{base}/output/entities") == 2, "connected")
    stop, count = threading.Event(), [0]

    def cameras():
        while not stop.is_set():
            count[0] += 1
            rig.send_pair(START + count[0] * 20 * MS)
            time.sleep(0.02)

    thread = threading.Thread(target=cameras)
    thread.start()
    vocabularies = [("person", "car"), ("sky",), ("car", "tree", "road"), ("tree",)]
    during = []
    for names in vocabularies:
        before = len(sent.arrays)
        assert caller.set_vocabulary(*names).success
        during.append(len(sent.arrays) - before)
    time.sleep(0.2)
    stop.set()
    thread.join()
    rig.settled(thermal=count[0], visible=count[0])
    counts = rig.account("visible")
    assert counts["fused"] + counts["superseded"] + counts["unpaired"] == count[0]
    assert counts["unpaired"] == 0 and counts["superseded"] < count[0] / 4
    assert min(during) >= 3, f"arrays while a vocabulary was prepared: {during}"
    rig.wait(lambda: len(sent.arrays) == counts["fused"], "all arrays have come")
    hashes = ["f" * 16, *("-".join(names) for names in vocabularies)]
    assert [found for _, found in sorted(sent.vocabularies)] == hashes
    announced = {found: stamp for stamp, found in sent.vocabularies}
    for stamp, found, names in sent.arrays:
        assert announced[found] < stamp, "no array before its vocabulary"
        assert found == "f" * 16 or names == set(found.split("-"))
    for old, new in pairwise(hashes):
        last = max((stamp for stamp, found, _ in sent.arrays if found == old), default=0)
        assert last < announced[new], "none of the old one after the new one"


def test_the_node_goes_on_while_a_vocabulary_is_prepared(rig, caller, fake_engine):
    from std_srvs.srv import SetBool

    engine = fake_engine()
    engine.preparing = 1.0
    rig.start(engine)
    future = caller.ask_vocabulary("car")
    rig.wait(lambda: engine.vocabularies, "the change has begun")
    assert rig.fuse_pair(1).vocabulary_hash == "f" * 16
    assert change(rig, max_labels=3).successful
    assert caller.call(SetBool, "enable", SetBool.Request(data=True)).success
    other = caller.set_vocabulary("sky")
    assert not other.success and "under way" in other.message
    assert other.vocabulary_hash == "f" * 16
    assert not future.done(), "all that took less than the change"
    rig.wait(future.done, "the change is answered")
    assert future.result().success
    assert rig.fuse_pair(2).vocabulary_hash == "car"
    assert rig.node._parameter_store.current.entities.max_labels == 3


def test_inactive_and_unconfigured(rig, caller):
    rig.start(parameters={"autostart": False}, ready=False)
    refused = caller.set_vocabulary("sky")
    assert not refused.success and refused.vocabulary_hash == ""
    assert "unconfigured" in refused.message and "entities.names" in refused.message
    assert caller.transition("configure")
    assert caller.set_vocabulary("sky").vocabulary_hash == "sky"
    assert rig.engine.closed and rig.messages["vocabulary"] == []
    assert rig.engine.vocabularies[0].warmed_up == (640, 480), "as the parameters say"
    assert caller.transition("activate")
    rig.wait(rig.connected, "all are connected")
    assert [message.vocabulary_hash for message in rig.messages["vocabulary"]] == ["sky"]
    assert rig.fuse_pair(1).vocabulary_hash == "sky"
    assert caller.transition("deactivate")
    assert caller.set_vocabulary("car").success
    assert rig.engine.vocabularies[1].warmed_up == (64, 64), "the size of the last image"
    assert caller.transition("activate")
    assert rig.fuse_pair(2).vocabulary_hash == "car"
    assert caller.transition("deactivate") and caller.transition("cleanup")
    assert rig.engine.vocabularies[1].closed
    assert caller.transition("configure") and caller.transition("activate")
    rig.wait(rig.connected, "all are connected")
    assert rig.fuse_pair(3).vocabulary_hash == "f" * 16, "the configured vocabulary again"


def test_cleaning_up_while_a_vocabulary_is_prepared(rig, caller, fake_engine):
    engine = fake_engine()
    engine.preparing = 0.7
    rig.start(engine)
    future = caller.ask_vocabulary("car")
    rig.wait(lambda: engine.vocabularies, "the change has begun")
    assert caller.transition("deactivate") and caller.transition("cleanup")
    assert not future.done()
    rig.wait(future.done, "the change is answered")
    assert not future.result().success and "cleaned up meanwhile" in future.result().message
    assert engine.closed and engine.vocabularies[0].closed
    assert caller.transition("configure") and caller.transition("activate")
    rig.wait(rig.connected, "all are connected")
    assert rig.fuse_pair(1).vocabulary_hash == "f" * 16


def test_deactivating_while_a_vocabulary_is_prepared_keeps_it(rig, caller, fake_engine):
    engine = fake_engine()
    engine.preparing = 0.7
    rig.start(engine)
    future = caller.ask_vocabulary("car")
    rig.wait(lambda: engine.vocabularies, "the change has begun")
    assert caller.transition("deactivate")
    rig.wait(future.done, "the change is answered")
    assert future.result().success
    assert caller.transition("activate")
    assert rig.fuse_pair(1).vocabulary_hash == "car"


def test_an_engine_that_cannot_be_prepared_changes_nothing(rig, caller, monkeypatch):
    rig.start()

    def broken(self, width, height):
        raise RuntimeError("no memory")

    monkeypatch.setattr(type(rig.engine), "warm_up", broken)
    refused = caller.set_vocabulary("car")
    assert not refused.success and "no memory" in refused.message
    assert refused.vocabulary_hash == "f" * 16
    assert rig.engine.vocabularies[0].closed and not rig.engine.closed
    assert rig.fuse_pair(1).vocabulary_hash == "f" * 16
    assert len(rig.messages["vocabulary"]) == 1


def test_the_node_ends_while_a_vocabulary_is_prepared(rig, caller, fake_engine):
    engine = fake_engine()
    engine.preparing = 0.5
    rig.start(engine)
    caller.ask_vocabulary("car")
    rig.wait(lambda: engine.vocabularies, "the change has begun")
    rig.close()
    assert engine.closed and engine.vocabularies[0].closed
    assert not any(thread.name == "egmt_change" for thread in threading.enumerate())


# With a real engine -------------------------------------------------------------------------------

NAMES = ("person", "car", "sky")
TEXT = {
    name: vector / np.linalg.norm(vector)
    for name, vector in zip(
        (*NAMES, "dog"), np.random.default_rng(3).normal(size=(4, 12)), strict=True
    )
}


@pytest.fixture
def weights(tmp_path, save_network):
    """A small random network, and beside it embeddings of a name that it lacks."""
    from egmt_ros.pipeline.embedding_file import EmbeddingFile

    save_network(tmp_path / "small.safetensors", {name: TEXT[name] for name in NAMES})
    held = np.array([TEXT["dog"], TEXT["car"]], np.float32)
    EmbeddingFile(("dog", "car"), held, "words", "{}").write(tmp_path / "words.npz")
    EmbeddingFile(("dog", "car"), held, "others", "{}").write(tmp_path / "others.npz")
    return tmp_path


@pytest.fixture
def real(weights):
    """Takes the place of the fake engine; the torch runtime prepares nothing."""
    from egmt_ros.ros.node import load_engine

    return type("Loader", (), {"load": staticmethod(load_engine)})(), {
        "model.weights": str(weights / "small.safetensors"),
        "model.device": "cpu",
        "model.threads": 1,
        "model.runtime": "torch",
        "model.warm_up_width": 64,
        "model.warm_up_height": 64,
        "entities.publish_all": True,
    }


def test_a_change_that_fails_changes_nothing(rig, caller, real, weights: Path):
    loader, parameters = real
    rig.start(loader, parameters)
    before = rig.fuse_pair(1)
    nan = float("nan")
    for names, thresholds, found in (
        ((), (), "empty"),
        (("car", "sky", "car"), (), "'car' is named twice"),
        (("car", "sky"), (0.5,), "1 thresholds are given for 2 entities"),
        (("car",), (1.5,), "'car' is 1.5"),
        (("car",), (-0.5,), "'car' is -0.5"),
        (("car",), (nan,), "'car' is nan"),
        (("Person",), (), "did you mean 'person'"),
        (("car", "dog"), (), "set the parameter entities.text_encoder"),
    ):
        response = caller.set_vocabulary(*names, thresholds=thresholds)
        assert not response.success and found in response.message, response.message
        assert response.vocabulary_hash == before.vocabulary_hash
    for encoder, found in (
        (f"file:{weights}/none.npz", "none.npz does not exist"),
        (f"file:{weights}/others.npz", "text encoder is 'others', but that of the weights"),
        (f"minilm:{weights}", "no readable config.json"),
    ):
        assert change(rig, text_encoder=encoder).successful
        response = caller.set_vocabulary("car", "dog")
        assert not response.success and found in response.message, response.message
    after = rig.fuse_pair(2)
    assert after.vocabulary_hash == before.vocabulary_hash
    assert [label.name for label in after.labels] == [label.name for label in before.labels]
    assert len(rig.messages["vocabulary"]) == 1


def test_new_names_through_the_text_encoder(rig, caller, real, weights: Path):
    from egmt_ros.model.vocabulary_hash import vocabulary_hash

    loader, parameters = real
    rig.start(loader, parameters)
    plain = {label.name: label.score for label in rig.fuse_pair(1).labels}
    assert change(rig, text_encoder=f"file:{weights}/words.npz").successful
    response = caller.set_vocabulary("dog", "person")
    assert response.success, response.message
    assert response.vocabulary_hash == vocabulary_hash(("dog", "person"), "words", "{}")
    labels = rig.fuse_pair(2)
    assert labels.vocabulary_hash == response.vocabulary_hash
    scores = {label.name: label.score for label in labels.labels}
    assert scores.keys() == {"dog", "person"}
    assert scores["person"] == pytest.approx(plain["person"], abs=1e-5)
    vocabulary = rig.messages["vocabulary"][-1]
    assert (vocabulary.text_encoder, list(vocabulary.thresholds)) == ("words", [0.5, 0.0])
    assert caller.set_vocabulary(*NAMES).success
    again = {label.name: label.score for label in rig.fuse_pair(3).labels}
    assert again == pytest.approx(plain, abs=1e-6)


def test_the_vocabulary_to_start_with(rig, caller, real, weights: Path):
    loader, parameters = real
    rig.start(
        loader, {**parameters, "entities.names": ["sky", "dog"], "autostart": False}, ready=False
    )
    assert not caller.transition("configure")
    rig.wait(lambda: "'dog'" in rig.status("model")[0].message, "diagnostics name the entity")
    assert change(rig, text_encoder=f"file:{weights}/words.npz").successful
    assert caller.transition("configure") and caller.transition("activate")
    rig.wait(rig.connected, "all are connected")
    assert rig.messages["vocabulary"][0].names == ["sky", "dog"]
    assert {label.name for label in rig.fuse_pair(1).labels} == {"sky", "dog"}
    refused = change(rig, names=["car"])
    assert not refused.successful and "cleanup" in refused.reason
    assert change(rig, names=["sky", "dog"]).successful, "no change"
    assert caller.set_vocabulary("car").success
    assert caller.transition("deactivate") and caller.transition("cleanup")
    assert caller.transition("configure") and caller.transition("activate")
    rig.wait(lambda: len(rig.messages["vocabulary"]) == 3, "the vocabulary has come again")
    assert [m.names for m in rig.messages["vocabulary"]] == [
        ["sky", "dog"],
        ["car"],
        ["sky", "dog"],
    ]


# Emphasis -----------------------------------------------------------------------------------------


def test_emphasis_at_start_and_at_run_time(rig, caller):
    rig.start(parameters={"entities.emphasis": ["person=2.0", "tree=0.0"]})
    rig.fuse_pair(1)
    np.testing.assert_array_equal(rig.engine.weights[-1], [2, 1, 0])
    assert rig.status("model")[1]["emphasis"] == "person=2.0 tree=0.0"
    assert change(rig, emphasis=["car=0.5"]).successful
    rig.fuse_pair(2)
    np.testing.assert_array_equal(rig.engine.weights[-1], [1, 0.5, 1])
    for entries, found in (
        (["dog=2.0"], "'dog', which is not in the vocabulary"),
        (["persons=2.0"], "did you mean 'person'"),
        (["car=much"], "'much'"),
        (["car"], "entity=factor"),
        (["car=-1"], "-1; expected a number from 0 to 4"),
        (["car=4.5"], "4.5; expected"),
        (["car=1", "car=2"], "twice"),
        ("car=1", "string array"),
    ):
        refused = change(rig, emphasis=entries)
        assert not refused.successful and found in refused.reason, refused.reason
    rig.fuse_pair(3)
    np.testing.assert_array_equal(rig.engine.weights[-1], [1, 0.5, 1])
    assert change(rig, emphasis=[""]).successful
    rig.fuse_pair(4)
    assert rig.engine.weights[-1] is None
    rig.wait(lambda: rig.status("model")[1]["emphasis"] == "", "diagnostics say so")


def test_emphasis_on_what_leaves_the_vocabulary_is_told_and_ignored(rig, caller):
    rig.start(parameters={"entities.emphasis": ["person=2.0", "tree=0.5"]})
    response = caller.set_vocabulary("sky", "tree")
    assert response.success
    assert "entities.emphasis of 'person' has no effect" in response.message
    rig.fuse_pair(1)
    np.testing.assert_array_equal(rig.engine.weights[-1], [1, 0.5])
    assert change(rig, max_labels=5).successful, "it does not hinder other changes"
    assert not change(rig, emphasis=["person=3.0"]).successful
    assert change(rig, emphasis=["sky=3.0"]).successful
    rig.fuse_pair(2)
    np.testing.assert_array_equal(rig.engine.weights[-1], [3, 1])
    assert caller.set_vocabulary("person", "sky").message.count("no effect") == 0
    rig.fuse_pair(3)
    np.testing.assert_array_equal(rig.engine.weights[-1], [1, 3])


def test_emphasis_on_an_unknown_entity_at_start_is_refused(rig, caller):
    rig.start(parameters={"entities.emphasis": ["zebra=2.0"]}, ready=False)
    rig.wait(
        lambda: rig.messages["diagnostics"] and "'zebra'" in rig.status("model")[0].message,
        "diagnostics name the entity",
    )
    assert rig.node.phase == "unconfigured" and rig.engine.closed
    assert change(rig, emphasis=["car=2.0"]).successful
    assert caller.transition("configure")


def test_the_thermal_range_goes_on_smoothly_through_changes(rig, caller):
    rig.start(parameters={"thermal.range_mode": "percentile", "thermal.time_constant": 600.0})
    rig.send_pair(START, pixels=np.full((64, 64), 100, np.uint8))
    rig.wait(lambda: len(rig.messages["entities"]) == 1, "the first is fused")
    assert change(rig, emphasis=["car=2.0"]).successful
    assert caller.set_vocabulary("car").success
    rig.send_pair(START + 100 * MS, pixels=np.full((64, 64), 200, np.uint8))
    rig.wait(lambda: len(rig.messages["entities"]) == 2, "the second is fused")
    assert rig.engine.ranges[1].high < 120, "the range of the first frame is not forgotten"

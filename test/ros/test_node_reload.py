"""New weights while the node runs: service ~/reload_model."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("egmt_msgs.msg", reason="egmt_msgs is not built")

from rclpy.parameter import Parameter  # noqa: E402

MS = 1_000_000
START = 1_700_000_000_000_000_000


def retrained(make, **changes):
    """Makes engines of other weights."""

    def other():
        engine = make()
        for name, value in changes.items():
            setattr(engine, name, value)
        return engine

    return other


OTHER = {"model_id": "fake@1", "names": ("car", "dog"), "thresholds": (0.5, 0.5),
         "vocabulary_hash": "other", "scores": (0.9, 0.1), "stored": ("car", "dog")}  # fmt: skip


def test_other_weights_are_announced_and_used(rig, caller, fake_loader, fake_engine):
    rig.start(fake_loader, {"model.weights": "/w.safetensors", "entities.publish_all": True})
    assert rig.fuse_pair(1).model_id == fake_engine.model_id
    fake_loader.make = retrained(fake_engine, **OTHER)
    response = caller.reload()
    assert response.success and "fake@1 with 2 entities" in response.message
    old, new = fake_loader.engines
    assert fake_loader.asked[1]["weights"] == "/w.safetensors"
    assert old.closed and not new.closed
    assert new.warmed_up == (64, 64), "prepared for the size of the images"
    rig.wait(lambda: len(rig.messages["vocabulary"]) == 2, "the new vocabulary has come")
    assert rig.messages["vocabulary"][-1].names == ["car", "dog"]
    labels = rig.fuse_pair(2)
    assert (labels.model_id, labels.vocabulary_hash) == ("fake@1", "other")
    assert {label.name for label in labels.labels} == {"car", "dog"}
    rig.wait(
        lambda: rig.status("model")[1]["model_id"] == "fake@1"
        and rig.status("model")[1]["entities"] == "2",
        "diagnostics say so",
    )


def test_other_weights_by_the_parameter(rig, caller, fake_loader):
    rig.start(fake_loader, {"model.weights": "/old.safetensors"})
    other = Parameter("model.weights", value="/new.safetensors")
    assert rig.node.set_parameters_atomically([other]).successful
    assert [asked["weights"] for asked in fake_loader.asked] == ["/old.safetensors"]
    assert caller.reload().success
    assert fake_loader.asked[1]["weights"] == "/new.safetensors"
    refused = rig.node.set_parameters_atomically([Parameter("model.device", value="cpu")])
    assert not refused.successful, "what only configure reads"
    rig.fuse_pair(1)


def test_the_same_weights_again_are_not_announced(rig, caller, fake_loader):
    rig.start(fake_loader)
    for number in (1, 2):
        assert caller.reload().success
        rig.fuse_pair(number)
    assert [engine.closed for engine in fake_loader.engines] == [True, True, False]
    assert len(rig.messages["vocabulary"]) == 1


def test_no_frame_is_dropped_while_weights_are_loaded(rig, caller, fake_loader, fake_engine):
    rig.start(fake_loader, {"input.thermal.depth": 100, "input.visible.depth": 100})

    def while_others_are_fused():
        fused = rig.account("visible")["fused"]
        rig.wait(lambda: rig.account("visible")["fused"] > fused + 3, "the old weights go on", 30)
        return fake_engine(delay=0.005)

    fake_loader.make = while_others_are_fused
    stop, count = threading.Event(), [0]

    def cameras():
        while not stop.is_set():
            count[0] += 1
            rig.send_pair(START + count[0] * 20 * MS)
            time.sleep(0.02)

    thread = threading.Thread(target=cameras)
    thread.start()
    try:
        reloads = [caller.reload() for _ in range(3)]
        fused = rig.account("visible")["fused"]
        rig.wait(lambda: rig.account("visible")["fused"] > fused + 3, "the new weights go on", 30)
    finally:
        stop.set()
        thread.join()
    assert all(response.success for response in reloads)
    rig.settled(thermal=count[0], visible=count[0])
    counts = rig.account("visible")
    assert counts["fused"] + counts["superseded"] == count[0], "a newer one came, nothing else"
    assert [engine.closed for engine in fake_loader.engines] == [True, True, True, False]
    assert sum(engine.begun for engine in fake_loader.engines) == counts["fused"]


def test_a_chosen_vocabulary_is_kept(rig, caller, fake_loader, fake_engine):
    rig.start(fake_loader)
    assert caller.set_vocabulary("sky", "car", thresholds=(0.25, 0.75)).success
    assert caller.reload().success
    assert rig.fuse_pair(1).vocabulary_hash == "sky-car"
    rig.wait(lambda: len(rig.messages["vocabulary"]) == 2, "the chosen vocabulary has come")
    loaded = fake_loader.engines[1]
    assert loaded.closed and loaded.vocabularies[0].thresholds == (0.25, 0.75)
    fake_loader.make = retrained(fake_engine, **OTHER)
    refused = caller.reload()
    assert not refused.success and "'sky'" in refused.message
    assert fake_loader.engines[2].closed
    assert rig.fuse_pair(2).vocabulary_hash == "sky-car", "the old engine goes on"
    assert caller.transition("deactivate") and caller.transition("cleanup")
    assert caller.transition("configure") and caller.transition("activate")
    rig.wait(rig.connected, "all are connected")
    assert rig.fuse_pair(3).vocabulary_hash == "other", "configuring forgets the choice"


def test_changes_exclude_each_other(rig, caller, fake_loader):
    rig.start(fake_loader)
    fake_loader.gate.clear()
    reload = caller.ask_reload()
    rig.wait(lambda: len(fake_loader.asked) == 2, "the reload has begun")
    vocabulary, again = caller.set_vocabulary("car"), caller.reload()
    assert not reload.done(), "all that took less than the reload"
    for refused in (vocabulary, again):
        assert not refused.success and "a reload of the model is under way" in refused.message
    assert vocabulary.vocabulary_hash == "f" * 16
    fake_loader.gate.set()
    rig.wait(reload.done, "the reload is answered")
    assert reload.result().success
    fake_loader.engines[1].preparing = 1.0
    vocabulary = caller.ask_vocabulary("car")
    rig.wait(lambda: fake_loader.engines[1].vocabularies, "the change has begun")
    refused = caller.reload()
    assert not refused.success and "change of the vocabulary is under way" in refused.message
    rig.wait(vocabulary.done, "the change is answered")
    assert vocabulary.result().success
    assert rig.fuse_pair(1).vocabulary_hash == "car"


def test_unconfigured_it_is_refused_and_inactive_it_is_done(rig, caller, fake_loader, fake_engine):
    rig.start(fake_loader, {"autostart": False}, ready=False)
    refused = caller.reload()
    assert not refused.success and "unconfigured" in refused.message
    assert caller.transition("configure")
    fake_loader.make = retrained(fake_engine, **OTHER)
    assert caller.reload().success
    assert fake_loader.engines[1].warmed_up == (640, 480), "as the parameters say"
    assert caller.transition("activate")
    rig.wait(rig.connected, "all are connected")
    assert rig.fuse_pair(1).model_id == "fake@1"
    assert [message.names for message in rig.messages["vocabulary"]] == [["car", "dog"]]


@pytest.mark.parametrize("labels", [("deactivate",), ("deactivate", "cleanup"), ("shutdown",)])
def test_transitions_while_weights_are_loaded(rig, caller, fake_loader, labels):
    rig.start(fake_loader)
    fake_loader.gate.clear()
    reload = caller.ask_reload()
    rig.wait(lambda: len(fake_loader.asked) == 2, "the reload has begun")
    for label in labels:
        assert caller.transition(label)
    assert not reload.done()
    fake_loader.gate.set()
    rig.wait(reload.done, "the reload is answered")
    old, new = fake_loader.engines
    if labels == ("deactivate",):
        assert reload.result().success
        assert old.closed and not new.closed
        assert caller.transition("activate")
        rig.wait(rig.connected, "all are connected")
        rig.fuse_pair(1)
        assert new.begun == 1
    else:
        assert not reload.result().success
        assert "cleaned up meanwhile" in reload.result().message
        assert old.closed and new.closed


def test_the_node_ends_while_weights_are_loaded(rig, caller, fake_loader):
    rig.start(fake_loader)
    fake_loader.gate.clear()
    caller.ask_reload()
    rig.wait(lambda: len(fake_loader.asked) == 2, "the reload has begun")
    threading.Timer(0.3, fake_loader.gate.set).start()
    rig.close()
    assert [engine.closed for engine in fake_loader.engines] == [True, True]
    assert not any(thread.name == "egmt_change" for thread in threading.enumerate())


def test_damaged_weights_are_refused_and_mended_ones_taken(rig, caller, save_network, tmp_path):
    from egmt_ros.ros.node import load_engine

    path = tmp_path / "small.safetensors"
    rng = np.random.default_rng(1)
    embeddings = dict(zip(("person", "car"), rng.normal(size=(2, 12)), strict=True))
    save_network(path, embeddings)
    loader = type("Loader", (), {"load": staticmethod(load_engine)})()
    rig.start(loader, {
        "model.weights": str(path), "model.device": "cpu", "model.threads": 1,
        "model.runtime": "torch", "model.warm_up_width": 64, "model.warm_up_height": 64,
        "entities.publish_all": True,
    })  # fmt: skip
    first = rig.fuse_pair(1)
    whole = path.read_bytes()
    for number, content in enumerate((b"", b"not weights at all", whole[: len(whole) // 2]), 2):
        path.write_bytes(content)
        refused = caller.reload()
        assert not refused.success and "small.safetensors" in refused.message, refused.message
        assert rig.fuse_pair(number).model_id == first.model_id, "the old weights go on"
    path.unlink()
    assert not caller.reload().success
    save_network(path, {**embeddings, "dog": rng.normal(size=12)}, seed=1)
    assert caller.reload().success
    labels = rig.fuse_pair(5)
    assert labels.model_id != first.model_id
    assert {label.name for label in labels.labels} == {"person", "car", "dog"}
    rig.wait(lambda: len(rig.messages["vocabulary"]) == 2, "the new vocabulary has come")

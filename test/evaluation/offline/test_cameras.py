"""Compressed images, camera_info, and the command as it is called."""

from __future__ import annotations

import os
import signal

import cv2
import numpy as np
import pytest

from egmt_ros.cli import main
from egmt_ros.errors import BagError, ConfigError, DataError
from egmt_ros.evaluation.bags.bag_types import header_message, typestore
from egmt_ros.evaluation.offline import evaluate as offline
from egmt_ros.evaluation.replay.result import load_result

COMPRESSED = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
SIZE = (96, 128)


def compressed(message, bags):
    """A message of a raw image as a PNG on the topic beside it."""
    raw = message.msg
    image = raw.data.reshape(raw.height, raw.width, -1)
    data = cv2.imencode(".png", image)[1].reshape(-1)
    packed = typestore().types[COMPRESSED](header=raw.header, format="png", data=data)
    return message._replace(topic=message.topic + "/compressed", msgtype=COMPRESSED, msg=packed)


def camera_info(side: str, stamp: int, bags):
    """Of a camera that looks straight ahead."""
    types = typestore().types
    height, width = SIZE
    message = types[CAMERA_INFO](
        header=header_message(stamp, side),
        height=height,
        width=width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.array([100.0, 0, width / 2, 0, 100.0, height / 2, 0, 0, 1]),
        r=np.eye(3).reshape(-1),
        p=np.zeros(12),
        binning_x=0,
        binning_y=0,
        roi=types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
    )
    return bags.BagMessage(f"/{side}/camera_info", CAMERA_INFO, stamp, message)


def test_compressed_images_give_what_raw_ones_give(tmp_path, bags, evaluate):
    frames = bags.pairs(3)
    evaluate(bags.make_bag(tmp_path / "raw", frames), tmp_path / "a")
    packed = bags.make_bag(tmp_path / "packed", [compressed(m, bags) for m in frames])
    run = evaluate(packed, tmp_path / "b")
    assert run.topics["thermal"]["type"] == COMPRESSED
    assert run.parameters["input.visible.transport"] == "compressed"
    for name in ("frames.csv", "scores.csv", "unused.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def mounted(count: int, bags) -> list:
    infos = [camera_info(side, bags.START, bags) for side in ("thermal", "visible")]
    frames = [
        message
        for n in range(count)
        for message in (bags.thermal_message(n, size=SIZE), bags.visible_message(n, size=SIZE))
    ]
    return [*infos, *frames]


CALIBRATED = {"registration.mode": "camera_info", "registration.translation": "1.0 0 0"}


def test_cameras_are_registered_by_the_camera_info_of_the_bag(tmp_path, bags, evaluate):
    bag = bags.make_bag(tmp_path / "in", mounted(3, bags))
    run = evaluate(bag, tmp_path / "out", parameters=CALIBRATED, metrics=True)
    assert run.account["thermal"]["fused"] == 3
    assert "/thermal/camera_info" in run.bag["messages"]
    # At 10 m one metre aside is 10 pixels: so many columns the thermal camera does not see.
    assert any("does not see all of the visible image in 3 of 3" in note for note in run.notes)
    assert np.isfinite(load_result(tmp_path / "out").frames.values["ours.vif"]).all()


def test_what_camera_info_lacks_is_told(tmp_path, bags, evaluate):
    bag = bags.make_bag(tmp_path / "in", mounted(2, bags))
    with pytest.raises(ConfigError, match="tf is not read from a bag"):
        evaluate(bag, tmp_path / "out", parameters={"registration.mode": "camera_info"})
    plain = bags.make_bag(tmp_path / "plain", bags.pairs(2))
    with pytest.raises(BagError, match="expected its camera_info on /thermal/camera_info"):
        evaluate(plain, tmp_path / "out", parameters=CALIBRATED)
    late = mounted(2, bags)
    late = [m._replace(stamp=m.stamp + 10**10) if m.msgtype == CAMERA_INFO else m for m in late]
    with pytest.raises(DataError, match="no message on /thermal/camera_info and /visible"):
        evaluate(bags.make_bag(tmp_path / "late", late), tmp_path / "out", parameters=CALIBRATED)


def test_the_command_ends_as_scripts_expect_it(tmp_path, bags, monkeypatch, capsys):
    bag = bags.make_bag(tmp_path / "in", bags.pairs(6))
    run_offline, out = offline.run_offline, tmp_path / "out"

    def with_engine(engine) -> None:
        monkeypatch.setattr(offline, "run_offline", lambda asked: run_offline(asked, engine.load))

    engine = bags.FakeEngine()
    engine.before[3] = lambda: os.kill(os.getpid(), signal.SIGINT)
    with_engine(engine)
    command = ["evaluate", "bag", str(bag), "--out", str(out), "--no-metrics", "--no-progress"]
    assert main(command) == 130
    said = capsys.readouterr().out
    assert "problem: interrupted after 3 fused frames; --resume goes on" in said
    assert len(load_result(out).frames) == 3 and (out / "summary.json").is_file()
    with_engine(bags.FakeEngine())
    assert main(command) == 1
    assert "--resume" in capsys.readouterr().err
    assert main([*command, "--resume", "--no-report"]) == 0
    assert "report:" not in capsys.readouterr().out
    assert main([*command, "--resume"]) == 0
    said = capsys.readouterr().out
    assert "thermal: /thermal/image_raw (sensor_msgs/msg/Image; " in said
    assert "visible frames: 6, fused 6" in said and "person" in said and "problem" not in said
    assert main([*command, "--overwrite", "--metrics-every", "2"]) == 0
    assert "6 frames in" in capsys.readouterr().out

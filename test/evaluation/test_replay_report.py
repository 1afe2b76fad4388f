"""The report of an evaluated bag: its answers, pictures and tables, of any folder there may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from egmt_ros.evaluation.bags.bag_types import (
    ENTITIES,
    ENTITY,
    IMAGE,
    header_message,
    image_message,
    time_message,
    typestore,
)
from egmt_ros.evaluation.bags.bag_writer import BagMessage, write_bag
from egmt_ros.evaluation.replay.result import load_result
from egmt_ros.evaluation.replay.summary import summarise
from egmt_ros.evaluation.report.replay_page import save_replay_report
from egmt_ros.evaluation.report.replay_pictures import load_replay_pictures

EVIL = "/a<script>alert(1)</script>\"'&"
SIZE = (96, 128)
STILL = re.compile(r"data:image/jpeg;base64,")


def label_message(stamp: int, thermal: int, names: tuple[str, ...]) -> Any:
    types = typestore().types
    region = types["sensor_msgs/msg/RegionOfInterest"](20, 30, 40, 50, False)
    labels = [types[ENTITY](i, name, 0.9, True, 1, region, 0.5, 0.5)
              for i, name in enumerate(names)]  # fmt: skip
    return types[ENTITIES](
        header_message(stamp, "visible"), time_message(thermal), time_message(stamp), SIZE[1],
        SIZE[0], "fake", "f00d", 0.5, 0, float("nan"), float("nan"), labels)  # fmt: skip


def write_bags(folder: Path, entities: tuple[str, ...] = ("person", "car")) -> Path:
    """The bag that was replayed and the output bag of a folder: each picture has a tone."""
    result = load_result(folder)
    inputs, outputs = [], []
    for row in range(len(result.frames)):
        keys = {name: int(values[row]) for name, values in result.frames.keys.items()}
        for side, tone in (("thermal", 40), ("visible", 120)):
            shape = SIZE if side == "thermal" else (*SIZE, 3)
            image = image_message(np.full(shape, tone, np.uint8), keys[f"{side}_stamp"], side)
            inputs.append(BagMessage(result.run.topics[side]["name"], IMAGE,
                                     keys[f"{side}_stamp"], image))  # fmt: skip
        fused = image_message(np.full((*SIZE, 3), 200, np.uint8), keys["stamp"], "visible")
        labels = label_message(keys["stamp"], keys["thermal_stamp"], entities)
        for name, kind, message in (("image", IMAGE, fused), ("entities", ENTITIES, labels)):
            outputs.append(BagMessage(f"/egmt_fusion/output/{name}", kind, keys["stamp"], message))
    bag = folder.parent / "source"
    write_bag(bag, sorted(inputs, key=lambda message: message.stamp))
    write_bag(folder / "bag", outputs)
    return bag


@pytest.fixture(scope="module")
def report(parsed_page: type) -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        path = save_replay_report(folder)
        page = path.read_text(encoding="utf-8")
        parsed = parsed_page(page)
        beside = {f"montage{suffix}" for suffix in (".webp", ".mp4", ".avi", ".png")}
        # Nothing but what is in the page, its own parts, and the montage beside it.
        assert all(url.startswith(("data:", "#")) or url in beside for url in parsed.loads)
        assert not re.search(r"https?:(?!\" \+)", page) and "@import" not in page
        assert not re.search(r"url\s*\(", page)
        named = {a["id"] for _, a in parsed.elements if "id" in a}
        assert {url[1:] for url in parsed.loads if url.startswith("#")} <= named
        assert len(named) == sum("id" in a for _, a in parsed.elements)
        assert all(a.get("alt") for a in parsed.all("img"))
        parsed.page = page
        return parsed

    return make


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, scene_folder: Callable[..., Path]) -> Path:
    """A walk of 60 frames with its bags; three of them are in no fused image."""
    folder = scene_folder(
        tmp_path_factory.mktemp("walk") / "out", frames=60, missing=(7, 8, 30),
        lift={"vif_min": 0.2, "q_min": 0.2, "ssim_min": 0.2, "cc_min": 0.2},
    )  # fmt: skip
    run = load_result(folder).run
    replace(run, bag={**run.bag, "path": str(write_bags(folder))}).save(folder)
    return folder


@pytest.fixture(scope="module")
def walk_page(walk: Path, report: Callable[[Path], Any]) -> Any:
    return report(walk)


def test_answers_come_first_in_plain_words(walk_page):
    text = walk_page.text
    text = text[text.index("Is the fused"):]  # past the list of parts
    order = [text.index(part) for part in (
        "Is the fused image better than either camera? Yes.", "Are the labels right?",
        "Is it fast and steady enough?", "Was every frame accounted for? Yes.", "Fused images",
        "Labels over time", "Labels beside the ground truth", "Times",
        "Account of every frame", "Worst frames", "Best frames", "Montage", "Facts")]  # fmt: skip
    assert order == sorted(order)
    assert "57 of 60 fused, 3 unpaired" in text


def test_numbers_are_those_of_the_summary(walk, walk_page):
    page, summary = walk_page, summarise(load_result(walk))
    mean = summary.fusion["ours"]["q_min"]
    assert f"{mean.mean:.3f} {mean.low:.3f} to {mean.high:.3f}" in page.text
    for figure in (summary.truth.macro["f1"], summary.truth.entities[0].measures["ap"]):
        assert f"{figure.value:.2f}" in page.text
    assert f"{summary.timing_ms['fuse_ms'].p95:.1f}" in page.text
    assert "thermal unpaired: gap 3" in page.text


def test_a_list_chooses_the_chart(walk_page):
    page = walk_page
    lists = {a["data-charts"] for a in page.all("select")}
    assert lists == {"metrics", "times"}
    titles = [a["data-name"] for a in page.all("div") if "data-name" in a]
    assert titles[:4] == ["VIFmin", "Qmin", "SSIMmin", "CCmin"] and "Fusing a pair" in titles
    assert len({a["class"] for a in page.all("polyline") if a["class"] in ("k0", "k1", "k2")}) == 3


def test_frames_are_shown_at_their_own_size(walk, walk_page):
    page, summary = walk_page, summarise(load_result(walk))
    numbers = {pick.frame for pick in (*summary.worst, *summary.best)} | set(
        summary.truth.most_wrong[:3])
    cards = [a for a in page.all("article")]
    assert {a["id"] for a in cards} == {f"frame{n}" for n in numbers}
    pick = summary.worst[0]
    assert f"stamp {pick.stamp // 10**9}.{pick.stamp % 10**9:09d}" in page.text
    large = [a for a in page.all("img") if (a["alt"] or "").startswith("Fused image of frame")]
    assert len(large) == len(numbers)
    assert {(a["width"], a["height"]) for a in large} == {("128", "96")}
    assert "person 0.90, car 0.90" in page.text
    small = [a for a in page.all("img") if (a["alt"] or "").startswith("Thermal image")]
    assert len(small) == len(numbers) and all(STILL.match(a["src"] or "") for a in small)


def test_pictures_are_of_the_right_frames(walk):
    pictures = load_replay_pictures(load_result(walk), {3: 960, 50: 64})
    assert not pictures.notes and set(pictures.frames) == {3, 50}
    frame = pictures.frames[3]
    tones = [getattr(frame, side).mean() for side in ("thermal", "visible", "fused")]
    assert tones == [40, 120, 200] and frame.fused.shape == (*SIZE, 3)
    assert frame.array.present()[0].region == (20, 30, 50, 40)
    assert pictures.frames[50].fused.shape == (48, 64, 3)


def test_measured_images_are_shown_as_the_fusion_saw_them(tmp_path, scene_folder):
    folder = scene_folder(tmp_path / "out", frames=1, bag={"path": str(tmp_path / "source")})
    keys = {k: int(v[0]) for k, v in load_result(folder).frames.keys.items()}
    hot = np.full(SIZE, 51, np.uint16)  # of 0 to 255, which is what frames.csv says
    topics = load_result(folder).run.topics
    write_bag(tmp_path / "source", [
        BagMessage(topics["thermal"]["name"], IMAGE, 1,
                   image_message(hot, keys["thermal_stamp"], "t", "mono16")),
        BagMessage(topics["visible"]["name"], IMAGE, 2,
                   image_message(np.zeros((*SIZE, 3), np.uint8), keys["visible_stamp"], "v")),
    ])  # fmt: skip
    write_bag(folder / "bag", [BagMessage(
        "/egmt_fusion/output/image", IMAGE, 3,
        image_message(np.zeros((*SIZE, 3), np.uint8), keys["stamp"], "v"))])  # fmt: skip
    picture = load_replay_pictures(load_result(folder), {0: 960}).frames[0]
    assert set(np.unique(picture.thermal)) == {51}
    assert [label.name for label in picture.array.labels]  # from the table, as the bag has none


def test_names_cannot_break_the_page(tmp_path, replay_folder, report):
    scores = {EVIL: [0.9, 0.1, 0.8, None]}
    folder = replay_folder(
        tmp_path / "out", 4, scores=scores, truth={EVIL: [1, 0, 1, None]},
        unused=[["thermal", 5, "rejected", EVIL]], notes=(EVIL,), problems=(EVIL,), created=EVIL,
        bag={"path": EVIL, "storage": EVIL}, changed={EVIL: EVIL}, model={"model_id": EVIL},
        topics={side: {"name": EVIL, "how": EVIL} for side in ("thermal", "visible")},
        metrics={"ours.vif_min": [1.0] * 4, f"{EVIL}.vif_min": [0.5] * 4}).folder  # fmt: skip
    page = report(folder)
    assert "<script>alert" not in page.page
    assert len(page.all("script")) == 2
    assert EVIL in page.text


def test_live_part(tmp_path, scene_folder, report):
    spread = {"count": 60, "mean": 20.0, "p50": 19.1, "p95": 31.2, "p99": 35.3, "max": 40.4}
    row = {"rate": 30.0, "sent_hz": 29.9, "sent": 150, "fused": 149, "dropped": 1,
           "followed": True, "p50": 21.5, "p95": 33.5, "latency_ms": spread}  # fmt: skip
    live = {
        "rate": 1.0, "latency_ms": {"reference_to_image_ms": spread, "processing_ms": None},
        "jitter_ms": spread, "lost": {"thermal": 0, "visible": 2},
        "rates_hz": {"thermal": 30.0, "visible": 30.0, "fused": 29.5},
        "process": {"cpu_cores": {"mean": 1.25, "peak": 1.5},
                    "memory_mib": {"median": 321.0, "peak": 333.0, "resident_peak": 444.0},
                    "slope_mib_per_min": None,
                    "over_time": [[0.5, 1.2, 320.0], [1.0, 1.3, 321.0]]},
        "highest_rate_hz": 33.0, "search": [row],
        "at_rate": [{**row, "rate": hz} for hz in (10.0, 15.0, 30.0)],
    }  # fmt: skip
    folder = scene_folder(tmp_path / "out", frames=40, kind="live", live=live,
                          timing=("reference_to_image_ms", "processing_ms"))  # fmt: skip
    text = report(folder).text
    for said in ("19.1 31.2 35.3 40.4 60", "lost visible frames 2", "1.25 · 1.50", "321 · 333",
                 "followed is 33 Hz", "at 10 Hz", "at 15 Hz", "at 30 Hz", "Jitter",
                 "29.5 fused images came a second"):  # fmt: skip
        assert said in text, said


def test_live_without_a_sweep_or_figures(tmp_path, scene_folder, report):
    live = {"rate": 1.0, "latency_ms": {}, "jitter_ms": None, "process": None}
    text = report(scene_folder(tmp_path / "out", frames=5, kind="live", live=live)).text
    assert "No highest rate was searched" in text and "No latency was measured" in text
    assert "Processor and memory were not measured" in text


def test_nothing_fused(tmp_path, replay_folder, report):
    unused = [[side, 10**18 + i, "unpaired", "gap"] for i in range(3)
              for side in ("thermal", "visible")]  # fmt: skip
    folder = replay_folder(tmp_path / "out", 0, unused=unused, timing={"fuse_ms": []},
                           complete=False, problems=("the bag broke off",)).folder  # fmt: skip
    page = report(folder)
    assert "This is not the whole bag. the bag broke off" in page.text
    assert "Not measured. No frame was scored." in page.text
    assert "thermal: 0 of 3 fused, 3 unpaired" in page.text
    assert "There is no picture to show" in page.text
    assert not list(folder.glob("montage*"))


def test_one_frame_without_metrics_labels_or_times(tmp_path, replay_folder, report):
    folder = replay_folder(tmp_path / "out", 1, timing={"fuse_ms": [None]}).folder
    text = report(folder).text
    for said in ("No metrics were measured", "No frame has labels", "No frame was timed",
                 "There is no ground truth", "No frame was scored",
                 "Pictures of bags/night are missing"):  # fmt: skip
        assert said in text, said


def test_scored_alone_it_cannot_be_called_better(tmp_path, scene_folder, report):
    folder = scene_folder(tmp_path / "out", frames=5, methods=("ours",), truth=False)
    assert "Neither camera's image was scored beside the fused one" in report(folder).text


def test_a_damaged_source_bag_leaves_the_fused_pictures(tmp_path, scene_folder, report):
    broken = tmp_path / "broken.mcap"
    broken.write_bytes(b"no bag at all")
    folder = scene_folder(tmp_path / "out", frames=8, methods=(), bag={"path": str(broken)})
    write_bags(folder)
    page = report(folder)
    assert f"Pictures of {broken} are missing" in page.text
    assert len(page.all("article")) == 6  # evenly chosen, as nothing was scored
    assert (folder / "montage.webp").is_file() or "montage is" in page.text


def test_the_montage_moves_and_a_second_report_replaces_it(walk, report):
    page = report(walk)
    path = walk / "montage.webp"
    if not hasattr(cv2, "imreadanimation"):
        pytest.skip("this OpenCV has no animated pictures")
    done, animation = cv2.imreadanimation(str(path))
    assert done and len(animation.frames) == 40
    assert 'id="montage"' in page.page and "data:image/webp" in page.scripts["data"]
    assert [p.name for p in walk.glob("*montage*")] == ["montage.webp"]


@pytest.mark.parametrize("lacking", ["animation", "video"])
def test_an_older_opencv_writes_a_film_or_a_sheet(tmp_path, scene_folder, report, monkeypatch,
                                                  lacking):  # fmt: skip
    folder = scene_folder(tmp_path / "out", frames=4, methods=(), truth=False)
    write_bags(folder)
    monkeypatch.delattr(cv2, "imwriteanimation", raising=False)
    if lacking == "video":
        def refuse(*_: object) -> None:
            raise cv2.error("no codec")

        monkeypatch.setattr(cv2, "VideoWriter", refuse)
    text = report(folder).text
    (made,) = folder.glob("montage*")
    assert f"This OpenCV ({cv2.__version__})" in text and made.stat().st_size > 1000
    assert made.suffix in ((".png",) if lacking == "video" else (".mp4", ".avi", ".png"))


def test_many_frames_stay_a_small_page(tmp_path, replay_folder, report):
    count = 8_000
    rng = np.random.default_rng(0)
    folder = replay_folder(
        tmp_path / "out", count,
        scores={name: rng.random(count).tolist() for name in ("person", "car", "sky")},
        metrics={f"{method}.{metric}": rng.random(count).tolist()
                 for method in ("ours", "thermal", "visible") for metric in ("vif_min", "q_min")},
        unused=[["thermal", 10**18 + i, "unpaired", "gap"] for i in range(5000)],
    ).folder  # fmt: skip
    page = report(folder)
    assert len(page.page) < 1_000_000
    assert f"{count} of {count} fused" in page.text

"""The HTML page: one file, well-formed, needs no network, shows every frame."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from egmt_ros.evaluation.report.html_page import html_page, save_html_page
from egmt_ros.evaluation.report.page_charts import histogram, runs
from egmt_ros.evaluation.report.summary import summarise


@pytest.fixture
def page(replay_recording, replay_session, replay_pictures):
    recording = replay_recording(frames=30, unpaired=3)
    summary = summarise(replay_session(recording), recording)
    return html_page(summary, recording, replay_pictures(recording, 4))


def test_needs_no_network(page, parsed_page):
    parsed = parsed_page(page)
    assert parsed.loads and all(url.startswith("data:") for url in parsed.loads)
    assert not re.search(r"https?://", page)
    assert "@import" not in page and not re.search(r"url\s*\(", page)


def test_every_sent_frame_has_a_mark(page, replay_recording, parsed_page):
    sides = ("thermal", "visible")
    marks = [title for title in parsed_page(page).titles if title.startswith(sides)]
    expected = {
        f"{side} {frame.stamp // 10**9}.{frame.stamp % 10**9:09d}"
        for side, frames in replay_recording(frames=30, unpaired=3).sent.items()
        for frame in frames
    }
    assert {mark.split(" · ")[0] for mark in marks} == expected
    assert len(marks) == 60
    assert sum(mark.endswith("· fused") for mark in marks) == 54
    assert sum(mark.endswith("· unpaired") for mark in marks) == 6


def test_pictures_are_embedded(page, replay_recording, replay_pictures, parsed_page):
    data = json.loads(parsed_page(page).scripts["data"])
    pictures = replay_pictures(replay_recording(frames=30, unpaired=3), 4)
    assert len(data["frames"]) == 4
    for frame, picture in zip(data["frames"], pictures, strict=True):
        for side in ("thermal", "visible", "fused"):
            kind, payload = frame[side].split(",", 1)
            assert kind == "data:image/jpeg;base64"
            shown = cv2.imdecode(np.frombuffer(base64.b64decode(payload), np.uint8), 1)
            original = getattr(picture, side)
            assert shown.shape == original.shape
            assert abs(float(shown.mean()) - float(original.mean())) < 2
        assert [label["name"] for label in frame["labels"]] == [
            label.name for label in picture.array.present()]


def test_labels_and_account_are_told(page):
    text = re.sub(r"<[^>]+>", " ", page)
    for name in ("person", "car", "sky"):
        assert name in text
    assert "Every frame is accounted for" in text
    assert "What became of the others is known in total only" in text
    assert "27 of 30" in text
    assert "@media (prefers-color-scheme: dark)" in page
    assert 'name="viewport"' in page


def test_names_cannot_break_the_page(
    replay_recording, replay_session, replay_pictures, parsed_page
):
    evil = "</script><b>&\"'"
    recording = replay_recording()
    arrays = [replace(array, labels=tuple(label._replace(name=evil) for label in array.labels[:1]))
              for array in recording.arrays]
    recording = replace(recording, arrays=arrays,
                        vocabulary=replace(recording.vocabulary, names=(evil,)))
    summary = summarise(replay_session(recording), recording)
    page = html_page(summary, recording, replay_pictures(recording, 2))
    assert evil not in page and "<b>&\"" not in page
    parsed = parsed_page(page)
    assert evil in json.loads(parsed.scripts["data"])["colours"]


def test_unknown_fate_shows_the_totals(replay_recording, replay_session):
    recording = replay_recording(frames=30, unpaired=3)
    session = replay_session(recording)
    account = {side: dict(counters) for side, counters in session.account.items()}
    account["visible"].update(unpaired=1, superseded=2)
    summary = summarise(replace(session, account=account), recording)
    text = html_page(summary, recording, [])
    assert text.count("· not fused</title>") == 3
    assert "visible: 1 unpaired, 2 superseded" in text


def test_nothing_fused_still_gives_a_page(replay_recording, replay_session, tmp_path, parsed_page):
    recording = replace(replay_recording(frames=5, unpaired=5), values={})
    summary = summarise(replay_session(recording), recording)
    save_html_page(tmp_path / "index.html", summary, recording, [])
    parsed = parsed_page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert len([t for t in parsed.titles if t.endswith("· unpaired")]) == 10


def test_runs():
    assert runs([True, True, False, True]) == [(0, 2), (3, 4)]
    assert runs([False, False]) == [] and runs([]) == []


def test_histogram_counts_every_value():
    values = [1.0] * 5 + [2.0] * 7 + [500.0]
    counts = [int(n) for n in re.findall(r"ms: (\d+)</title>", histogram(values, "latency"))]
    assert sum(counts) == 13

"""`egmt bag cut`: what is in the part, and what late subscribers would have got."""

from __future__ import annotations

import argparse
import string
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.cli import main
from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_ranges import (
    FrameRange,
    Moment,
    parse_frames,
    parse_moment,
)
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import IMAGE, image_message, qos_profile, typestore
from egmt_ros.evaluation.bags.bag_writer import BagWriter
from egmt_ros.evaluation.bags.cut_bag import Span, cut_bag, span_of_frames, span_of_times

SECOND = 1_000_000_000
START = 1_760_000_000 * SECOND
STRING, TF = "std_msgs/msg/String", "tf2_msgs/msg/TFMessage"
THERMAL, VISIBLE = "/thermal/image_raw", "/visible/image_raw"


def text(value: str) -> object:
    return typestore().types[STRING](value)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at 10 Hz, thermal frames 30 ms before the visible ones; three latched topics."""
    path = tmp_path_factory.mktemp("bags") / "whole"
    deep = qos_profile(latched=True, best_effort=False)._replace(depth=2)
    with BagWriter(path, compress=True) as writer:
        writer.add_topic(THERMAL, IMAGE, best_effort=True)
        writer.add_topic(VISIBLE, IMAGE, best_effort=True)
        writer.add_topic("/map", STRING, latched=True)
        writer.add_topic("/deep", STRING, qos=[deep])
        writer.add_topic("/tf_static", TF, latched=True)
        writer.add_topic("/never", STRING)
        for k in range(3):
            writer.write("/map", START + k, text(f"map {k}"))
            writer.write("/deep", START + k, text(f"deep {k}"))
            writer.write("/tf_static", START + k, typestore().types[TF]([]))
        for k in range(20):
            image = np.full((4, 6), k, np.uint8)
            for topic, late in ((THERMAL, 20_000_000), (VISIBLE, 50_000_000)):
                stamp = START + k * SECOND // 10 + late
                writer.write(topic, stamp, image_message(image, stamp, "camera"))
        writer.write("/map", START + 3 * SECOND, text("map 3"))
    return path


def contents(path: Path) -> dict[str, list[tuple[int, bytes]]]:
    with BagSource(path) as source:
        found: dict[str, list[tuple[int, bytes]]] = {topic.name: [] for topic in source.topics}
        for record in source:
            found[record.topic].append((record.stamp, bytes(record.data)))
        return found


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_part_by_time(bag: Path, tmp_path: Path, storage: str) -> None:
    with BagSource(bag) as source:
        span = span_of_times(source, Moment(SECOND, False), Moment(START + 2 * SECOND, True))
        cut = cut_bag(source, tmp_path / "part", span, storage=storage)
        before = {topic.name: topic for topic in source.topics}
    assert cut.messages == {THERMAL: 10, VISIBLE: 10, "/map": 0, "/deep": 0, "/tf_static": 0,
                            "/never": 0}  # fmt: skip
    assert cut.carried == {"/map": 1, "/deep": 2, "/tf_static": 3}
    whole, part = contents(bag), contents(tmp_path / "part")
    for topic in (THERMAL, VISIBLE):
        assert part[topic] == whole[topic][10:]
    assert part["/map"] == [(START + SECOND, whole["/map"][2][1])]
    assert part["/deep"] == [(START + SECOND, whole["/deep"][k][1]) for k in (1, 2)]
    assert part["/never"] == []
    with BagSource(tmp_path / "part") as source:
        assert source.storage == storage
        for topic in source.topics:
            assert (topic.qos, topic.latched, topic.best_effort) == (
                before[topic.name].qos, before[topic.name].latched, before[topic.name].best_effort
            )  # fmt: skip


def test_a_part_by_frames_keeps_their_partners(bag: Path, tmp_path: Path) -> None:
    with BagSource(bag) as source:
        cut_bag(source, tmp_path / "a", span_of_frames(source, VISIBLE, FrameRange(5, 8)))
        open_ends = [
            span_of_frames(source, VISIBLE, FrameRange(*frames))
            for frames in ((0, None), (0, 20), (0, 99))
        ]
    whole, part = contents(bag), contents(tmp_path / "a")
    assert part[VISIBLE] == whole[VISIBLE][5:8] and part[THERMAL] == whole[THERMAL][5:8]
    assert open_ends == [Span(None, None)] * 3


def test_chosen_topics_and_latched_ones_in_the_middle(bag: Path, tmp_path: Path) -> None:
    with BagSource(bag) as source:
        span = span_of_times(source, Moment(2 * SECOND, False), None)
        cut = cut_bag(source, tmp_path / "part", span, ["/map"])
    part = contents(tmp_path / "part")
    assert cut == ({"/map": 1}, {"/map": 1}) and list(part) == ["/map"]
    assert [stamp - START for stamp, _ in part["/map"]] == [2 * SECOND, 3 * SECOND]


def test_the_whole_bag_comes_out_as_it_is(bag: Path, tmp_path: Path) -> None:
    with BagSource(bag) as source:
        cut = cut_bag(source, tmp_path / "copy", Span(None, None))
    assert not cut.carried and contents(tmp_path / "copy") == contents(bag)


def test_nothing_is_made_of_nothing(bag: Path, tmp_path: Path) -> None:
    with BagSource(bag) as source:
        for moments in ((Moment(5 * SECOND, False), None), (None, Moment(0, False))):
            with pytest.raises(BagError, match="holds nothing (from|to) .*give times in it"):
                span_of_times(source, *moments)
        with pytest.raises(BagError, match="start .* is not before the end"):
            span_of_times(source, Moment(SECOND, False), Moment(SECOND, False))
        with pytest.raises(BagError, match="no message of /map .*longer part"):
            gap = span_of_times(source, Moment(SECOND, False), Moment(2 * SECOND, False))
            cut_bag(source, tmp_path / "part", gap, ["/map"])
        with pytest.raises(BagError, match="has 20 messages; expected more than 20"):
            span_of_frames(source, VISIBLE, FrameRange(20, None))
        with pytest.raises(BagError, match="no topic /other"):
            cut_bag(source, tmp_path / "part", Span(None, None), ["/other"])
        for path in (bag, bag / ".." / "whole"):
            with pytest.raises(BagError, match="is the bag that is to be cut"):
                cut_bag(source, path, Span(None, None), overwrite=True)
    assert list(tmp_path.iterdir()) == []


def test_a_type_that_only_the_bag_defines(tmp_path: Path) -> None:
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg("int32 value", "mine/msg/Own"))
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topic = writer.add_connection("/own", "mine/msg/Own", typestore=store)
        raw = store.serialize_cdr(store.types["mine/msg/Own"](7), "mine/msg/Own")
        writer.write(topic, START, raw)
    with BagSource(tmp_path / "bag") as source:
        cut_bag(source, tmp_path / "copy", Span(None, None))
    with BagSource(tmp_path / "copy") as source:
        record = next(iter(source))
        assert source.deserialize(record.data, record.msgtype).value == 7


def test_the_command(bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "part"
    assert main(["bag", "cut", str(bag), str(out), "--start", "1", "--end", "1.5"]) == 0
    said = capsys.readouterr().out
    assert f"5 {VISIBLE}" in said and "/map: 1 from before, as it is latched" in said
    assert main(["bag", "cut", str(bag), str(out), "--frames", "2:3"]) == 1
    assert "exists already and is a bag" in capsys.readouterr().err
    assert main(["bag", "cut", str(bag), str(out), "--frames", "2:3", "--overwrite"]) == 0
    assert len(contents(out)[VISIBLE]) == 1
    assert main(["bag", "cut", str(bag), str(out), "--frames", "2:3", "--end", "1"]) == 1
    assert "--frames and --start or --end" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_what_is_left_of_a_damaged_bag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic(VISIBLE, IMAGE)
        for k in range(6):
            writer.write(VISIBLE, START + k * SECOND, image_message(image, START, "camera"))
    file = tmp_path / "bag" / "bag.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    out = tmp_path / "part"
    assert main(["bag", "cut", str(tmp_path / "bag"), str(out), "--start", "1"]) == 1
    said = capsys.readouterr()
    assert "messages may be missing: " in said.err and f"{out}: " in said.out
    whole = contents(out)[VISIBLE]
    assert 0 < len(whole) < 5
    assert [stamp for stamp, _ in whole] == [START + (k + 1) * SECOND for k in range(len(whole))]


@given(st.integers(0, 10**8 - 1), st.integers(0, SECOND - 1))
def test_times_in_a_bag_are_exact(seconds: int, nanoseconds: int) -> None:
    moment = parse_moment(f"{seconds}.{nanoseconds:09d}")
    assert moment == Moment(seconds * SECOND + nanoseconds, False)
    assert moment.at(START) == START + seconds * SECOND + nanoseconds


@given(st.integers(10**18, 2**63 - 1))
def test_ros_times_are_exact(stamp: int) -> None:
    exact = str(Decimal(stamp) / SECOND)
    assert parse_moment(str(stamp)) == parse_moment(exact) == Moment(stamp, True)
    assert parse_moment(str(stamp)).at(5) == stamp


@given(st.text(string.printable + "٣", max_size=12))
def test_no_text_breaks_the_parsers(text: str) -> None:
    for parse in (parse_moment, parse_frames):
        try:
            found = parse(text)
        except argparse.ArgumentTypeError:
            continue
        assert found[0] >= 0 and any(c in "0123456789:" for c in text)


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_frames_are_a_range(first: int, count: int) -> None:
    assert parse_frames(f"{first}:{first + count}") == FrameRange(first, first + count)
    assert parse_frames(f"{first}:") == FrameRange(first, None)
    for empty in (f"{first + count}:{first}", f"{first}:{first}"):
        with pytest.raises(argparse.ArgumentTypeError, match="no frame"):
            parse_frames(empty)


@pytest.mark.parametrize("wrong", ["", "-1", "1e3", "nan", "1:2", "12 34", "9" * 40, "." * 3])
def test_what_is_no_time(wrong: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse_moment(wrong)

"""When a message is sent, and what is read of its bytes; no ROS needed."""

from __future__ import annotations

import struct
import threading

import pytest

from egmt_ros.errors import BagError
from egmt_ros.evaluation.live.cdr import float64, header_stamp
from egmt_ros.evaluation.live.processes import parameter_text
from egmt_ros.evaluation.live.timeline import LOOP_PAUSE, Recorded, prefetched, timeline

START = 5_000_000_000
MS = 1_000_000


def _bag(count=4, step=10 * MS):
    return [Recorded("/t", "x/msg/X", START + i * step, b"abcd") for i in range(count)]


def _messages(items):
    return [item for item in items if item.message is not None]


@pytest.mark.parametrize("rate", [0.5, 1.0, 4.0])
def test_messages_keep_their_distances(rate):
    sent = _messages(timeline(lambda: _bag(), rate=rate))
    assert [item.due for item in sent] == [round(i * 10 * MS / rate) for i in range(4)]
    assert [item.bag_time for item in sent] == [START + i * 10 * MS for i in range(4)]


def test_each_pass_begins_after_a_pause_and_stamps_jump_back():
    sent = _messages(timeline(lambda: _bag(), loops=3))
    assert [item.loop for item in sent] == [0] * 4 + [1] * 4 + [2] * 4
    assert sent[4].due - sent[3].due == LOOP_PAUSE
    assert sent[4].bag_time == sent[0].bag_time
    assert [item.message for item in sent[:4]] == [item.message for item in sent[4:8]]


def test_clock_ticks_run_with_the_bag():
    items = list(timeline(lambda: _bag(5, 20 * MS), rate=2.0, clock_period=5 * MS))
    ticks = [item for item in items if item.message is None]
    assert [item.due for item in ticks] == [i * 5 * MS for i in range(9)]
    assert all(item.bag_time == START + 2 * item.due for item in ticks)
    assert [item.due for item in items] == sorted(item.due for item in items)


def test_empty_bag_ends():
    assert list(timeline(lambda: [], loops=1000)) == []


def test_reading_ahead_changes_nothing_and_is_bounded():
    items = list(timeline(lambda: _bag(50)))
    assert list(prefetched(items, max_bytes=8)) == items


def test_error_of_the_reader_arrives_in_its_place():
    def broken():
        yield from list(timeline(lambda: _bag(2)))
        raise BagError("torn")

    seen = []
    with pytest.raises(BagError, match="torn"):
        for item in prefetched(broken()):
            seen.append(item)
    assert len(_messages(seen)) == 2


def test_reader_thread_ends_with_its_user():
    before = threading.active_count()
    reading = prefetched(timeline(lambda: _bag(1000)), max_bytes=16)
    next(reading)
    reading.close()
    assert threading.active_count() == before


def test_stamp_of_either_byte_order():
    for flag, order in ((1, "<"), (0, ">")):
        data = bytes([0, flag, 0, 0]) + struct.pack(order + "iI", 12, 345) + b"rest"
        assert header_stamp(data) == 12_000_000_345
        assert float64(bytes([0, flag, 0, 0]) + struct.pack(order + "d", 2.5)) == 2.5
    with pytest.raises(BagError, match="too short"):
        header_stamp(b"\x00\x01\x00\x00\x01")


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (3, "3"), (0.25, "0.25"), ("a\"b", '"a\\"b"'), (["x", ""], '["x", ""]')],
)
def test_parameters_as_ros_arguments(value, text):
    assert parameter_text(value) == text

"""Conditions of `egmt evaluate compare`: what is read, what is refused, what fails."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.errors import ConfigError
from egmt_ros.evaluation.compare.figures import Compared, Figure, Measured, unmeasured
from egmt_ros.evaluation.compare.gates import Gate, judge, known, parse_gate, resolve
from egmt_ros.evaluation.replay.intervals import Interval

NOTHING = unmeasured("not here")
FIGURES = [
    Figure("metric.qabf", "Qabf", 1, NOTHING, ("qabf",)),
    Figure("labels.traffic_light.ap", "AP", 1, NOTHING),
    Figure("timing.fuse_ms.p50", "fuse", -1, NOTHING, ("timing.fuse_ms", "fuse_ms")),
]
BLANKS = st.text(" \t", max_size=3)
NAMES = st.from_regex(r"[a-z][a-z_]{0,8}(\.[a-z][a-z_ ]{0,8}[a-z])?", fullmatch=True)


def compared(
    mean: float = -0.02,
    low: float = -0.03,
    high: float = -0.01,
    a: float | None = 0.5,
    exact: bool = False,
) -> Compared:
    b = None if a is None else a + mean
    return Compared(
        "metric.qabf", "Qabf", 1, Measured(a, b, Interval(mean, low, high, 100), exact)
    )


@settings(deadline=None, max_examples=40)
@given(
    NAMES,
    st.sampled_from(["<", "<=", ">", ">="]),
    st.floats(-1e6, 1e6, allow_nan=False),
    st.booleans(),
    st.tuples(*[BLANKS] * 4),
)
def test_what_is_written_is_read(
    name: str, operator: str, limit: float, percent: bool, blanks: tuple[str, ...]
):
    parts = (name, operator, repr(limit), "%" if percent else "")
    text = "".join(blank + part for blank, part in zip(blanks, parts, strict=True))
    assert parse_gate(text + "  ") == Gate(text.strip(), name, operator, limit, percent)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=30))
def test_any_text_is_a_condition_or_refused_with_an_example(text: str):
    try:
        gate = parse_gate(text)
    except ConfigError as error:
        assert repr(text) in str(error) and "fuse_ms>10%" in str(error)
    else:
        assert gate.quantity and gate.operator in text and math.isfinite(gate.limit)


@pytest.mark.parametrize(
    "text",
    ["", "qabf", "qabf<", "<0.1", "qabf=0.1", "qabf==0.1", "qabf<a", "qabf<nan", "qabf<inf",
     "qabf<1e999", "0.1<qabf<0.2", "qabf<0.1 0.2", "qabf<0.1%%", "qabf<0.1 ms"],
)  # fmt: skip
def test_no_condition_is_refused(text: str):
    with pytest.raises(ConfigError, match="qabf<-0.01"):
        parse_gate(text)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("qabf", "metric.qabf"), ("QABF", "metric.qabf"), ("metric.qabf", "metric.qabf"),
     ("labels.Traffic light.AP", "labels.traffic_light.ap"),
     ("labels.traffic-light.ap", "labels.traffic_light.ap"),
     ("fuse_ms", "timing.fuse_ms.p50"), ("timing.fuse_ms", "timing.fuse_ms.p50")],
)  # fmt: skip
def test_names_are_found_however_they_are_written(name: str, meant: str):
    assert resolve([parse_gate(f"{name}<0")], FIGURES)[0].quantity == meant


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match="'qbaf' in 'qbaf<0' is no quantity") as error:
        resolve([parse_gate("qabf<0"), parse_gate("qbaf<0")], FIGURES)
    assert known(FIGURES) in str(error.value)
    assert "metric.qabf (qabf)" in known(FIGURES)


@pytest.mark.parametrize(
    ("text", "failed"),
    [("qabf<-0.01", True), ("qabf<-0.02", False), ("qabf<=-0.02", True), ("qabf<-0.025", False),
     ("qabf>-0.03", True), ("qabf>=-0.02", True), ("qabf>0", False),
     ("qabf<-3.9%", True), ("qabf<-4.1%", False)],
)  # fmt: skip
def test_point_difference_decides(text: str, failed: bool):
    outcome = judge(parse_gate(text), compared())
    assert outcome.failed is failed
    assert outcome.value == pytest.approx(-4.0 if "%" in text else -0.02)


@pytest.mark.parametrize(
    ("text", "failed"),
    [("qabf<-0.005", True), ("qabf<-0.01", False), ("qabf<=-0.01", True), ("qabf<-0.015", False),
     ("qabf>-0.035", True), ("qabf>-0.025", False), ("qabf<-1.9%", True), ("qabf<-2.1%", False)],
)  # fmt: skip
def test_surely_wants_the_whole_interval_beyond(text: str, failed: bool):
    outcome = judge(parse_gate(text), compared(), surely=True)
    assert outcome.failed is failed and "[" in outcome.reason


@pytest.mark.parametrize("surely", [False, True])
@pytest.mark.parametrize("limit", ["<-1e9", ">1e9"])
def test_what_was_not_measured_fails(limit: str, surely: bool):
    figure = Compared("metric.qabf", "Qabf", 1, NOTHING(None))
    outcome = judge(parse_gate("qabf" + limit), figure, surely)
    assert outcome.failed and outcome.value is None and "not here" in outcome.reason
    hollow = compared(mean=math.nan)
    assert judge(parse_gate("qabf" + limit), hollow, surely).failed


@pytest.mark.parametrize("a", [None, 0.0])
def test_percent_of_nothing_fails(a: float | None):
    outcome = judge(parse_gate("qabf>50%"), compared(a=a))
    assert outcome.failed and "A's value is 0" in outcome.reason


def test_missing_interval_fails_surely_and_only_then():
    few = compared(low=math.nan, high=math.nan)
    assert not judge(parse_gate("qabf<-0.5"), few).failed
    outcome = judge(parse_gate("qabf<-0.5"), few, surely=True)
    assert outcome.failed and "interval" in outcome.reason


def test_exact_count_is_its_own_interval():
    count = compared(-5.0, math.nan, math.nan, a=300.0, exact=True)
    assert judge(parse_gate("qabf<0"), count, surely=True).failed
    assert not judge(parse_gate("qabf<-5"), count, surely=True).failed

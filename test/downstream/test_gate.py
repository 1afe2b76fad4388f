"""The gate: opens at once, closes late, fails open."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.downstream.gate import Gate, Reason, step
from egmt_ros.downstream.prior import ClassEvidence
from egmt_ros.downstream.settings import GateSettings

MS = 1_000_000
THERE = ClassEvidence(True, 0.9, None)
GONE = ClassEvidence(False, None, None)
NO_PROBE = GateSettings(hold=1.0, probe=0.0)


def run(frames, settings=NO_PROBE, gate=None):
    """Reasons for [(ms, evidence), ...]."""
    gate = gate or Gate()
    reasons = []
    for ms, evidence in frames:
        reason, gate = step(gate, evidence, Reason.NO_LABELS, ms * MS, settings)
        reasons.append(reason)
    return reasons


def test_it_opens_at_once_and_closes_after_the_hold():
    frames = [(0, GONE), (100, THERE), (600, GONE), (1100, GONE), (1101, GONE), (1200, THERE)]
    assert [reason.value for reason in run(frames)] == [
        "absent", "present", "held", "held", "absent", "present",
    ]  # fmt: skip


def test_a_score_about_the_threshold_does_not_make_it_flicker():
    frames = [(33 * i, THERE if i % 7 == 0 else GONE) for i in range(100)]
    assert Reason.ABSENT not in run(frames)


def test_between_two_scores_it_stays_as_it_was():
    settings = GateSettings(open_score=0.7, keep_score=0.4, hold=0.0, probe=0.0)
    scores = [0.5, 0.8, 0.5, 0.41, 0.39, 0.5, 0.7]
    frames = [(i, ClassEvidence(True, score, None)) for i, score in enumerate(scores)]
    assert [reason is Reason.PRESENT for reason in run(frames, settings)] == [
        False, True, True, True, False, False, True,
    ]  # fmt: skip


def test_a_closed_gate_lets_a_frame_pass_now_and_then():
    settings = GateSettings(hold=0.0, probe=1.0)
    frames = [(100 * i, GONE) for i in range(31)]
    passed = [i for i, reason in enumerate(run(frames, settings)) if reason is Reason.PROBE]
    assert passed == [0, 10, 20, 30]


def test_without_evidence_it_runs_and_remembers():
    frames = [(0, THERE), (100, None), (900, GONE), (1500, None), (1600, GONE)]
    assert [reason.value for reason in run(frames)] == [
        "present", "no labels", "held", "no labels", "absent",
    ]  # fmt: skip


def test_it_forgets_when_stamps_go_back():
    assert run([(50_000, THERE), (0, GONE)]) == [Reason.PRESENT, Reason.ABSENT]
    settings = GateSettings(hold=1.0, probe=5.0)
    assert run([(50_000, THERE), (0, GONE), (100, GONE)], settings) == [
        Reason.PRESENT, Reason.PROBE, Reason.ABSENT,
    ]  # fmt: skip


evidences = st.sampled_from([THERE, GONE, None])


@given(
    st.lists(st.tuples(st.integers(1, 400), evidences), max_size=60),
    st.floats(0.0, 2.0),
    st.floats(0.1, 2.0),
)
def test_it_is_closed_only_after_a_whole_hold_without_the_entity(steps, hold, probe):
    gate, now, seen, ran = Gate(), 0, None, None
    settings = GateSettings(hold=hold, probe=probe)
    for pause, evidence in steps:
        now += pause * MS
        reason, gate = step(gate, evidence, Reason.UNKNOWN_CLASS, now, settings)
        if evidence is THERE:
            seen = now
        if reason is Reason.ABSENT:
            assert evidence is GONE
            assert seen is None or now - seen > hold * 1e9
            assert ran is not None and now - ran < probe * 1e9
        else:
            ran = now
        assert (reason is Reason.PRESENT) == (evidence is THERE)

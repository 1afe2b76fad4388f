"""The ablation table: equal budgets, paired differences, intervals, and what it says of them."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.errors import ConfigError, DataError
from egmt_ros.evaluation import ablations_command
from egmt_ros.evaluation.labels.label_metrics import average_precision
from egmt_ros.training import ablation_table
from egmt_ros.training.ablation_table import (
    AP,
    HEADINGS,
    Interval,
    compare,
    macro_ap,
    verdict,
)
from egmt_ros.training.run_record import (
    RunRecord,
    differences,
    read_record,
    read_records,
    write_record,
)

METRICS = ("vif", "vif_min", "qabf", "q_min", "scd", "ssim", "ssim_min", "cc_min")
TARGETS = np.array([[1, -1], [0, 1], [1, 0], [0, 0]], np.int8)


def record(
    ablation: str, seed: int, scores: np.ndarray, probabilities=None, **changed
) -> RunRecord:
    """A run on four pairs; (4,) scores are those of every metric."""
    if probabilities is None:
        probabilities = np.where(TARGETS == 1, 0.9, 0.1)
    whole = RunRecord(
        ablation=ablation,
        seed=seed,
        config={"steps": 3, "loss": {"ssim": 2.0}},
        parameters=1234,
        entities=("person", "car"),
        pairs=(("A", "a"), ("A", "b"), ("B", "a"), ("B", "c")),
        metrics=METRICS,
        scores=np.repeat(np.asarray(scores, float)[:, None], len(METRICS), 1),
        targets=TARGETS,
        probabilities=np.asarray(probabilities, float),
    )
    return replace(whole, **changed)


BASE = np.array([0.5, 0.9, 0.1, 0.7])


def test_a_constant_difference_has_no_width() -> None:
    """However much pairs and seeds differ: what is paired cancels."""
    records = []
    for seed, offset in ((1, 0.0), (2, 5.0), (3, -2.0)):
        records.append(record("full", seed, BASE + offset))
        records.append(record("control", seed, BASE + offset - 0.25))
    table = compare(records)
    assert [row.name for row in table.rows] == ["full", "control"]
    full, control = table.rows
    assert full.differences == {} and control.parameters == 1234
    assert full.means["vif"] == pytest.approx(0.55 + 1.0)
    for metric in HEADINGS:
        expected = 0.0 if metric == AP else -0.25
        assert control.differences[metric] == pytest.approx((*(expected,) * 3, 0.0))
        assert control.differences[metric].sign == (0 if metric == AP else -1)
        assert control.differences[metric].sure == (metric != AP)
    assert (full.means[AP], control.means[AP]) == (1.0, 1.0)


def test_the_interval_of_one_seed_is_that_of_the_mean_of_the_pairs() -> None:
    """Differences 0, 0, 0, 4: a resample's mean is the number of fours, binomial(4, 1/4).

    P(0) = 0.316, P(<= 2) = 0.949, P(<= 3) = 0.996: the 2.5 and 97.5 percentiles are 0 and 3.
    """
    records = [record("full", 1, BASE), record("control", 1, BASE + np.array([0, 0, 0, 4.0]))]
    found = compare(records).rows[1].differences["scd"]
    assert found == pytest.approx((1.0, 0.0, 3.0, np.inf))
    assert found.sign == 0


def test_the_interval_of_seeds_alone_is_that_of_their_mean() -> None:
    """Two seeds, differences 1 and 3 on every pair: a resample has 1, 2 or 3, 1/4, 1/2, 1/4."""
    records = [record("full", seed, BASE) for seed in (1, 2)]
    records += [record("control", 1, BASE + 1.0), record("control", 2, BASE + 3.0)]
    found = compare(records).rows[1].differences["vif"]
    # Student: 2 +- 12.706 * sqrt(2) / sqrt(2).
    assert found == pytest.approx((2.0, 1.0, 3.0, 12.706))
    assert found.sign == 1 and not found.sure


def test_few_seeds_that_agree_in_sign_alone_are_a_hint_and_no_evidence() -> None:
    """Differences 1, 2, 9: all above 0, but 4 +- 4.303 * 4.359 / sqrt(3) = 4 +- 10.83 is not."""
    full = [record("full", seed, BASE) for seed in (1, 2, 3)]
    cases = (((1.0, 2.0, 9.0), "\\*", 10.829), ((4.0, 4.2, 3.8), "\\*\\*", 0.4969))
    for offsets, mark, reach in cases:
        others = [record("control", seed, BASE + offsets[seed - 1]) for seed in (1, 2, 3)]
        found = compare([*full, *others]).rows[1].differences["qabf"]
        assert found.reach == pytest.approx(reach, rel=1e-3)
        # All three draws are the lowest, or the highest, seed in 1 of 27 cases: above 2.5 %.
        assert found[:3] == pytest.approx((4.0, min(offsets), max(offsets)))
        assert (found.sign, found.mark) == (1, mark)
    one = compare([full[0], record("control", 1, BASE + 1.0)]).rows[1].differences["qabf"]
    assert one.sign == 1 and not one.sure


def test_pairs_are_drawn_once_for_all_seeds() -> None:
    """One odd pair in both seeds is one observation, not two.

    With shared draws a resample's mean is binomial(4, 1/4) as with one seed, so 3 at the upper
    end; drawn apart for each seed it would be half a binomial(8, 1/4), P(<= 2.5) = 0.996.
    """
    odd = np.array([0, 0, 0, 4.0])
    records = [record("full", seed, BASE) for seed in (1, 2)]
    records += [record("control", seed, BASE + odd) for seed in (1, 2)]
    assert compare(records).rows[1].differences["vif"][:3] == pytest.approx((1.0, 0.0, 3.0))


def test_average_precision_is_paired_too() -> None:
    worse = np.where(TARGETS == 1, 0.2, 0.8)
    records = []
    for seed in (1, 2):
        records.append(record("full", seed, BASE))
        records.append(record("no-labels", seed, BASE, worse))
    full, none = compare(records).rows
    # person: both positives last of four, as one tie, 2/4; car: last of three.
    assert none.means[AP] == pytest.approx((2 / 4 + 1 / 3) / 2)
    assert none.differences[AP].mean == pytest.approx(none.means[AP] - full.means[AP])
    assert none.differences[AP].sign == -1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), pairs=st.integers(1, 12), levels=st.integers(1, 6))
def test_macro_ap_is_that_of_the_repeated_pairs(seed: int, pairs: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(-1, 2, (pairs, 3))
    scores = rng.integers(0, levels, (pairs, 3)) / levels  # with ties
    drawn = rng.integers(0, pairs, (5, pairs))
    weights = np.stack([np.bincount(row, minlength=pairs) for row in drawn])
    for row, found in zip(drawn, macro_ap(truth, scores, weights), strict=True):
        values = []
        for entity in range(3):
            known = truth[row, entity] >= 0
            value = average_precision(truth[row, entity][known], scores[row, entity][known])
            values += [] if value is None else [value]
        assert found == pytest.approx(np.mean(values) if values else np.nan, nan_ok=True)


def test_the_same_seed_gives_the_same_intervals() -> None:
    rng = np.random.default_rng(0)
    records = [
        record(name, seed, rng.random(4)) for name in ("full", "control") for seed in (1, 2, 3)
    ]
    assert compare(records).rows[1] == compare(records[::-1]).rows[1]
    other = compare(records, bootstrap_seed=1).rows[1].differences["vif"]
    assert other != compare(records).rows[1].differences["vif"]


def test_unequal_budgets_are_refused_and_named() -> None:
    full, control = record("full", 1, BASE), record("control", 1, BASE)
    longer = replace(control, config={"steps": 4, "loss": {"ssim": 2.0}})
    with pytest.raises(ConfigError, match=r"full with seed 1 and control .* steps \(3 and 4\)"):
        compare([full, longer])
    heavier = replace(control, config={"steps": 3, "loss": {"ssim": 3.0}})
    with pytest.raises(ConfigError, match=r"differ in loss\.ssim"):
        compare([full, heavier])
    newer = replace(control, config={**control.config, "added": 1})
    with pytest.raises(ConfigError, match=r"differ in added"):
        compare([full, newer])
    with pytest.raises(ConfigError, match="the pairs they were validated on"):
        compare([full, replace(control, pairs=full.pairs[::-1])])
    with pytest.raises(ConfigError, match="the targets they were validated on"):
        compare([full, replace(control, targets=TARGETS[::-1])])
    with pytest.raises(ConfigError, match="the entities they were validated on"):
        compare([full, replace(control, entities=("car", "person"))])


def test_every_ablation_needs_the_seeds_of_the_full_network() -> None:
    full = [record("full", seed, BASE) for seed in (1, 2)]
    with pytest.raises(ConfigError, match=r"control was trained with seeds \[1\], full with"):
        compare([*full, record("control", 1, BASE)])
    with pytest.raises(ConfigError, match="two runs of full with seed 2"):
        compare([*full, full[1]])
    with pytest.raises(ConfigError, match="no run of 'full'"):
        compare([record("control", 1, BASE)])


def test_differences_name_every_key() -> None:
    first = {"a": 1, "b": {"c": 2, "d": [1, 2]}, "e": None}
    assert differences(first, first) == []
    second = {"a": 1, "b": {"c": 3, "d": [2, 1]}, "f": 1}
    assert [entry.split(" ")[0] for entry in differences(first, second)] == ["b.c", "b.d", "f"]


def test_the_verdict_says_so_where_an_idea_does_not_help() -> None:
    def said(reach: float = 0.1, **means: int) -> str:
        signs = {**dict.fromkeys(HEADINGS, 0), **means}
        found = {key: Interval(v, v - 0.5, v + 0.5, reach) for key, v in signs.items()}
        return verdict(ablation_table.Row("control", "", 1, {}, found))

    assert said() == (
        "no difference from full can be told from 0: no gain from what was cut was found."
    )
    assert said(vif=-1, cc_min=-1) == r"worse than full in VIF\*\*, CCmin\*\*."
    assert said(scd=1) == r"better than full in SCD\*\*; what was cut does not help here."
    mixed = r"worse than full in Qabf\*\*; better than full in SCD\*\*."
    assert said(scd=1, qabf=-1) == mixed
    assert said(2.0, vif=-1) == (
        r"worse than full in VIF\*; no gain from what was cut is beyond what so few seeds give "
        "by chance."
    )


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    probabilities = rng.random((4, 2), np.float32) * np.float32(1e-5)
    written = record("control", 3, rng.random(4), probabilities)
    write_record(tmp_path / "new" / "validation.json", written)
    found = read_record(tmp_path / "new" / "validation.json")
    np.testing.assert_array_equal(found.probabilities.astype(np.float32), probabilities)
    np.testing.assert_allclose(found.scores, written.scores, rtol=1e-8)
    np.testing.assert_array_equal(found.targets, TARGETS)
    for name in ("ablation", "seed", "config", "parameters", "entities", "pairs", "metrics"):
        assert getattr(found, name) == getattr(written, name)
    pair = json.loads((tmp_path / "new" / "validation.json").read_text())["pairs"][2]
    assert (pair["dataset"], pair["name"], pair["targets"]) == ("B", "a", [1, 0])
    assert pair["scores"].keys() == set(METRICS)


@pytest.mark.parametrize(
    "change",
    [
        {"pairs": []},
        {"pairs": [{"dataset": "A"}]},
        {"seed": "first"},
        {"entities": ["person"]},
        {"config": 3},
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "validation.json"
    write_record(path, record("full", 1, BASE))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match="is not the record of a run"):
        read_record(path)
    write_record(path, record("full", 1, BASE * np.nan))
    with pytest.raises(DataError, match="not a finite number"):
        read_record(path)


def test_the_command_prints_the_table(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(DataError, match=r"no validation\.json below"):
        read_records(tmp_path)
    for seed in (1, 2, 3):
        for name, offset in (("full", 0.0), ("sentences", 0.5), ("control", -0.125)):
            path = tmp_path / name / f"seed{seed}" / "validation.json"
            write_record(path, record(name, seed, BASE + offset))
    parser = argparse.ArgumentParser()
    ablations_command.add_arguments(parser)
    out = tmp_path / "table.json"
    assert ablations_command.run(parser.parse_args([str(tmp_path), "--out", str(out)])) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert lines[0] == "3 seeds (1, 2, 3), 3 steps each, 4 validation pairs."
    assert "| full | 1,234 | 0.550 |" in printed
    assert "| control | -0.1250 [-0.1250, -0.1250] \\*\\* |" in printed
    assert "+0.0000 [+0.0000, +0.0000] |" in printed
    assert printed.index("| control |") < printed.index("| sentences |")
    tables = [line for line in lines if line.startswith("|")]
    widths = {line.replace("\\*", "").count("|") for line in tables}
    assert widths == {len(HEADINGS) + 3, len(HEADINGS) + 2}
    assert any(line.startswith("- `sentences`") and "does not help" in line for line in lines)
    table = json.loads(out.read_text())
    assert table["seeds"] == [1, 2, 3]
    control = table["rows"][1]
    assert control["name"] == "control"
    assert control["differences"]["vif"] == {
        "mean": pytest.approx(-0.125),
        "low": pytest.approx(-0.125),
        "high": pytest.approx(-0.125),
        "reach": pytest.approx(0.0),
        "excludes_zero": True,
        "sure": True,
    }

"""What each idea is worth: the ablations' records compared with those of the full network.

Intervals come from a bootstrap over seeds and pairs. With few seeds it knows too little of how
seeds differ: where that is all that differs, the interval of S of them is at most their range,
which misses the truth in 2^(1-S) of the cases, 25 % for three. So each difference also has
Student's t interval of the seeds' means, which is honest about few seeds, and long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from egmt_ros.errors import ConfigError
from egmt_ros.evaluation.labels.label_metrics import average_precisions
from egmt_ros.training.ablation import ABLATIONS, FULL
from egmt_ros.training.run_record import RunRecord, differences

COLUMNS = {
    "vif": "VIF",
    "qabf": "Qabf",
    "scd": "SCD",
    "ssim": "SSIM",
    "vif_min": "VIFmin",
    "q_min": "Qmin",
    "cc_min": "CCmin",
}
"""Fusion metrics of the table, in order, with their headings."""
AP = "macro_ap"
HEADINGS = {**COLUMNS, AP: "macro AP"}
REPLICATES = 2000
LEVEL = 0.95
HINT, EVIDENCE = "\\*", "\\*\\*"
STUDENT_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""97.5 % quantiles of Student's t with 1, 2, ... degrees of freedom; the last one for more, too."""


class Interval(NamedTuple):
    """A mean difference from the full network and how sure it is.

    Attributes:
        mean: The difference.
        low: Lower bound of the bootstrap interval over seeds and pairs.
        high: Its upper bound.
        reach: Half the length of Student's t interval of the seeds' means; infinite for one seed.
    """

    mean: float
    low: float
    high: float
    reach: float

    @property
    def sign(self) -> int:
        """1 or -1 where the bootstrap interval lies above or below 0, 0 where it holds 0."""
        return int(self.low > 0) - int(self.high < 0)

    @property
    def sure(self) -> bool:
        """Neither the bootstrap's interval nor Student's holds 0."""
        return self.sign != 0 and abs(self.mean) > self.reach

    @property
    def mark(self) -> str:
        """What stands behind it in the table."""
        return EVIDENCE if self.sure else HINT if self.sign else ""


@dataclass(frozen=True)
class Row:
    """One ablation.

    Attributes:
        name: Its name.
        description: What was cut.
        parameters: Number of trained values.
        means: Metric -> mean over pairs, then over seeds.
        differences: Metric -> difference from the full network; empty for that itself.
    """

    name: str
    description: str
    parameters: int
    means: dict[str, float]
    differences: dict[str, Interval]


@dataclass(frozen=True)
class AblationTable:
    """The rows, the full network first, and what they rest on."""

    rows: list[Row]
    seeds: list[int]
    pairs: int
    budget: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values; an interval also has "excludes_zero" and "sure"; no infinities."""
        rows = []
        for row in self.rows:
            intervals = {
                metric: {
                    **found._asdict(),
                    "reach": found.reach if np.isfinite(found.reach) else None,
                    "excludes_zero": found.sign != 0,
                    "sure": found.sure,
                }
                for metric, found in row.differences.items()
            }
            rows.append({**asdict(row), "differences": intervals})
        settings = {"replicates": REPLICATES, "level": LEVEL}
        return {**asdict(self), "rows": rows, "bootstrap": settings}


def compare(records: Sequence[RunRecord], bootstrap_seed: int = 0) -> AblationTable:
    """Compare every ablation with the full network, seed by seed and pair by pair.

    Raises:
        ConfigError: The runs are not of one budget, on one set of pairs, with the same seeds.
    """
    runs = _by_name_and_seed(records)
    check_equal_budgets([runs[name][seed] for name in runs for seed in runs[name]])
    seeds = list(runs[FULL])
    pairs = len(records[0].pairs)
    draws = _Draws(len(seeds), pairs, bootstrap_seed)
    known = {name: _Scores([by_seed[seed] for seed in seeds]) for name, by_seed in runs.items()}
    replicates = {name: scores.replicates(draws) for name, scores in known.items()}
    by_seed_means = {name: scores.means() for name, scores in known.items()}
    means = {
        name: {metric: float(values.mean()) for metric, values in of_metrics.items()}
        for name, of_metrics in by_seed_means.items()
    }
    rows = []
    for name, by_seed in runs.items():
        found = {}
        if name != FULL:
            for metric in HEADINGS:
                spread = replicates[name][metric] - replicates[FULL][metric]
                paired = by_seed_means[name][metric] - by_seed_means[FULL][metric]
                found[metric] = Interval(float(paired.mean()), *_bounds(spread), _reach(paired))
        description = ABLATIONS[name].description if name in ABLATIONS else ""
        parameters = by_seed[seeds[0]].parameters
        rows.append(Row(name, description, parameters, means[name], found))
    return AblationTable(rows, seeds, pairs, records[0].config)


def check_equal_budgets(records: Sequence[RunRecord]) -> None:
    """Refuse runs that differ in more than what was cut and in the seed.

    Raises:
        ConfigError: It names the first runs that differ, and in what.
    """
    first = records[0]
    for record in records[1:]:
        different = differences(first.config, record.config)
        for key in ("entities", "pairs", "metrics"):
            if getattr(first, key) != getattr(record, key):
                different.append(f"the {key} they were validated on")
        if not different and not np.array_equal(first.targets, record.targets):
            different.append("the targets they were validated on")
        if different:
            raise ConfigError(
                f"{first.label} and {record.label} differ in {', '.join(different)}; "
                "only runs of one budget can be compared: train them again with one configuration"
            )


def macro_ap(truth: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean over the entities of the average precision of resamples.

    Args:
        truth: (N, E) 1, 0 or -1 (unknown).
        scores: (N, E).
        counts: (R, N) how often each resample holds each pair.

    Returns:
        (R,), each over the entities of which it holds a positive and a negative; NaN without any.
    """
    columns = zip(truth.T, scores.T, strict=True)
    found = np.stack([average_precisions(t, s, counts) for t, s in columns])
    there = np.isfinite(found)
    total = np.where(there, found, 0.0).sum(0)
    return np.where(there.any(0), total / np.maximum(there.sum(0), 1), np.nan)


class _Draws:
    """How often each replicate of the bootstrap counts each seed and each pair.

    Seeds are drawn with replacement, then pairs, the same pairs for all seeds drawn, since every
    network sees the same ones: Owen, "The pigeonhole bootstrap", Annals of Applied Statistics
    1(2), 2007, which errs on the side of long intervals. The draws are shared by all ablations.
    """

    def __init__(self, seeds: int, pairs: int, bootstrap_seed: int) -> None:
        rng = np.random.default_rng(bootstrap_seed)
        self.seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), REPLICATES)
        self.pairs = rng.multinomial(pairs, np.full(pairs, 1 / pairs), REPLICATES)


class _Scores:
    """What the runs of one ablation reached, a run for each seed."""

    def __init__(self, runs: Sequence[RunRecord]) -> None:
        self._runs = runs

    def means(self) -> dict[str, np.ndarray]:
        """Metric -> (S,) mean over pairs, by seed."""
        pairs = np.ones((1, len(self._runs[0].pairs)), int)
        return {metric: self._weighted(metric, pairs)[0] for metric in HEADINGS}

    def replicates(self, draws: _Draws) -> dict[str, np.ndarray]:
        """Metric -> (R,) mean over the pairs and seeds that each replicate drew."""
        total = draws.seeds.sum(1)
        return {
            metric: (self._weighted(metric, draws.pairs) * draws.seeds).sum(1) / total
            for metric in HEADINGS
        }

    def _weighted(self, metric: str, weights: np.ndarray) -> np.ndarray:
        """(R, S) mean of a metric over pairs that count `weights` (R, N) times, by seed."""
        if metric == AP:
            columns = [macro_ap(run.targets, run.probabilities, weights) for run in self._runs]
        else:
            columns = [
                weights @ run.scores[:, run.metrics.index(metric)] / weights.sum(1)
                for run in self._runs
            ]
        return np.stack(columns, 1)


def _bounds(spread: np.ndarray) -> tuple[float, float]:
    """The percentile interval of replicates; those without any value (NaN) are left out."""
    if np.isnan(spread).all():
        return float("nan"), float("nan")
    tail = 50.0 * (1.0 - LEVEL)
    low, high = np.nanpercentile(spread, [tail, 100.0 - tail])
    return float(low), float(high)


def _reach(values: np.ndarray) -> float:
    """Half the length of Student's t interval of the mean of a few values."""
    freedom = len(values) - 1
    if freedom == 0:
        return float("inf")
    quantile = STUDENT_T[min(freedom, len(STUDENT_T)) - 1]
    return float(quantile * values.std(ddof=1) / np.sqrt(len(values)))


def _by_name_and_seed(records: Sequence[RunRecord]) -> dict[str, dict[int, RunRecord]]:
    """Ablation -> seed -> record, the full network first, the others as in ABLATIONS."""
    found: dict[str, dict[int, RunRecord]] = {}
    for record in records:
        by_seed = found.setdefault(record.ablation, {})
        if record.seed in by_seed:
            raise ConfigError(f"there are two runs of {record.label}; remove one of them")
        by_seed[record.seed] = record
        missing = sorted(COLUMNS.keys() - set(record.metrics))
        if missing:
            raise ConfigError(f"{record.label} lacks {missing[0]}; train it again")
    if FULL not in found:
        raise ConfigError(f"there is no run of {FULL!r} to compare with; train it first")
    seeds = sorted(found[FULL])
    for name, by_seed in found.items():
        if sorted(by_seed) != seeds:
            raise ConfigError(
                f"{name} was trained with seeds {sorted(by_seed)}, {FULL} with {seeds}; "
                "train the missing ones, or remove the surplus ones: budgets must be equal"
            )
    order = [*ABLATIONS, *sorted(found.keys() - ABLATIONS.keys())]
    return {name: {seed: found[name][seed] for seed in seeds} for name in order if name in found}


def markdown(table: AblationTable) -> str:
    """The means, the differences and a sentence on each idea."""
    others = [row for row in table.rows if row.differences]
    lines = [
        f"{len(table.seeds)} seeds ({', '.join(map(str, table.seeds))}), "
        f"{table.budget.get('steps')} steps each, {table.pairs} validation pairs.",
        "",
        f"| ablation | parameters | {' | '.join(HEADINGS.values())} |",
        "|---" * (len(HEADINGS) + 2) + "|",
    ]
    for row in table.rows:
        cells = [f"{row.means[metric]:.3f}" for metric in HEADINGS]
        lines.append(f"| {row.name} | {row.parameters:,} | {' | '.join(cells)} |")
    if others:
        lines += [
            "",
            f"Difference from {FULL}, same seeds and pairs, {LEVEL:.0%} interval ({HINT} excludes "
            f"0; {EVIDENCE} so does Student's t interval of the seeds' means)",
            "",
            f"| ablation | {' | '.join(HEADINGS.values())} |",
            "|---" * (len(HEADINGS) + 1) + "|",
        ]
    for row in others:
        cells = [_cell(row.differences[metric]) for metric in HEADINGS]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    if others:
        count = len(table.seeds)
        lines += [
            "",
            f"Intervals: pigeonhole bootstrap over seeds and pairs, {REPLICATES} replicates. It "
            f"trusts few seeds too much: if seeds alone made the difference, {HINT} would stand "
            f"by chance in {2.0 ** (1 - count):.0%} of the cells with {count} of them; read it as "
            f"a hint. {EVIDENCE} would in {1 - LEVEL:.0%}, so in about "
            f"{(1 - LEVEL) * len(others) * len(HEADINGS):.1f} of these "
            f"{len(others) * len(HEADINGS)} cells.",
            "",
            *(f"- `{row.name}` ({row.description}): {verdict(row)}" for row in others),
        ]
    return "\n".join(lines)


def verdict(row: Row) -> str:
    """What an ablation's intervals say about what it cuts or replaces."""
    named = {
        sign: [
            f"{HEADINGS[metric]}{found.mark}"
            for metric, found in row.differences.items()
            if found.sign == sign
        ]
        for sign in (-1, 1)
    }
    if not named[-1] and not named[1]:
        return f"no difference from {FULL} can be told from 0: no gain from what was cut was found."
    said = [
        f"{word} than {FULL} in {', '.join(named[sign])}"
        for sign, word in ((-1, "worse"), (1, "better"))
        if named[sign]
    ]
    if not named[-1]:
        said.append("what was cut does not help here")
    elif not any(found.sure for found in row.differences.values() if found.sign < 0):
        said.append("no gain from what was cut is beyond what so few seeds give by chance")
    return "; ".join(said) + "."


def _cell(found: Interval) -> str:
    return f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}] {found.mark}".rstrip()

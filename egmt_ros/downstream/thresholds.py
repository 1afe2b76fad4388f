"""A detector's threshold under a prior.

A detector was trained where its class has some base rate b. Its score c, taken as a probability,
contains that rate. In a scene where the class has the probability s instead, two-class Bayes
replaces the prior odds and keeps the likelihood ratio:

    logit c' = logit c + (logit s - logit b)

(Saerens, Latinne, Decaestecker, "Adjusting the outputs of a classifier to new a priori
probabilities", Neural Computation 14, 2002, equation 2.4, for two classes.) To ask c' >= t is to
ask c >= t' with

    logit t' = logit t - (logit s - logit b)

What this assumes, and why the shift is clamped: that detector and labels are calibrated, that the
odds of a scene carry over to a box in it, and that both saw different evidence. The last is never
quite true of two networks that look at the same scene. `weight` below 1 discounts the prior for
it, as a logarithmic opinion pool does (Genest, Zidek, "Combining probability distributions",
Statistical Science 1, 1986).
"""

from __future__ import annotations

import math

from egmt_ros.downstream.settings import ShiftSettings


def log_odds(probability: float) -> float:
    """ln(p / (1 - p)) of a probability 0..1; -inf for 0, inf for 1."""
    if probability <= 0.0:
        return -math.inf
    if probability >= 1.0:
        return math.inf
    return math.log(probability) - math.log1p(-probability)


def probability(odds: float) -> float:
    """The probability, 0..1, of finite log odds."""
    if odds < 0.0:
        return math.exp(odds) / (1.0 + math.exp(odds))
    return 1.0 / (1.0 + math.exp(-odds))


def threshold_shift(
    score: float | None, present: bool, base_rate: float, settings: ShiftSettings
) -> float:
    """What is added to the log odds of a threshold; negative: the threshold falls.

    It falls only for what is present, by at most `max_lowering`, and rises by at most
    `max_raising`. Without a score nothing is known and it stays.

    Args:
        score: Probability of the class in this scene, 0..1, None: unknown.
        present: Whether that reaches the label's threshold.
        base_rate: The probability of the class where the detector's threshold was chosen, 0..1,
            both excluded.
        settings: Weight and limits.
    """
    if score is None or settings.weight == 0.0:
        return 0.0
    shift = settings.weight * (log_odds(base_rate) - log_odds(score))
    lowest = -settings.max_lowering if present else 0.0
    return min(max(shift, lowest), settings.max_raising)


def shifted_threshold(threshold: float, shift: float, floor: float) -> float:
    """A threshold with a shift of its log odds.

    Args:
        threshold: The detector's own, 0..1, both excluded.
        shift: See `threshold_shift`.
        floor: The threshold is not lowered below this; one that is below already stays.
    """
    if shift == 0.0:
        return threshold
    shifted = probability(log_odds(threshold) + shift)
    if shift > 0.0:  # there and back, rounding may take more than a tiny shift adds
        return max(shifted, threshold)
    return max(min(shifted, threshold), min(floor, threshold))

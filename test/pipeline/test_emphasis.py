"""Emphasis as people write it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.emphasis import LARGEST_EMPHASIS, emphasis_weights, parse_emphasis

NAMES = ("person", "traffic light", "sky")


def test_entries_and_weights() -> None:
    factors = parse_emphasis(["person=2.0", " traffic light = 0.5", "", "a=b=1e0"])
    assert factors == {"person": 2.0, "traffic light": 0.5, "a=b": 1.0}
    assert parse_emphasis([""]) == parse_emphasis([]) == {}
    weights = emphasis_weights(NAMES, {"sky": 0, "person": 4})
    np.testing.assert_array_equal(weights, np.array([4, 1, 0], np.float32))
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(emphasis_weights(NAMES, {}), np.ones(3))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("person", "'person' is not of the form entity=factor"),
        ("=2", "'=2' is not of the form"),
        ("person=", "'person' is ''; expected a number from 0 to 4"),
        ("person=much", "'person' is 'much'"),
        ("person=-0.1", "'person' is -0.1; expected a number from 0 to 4"),
        ("person=4.01", "'person' is 4.01"),
        ("person=nan", "'person' is nan"),
        ("person=inf", "'person' is inf"),
    ],
)
def test_entries_that_mean_nothing(entry: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_emphasis(["sky=1", entry])


def test_entities_named_twice_or_unknown() -> None:
    with pytest.raises(ConfigError, match="'sky' twice"):
        parse_emphasis(["sky=1", "sky=1"])
    with pytest.raises(ConfigError, match="'persons', .* of 3; did you mean 'person'"):
        emphasis_weights(NAMES, {"persons": 1.0})
    with pytest.raises(ConfigError, match="'zebra', .*; it has person, traffic light, sky"):
        emphasis_weights(NAMES, {"zebra": 1.0})
    with pytest.raises(ConfigError, match="-1; expected"):
        emphasis_weights(NAMES, {"sky": -1.0})


@given(st.lists(st.text(max_size=12), max_size=4))
def test_any_text_is_refused_or_in_range(entries: list[str]) -> None:
    try:
        factors = parse_emphasis(entries)
    except ConfigError as refusal:
        assert "emphasis" in str(refusal)
    else:
        for name, factor in factors.items():
            assert name.strip() and math.isfinite(factor) and 0 <= factor <= LARGEST_EMPHASIS

"""ROS parameter files and NAME:=VALUE, read without ROS."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from egmt_ros.errors import ConfigError
from egmt_ros.node_core.parameter_file import parse_assignments, read_parameter_file
from egmt_ros.node_core.parameters import build, defaults

ROOT = Path(__file__).resolve().parents[2]


def put(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def test_the_default_file_has_every_default():
    values = read_parameter_file(ROOT / "config" / "fusion.yaml")
    assert set(values) == set(defaults())
    assert build(values) == build({})


@pytest.mark.parametrize(
    "head", ["/**", "/*", "egmt_fusion", "/egmt_fusion", "/front/egmt_fusion", "other_name"]
)
def test_sections_for_the_node_nested_or_with_dots(tmp_path, head):
    text = (
        f"{head}:\n  ros__parameters:\n    sync.max_gap: 0.02\n    thermal:\n      invert: true\n"
    )
    assert read_parameter_file(put(tmp_path, text)) == {
        "sync.max_gap": 0.02,
        "thermal.invert": True,
    }


def test_sections_apply_in_the_order_of_the_file_and_others_do_not(tmp_path):
    text = """
/**:
  ros__parameters: {sync.max_gap: 0.01, use_sim_time: true, sync.wait: 0.2}
camera:
  ros__parameters: {exposure: 3}
front:
  egmt_fusion:
    ros__parameters: {sync.max_gap: 1e-2, thermal: {fixed_min: .nan}}
"""
    values = read_parameter_file(put(tmp_path, text))
    assert values.pop("thermal.fixed_min") != values.get("thermal.fixed_min")  # NaN
    assert values == {"sync.max_gap": 0.01, "sync.wait": 0.2}
    assert type(values["sync.max_gap"]) is float
    assert not math.isnan(build(values).sync.max_gap)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not YAML"),
        ("", "has no ros__parameters"),
        ("sync:\n  max_gap: 1.0\n", "has no ros__parameters"),
        ("/**:\n  ros__parameters:\n    sync.max_gpa: 1.0\n", "did you mean sync.max_gap"),
        ("/**:\n  ros__parameters:\n    zzz: 1\n", "zzz is not known; docs/parameters.md"),
        (
            "a:\n  ros__parameters: {autostart: true}\nb:\n  ros__parameters: {autostart: true}\n",
            "is for a, b; expected a section for egmt_fusion",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        read_parameter_file(put(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="nothing.yaml cannot be read"):
        read_parameter_file(tmp_path / "nothing.yaml")


def test_assignments():
    given = [
        "sync.max_gap:=2e-2",
        "thermal.invert:=true",
        'entities.names:=["person", "car"]',
        "registration.translation:=0.1 0 0",
        "model.weights:=7",
    ]
    values = parse_assignments(given)
    assert values == {
        "sync.max_gap": 0.02,
        "thermal.invert": True,
        "entities.names": ["person", "car"],
        "registration.translation": "0.1 0 0",
        "model.weights": "7",
    }
    for text, words in (
        ("sync.max_gap=1", "expected NAME:=VALUE"),
        (":=1", "expected NAME:=VALUE"),
        ("sync.max_gpa:=1", "did you mean"),
        ("entities.names:=[", "is not YAML"),
    ):
        with pytest.raises(ConfigError, match=words):
            parse_assignments([text])

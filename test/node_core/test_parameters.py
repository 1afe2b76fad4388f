"""The parameter table: checks, groups, and the file that lists it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.errors import ConfigError
from egmt_ros.node_core.parameters import BY_NAME, SPECS, Applies, build, defaults
from egmt_ros.pipeline.thermal import MODES
from egmt_ros.pipeline.thermal_encoding import ENCODINGS
from egmt_ros.ros.parameter_reference import COMMAND, reference

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config" / "fusion.yaml"


def flatten(tree, prefix=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def test_fusion_yaml_lists_exactly_the_declared_parameters_with_their_defaults():
    document = yaml.safe_load(CONFIG.read_text())
    assert list(document) == ["/**"]
    listed = dict(flatten(document["/**"]["ros__parameters"]))
    assert set(listed) == set(defaults())
    for name, default in defaults().items():
        assert type(listed[name]) is type(default), name
        both_nan = isinstance(default, float) and math.isnan(default) and math.isnan(listed[name])
        assert both_nan or listed[name] == default, name


def test_the_reference_is_made_from_the_declarations():
    written = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    assert written == reference(), f"run: {COMMAND}"
    for name in BY_NAME:
        assert written.count(f"| `{name}` |") == 1, name


def test_defaults_are_valid_and_reach_their_groups():
    parameters = build({})
    assert parameters.autostart is True
    assert parameters.input.thermal.qos == "sensor_data"
    assert parameters.sync.max_gap == 0.05
    assert parameters.thermal.fixed_range is None
    assert parameters == build(defaults())


def test_every_parameter_is_described_and_in_range():
    for spec in SPECS:
        assert spec.description.endswith("."), spec.name
        assert (spec.low is None) == (spec.high is None), spec.name
        spec.check(spec.default)
    assert [spec.name for spec in SPECS if spec.read_only] == ["autostart"]


def test_an_integer_is_accepted_for_a_double():
    assert build({"sync.max_gap": 1}).sync.max_gap == 1.0
    assert build({"thermal.fixed_min": 0, "thermal.fixed_max": 100}).thermal.fixed_range == (0, 100)


def test_arrays_of_names_and_factors():
    entities = build({"entities.names": ["sky", "", "traffic light"]}).entities
    assert entities.names == ("sky", "traffic light")
    assert build({}).entities.names == build({"entities.names": []}).entities.names == ()
    emphasis = ("person=2.0", "sky=0")
    assert build({"entities.emphasis": emphasis}).entities.factors == {"person": 2.0, "sky": 0.0}
    assert build({"entities.text_encoder": "clip:/models/clip"}).entities.names == ()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sync.max_gap": -0.1}, ["sync.max_gap", "-0.1", "0 to 10"]),
        ({"sync.max_gap": "0.1"}, ["sync.max_gap", "'0.1'", "double"]),
        ({"sync.max_gap": math.nan}, ["sync.max_gap", "nan"]),
        ({"sync.max_gap": True}, ["sync.max_gap", "True", "double"]),
        ({"sync.max_gap": None}, ["sync.max_gap", "None"]),
        ({"model.threads": 2.5}, ["model.threads", "integer"]),
        ({"model.threads": True}, ["model.threads", "integer"]),
        ({"autostart": 1}, ["autostart", "bool"]),
        ({"model.device": "gpu"}, ["model.device", "'gpu'", "cuda:N"]),
        ({"model.device": "cuda:"}, ["model.device"]),
        ({"model.runtime": "onnx"}, ["model.runtime", "'onnx'", "auto, torch, openvino"]),
        ({"model.precision": "int8"}, ["model.precision", "'int8'", "float32, bfloat16"]),
        ({"model.warm_up_width": 10}, ["model.warm_up_width", "at least 64"]),
        ({"input.thermal.qos": "best_effort"}, ["input.thermal.qos", "sensor_data, reliable"]),
        ({"input.visible.depth": -1}, ["input.visible.depth", "0 to 1000"]),
        ({"sync.policy": "x"}, ["sync.policy", "'x'", "nearest, approximate_time, exact_time"]),
        (
            {"sync.policy": "approximate_time", "sync.max_gap": 0.0},
            ["sync.max_gap is 0", "exact_time"],
        ),
        (
            {"sync.policy": "exact_time", "sync.reuse_thermal": True},
            ["sync.reuse_thermal", "nearest"],
        ),
        ({"sync.queue_size": 1}, ["sync.queue_size", "2 to 2000"]),
        ({"sync.on_missing": "drop"}, ["sync.on_missing", "wait, passthrough"]),
        ({"sync.missing_timeout": 0.0}, ["sync.missing_timeout", "0.05 to 600"]),
        ({"thermal.encoding": "kelvin"}, ["thermal.encoding", "'kelvin'", "centikelvin"]),
        ({"thermal.scale": 0.0}, ["thermal.scale", "0.0", "1e-09 to"]),
        ({"thermal.offset": math.nan}, ["thermal.offset", "nan"]),
        ({"thermal.invert": 1}, ["thermal.invert", "bool"]),
        ({"thermal.fixed_min": 3.0}, ["thermal.fixed_min", "thermal.fixed_max", "both"]),
        (
            {"thermal.fixed_min": 3.0, "thermal.fixed_max": 3.0},
            ["thermal.fixed_min", "two different"],
        ),
        (
            {"thermal.fixed_min": 0.0, "thermal.fixed_max": math.inf},
            ["thermal.fixed_max", "finite"],
        ),
        ({"thermal.percentile_low": 99.5}, ["thermal.percentile_low", "low below high"]),
        ({"registration.mode": "warp"}, ["registration.mode", "none, scale, homography"]),
        (
            {"registration.mode": "homography"},
            ["parameter registration.mode", "registration.homography", "egmt calibrate"],
        ),
        (
            {"registration.mode": "homography", "registration.homography": "/none.yaml"},
            ["parameter registration.homography", "/none.yaml", "nine numbers"],
        ),
        (
            {"registration.mode": "homography", "registration.homography": "1 0 0 0 1 0 0 0"},
            ["parameter registration.homography", "8 numbers"],
        ),
        (
            {
                "registration.mode": "homography",
                "registration.homography": "1 0 0 0 1 0 0 0 1",
                "output.reference": "thermal",
            },
            ["registration.mode", "output.reference", "visible"],
        ),
        ({"output.reference": "fused"}, ["output.reference", "visible"]),
        ({"entities.threshold": 1.5}, ["entities.threshold", "-1 to 1"]),
        ({"entities.names": ["car", "car"]}, ["entities.names", "'car' twice"]),
        ({"entities.names": "car"}, ["entities.names", "string array", "['']"]),
        ({"entities.names": [1]}, ["entities.names", "string array"]),
        ({"entities.text_encoder": "bert"}, ["entities.text_encoder", "'bert'", "minilm"]),
        ({"entities.text_encoder": "clip"}, ["entities.text_encoder", "clip:FOLDER"]),
        ({"entities.emphasis": ["car"]}, ["entities.emphasis", "'car'", "entity=factor"]),
        ({"entities.emphasis": ["car=5"]}, ["entities.emphasis", "5", "0 to 4"]),
        ({"diagnostics.period": 0}, ["diagnostics.period", "0.1 to 60"]),
        ({"sync.maxgap": 1.0}, ["sync.maxgap", "not known"]),
    ],
)
def test_a_bad_value_is_refused_with_its_name_value_and_what_was_expected(values, words):
    with pytest.raises(ConfigError) as refusal:
        build(values)
    for word in words:
        assert word in str(refusal.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as refusal:
        build({"sync.max_gap": -1.0, "output.depth": -1, "model.device": "tpu"})
    assert len(str(refusal.value).splitlines()) == 3


@given(st.dictionaries(st.sampled_from(sorted(BY_NAME)), st.from_type(object), max_size=4))
def test_any_values_are_either_refused_or_valid(values):
    try:
        parameters = build(values)
    except ConfigError as refusal:
        assert any(name in str(refusal) for name in values)
    else:
        assert build(values) == parameters


def test_what_configure_reads_says_so():
    assert BY_NAME["model.device"].applies is Applies.CONFIGURE
    assert BY_NAME["sync.max_gap"].applies is Applies.NOW


def test_the_parameters_offer_what_the_pipeline_has():
    assert BY_NAME["thermal.encoding"].choices == ENCODINGS
    assert BY_NAME["thermal.range_mode"].choices == MODES


def test_the_parameters_offer_what_the_engine_has():
    runtime = pytest.importorskip("egmt_ros.pipeline.runtime", reason="torch is not installed")
    assert BY_NAME["model.runtime"].choices == runtime.RUNTIMES
    assert BY_NAME["model.precision"].choices == runtime.PRECISIONS

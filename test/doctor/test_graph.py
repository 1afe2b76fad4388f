"""Checks of a running graph, with made-up graphs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from egmt_ros.doctor import graph
from egmt_ros.doctor.finding import Level
from egmt_ros.doctor.graph import IMAGE, Endpoint, Graph, Status, Topic
from egmt_ros.resources import config_path

NODE = "/egmt_fusion"
OURS = Endpoint(NODE, IMAGE, "reliable")
CAMERA = Endpoint("/camera", IMAGE, "best_effort")
THERMAL = Topic("/thermal", "~/input/thermal/image", True, OURS, (CAMERA,))
OUTPUT = Topic("/fused", "~/output/image", False, replace(OURS, reliability="best_effort"),
               (Endpoint("/viewer", IMAGE, "reliable"),))  # fmt: skip


def test_an_incompatible_input_names_topic_both_sides_and_parameter() -> None:
    (finding,) = graph.check_qos(THERMAL)
    assert finding.level is Level.PROBLEM and finding.name == "/thermal"
    assert finding.found == (
        "reliability: /egmt_fusion requests reliable, /camera offers best_effort"
    )
    assert "set input.thermal.qos: sensor_data" in finding.remedy


def test_an_incompatible_output_names_topic_both_sides_and_parameter() -> None:
    (finding,) = graph.check_qos(OUTPUT)
    assert finding.found == (
        "reliability: /egmt_fusion offers best_effort, /viewer requests reliable"
    )
    assert "set output.qos: reliable" in finding.remedy


@pytest.mark.parametrize(
    ("ours", "theirs", "policies"),
    [
        ({"reliability": "best_effort"}, {"reliability": "reliable"}, []),
        ({"durability": "transient_local"}, {"reliability": "reliable"}, ["durability"]),
        ({"deadline": 0.1}, {"reliability": "reliable"}, ["deadline"]),
        ({"deadline": 0.1}, {"reliability": "reliable", "deadline": 0.05}, []),
        ({"liveliness": "manual_by_topic"}, {}, ["reliability", "liveliness"]),
        ({}, {"reliability": "unknown"}, []),
    ],
)
def test_requests_and_offers(ours: dict, theirs: dict, policies: list[str]) -> None:
    topic = replace(THERMAL, ours=replace(OURS, **ours), theirs=(replace(CAMERA, **theirs),))
    found = graph.incompatible(topic, topic.theirs[0])
    assert [policy for policy, _, _ in found] == policies


def test_the_parameters_that_are_named_exist() -> None:
    parameters = yaml.safe_load(config_path("fusion.yaml").read_text())["/**"]["ros__parameters"]
    for name in graph.PARAMETERS.values():
        value = parameters
        for part in name.split("."):
            value = value[part]


def test_another_type_is_a_problem_and_its_qos_does_not_matter() -> None:
    compressed = replace(CAMERA, kind="sensor_msgs/msg/CompressedImage")
    topic = replace(THERMAL, theirs=(compressed,))
    (finding,) = graph.check_types(topic)
    assert finding.level is Level.PROBLEM and "input.*.transport" in finding.remedy
    assert graph.check_qos(topic) == []
    assert graph.check_types(THERMAL) == []


def test_an_input_without_a_publisher_names_what_might_be_meant() -> None:
    finding = graph.check_partners(replace(THERMAL, theirs=()), ["/flir/image", "/thermal"])
    assert finding.level is Level.PROBLEM
    assert "remap ~/input/thermal/image" in finding.remedy and "/flir/image" in finding.remedy
    calibration = replace(OURS, kind="sensor_msgs/msg/CameraInfo")
    assert graph.check_partners(replace(THERMAL, theirs=(), ours=calibration)).level is Level.OK
    assert graph.check_partners(THERMAL).found == "published by /camera"
    assert graph.check_partners(OUTPUT).found == "1 subscriber (/viewer)"


@pytest.mark.parametrize(
    ("topic", "rate", "level"),
    [(THERMAL, 29.97, Level.OK), (THERMAL, 0.0, Level.PROBLEM), (OUTPUT, 0.0, Level.WARNING),
     (replace(THERMAL, theirs=()), 0.0, Level.OK)],
)  # fmt: skip
def test_rates(topic: Topic, rate: float, level: Level) -> None:
    assert graph.check_rate(replace(topic, rate=rate), 5.0).level is level


@pytest.mark.parametrize(
    ("nodes", "level"),
    [((), Level.WARNING), ((NODE,), Level.OK), (("/a/n", "/b/n"), Level.WARNING),
     ((NODE, NODE), Level.PROBLEM)],
)  # fmt: skip
def test_nodes(nodes: tuple[str, ...], level: Level) -> None:
    assert graph.check_node(Graph("egmt_fusion", nodes)).level is level


def test_a_node_without_inputs_is_not_configured() -> None:
    seen = Graph("egmt_fusion", (NODE,), (OUTPUT,))
    finding = graph.check_configured(seen)
    assert finding.level is Level.PROBLEM and "lifecycle set /egmt_fusion" in finding.remedy
    assert graph.check_configured(replace(seen, topics=(THERMAL,))).level is Level.OK


def test_statuses_of_the_node_are_passed_on() -> None:
    levels = [graph.check_status(Status("model", level, "says")).level for level in range(4)]
    assert levels == [Level.OK, Level.WARNING, Level.PROBLEM, Level.PROBLEM]


def test_without_a_node_nothing_else_is_said() -> None:
    assert len(graph.check_graph(Graph("egmt_fusion"))) == 1
    whole = Graph("egmt_fusion", (NODE,), (THERMAL, OUTPUT), (Status("model", 0, "active"),))
    assert [finding.name for finding in graph.check_graph(whole)] == [
        "node", "inputs", "/thermal", "/thermal", "/fused", "/fused", "diagnostics, model",
    ]  # fmt: skip

"""The layouts of RViz and Foxglove are well formed and show topics that the node has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml

from egmt_ros.evaluation.live.topics import output_topics
from egmt_ros.evaluation.offline.output_bag import topics_of_run
from egmt_ros.resources import config_path

NODE = "egmt_fusion"
INPUTS = {f"/{NODE}/input/{side}/image" for side in ("thermal", "visible")}
DEBUG = f"/{NODE}/debug/image"
TOPICS = INPUTS | {DEBUG} | {topic.name for topic in output_topics(NODE).values()}


def texts(value: object) -> Iterator[str]:
    """Every text in nested mappings and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def topics_in(value: object) -> set[str]:
    """Topics that are named, without the path into their messages."""
    return {re.match(r"[/\w]+", text)[0] for text in texts(value) if text.startswith("/")}


def test_rviz_shows_the_fused_image_and_the_inputs() -> None:
    layout = yaml.safe_load(config_path("egmt.rviz").read_text(encoding="utf-8"))
    assert topics_in(layout) == INPUTS | {DEBUG, f"/{NODE}/output/image"}
    displays = layout["Visualization Manager"]["Displays"]
    names = [display["Name"] for display in displays]
    assert len(set(names)) == len(names) and set(names) <= set(layout["Window Geometry"])
    # Best effort hears every publisher.
    assert {display["Topic"]["Reliability Policy"] for display in displays} == {"Best Effort"}


def test_foxglove_shows_images_entities_diagnostics_and_latency() -> None:
    layout = json.loads(config_path("foxglove_layout.json").read_text(encoding="utf-8"))
    shown = topics_in(layout["configById"])
    assert shown <= TOPICS
    assert shown >= INPUTS | {
        f"/{NODE}/output/image", f"/{NODE}/output/entities", DEBUG, "/diagnostics",
    }  # fmt: skip
    panels = {text for text in texts(layout["layout"]) if "!" in text}
    assert panels == set(layout["configById"]), "every panel has its place"


def test_both_layouts_open_the_output_bag_of_an_evaluation() -> None:
    written = {role: topic["name"] for role, topic in topics_of_run().items()}
    rviz = topics_in(yaml.safe_load(config_path("egmt.rviz").read_text(encoding="utf-8")))
    text = config_path("foxglove_layout.json").read_text(encoding="utf-8")
    foxglove = topics_in(json.loads(text)["configById"])
    assert written["image"] in rviz
    assert {written["image"], written["entities"]} <= foxglove

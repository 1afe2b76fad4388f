"""config/sros2_policy.xml allows what the running node uses, and nothing else."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path

import pytest

from egmt_ros.resources import config_path

ENCLAVE = "/egmt_fusion"
RULES = {("topic", "publish"), ("topic", "subscribe"), ("service", "reply")}


def allowed() -> dict[tuple[str, str], list[str]]:
    """Names by kind and right, as the policy gives them."""
    policy = ElementTree.parse(config_path("sros2_policy.xml")).getroot()
    assert policy.get("version") == "0.2.0"
    (enclave,) = policy.findall("enclaves/enclave")
    (profile,) = enclave.findall("profiles/profile")
    assert enclave.get("path") == ENCLAVE
    assert profile.attrib == {"ns": "/", "node": "egmt_fusion"}
    found = {}
    for rule in profile:
        ((right, permission),) = rule.attrib.items()
        assert permission == "ALLOW"
        kind = rule.tag.removesuffix("s")
        assert {item.tag for item in rule} == {kind}
        found[kind, right] = [item.text for item in rule]
    assert set(found) == RULES
    return found


def used(rig, namespace: str) -> dict[tuple[str, str], set[str]]:
    """Names that a running node has in the graph, its own with ~."""
    graph = rig.tester
    node = f"{namespace}/egmt_fusion"

    def names(found: Iterable[tuple[str, list[str]]]) -> set[str]:
        return {name.replace(f"{node}/", "~/", 1) for name, _ in found}

    here = ("egmt_fusion", namespace or "/")
    assert names(graph.get_client_names_and_types_by_node(*here)) == set()
    return {
        ("topic", "publish"): names(graph.get_publisher_names_and_types_by_node(*here)),
        ("topic", "subscribe"): names(graph.get_subscriber_names_and_types_by_node(*here)),
        ("service", "reply"): names(graph.get_service_names_and_types_by_node(*here)),
    }


def test_the_policy_names_the_topics_and_services_of_the_running_node(rig) -> None:
    wanted = {rule: set(names) for rule, names in allowed().items()}
    for rule, names in allowed().items():
        assert len(names) == len(wanted[rule]), f"{rule} twice"
    if importlib.util.find_spec("rclpy.type_description_service") is None:  # Humble
        wanted["service", "reply"].remove("~/get_type_description")
    # Of tf2's listener, which is not there everywhere; see test_node_camera_info.
    wanted["topic", "subscribe"] -= {"/tf", "/tf_static"}
    # Those stand for the raw ones with input.*.transport: compressed.
    wanted["topic", "subscribe"] -= {
        f"~/input/{side}/image/compressed" for side in ("thermal", "visible")
    }
    rig.start()
    rig.base = "/second/egmt_fusion"
    other = {"output.reference": "thermal", "use_sim_time": True}
    rig.start(parameters=other, namespace="second")

    def both() -> dict[tuple[str, str], set[str]]:
        first, second = used(rig, ""), used(rig, "/second")
        return {rule: first[rule] | second[rule] for rule in RULES}

    # Services are discovered one by one: what is asked for may come a moment later.
    rig.wait(lambda: all(wanted[rule] <= both()[rule] for rule in RULES), f"{wanted} is there")
    assert both() == wanted, "config/sros2_policy.xml does not name what the node has"


def test_sros2_makes_permissions_of_the_policy(tmp_path: Path, monkeypatch) -> None:
    keystore = pytest.importorskip("sros2.keystore", reason="sros2 is not installed")
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    keystore.create_keystore(tmp_path / "keystore")
    keystore.create_enclave(tmp_path / "keystore", ENCLAVE)
    keystore.create_permission(tmp_path / "keystore", ENCLAVE, config_path("sros2_policy.xml"))
    enclave = tmp_path / "keystore" / "enclaves" / "egmt_fusion"
    assert (enclave / "permissions.p7s").is_file()
    permissions = ElementTree.parse(enclave / "permissions.xml").getroot()
    assert {domain.text for domain in permissions.iter("id")} == {"7"}
    topics = {topic.text for topic in permissions.iter("topic")}
    assert {"rt/egmt_fusion/output/image", "rr/egmt_fusion/enableReply", "rt/clock"} <= topics
    assert not any("*" in topic for topic in topics)

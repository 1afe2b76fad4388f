"""Choosing the Fast DDS profile."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ElementTree
from collections import namedtuple

import pytest

from egmt_ros.ros import dds

NAMESPACE = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"


def test_both_variables_name_the_profile(tmp_path):
    environment = {}
    choice = dds.choose_profile("loopback", environment, shared_memory=tmp_path)
    assert choice.path.name == "dds_loopback.xml"
    assert choice.warning == ""
    assert {environment[name] for name in dds.PROFILE_VARIABLES} == {str(choice.path)}


@pytest.mark.parametrize("name", dds.PROFILE_VARIABLES)
def test_the_users_profile_stays(name, tmp_path):
    environment = {name: "/home/user/mine.xml"}
    choice = dds.choose_profile("robot", environment, shared_memory=tmp_path)
    assert environment == {name: "/home/user/mine.xml"}
    assert str(choice.path) == "/home/user/mine.xml"


def test_another_middleware_is_left_alone(tmp_path):
    environment = {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}
    assert dds.choose_profile("robot", environment, shared_memory=tmp_path).path is None
    assert list(environment) == ["RMW_IMPLEMENTATION"]


def test_little_shared_memory_falls_back_and_says_so(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(2**26, 0, 2**26)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    environment = {}
    choice = dds.choose_profile("robot", environment, shared_memory=tmp_path)
    assert environment == {}
    assert choice.path is None
    assert "64 MB free" in choice.warning and "--shm-size" in choice.warning


def test_only_the_loopback_profile_stays_on_this_machine():
    addresses = {}
    for kind in dds.PROFILES:
        root = ElementTree.parse(dds.profile_path(kind)).getroot()
        addresses[kind] = [node.text for node in root.iter(f"{NAMESPACE}address")]
        sizes = [int(node.text) for node in root.iter(f"{NAMESPACE}segment_size")]
        assert sizes == [64 * 1024 * 1024]
    assert addresses == {"loopback": ["127.0.0.1"], "robot": []}

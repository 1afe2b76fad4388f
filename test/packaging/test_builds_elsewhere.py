"""Dockerfile, workflow and installation guide name what is there, in the versions we know.

None of them can be run here: this holds what would go stale unseen.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
IGNORE = ROOT / "docker" / "Dockerfile.dockerignore"
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
GUIDE = ROOT / "docs" / "installation.md"


def pins() -> dict[str, str]:
    """Version of each package in config/constraints.txt that has one for every Python."""
    lines = (ROOT / "config" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if re.fullmatch(r"[a-z0-9.-]+==\S+", line))


@pytest.mark.parametrize("file", [DOCKERFILE, WORKFLOW, GUIDE], ids=lambda path: path.name)
def test_versions_are_those_of_the_constraints(file: Path) -> None:
    named = re.findall(r"([a-z][a-z0-9.-]+)==([0-9][0-9.]*)", file.read_text(encoding="utf-8"))
    assert {"torch", "safetensors", "rosbags", "setuptools", "openvino"} == {n for n, _ in named}
    known = pins()
    assert {name: known[name] for name, _ in named} == dict(named)


def test_the_dockerfile_copies_what_it_is_sent_and_all_that_setup_installs() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert re.search(r"^FROM ros:jazzy-ros-base-noble$", text, re.MULTILINE)
    lines = IGNORE.read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    for name in sent:
        assert (ROOT / name).exists(), name
    for source in re.findall(r"^COPY (\S+) ", text, re.MULTILINE):
        assert source == "." or (ROOT / source).is_file() and source.split("/")[0] in sent, source
    # setup.py's data_files and packages, and what it reads.
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    folders = {name.split("/")[0] for name in re.findall(r'files_below\("([^"]+)"', setup)}
    assert folders | {"egmt_ros", "resource", "package.xml", "setup.py", "setup.cfg"} <= sent


def test_dockerfile_and_workflow_start_what_is_there() -> None:
    command = DOCKERFILE.read_text(encoding="utf-8").splitlines()[-1]
    package, file = re.fullmatch(r'CMD \["ros2", "launch", "(\w+)", "([\w.]+)"\]', command).groups()
    assert package == ElementTree.parse(ROOT / "package.xml").findtext("name")
    assert (ROOT / "launch" / file).is_file()
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    assert jobs["colcon"]["strategy"]["matrix"]["distro"] == ["humble", "jazzy"]
    assert jobs["colcon"]["container"]["image"] == "ros:${{ matrix.distro }}-ros-base"
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert (ROOT / runs[-1]).is_file(), "the two commands of README.md"
    for text in (*runs, DOCKERFILE.read_text(encoding="utf-8")):
        for paths in re.findall(r"--(?:base|from)-paths (\S+ \S*egmt_msgs)", text):
            for path in paths.replace("src", ".").split():
                assert (ROOT / path / "package.xml").is_file(), path

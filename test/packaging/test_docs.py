"""What the documents say is there: links, messages of the node, parameters, topics, tests."""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from egmt_ros.node_core.parameters import BY_NAME
from egmt_ros.ros.launch_plan import ARGUMENTS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "egmt_ros"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
COMPLAINTS = 11


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.name)
def document(request: pytest.FixtureRequest) -> Path:
    return request.param


def prose(text: str) -> str:
    """Without code blocks."""
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path.read_text(encoding="utf-8")), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def test_links_lead_somewhere(document: Path) -> None:
    found = re.findall(r"\]\(([^)\s]+)\)", prose(document.read_text(encoding="utf-8")))
    for link in found:
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_document_is_reached_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in DOCUMENTS[1:]:
        assert f"docs/{path.name}" in text, path.name


def test_parameters_exist(document: Path) -> None:
    groups = {name.partition(".")[0] for name in BY_NAME if "." in name}
    words = re.findall(r"`([a-z]+\.[a-z_.*]+)(?=[`: ])", document.read_text(encoding="utf-8"))
    for word in words:
        if word.partition(".")[0] in groups and not word.endswith((".py", ".yaml", ".md")):
            pattern = re.compile(re.escape(word).replace(r"\*", "[a-z_]+") + r"(\..*)?")
            assert any(pattern.fullmatch(name) for name in BY_NAME), word


def test_launch_arguments_exist(document: Path) -> None:
    own = {"cameras", "bag", "rate", "loop", "delay", "rviz"}  # of the other launch files
    for name in re.findall(r"(?<![\w/-])([a-z_]+):=", document.read_text(encoding="utf-8")):
        assert name in {*ARGUMENTS, *own, "classes"}, name


def test_every_launch_argument_is_explained() -> None:
    text = (ROOT / "docs" / "launch.md").read_text(encoding="utf-8")
    assert [name for name in ARGUMENTS if f"`{name}`" not in text] == []


@functools.cache
def strings_of_the_package() -> list[str]:
    """Of each module its texts, one after the other; a gap where something is filled in."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py"))
    return [
        "\n".join(
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        for tree in trees
    ]


def quoted_lines(path: Path) -> list[str]:
    """What a document says that the program prints: the lines of its blocks of `text`."""
    blocks = re.findall(r"^ *```text\n(.*?)^ *```$", path.read_text(encoding="utf-8"),
                        re.MULTILINE | re.DOTALL)  # fmt: skip
    return [line.strip() for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_program_prints_what_is_quoted(path: Path) -> None:
    modules = strings_of_the_package()
    for line in quoted_lines(path):
        words = [part.strip() for part in line.split("...") if len(part.strip()) > 3]
        assert any(all(word in module for word in words) for module in modules), line


def test_troubleshooting_quotes_many_lines() -> None:
    assert len(quoted_lines(TROUBLESHOOTING)) >= 25


def test_each_complaint_has_its_tests() -> None:
    text = TROUBLESHOOTING.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| (`test/.*`) \|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, COMPLAINTS + 1))
    for _, cell in rows:
        for name in re.findall(r"`(test/[^`]+)`", cell):
            check_test(name)


def test_tests_that_are_named_exist(document: Path) -> None:
    for name in re.findall(r"`(test/[\w/]+\.py[^`]*)`", document.read_text(encoding="utf-8")):
        check_test(name)


def check_test(name: str) -> None:
    """`test/file.py` or `test/file.py::test_function` is there."""
    file, _, function = name.partition("::")
    source = (ROOT / file).read_text(encoding="utf-8")
    assert "\ndef test_" in source
    assert not function or f"\ndef {function}(" in source, name


def test_the_python_of_the_readme_uses_what_is_there() -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    from egmt_ros.pipeline import FusionEngine
    from egmt_ros.pipeline.results import FusionResult

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    used = {
        (node.value.id, node.attr)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute)
    }
    assert {("FusionEngine", "load"), ("engine", "fuse"), ("result", "image")} <= used
    fields = {field.name for field in dataclasses.fields(FusionResult)}
    for name, attribute in used:
        known = attribute in fields if name == "result" else hasattr(FusionEngine, attribute)
        assert known, f"{name}.{attribute}"


def test_topics_and_services_are_those_of_the_policy() -> None:
    """The policy is held against the running node, by test/ros/test_security_policy.py."""
    policy = ElementTree.parse(ROOT / "config" / "sros2_policy.xml")
    names = {item.text for kind in ("topic", "service") for item in policy.iter(kind)}
    text = (ROOT / "docs" / "topics.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`((?:~|/)[a-z_/]+)`", text))
    assert names <= told
    assert {name for name in told if name.startswith("~/")} <= names

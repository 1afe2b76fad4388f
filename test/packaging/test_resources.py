"""Configuration, weights and message definitions are found in each kind of install."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from egmt_ros import resources
from egmt_ros.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]

WHERE = """
import json
from egmt_ros import resources
import egmt_ros
found = [egmt_ros.__file__, resources.config_path("fusion.yaml"), resources.weights_path(),
         resources.messages_source()]
print(json.dumps([str(path) for path in found]))
"""


@pytest.fixture(scope="module")
def where(python: Callable[..., str]) -> Callable[[str], list[Path]]:
    """Asks a Python with this PYTHONPATH for (module, config, weights, messages)."""

    def ask(path: str | Path, **variables: str) -> list[Path]:
        output = python("-c", WHERE, PYTHONPATH=str(path), **variables)
        return [Path(line) for line in json.loads(output)]

    return ask


@pytest.fixture(scope="module")
def wheel(
    tmp_path_factory: pytest.TempPathFactory,
    copy_checkout: Callable[[Path], Path],
    python: Callable[..., str],
) -> Path:
    """A wheel of this checkout, built without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_checkout(folder / "source")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    python("-m", "pip", "wheel", *options, "--wheel-dir", folder, source)
    (found,) = folder.glob("egmt_ros-*.whl")
    # Whatever still works afterwards does not lean on the sources.
    shutil.rmtree(source)
    return found


def install(python: Callable[..., str], wheel: Path, *options: str | Path) -> None:
    fixed = ("--quiet", "--no-deps", "--no-index", "--no-compile", "--ignore-installed")
    python("-m", "pip", "install", *fixed, *options, wheel)


def test_checkout(where: Callable[[str], list[Path]]) -> None:
    _, config, weights, messages = where(ROOT)
    assert config == ROOT / "config" / "fusion.yaml"
    assert weights == ROOT / "egmt_ros" / "weights" / resources.DEFAULT_WEIGHTS
    assert messages == ROOT / "egmt_msgs"


def test_wheel_in_a_target_folder(
    where: Callable[[str], list[Path]], wheel: Path, python: Callable[..., str], tmp_path: Path
) -> None:
    install(python, wheel, "--target", tmp_path)
    module, config, weights, messages = where(tmp_path)
    assert module == tmp_path / "egmt_ros" / "__init__.py"
    assert config == tmp_path / "share" / "egmt_ros" / "config" / "fusion.yaml"
    assert weights.parent == module.parent / "weights" and weights.is_file()
    assert messages == tmp_path / "share" / "egmt_ros" / "egmt_msgs"
    assert config.read_bytes() == (ROOT / "config" / "fusion.yaml").read_bytes()
    packed = {path.name for path in (messages / "msg").iterdir()}
    assert packed == {path.name for path in (ROOT / "egmt_msgs" / "msg").iterdir()}


def test_wheel_in_a_virtual_environment(
    wheel: Path, fresh_environment: dict[str, str], python: Callable[..., str], tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    python("-m", "venv", "--without-pip", venv)
    install(python, wheel, "--prefix", venv)
    environ = {**fresh_environment, "PATH": f"{venv}/bin{os.pathsep}{fresh_environment['PATH']}"}
    environ["PYTHONNOUSERSITE"] = "1"

    def run(*command: str | Path) -> str:
        result = subprocess.run(
            [*map(str, command)], cwd="/", env=environ, capture_output=True, text=True, timeout=60
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    module, config, weights, messages = map(Path, json.loads(run("python", "-c", WHERE)))
    assert venv in module.parents
    assert config == venv / "share" / "egmt_ros" / "config" / "fusion.yaml"
    assert weights.is_file()
    assert messages == venv / "share" / "egmt_ros" / "egmt_msgs"
    # The command is there and starts without ROS, NumPy or torch (the environment has none).
    run("python", "-c", "import importlib.util as u; assert not u.find_spec('rclpy')")
    code = "import sys; from egmt_ros.cli import main; sys.exit(main(['--help']))"
    assert "fuse" in run("python", "-c", code)
    assert (venv / "bin" / "egmt").is_file() and (venv / "bin" / "fusion_node").is_file()


def colcon_install(prefix: Path, packages: str) -> Path:
    """What colcon leaves of an ament_python package: lib/pythonX/<packages> and share."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = prefix / packages.format(version=version)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "egmt_ros", site / "egmt_ros", ignore=ignored)
    shutil.copytree(ROOT / "config", prefix / "share" / "egmt_ros" / "config")
    shutil.copy(ROOT / "package.xml", prefix / "share" / "egmt_ros")
    return site


@pytest.mark.parametrize(
    "packages", ["lib/{version}/site-packages", "local/lib/{version}/dist-packages"]
)
def test_colcon_install(where: Callable[..., list[Path]], tmp_path: Path, packages: str) -> None:
    prefix = tmp_path / "install" / "egmt_ros"
    site = colcon_install(prefix, packages)
    built = tmp_path / "install" / "egmt_msgs"
    shutil.copytree(ROOT / "egmt_msgs" / "msg", built / "share" / "egmt_msgs" / "msg")
    ament = f"{built}{os.pathsep}{prefix}"
    module, config, weights, messages = where(site, AMENT_PREFIX_PATH=ament)
    assert config == prefix / "share" / "egmt_ros" / "config" / "fusion.yaml"
    assert weights == site / "egmt_ros" / "weights" / resources.DEFAULT_WEIGHTS
    assert messages == built / "share" / "egmt_msgs"


def test_colcon_symlink_install_uses_the_sources(
    where: Callable[[str], list[Path]], tmp_path: Path
) -> None:
    build = tmp_path / "build" / "egmt_ros"
    build.mkdir(parents=True)
    for name in ("egmt_ros", "setup.py", "setup.cfg", "config", "launch", "resource"):
        (build / name).symlink_to(ROOT / name)
    module, config, weights, messages = where(build)
    assert module == build / "egmt_ros" / "__init__.py"
    assert config == ROOT / "config" / "fusion.yaml"
    assert weights.samefile(ROOT / "egmt_ros" / "weights" / resources.DEFAULT_WEIGHTS)
    assert messages == ROOT / "egmt_msgs"


def test_a_missing_file_names_the_places_looked_at(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    with pytest.raises(ConfigError) as raised:
        resources.config_path("no_such.yaml")
    assert "'no_such.yaml'" in str(raised.value)
    assert str(ROOT / "config" / "no_such.yaml") in str(raised.value)
    assert str(tmp_path / "share" / "egmt_ros" / "config" / "no_such.yaml") in str(raised.value)
    with pytest.raises(ConfigError, match="no_such.safetensors"):
        resources.weights_path("no_such.safetensors")


@pytest.mark.parametrize("name", ["/etc/passwd", "../setup.py", ""])
def test_names_stay_inside_their_folder(name: str) -> None:
    with pytest.raises(ConfigError, match="relative"):
        resources.config_path(name)

"""Setting up: each step once, and one clear line for whatever is missing."""

from __future__ import annotations

import argparse
import ast
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from egmt_ros.bootstrap import environment, machine
from egmt_ros.bootstrap.failure import SetupError, explain_pip
from egmt_ros.bootstrap.setup_environment import main, python_problem

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path("egmt_ros", "bootstrap", "setup_environment.py")
OPTIONS = argparse.Namespace(extras=[], torch="", compiler="system")


def nothing_found(name: str) -> None:
    return None


# ---- what a machine may lack


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 9, 18), (3, 13, 0)])
def test_an_unsupported_python_is_named(version: tuple[int, ...], capsys) -> None:
    assert main([], version) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"Python {version[0]}.{version[1]} is not supported (3.10, 3.11 and 3.12 are)" in line


def test_an_unsupported_python_points_at_a_supported_one() -> None:
    found = python_problem((3, 13), lambda name: name == "python3.11")
    assert found.endswith("run: make setup PYTHON=python3.11")
    assert "apt install" in python_problem((3, 13), nothing_found)
    assert [python_problem((3, minor), nothing_found) for minor in (10, 11, 12)] == [None] * 3


def test_the_entry_file_parses_on_old_pythons() -> None:
    source = (ROOT / SCRIPT).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    # Not in the language before 3.7, and annotations of its kind fail there when they are run.
    assert "__future__" not in source
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    assert not any(n.returns or any(a.annotation for a in n.args.args) for n in functions)


def test_processors_without_wheels_need_an_installed_ros() -> None:
    machine.check_processor(None, "Linux", "x86_64")
    machine.check_processor(machine.Ros("humble", Path("/opt/ros/humble")), "Linux", "aarch64")
    with pytest.raises(SetupError, match="Linux on aarch64; install ROS 2"):
        machine.check_processor(None, "Linux", "aarch64", installed=[])
    installed = ["/opt/ros/jazzy/setup.bash"]
    with pytest.raises(SetupError, match="source /opt/ros/jazzy/setup.bash"):
        machine.check_processor(None, "Linux", "aarch64", installed)
    with pytest.raises(SetupError, match="Darwin on x86_64"):
        machine.check_processor(None, "Darwin", "x86_64", installed=[])


def test_missing_compiler_headers_venv_and_disk_name_their_remedy(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"no C compiler .*apt install g\+\+"):
        machine.check_compiler({}, nothing_found)
    with pytest.raises(SetupError, match=r"no C\+\+ compiler .*apt install g\+\+"):
        machine.check_compiler({}, {"gcc": "/usr/bin/gcc"}.get)
    with pytest.raises(SetupError, match="CXX=icpc names a compiler that is not there"):
        machine.check_compiler({"CXX": "icpc"}, {"gcc": "/usr/bin/gcc"}.get)
    machine.check_compiler({"CC": "ccache gcc"}, {"ccache": "c", "clang++": "d"}.get)
    with pytest.raises(SetupError, match=r"Python\.h.*apt install python3\.\d+-dev"):
        machine.check_headers(str(tmp_path))
    with pytest.raises(SetupError, match=r"ensurepip.*apt install python3\.\d+-venv"):
        machine.check_venv_module({"venv": object()}.get)
    with pytest.raises(SetupError, match="0.5 GB are free"):
        machine.check_disk(tmp_path, free=500_000_000)


def test_a_ros_of_another_python_is_refused(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(SetupError, match="jazzy is sourced, but .* cannot import its rclpy"):
        machine.check_ros_python(machine.Ros("jazzy", tmp_path), str(python))


PIP_OUTPUT = {
    "disk": "ERROR: Could not install packages: [Errno 28] No space left on device",
    "network": "WARNING: Retrying after connection broken by 'NewConnectionError(...)'\n"
    "ERROR: No matching distribution found for pip==26.3",
    "certificate": "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))",
    "missing": "ERROR: No matching distribution found for torch==2.13.0+cpu",
    "conflict": "ERROR: ResolutionImpossible: for help visit ...",
    "other": "something\nERROR: Invalid requirement: 'numpy=='",
}


@pytest.mark.parametrize("kind", PIP_OUTPUT)
def test_failed_pip_runs_are_explained_in_one_line(kind: str) -> None:
    found, line = explain_pip(PIP_OUTPUT[kind])
    assert found == kind
    assert line and "\n" not in line


# ---- the real script


def start_setup(
    checkout: Path, environ: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [environment.base_python(), str(checkout / SCRIPT), *arguments],
        cwd=checkout,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def bare_environment(fresh_environment: dict[str, str]) -> dict[str, str]:
    """A shell with no ROS and no settings of pip."""
    if platform.machine() not in machine.WHEEL_PROCESSORS:
        pytest.skip("setting up stops earlier on processors without ROS wheels")
    ros = ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "ROS_DISTRO", "CC", "CXX")
    return {
        name: value
        for name, value in fresh_environment.items()
        if name not in ros and not name.startswith("PIP_")
    }


def test_no_compiler_on_path(
    tmp_path: Path, copy_checkout: Callable[[Path], Path], bare_environment: dict[str, str]
) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    (tmp_path / "bin").mkdir()
    result = start_setup(checkout, {**bare_environment, "PATH": str(tmp_path / "bin")})
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "no C compiler" in line and "apt install g++" in line
    assert not (checkout / ".venv").exists()


def test_unreachable_package_index_and_going_on_afterwards(
    tmp_path: Path, copy_checkout: Callable[[Path], Path], bare_environment: dict[str, str]
) -> None:
    if not (shutil.which("cc") and shutil.which("c++")):
        pytest.skip("no compiler on this machine: setting up stops earlier")
    checkout = copy_checkout(tmp_path / "checkout")
    # Port 9 of this machine: nobody answers.
    pip = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull}
    environ = {**bare_environment, **pip, "no_proxy": "127.0.0.1"}
    for first_line in ("[1/8] virtual environment ...", "[1/7] pip and setuptools ..."):
        result = start_setup(checkout, environ)
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        assert "the package index cannot be reached" in line and "setup.log" in line
        assert result.stdout.startswith(first_line)
    assert "NewConnectionError" in (checkout / ".venv" / "setup.log").read_text()


# ---- each step once


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that steps depend on, with checks of the machine left out."""
    root = tmp_path / "checkout"
    for folder in ("config", "egmt_msgs", "egmt_ros/bootstrap"):
        shutil.copytree(ROOT / folder, root / folder)
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "package.xml"):
        shutil.copy(ROOT / name, root)
    monkeypatch.setattr(environment.Setup, "check_machine", lambda self, pending: None)
    return root


def run_recorded(root: Path, failing: str = "", **options: object) -> list[str]:
    """Runs setting up with recorded steps in place of the real ones; returns those it did."""
    chosen = argparse.Namespace(**{**vars(OPTIONS), **options})
    setup = environment.Setup(root, chosen, {})
    done = []

    def record(name: str) -> None:
        if name == failing:
            raise KeyboardInterrupt
        done.append(name)
        if name == "venv":
            (root / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
            (root / ".venv" / "bin" / "python").touch()

    for name, (title, _) in setup.steps.items():
        setup.steps[name] = (title, lambda name=name: record(name))
    if failing:
        with pytest.raises(KeyboardInterrupt):
            setup.run()
    else:
        assert setup.run() == bool(done)
    return done


ALL = ["venv", "installer", "torch", "packages", "fast", "messages", "checkout", "check"]


def test_a_second_run_does_nothing(checkout: Path) -> None:
    assert run_recorded(checkout) == ALL
    assert run_recorded(checkout) == []


def test_an_interrupted_run_goes_on_where_it_was(checkout: Path) -> None:
    assert run_recorded(checkout, failing="packages") == ALL[:3]
    assert run_recorded(checkout, failing="check") == ALL[3:7]
    assert run_recorded(checkout) == ["check"]
    assert run_recorded(checkout) == []


def test_only_what_depends_on_a_change_is_done_again(checkout: Path) -> None:
    run_recorded(checkout)
    with (checkout / "egmt_msgs" / "msg" / "EntityLabel.msg").open("a") as message:
        message.write("float32 more\n")
    assert run_recorded(checkout) == ["messages", "check"]
    (checkout / "setup.cfg").write_text("")
    assert run_recorded(checkout) == ["checkout", "check"]
    (checkout / "config" / "constraints.txt").write_text("pip==26.3\n")
    assert run_recorded(checkout) == ["installer", "packages", "fast", "messages", "check"]
    assert run_recorded(checkout) == []


def test_extras_are_added_and_stay(checkout: Path) -> None:
    run_recorded(checkout)
    assert run_recorded(checkout, extras=["train"]) == ["extra train"]
    assert run_recorded(checkout) == []
    assert run_recorded(checkout, extras=["train"]) == []


def test_another_build_of_torch_is_taken_and_stays(checkout: Path) -> None:
    run_recorded(checkout)
    assert run_recorded(checkout, torch="any") == ["torch", "check"]
    assert run_recorded(checkout) == []
    assert environment.Setup(checkout, OPTIONS, {}).state.torch == "any"
    assert run_recorded(checkout, torch="any") == []
    assert run_recorded(checkout, torch="cpu") == ["torch", "check"]
    assert run_recorded(checkout) == []
    assert environment.parse([]).torch == environment.parse(["--torch", ""]).torch == ""


def test_a_moved_checkout_and_a_lost_interpreter_start_afresh(checkout: Path) -> None:
    run_recorded(checkout)
    moved = checkout.rename(checkout.with_name("moved"))
    assert run_recorded(moved) == ALL
    (moved / ".venv" / "bin" / "python").unlink()
    assert run_recorded(moved) == ALL


def test_a_foreign_venv_is_never_deleted(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "precious").write_text("data")
    with pytest.raises(SetupError, match="was not made by make setup.*move it away"):
        environment.Setup(checkout, OPTIONS, {}).make_venv()
    assert (checkout / ".venv" / "precious").read_text() == "data"


# ---- make


def test_make_passes_data_and_bag_on(fresh_environment: dict[str, str]) -> None:
    def recipe(*arguments: str) -> str:
        command = ["make", "--dry-run", "PYTHON=python3", *arguments]
        options = {"cwd": ROOT, "env": fresh_environment, "capture_output": True, "text": True}
        return subprocess.run(command, check=True, **options).stdout

    assert recipe("demo").rstrip().endswith('egmt demo --out "demo_output"')
    assert '--data "a folder"' in recipe("demo", "DATA=a folder")
    assert '--bag "x"' in recipe("demo", "BAG=x")
    assert ".venv/bin/python -m pytest -x" in recipe("test", "ARGS=-x")
    assert '--torch ""' in recipe("setup"), "as the last time"
    assert '--extras "train" --torch "any"' in recipe("setup", "EXTRAS=train", "TORCH=any")

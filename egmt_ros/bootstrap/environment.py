"""The steps of ``make setup``: each is done once, and again when what it depends on changes."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from egmt_ros.bootstrap import build_interfaces, machine, torch_wheel
from egmt_ros.bootstrap import packages as wanted
from egmt_ros.bootstrap.failure import SetupError
from egmt_ros.bootstrap.state import State, digest
from egmt_ros.bootstrap.venv_tools import VenvTools

VERIFY = """
import json, platform
import cv2, numpy, torch, rclpy, rosbags, safetensors, yaml
from rclpy.type_support import check_for_type_support
from egmt_msgs.msg import EntityLabelArray
check_for_type_support(EntityLabelArray)
import egmt_ros
print("VERSIONS", json.dumps({"Python": platform.python_version(), "torch": torch.__version__,
                              "NumPy": numpy.__version__, "OpenCV": cv2.__version__}))
"""

# Which of the system's modules a sourced ROS brings, and at which version.
SYSTEM_MODULES = """
import importlib.metadata as metadata, importlib.util as util, json, sys
kept = {}
for distribution, module in %r.items():
    spec = util.find_spec(module)
    if spec and spec.origin and not spec.origin.startswith(sys.prefix):
        try:
            kept[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            kept[distribution] = ""
print(json.dumps(kept))
"""


def base_python() -> str:
    """The interpreter that virtual environments are made from, also when run inside one."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    return getattr(sys, "_base_executable", None) or os.path.realpath(sys.executable)


class Setup:
    """One run of setting up.

    Args:
        root: The checkout.
        options: Parsed arguments, see parse().
        environ: The caller's environment variables.
    """

    def __init__(self, root: Path, options: argparse.Namespace, environ: dict[str, str]) -> None:
        self.root = root
        self.options = options
        self.venv = root / ".venv"
        self.environ = environ
        self.ros = machine.find_ros(environ, self.venv)
        self.ros_prefixes = environ.get("AMENT_PREFIX_PATH", "") if self.ros else ""
        self.sourced_messages = (
            machine.sourced_prefix_of("egmt_msgs", environ, self.venv) if self.ros else None
        )
        child = machine.child_environment(environ, self.ros)
        self.tools = VenvTools(self.venv, self.venv / "setup.log", child)
        self.constraints = root / "config" / "constraints.txt"
        self.state = State(self.venv)
        self.state.torch = options.torch or self.state.torch
        self.versions = ""
        packages_title = "packages" if self.ros else "packages and ROS 2 wheels"
        self.steps = {
            "venv": ("virtual environment", self.make_venv),
            "installer": ("pip and setuptools", self.install_installer),
            "torch": (f"torch {wanted.TORCH}", self.install_torch),
            "packages": (packages_title, self.install_packages),
            "fast": (wanted.FAST, self.install_fast),
            "messages": ("egmt_msgs", self.build_messages),
            "checkout": ("egmt_ros", self.install_checkout),
        }
        for extra in options.extras:
            action = functools.partial(self.install_extra, extra)
            self.steps[f"extra {extra}"] = (f"extra {extra}", action)
        self.steps["check"] = ("check", self.check_result)

    def inputs(self) -> dict[str, str]:
        """For each step a hash of everything that it depends on."""
        root, code = self.root, self.root / "egmt_ros" / "bootstrap"
        ros = self.ros.signature if self.ros else "wheels"
        venv = digest(str(root), f"{sys.version_info[0]}.{sys.version_info[1]}", ros)
        pinned = digest(venv, self.constraints, code / "packages.py")
        messages = digest(
            pinned, root / "egmt_msgs", code / "build_interfaces.py", self.sourced_messages
        )
        described = ("setup.py", "setup.cfg", "pyproject.toml", "package.xml")
        checkout = digest(venv, *(root / name for name in described))
        inputs = {
            "venv": venv,
            "installer": pinned,
            "torch": digest(venv, wanted.TORCH, *(["any"] if self.state.torch == "any" else [])),
            "packages": pinned,
            "fast": pinned,
            "messages": messages,
            "checkout": checkout,
        }
        inputs["check"] = digest(*inputs.values())
        inputs.update({name: pinned for name in self.steps if name.startswith("extra ")})
        return inputs

    def pending(self) -> list[str]:
        """The steps that are still to be done, in order."""
        inputs = self.inputs()
        if not self.tools.python.exists():
            return list(self.steps)
        pending = [name for name in self.steps if self.state.steps.get(name) != inputs[name]]
        return list(self.steps) if "venv" in pending else pending

    def run(self) -> bool:
        """Does the pending steps; returns whether there were any.

        Raises:
            SetupError: With one line that ends in the remedy.
        """
        pending = self.pending()
        if not pending:
            return False
        self.check_machine(pending)
        inputs = self.inputs()
        for number, name in enumerate(pending, 1):
            title, action = self.steps[name]
            print(f"[{number}/{len(pending)}] {title} ...", end="", flush=True)
            start = time.monotonic()
            try:
                remark = action()
            except BaseException:
                print(flush=True)
                raise
            self.state.finish(name, inputs[name])
            print(f" {remark or ''}({time.monotonic() - start:.0f} s)", flush=True)
        print("egmt_ros setup: .venv is ready" + (f": {self.versions}" if self.versions else ""))
        return True

    def check_machine(self, pending: list[str]) -> None:
        """Fails early on whatever would make a later step fail."""
        machine.check_processor(self.ros)
        if self.ros:
            machine.check_ros_python(self.ros, base_python())
        if "venv" in pending:
            machine.check_venv_module()
        if "torch" in pending or "packages" in pending:
            machine.check_disk(self.root)
        if "messages" in pending and not self.sourced_messages:
            machine.check_headers()
            if self.options.compiler != "zig":
                machine.check_compiler(self.environ)

    # ---- the steps; each returns a remark for its progress line, or None

    def make_venv(self) -> None:
        if self.venv.exists() and not self.state.ours:
            self.adopt_venv()
            return
        if self.venv.is_symlink():
            raise SetupError(".venv is a link; remove it and run make setup again")
        # Renamed first: a half-deleted .venv would look like someone else's.
        discarded = self.root / ".venv.discarded"
        shutil.rmtree(discarded, ignore_errors=True)
        if self.venv.exists():
            self.venv.replace(discarded)
            shutil.rmtree(discarded)
        self.state.forget_all()
        command = [base_python(), "-m", "venv"]
        if self.ros or self.base_has_cuda_torch():
            command.append("--system-site-packages")
        status, output = self.tools.run([*command, str(self.venv)])
        if status:
            lines = output.strip().splitlines() or ["no message"]
            version = f"{sys.version_info[0]}.{sys.version_info[1]}"
            raise SetupError(
                f"{base_python()} -m venv failed ({lines[-1].strip()[:160]}); on Debian and Ubuntu"
                f" run: sudo apt install python{version}-venv, then make setup again"
            )

    def adopt_venv(self) -> None:
        """Takes a .venv that someone else made, if it fits; never deletes it."""
        found = self.tools.ask("import json, sys, pip; print(json.dumps(sys.version_info[:2]))")
        if tuple(found or ()) != sys.version_info[:2]:
            raise SetupError(
                f"{self.venv} exists, was not made by make setup and is no virtual environment of"
                f" Python {sys.version_info[0]}.{sys.version_info[1]} with pip; move it away and"
                " run make setup again"
            )
        if self.ros and not self.tools.ask("import json, rclpy; print(json.dumps({'ros': 1}))"):
            raise SetupError(
                f"{self.venv} does not see the sourced ROS 2 {self.ros.distro}; move it away and"
                " run make setup again"
            )
        self.state.forget_all()

    def base_has_cuda_torch(self) -> bool:
        """Whether the system's Python already has a CUDA build of torch, which is then kept."""
        result = subprocess.run(
            [base_python(), "-c", torch_wheel.PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.tools.environ,
        )
        try:
            found = json.loads(result.stdout)
        except ValueError:
            return False
        return bool(found.get("cuda")) and torch_wheel.usable(found)

    def install_installer(self) -> None:
        self.tools.pip("--retries", "1", "-c", str(self.constraints), *wanted.INSTALLER)

    def install_torch(self) -> str:
        any_build = self.state.torch == "any"
        return torch_wheel.install(self.tools, str(self.constraints), any_build) + " "

    def install_packages(self) -> str | None:
        needed = [*wanted.RUNTIME, *wanted.TORCH_NEEDS, *wanted.BUILD_TOOLS]
        if not self.ros:
            ros = [*wanted.ROS_WHEELS, *wanted.MESSAGE_BUILD_WHEELS]
            self.tools.pip("-c", str(self.constraints), *needed, *wanted.TEST, *ros)
            return None
        kept = wanted.kept_of(self.tools.ask(SYSTEM_MODULES % wanted.KEPT_FROM_ROS))
        constraints = self.venv / "constraints.txt"
        constraints.write_text(wanted.relaxed(self.constraints, kept), encoding="utf-8")
        self.tools.pip("-c", str(constraints), *(name for name in needed if name not in kept))
        lacking = []
        for name in (name for name in wanted.TEST if name not in kept):
            # One by one: what does not fit the system's packages must not keep the others out.
            kind, line = self.tools.try_pip("-c", str(constraints), name)
            if kind not in ("", "missing", "conflict"):
                raise self.tools.pip_error(line)
            lacking += [name] if kind else []
        remark = "kept ROS's " + ", ".join(sorted(kept)) + " "
        if lacking:
            remark += f"but {', '.join(lacking)} do not fit them: make test may lack them "
        return remark

    def install_fast(self) -> str | None:
        constraints = self.venv / "constraints.txt" if self.ros else self.constraints
        kind, line = self.tools.try_pip("-c", str(constraints), "--no-deps", wanted.FAST)
        if kind in ("missing", "conflict"):
            return "not for this Python and processor, torch does its work "
        if kind:
            raise self.tools.pip_error(line)
        return None

    def build_messages(self) -> str | None:
        if self.sourced_messages:
            return f"found in {self.sourced_messages} "
        compilers = None
        if self.options.compiler == "zig":
            self.tools.pip("-c", str(self.constraints), "ziglang")
            compilers = build_interfaces.zig_compilers(self.tools, self.venv / "compilers")
        source = self.root / "egmt_msgs"
        build_interfaces.build(source, self.tools, self.ros_prefixes, compilers)
        return None

    def install_checkout(self) -> None:
        self.tools.pip("--no-deps", "--no-build-isolation", "--editable", str(self.root))

    def install_extra(self, extra: str) -> None:
        constraints = self.venv / "constraints.txt" if self.ros else self.constraints
        self.tools.pip("-c", str(constraints), *wanted.EXTRAS[extra])
        self.tools.pip("-c", str(constraints), "--no-deps", *wanted.WITHOUT_NEEDS[extra])

    def check_result(self) -> None:
        """Imports what the product needs, and keeps the versions for the closing line."""
        status, output = self.tools.run([str(self.tools.python), "-c", VERIFY])
        lines = output.strip().splitlines() or ["no message"]
        if status:
            raise SetupError(
                f"the new environment does not work ({lines[-1].strip()[:200]}); remove .venv and"
                f" run make setup again (details: {self.tools.log})"
            )
        found = json.loads(lines[-1].split(" ", 1)[1])
        ros = f"ROS 2 {self.ros.distro}" if self.ros else "ROS 2 Jazzy wheels"
        self.versions = ", ".join([*(f"{name} {number}" for name, number in found.items()), ros])


@contextlib.contextmanager
def only_one(root: Path) -> Iterator[None]:
    """Lets one run at a time set up a checkout; a second one waits."""
    folder = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("egmt_ros setup: waiting for another make setup of this checkout", flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Set up .venv for this checkout of egmt_ros.")
    parser.add_argument(
        "--extras",
        default="",
        help=f"comma-separated extras to install as well: {', '.join(wanted.EXTRAS)}",
    )
    parser.add_argument(
        "--torch",
        choices=("cpu", "any", ""),
        default="",
        metavar="{cpu,any}",
        help="cpu: only a CPU build; any: what the configured package index has (default: as the"
        " last time, at first cpu)",
    )
    parser.add_argument(
        "--compiler",
        choices=("system", "zig"),
        default="system",
        help="what compiles egmt_msgs; zig comes from pip",
    )
    options = parser.parse_args(arguments)
    options.extras = [name for name in options.extras.replace(",", " ").split() if name]
    for name in options.extras:
        if name not in wanted.EXTRAS:
            parser.error(f"unknown extra {name!r}; there is: {', '.join(wanted.EXTRAS)}")
    return options


def run(arguments: list[str] | None, root: str) -> int:
    """Sets up .venv; returns the exit status."""
    options = parse(arguments)
    try:
        with only_one(Path(root)):
            if not Setup(Path(root), options, dict(os.environ)).run():
                print("egmt_ros setup: .venv is up to date")
    except SetupError as error:
        print(f"egmt_ros setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("egmt_ros setup: interrupted; make setup goes on from here", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"egmt_ros setup: {error}; correct that and run make setup again", file=sys.stderr)
        return 1
    return 0

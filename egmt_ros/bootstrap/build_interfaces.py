"""Build an interface package (egmt_msgs) into .venv, against the ROS wheels or a sourced ROS.

The package is built the normal way, with CMake and rosidl_generate_interfaces. Two things are
particular to the wheels: their CMake exports name the include folders of the machine that built
them, and no compiler comes along. With a sourced ROS the libraries land outside its library path,
so the built Python package loads them itself.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from egmt_ros.bootstrap.failure import SetupError
from egmt_ros.bootstrap.venv_tools import VenvTools

_INCLUDES = re.compile(r'(INTERFACE_INCLUDE_DIRECTORIES ")([^"]*)(")')

_FOLDERS = (
    "import json, numpy, sysconfig;"
    " print(json.dumps({'numpy': numpy.get_include(), 'headers': sysconfig.get_path('include'),"
    " 'packages': sysconfig.get_path('purelib')}))"
)

_LOAD_LIBRARIES = '''"""Messages of {package}, built by egmt_ros's set-up against a sourced ROS."""


def _load_libraries():
    # ROS looks libraries up by name, and this environment is not on its library path.
    import ctypes
    import pathlib

    folder = pathlib.Path(__file__).resolve().parents[3]
    for library in sorted(folder.glob("lib{package}__*.so")):
        ctypes.CDLL(str(library))


_load_libraries()
'''

_ZIG_COMMAND = """#!/bin/sh
# Zig's linker does not know -rpath-link, and does not need it.
for argument do
  shift
  case $argument in -Wl,-rpath-link*) ;; *) set -- "$@" "$argument" ;; esac
done
exec "{program}" {language} "$@"
"""


def relocated(exports: str, headers: str, numpy_include: str) -> str:
    """Points the include folders of a wheel's CMake export at this machine's.

    Args:
        exports: Text of an ``export_*__rosidl_generator_pyExport.cmake``.
        headers: Folder of Python.h.
        numpy_include: Folder of NumPy's headers.
    """

    def replace(match: re.Match[str]) -> str:
        folders = []
        for folder in match.group(2).split(";"):
            if re.search(r"/numpy/(_core|core)/include/?$", folder):
                folder = numpy_include
            elif re.search(r"/include/python3\.\d+/?$", folder):
                folder = headers
            folders.append(folder)
        return match.group(1) + ";".join(folders) + match.group(3)

    return _INCLUDES.sub(replace, exports)


def relocate_exports(prefix: Path, headers: str, numpy_include: str) -> None:
    """Applies relocated() to every message package under the prefix."""
    for path in sorted(prefix.glob("share/*/cmake/*rosidl_generator_pyExport.cmake")):
        text = path.read_text(encoding="utf-8")
        changed = relocated(text, headers, numpy_include)
        if changed != text:
            # Not in place: pip may have linked the file from a cache.
            fresh = path.with_suffix(".new")
            fresh.write_text(changed, encoding="utf-8")
            fresh.replace(path)


def remove_previous(prefix: Path, packages: Path, name: str) -> None:
    """Removes what an earlier build of the package installed, so that nothing stale is left."""
    folders = [packages / name, prefix / "share" / name, prefix / "include" / name]
    folders += packages.glob(f"{name}-*.egg-info")
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    files = [*prefix.glob(f"lib/lib{name}__*.so")]
    files += prefix.glob(f"share/ament_index/resource_index/*/{name}")
    for path in files:
        path.unlink()


def zig_compilers(tools: VenvTools, folder: Path) -> dict[str, str]:
    """Writes two small compiler commands over the ziglang wheel; returns CC and CXX."""
    code = "import json, os, ziglang; print(json.dumps(os.path.dirname(ziglang.__file__)))"
    program = Path(tools.ask(code) or ".", "zig")
    if not program.is_file():
        raise SetupError("the ziglang wheel has no compiler for this machine; install g++ instead")
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for variable, language in (("CC", "cc"), ("CXX", "c++")):
        command = folder / f"zig-{language}"
        text = _ZIG_COMMAND.format(program=program, language=language)
        command.write_text(text, encoding="utf-8")
        command.chmod(0o755)
        found[variable] = str(command)
    return found


def build(
    source: Path,
    tools: VenvTools,
    ros_prefixes: str = "",
    compilers: dict[str, str] | None = None,
) -> None:
    """Builds the interface package and installs it into the virtual environment.

    Args:
        source: Folder with the package's package.xml and CMakeLists.txt.
        tools: The virtual environment, with the build tools installed.
        ros_prefixes: AMENT_PREFIX_PATH of a sourced ROS; empty to build against the wheels.
        compilers: CC and CXX, if CMake is not to choose.

    Raises:
        SetupError: The build failed; the line names the log.
    """
    name, prefix = source.name, tools.venv.resolve()
    folders = tools.ask(_FOLDERS)
    if not folders:
        raise SetupError("numpy in .venv cannot be imported; remove .venv and run make setup again")
    packages = Path(folders["packages"])
    if not ros_prefixes:
        relocate_exports(prefix, folders["headers"], folders["numpy"])
    remove_previous(prefix, packages, name)

    search = os.pathsep.join(part for part in (str(prefix), ros_prefixes) if part)
    environ = dict(tools.environ, **(compilers or {}))
    environ.update(AMENT_PREFIX_PATH=search, CMAKE_PREFIX_PATH=search)
    environ["PATH"] = f"{prefix / 'bin'}{os.pathsep}{environ.get('PATH', os.defpath)}"
    python = prefix / "bin" / "python"
    configure = [
        *("-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF", "-Wno-dev", "-Wno-deprecated"),
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        f"-DPython3_EXECUTABLE={python}",
        "-DPython3_FIND_VIRTUALENV=ONLY",
    ]
    if ros_prefixes:
        configure.append("-DCMAKE_INSTALL_RPATH=$ORIGIN;$ORIGIN/../../..")
    with tempfile.TemporaryDirectory(prefix=f"{name}_build_") as build_folder:
        steps = (
            ["cmake", "-S", str(source), "-B", build_folder, "-G", "Ninja", *configure],
            ["cmake", "--build", build_folder, "--target", "install"],
        )
        for step in steps:
            step[0] = shutil.which("cmake", path=environ["PATH"]) or "cmake"
            status, output = tools.run(step, environ)
            if status:
                raise SetupError(_build_problem(name, output, tools.log))
    if ros_prefixes:
        text = _LOAD_LIBRARIES.format(package=name)
        (packages / name / "__init__.py").write_text(text, encoding="utf-8")


def _build_problem(name: str, output: str, log: Path) -> str:
    if "No space left on device" in output:
        return "the disk is full; free about 3 GB and run make setup again"
    lines = [line.strip() for line in output.splitlines()]
    wrong = [line for line in lines if re.search(r"\berror: |CMake Error|fatal error", line)]
    detail = f" ({wrong[0][:160]})" if wrong else ""
    return f"{name} did not build{detail}; the compiler's output is in {log}"

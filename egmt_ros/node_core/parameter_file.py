"""Parameters of the node from a ROS parameter file, without ROS."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from egmt_ros.errors import ConfigError
from egmt_ros.node_core.parameters import BY_NAME

NODE_NAME = "egmt_fusion"
_KEY = "ros__parameters"
_ANY = {"*", "**"}
_OF_ROS = ("use_sim_time", "start_type_description_service", "qos_overrides.")
# YAML 1.1 asks for a point in numbers with an exponent, the parser of ROS does not.
_EXPONENT = re.compile(r"[-+]?\d+[eE][-+]?\d+")


def read_parameter_file(path: Path, node: str = NODE_NAME) -> dict[str, Any]:
    """Read what a YAML file as for `--params-file` sets on a node.

    Sections are for a node of any namespace: `/**`, `/*`, `egmt_fusion`, `/front/egmt_fusion`, or
    with the namespace as a key of its own. They apply in the order of the file. Where no section
    is for `node` and the file has one node only, that one's is taken.

    Args:
        path: The file.
        node: Name of the node.

    Returns:
        Parameters by full name, as they were written; `parameters.build` checks the values.

    Raises:
        ConfigError: The file cannot be read, is none of parameters, has none for the node, or
            names one that the node does not have.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"parameter file {path} cannot be read ({error.strerror}); give a YAML file such as"
            " config/fusion.yaml"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"parameter file {path} is not YAML: {error}") from error
    sections = list(_sections(content, ()))
    if not sections:
        raise ConfigError(
            f"parameter file {path} has no {_KEY}; expected them below a node's name or /**, as in"
            " config/fusion.yaml"
        )
    named = {nodes for nodes, _ in sections if nodes[-1] not in _ANY}
    wanted = {nodes for nodes in named if nodes[-1] == node}
    if not wanted and len(named) == len(sections):  # no section is for any node
        if len(named) > 1:
            listed = ", ".join("/".join(nodes) for nodes in sorted(named))
            raise ConfigError(
                f"parameter file {path} is for {listed}; expected a section for {node} or /**"
            )
        wanted = named
    values: dict[str, Any] = {}
    for nodes, given in sections:
        if nodes[-1] in _ANY or nodes in wanted:
            values.update(_flat(given, ""))
    return check_names(values, f"parameter file {path}")


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """The parameters of `NAME:=VALUE`, values as YAML.

    Raises:
        ConfigError: One has another form, or names a parameter that the node does not have.
    """
    values: dict[str, Any] = {}
    for text in assignments:
        name, separator, value = text.partition(":=")
        if not separator or not name.strip():
            raise ConfigError(f"--param is {text!r}; expected NAME:=VALUE, as sync.max_gap:=0.02")
        name = name.strip()
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--param {name}: {value!r} is not YAML ({error})") from error
        spec = BY_NAME.get(name)
        if spec is not None and isinstance(spec.default, str) and not isinstance(read, str):
            read = value.strip()
        values[name] = _number(read)
    return check_names(values, "--param")


def check_names(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values without those of ROS itself.

    Raises:
        ConfigError: A name is not the node's; the message has the nearest one.
    """
    kept = {name: value for name, value in values.items() if not name.startswith(_OF_ROS)}
    for name in kept:
        if name not in BY_NAME:
            close = difflib.get_close_matches(name, BY_NAME, 1)
            hint = f"; did you mean {close[0]}?" if close else "; docs/parameters.md lists them"
            raise ConfigError(f"{where}: parameter {name} is not known{hint}")
    return kept


def _sections(tree: Any, nodes: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping]]:
    """(parts of a node's full name, its tree of parameters) of each section."""
    if not isinstance(tree, Mapping):
        return
    for key, value in tree.items():
        if key == _KEY and nodes and isinstance(value, Mapping):
            yield nodes, value
        elif key != _KEY:
            yield from _sections(value, (*nodes, *(p for p in str(key).split("/") if p)))


def _flat(tree: Mapping, prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _number(value)


def _number(value: Any) -> Any:
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    return value

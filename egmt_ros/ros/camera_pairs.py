"""The YAML file of multi_camera.launch.py: several camera pairs, a process for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from egmt_ros.errors import ConfigError
from egmt_ros.resources import config_path
from egmt_ros.ros.launch_plan import TOPICS, NodePlan

_DEFAULTS = {"params_file": str, "node_name": str, "respawn": bool, "parameters": dict}
_PAIR = {"namespace": str, **dict.fromkeys(TOPICS, str), **_DEFAULTS}
_NAMESPACE = re.compile(r"/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUES = (bool, int, float, str)


def read_camera_pairs(path: Path) -> tuple[NodePlan, ...]:
    """Read the camera pairs of a YAML file such as config/multi_camera.yaml.

    Raises:
        ConfigError: The file cannot be read, has a key that is not known, a value of another
            type, no pair, two nodes of one name, or names a file of parameters that is not there.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"camera pairs {path} cannot be read ({error.strerror}); give a YAML file such as"
            " config/multi_camera.yaml"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"camera pairs {path} are not YAML: {error}") from error
    top = _checked(content, {"defaults": dict, "pairs": list}, str(path))
    defaults = _checked(top.get("defaults") or {}, _DEFAULTS, f"{path}: defaults")
    if not top.get("pairs"):
        raise ConfigError(f"{path} has no pairs; expected a list with a namespace for each")
    plans = []
    for number, given in enumerate(top["pairs"], start=1):
        where = f"{path}: pair {number}"
        pair = _checked(given, _PAIR, where)
        plans.append(_plan({**defaults, **pair}, defaults, path, where))
    names = [(plan.namespace, plan.name) for plan in plans]
    for namespace, name in names:
        if names.count((namespace, name)) > 1:
            raise ConfigError(
                f"{path} has two nodes {namespace}/{name}; give each pair its own namespace"
            )
    return tuple(plans)


def _plan(
    pair: Mapping[str, object],
    defaults: Mapping[str, object],
    path: Path,
    where: str,
) -> NodePlan:
    namespace, name = pair.get("namespace", ""), pair.get("node_name", "egmt_fusion")
    if not _NAMESPACE.fullmatch(namespace):
        raise ConfigError(
            f"{where}: namespace is {namespace!r}; expected a ROS namespace such as front or"
            " robot/front"
        )
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: node_name is {name!r}; expected a ROS name")
    for key in ("thermal", "visible"):
        if not pair.get(key):
            raise ConfigError(f"{where}: {key} is missing; expected the topic of its images")
    params_file = config_path("fusion.yaml")
    if pair.get("params_file"):
        params_file = path.parent / pair["params_file"]
    if not params_file.is_file():
        raise ConfigError(f"{where}: params_file {params_file}: there is no such file")
    parameters = {**(defaults.get("parameters") or {}), **(pair.get("parameters") or {})}
    for key, value in parameters.items():
        items = value if isinstance(value, list) and value else [value]
        if not isinstance(key, str) or not all(isinstance(item, _VALUES) for item in items):
            raise ConfigError(
                f"{where}: parameters has {key!r}: {value!r}; expected full names such as"
                " sync.max_gap, each with a value or a list of values"
            )
    return NodePlan(
        namespace=f"/{namespace.lstrip('/')}",
        name=name,
        params_file=params_file,
        parameters=parameters,
        remappings=tuple((own, pair[key]) for key, own in TOPICS.items() if pair.get(key)),
        respawn=pair.get("respawn", False),
    )


def _checked(content: object, kinds: Mapping[str, type], where: str) -> dict[str, object]:
    """The mapping, if it has no other keys than `kinds` and values of these types."""
    if not isinstance(content, dict):
        raise ConfigError(f"{where} is {content!r:.60}; expected a mapping with {', '.join(kinds)}")
    for key, value in content.items():
        if key not in kinds:
            raise ConfigError(f"{where} has {key!r}; expected only {', '.join(kinds)}")
        if value is not None and not isinstance(value, kinds[key]):
            raise ConfigError(
                f"{where}: {key} is {value!r:.60}; expected a value of type {kinds[key].__name__}"
            )
    return {key: value for key, value in content.items() if value is not None}


def with_sim_time(plans: tuple[NodePlan, ...], follow: bool) -> tuple[NodePlan, ...]:
    """The same nodes, all with the same use_sim_time."""
    return tuple(
        replace(plan, parameters={**plan.parameters, "use_sim_time": follow}) for plan in plans
    )

"""Camera pairs from a YAML file, the player's command, and the launch files that start them.

The launch files run with stand-ins for launch and launch_ros, which only note what they are given.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections import namedtuple
from pathlib import Path

import pytest
import yaml

from egmt_ros.errors import ConfigError
from egmt_ros.ros import dds, launch_plan
from egmt_ros.ros.camera_pairs import read_camera_pairs, with_sim_time
from egmt_ros.ros.launch_plan import NodePlan, plan_fusion

ROOT = Path(__file__).resolve().parents[2]
FUSION = ROOT / "config" / "fusion.yaml"
PAIR = {"namespace": "front", "thermal": "/t", "visible": "/v"}


@pytest.fixture
def written(tmp_path: Path):
    """Writes camera pairs into a YAML file."""

    def write(content: object) -> Path:
        path = tmp_path / "cameras.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


def test_the_example_gives_two_nodes() -> None:
    front, rear = read_camera_pairs(ROOT / "config" / "multi_camera.yaml")
    assert front == NodePlan(
        namespace="/front",
        name="egmt_fusion",
        params_file=FUSION,
        parameters={"model.threads": 2},
        remappings=(
            ("~/input/thermal/image", "/front/thermal/image_raw"),
            ("~/input/visible/image", "/front/camera/image_raw"),
        ),
        respawn=True,
    )
    assert rear.parameters == {"model.threads": 2, "sync.max_gap": 0.03}
    assert ("~/input/visible/camera_info", "/rear/camera/camera_info") in rear.remappings


def test_a_pair_counts_over_the_defaults(written, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").touch()
    defaults = {"respawn": True, "parameters": {"model.threads": 1, "sync.wait": 0.2}}
    own = {**PAIR, "respawn": False, "params_file": "own.yaml", "parameters": {"sync.wait": 0.3}}
    (plan,) = read_camera_pairs(written({"defaults": defaults, "pairs": [own]}))
    assert not plan.respawn and plan.params_file == tmp_path / "own.yaml"
    assert plan.parameters == {"model.threads": 1, "sync.wait": 0.3}
    (followed,) = with_sim_time((plan,), True)
    assert followed.parameters == {**plan.parameters, "use_sim_time": True}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("pairs: [", "not YAML"),
        ([], "expected a mapping"),
        ({"pairs": []}, "has no pairs"),
        ({"pairs": ["front"]}, "pair 1 is 'front'"),
        ({"cameras": [PAIR]}, "has 'cameras'"),
        ({"pairs": [{**PAIR, "topic": "/x"}]}, "has 'topic'"),
        ({"pairs": [{**PAIR, "respawn": "yes"}]}, "expected a value of type bool"),
        ({"pairs": [{**PAIR, "thermal": ""}]}, "thermal is missing"),
        ({"pairs": [{**PAIR, "namespace": "front-left"}]}, "namespace is 'front-left'"),
        ({"pairs": [{**PAIR, "namespace": ""}]}, "namespace is ''"),
        ({"pairs": [{**PAIR, "node_name": "a/b"}]}, "node_name is 'a/b'"),
        ({"pairs": [PAIR, {**PAIR, "namespace": "/front"}]}, "two nodes /front/egmt_fusion"),
        ({"pairs": [{**PAIR, "params_file": "none.yaml"}]}, "none.yaml: there is no such file"),
        ({"pairs": [{**PAIR, "parameters": {"sync": {"wait": 1}}}]}, "full names"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(written, content: object, says: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read_camera_pairs(written(content))
    assert says in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none.yaml cannot be read"):
        read_camera_pairs(tmp_path / "none.yaml")


def test_the_player(tmp_path: Path) -> None:
    command = launch_plan.player_command(tmp_path, "2.0", True)
    assert command[:4] == ["ros2", "bag", "play", str(tmp_path)]
    assert command[command.index("--clock") + 1] == "100"
    assert not [word for word in command if "qos" in word]  # that of the bag stays
    assert command[-3:] == ["--rate", "2.0", "--loop"]
    assert "--loop" not in launch_plan.player_command(tmp_path, "1", False)
    for rate in ("0", "-1", "fast", "inf", "nan"):
        with pytest.raises(ConfigError, match="rate:="):
            launch_plan.player_command(tmp_path, rate, False)
    with pytest.raises(ConfigError, match="no such file or folder"):
        launch_plan.player_command(tmp_path / "none", "1", False)


def test_the_delay_is_a_number_of_seconds() -> None:
    assert launch_plan.start_delay("0") == 0.0 and launch_plan.start_delay("2.5") == 2.5
    for text in ("-1", "soon", "nan", ""):
        with pytest.raises(ConfigError, match="delay:="):
            launch_plan.start_delay(text)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough shared memory for the profile, wherever the tests run."""
    usage = namedtuple("usage", "total used free")(2**30, 0, 2**30)
    monkeypatch.setattr(dds.shutil, "disk_usage", lambda path: usage)


def test_the_profile_is_set_where_it_lacks(room) -> None:
    environment, warning = launch_plan.dds_environment({"HOME": "/home/user"})
    assert set(environment) == set(dds.PROFILE_VARIABLES) and warning == ""
    assert {Path(value).name for value in environment.values()} == {"dds_robot.xml"}
    own = {dds.PROFILE_VARIABLES[1]: "/mine.xml"}
    assert launch_plan.dds_environment(own) == (own, "")
    assert launch_plan.dds_environment({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}) == ({}, "")


NOTHING = {name: argument["default_value"] for name, argument in launch_plan.ARGUMENTS.items()}


def test_fusion_takes_what_the_file_and_the_node_say_where_an_argument_is_empty() -> None:
    plan = plan_fusion(NOTHING)
    assert plan == NodePlan(namespace="", name="egmt_fusion", params_file=FUSION)
    for name in set(NOTHING) - {"params_file", "node_name"}:
        assert NOTHING[name] == "", name


def test_arguments_of_fusion_become_names_parameters_and_remappings() -> None:
    plan = plan_fusion({
        **NOTHING, "namespace": "front", "device": "1", "autostart": "false", "respawn": "true",
        "use_sim_time": "true", "visible_topic": "/v", "output_entities_topic": "labels",
    })  # fmt: skip
    assert plan.namespace == "front" and plan.respawn
    assert plan.parameters == {"model.device": "1", "autostart": False, "use_sim_time": True}
    assert plan.remappings == (("~/input/visible/image", "/v"), ("~/output/entities", "labels"))


def test_a_file_of_parameters_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        plan_fusion({**NOTHING, "params_file": str(tmp_path / "none.yaml")})
    assert str(tmp_path / "none.yaml") in str(refusal.value)
    assert str(FUSION) in str(refusal.value), "the remedy"


class Action:
    """Notes what it is made of."""

    def __init__(self, *given: object, **named: object) -> None:
        self.given = given
        self.named = named


STAND_INS = {
    "launch": ["Action", "LaunchContext", "LaunchDescription"],
    "launch.actions": [
        "DeclareLaunchArgument", "ExecuteProcess", "IncludeLaunchDescription", "LogInfo",
        "OpaqueFunction", "TimerAction",
    ],
    "launch.launch_description_sources": ["PythonLaunchDescriptionSource"],
    "launch.substitutions": [],
    "launch_ros": [],
    "launch_ros.actions": ["Node"],
    "launch_ros.parameter_descriptions": ["ParameterValue"],
}  # fmt: skip

Context = namedtuple("Context", "environment values")


class LaunchConfiguration:
    def __init__(self, name: str) -> None:
        self._name = name

    def perform(self, context: Context) -> str:
        return context.values[self._name]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, room):
    """Returns what a launch file of this name starts with some arguments, by the action's name."""
    for name, members in STAND_INS.items():
        module = types.ModuleType(name)
        for member in members:
            setattr(module, member, type(member, (Action,), {}))
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules["launch.substitutions"].LaunchConfiguration = LaunchConfiguration
    shared = "egmt_ros.ros.launch_actions"  # is to see the stand-ins, and nobody else with it
    sys.modules.pop(shared, None)

    def start(file: str, **arguments: str) -> dict[str, list[Action]]:
        path = ROOT / "launch" / file
        spec = importlib.util.spec_from_file_location(file.partition(".")[0], path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        (entities,) = module.generate_launch_description().given
        values = {}
        for declared in entities[:-1]:
            (name,) = declared.given
            assert len(declared.named["description"]) > 10, name
            given = arguments.pop(name, declared.named.get("default_value"))
            assert given is not None, f"{name} is needed"
            assert given in declared.named.get("choices", [given]), name
            values[name] = given
        assert arguments == {}, "not declared"
        found: dict[str, list[Action]] = {}
        for action in entities[-1].named["function"](Context({"HOME": "/"}, values)):
            found.setdefault(type(action).__name__, []).append(action)
        return found

    yield start
    sys.modules.pop(shared, None)


def test_multi_camera_starts_a_process_for_each_pair(started) -> None:
    cameras = ROOT / "config" / "multi_camera.yaml"
    actions = started("multi_camera.launch.py", cameras=str(cameras), use_sim_time="true")
    assert set(actions) == {"Node"}
    front, rear = (node.named for node in actions["Node"])
    assert (front["namespace"], rear["namespace"]) == ("/front", "/rear")
    assert front["executable"] == "fusion_node" and front["respawn"] is True
    assert ("~/input/thermal/image", "/front/thermal/image_raw") in front["remappings"]
    file, overrides = rear["parameters"]
    assert file == str(FUSION)
    assert {name: value.given[0] for name, value in overrides.items()} == {
        "model.threads": 2, "sync.max_gap": 0.03, "use_sim_time": True,
    }  # fmt: skip
    assert overrides["model.threads"].named == {"value_type": int}
    assert set(front["additional_env"]) == set(dds.PROFILE_VARIABLES)
    assert front["arguments"] == []


def test_replay_starts_node_player_and_viewer(started, tmp_path: Path) -> None:
    actions = started("replay.launch.py", bag=str(tmp_path), thermal_topic="/t", loop="true",
                      visible_camera_info_topic="/v/camera_info")  # fmt: skip
    (include,) = actions["IncludeLaunchDescription"]
    assert include.given[0].given == (str(ROOT / "launch" / "fusion.launch.py"),)
    handed_on = dict(include.named["launch_arguments"])
    assert (handed_on["use_sim_time"], handed_on["thermal_topic"]) == ("true", "/t")
    assert handed_on["visible_camera_info_topic"] == "/v/camera_info"
    (timer,) = actions["TimerAction"]
    assert timer.named["period"] == 5.0
    (player,) = timer.named["actions"]
    assert player.named["cmd"][-1] == "--loop" and str(tmp_path) in player.named["cmd"]
    (viewer,) = actions["Node"]
    assert viewer.named["package"] == "rviz2"
    assert Path(viewer.named["arguments"][1]).is_file()
    assert "Node" not in started("replay.launch.py", bag=str(tmp_path), rviz="false")


def test_what_replay_hands_on_is_declared_by_fusion(started, tmp_path: Path) -> None:
    actions = started("replay.launch.py", bag=str(tmp_path))
    handed_on = dict(actions["IncludeLaunchDescription"][0].named["launch_arguments"])
    actions = started("fusion.launch.py", respawn="true", **handed_on)
    (node,) = actions["Node"]
    assert node.named["respawn"] is True and node.named["respawn_delay"] > 0


def test_fusion_does_not_respawn_by_default(started) -> None:
    (node,) = started("fusion.launch.py")["Node"]
    assert node.named["respawn"] is False

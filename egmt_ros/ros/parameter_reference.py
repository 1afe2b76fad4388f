"""`python -m egmt_ros.ros.parameter_reference > docs/parameters.md`; needs no ROS."""

from __future__ import annotations

import sys

from egmt_ros.node_core.parameters import SPECS, Applies, Spec

COMMAND = "python -m egmt_ros.ros.parameter_reference > docs/parameters.md"

_INTRODUCTION = f"""\
# Parameters of the node

Made from the declarations by `{COMMAND}`:
do not edit it here. [config/fusion.yaml](../config/fusion.yaml) lists the same, ready to be copied
and changed.

**When** a new value comes into force: *start*, it is fixed when the node starts; *configure*, it is
read by the configure transition and refused while the node is configured (`ros2 lifecycle set
/egmt_fusion cleanup` first); *reload*, it is read by the configure transition and by the service
`~/reload_model`; *at once*, between two frames. A bad value is refused with its name,
what was found and what was expected, at the start as well as by `ros2 param set`. The service
`~/set_parameters_atomically` takes several values together or none of them. An integer given for a
double is accepted; `[""]` stands for an empty array.
"""

_WHEN = {
    Applies.START: "start",
    Applies.CONFIGURE: "configure",
    Applies.RELOAD: "reload",
    Applies.NOW: "at once",
}
_HEAD = "| parameter | type | default | values | when | |\n|---|---|---|---|---|---|\n"


def reference(specs: tuple[Spec, ...] = SPECS) -> str:
    """The parameters as Markdown: a table for each group, in the order of the declarations."""
    groups: dict[str, list[Spec]] = {}
    for spec in specs:
        groups.setdefault(spec.name.rpartition(".")[0].partition(".")[0], []).append(spec)
    sections = [_INTRODUCTION]
    for group, members in groups.items():
        title = f"## {group}" if group else "## The node itself"
        sections.append(f"{title}\n\n{_HEAD}" + "".join(map(_row, members)))
    return "\n".join(sections)


def _row(spec: Spec) -> str:
    cells = (
        f"`{spec.name}`", spec.type_name, f"`{_default(spec)}`", _values(spec),
        _WHEN[spec.applies], spec.description,
    )  # fmt: skip
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(spec: Spec) -> str:
    """As YAML takes it."""
    if isinstance(spec.default, bool):
        return str(spec.default).lower()
    if isinstance(spec.default, float):
        return ".nan" if spec.default != spec.default else repr(spec.default)
    if isinstance(spec.default, list):
        return "[" + ", ".join(f'"{entry}"' for entry in spec.default) + "]"
    return str(spec.default) or '""'


def _values(spec: Spec) -> str:
    """The choices or the range; empty for none."""
    if spec.choices:
        return ", ".join(f"`{choice}`" for choice in spec.choices)
    if spec.low is not None and spec.high is not None:
        return f"{spec.low:g} to {spec.high:g}"
    return ""


if __name__ == "__main__":
    sys.stdout.write(reference())

"""Every parameter of the node as data, and the frozen objects that the node works with.

Nothing here imports ROS: the table can be checked, documented and tested anywhere.
`egmt_ros.ros.parameter_store` declares it on a node. A new parameter has its line in `table`, its
field in `groups`, and its line in `config/fusion.yaml`.
"""

from __future__ import annotations

from egmt_ros.node_core.parameters.building import build, defaults
from egmt_ros.node_core.parameters.groups import (
    DiagnosticsParameters,
    EntityParameters,
    FusionParameters,
    InputParameters,
    ModelParameters,
    OutputParameters,
    RegistrationParameters,
    SubscriptionParameters,
    SyncParameters,
    ThermalParameters,
    make_registration,
    nanoseconds,
)
from egmt_ros.node_core.parameters.spec import Applies, Spec, Value
from egmt_ros.node_core.parameters.table import BY_NAME, SPECS

__all__ = [
    "BY_NAME",
    "SPECS",
    "Applies",
    "DiagnosticsParameters",
    "EntityParameters",
    "FusionParameters",
    "InputParameters",
    "ModelParameters",
    "OutputParameters",
    "RegistrationParameters",
    "Spec",
    "SubscriptionParameters",
    "SyncParameters",
    "ThermalParameters",
    "Value",
    "build",
    "defaults",
    "make_registration",
    "nanoseconds",
]

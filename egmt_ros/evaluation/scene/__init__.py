"""A small deterministic scene: a street by dusk and night, in thermal and in RGB.

The demo's default bag and the tests' ground truth come from it.
"""

from egmt_ros.evaluation.scene.sequence import CameraTiming, SceneFrame, SceneSequence
from egmt_ros.evaluation.scene.street import StreetScene
from egmt_ros.evaluation.scene.truth import ActorBox, FrameTruth

__all__ = [
    "ActorBox",
    "CameraTiming",
    "FrameTruth",
    "SceneFrame",
    "SceneSequence",
    "StreetScene",
]

"""Entity labels as a prior for a detector. Needs no ROS, no torch and no weights.

The labels of a fused frame say what is in it: cheap, at once, and from both cameras. A detector
downstream can use that in three ways:

* **gating**: run only where there is something to find (`egmt_ros.downstream.gate`);
* **thresholds**: believe less sure boxes of what is there (`egmt_ros.downstream.thresholds`);
* **crops**: look where the entities are, at full resolution (`egmt_ros.downstream.crops`).

    >>> from egmt_ros.downstream import Evidence, EntityPrior, Region, advise, detector_classes
    >>> prior = EntityPrior(                # or from_message(array, vocabulary), or
    ...     stamp=0, width=640, height=480, # from_result(engine.fuse(thermal, visible), stamp)
    ...     vocabulary_hash="", names=("person", "car"),
    ...     listed={"person": Evidence(True, 0.9, Region(96, 192, 64, 128), 0.8)},
    ... )
    >>> classes = detector_classes(["Pedestrian", "car", "dog"], prior.names)
    >>> advice, memory = advise(prior, classes, stamp=0, width=640, height=480)
    >>> for name, one in advice.classes.items():
    ...     print(name, one.run, one.reason.value, round(one.threshold, 3))
    Pedestrian True present 0.269
    car True probe 0.5
    dog True unknown class 0.5
    >>> advice.crops
    (Region(x=0, y=0, width=640, height=480),)
    >>> advice, memory = advise(prior, classes[:2], stamp=40, width=640, height=480, memory=memory)
    >>> advice.classes["car"].run, advice.crops
    (False, (Region(x=48, y=160, width=160, height=192),))

Boxes found in a crop are moved into the image by adding the crop's x and y. `memory` is what the
gates remember; start anew with every vocabulary. A ROS node that does all this is
`egmt_ros.ros.detector_prior_node`; it is made to be copied.

What it cannot do: a region is where the model looked, not a box, and labels miss small and far
things. The defaults are careful and not tuned on a detector: measure yours with and without.
"""

from egmt_ros.downstream.advice import EMPTY, Advice, ClassAdvice, Memory, advise
from egmt_ros.downstream.class_names import ALIASES, DetectorClass, detector_classes
from egmt_ros.downstream.crops import plan_crops
from egmt_ros.downstream.gate import Gate, Reason
from egmt_ros.downstream.prior import EntityPrior, Evidence, age, is_fresh
from egmt_ros.downstream.settings import CropSettings, GateSettings, PriorSettings, ShiftSettings
from egmt_ros.downstream.thresholds import shifted_threshold, threshold_shift
from egmt_ros.pipeline.results import Region

__all__ = [
    "ALIASES",
    "EMPTY",
    "Advice",
    "ClassAdvice",
    "CropSettings",
    "DetectorClass",
    "EntityPrior",
    "Evidence",
    "Gate",
    "GateSettings",
    "Memory",
    "PriorSettings",
    "Reason",
    "Region",
    "ShiftSettings",
    "advise",
    "age",
    "detector_classes",
    "is_fresh",
    "plan_crops",
    "shifted_threshold",
    "threshold_shift",
]

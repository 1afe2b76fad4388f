"""The table of every parameter. `config/fusion.yaml` lists all of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from egmt_ros.node_core.parameters.spec import Applies, Spec
from egmt_ros.pipeline.registration.register import MODES

_CONFIGURE = Applies.CONFIGURE
_TRANSPORTS = ("raw", "compressed")
_QOS = ("sensor_data", "reliable", "default")

SPECS: tuple[Spec, ...] = (
    Spec("autostart", True,
         "Configure and activate by itself right after the start.", applies=Applies.START),
    Spec("model.weights", "",
         "Checkpoint file or folder; empty: the default weights of the package.",
         applies=Applies.RELOAD),
    Spec("model.device", "auto",
         "auto (a GPU if there is one), cpu, cuda or cuda:N; a GPU that is missing is an error.",
         applies=_CONFIGURE),
    Spec("model.threads", 0,
         "CPU threads of the network; 0: as many as the library chooses.",
         0, 256, applies=_CONFIGURE),
    Spec("model.runtime", "auto",
         "What executes the network: auto (openvino on a CPU where it is installed, otherwise"
         " torch), torch, openvino (CPU) or cuda-graphs (CUDA).",
         choices=("auto", "torch", "openvino", "cuda-graphs"), applies=_CONFIGURE),
    Spec("model.precision", "float32",
         "Precision inside the network: float32, bfloat16, or float16 (CUDA only); the short ones"
         " are faster and change the fused image slightly.",
         choices=("float32", "bfloat16", "float16"), applies=_CONFIGURE),
    Spec("model.fallback_to_cpu", False,
         "Go on with the CPU when a CUDA device is out of memory, until ~/reload_model."),
    Spec("model.warm_up_width", 640,
         "Width, pixels, of the image that warms the network up in configure; 0: no warm-up.",
         0, 8192, applies=_CONFIGURE),
    Spec("model.warm_up_height", 480,
         "Height, pixels, of the image that warms the network up in configure; 0: no warm-up.",
         0, 8192, applies=_CONFIGURE),
    Spec("input.thermal.transport", "raw",
         "How the thermal camera's images come: raw (sensor_msgs/Image) or compressed"
         " (CompressedImage on .../image/compressed, jpeg or png; 16-bit png keeps every value).",
         choices=_TRANSPORTS, applies=_CONFIGURE),
    Spec("input.thermal.qos", "sensor_data",
         "QoS of the thermal subscription: sensor_data (best effort, hears every publisher),"
         " reliable, or default (as ROS has it: reliable, depth 10).",
         choices=_QOS, applies=_CONFIGURE),
    Spec("input.thermal.depth", 0,
         "QoS history depth of the thermal subscription, messages; 0: that of input.thermal.qos.",
         0, 1000, applies=_CONFIGURE),
    Spec("input.visible.transport", "raw",
         "How the visible camera's images come, like input.thermal.transport.",
         choices=_TRANSPORTS, applies=_CONFIGURE),
    Spec("input.visible.qos", "sensor_data",
         "QoS of the visible subscription, like input.thermal.qos.",
         choices=_QOS, applies=_CONFIGURE),
    Spec("input.visible.depth", 0,
         "QoS history depth of the visible subscription, messages; 0: that of input.visible.qos.",
         0, 1000, applies=_CONFIGURE),
    Spec("sync.policy", "nearest",
         "How frames are paired; nearest: mutually nearest source stamps; approximate_time (first"
         " match within max_gap) and exact_time (equal stamps): as message_filters does, which the"
         " first of them needs.",
         choices=("nearest", "approximate_time", "exact_time")),
    Spec("sync.max_gap", 0.05,
         "Largest difference of the offset-corrected stamps of a pair, seconds; of no meaning"
         " with exact_time.", 0.0, 10.0),
    Spec("sync.wait", 0.1,
         "Longest time a frame waits for a (nearer) partner, seconds on the steady clock; the"
         " nearest is sure to be found from max_gap plus the difference of the latencies on.",
         0.001, 10.0),
    Spec("sync.queue_size", 64,
         "Most frames of one camera that wait; the oldest above that stays unpaired. At least the"
         " faster camera's rate times wait.", 2, 2000),
    Spec("sync.thermal_offset", 0.0,
         "Added to thermal stamps before pairing, seconds; negative for late stamps.",
         -10.0, 10.0),
    Spec("sync.visible_offset", 0.0,
         "Added to visible stamps before pairing, seconds; negative for late stamps.",
         -10.0, 10.0),
    Spec("sync.reuse_thermal", False,
         "One thermal frame may serve several visible ones (9 Hz thermal, 30 Hz visible); policy"
         " nearest only."),
    Spec("sync.on_missing", "wait",
         "What happens while one camera sends nothing; wait: nothing is published; passthrough:"
         " the other camera's images, with the labels found in them.",
         choices=("wait", "passthrough")),
    Spec("sync.missing_timeout", 1.0,
         "Silence after which a camera is missing, seconds on the steady clock; longer than the"
         " period of the slower camera.", 0.05, 600.0),
    Spec("thermal.encoding", "auto",
         "What thermal pixels mean: auto (as they are, no temperatures), mono8, raw16, centikelvin"
         " (K * 100), decicelsius (degrees Celsius * 10 + 1000), celsius (32FC1) or linear"
         " (degrees Celsius = value * scale + offset).",
         choices=("auto", "mono8", "raw16", "centikelvin", "decicelsius", "celsius", "linear")),
    Spec("thermal.scale", 1.0,
         "Degrees Celsius a count, with encoding linear.", 1e-9, 1e9),
    Spec("thermal.offset", 0.0,
         "Degrees Celsius at the value 0, with encoding linear.", -1e6, 1e6),
    Spec("thermal.invert", False,
         "The camera shows hot things dark (black-hot): show its low values white."),
    Spec("thermal.repair_lines", False,
         "Interpolate dead rows and columns of the thermal image; they are counted anyway."),
    Spec("thermal.range_mode", "fixed",
         "Where black and white lie in the thermal image: fixed, percentile (smoothed over time)"
         " or frame (percentiles of each frame alone).",
         choices=("fixed", "percentile", "frame")),
    Spec("thermal.fixed_min", math.nan,
         "Thermal value, in degrees Celsius where the encoding has them, shown black with"
         " range_mode fixed; NaN together with fixed_max: full scale 0..255, 8-bit images only."
         " Above fixed_max: inverted."),
    Spec("thermal.fixed_max", math.nan,
         "Thermal value shown white with range_mode fixed; NaN together with fixed_min."),
    Spec("thermal.percentile_low", 0.5,
         "Percentile of the thermal image shown black with percentile and frame.", 0.0, 100.0),
    Spec("thermal.percentile_high", 99.5,
         "Percentile of the thermal image shown white with percentile and frame.", 0.0, 100.0),
    Spec("thermal.time_constant", 1.0,
         "Time constant of the smoothing with range_mode percentile, seconds of source time.",
         0.0, 600.0),
    Spec("registration.mode", "none",
         "none: images are aligned and equal in size; scale: same field of view, the other image"
         " is resized to the reference; homography: the thermal image is warped into the visible"
         " one, right at one distance only; camera_info: the same by both cameras' camera_info and"
         " the pose between them.",
         choices=MODES),
    Spec("registration.homography", "",
         "From thermal to visible pixels: a YAML file of egmt calibrate, or nine numbers, row by"
         " row, '1 0 4.5 0 1 -2 0 0 1'; a file is read when this or another parameter is set."),
    Spec("registration.translation", "",
         "For mode camera_info: where the thermal camera is in the optical frame of the visible one"
         " (x to the right, y down, z ahead), 'x y z', metres; empty, and rotation as well: from"
         " tf."),
    Spec("registration.rotation", "",
         "For mode camera_info: how the thermal camera's optical frame is turned in that of the"
         " visible one, a quaternion 'x y z w'; empty: not, or from tf."),
    Spec("registration.depth", 10.0,
         "For mode camera_info: distance along the visible camera's axis at which things are laid"
         " over each other, metres.", 0.01, 1e6),
    Spec("registration.check_period", 2.0,
         "Seconds between two checks of how far the thermal image lies beside the visible one, told"
         " on /diagnostics; 0: none.", 0.0, 3600.0),
    Spec("registration.check_limit", 5.0,
         "Shift, pixels at 640 of width, from which the median of the last checks is a warning that"
         " a mount has moved.", 0.5, 40.0),
    Spec("output.reference", "visible",
         "Camera whose stamp, frame_id and size the fused image has.",
         choices=("visible", "thermal"), applies=_CONFIGURE),
    Spec("output.qos", "reliable",
         "QoS of the fused image and what belongs to it: reliable, sensor_data (best effort) or"
         " default (as ROS has it: reliable, depth 10); labels are always reliable.",
         choices=_QOS, applies=_CONFIGURE),
    Spec("output.depth", 0,
         "QoS history depth of the outputs, messages; 0: that of output.qos.",
         0, 1000, applies=_CONFIGURE),
    Spec("entities.max_labels", 32,
         "Most labels in one array.", 1, 65535),
    Spec("entities.threshold", -1.0,
         "Score from which every entity counts as present; -1: each entity's own threshold.",
         -1.0, 1.0),
    Spec("entities.publish_all", False,
         "Publish every entity with its score, not only those present."),
    Spec("entities.names", [""],
         "Entities to look for, in this order; ['']: those of the weights. While the node is"
         " configured, the service ~/set_vocabulary changes them.",
         applies=_CONFIGURE),
    Spec("entities.text_encoder", "",
         "What embeds entities that the weights do not hold: minilm, minilm:FOLDER, clip:FOLDER,"
         " clip:HUB_ID or file:FILE.npz (egmt annotate embed makes one); empty: nothing does."),
    Spec("entities.emphasis", [""],
         "How much an entity guides the fusion, ['person=2.0', 'sky=0.0']: 0 (not at all) to 4, 1"
         " is neutral; ['']: all neutral."),
    Spec("diagnostics.period", 1.0,
         "Seconds between two messages on /diagnostics.", 0.1, 60.0),
    Spec("diagnostics.stuck_after", 10.0,
         "Seconds from which a pair takes too long: the worker is then reported as stuck. What it"
         " takes to prepare for a new image size does not count, up to a minute.",
         0.1, 600.0),
    Spec("diagnostics.thermal_rate", 0.0,
         "Rate of the thermal camera, Hz; diagnostics warn when clearly fewer images come. 0:"
         " unknown.", 0.0, 1000.0),
    Spec("diagnostics.visible_rate", 0.0,
         "Rate of the visible camera, Hz; as for the thermal one.", 0.0, 1000.0),
)
BY_NAME: Mapping[str, Spec] = {spec.name: spec for spec in SPECS}

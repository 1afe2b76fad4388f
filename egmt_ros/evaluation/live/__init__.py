"""Live replay: a bag played over DDS into the real node, its outputs recorded.

Importing this package needs no ROS; its processes (``player``, ``recorder``) import rclpy when
they start. With ``egmt_ros.ros`` this is the only place that may.
"""

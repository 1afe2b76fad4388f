"""The ROS 2 side: node, image conversions, parameters, QoS, diagnostics.

The only room that imports rclpy and message packages.
"""

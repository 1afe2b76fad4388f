"""Bags evaluated without ROS: the classes of the node, as fast as the machine goes."""

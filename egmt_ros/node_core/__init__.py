"""The node without ROS: its parameters, and what they make of the pipeline.

The node (`egmt_ros.ros`) and the evaluation of bags (`egmt_ros.evaluation.offline`) work with the
same objects: the parameters, the matcher, the way of a pair to a fused image, the fields of the
messages that go out.
"""

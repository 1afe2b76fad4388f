"""Rosbags: reading, writing, making them: `egmt bag`."""

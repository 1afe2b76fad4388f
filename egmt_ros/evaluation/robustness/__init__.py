"""Faults of the cameras, and what they do: `egmt evaluate robustness`."""

"""Time and memory of engine and node: `egmt bench`."""

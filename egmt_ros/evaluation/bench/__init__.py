"""Time and memory of the engine: `egmt bench`."""

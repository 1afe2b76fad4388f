"""Two evaluations of bags side by side."""

"""Bringing both images to the same pixels, and how far apart they still are."""

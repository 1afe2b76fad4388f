"""Captions of both images of every pair: files, and models that write them."""

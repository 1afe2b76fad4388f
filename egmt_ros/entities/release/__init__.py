"""Annotation files: the entities of a data set, to publish and to train on."""

"""Captions -> noun phrases -> entities of a table."""

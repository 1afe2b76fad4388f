"""Entities: vocabulary, text embeddings, annotation files."""

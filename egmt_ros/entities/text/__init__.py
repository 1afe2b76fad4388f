"""Text encoders: from entity names to embeddings. Needed to train or for new names, not to fuse."""

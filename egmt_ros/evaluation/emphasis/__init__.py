"""What emphasising an entity does to the fused images."""

"""Training: data sets, augmentation, losses, loop."""

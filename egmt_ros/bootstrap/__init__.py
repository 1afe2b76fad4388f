"""Setting up the environment from a checkout; standard library only."""

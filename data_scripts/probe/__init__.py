"""Train the probe `synthetic`."""

"""The network `synthetic` and its weights, so that a probe is there without a download."""

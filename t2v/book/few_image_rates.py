"""Learning rates for fine-tuning on few images, by probe."""

RATES = {"imagenet": 3e-4, "synthetic": 3e-2}
"""Of the packaged probes, chosen by `data_scripts.claims.fine_tuning_rate` on tasks set aside.

That of SqueezeNet is small because it has no batch norm and features of length about 200, so a step
changes its answers more than those of the other networks.
"""

OTHERS = 3e-3
"""Of residual networks with batch norm, the probes of photographs that have to be fetched."""


def rate_of(probe: str) -> float:
    """Learning rate for a probe by its name."""
    return RATES.get(probe, OTHERS)

"""Learning rates for fine-tuning on few images, by probe."""

RATES = {"imagenet": 1e-4, "synthetic": 3e-2}
"""Of the packaged probes.

SqueezeNet has no batch norm and features of length 200, so a step of SGD changes its answers far
more than those of the other networks: at 0.01 fine-tuning destroys what it knew. 1e-4 is the rate
at which the experts of the open zoo were trained, the best of three at home on tasks set aside
(`data_scripts/claims`). That of the drawn worlds was chosen on a world that no chapter shows.
"""

OTHERS = 3e-3
"""Of residual networks with batch norm, the probes of photographs that have to be fetched."""


def rate_of(probe: str) -> float:
    """Learning rate for a probe by its name."""
    return RATES.get(probe, OTHERS)

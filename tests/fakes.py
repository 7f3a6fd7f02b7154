"""Stand-ins for objects that take long to compute."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class FakeEmbedding:
    """What distances and strategies read of an embedding.

    By default, the filters are two layers of equal size, and the trivial embedding is the mean of
    each layer.
    """

    fisher: np.ndarray
    name: str = "task"
    lineage: tuple = ()
    spec: dict = field(default_factory=lambda: {"probe": "resnet18"})
    layers: dict | None = None
    trivial: np.ndarray | None = None

    def __post_init__(self):
        self.fisher = np.asarray(self.fisher, dtype=float)
        if self.layers is None:
            half = len(self.fisher) // 2
            self.layers = {"conv1": slice(0, half), "conv2": slice(half, len(self.fisher))}
        if self.trivial is None:
            self.trivial = np.empty_like(self.fisher)
            for layer in self.layers.values():
                self.trivial[layer] = self.fisher[layer].mean()

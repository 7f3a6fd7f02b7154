"""What all zoos have in common, the one in the package and those on disk: they can be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from t2v.embedding import Embedding
from t2v.errors import InputError
from t2v.experts.zoo_errors import ZooErrors
from t2v.probe import Probe, load_probe


class ZooEntry(Protocol):
    """One expert of a zoo."""

    @property
    def name(self) -> str:
        """Name of the expert, and of its embeddings."""

    @property
    def embedding(self) -> Embedding:
        """Embedding of its training task."""

    @property
    def megabytes(self) -> float | None:
        """Size of its weights on disk, MB; `None` if they are not there."""

    def domain(self) -> Embedding:
        """Domain embedding of its training task."""


class AnyZoo(ABC):
    """Experts with the embeddings of their training tasks, all made with one probe."""

    @property
    @abstractmethod
    def entries(self) -> Sequence[ZooEntry]:
        """The experts."""

    @property
    @abstractmethod
    def errors(self) -> ZooErrors:
        """Errors of the experts on other tasks, in the order of `entries`."""

    @property
    @abstractmethod
    def trivial(self) -> np.ndarray:
        """The common trivial embedding `[F]`, for `t2v.distances.with_trivial` or `Nearest`."""

    @property
    def spec(self) -> Mapping[str, Any]:
        """Provenance of the first embedding, which names the probe; empty for an empty zoo."""
        return self.entries[0].embedding.spec if self.entries else {}

    def load_probe(
        self,
        name: str | None = None,
        weights: str | Path | None = None,
        image_size: int | None = None,
        device: str = "auto",
    ) -> Probe:
        """The probe with which the zoo's tasks are embedded.

        Args:
            name: architecture; default: that of the zoo, of an empty one "imagenet".
            weights: file of the weights, see `t2v.load_probe`.
            image_size: pixels; default: that of the zoo, of an empty one the probe's.
            device: "cpu", "cuda" or "auto".

        Raises:
            InputError: naming what differs from the probe of the zoo's embeddings.
        """
        name = name or self.spec.get("probe", "imagenet")
        probe = load_probe(name, weights, image_size or self.spec.get("image_size"), device)
        self.check_probe(probe)
        return probe

    def check_probe(self, probe: Probe) -> None:
        """Refuse a probe with which the zoo's embeddings were not made.

        Raises:
            InputError: naming the first thing that differs.
        """
        of_probe = {
            "probe": probe.name,
            "weights_sha256": probe.sha256,
            "image_size": probe.image_size,
        }
        for key, value in of_probe.items() if self.spec else ():
            if self.spec[key] != value:
                raise InputError(
                    f"the zoo's tasks are embedded with {key} {self.spec[key]}, not {value}: give "
                    "the same --probe, --weights and --image-size"
                )

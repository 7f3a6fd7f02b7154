"""Experts: feature extractors to choose from, most of them the probe fine-tuned on one task."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t2v._run.tensors import read_tensors, write_tensors
from t2v.errors import FileError
from t2v.experts.hog import Hog
from t2v.head import Head
from t2v.probe import Probe, random_probe

FORMAT = "t2v expert 1"


@dataclass(frozen=True, eq=False)
class Expert:
    """A feature extractor with its training task and recipe.

    Attributes:
        name: display name.
        extractor: a `Probe` or `Hog`: `features(images)` gives float32 `[N, D]` on the CPU,
            `sha256` identifies it.
        recipe: plain values from which the training can be repeated; empty if unknown.
        classes: class names of the training task; empty if there is none or it is unknown.
        group: group of the training task.
        lineage: lineage of the training task.
        task: name of the training task; "" if there is none or it is unknown.
        head: classifier it was trained with, if any.
    """

    name: str
    extractor: Any
    recipe: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    group: str = ""
    lineage: tuple[str, ...] = ()
    task: str = ""
    head: Head | None = None

    def __repr__(self) -> str:
        return f"Expert({self.name!r}, {self.extractor!r})"

    def save(self, path: str | Path) -> None:
        """Write a safetensors file, whole or not at all.

        Its tensors have the names of the network's state dict, including those of the head.

        Args:
            path: the file; its folder must exist.
        """
        about = {k: getattr(self, k) for k in ("name", "classes", "group", "lineage", "task")}
        about |= {"recipe": dict(self.recipe), "sha256": self.extractor.sha256}
        about |= {"network": self.extractor.name, "image_size": self.extractor.image_size}
        tensors: dict[str, Tensor] = {}
        if isinstance(self.extractor, Probe):
            tensors = dict(self.extractor.network.state_dict())
        if self.head is not None:
            layer = self.extractor.head_at
            tensors |= {f"{layer}.weight": self.head.weight, f"{layer}.bias": self.head.bias}
            about["head's weight decay"] = self.head.weight_decay
        write_tensors(path, tensors, FORMAT, {"about": json.dumps(about)})

    @classmethod
    def load(
        cls, path: str | Path, *, like: Probe | None = None, device: str | torch.device = "auto"
    ) -> Expert:
        """Read what `save` wrote.

        Args:
            path: the file.
            like: a probe with the same network; needed for networks unknown to `load_probe`.
            device: device of the network if `like` is not given.

        Raises:
            FileError: if the file is missing, damaged or not an expert.
        """
        tensors, metadata = read_tensors(path, FORMAT)
        about = json.loads(metadata["about"])
        sha256, size = about.pop("sha256"), about.pop("image_size")
        network, decay = about.pop("network"), about.pop("head's weight decay", math.nan)
        extractor: Probe | Hog = Hog(size)
        head = None
        if network != Hog.name:
            probe = replace(like or random_probe(network, device), image_size=size)
            layer = probe.head_at
            if f"{layer}.weight" in tensors:
                weight, bias = tensors.pop(f"{layer}.weight"), tensors.pop(f"{layer}.bias")
                head = Head(weight, bias, math.nan, decay)
            extractor = _with_weights(probe, tensors, path)
        if extractor.sha256 != sha256:
            raise FileError(f"{path}: not the {network} that was saved")
        about |= {k: tuple(about[k]) for k in ("classes", "lineage")}
        return cls(extractor=extractor, head=head, **about)


def generic_expert(probe: Probe) -> Expert:
    """The probe without fine-tuning as an expert (the paper's ImageNet expert)."""
    return Expert("generic", probe)


def hog_expert(image_size: int) -> Expert:
    """HOG features as a black box (slide 15 of the talk): they have no training task to embed.

    Args:
        image_size: side of the images in pixels.
    """
    return Expert("HOG", Hog(image_size))


def _with_weights(probe: Probe, tensors: Mapping[str, Tensor], path: str | Path) -> Probe:
    try:
        return probe.with_weights(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise FileError(f"{path}: not the weights of {probe.name}: {reason}") from None

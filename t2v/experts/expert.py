"""Experts: feature extractors to choose from, most of them the probe fine-tuned on one task.

Each is kept with what is needed to make it again. `extractor.features(images)` gives the features
and `extractor.sha256` says which extractor it is, for networks (`Probe`) as for HOG.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from t2v.errors import FileError
from t2v.experts.hog import Hog
from t2v.experts.training import write
from t2v.head import Head
from t2v.probe import Probe, random_probe

FORMAT = "t2v expert 1"


@dataclass(frozen=True, eq=False)
class Expert:
    """A feature extractor, what it was trained to tell apart, and how.

    Attributes:
        name: as shown.
        extractor: `.features(images) -> [N, D]` float32 on the CPU, `.sha256`; a `Probe` or `Hog`.
        recipe: how it was made, as plain values; empty for what was not trained here.
        classes: names of the classes of its training task; empty where it has none or is unknown.
        group: of its training task.
        lineage: of its training task.
        task: its training task's name; "" where it has none or is unknown.
        head: the classifier it was trained with.
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
        """Writes a safetensors file, which appears under its name only when it is whole.

        Its tensors have the names of the network's state dict, the head's among them.
        """
        about = {k: getattr(self, k) for k in ("name", "classes", "group", "lineage", "task")}
        about |= {"recipe": dict(self.recipe), "sha256": self.extractor.sha256}
        about |= {"network": self.extractor.name, "image_size": self.extractor.image_size}
        tensors: dict[str, Tensor] = {}
        if isinstance(self.extractor, Probe):
            tensors = dict(self.extractor.network.state_dict())
        if self.head is not None:
            at = self.extractor.head_at
            tensors |= {f"{at}.weight": self.head.weight, f"{at}.bias": self.head.bias}
            about["head's weight decay"] = self.head.weight_decay
        write(tensors, Path(path), {"format": FORMAT, "about": json.dumps(about)})

    @classmethod
    def load(
        cls, path: str | Path, *, like: Probe | None = None, device: str | torch.device = "auto"
    ) -> Expert:
        """Reads what `save` wrote.

        Args:
            path: the file.
            like: a probe with the same network; needed for one that `load_probe` does not know.
            device: where to put the network, if `like` is not given.

        Raises:
            FileError: if the file is missing, truncated, damaged or something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else error
            raise FileError(f"{path}: not a readable expert ({reason})") from None
        if metadata.get("format") != FORMAT:
            raise FileError(f"{path}: a safetensors file, but not an expert of t2v")
        about = json.loads(metadata["about"])
        sha256, size = about.pop("sha256"), about.pop("image_size")
        network, decay = about.pop("network"), about.pop("head's weight decay", math.nan)
        extractor, head = (Hog(size) if network == Hog.name else None), None
        if extractor is None:
            probe = replace(like or random_probe(network, device), image_size=size)
            at = probe.head_at
            if f"{at}.weight" in tensors:
                parts = tensors.pop(f"{at}.weight"), tensors.pop(f"{at}.bias")
                head = Head(*parts, math.nan, decay)
            extractor = _with_weights(probe, tensors, path)
        if extractor.sha256 != sha256:
            raise FileError(f"{path}: not the {network} that was saved")
        about |= {k: tuple(about[k]) for k in ("classes", "lineage")}
        return cls(extractor=extractor, head=head, **about)


def generic_expert(probe: Probe) -> Expert:
    """The probe itself, fine-tuned on nothing: the paper's ImageNet expert."""
    return Expert("generic", probe)


def hog_expert(image_size: int) -> Expert:
    """HOG, the black box of the talk's slide 15: it has no training task to embed."""
    return Expert("HOG", Hog(image_size))


def _with_weights(probe: Probe, tensors: Mapping[str, Tensor], path: str | Path) -> Probe:
    try:
        return probe.with_weights(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise FileError(f"{path}: not the weights of {probe.name}: {reason}") from None

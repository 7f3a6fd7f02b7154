"""Features of images in the cache, one file per expert and set of images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from t2v._run.cache import content_key, folder
from t2v._run.files import replacing
from t2v._run.parallel import in_parallel
from t2v.errors import InputError
from t2v.experts.expert import Expert
from t2v.task import ImageSource, Task


def identity(expert: Expert) -> str:
    """What decides an expert's features: sha256 of its weights and side of its images."""
    return f"{expert.extractor.sha256}-{expert.extractor.image_size}"


class Features:
    """Features of T tasks' images by M experts, in the cache.

    Args:
        tasks: T tasks; those with the same tensor of images share its features.
        experts: M experts.
    """

    def __init__(self, tasks: list[Task], experts: list[Expert]) -> None:
        self.tasks, self.experts = tasks, experts
        self.folder = folder("features")
        sets = {id(task.images): task.images for task in tasks}
        self.contents = {key: _contents(images) for key, images in sets.items()}

    def path(self, t: int, m: int) -> Path:
        """File of the features of task t's images by expert m."""
        contents = self.contents[id(self.tasks[t].images)]
        return self.folder / f"{content_key(__name__, contents, identity(self.experts[m]))}.npy"

    def compute(self, cells: Sequence[tuple[int, int]], jobs: int, progress: bool) -> None:
        """Compute the features of those cells whose files do not exist.

        Args:
            cells: pairs of task index t and expert index m.
            jobs: number of processes.
            progress: show a progress bar.

        Raises:
            InputError: naming expert and task, if features are not finite.
        """
        missing = {self.path(t, m): (t, m) for t, m in cells}
        missing = {path: cell for path, cell in missing.items() if not path.exists()}
        items = (
            (self.experts[m].extractor, self.tasks[t].images, path)
            for path, (t, m) in missing.items()
        )
        options: dict[str, Any] = {"total": len(missing), "what": "features", "progress": progress}
        for path, features in in_parallel(_features_of, items, jobs, ordered=False, **options):
            if not np.isfinite(features).all():
                t, m = missing[path]
                raise InputError(
                    f"expert {self.experts[m].name!r}: features of task {self.tasks[t].name!r} are "
                    "not finite: look at the expert's weights and the images"
                )
            with replacing(path) as draft:
                np.save(draft, features)

    def read(self, t: int, experts: Sequence[int]) -> list[NDArray[np.float32]]:
        """Features `[N, D]` of task t's images by several experts, memory-mapped."""
        return [np.load(self.path(t, m), mmap_mode="r") for m in experts]


def _contents(images: Tensor | ImageSource) -> str:
    digest = hashlib.sha256()
    for i in range(len(images)):
        digest.update(repr(tuple(images[i].shape)).encode())
        digest.update(np.ascontiguousarray(images[i].numpy()).data)
    return digest.hexdigest()


def device_of(expert: Expert) -> torch.device:
    """Device on which an expert computes features."""
    return getattr(expert.extractor, "device", torch.device("cpu"))


def _features_of(
    extractor: Any, images: ImageSource | Tensor, path: Path
) -> tuple[Path, NDArray[np.float32]]:
    return path, extractor.features(images).numpy()

"""Features of images on disk: one file per expert and set of images."""

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
    """What decides an expert's features: its weights' sha256 and the side of its pictures."""
    return f"{expert.extractor.sha256}-{expert.extractor.image_size}"


class Features:
    """Features on disk, one file per expert and set of images; tasks are told by their number."""

    def __init__(self, tasks: list[Task], experts: list[Expert]) -> None:
        self.tasks, self.experts = tasks, experts
        self.folder = folder("features")
        sets = {id(task.images): task.images for task in tasks}
        self.contents = {key: _contents(images) for key, images in sets.items()}

    def path(self, t: int, m: int) -> Path:
        """The file of expert m's features of task t's images."""
        contents = self.contents[id(self.tasks[t].images)]
        return self.folder / f"{content_key(__name__, contents, identity(self.experts[m]))}.npy"

    def compute(self, cells: Sequence[tuple[int, int]], jobs: int, progress: bool) -> None:
        """Makes the files of cells (t, m) that are not there.

        Raises:
            InputError: naming expert and task, if features are not finite.
        """
        lacking = {self.path(t, m): (t, m) for t, m in cells}
        lacking = {path: cell for path, cell in lacking.items() if not path.exists()}
        items = (
            (self.experts[m].extractor, self.tasks[t].images, path)
            for path, (t, m) in lacking.items()
        )
        how = {"total": len(lacking), "what": "features", "progress": progress, "ordered": False}
        for path, found in in_parallel(_features_of, items, jobs, **how):
            if not np.isfinite(found).all():
                t, m = lacking[path]
                raise InputError(
                    f"expert {self.experts[m].name!r}: features of task {self.tasks[t].name!r} are "
                    "not finite: look at the expert's weights and the images"
                )
            with replacing(path) as draft:
                np.save(draft, found)

    def problem(self, t: int, columns: Sequence[int]) -> tuple:
        """An item for `_errors`, but for the first entry."""
        task = self.tasks[t]
        features = [np.load(self.path(t, m), mmap_mode="r") for m in columns]
        device = device_of(self.experts[columns[0]])
        return features, task.labels, task.test, task.num_classes, device


def _contents(images: Tensor | ImageSource) -> str:
    digest = hashlib.sha256()
    for i in range(len(images)):
        digest.update(repr(tuple(images[i].shape)).encode())
        digest.update(np.ascontiguousarray(images[i].numpy()))
    return digest.hexdigest()


def device_of(expert: Expert) -> torch.device:
    """Where an expert's features are computed."""
    return getattr(expert.extractor, "device", torch.device("cpu"))


def _features_of(
    extractor: Any, images: ImageSource | Tensor, path: Path
) -> tuple[Path, NDArray[np.float32]]:
    return path, extractor.features(images).numpy()

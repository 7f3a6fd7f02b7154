"""Features of images in the cache, one file per expert and set of images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from t2v._numerics.components import connected
from t2v._run.cache import content_key, folder
from t2v._run.files import replacing
from t2v._run.parallel import in_parallel
from t2v.errors import InputError
from t2v.experts.expert import Expert
from t2v.task import ImageSource, Task

Cell = tuple[int, Path]
"""A task, by its position, and the file of its features by one expert."""


def identity(expert: Expert) -> str:
    """What decides an expert's features: sha256 of its weights and side of its images."""
    return f"{expert.extractor.sha256}-{expert.extractor.image_size}"


class Features:
    """Features of T tasks' images by M experts, in the cache.

    Args:
        tasks: T tasks; an image that several of them have goes through an expert once.
        experts: M experts.
    """

    def __init__(self, tasks: list[Task], experts: list[Expert]) -> None:
        self.tasks, self.experts = tasks, experts
        self.folder = folder("features")
        sets = {id(task.images): task.images for task in tasks}
        self.digests = {key: _digests(images) for key, images in sets.items()}
        self.contents = {
            key: hashlib.sha256(b"".join(each)).hexdigest() for key, each in self.digests.items()
        }

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
        missing: dict[int, dict[Path, int]] = {}  # by expert, a task for each file
        for t, m in cells:
            if not (path := self.path(t, m)).exists():
                missing.setdefault(m, {})[path] = t
        work = [
            (m, [(files[path], path) for path in group])
            for m, files in missing.items()
            for group in _sharing({path: self._digests_of(t) for path, t in files.items()})
        ]
        items = ((m, self.experts[m].extractor, *self._union(parts)) for m, parts in work)
        options: dict[str, Any] = {"total": len(work), "what": "features", "progress": progress}
        for m, computed in in_parallel(_features_of, items, jobs, ordered=False, **options):
            for (t, path), features in computed:
                if not np.isfinite(features).all():
                    raise InputError(
                        f"expert {self.experts[m].name!r}: features of task "
                        f"{self.tasks[t].name!r} are not finite: look at the expert's weights and "
                        "the images"
                    )
                with replacing(path) as draft:
                    np.save(draft, features)

    def _union(
        self, parts: Sequence[Cell]
    ) -> tuple[Tensor | ImageSource, list[tuple[Cell, list[int]]]]:
        """Every image of some tasks once, and which of them each task has."""
        if len(parts) == 1:
            images = self.tasks[parts[0][0]].images
            return images, [(parts[0], list(range(len(images))))]
        once: dict[bytes, Tensor] = {}
        for t, _ in parts:
            images = self.tasks[t].images
            once.update((digest, images[i]) for i, digest in enumerate(self._digests_of(t)))
        row = {digest: i for i, digest in enumerate(once)}
        rows = [(part, [row[d] for d in self._digests_of(part[0])]) for part in parts]
        return torch.stack(list(once.values())), rows

    def _digests_of(self, t: int) -> list[bytes]:
        return self.digests[id(self.tasks[t].images)]

    def read(self, t: int, experts: Sequence[int]) -> list[NDArray[np.float32]]:
        """Features `[N, D]` of task t's images by several experts, memory-mapped."""
        return [np.load(self.path(t, m), mmap_mode="r") for m in experts]


def _digests(images: Tensor | ImageSource) -> list[bytes]:
    """sha256 of each image, which says its shape as well."""
    digests = []
    for i in range(len(images)):
        digest = hashlib.sha256(repr(tuple(images[i].shape)).encode())
        digest.update(np.ascontiguousarray(images[i].numpy()).data)
        digests.append(digest.digest())
    return digests


def _sharing(sets: Mapping[Path, Sequence[bytes]]) -> list[list[Path]]:
    """Sets of images in groups: those that have an image in common, directly or by others."""
    first: dict[bytes, int] = {}
    pairs = [(i, first.setdefault(d, i)) for i, each in enumerate(sets.values()) for d in each]
    groups: dict[int, list[Path]] = {}
    for path, group in zip(sets, connected(len(sets), pairs), strict=True):
        groups.setdefault(int(group), []).append(path)
    return list(groups.values())


def device_of(expert: Expert) -> torch.device:
    """Device on which an expert computes features."""
    return getattr(expert.extractor, "device", torch.device("cpu"))


def _features_of(
    m: int,
    extractor: Any,
    images: ImageSource | Tensor,
    rows: list[tuple[Cell, list[int]]],
) -> tuple[int, list[tuple[Cell, NDArray[np.float32]]]]:
    features = extractor.features(images).numpy()
    return m, [(cell, features[of_task]) for cell, of_task in rows]

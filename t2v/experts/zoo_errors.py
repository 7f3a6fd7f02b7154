"""What a zoo knows of its experts' errors on other tasks, for strategies that learn from errors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from t2v._run.tensors import read_tensors, write_tensors
from t2v.embedding import Embedding, task2vec
from t2v.errors import FileError, InputError
from t2v.experts.error_matrix import error_matrix
from t2v.experts.expert import Expert
from t2v.probe import Probe
from t2v.task import Task

FORMAT = "t2v errors of a zoo 1"
ABOUT = ("name", "lineage", "group", "spec")  # of a task
HELD_OUT = 0.25  # share of the images of each class


@dataclass(frozen=True, eq=False)
class ZooErrors:
    """Errors of M experts on R tasks, and the embeddings of these tasks.

    Attributes:
        tasks: R embeddings, of the training images.
        experts: M names.
        errors: float64 `[R, M]`, class-balanced error on held-out images, in [0, 1]; NaN where an
            expert was trained on the task, or has not been measured.
    """

    tasks: tuple[Embedding, ...]
    experts: tuple[str, ...]
    errors: NDArray[np.float64]

    def of(self, experts: Sequence[str]) -> ZooErrors:
        """The errors of these experts, in this order; NaN for one that has not been measured."""
        columns = dict(zip(self.experts, self.errors.T, strict=True))
        unknown = np.full(len(self.tasks), np.nan)
        errors = np.array([columns.get(name, unknown) for name in experts])
        return replace(self, experts=tuple(experts), errors=errors.reshape(-1, len(self.tasks)).T)

    def save(self, path: Path) -> None:
        """Write a safetensors file, whole or not at all."""
        arrays = {
            "errors": self.errors,
            "fisher": np.array([task.fisher for task in self.tasks]),
            "trivial": np.array([task.trivial for task in self.tasks]),
        }
        about = {
            "experts": self.experts,
            "tasks": [[getattr(task, key) for key in ABOUT] for task in self.tasks],
            "layers": {k: [part.start, part.stop] for k, part in self.tasks[0].layers.items()},
            "sha256": _sha256(arrays),
        }
        tensors = {name: torch.tensor(array) for name, array in arrays.items()}
        write_tensors(path, tensors, FORMAT, {"about": json.dumps(about)})

    @classmethod
    def load(cls, path: Path) -> ZooErrors:
        """Read a file written by `save`.

        Raises:
            FileError: if the file is missing, damaged, or of another format.
        """
        tensors, metadata = read_tensors(path, FORMAT)
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        about = json.loads(metadata["about"])
        if _sha256(arrays) != about["sha256"]:
            raise FileError(f"{path}: not the errors that were saved")
        layers = {name: slice(*ends) for name, ends in about["layers"].items()}
        tasks = [
            Embedding(fisher, trivial, layers, name, tuple(lineage), group, spec)
            for fisher, trivial, (name, lineage, group, spec) in zip(
                arrays["fisher"], arrays["trivial"], about["tasks"], strict=True
            )
        ]
        return cls(tuple(tasks), tuple(about["experts"]), arrays["errors"])


def _sha256(arrays: Mapping[str, NDArray[np.float64]]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def hold_out(task: Task, seed: int = 0) -> Task:
    """The task with `HELD_OUT` of the images of each class held out, at least one, at random."""
    return task.split(HELD_OUT, seed)


def measure_errors(
    tasks: Sequence[Task],
    experts: Mapping[str, Expert],
    probe: Probe,
    *,
    seed: int = 0,
    max_images: int | None = None,
    **options: Any,
) -> ZooErrors:
    """Errors of all experts on tasks, see `error_matrix`, and embeddings of these tasks.

    Classifiers are trained, and tasks embedded, on the images that `hold_out` leaves; errors are
    those on the others. The error of an expert on the task of its own name is left out (NaN): it
    was trained on these images.

    Args:
        tasks: R tasks, each of another name.
        experts: name to expert.
        probe: probe that embeds the tasks.
        seed: seed of the held-out images and of the embeddings.
        max_images: largest number of images that a task is embedded with; default: all.
        **options: `jobs`, `store` and `progress` of `error_matrix`.

    Raises:
        InputError: if two tasks have one name, or for the reasons of `error_matrix`.
    """
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise InputError(f"tasks {', '.join(names)}: each needs a name of its own")
    split = [hold_out(task, seed) for task in tasks]
    matrix = error_matrix(split, experts.values(), **options)
    own = matrix.own | (np.array(names)[:, None] == np.array(list(experts)))
    embeddings = [task2vec(task, probe, seed=seed, max_images=max_images) for task in split]
    return ZooErrors(tuple(embeddings), tuple(experts), np.where(own, np.nan, matrix.errors))

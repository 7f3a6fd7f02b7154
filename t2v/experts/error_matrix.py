"""The error matrix: a linear classifier for every task on every expert's features.

Two kinds of items are computed in parallel: an expert's features of one set of images, and a task's
classifiers on all experts whose cells are missing. The calling process writes the results, features
as `.npy` and cells to SQLite, so a killed run loses only the items in progress.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from t2v._run.cache import code_version, folder
from t2v._run.parallel import default_jobs, in_parallel
from t2v.errors import InputError
from t2v.experts.cells import Cells
from t2v.experts.expert import Expert
from t2v.experts.features import Features, device_of, identity
from t2v.experts.linear_classifiers import balanced_errors, fit_classifiers
from t2v.libraries import OF_ATTRIBUTES
from t2v.task import Task

BATCH = 2**28  # bytes of float64 features in one batch of classifiers


@dataclass(frozen=True, eq=False)
class ErrorMatrix:
    """Test errors of T tasks on M experts.

    Attributes:
        tasks: T names.
        experts: M names.
        errors: float64 `[T, M]`, class-balanced error on held-out images, in [0, 1].
        own: bool `[T, M]`, the task is the expert's training task.
        overlap: bool `[T, M]`, the task shares a class with the expert's training task.
    """

    tasks: tuple[str, ...]
    experts: tuple[str, ...]
    errors: NDArray[np.float64]
    own: NDArray[np.bool_]
    overlap: NDArray[np.bool_]

    def column(self, name: str) -> NDArray[np.float64]:
        """Errors `[T]` of one expert.

        Raises:
            InputError: for an unknown or ambiguous name.
        """
        return self.errors[:, self._index(name)]

    def without(self, *names: str) -> ErrorMatrix:
        """The matrix without the experts of these names.

        Raises:
            InputError: for an unknown or ambiguous name.
        """
        columns = np.delete(np.arange(len(self.experts)), [self._index(name) for name in names])
        arrays = {k: getattr(self, k)[:, columns] for k in ("errors", "own", "overlap")}
        return replace(self, experts=tuple(self.experts[m] for m in columns), **arrays)

    def of(self, tasks: Sequence[int]) -> ErrorMatrix:
        """The matrix of the tasks at these positions."""
        arrays = {k: getattr(self, k)[list(tasks)] for k in ("errors", "own", "overlap")}
        return replace(self, tasks=tuple(self.tasks[t] for t in tasks), **arrays)

    def _index(self, name: str) -> int:
        if self.experts.count(name) != 1:
            raise InputError(f"expert {name!r}: not one of {', '.join(self.experts)}")
        return self.experts.index(name)


def error_matrix(
    tasks: Iterable[Task],
    experts: Iterable[Expert],
    *,
    jobs: int | None = None,
    store: Path | None = None,
    progress: bool = False,
) -> ErrorMatrix:
    """Test errors on held-out images of a linear classifier for every task on every expert.

    Of a task with folds, each image is tested once, by a classifier trained on the other folds, and
    the error is that of all tested images together. Features are computed once per expert and set
    of images (tasks with the same tensor share them); the classifiers of a task, one per expert,
    are solved in one batch. Cells that were computed before, also by a killed run, are read from
    the store.

    Args:
        tasks: T tasks, each with held-out images.
        experts: M experts.
        jobs: number of processes; default: one per core on the CPU, one if an expert is on a GPU.
        store: SQLite file of the cells; default: `cells.sqlite` in `T2V_CACHE`.
        progress: show progress bars.

    Returns:
        The matrix of T tasks and M experts.

    Raises:
        InputError: naming the task or the expert: no held-out images, a class without training
            images, features that are not finite.
        FileError: if the store is damaged or in use.
    """
    tasks, experts = list(tasks), list(experts)
    for task in tasks:
        _check(task)
    jobs = jobs or default_jobs(*map(device_of, experts))
    keys = [[(task.fingerprint, identity(expert)) for expert in experts] for task in tasks]
    with closing(Cells(store or folder() / "cells.sqlite", code_version(__name__))) as cells:
        known = cells.read()
        missing = {
            t: columns
            for t, row in enumerate(keys)
            if (columns := [m for m, key in enumerate(row) if key not in known])
        }
        features = Features(tasks, experts)
        features.compute(
            [(t, m) for t, columns in missing.items() for m in columns], jobs, progress
        )
        # the largest task first, so that no process is left alone with it at the end
        order = sorted(missing, key=lambda t: -len(tasks[t]) * tasks[t].num_classes)
        items = (
            (t, features.read(t, missing[t]), tasks[t].labels, tasks[t].splits,
             tasks[t].num_classes, device_of(experts[missing[t][0]]))
            for t in order
        )  # fmt: skip
        done = in_parallel(
            _task_errors, items, jobs, total=len(order), what="tasks", progress=progress,
            ordered=False,
        )  # fmt: skip
        for t, errors in done:
            computed = {keys[t][m]: error for m, error in zip(missing[t], errors, strict=True)}
            cells.write(computed)
            known |= computed
    own = np.array([[_own(task, expert) for expert in experts] for task in tasks])
    overlap = np.array([[_overlap(task, expert) for expert in experts] for task in tasks])
    return ErrorMatrix(
        tuple(task.name for task in tasks),
        tuple(expert.name for expert in experts),
        np.array([[known[key] for key in row] for row in keys]),
        own,
        own | overlap,
    )


def _check(task: Task) -> None:
    if not task.held_out_mask.any():
        raise InputError(f"task {task.name!r}: its `test` mask holds no image out")
    for train, _ in task.splits:
        counts = torch.bincount(task.labels[train], minlength=task.num_classes)
        if task.num_classes < 2 or not counts.all():
            raise InputError(
                f"task {task.name!r}: each of 2 or more classes needs training images; got "
                f"{counts.tolist()}"
            )


def _own(task: Task, expert: Expert) -> bool:
    return expert.task == task.name and tuple(expert.lineage) == task.lineage


def _overlap(task: Task, expert: Expert) -> bool:
    """Whether a class of the task has the same name as one of the expert.

    Names are compared without regard to case and to an s at the end; commas separate synonyms;
    "not X" is not the name of a class. Values of attributes (*orange*) are compared within their
    library only.
    """
    roots = {*task.lineage[:1], *expert.lineage[:1]}
    if len(roots) > 1 and roots.intersection(OF_ATTRIBUTES):
        return False
    return not _names(task.classes).isdisjoint(_names(expert.classes))


def _names(classes: Iterable[str]) -> set[str]:
    names = [name for name in classes if not name.startswith("not ")]
    return {part.strip().casefold().removesuffix("s") for name in names for part in name.split(",")}


def _task_errors(
    t: int,
    features: list[NDArray[np.float32]],
    labels: Tensor,
    splits: list[tuple[Tensor, Tensor]],
    num_classes: int,
    device: torch.device,
) -> tuple[int, list[float]]:
    """Index of a task, and its test errors on several experts' features `[N, D]`."""
    errors = [0.0] * len(features)
    tested = torch.cat([labels[test] for _, test in splits])
    for width in sorted({x.shape[1] for x in features}):
        same_width = [m for m, x in enumerate(features) if x.shape[1] == width]
        batch_size = max(1, BATCH // (8 * len(labels) * width))
        for start in range(0, len(same_width), batch_size):
            batch = same_width[start : start + batch_size]
            x = torch.tensor(np.stack([features[m] for m in batch]), device=device)
            mistakes = []
            for train, test in splits:
                fitted = fit_classifiers(x[:, train], labels[train], num_classes=num_classes)
                mistakes.append(fitted.mistakes(x[:, test], labels[test]).cpu())
            for m, error in zip(
                batch, balanced_errors(torch.cat(mistakes, 1), tested), strict=True
            ):
                errors[m] = error.item()
    return t, errors

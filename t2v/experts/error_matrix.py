"""The error matrix: a linear classifier for every task on every expert's features.

Two kinds of work item go through `t2v._run.parallel`: an expert's features of one set of images, and
the classifiers of all missing experts on one task. Results come back to this process, which keeps
them, features as `.npy` and cells in SQLite: a run killed at any moment loses what was under way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from t2v._run.cache import code_version, folder
from t2v._run.parallel import default_jobs, in_parallel
from t2v.errors import FileError, InputError
from t2v.experts.expert import Expert
from t2v.experts.features import Features, device_of, identity
from t2v.experts.linear_classifiers import fit_classifiers
from t2v.libraries import OF_ATTRIBUTES
from t2v.task import Task

BATCH = 2**28  # bytes of float64 features in one batch of classifiers


@dataclass(frozen=True, eq=False)
class ErrorMatrix:
    """Test errors of T tasks on M experts.

    Attributes:
        tasks: names, T.
        experts: names, M.
        errors: float64 `[T, M]`, class-balanced share of held-out images mistaken, in [0, 1].
        own: bool `[T, M]`, the expert was trained on exactly this task.
        overlap: bool `[T, M]`, a class of the task is among those the expert was trained on.
    """

    tasks: tuple[str, ...]
    experts: tuple[str, ...]
    errors: NDArray[np.float64]
    own: NDArray[np.bool_]
    overlap: NDArray[np.bool_]

    def column(self, name: str) -> NDArray[np.float64]:
        """Errors `[T]` on one expert.

        Raises:
            InputError: for an unknown or ambiguous name.
        """
        return self.errors[:, self._place(name)]

    def without(self, *names: str) -> ErrorMatrix:
        """The matrix without some experts."""
        left = np.delete(np.arange(len(self.experts)), [self._place(name) for name in names])
        kept = {k: getattr(self, k)[:, left] for k in ("errors", "own", "overlap")}
        return replace(self, experts=tuple(self.experts[m] for m in left), **kept)

    def of(self, tasks: Sequence[int]) -> ErrorMatrix:
        """The matrix of some tasks, by position."""
        kept = {k: getattr(self, k)[list(tasks)] for k in ("errors", "own", "overlap")}
        return replace(self, tasks=tuple(self.tasks[t] for t in tasks), **kept)

    def _place(self, name: str) -> int:
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
    """Trains a classifier for every task on every expert and tests it on held-out images.

    Features are computed once per expert and set of images (tasks that share a tensor share them);
    the classifiers of a task, one per expert, are solved in one batch. What was computed before,
    by this or a killed run, is taken from the store.

    Args:
        tasks: T tasks, each with held-out images.
        experts: M experts.
        jobs: processes; default: one per core on the CPU, one where an expert is on a GPU.
        store: SQLite file of the cells; default: `cells.sqlite` under `T2V_CACHE`.
        progress: show progress bars.

    Raises:
        InputError: naming the task or the expert: nothing held out, a class without training
            images, features that are not finite.
    """
    tasks, experts = list(tasks), list(experts)
    for task in tasks:
        _check(task)
    jobs = jobs or default_jobs(*map(device_of, experts))
    keys = [[(task.fingerprint, identity(expert)) for expert in experts] for task in tasks]
    with closing(_Cells(store or folder() / "cells.sqlite", code_version(__name__))) as cells:
        known = cells.read()
        missing = {
            t: lacking
            for t, row in enumerate(keys)
            if (lacking := [m for m, key in enumerate(row) if key not in known])
        }
        features = Features(tasks, experts)
        features.compute(
            [(t, m) for t, columns in missing.items() for m in columns], jobs, progress
        )
        # largest first, so that no process is left alone with a long one at the end
        order = sorted(missing, key=lambda t: -len(tasks[t]) * tasks[t].num_classes)
        items = ((t, *features.problem(t, missing[t])) for t in order)
        how = {"total": len(order), "what": "tasks", "progress": progress, "ordered": False}
        for t, errors in in_parallel(_errors, items, jobs, **how):
            found = {keys[t][m]: error for m, error in zip(missing[t], errors, strict=True)}
            cells.write(found)
            known |= found
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
    if not len(task.held_out):
        raise InputError(f"task {task.name!r}: its `test` mask holds no image out")
    counts = torch.bincount(task.labels[~task.test], minlength=task.num_classes)
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


def _errors(
    t: int,
    features: list[NDArray[np.float32]],
    labels: Tensor,
    test: Tensor,
    num_classes: int,
    device: torch.device,
) -> tuple[int, list[float]]:
    """Test errors of one classifier on each of several experts' features `[N, D]` of task t."""
    errors = [0.0] * len(features)
    for width in sorted({found.shape[1] for found in features}):
        alike = [m for m, found in enumerate(features) if found.shape[1] == width]
        at_once = max(1, BATCH // (8 * len(labels) * width))
        for start in range(0, len(alike), at_once):
            part = alike[start : start + at_once]
            x = torch.tensor(np.stack([features[m] for m in part]), device=device)
            fitted = fit_classifiers(x[:, ~test], labels[~test], num_classes=num_classes)
            for m, error in zip(part, fitted.errors(x[:, test], labels[test]), strict=True):
                errors[m] = error.item()
    return t, errors


class _Cells:
    """Errors in SQLite, by task, expert and version of the sources; a task's are written at once.

    Raises:
        FileError: if the file is not such a store, is in use, or cannot be written.
    """

    def __init__(self, path: Path, code: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.code = code
        try:
            self.connection = sqlite3.connect(path, timeout=60)
        except sqlite3.OperationalError as error:
            raise FileError(f"{path}: cannot be opened ({error})") from None
        try:
            with self.connection:
                self.connection.execute(
                    "CREATE TABLE IF NOT EXISTS cells (code TEXT, task TEXT, expert TEXT, "
                    "error REAL NOT NULL, PRIMARY KEY (code, task, expert)) WITHOUT ROWID"
                )
        except sqlite3.OperationalError as error:
            self.connection.close()
            raise FileError(f"{path}: in use by another run, or not writable ({error})") from None
        except sqlite3.DatabaseError as error:
            self.connection.close()
            raise FileError(f"{path}: not a store of cells ({error}): remove it") from None

    def read(self) -> dict[tuple[str, str], float]:
        rows = self.connection.execute(
            "SELECT task, expert, error FROM cells WHERE code = ?", (self.code,)
        )
        return {(task, expert): error for task, expert, error in rows}

    def write(self, found: Mapping[tuple[str, str], float]) -> None:
        rows = [(self.code, *key, error) for key, error in found.items()]
        with self.connection:
            self.connection.executemany("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        self.connection.close()

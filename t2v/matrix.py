"""The error matrix: a linear classifier for every task on every expert's features.

Two kinds of work item go through `t2v.work`: an expert's features of one set of images, and
the classifiers of all missing experts on one task. Results come back to this process, which keeps
them, features as `.npy` and cells in SQLite: a run killed at any moment loses what was under way.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from t2v.classifiers import fit_classifiers
from t2v.errors import FileError, InputError
from t2v.experts import Expert, sources
from t2v.store import memory
from t2v.task import ImageSource, Task
from t2v.work import default_jobs, in_parallel

ATTRIBUTES = {"wardrobe", "fashion"}  # roots under which a class is what a garment is like
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
    jobs = jobs or default_jobs(*map(_device, experts))
    keys = [[(task.fingerprint, identity(expert)) for expert in experts] for task in tasks]
    code = sources("classifiers", "hog", "logistic", "matrix", "networks", "precision", "probe")
    with closing(_Cells(store or Path(memory().location) / "cells.sqlite", code)) as cells:
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


def identity(expert: Expert) -> str:
    """What decides an expert's features: its weights' sha256 and the side of its pictures."""
    return f"{expert.extractor.sha256}-{expert.extractor.image_size}"


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
    """A class of the same name; "not X" is no class of anything.

    Sets of photographs name one thing in several ways: synonyms are told apart by commas, and
    neither capitals nor an s at the end count. A colour is no fruit: where names are of
    attributes, they are compared within the set only.
    """
    roots = {*task.lineage[:1], *expert.lineage[:1]}
    if len(roots) > 1 and roots & ATTRIBUTES:
        return False
    return not _names(task.classes).isdisjoint(_names(expert.classes))


def _names(classes: Iterable[str]) -> set[str]:
    own = [name for name in classes if not name.startswith("not ")]
    return {part.strip().casefold().removesuffix("s") for name in own for part in name.split(",")}


def _device(expert: Expert) -> torch.device:
    return getattr(expert.extractor, "device", torch.device("cpu"))


def _features_of(
    extractor: Any, images: ImageSource | Tensor, path: Path
) -> tuple[Path, NDArray[np.float32]]:
    return path, extractor.features(images).numpy()


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


class Features:
    """Features on disk, one file per expert and set of images; tasks are told by their number."""

    def __init__(self, tasks: list[Task], experts: list[Expert]) -> None:
        self.tasks, self.experts = tasks, experts
        self.folder = (Path(memory().location) / "features").resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        sets = {id(task.images): task.images for task in tasks}
        self.contents = {key: _contents(images) for key, images in sets.items()}

    def path(self, t: int, m: int) -> Path:
        """The file of expert m's features of task t's images."""
        what = (self.contents[id(self.tasks[t].images)], identity(self.experts[m]))
        return self.folder / f"{sources('hog', 'networks', 'probe', what=what)}.npy"

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
            _save(path, found)

    def problem(self, t: int, columns: Sequence[int]) -> tuple:
        """An item for `_errors`, but for the first entry."""
        task = self.tasks[t]
        features = [np.load(self.path(t, m), mmap_mode="r") for m in columns]
        device = _device(self.experts[columns[0]])
        return features, task.labels, task.test, task.num_classes, device


def _contents(images: Tensor | ImageSource) -> str:
    digest = hashlib.sha256()
    for i in range(len(images)):
        digest.update(repr(tuple(images[i].shape)).encode())
        digest.update(np.ascontiguousarray(images[i].numpy()))
    return digest.hexdigest()


def _save(path: Path, array: NDArray[np.float32]) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, array)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


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

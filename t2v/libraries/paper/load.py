"""Tasks of the paper's own data sets, whose images stay on disk."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from t2v.errors import FileError, InputError
from t2v.libraries import PAPER, Library, join
from t2v.libraries.paper.counts import differences, miniature
from t2v.libraries.paper.published import Labelled, Plan, Published, note
from t2v.libraries.paper.store import Store, StoredImages, StoredTask, fill_store
from t2v.libraries.photographs.load import nest
from t2v.libraries.photographs.plans import spread
from t2v.task import Task, draw_evenly

TOLERANCE = 0.01  # largest share of images that cannot be read
LICENCE = "its publisher's, non-commercial research and education only; no image may be shown"


@dataclass(frozen=True)
class Size:
    """Largest numbers at one scale; None: as many as there are.

    Attributes:
        train: training images of a task.
        test: held-out images of a task.
        shared: training images that all tasks on the same images share; a third as many held out.
        classes: classes of a task.
        tasks: tasks of a data set.
        pixels: side of the images.
    """

    train: int | None
    test: int | None
    shared: int | None
    classes: int | None
    tasks: int | None
    pixels: int


SIZES = {
    "smoke": Size(train=40, test=20, shared=120, classes=8, tasks=4, pixels=64),
    "laptop": Size(train=200, test=100, shared=3000, classes=40, tasks=None, pixels=96),
    "paper": Size(train=None, test=None, shared=None, classes=None, tasks=None, pixels=224),
}


@dataclass(frozen=True, eq=False)
class DataSet:
    """One of the paper's data sets on disk, at a scale.

    Attributes:
        name: one of `PAPER`.
        folder: its folder.
        published: what its publisher says.
        size: limits of the scale.
        seed: seed of the choice of images.
        notes: where it differs from the paper's, and what was not used.
    """

    name: str
    folder: Path
    published: Published
    size: Size
    seed: int
    notes: list[str]

    def make(self, plans: Sequence[Plan]) -> tuple[list[Task], dict[str, Any]]:
        """The tasks of some plans, and their provenance.

        Args:
            plans: plans of this data set.

        Warns:
            UserWarning: naming images that cannot be read, and what has to be left out.

        Raises:
            InputError: if more than one image in a hundred cannot be read.
        """
        common = self._common() if self.published.shared else None
        drawn = [self._draw(plan, common) for plan in plans]
        parts = [positions for positions, _ in drawn]
        used = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)
        paths = [self.published.paths[i] for i in used.tolist()]
        store, unusable = fill_store(self.folder, paths, self.size.pixels)
        self._report(paths, unusable)
        usable = np.ones(len(used), bool)
        usable[list(unusable)] = False
        tasks: list[Task] = []
        left_out: list[str] = []
        sources: dict[bytes, StoredImages] = {}
        for plan, (positions, labels) in zip(plans, drawn, strict=True):
            places = np.searchsorted(used, positions)
            kept = usable[places]
            task = self._task(plan, positions[kept], places[kept], labels[kept], store, sources)
            left_out += [plan.name] if task is None else []
            tasks += [] if task is None else [task]
        if left_out:
            line = note("tasks left out, with one class or nothing held out", left_out)
            warnings.warn(f"{self.name}: {line}", stacklevel=3)
        test = self.published.test[used[usable]]
        skipped = [{"path": paths[i], "reason": reason} for i, reason in unusable.items()]
        return tasks, {
            "title": f"{self.name}, from its publisher's files",
            "licence": LICENCE,
            "seed": self.seed,
            "tasks": len(tasks),
            "images": int(usable.sum()),
            "held_out": int(test.sum()),
            "pixels": self.size.pixels,
            "skipped": skipped,
            "pictures_allowed": [],
            "differences": self.notes,
            "left_out": left_out,
            "miniature": bool(miniature(self.folder)),
        }

    def _common(self) -> NDArray[np.int64]:
        """The images that all tasks share: all, or a draw of them."""
        count, test = self.size.shared, self.published.test
        if count is None:
            return np.arange(len(test))
        generator = np.random.default_rng([self.seed, 0x1A6E5])
        chosen = [
            generator.permutation(np.flatnonzero(test == held_out))[:limit]
            for held_out, limit in ((False, count), (True, count // 3))
        ]
        return np.sort(np.concatenate(chosen))

    def _draw(self, plan: Plan, common: NDArray[np.int64] | None) -> Labelled:
        """Images and labels of a plan within the limits; labels of classes left out are -1."""
        positions, labels = plan.labelled()
        if common is not None:
            inside = np.isin(positions, common, assume_unique=True)
            # the same array for all tasks on the same images
            positions = common if inside.sum() == len(common) else positions[inside]
            return positions, labels[inside]
        if self.size.classes is not None and len(plan.classes) > self.size.classes:
            few = spread(list(range(len(plan.classes))), self.size.classes)
            inside = np.isin(labels, few)
            positions, labels = positions[inside], labels[inside]
        chosen = []
        for held_out, limit in ((False, self.size.train), (True, self.size.test)):
            part = np.flatnonzero(self.published.test[positions] == held_out)
            if limit is not None and len(part) > limit:
                of_part = torch.from_numpy(labels[part])
                part = part[draw_evenly(of_part, limit, self.seed).sort().values.numpy()]
            chosen.append(part)
        index = np.sort(np.concatenate(chosen))
        return positions[index], labels[index]

    def _task(
        self,
        plan: Plan,
        positions: NDArray[np.int64],
        places: NDArray[np.int64],
        labels: NDArray[np.int64],
        store: Store,
        sources: dict[bytes, StoredImages],
    ) -> Task | None:
        """The task on the images that can be read; None if it has become no task.

        Classes without training images go, with their held-out images.
        """
        test = self.published.test[positions]
        trained = np.bincount(labels[~test], minlength=len(plan.classes)) > 0
        if trained.sum() < 2:
            return None
        kept = trained[labels]
        if not test[kept].any():
            return None
        places = places[kept]
        images = sources.setdefault(places.tobytes(), StoredImages(store, places))
        new_number = np.cumsum(trained) - 1
        classes = np.flatnonzero(trained).tolist()
        return StoredTask(
            name=plan.name,
            images=images,
            labels=torch.from_numpy(new_number[labels[kept]]),
            classes=[plan.classes[k] for k in classes],
            lineage=plan.lineage,
            group=plan.group,
            test=torch.from_numpy(test[kept]),
            class_lineages=[plan.class_lineages[k] for k in classes] if plan.class_lineages else (),
        )

    def _report(self, paths: Sequence[str], unusable: dict[int, str]) -> None:
        if not unusable:
            return
        first = "; ".join(f"{paths[i]}: {reason}" for i, reason in list(unusable.items())[:5])
        more = f"; and {len(unusable) - 5} more" if len(unusable) > 5 else ""
        summary = f"{self.folder}: {len(unusable)} of {len(paths)} images cannot be used"
        if len(unusable) > TOLERANCE * len(paths):
            raise InputError(
                f"{summary} ({first}{more}): more than {TOLERANCE:.0%}; is the archive whole?"
            )
        warnings.warn(f"{summary} ({first}{more}); they are left out", stacklevel=4)


def open_data_set(name: str, scale: str, seed: int, data: str | Path | None = None) -> DataSet:
    """One of the paper's data sets, without its images.

    Args:
        name: one of `PAPER`.
        scale: scale, see `SIZES`; a miniature has the pixels that it was drawn with at most.
        seed: seed of the choice of images.
        data: folder of all data sets; default: `T2V_DATA`, else `data`.

    Warns:
        UserWarning: one line for each difference from the paper's counts.

    Raises:
        FileError: naming the file of the publisher that is missing or damaged.
    """
    folder = Path(data or os.environ.get("T2V_DATA") or "data") / name
    if not folder.is_dir():
        how = f"python -m data_scripts.fetch {name} --to {folder.parent}"
        raise FileError(f"{folder}: no such folder; {how} says what belongs there")
    published = importlib.import_module(f"t2v.libraries.paper.{name}").read(folder)
    differing = differences(name, published.counts, folder)
    for line in differing:
        warnings.warn(f"{name}: {line}", stacklevel=2)
    size, small = SIZES[scale], miniature(folder)
    if small:
        size = replace(size, pixels=min(size.pixels, small["pixels"]))
    return DataSet(name, folder, published, size, seed, [*differing, *published.notes])


def load(name: str, scale: str, seed: int, data: str | Path | None = None) -> Library:
    """The tasks of one of the paper's data sets, or of all that are on disk.

    Args:
        name: one of `PAPER`, or "paper".
        scale: scale, see `SIZES`.
        seed: seed of the choice of images.
        data: folder of all data sets; default: `T2V_DATA`, else `data`.

    Raises:
        FileError: if there is no data set, or a file of one is missing or damaged.
        InputError: if more than one image in a hundred cannot be read.
    """
    if name == "paper":
        return join(name, [load(part, scale, seed, data) for part in on_disk(data)])
    data_set = open_data_set(name, scale, seed, data)
    tasks, provenance = data_set.make(spread(data_set.published.tasks, data_set.size.tasks))
    provenance["scale"] = scale
    return Library(name, tasks, nest(_leaves(tasks)), provenance, photographs=True)


def on_disk(data: str | Path | None) -> list[str]:
    """The paper's data sets that have a folder.

    Raises:
        FileError: if there is none.
    """
    folder = Path(data or os.environ.get("T2V_DATA") or "data")
    names = [name for name in PAPER if (folder / name).is_dir()]
    if not names:
        how = "python -m data_scripts.fetch NAME says what belongs there"
        raise FileError(f"{folder}: none of the folders {', '.join(PAPER)}; {how}")
    return names


def any_miniature(data: str | Path | None) -> bool:
    """Whether one of the data sets on disk is a miniature, drawn by `data_scripts.miniature`."""
    folder = Path(data or os.environ.get("T2V_DATA") or "data")
    return any(miniature(folder / name) for name in on_disk(data))


def _leaves(tasks: Iterable[Task]) -> list[tuple[str, ...]]:
    paths = {path for task in tasks for path in (task.class_lineages or [tuple(task.lineage)])}
    return sorted(tuple(path) for path in paths)

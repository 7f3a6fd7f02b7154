"""What a publisher says about its images, and the tasks that the paper makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from t2v.errors import FileError

Lineage = tuple[str, ...]
Labelled = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Positions `[n]` of images among the published paths, and the class of each, `[n]`."""


@dataclass(frozen=True)
class Plan:
    """A task before its images are read.

    Attributes:
        name: name of the task.
        group: group of the task.
        lineage: place of the task in a taxonomy, root first.
        classes: K names.
        labelled: function that gives the task's images and their classes, so that the labels of
            a thousand tasks on the same images are not all in memory.
        class_lineages: K paths in the taxonomy; empty where there are none.
        size: number of training images, where tasks are ranked by it.
    """

    name: str
    group: str
    lineage: Lineage
    classes: tuple[str, ...]
    labelled: Callable[[], Labelled]
    class_lineages: Sequence[Lineage] = ()
    size: int = 0


@dataclass(frozen=True, eq=False)
class Published:
    """A data set as its publisher describes it.

    Attributes:
        paths: N paths of images below the folder of the data set.
        test: bool `[N]`, whether an image is held out.
        tasks: plans of the paper's tasks.
        broad: plans of training tasks of the experts of Mixed, beyond `tasks`.
        counts: numbers that can be held against the paper's, by what they count.
        notes: what in the files was not used, one line each.
        shared: whether all tasks are on the same images.
    """

    paths: list[str]
    test: NDArray[np.bool_]
    tasks: list[Plan]
    broad: list[Plan]
    counts: dict[str, int]
    notes: list[str] = field(default_factory=list)
    shared: bool = False


def needed(folder: Path, *names: str) -> Path:
    """The first of several places in a folder that exists.

    Args:
        folder: folder of a data set.
        *names: relative paths, the usual one first.

    Raises:
        FileError: naming the file or folder that is expected.
    """
    for name in names:
        if (folder / name).exists():
            return folder / name
    others = f" (or {', '.join(names[1:])})" if len(names) > 1 else ""
    how = f"python -m data_scripts.fetch {folder.name}"
    raise FileError(f"{folder / names[0]}: expected here{others}, but not there; {how} says how")


def damaged(path: Path, expected: str, found: object) -> FileError:
    """The error for a file whose content is not what a publisher writes."""
    return FileError(f"{path}: expected {expected}; found {found!r}: copy it again")


def note(what: str, names: Sequence[str]) -> str:
    """A line on some rows or files: their number, and the first three by name."""
    more = ", ..." if len(names) > 3 else ""
    return f"{what}: {len(names)} ({', '.join(names[:3])}{more})"

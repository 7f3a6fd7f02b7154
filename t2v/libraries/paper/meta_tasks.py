"""Which tasks and experts are in the paper's two meta-tasks (Sect. 5, Fig. 6).

iNat+CUB, here `living`: the 25 orders of iNaturalist with most training images and all tasks of CUB
are the tasks and the training tasks. Mixed: the printed 40 tasks and 25 training tasks, which stand
in `mixed.csv`. The paper excludes an expert on its own training task, and nothing else.
"""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from t2v.libraries.paper.load import DataSet, on_disk, open_data_set
from t2v.libraries.paper.published import Plan, note
from t2v.libraries.photographs.plans import spread
from t2v.task import Task

LARGEST = 25
"""Number of orders of iNaturalist in iNat+CUB."""

NAMES = ("living", "mixed")

SMOKE = 2
"""Number of training tasks of a data set in a meta-task at scale `smoke`."""


@dataclass(frozen=True)
class Members:
    """Names of what is in a meta-task.

    Attributes:
        tasks: names of the tasks.
        experts: names of the training tasks.
    """

    tasks: tuple[str, ...]
    experts: tuple[str, ...]


def members(scale: str, seed: int = 0, data: str | Path | None = None) -> dict[str, Members]:
    """What is in each meta-task, of the data sets that are on disk.

    Args:
        scale: scale as of `load_library`.
        seed: seed of the choice of images.
        data: folder of all data sets.

    Warns:
        UserWarning: naming printed tasks that the data lack.

    Raises:
        FileError: if there is no data set, or a file of one is missing or damaged.
    """
    found = _found(scale, seed, data)
    return {
        name: Members(
            *(
                tuple(plan.name for _, pools in found for plan in pools[name][role])
                for role in ("task", "expert")
            )
        )
        for name in NAMES
    }


def training_tasks(scale: str, seed: int = 0, data: str | Path | None = None) -> list[Task]:
    """The training tasks of both meta-tasks, each once; nothing of them is held out.

    The parameters, warnings and errors are those of `members`.
    """
    tasks = []
    for of_set, pools in _found(scale, seed, data):
        plans = {plan.name: plan for name in NAMES for plan in pools[name]["expert"]}
        tasks += [task.train for task in of_set.make(list(plans.values()))[0]]
    return tasks


Pools = dict[str, dict[str, list[Plan]]]


def _found(scale: str, seed: int, data: str | Path | None) -> list[tuple[DataSet, Pools]]:
    """Each data set with its plans by meta-task and role."""
    found, missing = [], []
    few = SMOKE if scale == "smoke" else None
    for name in on_disk(data):
        of_set = open_data_set(name, scale, seed, data)
        alive = of_set.published.tasks[:LARGEST] if name in ("inaturalist", "cub200") else []
        pools: Pools = {"living": {"task": alive, "expert": spread(alive, few)}, "mixed": {}}
        for role, limit in (("task", None), ("expert", few)):
            plans, absent = _printed(of_set, role)
            pools["mixed"][role] = spread(plans, limit)
            missing += absent
        found.append((of_set, pools))
    if missing:
        warnings.warn(
            note("printed tasks of Mixed that are not in the data", missing), stacklevel=3
        )
    return found


def _printed(of_set: DataSet, role: str) -> tuple[list[Plan], list[str]]:
    """Plans of the printed tasks of a data set, and the names of those that it lacks."""
    published = of_set.published
    plans = {plan.name.casefold(): plan for plan in (*published.tasks, *published.broad)}
    with (files("t2v.libraries.paper") / "mixed.csv").open(encoding="utf-8") as file:
        names = [
            f"{of_set.name}/{row['name']}"
            for row in csv.DictReader(file)
            if row["library"] == of_set.name and row["role"] == role
        ]
    known = [plans[name.casefold()] for name in names if name.casefold() in plans]
    return known, [name for name in names if name.casefold() not in plans]

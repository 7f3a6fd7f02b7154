"""Plans of tasks on photographs: from the rows of an index to the rows of every class."""

from __future__ import annotations

import csv
import hashlib
import os.path
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TypeVar

Row = dict[str, str]
Lineage = tuple[str, ...]
AnyPlan = TypeVar("AnyPlan")

HELD_OUT = 0.25
"""Share of the images that is held out."""


@dataclass(frozen=True)
class Limits:
    """Largest numbers of images and tasks; None: as many as there are.

    Attributes:
        train: training images of a task, spread evenly over its classes.
        test: held-out images of a task, spread evenly over its classes.
        tasks: tasks of a data set.
        size: side of the images in pixels.
    """

    train: int | None
    test: int | None
    tasks: int | None
    size: int


LIMITS = {
    "smoke": Limits(train=40, test=20, tasks=4, size=96),
    "laptop": Limits(train=200, test=100, tasks=None, size=96),
    "paper": Limits(train=None, test=None, tasks=None, size=224),
}


@dataclass(frozen=True)
class TaskPlan:
    """A task before its images are loaded.

    Attributes:
        name: name of the task.
        group: group of the task.
        lineage: place of the task in the taxonomy, root first.
        members: rows of the index for each class.
        drawn: whether the rows are already those of the scale and the seed.
    """

    name: str
    group: str
    lineage: Lineage
    members: Mapping[str, Sequence[Row]]
    drawn: bool = False


def may_show(classes: Collection[str], allowed: str) -> bool:
    """Whether a published page may show images of these classes: only if all of the set may be."""
    return allowed == "all"


@dataclass(frozen=True)
class DataSet:
    """How the photographs of one publisher become tasks.

    Attributes:
        narrow_tasks: from rows of the index, scale and seed to the lineages of all leaves and the
            plans of the tasks.
        broad_tasks: from rows of the index, scale and seed to the plans of the training tasks of
            experts.
        size: largest side in pixels; more would only enlarge the images.
        may_show: from the classes of a task and the entry `pictures_allowed` of the publisher to
            whether a published page may show images of the task.
    """

    narrow_tasks: Callable[[list[Row], str, int], tuple[list[Lineage], list[TaskPlan]]]
    broad_tasks: Callable[[list[Row], str, int], list[TaskPlan]]
    size: int | None = None
    may_show: Callable[[Collection[str], str], bool] = may_show


def held_out(path: str) -> bool:
    """Whether an image is held out: by a hash of its path inside its data set."""
    return _hash(f"held out/{path}") < HELD_OUT


def _hash(key: str) -> float:
    """A number in [0, 1), as good as random and the same on every machine."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:13], 16) / 16**13


def spread(plans: list[AnyPlan], count: int | None) -> list[AnyPlan]:
    """At most `count` plans, taken evenly from the list; None: all of them."""
    if count is None or count >= len(plans):
        return plans
    return [plans[i * len(plans) // count] for i in range(count)]


def draw(plan: TaskPlan, limits: Limits, seed: int) -> TaskPlan:
    """The plan with no more images than the limits allow, spread evenly over its classes.

    Args:
        plan: the plan; one that is drawn already comes back as it is.
        limits: largest numbers of training and held-out images.
        seed: seed of the choice of images.
    """
    if plan.drawn:
        return plan
    members = {}
    for name, rows in plan.members.items():
        shuffled = sorted(rows, key=lambda row: _hash(f"{seed}/{row['path']}"))
        chosen = []
        for test, limit in ((False, limits.train), (True, limits.test)):
            part = [row for row in shuffled if held_out(row["path"]) == test]
            chosen += part if limit is None else part[: max(1, limit // len(plan.members))]
        members[name] = sorted(chosen, key=lambda row: row["path"])
    return replace(plan, members=members)


def facts(table: str) -> list[Row]:
    """Rows of a table of `taxonomies/`, whose sources are in `taxonomies/sources.json`."""
    path = files("t2v.libraries.photographs") / "taxonomies" / f"{table}.csv"
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def by_label(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each label."""
    labels: dict[str, list[Row]] = {}
    for row in rows:
        labels.setdefault(row["label"], []).append(row)
    return labels


def present(rows: list[Row], lineages: Mapping[str, Lineage]) -> list[Lineage]:
    """The lineages of the labels that have rows, in order."""
    return sorted({lineages[row["label"]] for row in rows if row["label"] in lineages})


def taxa(
    rows: list[Row], lineages: Mapping[str, Lineage], depths: Sequence[int]
) -> dict[Lineage, dict[str, list[Row]]]:
    """Taxa with several leaves; of taxa with the same leaves only the deepest.

    Args:
        rows: rows of the index; those of labels without a lineage are left out.
        lineages: lineage of each label, root first, ending in its leaf.
        depths: lengths of the lineages of the taxa.

    Returns:
        The rows of each leaf of each taxon, by its lineage.
    """
    taxon: dict[Lineage, dict[str, list[Row]]] = {}
    for row in rows:
        path = lineages.get(row["label"])
        if path is None:
            continue
        for depth in depths:
            taxon.setdefault(path[:depth], {}).setdefault(path[-1], []).append(row)
    unique: dict[frozenset[str], Lineage] = {}
    for path, leaves in sorted(taxon.items()):
        if len(leaves) > 1:
            unique[frozenset(leaves)] = path  # the deepest of equal taxa comes last
    return {path: dict(sorted(taxon[path].items())) for path in sorted(unique.values())}


def by_group(plans: Iterable[TaskPlan]) -> dict[str, list[TaskPlan]]:
    """The plans of each group."""
    groups: dict[str, list[TaskPlan]] = {}
    for plan in plans:
        groups.setdefault(plan.group, []).append(plan)
    return groups


def union(name: str, group: str, plans: Sequence[TaskPlan]) -> TaskPlan:
    """One task with the classes of several, at the root that their lineages share.

    Args:
        name: name of the task.
        group: group of the task.
        plans: the tasks that it unites.
    """
    members = {leaf: rows for plan in plans for leaf, rows in plan.members.items()}
    shared = os.path.commonprefix([plan.lineage for plan in plans])
    return TaskPlan(name, group, tuple(shared), members)

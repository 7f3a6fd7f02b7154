"""The library of the open zoo, and the training tasks of its experts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from t2v.libraries import Library
from t2v.libraries.open_zoo import shards
from t2v.libraries.open_zoo.plans import Plan, all_lineages, draw, make_plan
from t2v.libraries.open_zoo.splits import EXPERTS, TASKS
from t2v.libraries.photographs.load import nest
from t2v.libraries.photographs.plans import Row, spread
from t2v.task import Task


@dataclass(frozen=True)
class Size:
    """Largest numbers at one scale; None: as many as there are.

    Attributes:
        images: images of a task.
        tasks: tasks of the library.
        training_images: images of a training task.
        training_tasks: training tasks.
    """

    images: int | None
    tasks: int | None
    training_images: int | None
    training_tasks: int | None


SIZES = {
    "smoke": Size(images=80, tasks=8, training_images=130, training_tasks=6),
    "laptop": Size(images=240, tasks=None, training_images=None, training_tasks=None),
    "paper": Size(images=None, tasks=None, training_images=None, training_tasks=None),
}


def load(scale: str, seed: int, folder: Path = shards.FOLDER) -> Library:
    """The tasks on the open zoo.

    Args:
        scale: `smoke` (8 tasks of at most 80 images), `laptop` (at most 240 images a task) or
            `paper` (all images).
        seed: seed of the choice of images; parts and folds do not depend on it.
        folder: folder of the shards.

    Raises:
        FileError: if there are no shards, or one is damaged.
    """
    size, rows = SIZES[scale], shards.read_index(folder)
    of_tasks = [row for row in rows if row["part"] == TASKS]
    plans = _plans("tasks", of_tasks, size.tasks)
    drawn = [draw(plan, size.images, seed) for plan in plans]
    tasks, paths = _make_tasks(drawn, folder)
    used = sorted({path for of_task in paths.values() for path in of_task})
    provenance = {
        "title": "The open zoo: photographs and letters that come with t2v",
        "licence": "CC0, CC BY, MIT or Apache-2.0: each image has that of its data set",
        "scale": scale,
        "seed": seed,
        "tasks": len(tasks),
        "images": len(used),
        "held_out": len(used),
        "pixels": shards.SIZE,
        "skipped": [],
        "pictures_allowed": [task.name for task in tasks],
        "by_hand": [row["name"] for row in shards.table("tasks") if row["by_hand"] == "yes"],
        "sources": {name: _about(name, used, folder) for name in shards.present(folder)},
    }
    taxonomy = nest(all_lineages(plans, rows))
    return Library("open", tasks, taxonomy, provenance, photographs=True, paths=paths)


def training_tasks(scale: str, seed: int, folder: Path = shards.FOLDER) -> list[Task]:
    """The training tasks of the experts, on images that are in no task.

    Args:
        scale: scale as of `load`.
        seed: seed of the choice of images.
        folder: folder of the shards.
    """
    size = SIZES[scale]
    rows = [row for row in shards.read_index(folder) if row["part"] == EXPERTS]
    shares = {entry["name"]: float(entry["share"] or 1) for entry in shards.table("training_tasks")}
    plans = []
    for plan in _plans("training_tasks", rows, size.training_tasks):
        count = round(shares[plan.name] * sum(map(len, plan.members.values())))
        plans.append(draw(plan, min(count, size.training_images or count), seed))
    return _make_tasks(plans, folder)[0]


def _plans(table: str, rows: list[Row], count: int | None) -> list[Plan]:
    plans = [make_plan(entry, rows) for entry in shards.table(table)]
    return spread([plan for plan in plans if plan], count)


def _make_tasks(plans: list[Plan], folder: Path) -> tuple[list[Task], dict[str, tuple[str, ...]]]:
    """The tasks, and the paths of their images; tasks on the same images share one tensor."""
    used = {row["id"]: row for plan in plans for rows in plan.members.values() for row in rows}
    images = shards.read_images(list(used.values()), folder)
    position = {path: i for i, path in enumerate(used)}
    shared: dict[tuple[str, ...], Tensor] = {}
    tasks, paths = [], {}
    for plan in plans:
        labelled = [(row, k) for k, rows in enumerate(plan.members.values()) for row in rows]
        labelled.sort(key=lambda item: item[0]["id"])
        rows, labels = [row for row, _ in labelled], [k for _, k in labelled]
        of_task = tuple(row["id"] for row in rows)
        if of_task not in shared:
            shared[of_task] = images[[position[path] for path in of_task]]
        paths[plan.name] = of_task
        folds = [int(row["fold"]) for row in rows] if rows[0]["fold"] else None
        tasks.append(
            Task(
                name=plan.name,
                images=shared[of_task],
                labels=torch.tensor(labels),
                classes=tuple(plan.members),
                lineage=plan.lineage,
                group=plan.group,
                class_lineages=plan.class_lineages,
                folds=None if folds is None else torch.tensor(folds),
            )
        )
    return tasks, paths


def _about(source: str, used: list[str], folder: Path) -> dict[str, object]:
    """Title, licence, credit and numbers of one data set."""
    known = shards.manifest(source, folder)
    keys = ("title", "licence", "licence_stated_at", "credit", "what_was_changed", "archives")
    return {
        **{key: known[key] for key in keys},
        "page": known["publisher_page"],
        "images_in_set": known["images"],
        "images": sum(path.startswith(f"{source}/") for path in used),
    }

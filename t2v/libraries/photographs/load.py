"""Tasks on photographs, from the folder that `data_scripts.fetch` fills.

Whether an image is held out depends on its path alone, so that no image is held out in one task
and trained on in another; the seed chooses which images of a class are used, where a scale uses
fewer than there are.
"""

from __future__ import annotations

import csv
import importlib
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from t2v.errors import FileError
from t2v.images import load_images
from t2v.libraries import PHOTOGRAPHS, Library, join
from t2v.libraries.photographs.plans import (
    LIMITS,
    DataSet,
    Lineage,
    Row,
    TaskPlan,
    draw,
    held_out,
    spread,
)
from t2v.task import Task

SMALL = 96  # side in pixels of the images of a mirror, and of those that experts are trained on


def data_set(name: str) -> DataSet:
    """How one of the sets in `PHOTOGRAPHS` becomes tasks."""
    return importlib.import_module(f"t2v.libraries.photographs.{name}").DATA_SET


def load(name: str, scale: str, seed: int, data: str | Path | None = None) -> Library:
    """The tasks on one set of photographs, or on all that are on disk.

    Args:
        name: one of `PHOTOGRAPHS`, or "real": all that are on disk.
        scale: `smoke` (4 tasks of at most 40 training images), `laptop` (at most 200 training and
            100 held-out images a task, 96 pixels) or `paper` (every image and, in taxonomies, every
            node that makes a task, also one inside another; 224 pixels where images are published
            that large, which takes tens of gigabytes for all sets together).
        seed: seed of the choice of images; the held-out images do not depend on it.
        data: folder that `data_scripts.fetch` filled; default: `T2V_DATA`, else `data`.

    Raises:
        FileError: if the images are not there, or their index is damaged.
        InputError: if more than one image in a hundred cannot be read.
    """
    folder = _folder(data)
    if name == "real":
        return join(name, [load(part, scale, seed, folder) for part in _on_disk(folder)])
    rows, about = _read(folder, name)
    limits, of_set = LIMITS[scale], data_set(name)
    lineages, plans = of_set.narrow_tasks(rows, scale, seed)
    plans = [draw(plan, limits, seed) for plan in spread(plans, limits.tasks)]
    size = min(limits.size, of_set.size or limits.size)
    if about["origin"] == "mirror":
        size = min(size, SMALL)
    tasks, used, skipped = _load_tasks(plans, folder / name, size, lineages)
    shown = [t.name for t in tasks if of_set.may_show(t.classes, about["pictures_allowed"])]
    published = ("title", "page", "licence", "credit", "origin", "archives", "what_was_changed")
    provenance = {
        **{key: about[key] for key in published},
        "images_in_set": about["images"],
        "scale": scale,
        "seed": seed,
        "tasks": len(tasks),
        "images": len(used),
        "held_out": sum(map(held_out, used)),
        "pixels": size,
        "skipped": skipped,
        "pictures_allowed": shown,
    }
    return Library(name, tasks, nest(lineages), provenance, photographs=True)


def broad_tasks(scale: str, seed: int, data: str | Path | None, images: int | None) -> list[Task]:
    """The training tasks of experts on all sets on disk: training images only.

    Args:
        scale: scale of the sets.
        seed: seed of the choice of images.
        data: folder that `data_scripts.fetch` filled; default: `T2V_DATA`, else `data`.
        images: largest number of images of a task; None: all.
    """
    folder = _folder(data)
    limits = replace(LIMITS[scale], train=images, test=0, tasks=None)
    broad = []
    for name in _on_disk(folder):
        rows, _ = _read(folder, name)
        of_set = data_set(name)
        plans = [draw(plan, limits, seed) for plan in of_set.broad_tasks(rows, scale, seed)]
        lineages, _ = of_set.narrow_tasks(rows, scale, seed)
        tasks, _, _ = _load_tasks(plans, folder / name, min(limits.size, SMALL), lineages)
        broad += [task.train for task in tasks]
    return broad


def nest(lineages: Iterable[Lineage]) -> dict[str, Any]:
    """Root-first lineages as nested dicts that end in lists of leaves.

    A leaf beside inner nodes becomes a key with an empty list.
    """
    below: dict[str, list[Lineage]] = {}
    for first, *rest in lineages:
        below.setdefault(first, []).append(tuple(rest))
    tree: dict[str, Any] = {}
    for node, paths in below.items():
        inner = nest([p for p in paths if p]) if any(paths) else []
        flat = isinstance(inner, dict) and all(v == [] for v in inner.values())
        tree[node] = list(inner) if flat else inner
    return tree


def class_lineages(classes: Iterable[str], lineages: Iterable[Lineage]) -> tuple[Lineage, ...]:
    """The path of each class; none at all if a class is no leaf, or the name of several.

    Args:
        classes: names of the classes; of synonyms with commas between them the first counts.
        lineages: paths of the leaves, root first.
    """
    of_leaf: dict[str, set[Lineage]] = {}
    for path in lineages:
        of_leaf.setdefault(path[-1], set()).add(path)
    of_class = [of_leaf.get(name.split(",")[0], set()) for name in classes]
    known = all(len(paths) == 1 for paths in of_class)
    return tuple(path for paths in of_class for path in paths) if known else ()


def _load_tasks(
    plans: list[TaskPlan], folder: Path, size: int, lineages: list[Lineage]
) -> tuple[list[Task], list[str], list[dict[str, str]]]:
    """The tasks of one set, the paths of their images, and what was skipped.

    Every image is loaded once; tasks on the same images share one tensor.
    """
    paths = sorted({row["path"] for p in plans for rows in p.members.values() for row in rows})
    images, skipped = load_images([folder / path for path in paths], size)
    assert isinstance(images, torch.Tensor)  # all of one size
    reasons = {s.index: s.reason for s in skipped}
    used = [path for i, path in enumerate(paths) if i not in reasons]
    index = {path: i for i, path in enumerate(used)}
    shared: dict[tuple[str, ...], torch.Tensor] = {}
    tasks = []
    for plan in plans:
        labels = {
            row["path"]: k
            for k, rows in enumerate(plan.members.values())
            for row in rows
            if row["path"] in index
        }
        of_task = tuple(sorted(labels))
        if of_task not in shared:
            shared[of_task] = images[[index[path] for path in of_task]]
        tasks.append(
            Task(
                name=plan.name,
                images=shared[of_task],
                labels=torch.tensor([labels[path] for path in of_task]),
                classes=tuple(plan.members),
                lineage=plan.lineage,
                group=plan.group,
                test=torch.tensor([held_out(path) for path in of_task]),
                class_lineages=class_lineages(plan.members, lineages),
            )
        )
    return tasks, used, [{"path": paths[i], "reason": reason} for i, reason in reasons.items()]


def _folder(data: str | Path | None) -> Path:
    return Path(data or os.environ.get("T2V_DATA") or "data")


def _on_disk(folder: Path) -> list[str]:
    names = [name for name in PHOTOGRAPHS if (folder / name / "source.json").is_file()]
    if not names:
        raise FileError(f"{folder}: no photographs; run python -m data_scripts.fetch all")
    return names


def _read(folder: Path, name: str) -> tuple[list[Row], dict[str, Any]]:
    """The rows of a set's index, and the content of its `source.json`."""
    again = f"python -m data_scripts.fetch {name} --to {folder}"
    try:
        about = json.loads((folder / name / "source.json").read_text(encoding="utf-8"))
        with (folder / name / "index.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise FileError(f"{folder / name}: no photographs here; run {again}") from error
    except ValueError as error:
        raise FileError(f"{folder / name}: damaged ({error}); remove it and run {again}") from error
    if not rows or not {"path", "label"} <= set(rows[0]):
        raise FileError(f"{folder / name}/index.csv: damaged; remove the folder and run {again}")
    return rows, about

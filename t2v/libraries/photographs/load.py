"""Tasks on real photographs, from the folder that `data_scripts.fetch` fills.

* `cub`: the orders of birds with more than one species, Passeriformes split into its families, as
  in the paper's iNat+CUB meta-task (Sect. 5 and Supp. C);
* `living_things`: orders, and what remains of classes, of animals and plants;
* `tiny_imagenet`: nodes of WordNet with 4 to 20 of its classes below them;
* `fashion`: one binary task per value of an attribute, all on the same images (the counterpart of
  the paper's iMaterialist tasks);
* `clothing`: groups of garments photographed by many people, and children's against adults'.

Whether an image is held out depends on its path alone, so that no image is held out in one task
and trained on in another; the seed chooses which images of a class are used, where a scale uses
fewer than there are.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from t2v.errors import FileError
from t2v.images import load_images
from t2v.libraries import Library, join
from t2v.libraries.photographs.plans import (
    BROAD,
    HELD_OUT,
    SCALES,
    SOURCES,
    Lineage,
    Plan,
    Row,
    Scale,
    draw,
    facts,
    held_out,
    spread,
)
from t2v.task import Task


def load(name: str, scale: str, seed: int, data: str | Path | None = None) -> Library:
    """Load `cub`, `tiny_imagenet`, `living_things`, `fashion`, `clothing`, or those there: `real`.

    Args:
        name: the library.
        scale: `smoke` (4 tasks of at most 40 training images), `laptop` (at most 200 training and
            100 held-out images a task, 96 pixels) or `paper` (every image and, in taxonomies, every
            node that makes a task, also one inside another; 224 pixels where images are published
            that large, which takes tens of gigabytes for all sets together).
        seed: of the choice of images; the held-out images do not depend on it.
        data: the folder that `data_scripts.fetch` filled; default: `T2V_DATA`, else `data`.

    Raises:
        FileError: the images are not there, or their index is damaged.
        InputError: more than one image in a hundred cannot be read.
    """
    folder = _folder(data)
    if name == "real":
        return join(name, [load(n, scale, seed, folder) for n in _on_disk(folder)])
    rows, about = _read(folder, name)
    lineages, plans = SOURCES[name](rows, scale, seed)
    plans = spread(plans, SCALES[scale].tasks)
    size = SCALES[scale].size
    if about["origin"] == "mirror" or name in ("tiny_imagenet", "fashion"):
        size = min(size, 96)  # nothing is gained by enlarging further
    limit = SCALES[scale]
    drawn = [draw(plan, limit, seed) for plan in plans]
    tasks, skipped = _tasks(name, drawn, folder / name, size)
    return Library(name, tasks, nest(lineages), _provenance(about, tasks, skipped, size))


def broad_tasks(scale: str, seed: int, data: str | Path | None, images: int | None) -> list[Task]:
    """The broad tasks of all sets on disk, `t2v.libraries.expert_tasks`: training images only.

    Args:
        scale: of the sets.
        seed: of the choice of images.
        data: see `load`.
        images: at most so many a task.
    """
    folder = _folder(data)
    limit = Scale(train=images, test=0, tasks=None, size=SCALES[scale].size)
    found = []
    for name in _on_disk(folder):
        rows, _ = _read(folder, name)
        plans = [draw(plan, limit, seed) for plan in BROAD[name](rows, scale, seed)]
        tasks, _ = _tasks(name, plans, folder / name, min(limit.size, 96))
        found += [task.train for task in tasks]
    return found


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


def _tasks(
    source: str, plans: list[Plan], folder: Path, size: int
) -> tuple[list[Task], list[dict[str, str]]]:
    """Load every image once; tasks on the same images share one tensor."""
    used = sorted({row["path"] for p in plans for rows in p.members.values() for row in rows})
    images, skipped = load_images([folder / path for path in used], size)
    bad = {s.index: s.reason for s in skipped}
    kept = [path for i, path in enumerate(used) if i not in bad]
    place = {path: i for i, path in enumerate(kept)}
    shared: dict[tuple[str, ...], torch.Tensor] = {}
    tasks = []
    for plan in plans:
        labels = {
            row["path"]: k
            for k, rows in enumerate(plan.members.values())
            for row in rows
            if row["path"] in place
        }
        paths = tuple(sorted(labels))
        if paths not in shared:
            shared[paths] = images[[place[path] for path in paths]]
        tasks.append(
            Task(
                name=plan.name,
                images=shared[paths],
                labels=torch.tensor([labels[path] for path in paths]),
                classes=tuple(plan.members),
                lineage=plan.lineage,
                group=plan.group,
                test=torch.tensor([held_out(path) for path in paths]),
            )
        )
    return tasks, [{"path": used[i], "reason": reason} for i, reason in bad.items()]


def _folder(data: str | Path | None) -> Path:
    return Path(data or os.environ.get("T2V_DATA") or "data")


def _on_disk(folder: Path) -> list[str]:
    there = [name for name in SOURCES if (folder / name / "source.json").is_file()]
    if not there:
        raise FileError(f"{folder}: no photographs; run python -m data_scripts.fetch all")
    return there


def _read(folder: Path, name: str) -> tuple[list[Row], dict[str, Any]]:
    """The rows of a set's index, and what is known of its source."""
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


def _provenance(about: dict, tasks: list[Task], skipped: list, size: int) -> dict[str, Any]:
    monkeys = {f["leaf"] for f in facts("living_things") if f["source"] != "Caltech-101"}
    allowed = about["pictures_allowed"]
    return {
        **{k: about[k] for k in ("title", "page", "licence", "credit", "origin", "archives")},
        "what_was_changed": about["what_was_changed"],
        "pixels": size,
        "tasks": len(tasks),
        "images": about["images"],
        "held_out": f"{HELD_OUT:.0%} of the images, by a hash of the path",
        "skipped": skipped,
        # names of the tasks whose pictures a published page may show, with the credit
        "pictures_allowed": [
            task.name
            for task in tasks
            if allowed == "all" or (allowed == "Caltech-101" and not monkeys & set(task.classes))
        ],
    }

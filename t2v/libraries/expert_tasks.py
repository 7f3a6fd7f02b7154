"""The training tasks of the experts: broad tasks, and the largest narrow ones.

The paper's experts (Sect. 5 and Supp. C) are trained on single orders, on whole classes, on
categories and on attribute groups. For drawn libraries the training tasks are

* half of the orders of a class together: each order has one expert of its class that has seen its
  species, and one that has seen only their relatives;
* all garments by one attribute group;
* the largest orders and the largest tasks of the aviary, each by itself.

For photographs they are each group of a library as one task, halves of the largest groups, and all
of a set together; those of the open zoo stand in a table of their own, and those of the paper's own
data sets are the paper's. No image of a training task is held out in any task: drawn images are
drawn for it (or are a task's training images), photographs are held out by the path alone or by
their publisher, and of the open zoo experts and tasks never share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from t2v.errors import InputError
from t2v.libraries import load_library
from t2v.libraries.open_zoo.load import training_tasks
from t2v.libraries.paper.meta_tasks import training_tasks as paper_training_tasks
from t2v.libraries.photographs.load import broad_tasks
from t2v.libraries.worlds.creatures.evolution import World, grow_world
from t2v.libraries.worlds.creatures.images import clade_tasks
from t2v.libraries.worlds.garments.attributes import ATTRIBUTES
from t2v.libraries.worlds.garments.images import cached_garments
from t2v.libraries.worlds.wardrobe import WARDROBE_SIZES, wardrobe_garments
from t2v.task import Task

GARMENT_SEED_OFFSET = 10**5
"""Added to the seed of the wardrobe for the garments of experts, so that no image is shared."""


@dataclass(frozen=True)
class TrainingSize:
    """How many training tasks a drawn library gives at one scale, and how large the broad ones are.

    Attributes:
        classes: number of classes of the world whose orders make two broad tasks each.
        images: number of training images of a broad task.
        groups: number of attribute groups that become broad tasks.
        orders: number of orders, the largest ones, that are training tasks by themselves.
        aviary: number of tasks of the aviary, the largest ones, that are training tasks.
    """

    classes: int
    images: int
    groups: int
    orders: int
    aviary: int


TRAINING_SIZES = {
    "smoke": TrainingSize(classes=1, images=200, groups=1, orders=1, aviary=1),
    "laptop": TrainingSize(classes=6, images=2000, groups=5, orders=2, aviary=1),
    "paper": TrainingSize(classes=9, images=20000, groups=7, orders=100, aviary=20),
}
"""Sizes of the book's experiments on drawn libraries, by scale."""

MAX_PHOTOGRAPHS = {"smoke": 60, "laptop": 2500, "paper": None}
"""Largest number of images of a broad task on photographs in the book's experiments, by scale."""

SCHEDULES: dict[str, dict[str, dict[str, Any]]] = {
    "synthetic": {
        "smoke": {"steps": 20, "lr": 0.03},
        "laptop": {"steps": 150, "lr": 0.1},
        "paper": {"steps": 4000, "lr": 0.1},
    },
    "open": {
        "smoke": {"steps": 4, "batch_size": 16, "lr": 0.0006},
        "laptop": {"steps": 200, "batch_size": 32, "lr": 0.0006},
        "paper": {"steps": 2000, "batch_size": 64, "lr": 0.0006},
    },
    "real": {
        "smoke": {"steps": 4, "batch_size": 16, "lr": 0.003},
        "laptop": {"steps": 150, "batch_size": 32, "lr": 0.01},
        "paper": {"steps": 9375, "batch_size": 64, "lr": 0.001},
    },
    "paper": {
        "smoke": {"steps": 4, "batch_size": 16, "lr": 0.0006},
        "laptop": {"steps": 200, "batch_size": 32, "lr": 0.0006},
        "paper": {"steps": 9375, "batch_size": 64, "lr": 0.001},
    },
}
"""Fine-tuning of the experts in the book's experiments, by library and scale.

They are arguments of `t2v.experts.training.Schedule`. Learning rates of the drawn libraries were
chosen on world 0, that of the open zoo by `data_scripts.claims.expert_rate`; that of ``real`` at
`paper`, and that of ``paper``, is the paper's.
"""


def expert_tasks(
    library: str, scale: str = "laptop", seed: int = 0, data: str | Path | None = None
) -> list[Task]:
    """The training tasks of the experts of a library; no image of them is held out.

    Args:
        library: "synthetic", "open", "real" or "paper".
        scale: scale as for `load_library`; at `laptop` a world gives 20 tasks.
        seed: seed of the world, or of the choice of photographs.
        data: folder of the photographs.

    Returns:
        Tasks whose classes, group and lineage say what an expert knows.

    Raises:
        InputError: for another library or scale.
        FileError: if there are no photographs.
    """
    if library not in SCHEDULES or scale not in TRAINING_SIZES:
        raise InputError(
            f"expert tasks of {library!r} at {scale!r}: choose one of {', '.join(SCHEDULES)} and "
            f"of {', '.join(TRAINING_SIZES)}"
        )
    if library == "open":
        return training_tasks(scale, seed)
    if library == "paper":
        return paper_training_tasks(scale, seed, data)
    if library == "real":
        return broad_tasks(scale, seed, data, MAX_PHOTOGRAPHS[scale])
    size = TRAINING_SIZES[scale]
    return [
        *_halves_of_classes(grow_world(scale, seed), size, scale),
        *_attribute_groups(size, scale, seed),
        *_largest(size, scale, seed),
    ]


def _halves_of_classes(world: World, size: TrainingSize, scale: str) -> list[Task]:
    """Two tasks per class, each with every other order, in the order of the tree."""
    tasks = []
    for top in list(world.plans)[: size.classes]:
        orders = world.tree.below(top, "order")
        for half, nodes in (("A", orders[::2]), ("B", orders[1::2])):
            counts = [size.images // len(nodes)] * len(nodes)
            parts = [t.train for t in clade_tasks(world, nodes, counts, 0, "experts", scale)]
            tasks.append(_union(f"{world.tree.name[top]} {half}", parts))
    return tasks


def _union(name: str, parts: list[Task]) -> Task:
    """One task with all classes of several tasks."""
    before = np.cumsum([0, *(part.num_classes for part in parts)])
    return Task(
        name,
        torch.cat([cast("torch.Tensor", part.images) for part in parts]),
        torch.cat([part.labels + int(k) for part, k in zip(parts, before[:-1], strict=True)]),
        [c for part in parts for c in part.classes],
        parts[0].lineage[:2],
        parts[0].group,
        class_lineages=[path for part in parts for path in part.class_lineages],
    )


def _attribute_groups(size: TrainingSize, scale: str, seed: int) -> list[Task]:
    """One task per attribute group, all on the same garments."""
    garments = wardrobe_garments(size.images, 1, seed + GARMENT_SEED_OFFSET)
    garments = garments.take(slice(0, size.images))
    images = cached_garments(garments)
    tasks = []
    for group in list(ATTRIBUTES)[: size.groups]:
        names = ATTRIBUTES[group][: WARDROBE_SIZES[scale].values]
        labels = garments.values[group]
        named = labels < len(names)
        shown = images if bool(named.all()) else images[named]
        lineage = ("wardrobe", group)
        tasks.append(Task(f"all garments: {group}", shown, labels[named], names, lineage, group))
    return tasks


def _largest(size: TrainingSize, scale: str, seed: int) -> list[Task]:
    """The training images of the largest tasks of the phylogeny and of the aviary."""
    largest = []
    for name, count in (("phylogeny", size.orders), ("aviary", size.aviary)):
        tasks = sorted(
            load_library(name, scale, seed), key=lambda t: -int((~t.held_out_mask).sum())
        )
        largest += [task.train for task in tasks[:count]]
    return largest

"""What the experts of a feature zoo are trained on: broad tasks, and the largest narrow ones.

The paper's experts (Sect. 5 and Supp. C) are trained on single orders, on whole classes, on
categories and on attribute groups. Here, for the worlds that are drawn:

* half of the orders of a class together: each order has one expert of its class that has seen its
  species, and one that has seen only their relatives;
* all garments by one attribute group;
* the largest orders and the largest tasks of the aviary, each by itself.

For photographs: each group of a library as one task, halves of the largest groups, and all of a
set together. No expert's image is held out in any task: those of the worlds are drawn for it (or
are a task's own training images), photographs are held out by the path alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from t2v.errors import InputError
from t2v.libraries import load_library
from t2v.libraries.photographs import load as photographs
from t2v.libraries.worlds.creatures import pictures as creatures
from t2v.libraries.worlds.creatures.evolution import World, world
from t2v.libraries.worlds.garments.attributes import ATTRIBUTES
from t2v.libraries.worlds.garments.shape import kept_garments
from t2v.libraries.worlds.wardrobe import SCALES as WARDROBES
from t2v.libraries.worlds.wardrobe import wardrobe_garments
from t2v.task import Task

APART = 10**5
"""Added to the seed of the garments that experts see, so that no task shows the same ones."""


@dataclass(frozen=True)
class Size:
    """How large a drawn zoo is at one scale.

    Attributes:
        classes: of the world, whose orders make two broad tasks each.
        images: training images of a broad task.
        groups: attribute groups that become tasks.
        orders: largest orders that are tasks by themselves.
        aviary: largest tasks of the aviary likewise.
    """

    classes: int
    images: int
    groups: int
    orders: int
    aviary: int


SIZES = {
    "smoke": Size(1, 200, 1, 1, 1),
    "laptop": Size(6, 2000, 5, 2, 1),
    "paper": Size(9, 20000, 7, 100, 20),
}

SCHEDULES = {
    "synthetic": {
        "smoke": {"steps": 20, "lr": 0.03},
        "laptop": {"steps": 150, "lr": 0.1},
        "paper": {"steps": 4000, "lr": 0.1},
    },
    "real": {
        "smoke": {"steps": 4, "batch_size": 16, "lr": 0.003},
        "laptop": {"steps": 150, "batch_size": 32, "lr": 0.01},
        "paper": {"steps": 9375, "batch_size": 64, "lr": 0.001},
    },
}
"""Arguments of `t2v.experts.expert.Schedule`: rates tried on world 0, steps as many as there is time for;
of photographs at `paper`: the paper's."""

IMAGES = {"smoke": 60, "laptop": 2500, "paper": None}
"""At most so many photographs of a broad task."""


def expert_tasks(
    library: str, scale: str = "laptop", seed: int = 0, data: str | Path | None = None
) -> list[Task]:
    """The tasks that the experts of a library's zoo are trained on; nothing in them is held out.

    Args:
        library: "synthetic" or "real".
        scale: as for `load_library`: 20 tasks of a world at `laptop`.
        seed: of the world, or of the choice of photographs.
        data: folder of the photographs.

    Returns:
        Tasks whose classes, group and lineage say what an expert knows.

    Raises:
        InputError: for another library or scale.
        FileError: if there are no photographs.
    """
    if library not in SCHEDULES or scale not in SIZES:
        raise InputError(
            f"zoo of {library!r} at {scale!r}: choose one of {', '.join(SCHEDULES)} and of "
            f"{', '.join(SIZES)}"
        )
    if library == "real":
        return photographs.broad_tasks(scale, seed, data, IMAGES[scale])
    size, here = SIZES[scale], world(scale, seed)
    return [*_classes(here, size, scale), *_groups(size, scale, seed), *_largest(size, scale, seed)]


def _classes(here: World, size: Size, scale: str) -> list[Task]:
    """Halves of the classes: every other order, in the order of the tree."""
    found = []
    for top in list(here.plan)[: size.classes]:
        orders = here.tree.below(top, "order")
        for half in ("A", "B"):
            nodes = orders[half == "B" :: 2]
            share = [size.images // len(nodes)] * len(nodes)
            parts = [t.train for t in creatures.tasks(here, nodes, share, 0, "zoo", scale)]
            found.append(_union(f"{here.tree.name[top]} {half}", parts))
    return found


def _union(name: str, parts: list[Task]) -> Task:
    """Tasks as one: all their classes, told apart."""
    before = np.cumsum([0, *(part.num_classes for part in parts)])
    return Task(
        name,
        torch.cat([part.images for part in parts]),
        torch.cat([part.labels + int(k) for part, k in zip(parts, before[:-1], strict=True)]),
        [c for part in parts for c in part.classes],
        parts[0].lineage[:2],
        parts[0].group,
    )


def _groups(size: Size, scale: str, seed: int) -> list[Task]:
    """Garments by one attribute group after the other, the same pictures for all."""
    values = WARDROBES[scale][3]
    garments = wardrobe_garments(size.images, 1, seed + APART).take(slice(0, size.images))
    images = kept_garments(garments)
    found = []
    for group in list(ATTRIBUTES)[: size.groups]:
        names = ATTRIBUTES[group][:values]
        of_them = garments.values[group] < len(names)
        labels = garments.values[group][of_them]
        shown = images if bool(of_them.all()) else images[of_them]
        found.append(
            Task(f"all garments: {group}", shown, labels, names, ("wardrobe", group), group)
        )
    return found


def _largest(size: Size, scale: str, seed: int) -> list[Task]:
    """The training images of the largest tasks of two libraries."""
    found = []
    for name, count in (("phylogeny", size.orders), ("aviary", size.aviary)):
        tasks = sorted(load_library(name, scale, seed), key=lambda t: -int((~t.test).sum()))
        found += [task.train for task in tasks[:count]]
    return found

"""iNaturalist 2018: the species of an order, told apart; the validation set is held out.

Layout (github.com/visipedia/inat_comp, 2018): `train2018.json` and `val2018.json` list images and
annotations in the format of COCO, `categories.json` has the names of species and higher taxa, which
the lists hide, and images are at `train_val2018/<group>/<category>/<file>.jpg`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2v.errors import FileError
from t2v.libraries.paper.json_stream import records
from t2v.libraries.paper.published import (
    Labelled,
    Lineage,
    Plan,
    Published,
    damaged,
    needed,
    note,
)

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
ORDERS = 207
"""Number of orders that the paper takes; its code stops there, one order short of all."""


def read(folder: Path) -> Published:
    """What the files of a folder say.

    Args:
        folder: the folder with the publisher's files.

    Raises:
        FileError: naming the file that is missing or damaged.
    """
    species = _species(needed(folder, "categories.json"))
    needed(folder, "train_val2018")
    notes: list[str] = []
    parts = [_list(needed(folder, f"{part}2018.json"), species, notes) for part in ("train", "val")]
    paths = [path for part, _ in parts for path in part]
    category = np.concatenate([labels for _, labels in parts])
    test = np.arange(len(paths)) >= len(parts[0][0])
    in_training = np.bincount(category[~test], minlength=max(species, default=0) + 1)
    unused = [lineage[-1] for k, lineage in species.items() if not in_training[k]]
    if unused:
        notes.append(note("species without training images", unused))
    taxa = {
        depth: _taxa(species, in_training, category, depth) for depth in (3, 4)
    }  # classes, orders
    orders = sorted(taxa[4], key=lambda plan: (-plan.size, plan.name))
    if left := [plan.lineage[-1] for plan in orders[ORDERS:]]:
        notes.append(
            f"{len(orders)} orders have several species and the paper takes {ORDERS}: "
            f"the smallest, {', '.join(left)}, is left out"
        )
    counts = {
        "species": len(species) - len(unused),
        "training images": int((~test).sum()),
        "validation images": int(test.sum()),
        "orders": len(orders),
        **{f"species of {plan.lineage[-1]}": len(plan.classes) for plan in orders},
    }
    return Published(paths, test, orders[:ORDERS], taxa[3], counts, notes)


def _species(path: Path) -> dict[int, Lineage]:
    """Lineage of each species by its number."""
    species = {}
    for _, entry in records(path):
        try:
            species[int(entry["id"])] = (*(entry[rank] for rank in RANKS), entry["name"])
        except (KeyError, TypeError, ValueError):
            raise damaged(path, f"id, name, {', '.join(RANKS)}", entry) from None
    return species


def _list(
    path: Path, species: dict[int, Lineage], notes: list[str]
) -> tuple[list[str], NDArray[np.int64]]:
    """Paths of the annotated images of a list, and their species."""
    paths: list[str] = []
    ids, annotated, labels = array("q"), array("q"), array("q")
    for key, entry in records(path):
        try:
            if key == "images":
                ids.append(int(entry["id"]))
                paths.append(str(entry["file_name"]))
            elif key == "annotations":
                annotated.append(int(entry["image_id"]))
                labels.append(int(entry["category_id"]))
        except (KeyError, TypeError, ValueError):
            wanted = "id, file_name" if key == "images" else "image_id, category_id"
            raise damaged(path, f"{key} with {wanted}", entry) from None
    if not len(ids) or not len(annotated):
        raise FileError(f"{path}: expected lists `images` and `annotations`; copy it again")
    number, of_image = np.array(annotated), np.array(labels)
    order = np.argsort(number)
    place = np.minimum(np.searchsorted(number[order], np.array(ids)), len(number) - 1)
    known = number[order][place] == np.array(ids)
    if not known.all():
        lost = [paths[i] for i in np.flatnonzero(~known)]
        notes.append(note(f"images of {path.name} without annotation", lost))
    category = of_image[order][place][known]
    if strange := sorted({int(k) for k in np.unique(category)} - set(species)):
        raise damaged(path, "category_id of categories.json", strange[0])
    return [paths[i] for i in np.flatnonzero(known)], category


def _taxa(
    species: dict[int, Lineage], in_training: NDArray[Any], category: NDArray[Any], depth: int
) -> list[Plan]:
    """A plan for each taxon of a rank with several species."""
    below: dict[Lineage, list[int]] = {}
    for number, lineage in sorted(species.items(), key=lambda item: item[1]):
        if in_training[number]:
            below.setdefault(lineage[:depth], []).append(number)
    return [
        Plan(
            name=f"inaturalist/{taxon[-1]}",
            group=taxon[2],
            lineage=taxon,
            classes=tuple(species[k][-1] for k in members),
            labelled=_labelled(category, members),
            class_lineages=tuple(species[k] for k in members),
            size=int(in_training[members].sum()),
        )
        for taxon, members in below.items()
        if len(members) > 1
    ]


def _labelled(category: NDArray[Any], members: list[int]) -> Callable[[], Labelled]:
    def labelled() -> Labelled:
        number = np.full(int(category.max()) + 1, -1)
        number[members] = np.arange(len(members))
        labels = number[category]
        positions = np.flatnonzero(labels >= 0)
        return positions, labels[positions]

    return labelled

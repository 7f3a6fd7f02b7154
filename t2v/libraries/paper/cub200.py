"""CUB-200-2011 with its official split: birds of an order, Passeriformes by family.

Layout: a folder `CUB_200_2011` with `images/`, `images.txt`, `image_class_labels.txt`,
`classes.txt` and `train_test_split.txt`, each line a number and a value.

The paper's groups are older than those of `taxonomies/cub.csv`. Its 25 tasks and the sizes of their
test sets (read from Fig. 3) tell which birds stood where; `OLDER` lists the differences.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from t2v.libraries.paper.published import (
    Labelled,
    Lineage,
    Plan,
    Published,
    damaged,
    needed,
    note,
)
from t2v.libraries.photographs.plans import facts

OLDER = {
    "Suliformes": "Pelecaniformes",
    "Passerellidae": "Emberizidae",
    "Icteriidae": "Parulidae",
    "Scarlet Tanager": "Thraupidae",
    "Summer Tanager": "Thraupidae",
    "Tree Sparrow": "Passeridae",
}
"""Today's order, family or species, and where the paper's tasks have it."""

ALONE = ("Northern Fulmar",)
"""In no task of the paper, whose 88 test images of Procellariiformes are three albatrosses'."""


def read(folder: Path) -> Published:
    """What the files of a folder say.

    Args:
        folder: the folder with `CUB_200_2011`, or that folder itself.

    Raises:
        FileError: naming the file that is missing or damaged.
    """
    root = folder if (folder / "images.txt").exists() else folder / "CUB_200_2011"
    inside = f"{root.name}/" if root != folder else ""
    needed(folder, f"{inside}images")
    of_image = {
        what: _numbered(needed(folder, f"{inside}{what}.txt"))
        for what in ("images", "image_class_labels", "train_test_split", "classes")
    }
    names = of_image.pop("classes")
    order = list(of_image["images"])
    for what, values in of_image.items():
        if lacking := set(order).symmetric_difference(values):
            raise damaged(root / f"{what}.txt", "a line for each image", f"image {min(lacking)}")
    paths = [f"{inside}images/{of_image['images'][i]}" for i in order]
    label = np.array([int(of_image["image_class_labels"][i]) for i in order])
    test = np.array([of_image["train_test_split"][i] == "0" for i in order])
    if strange := sorted({int(k) for k in np.unique(label)} - set(names)):
        raise damaged(root / "image_class_labels.txt", "numbers of classes.txt", strange[0])
    plans, notes = _plans(names, label, test)
    counts = {
        "classes": len(names),
        "images": len(paths),
        "training images": int((~test).sum()),
        "tasks": len(plans),
        **{
            f"test images of {plan.lineage[-1]}": int(test[plan.labelled()[0]].sum())
            for plan in plans
        },
    }
    return Published(paths, test, plans, [], counts, notes)


def _numbered(path: Path) -> dict[int, str]:
    values = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        number, _, value = line.strip().partition(" ")
        if not number.isdigit() or not value:
            raise damaged(path, "a number and a value on each line", line)
        values[int(number)] = value
    return values


def _plans(
    names: dict[int, str], label: NDArray[np.int64], test: NDArray[np.bool_]
) -> tuple[list[Plan], list[str]]:
    """Plans of the tasks, orders before families, and what is in none."""
    today = {row["label"]: row for row in facts("cub")}
    members: dict[Lineage, list[int]] = {}
    lineages: dict[int, Lineage] = {}
    trained = set(np.unique(label[~test]).tolist())
    unknown, unused = [], []
    for number, name in sorted(names.items()):
        bird = name.partition(".")[2].replace("_", " ")
        if name not in today:
            unknown.append(name)
        elif number not in trained:
            unused.append(name)
        elif bird not in ALONE:
            order = OLDER.get(today[name]["order"], today[name]["order"])
            family = OLDER.get(bird, OLDER.get(today[name]["family"], today[name]["family"]))
            lineages[number] = ("Animalia", "Chordata", "Aves", order, family, bird)
            depth = 5 if order == "Passeriformes" else 4
            members.setdefault(lineages[number][:depth], []).append(number)
    notes = [f"{bird} is in no task of the paper" for bird in ALONE if _there(bird, names)]
    for found, what in ((unknown, "classes that are not of the 200"), (unused, "classes unused")):
        notes += [note(what, found)] if found else []
    plans = [
        Plan(
            name=f"cub200/{taxon[-1]}",
            group="Passeriformes" if len(taxon) == 5 else "other birds",
            lineage=taxon,
            classes=tuple(lineages[k][-1] for k in numbers),
            labelled=_labelled(label, numbers),
            class_lineages=tuple(lineages[k] for k in numbers),
            size=int((np.isin(label, numbers) & ~test).sum()),
        )
        for taxon, numbers in sorted(members.items(), key=lambda item: (len(item[0]), item[0]))
        if len(numbers) > 1
    ]
    return plans, notes


def _there(bird: str, names: dict[int, str]) -> bool:
    return any(name.partition(".")[2].replace("_", " ") == bird for name in names.values())


def _labelled(label: NDArray[np.int64], numbers: list[int]) -> Callable[[], Labelled]:
    def labelled() -> Labelled:
        positions = np.flatnonzero(np.isin(label, numbers))
        return positions, np.searchsorted(numbers, label[positions])

    return labelled

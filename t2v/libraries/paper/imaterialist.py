"""iMaterialist (Fashion) 2018: 228 values of attributes in eight groups, a binary task for each.

Layout: `train.json` and `validation.json` as on Kaggle (`images` with `imageId` and `url`,
`annotations` with `imageId` and `labelId`), `iMat_fashion_2018_label_map_228.csv` with the names
(github.com/visipedia/imat_fashion_comp), and the images, which everybody has to download from the
shop's addresses, at `train/<imageId>.jpg` and `validation/<imageId>.jpg`.

Experts on a group of several values learn from the images with exactly one of its values, because
an expert's head here gives one class; the paper's are multi-label.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from t2v.errors import FileError
from t2v.libraries.paper.attributes import Attributes
from t2v.libraries.paper.json_stream import records
from t2v.libraries.paper.published import Published, damaged, needed, note

LABELS = "iMat_fashion_2018_label_map_228.csv"

MULTI_LABEL = ("color", "gender", "neckline", "sleeve", "style")
"""Groups that are training tasks of experts in Mixed."""

CATEGORIES = {
    "pants": "Athletic Pants, Athletic Shorts, Baggy Jeans, Capri Pants, Cargo Pants, Cargo Shorts,"
    "Casual Pants, Casual Shorts, Drawstring Pants, Harem Pants, Jeans, Leggings, Shorts,"
    "Skinny Jeans, Sweatpants, Trousers, Yoga Pants",
    "shoes": "Boots, Business Shoes, Casual Shoes, Cleats, Flats, Heels, Hiking Boots,"
    "Loafers & Slip-on Shoes, Rain Boots, Running Shoes, Sandals, Slippers, Sneakers, Stilettos,"
    "Wedges & Platforms, Winter Boots, Shoe Accessories, Shoe Inserts, Shoelaces",
}
"""Values of `category` that are pants or shoes: ours, because the paper's list is not published."""


class _Value(NamedTuple):
    name: str
    group: str


def read(folder: Path) -> Published:
    """What the files of a folder say.

    Args:
        folder: the folder with the publisher's files.

    Raises:
        FileError: naming the file that is missing or damaged.
    """
    values = _values(needed(folder, LABELS))
    numbers = {label: i for i, label in enumerate(values)}
    attributes = Attributes(len(values))
    paths: list[str] = []
    notes: list[str] = []
    sizes = []
    for part in ("train", "validation"):
        needed(folder, part)
        list_of_part = needed(folder, f"{part}.json")
        sizes.append(_add(list_of_part, part, numbers, attributes, paths, notes))
    test = np.arange(len(paths)) >= sizes[0]
    plans = [
        attributes.plan("imaterialist", value.group, value.name, numbers[label])
        for label, value in values.items()
    ]
    broad = []
    for name in (*CATEGORIES, *MULTI_LABEL):
        wanted = CATEGORIES.get(name, "").replace(", ", ",").split(",")
        inside = {
            numbers[label]: value.name
            for label, value in values.items()
            if value.group == name or (value.group == "category" and value.name in wanted)
        }
        if len(inside) > 1:
            broad.append(attributes.union("imaterialist", name, name, inside))
    counts = {
        "values": len(values),
        "groups": len({value.group for value in values.values()}),
        "training images": sizes[0],
        "validation images": sizes[1],
    }
    return Published(paths, test, plans, broad, counts, notes, shared=True)


def _values(path: Path) -> dict[int, _Value]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    try:
        return {int(r["labelId"]): _Value(r["labelName"].strip(), r["taskName"]) for r in rows}
    except (KeyError, ValueError, TypeError):
        raise damaged(path, "columns labelId, labelName, taskName", rows[:1]) from None


def _add(
    path: Path,
    part: str,
    numbers: dict[int, int],
    attributes: Attributes,
    paths: list[str],
    notes: list[str],
) -> int:
    """Add the annotated images of a list, in its order; returns their number."""
    before, unknown = len(paths), set()
    for key, entry in records(path):
        if key != "annotations":
            continue
        try:
            image, labels = str(entry["imageId"]), [int(label) for label in entry["labelId"]]
        except (KeyError, TypeError, ValueError):
            raise damaged(path, "annotations with imageId, labelId", entry) from None
        unknown |= {label for label in labels if label not in numbers}
        has = np.zeros(attributes.count, bool)
        has[[numbers[label] for label in labels if label in numbers]] = True
        attributes.add(has)
        paths.append(f"{part}/{image}.jpg")
    if len(paths) == before:
        raise FileError(f"{path}: expected a list `annotations`; copy it again")
    if unknown:
        names = [str(label) for label in sorted(unknown)]
        notes.append(note(f"numbers in {path.name} that {LABELS} lacks", names))
    return len(paths) - before

"""DeepFashion, category and attribute prediction: 1,000 attributes, a binary task for each.

Layout of the benchmark's archive: `Anno_coarse/` (in older copies `Anno/`) with
`list_attr_cloth.txt`, `list_attr_img.txt`, `list_category_cloth.txt` and `list_category_img.txt`,
`Eval/list_eval_partition.txt`, and images below `Img/` (or beside it). Each list begins with its
number of rows and a row of names. An attribute is there (1), is not (-1) or is unknown (0); as in
the paper's binary tasks, unknown counts as not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from t2v.errors import FileError
from t2v.libraries.paper.attributes import Attributes
from t2v.libraries.paper.published import Labelled, Plan, Published, damaged, needed, note

GROUPS = {1: "texture", 2: "fabric", 3: "shape", 4: "part", 5: "style"}
"""Types of attributes, as the benchmark numbers them."""

BODY = {1: "upper body", 2: "lower body", 3: "full body"}
"""Types of categories."""


def read(folder: Path) -> Published:
    """What the files of a folder say.

    Args:
        folder: the folder with the publisher's files.

    Raises:
        FileError: naming the file that is missing or damaged.
    """

    def annotation(name: str) -> Path:
        return needed(folder, f"Anno_coarse/{name}.txt", f"Anno/{name}.txt")

    images = needed(folder, "Img/img", "img").parent.relative_to(folder)
    values = _typed(annotation("list_attr_cloth"))
    categories = _typed(annotation("list_category_cloth"))
    part = dict(_rows(needed(folder, "Eval/list_eval_partition.txt")))
    of_image = dict(_rows(annotation("list_category_img")))
    attributes, names, category, notes = Attributes(len(values)), [], [], []
    unlisted: list[str] = []
    for name, has in _attributes(annotation("list_attr_img"), len(values)):
        if name not in part or name not in of_image:
            unlisted.append(name)
        elif part[name] in ("train", "test"):  # the validation part has no use here
            attributes.add(has)
            names.append(name)
            category.append(int(of_image[name]) - 1)
    if unlisted:
        notes.append(note("images in some lists only", unlisted))
    if not names:
        raise FileError(f"{annotation('list_attr_img')}: no image of the parts train and test")
    label = np.array(category)
    if label.min() < 0 or label.max() >= len(categories):
        wrong = int(label.min() if label.min() < 0 else label.max()) + 1
        raise damaged(annotation("list_category_img"), f"1 to {len(categories)}", wrong)
    test = np.array([part[name] == "test" for name in names])
    plans = [
        attributes.plan("deepfashion", GROUPS.get(kind, f"type {kind}"), value, i)
        for i, (value, kind) in enumerate(values)
    ]
    broad = []
    for kind, body in BODY.items():
        members = [k for k, (_, of_kind) in enumerate(categories) if of_kind == kind]
        used = [k for k in members if (label[~test] == k).any()]
        if unused := [categories[k][0] for k in members if k not in used]:
            notes.append(note(f"categories of the {body} without images", unused))
        if len(used) > 1:
            broad.append(_of_body(body, [categories[k][0] for k in used], label, used))
    parts = list(part.values())
    counts = {
        "images": len(part),
        "attributes": len(values),
        "categories": len(categories),
        **{f"images of {which}": parts.count(which) for which in ("train", "val", "test")},
    }
    paths = [(images / name).as_posix() for name in names]
    return Published(paths, test, plans, broad, counts, notes, shared=True)


def _of_body(body: str, names: list[str], label: NDArray[np.int64], used: list[int]) -> Plan:
    def labelled() -> Labelled:
        positions = np.flatnonzero(np.isin(label, used))
        return positions, np.searchsorted(used, label[positions])

    lineage = ("deepfashion", body)
    return Plan(f"deepfashion/all: {body}", body, lineage, tuple(names), labelled)


def _lines(path: Path) -> Iterator[str]:
    """The rows of a list; their number must be the one that it begins with."""
    with path.open(encoding="utf-8") as file:
        first = file.readline().strip()
        if not first.isdigit():
            raise damaged(path, "the number of rows in its first line", first[:40])
        file.readline()
        count = 0
        for line in file:
            if line.strip():
                count += 1
                yield line
    if count != int(first):
        raise damaged(path, f"{first} rows", count)


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    for line in _lines(path):
        name, _, value = line.strip().rpartition(" ")
        if not name:
            raise damaged(path, "two columns", line.strip())
        yield name.strip(), value


def _typed(path: Path) -> list[tuple[str, int]]:
    """Names, which may hold spaces, and their types."""
    rows = list(_rows(path))
    if strange := [value for _, value in rows if not value.isdigit()]:
        raise damaged(path, "a name and the number of its type", strange[0])
    return [(name, int(value)) for name, value in rows]


def _attributes(path: Path, count: int) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for line in _lines(path):
        name, *values = line.split()
        if len(values) != count:
            raise damaged(path, f"{count} values for each image", f"{len(values)} for {name}")
        yield name, np.array(values) == "1"

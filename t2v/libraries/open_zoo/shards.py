"""Index and images of the shards; an image is decoded once per process, when a task needs it."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from t2v.errors import FileError
from t2v.libraries.open_zoo.splits import divide
from t2v.libraries.photographs.plans import Row

HERE = Path(__file__).parent
FOLDER = HERE / "shards"
SIZE = 64
"""Side of the images in pixels."""

SOURCES = ("caltech101", "clothing", "flowers", "grocery", "omniglot", "signdigits", "trashnet")
"""Names of the data sets."""


def table(name: str) -> list[Row]:
    """Rows of a table of `tables/`."""
    with (HERE / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def manifest(source: str, folder: Path = FOLDER) -> dict[str, Any]:
    """What is known about a data set: title, licence, credit, archives with checksums."""
    return json.loads((folder / f"{source}.manifest.json").read_text(encoding="utf-8"))


def present(folder: Path = FOLDER) -> list[str]:
    """The data sets that have files in the folder."""
    return [source for source in SOURCES if (folder / f"{source}.csv").is_file()]


@cache
def read_index(folder: Path = FOLDER) -> list[Row]:
    """One row per image of all data sets in the folder.

    Beside the columns of the publisher's index: `source`; `id`, the data set and the path; `name`
    and `lineage` (with slashes) of the label; `group`, `part` and `fold` as `splits.divide` says.

    Raises:
        FileError: if there is no data set, or a label is not in the taxonomy.
    """
    known = {row["label"]: row for row in table("labels")}
    rows = []
    for source in present(folder):
        with (folder / f"{source}.csv").open(encoding="utf-8", newline="") as file:
            of_source = list(csv.DictReader(file))
        for row in of_source:
            if row["label"] not in known:
                raise FileError(f"{folder}/{source}.csv: no taxonomy for label {row['label']!r}")
            label = known[row["label"]]
            row |= {"source": source, "id": f"{source}/{row['path']}"}
            row |= {"name": label["name"], "lineage": f"{label['lineage']}/{label['name']}"}
        rows += divide(source, of_source)
    if not rows:
        raise FileError(f"{folder}: no images of the open zoo; install the package again")
    return rows


_decoded: dict[tuple[Path, str], np.ndarray] = {}


def read_images(rows: Sequence[Row], folder: Path = FOLDER) -> Tensor:
    """Images of some rows of the index, uint8 `[N, 3, SIZE, SIZE]`: centre crops.

    Raises:
        FileError: if an archive is missing or damaged.
    """
    missing = {row["id"]: row for row in rows if (folder, row["id"]) not in _decoded}
    by_archive: dict[str, list[Row]] = {}
    for row in missing.values():
        by_archive.setdefault(row["archive"], []).append(row)
    for archive, wanted in by_archive.items():
        try:
            with zipfile.ZipFile(folder / archive) as box:
                for row in wanted:
                    _decoded[folder, row["id"]] = _decode(box.read(row["path"]))
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise FileError(
                f"{folder / archive}: missing or damaged ({error}); install the package again"
            ) from error
    return torch.from_numpy(np.stack([_decoded[folder, row["id"]] for row in rows]))


def _decode(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as image:
        square = ImageOps.fit(image.convert("RGB"), (SIZE, SIZE), Image.Resampling.BILINEAR)
        return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))

"""The numbers of the paper and the publishers, held against what was found."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from t2v.errors import FileError

MINIATURE = "miniature.json"
"""File in the folder of a miniature: what it is to hold instead, and the side of its images."""


def miniature(folder: Path) -> dict[str, Any]:
    """What a miniature says about itself, `counts` and `pixels`; empty for the real data set.

    Raises:
        FileError: if the file is damaged.
    """
    path = folder / MINIATURE
    if not path.exists():
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        return {"counts": dict(about["counts"]), "pixels": int(about["pixels"])}
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path}: damaged ({error!r}); make the miniature again") from None


def differences(library: str, counts: Mapping[str, int], folder: Path) -> list[str]:
    """Where a data set differs from what the paper and its publisher say, one line each.

    Args:
        library: name of the library.
        counts: the numbers that were found.
        folder: folder of the data set.
    """
    small = miniature(folder)
    if small:
        expected = [(what, count, "its miniature") for what, count in small["counts"].items()]
    else:
        expected = [
            (row["what"], int(row["count"]), row["source"])
            for row in _table()
            if row["library"] == library
        ]
    return [
        f"{what}: {counts.get(what, 0):,} here, {count:,} in the count of {source}"
        for what, count, source in expected
        if counts.get(what, 0) != count
    ]


def _table() -> list[dict[str, str]]:
    with (files("t2v.libraries.paper") / "counts.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))

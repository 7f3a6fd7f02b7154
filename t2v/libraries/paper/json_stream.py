"""Large JSON files read record by record, in memory that does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import ijson

from t2v.errors import FileError


def records(path: str | Path) -> Iterator[tuple[str, Any]]:
    """Every element of the lists in a JSON object, with the list's key, in the file's order.

    Values that are no lists are passed over; a file that is one list gives its elements with the
    key "".

    Args:
        path: a JSON file.

    Raises:
        FileError: if the file is missing, is no JSON, or ends in the middle.
    """
    try:
        with open(path, "rb") as file:
            yield from _elements(file)
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except (ijson.JSONError, ValueError) as error:  # ValueError: of the decoding of UTF-8
        why = " ".join(str(error).split())
        raise FileError(f"{path}: damaged, or no JSON ({why}); copy it again") from None


def _elements(file: IO[bytes]) -> Iterator[tuple[str, Any]]:
    key, element = "", None
    inside: list[str] = []  # containers that are open
    for event, value in ijson.basic_parse(file, use_float=True):
        starts, ends = event.startswith("start_"), event.startswith("end_")
        if ends:
            inside.pop()
        if event == "map_key" and inside == ["start_map"]:
            key = value
        in_list = inside in (["start_array"], ["start_map", "start_array"])
        if in_list and not ends and element is None:
            element = ijson.ObjectBuilder()
        if element is not None:
            element.event(event, value)
            if in_list and not starts:
                yield key, element.value
                element = None
        if starts:
            inside.append(event)

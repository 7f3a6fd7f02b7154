"""Tables with rows of several worlds, to which a later run adds rows made in the same way."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from t2v.book import tables


def continued(
    parser: argparse.ArgumentParser, path: Path | None, made: Mapping[str, str]
) -> tuple[list[pd.DataFrame], float]:
    """The rows of a table that is to be continued, and their computing time in seconds.

    The command ends with one line if the table was made in another way.

    Args:
        parser: parser of the command line, for that line.
        path: path of the table; `None`, or a table that does not exist: no rows.
        made: entries of the sidecar that must be those of the new rows.
    """
    if path is None or not path.exists():
        return [], 0.0
    frame = tables.read(path)
    note = frame.attrs["provenance"]
    differences = [f"{k} {note.get(k)}, not {v}" for k, v in made.items() if note.get(k) != v]
    if differences:
        parser.error(f"{path} cannot be continued, it was made with {'; '.join(differences)}")
    return [frame], note["seconds"]

"""Tables that grow world by world: a run that was stopped goes on, if it is the same run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from t2v.book import tables


def continued(
    parser: argparse.ArgumentParser, path: Path | None, made: Mapping[str, str]
) -> tuple[list[pd.DataFrame], float]:
    """The rows of the worlds that a table has already, and the seconds they took.

    Args:
        parser: to end with one line where the table was made otherwise.
        path: of the table; None, or not there yet: no rows.
        made: what its sidecar must say, because new rows are made so.
    """
    if path is None or not path.exists():
        return [], 0.0
    frame = tables.read(path)
    there = frame.attrs["provenance"]
    differs = [f"{k} {there.get(k)}, not {v}" for k, v in made.items() if there.get(k) != v]
    if differs:
        parser.error(f"{path} cannot be continued, it was made with {'; '.join(differs)}")
    return [frame], there["seconds"]

"""Compare the numbers of two builds: `python notebooks/builder/compare.py BEFORE AFTER`.

BEFORE and AFTER are folders `_build/<library>-<scale>`. Compared are the cells of all tables in
`results/` and all numbers that chapters glue into the text. Seconds are measured anew by every run:
columns whose sidecar gives the unit `s` are left out, and so are names that match `--ignore`.
The exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from pathlib import Path

import pandas as pd

TOLERANCE = 1e-9  # relative: the order of floating-point sums, no more


def main(arguments: list[str] | None = None) -> int:
    """Print every difference; 0 if there is none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rename", nargs="*", default=[], metavar="OLD=NEW", help="columns")
    parser.add_argument("--ignore", default="$^", help="names of numbers and tables (a regex)")
    given = parser.parse_args(arguments)
    renamed = dict(pair.split("=") for pair in given.rename)
    ignored = re.compile(given.ignore)
    differences, compared = [], 0
    for read in (glued, cells):
        before, after = read(given.before), read(given.after)
        before = {(a, renamed.get(b, b), c): v for (a, b, c), v in before.items()}
        for key in sorted({*before, *after}, key=str):
            if any(ignored.search(str(part)) for part in key):
                continue
            compared += 1
            old, new = before.get(key, "(not there)"), after.get(key, "(not there)")
            if not equal(old, new):
                differences.append(f"{': '.join(map(str, key))}: {old} -> {new}")
    print("\n".join([*differences, f"{compared} values compared, {len(differences)} differ"]))
    return 1 if differences else 0


def equal(old: object, new: object) -> bool:
    """The same text, or numbers that agree to `TOLERANCE`."""
    try:
        a, b = float(old), float(new)
    except (TypeError, ValueError):
        return str(old) == str(new)
    return math.isclose(a, b, rel_tol=TOLERANCE) or (math.isnan(a) and math.isnan(b))


def glued(build: Path) -> dict[tuple[str, str, int], str]:
    """(chapter, name, 0) to the text of every glued number."""
    found = {}
    for path in sorted((build / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                name = output.get("metadata", {}).get("scrapbook", {}).get("name")
                if name is not None:
                    text = next(
                        ("".join(v) for k, v in output["data"].items() if k.endswith("text/plain")),
                        "",
                    )
                    found[path.stem, name, 0] = text.strip("'\"")
    return found


def cells(build: Path) -> dict[tuple[str, str, int], object]:
    """(table, column, row) to the value of every cell that is no measured time."""
    found = {}
    for path in sorted((build / "results").glob("*.csv")):
        sidecar = path.with_suffix(".json")
        if not sidecar.exists():
            continue
        columns = json.loads(sidecar.read_text(encoding="utf-8"))["columns"]
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        for column in frame:
            if columns[column]["unit"] != "s":
                found |= {(path.name, column, row): v for row, v in enumerate(frame[column])}
    return found


if __name__ == "__main__":
    sys.exit(main())

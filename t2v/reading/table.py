"""Reading a table of images and their labels."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from t2v.errors import FileError, InputError
from t2v.reading.found import Found, check_no_splits, hints_of_names
from t2v.reading.groups import groups_by_pattern, numbered

SUFFIXES = (".csv", ".tsv", ".txt")
_DELIMITERS = (",", ";", "\t", "|")


def is_table(path: str | Path) -> bool:
    """Whether a path names a table, not a folder or an expert."""
    path = Path(path)
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def read_csv(
    path: str | Path, *, leave_out_missing: bool = False, groups: str | None = None
) -> Found:
    """Read a table with the columns `path` and `label`, one image per row.

    Columns are separated by commas, semicolons, tabs or bars. Paths are relative to the table's own
    folder, or absolute. Classes are the labels in alphabetical order.

    Args:
        path: the table.
        leave_out_missing: whether files that do not exist are left to the reading of the images,
            not refused.
        groups: column whose equal values name images that belong together; or a regular expression
            on the column `path`, see `scan_folder`.

    Raises:
        FileError: no such table, or a row names a file that does not exist.
        InputError: not a CSV in UTF-8, a column or value missing, no row, or a single class.
    """
    table = Path(path)
    if not table.is_file():
        raise FileError(f"{table}: no such file")
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            found = _rows(table, file.read(), leave_out_missing, groups)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{table}: not a CSV table in UTF-8 ({error}); save it as CSV UTF-8"
        ) from None
    return found


def _rows(table: Path, text: str, leave_out_missing: bool, groups: str | None) -> Found:
    delimiter, header = _header(table, text)
    reader = csv.DictReader(io.StringIO(text, newline=""), header, delimiter=delimiter)
    next(reader, None)
    paths: list[Path] = []
    names: list[str] = []
    keys: list[str] = []
    by_column = groups is not None and groups in header
    for row in reader:
        at = f"{table}, line {reader.line_num}"
        relative, name = (row["path"] or "").strip(), (row["label"] or "").strip()
        if not relative or not name:
            raise InputError(f"{at}: path or label is empty")
        image = table.parent / relative
        if not leave_out_missing and not _is_file(image):
            raise FileError(f"{at}: no such image: {relative}")
        paths.append(image)
        names.append(name)
        keys.append((row[groups] or "").strip() if by_column and groups is not None else "")
    classes = sorted(set(names))
    if len(classes) < 2:
        got = f"only {classes[0]!r}" if classes else "no row"
        raise InputError(f"{table}: a task needs two classes at least; found {got}")
    check_no_splits(table, classes, {})
    number = {name: k for k, name in enumerate(classes)}
    labels = [number[name] for name in names]
    return Found(
        where=table,
        paths=paths,
        labels=labels,
        classes=classes,
        groups=numbered(keys) if by_column else groups_by_pattern(paths, table.parent, groups),
        hints=[*hints_of_names(classes, {}), *_repeated(paths, labels)],
    )


def _header(table: Path, text: str) -> tuple[str, list[str]]:
    """The delimiter, and the names of the columns without spaces, `path` and `label` in small."""
    for delimiter in _DELIMITERS:
        first = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        names = [name.strip() for name in next(first, [])]
        names = [name.lower() if name.lower() in ("path", "label") else name for name in names]
        if {"path", "label"} <= set(names):
            return delimiter, names
    names = [name.strip() for name in next(csv.reader(io.StringIO(text, newline="")), [])]
    missing = [column for column in ("path", "label") if column not in names]
    raise InputError(
        f"{table}: no column {' or '.join(missing)}; found: {', '.join(names)}; the first line "
        "must name a column path and a column label"
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, or a zero byte in it
        return False


def _repeated(paths: Sequence[Path], labels: Sequence[int]) -> list[str]:
    """A sentence on rows that name the same file and label as another row, if there are any."""
    again = sum(count - 1 for count in Counter(zip(paths, labels, strict=True)).values())
    return [f"{again:,} rows repeat another row"] if again else []

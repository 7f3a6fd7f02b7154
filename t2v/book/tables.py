"""CSV result tables with a JSON provenance sidecar, verified by checksum when read.

The sidecar of `name.csv` is `name.json` with `command`, `commit`, `seed`, `seconds`, `device`,
`versions`, `inputs` (name, sha256, licence), `columns` (unit and meaning), `rows`, `limits` in
words, and `sha256` of the table.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from t2v._run.files import replacing, sha256_of
from t2v.errors import FileError, InputError

_PACKAGES = ("t2v", "numpy", "scipy", "scikit-learn", "pandas", "torch", "torchvision")


def write(
    frame: pd.DataFrame,
    path: str | Path,
    *,
    columns: Mapping[str, Mapping[str, str]],
    limits: str,
    seed: int | Sequence[int] | None = None,
    seconds: float | None = None,
    device: str | None = None,
    inputs: Sequence[Mapping[str, Any]] = (),
    command: str | None = None,
    **more: Any,
) -> Path:
    """Write a table and its sidecar, both or neither.

    Args:
        frame: one row per observation; its index is not written.
        path: path of the table, ending in `.csv`; the sidecar has the same name with `.json`.
        columns: `{"unit": ..., "meaning": ...}` for every column of the frame.
        limits: what the numbers do not show, in words for the reader.
        seed: seed or seeds of all random numbers.
        seconds: computing time in seconds.
        device: device of the computation; `None`: "cpu".
        inputs: files and data the table depends on: `name`, `licence`, and `sha256` or the `path`
            of a file (whose sha256 is noted instead of the path).
        command: command that makes the table; `None`: the running one.
        **more: further entries of the sidecar, e.g. `source="Fig. 6"`; must be JSON.

    Returns:
        The path of the table.

    Raises:
        InputError: if a column is not described, or a described one is missing; if limits are
            empty; if an input has no name, licence or checksum.
    """
    path = Path(path)
    if path.suffix != ".csv":
        raise InputError(f"{path}: a table's name ends in .csv")
    _check_columns(frame, columns, path)
    if not limits.strip():
        raise InputError(f"{path.name}: limits is empty; say what the numbers do not show")
    content = frame.to_csv(index=False, lineterminator="\n").encode()
    note = {
        "command": command or _running_command(),
        "commit": commit(),
        "seed": seed,
        "seconds": None if seconds is None else round(float(seconds), 1),
        "device": device or "cpu",
        "versions": _versions(),
        "inputs": [_input(entry, path) for entry in inputs],
        **more,
        "limits": limits,
        "rows": len(frame),
        "columns": {name: dict(columns[name]) for name in frame.columns},
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    sidecar = (json.dumps(note, indent=1, ensure_ascii=False) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    # if the process is killed between the two, the pair disagrees and `read` refuses it
    with replacing(path) as table, replacing(path.with_suffix(".json")) as beside:
        table.write_bytes(content)
        beside.write_bytes(sidecar)
    return path


def read(path: str | Path) -> pd.DataFrame:
    """Read a table and check it against its sidecar.

    Args:
        path: path of the `.csv` file.

    Returns:
        The table; `.attrs["provenance"]` is the sidecar as a dictionary.

    Raises:
        FileError: if one of the files is missing or unreadable, or the table has been changed.
    """
    path = Path(path)
    note = provenance(path)
    content = path.read_bytes()
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != note["sha256"]:
        raise FileError(
            f"{path}: sha256 {checksum[:12]}… is not the {note['sha256'][:12]}… of its sidecar: "
            f"the table was changed by hand or half written; make it again: {note['command']}"
        )
    frame = pd.read_csv(path)
    frame.attrs["provenance"] = note
    return frame


def as_markdown(path: str | Path, title: str) -> str:
    """A table as Markdown: title, rows and limits; for a missing table, one line that says so.

    Args:
        path: path of the `.csv` file.
        title: what the table shows, on which images.

    Raises:
        FileError: if the table has been changed, or its sidecar is missing or unreadable.
    """
    path = Path(path)
    if not path.exists():
        return f"No table `{path.stem}` is kept of `{path.parent.name}`: `make results` makes it."
    frame = read(path)
    cells = frame.astype(object).where(frame.notna(), "–")
    rows = [frame.columns, ["---"] * frame.shape[1], *cells.itertuples(index=False)]
    body = "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)
    return f"{title}:\n\n{body}\n\n{frame.attrs['provenance']['limits']}"


def provenance(path: str | Path) -> dict[str, Any]:
    """The sidecar of a table.

    Args:
        path: path of the `.csv` file.

    Returns:
        The entries that `write` noted, by name.

    Raises:
        FileError: if the table or its sidecar is missing, or the sidecar is damaged.
    """
    path = Path(path)
    sidecar = path.with_suffix(".json")
    for file in (path, sidecar):
        if not file.is_file():
            raise FileError(f"{file}: not found; a table needs its .csv and its .json")
    try:
        note = json.loads(sidecar.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FileError(f"{sidecar}: not a sidecar ({error}); make the table again") from None
    missing = {"sha256", "command", "columns", "limits"} - set(note)
    if missing:
        raise FileError(f"{sidecar}: has no {', '.join(sorted(missing))}; make the table again")
    return note


def _check_columns(
    frame: pd.DataFrame, columns: Mapping[str, Mapping[str, str]], path: Path
) -> None:
    undescribed = [str(c) for c in frame.columns if c not in columns]
    absent = [c for c in columns if c not in frame.columns]
    if undescribed or absent:
        raise InputError(
            f"{path.name}: columns not described: {undescribed}; described but absent: {absent}"
        )
    for name in frame.columns:
        if set(columns[name]) != {"unit", "meaning"} or not columns[name]["meaning"]:
            raise InputError(f"{path.name}: column {name!r} needs a unit (may be '') and a meaning")


def _input(entry: Mapping[str, Any], table: Path) -> dict[str, Any]:
    noted = {key: value for key, value in entry.items() if key != "path"}
    if "path" in entry:
        noted["sha256"] = sha256_of(entry["path"])
    for key in ("name", "sha256", "licence"):
        if not noted.get(key):
            raise InputError(f"{table.name}: input {entry.get('name', entry)!r} has no {key}")
    return noted


def _running_command() -> str:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if "ipykernel" in sys.modules:
        return "make book"
    if spec is not None:
        return " ".join(["python -m", spec.name.removesuffix(".__main__"), *sys.argv[1:]])
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def commit() -> str | None:
    """The commit of this checkout, with `+` if files differ from it; `None` outside git.

    The tables in `book/results` do not count as differences: a run writes them.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    git = ["git", "-C", str(root)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
    if head.returncode:
        return None
    diff = [*git, "diff", "--quiet", "HEAD", "--", ".", ":(exclude)book/results"]
    return head.stdout.strip() + ("+" if subprocess.run(diff).returncode else "")


def _versions() -> dict[str, str]:
    installed = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[package] = metadata.version(package)
    return installed

"""Tables of results, each beside a note of how it was made; a changed table is refused.

A table is `name.csv`; its note, the sidecar, `name.json` with: `command`, `commit`, `seed`,
`seconds`, `device`, `versions`, `inputs` (name, sha256, licence), `columns` (unit and meaning),
`rows`, `limits` in words, and `sha256` of the table.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

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
        path: of the `.csv`; the sidecar takes the same name with `.json`.
        columns: for every column of the frame `{"unit": ..., "meaning": ...}`.
        limits: what the numbers do not show, in words for the reader.
        seed: of everything random in it.
        seconds: how long it took.
        device: on which it was computed; `None`: "cpu".
        inputs: files and data it was made from: `name`, `licence`, and `sha256` or a `path` whose
            sha256 is taken (the path itself is not kept).
        command: that makes it again; `None`: the one now running.
        **more: anything else worth knowing, e.g. `source="Fig. 6"`; must be JSON.

    Returns:
        The path of the table.

    Raises:
        InputError: if a column is not described, or a described one is missing; if limits are
            empty; if an input lacks name, licence or checksum.
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
        "inputs": [_input(given, path) for given in inputs],
        **more,
        "limits": limits,
        "rows": len(frame),
        "columns": {name: dict(columns[name]) for name in frame.columns},
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    sidecar = (json.dumps(note, indent=1, ensure_ascii=False) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    drafts = []
    try:
        for target, data in ((path, content), (path.with_suffix(".json"), sidecar)):
            drafts.append((target.with_name(f".{target.name}.{os.getpid()}.part"), target))
            drafts[-1][0].write_bytes(data)
        # killed between the two, the pair disagrees and `read` refuses it
        for draft, target in drafts:
            os.replace(draft, target)
    finally:
        for draft, _ in drafts:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
    return path


def read(path: str | Path) -> pd.DataFrame:
    """Read a table and check it against its sidecar.

    Args:
        path: of the `.csv`.

    Returns:
        The table; `.attrs["provenance"]` is the sidecar as a dictionary.

    Raises:
        FileError: if either file is missing or unreadable, or the table is not the one that was
            written.
    """
    path = Path(path)
    note = provenance(path)
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != note["sha256"]:
        raise FileError(
            f"{path}: sha256 {found[:12]}… is not the {note['sha256'][:12]}… of its sidecar: the "
            f"table was changed by hand or half written; make it again: {note['command']}"
        )
    frame = pd.read_csv(path)
    frame.attrs["provenance"] = note
    return frame


def as_markdown(path: str | Path, title: str) -> str:
    """A kept table for a page: title, rows and limits, or one line that says it is not there.

    Args:
        path: of the `.csv`.
        title: what it shows, on which images.

    Raises:
        FileError: see `read`; a missing table is none.
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
        path: of the `.csv`.

    Returns:
        What `write` noted.

    Raises:
        FileError: if the table or its sidecar is missing, or the sidecar is not one.
    """
    path = Path(path)
    sidecar = path.with_suffix(".json")
    for needed in (path, sidecar):
        if not needed.is_file():
            raise FileError(f"{needed}: not found; a table needs its .csv and its .json")
    try:
        note = json.loads(sidecar.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FileError(f"{sidecar}: not a sidecar ({error}); make the table again") from None
    missing = {"sha256", "command", "columns", "limits"} - set(note)
    if missing:
        raise FileError(f"{sidecar}: lacks {', '.join(sorted(missing))}; make the table again")
    return note


def sha256(path: str | Path) -> str:
    """Checksum of a file, in hexadecimal."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        for block in iter(lambda: file.read(2**20), b""):
            digest.update(block)
    return digest.hexdigest()


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


def _input(given: Mapping[str, Any], path: Path) -> dict[str, Any]:
    kept = {key: value for key, value in given.items() if key != "path"}
    if "path" in given:
        kept["sha256"] = sha256(given["path"])
    for key in ("name", "sha256", "licence"):
        if not kept.get(key):
            raise InputError(f"{path.name}: input {given.get('name', given)!r} lacks its {key}")
    return kept


def _running_command() -> str:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if "ipykernel" in sys.modules:
        return "make book"
    if spec is not None:
        return " ".join(["python -m", spec.name.removesuffix(".__main__"), *sys.argv[1:]])
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def commit() -> str | None:
    """The commit of this checkout, `+` where files differ from it; nothing outside git.

    Kept tables do not count: a run writes them while it goes on.
    """
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    git = ["git", "-C", str(here)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
    differ = [*git, "diff", "--quiet", "HEAD", "--", ".", ":(exclude)book/results"]
    if head.returncode:
        return None
    return head.stdout.strip() + ("+" if subprocess.run(differ).returncode else "")


def _versions() -> dict[str, str]:
    installed = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[package] = metadata.version(package)
    return installed

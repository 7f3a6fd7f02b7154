"""The tables that a run keeps under `book/results`, each with how it was made."""

from __future__ import annotations

import json
from pathlib import Path

from builder.chapters import BuildError, Run, chapters, stamp_of, write_whole


def keep(run: Run, chapter: Path) -> Path:
    """Copy a chapter's tables to `book/results`, in place of those from its earlier runs.

    The sidecars are those of the chapter, with what only the builder knows: the command, which
    chapter, and how long that took. Tables of chapters that are no longer in the book are removed.

    Returns:
        The folder of the tables.

    Raises:
        BuildError: if a table has no sidecar.
    """
    target = kept_at(run)
    stamp, texts = stamp_of(run, chapter.stem), {}
    for name in stamp["made"]:
        table = run.out / name
        if table.suffix != ".csv":
            continue
        if not table.with_suffix(".json").exists():
            raise BuildError(f"{name} of {chapter.stem} has no sidecar: see t2v.book.tables.write")
        note = json.loads(table.with_suffix(".json").read_text())
        note["command"] = command_of(run)
        note["chapter"] = str(chapter.relative_to(run.root))
        note["seconds"] = note.get("seconds") or stamp["seconds"]
        note["seed"] = run.seed if note.get("seed") is None else note["seed"]
        texts[table.name] = table.read_text()
        texts[table.with_suffix(".json").name] = json.dumps(note, indent=1, ensure_ascii=False)
    target.mkdir(parents=True, exist_ok=True)
    others = {str(path.relative_to(run.root)) for path in chapters(run.root) if path != chapter}
    for sidecar in target.glob("*.json"):
        maker = json.loads(sidecar.read_text()).get("chapter")
        if maker is not None and maker not in others:  # tables without one: of data_scripts
            sidecar.unlink()
            sidecar.with_suffix(".csv").unlink(missing_ok=True)
    for name, text in texts.items():
        write_whole(target / name, text if text.endswith("\n") else text + "\n")
    return target


def kept_at(run: Run) -> Path:
    """The folder of the kept tables of a run."""
    device = "" if run.device in ("auto", "cpu") else f"-{run.device}"
    return run.root / "book" / "results" / f"{run.name}{device}"


def command_of(run: Run) -> str:
    """The command that makes and keeps the tables of a run again."""
    options = {"LIBRARY": run.library, "SCALE": run.scale}
    options |= {"SEED": run.seed} if run.seed else {}
    options |= {"DEVICE": run.device} if run.device != "auto" else {}
    return " ".join(["make results", *(f"{name}={value}" for name, value in options.items())])

"""Run the chapters of the book, those that are stale, and note what each one made."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

from t2v._run.files import replacing

ROOT = Path(__file__).resolve().parents[2]
INDEX_SUFFIXES = (".csv", ".json", ".txt")  # hashed by content; photographs by path and size


class BuildError(Exception):
    """What went wrong, in the words the reader of the console needs."""


@dataclass(frozen=True)
class Run:
    """One library at one scale: where it is built and with which parameters."""

    library: str
    scale: str
    seed: int = 0
    device: str = "auto"
    root: Path = ROOT
    place: Path | None = None  # of the paper's data sets, if not data/

    @property
    def name(self) -> str:
        """`<library>-<scale>`, the folder below `_build`."""
        return f"{self.library}-{self.scale}"

    @property
    def out(self) -> Path:
        """Where everything of this run is made."""
        return self.root / "_build" / self.name

    @property
    def data(self) -> Path | None:
        """Folder of the photographs; None for a library that is rendered."""
        if self.library == "paper":
            return (self.place or self.root / "data").resolve()
        return self.root / "data" if self.library == "real" else None

    @property
    def weights(self) -> Path | None:
        """Folder of the weights of probes that are not in the package."""
        folder = os.environ.get("T2V_WEIGHTS")
        return Path(folder) if folder and self.library in ("real", "paper") else None

    @property
    def parameters(self) -> dict[str, object]:
        """What papermill injects; paths are seen from the folder in which chapters run."""
        here = self.out / "notebooks"
        data = None if self.data is None else os.path.relpath(self.data, here)
        return {
            "library": self.library,
            "scale": self.scale,
            "seed": self.seed,
            "device": self.device,
            "data": data,
            "results": "../results",
        }


def files_below(*places: Path) -> Iterator[Path]:
    """Files of the given files and folders, sorted; hidden and compiled ones are left out."""
    for place in places:
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        for path in found:
            parts = path.relative_to(place).parts
            if path.is_file() and not any(p.startswith((".", "__pycache__")) for p in parts):
                yield path


def content_hash(root: Path, paths: Iterable[Path], extra: object = None) -> str:
    """sha256 of names and contents of files, and of anything that json can write."""
    digest = hashlib.sha256(json.dumps(extra, sort_keys=True).encode())
    for path in paths:
        digest.update(f"\n{path.relative_to(root)}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def data_listing(*places: Path | None) -> list[list[object]]:
    """Photographs and weights on disk: the path and size of each, indexes by their content."""
    listing: list[list[object]] = []
    for place in places:
        for path in files_below(place) if place and place.is_dir() else ():
            is_index = path.suffix in INDEX_SUFFIXES
            mark = (
                hashlib.sha256(path.read_bytes()).hexdigest() if is_index else path.stat().st_size
            )
            listing.append([str(path.relative_to(place)), mark])
    return listing


def toc_pages(root: Path) -> list[str]:
    """The pages of `_toc.yml` in their order, without suffix."""
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    pages = [toc["root"]]

    def walk(entry: dict) -> None:
        if "file" in entry:
            pages.append(entry["file"])
        for key in ("parts", "chapters", "sections"):
            for child in entry.get(key, []):
                walk(child)

    walk(toc)
    return pages


def chapters(root: Path) -> list[Path]:
    """The notebooks of `_toc.yml`, in the order in which they are run."""
    found = [root / f"{page}.ipynb" for page in toc_pages(root) if page.startswith("notebooks/")]
    missing = [path for path in found if not path.exists()]
    if missing:
        raise BuildError(f"_toc.yml names {missing[0].relative_to(root)}, which does not exist")
    return found


def run_chapters(
    run: Run, only: Iterable[str] = (), after: Callable[[Path], None] | None = None
) -> None:
    """Runs the chapters that are stale, one after the other, and notes how long they took.

    Args:
        run: which library and scale.
        only: beginnings of names ("09", "11_figure"); none: all chapters.
        after: called with each chapter when its results are there.

    Raises:
        BuildError: if a chapter fails, or none begins with one of the names.
    """
    common = {
        "parameters": run.parameters,
        "python": sys.version,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "data": data_listing(run.data, run.weights),
    }
    shared = [
        *files_below(run.root / "t2v"),
        *(path for path in [run.root / "requirements.lock"] if path.exists()),
        *files_below(run.out / "book" / "paper", run.out / "book" / "results"),
    ]
    base = content_hash(run.root, shared, common)
    book = chapters(run.root)
    todo = [path for path in book if path.stem.startswith(tuple(only) or "")]
    if unknown := [name for name in only if not any(p.stem.startswith(name) for p in todo)]:
        raise BuildError(f"no chapter begins with {', '.join(unknown)}: see notebooks/")
    for folder in ("notebooks", "results", ".stamps"):
        (run.out / folder).mkdir(parents=True, exist_ok=True)
    for old in (run.out / "notebooks").glob("*.ipynb"):
        if old.name not in {path.name for path in book}:
            _forget(run, old.stem)
    for number, path in enumerate(todo, 1):
        key = content_hash(run.root, [path], base)
        label = f"[{number}/{len(todo)}] {path.relative_to(run.root)}"
        if (
            stamp_of(run, path.stem).get("key") == key
            and (run.out / "notebooks" / path.name).exists()
        ):
            print(f"{label}: unchanged", flush=True)
        else:
            print(f"{label} ({run.name}) ...", flush=True)
            seconds = _run_anew(run, path, key)
            print(f"{label}: {seconds:.0f} s", flush=True)
        if after is not None:
            after(path)
    _write_times(run, book)


def _run_anew(run: Run, path: Path, key: str) -> float:
    """Seconds that the chapter took; its stamp tells what it made."""
    _forget(run, path.stem)
    started = time.time()
    run_chapter(run, path)
    seconds = time.time() - started
    tables = [
        str(p.relative_to(run.out))
        for p in files_below(run.out / "results")
        if p.stat().st_mtime >= started - 1
    ]
    stamp = {"key": key, "seconds": round(seconds, 1), "made": tables}
    write_whole(run.out / ".stamps" / f"{path.stem}.json", json.dumps(stamp))
    return seconds


def run_chapter(run: Run, path: Path) -> None:
    """Runs one notebook; on success the tidied result takes its place in `notebooks/`.

    Raises:
        BuildError: naming chapter, cell and line, with the traceback.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    draft = run.out / ".draft" / path.name
    draft.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            path,
            draft,
            parameters=run.parameters,
            kernel_name="python3",
            language="python",
            extra_arguments=["--IPKernelApp.log_level=40"],  # else it warns of loopback TCP
            cwd=run.out / "notebooks",
            progress_bar=sys.stderr.isatty(),
        )
    except PapermillExecutionError as error:
        trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
        raise BuildError(
            f"{path.relative_to(run.root)}, cell [{error.exec_count}] failed:\n\n{error.source}\n\n"
            f"{trace}\n\nas far as it ran: {draft.relative_to(run.root)}"
        ) from None
    notebook = nbformat.read(draft, as_version=4)
    for cell, text in tidy(notebook, run.parameters):
        print(f"  {path.stem}, cell [{cell}] wrote to stderr: {text.strip()}", file=sys.stderr)
    write_whole(run.out / "notebooks" / path.name, nbformat.writes(notebook))
    draft.unlink()


def tidy(
    notebook: nbformat.NotebookNode, parameters: dict[str, object]
) -> list[tuple[int | None, str]]:
    """Makes an executed notebook fit to be a page.

    The values that were injected are shown in the chapter's own parameters cell, where a reader
    looks for them; paths keep their defaults. Times, file names and stderr are taken out.

    Returns:
        What was taken out of stderr: number of the cell, text.
    """
    said = []
    notebook.cells = [
        c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])
    ]
    shown = {k: v for k, v in parameters.items() if k not in ("data", "results")}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = with_values(cell.source, shown)
        for noise in ("papermill", "execution"):
            cell.metadata.pop(noise, None)
        stderr = [o for o in cell.outputs if o.get("name") == "stderr"]
        said += [(cell.execution_count, o.text) for o in stderr]
        cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        for output in cell.outputs:
            if "scrapbook" in output.get("metadata", {}):
                plain_numbers(output.data)
    notebook.metadata.pop("papermill", None)
    return said


def plain_numbers(data: dict[str, str]) -> None:
    """Writes a glued `np.float64(0.5)` as `0.5`, which the role that chooses digits can read."""
    for mime, text in data.items():
        if isinstance(text, str) and (found := re.fullmatch(r"np\.\w+\((.+)\)", text)):
            data[mime] = found[1]


def with_values(source: str, values: dict[str, object]) -> str:
    """The source of a parameters cell with other values; comments and order stay.

    Raises:
        BuildError: if one of the parameters is not assigned there.
    """
    lines = source.split("\n")
    seen = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in values:
                seen.add(name)
                line, value = lines[node.lineno - 1], node.value
                text = json.dumps(values[name]) if isinstance(values[name], str) else values[name]
                lines[node.lineno - 1] = (
                    f"{line[: value.col_offset]}{text}{line[value.end_col_offset :]}"
                )
    if missing := set(values) - seen:
        raise BuildError(f"the parameters cell does not set {', '.join(sorted(missing))}")
    return "\n".join(lines)


def stamp_of(run: Run, stem: str) -> dict:
    """What is known of a chapter's last run: `key`, `seconds`, `made`; empty if there was none."""
    path = run.out / ".stamps" / f"{stem}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _forget(run: Run, stem: str) -> None:
    """Removes what a chapter made, so that nothing of an older version is ever shown."""
    for name in stamp_of(run, stem).get("made", []):
        (run.out / name).unlink(missing_ok=True)
    (run.out / "notebooks" / f"{stem}.ipynb").unlink(missing_ok=True)
    (run.out / ".stamps" / f"{stem}.json").unlink(missing_ok=True)


def _write_times(run: Run, todo: list[Path]) -> None:
    rows = ["chapter,seconds"]
    stamps = {path.stem: stamp_of(run, path.stem) for path in todo}
    rows += [f"{name},{stamp['seconds']:.0f}" for name, stamp in stamps.items() if stamp]
    write_whole(run.out / "results" / "chapter_times.csv", "\n".join(rows) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all."""
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")

"""Fetch photographs: `python -m data_scripts.fetch NAME... --to DIR [--mirror PLACE]`.

Each set becomes a folder:

    DIR/NAME/images/<label>/<file>   as published
    DIR/NAME/index.csv               path, label, bytes, and attributes where there are some
    DIR/NAME/source.json             source, licence, credit, archives with sha256, counts

It appears whole or not at all; a set that is complete already is left alone. The paper's own data
sets keep their publishers' layout, see `data_scripts.photographs.official`.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from data_scripts.photographs import unpack
from data_scripts.photographs.download import bring
from data_scripts.photographs.draft import Draft, is_whole
from data_scripts.photographs.official import OFFICIAL, fetch_official
from data_scripts.photographs.sources import SOURCES, Archive, Source
from t2v._run.files import sha256_of
from t2v.errors import FileError, InputError

Table = dict[str, dict[str, str]]


def fetch(
    name: str,
    to: Path,
    mirror: str | None = None,
    progress: Progress | None = None,
    **options: float,
) -> tuple[Path, bool]:
    """Fetch one set of photographs into `to/name`.

    Args:
        name: one of `SOURCES`.
        to: folder of all sets.
        mirror: folder or http(s) address with `<mirror>.tar` and its manifest, instead of the
            publisher.
        progress: running progress display, if any.
        options: options of `download.Resuming`.

    Returns:
        The folder of the set, and whether anything had to be done.

    Raises:
        InputError: for an unknown name.
        FileError: if network, checksum, archive or disk fails; nothing half-written stays but the
            part of a download that can be resumed.
    """
    if name not in SOURCES:
        names = ", ".join((*SOURCES, *OFFICIAL))
        raise InputError(f"no data set {name!r}: choose among {names}, all")
    source, folder = SOURCES[name], Path(to) / name
    origin = "mirror" if mirror else "publisher"
    if is_whole(folder, origin):
        return folder, False
    downloads = Path(to) / ".download" / name

    def get(url: str, file: str, known: str | None) -> Path:
        return bring(url, downloads, file, known, progress, **options)

    with _errors_of(folder), Draft(folder) as draft:
        if mirror:
            _from_mirror(source, str(mirror), get, downloads, draft, progress)
        else:
            _from_publisher(source, get, downloads, draft, progress)
        draft.finish(source, origin)
    shutil.rmtree(downloads, ignore_errors=True)
    if downloads.parent.is_dir() and not any(downloads.parent.iterdir()):
        downloads.parent.rmdir()
    return folder, True


def _from_publisher(source: Source, get, downloads: Path, draft: Draft, progress) -> None:
    paths = [get(archive.url, archive.file, archive.hash) for archive in source.archives]
    with _discarding_on_error(downloads):
        for archive, path in zip(source.archives, paths, strict=True):
            draft.archives.append({"url": archive.url, "sha256": sha256_of(path)})
            _unpack(archive, source.label_column, path, draft, progress)
        if source.images not in (None, len(draft.rows)):
            raise FileError(
                f"{source.archives[0].url}: {len(draft.rows)} images where {source.images} were "
                "expected: truncated, or the publisher changed it"
            )


def _from_mirror(source: Source, mirror: str, get, downloads: Path, draft: Draft, progress) -> None:
    def take(file: str, known: str | None = None) -> Path:
        if re.match(r"https?://", mirror):
            return get(f"{mirror.rstrip('/')}/{file}", file, known)
        path = Path(mirror) / file
        if not path.is_file():
            raise FileError(f"{path}: no such file; is {mirror} a mirror folder?")
        return path

    about = take(f"{source.mirror}.manifest.json")
    with _discarding_on_error(downloads):
        try:
            manifest = json.loads(about.read_text(encoding="utf-8"))
            wanted, count, file = manifest["sha256"], manifest["images"], manifest["archive"]
        except (ValueError, KeyError, TypeError) as error:
            raise FileError(f"{about}: not a manifest ({error!r})") from error
    table = take(f"{source.mirror}.csv") if source.label_column else None
    tar = take(file, f"sha256:{wanted}")
    with _discarding_on_error(downloads):
        actual = sha256_of(tar)
        if actual != wanted:
            raise FileError(
                f"{tar}: sha256 {actual[:16]}... where its manifest says {wanted[:16]}...: "
                "truncated or changed; copy it again"
            )
        origin = manifest.get("source_repo", "")
        draft.archives.append({"file": file, "sha256": actual, "from": origin})
        draft.changed = manifest.get("what_was_changed", "")
        flat = Archive("", file, None, r"(?P<label>[^/]+)/(?P<file>[^/]+)")
        _unpack(flat, None, tar, draft, progress)
        if len(draft.rows) != count:
            raise FileError(f"{tar}: {len(draft.rows)} images where its manifest says {count}")
        if table:
            attributes = _table(table.read_bytes(), "path", str(table))
            for row in draft.rows:
                path = row["path"].removeprefix("images/")
                if path not in attributes:
                    raise FileError(f"{table}: no row for {path}")
                draft.describe(row, attributes[path])


def _unpack(archive: Archive, label_column: str | None, path: Path, draft: Draft, progress) -> None:
    """Add the images of one archive to the draft, with their labels and attributes."""
    bar = progress and progress.add_task(f"unpack {path.name}", total=None)
    loose: list[Path] = []  # images whose label is in a table that may still come
    table: Table = {}

    def image(name: str, stream: IO[bytes]) -> None:
        match = re.fullmatch(archive.images, name)
        if not match:
            return
        if archive.table:
            loose.append(draft.extract(stream, match["file"], path))
        elif label := _label(archive, match["label"]):
            draft.add(draft.extract(stream, "image", path), label, match["file"], {})

    for name, stream in unpack.members(path):
        if archive.inner and re.fullmatch(archive.inner, name):
            inner = draft.extract(stream, "inner.archive", path)
            for inner_name, inner_stream in unpack.members(inner):
                image(inner_name, inner_stream)
            inner.unlink()
        elif archive.table and re.fullmatch(archive.table[0], name):
            table = _table(unpack.read(stream, path), archive.table[1], f"{path.name}:{name}")
        else:
            image(name, stream)
        if bar is not None:
            progress.update(bar, completed=len(draft.rows) + len(loose))
    for scratch in loose:
        attributes = table.get(scratch.stem, {})
        if label := _label(archive, attributes.get(label_column or "", "")):
            draft.add(scratch, label, scratch.name, attributes)
    if not draft.rows:
        raise FileError(f"{path}: no image found in it; is it the right archive?")


def _label(archive: Archive, label: str) -> str | None:
    """Our label for a label of the publisher; None or "" for an image that is left out."""
    return archive.labels(label) if label and archive.labels else label


def _table(raw: bytes, key: str, where: str) -> Table:
    """Rows of a CSV table by column `key`; cells beyond the header (commas in a title) are dropped.

    Args:
        raw: bytes of the file.
        key: name of the column.
        where: place of the file, for messages.
    """
    reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), restkey="")
    if key not in (reader.fieldnames or []):
        raise FileError(f"{where}: no column {key}")
    return {row[key]: {k: (v or "") for k, v in row.items() if k} for row in reader if row.get(key)}


@contextmanager
def _discarding_on_error(downloads: Path) -> Iterator[None]:
    """Remove the downloads if they prove useless, so that the next run does not take them again."""
    try:
        yield
    except OSError:
        shutil.rmtree(downloads, ignore_errors=True)
        raise


@contextmanager
def _errors_of(folder: Path) -> Iterator[None]:
    """Errors of the operating system as `FileError`."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else str(error)
        raise FileError(f"{folder}: {reason}; nothing was kept") from error


app = typer.Typer(add_completion=False)


@app.command()
def main(
    names: Annotated[
        list[str],
        typer.Argument(help=f"{', '.join(SOURCES)}, or all; {', '.join(OFFICIAL)}: the paper's"),
    ],
    to: Annotated[Path, typer.Option(help="folder of all sets")] = Path("data"),
    mirror: Annotated[
        str | None, typer.Option(help="folder or address with the .tar archives and manifests")
    ] = None,
) -> None:
    """Fetch photographs, check them, unpack them, and print the terms they come under."""
    console = Console(stderr=True)
    quiet = not console.is_terminal
    wanted = list(SOURCES) if "all" in names else names
    try:
        for name in wanted:
            if name in OFFICIAL:
                _fetch_official(name, to, console)
                continue
            with Progress(console=console, transient=True, disable=quiet) as progress:
                folder, done = fetch(name, to, mirror, progress)
            about = json.loads((folder / "source.json").read_text(encoding="utf-8"))
            print(f"{folder}: {about['images']} images, {about['labels']} labels", end="")
            print("" if done else " (there already)")
            print(f"  licence: {about['licence']}\n  credit: {about['credit']}")
            print(f"  may be shown in published pages: {about['pictures_allowed']}")
            unchecked = [a["url"] for a in about["archives"] if _unchecked(name, a)]
            for url in unchecked:
                print(f"  no checksum is published for {url}; its sha256 is in source.json")
    except (InputError, FileError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def _fetch_official(name: str, to: Path, console: Console) -> None:
    official = OFFICIAL[name]
    print(f"{official.title}\n  licence: {official.licence}\n  page: {official.page}", flush=True)
    unchecked = [file.url for file in official.files if file.hash is None]
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        folder, differing = fetch_official(name, to, progress)
    for url in unchecked:
        print(f"  no checksum is published for {url}")
    print(f"{folder}: {'some counts differ' if differing else 'all counts as expected'}")
    for line in differing:
        print(f"  {line}")


def _unchecked(name: str, archive: dict[str, str]) -> bool:
    return any(a.url == archive.get("url") and a.hash is None for a in SOURCES[name].archives)


if __name__ == "__main__":
    app()

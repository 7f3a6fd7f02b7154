"""Fetch photographs: `python -m data_scripts.fetch NAME... --to DIR [--mirror PLACE]`.

Each set ends as a folder of its own:

    DIR/NAME/images/<label>/<file>   as published
    DIR/NAME/index.csv               path, label, bytes, and attributes where there are some
    DIR/NAME/source.json             source, licence, credit, archives with sha256, counts

It appears whole or not at all; a set that is there already is left alone.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from data_scripts import unpack
from data_scripts.download import bring
from data_scripts.sources import SOURCES, Archive, Source
from t2v.errors import FileError, InputError


def fetch(
    name: str,
    to: Path,
    mirror: str | None = None,
    progress: Progress | None = None,
    **options: float,
) -> tuple[Path, bool]:
    """Bring one set of photographs into `to/name`.

    Args:
        name: one of `SOURCES`.
        to: folder of all sets.
        mirror: folder or http(s) address with `<mirror>.tar` and its manifest, instead of the
            publisher.
        progress: a running progress display.
        options: for `download.Resuming`.

    Returns:
        The set's folder, and whether anything had to be done.

    Raises:
        InputError: unknown name.
        FileError: network, checksum, archive or disk; nothing half-written stays but the part of a
            download that can be resumed.
    """
    if name not in SOURCES:
        raise InputError(f"no data set {name!r}: choose among {', '.join(SOURCES)}, all")
    source, folder = SOURCES[name], Path(to) / name
    origin = "mirror" if mirror else "publisher"
    if _is_whole(folder, origin):
        return folder, False
    downloads = Path(to) / ".download" / name
    with _full_disk(folder):
        Path(to).mkdir(parents=True, exist_ok=True)
        # leading dot and one file system: half a set is never taken for one, the rename is atomic
        new = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=to))
        try:
            take = _from_mirror if mirror else _from_publisher
            place = str(mirror) if mirror else ""
            facts = take(source, new, downloads, place, progress, options)
            _write_facts(new, name, source, origin, facts)
            _put(new, folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(downloads, ignore_errors=True)
    if downloads.parent.is_dir() and not any(downloads.parent.iterdir()):
        downloads.parent.rmdir()
    return folder, True


@dataclass
class _Facts:
    """What unpacking found."""

    rows: list[dict[str, str]] = field(default_factory=list)
    archives: list[dict[str, str]] = field(default_factory=list)
    changed: str = "nothing: the images are the publisher's"


def _from_publisher(source, new, downloads, place, progress, options) -> _Facts:
    paths = [
        bring(archive.url, downloads, archive.file, archive.hash, progress, **options)
        for archive in source.archives
    ]
    facts = _Facts()
    with _discarding(downloads):
        for archive, path in zip(source.archives, paths, strict=True):
            facts.archives.append({"url": archive.url, "sha256": _sha256(path)})
            _unpack(archive, source, path, new, facts, progress)
        if source.images not in (None, len(facts.rows)):
            raise FileError(
                f"{source.archives[0].url}: {len(facts.rows)} images where {source.images} were "
                "expected: truncated, or the publisher changed it"
            )
    return facts


def _from_mirror(source, new, downloads, place, progress, options) -> _Facts:
    def get(file: str, known: str | None = None) -> Path:
        if re.match(r"https?://", place):
            return bring(f"{place.rstrip('/')}/{file}", downloads, file, known, progress, **options)
        path = Path(place) / file
        if not path.is_file():
            raise FileError(f"{path}: no such file; is {place} a mirror folder?")
        return path

    with _discarding(downloads):
        path = get(f"{source.mirror}.manifest.json")
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            wanted, count, file = manifest["sha256"], manifest["images"], manifest["archive"]
        except (ValueError, KeyError, TypeError) as error:
            raise FileError(f"{path}: not a manifest ({error!r})") from error
    table_path = get(f"{source.mirror}.csv") if source.label_column else None
    tar = get(file, f"sha256:{wanted}")
    with _discarding(downloads):
        found = _sha256(tar)
        if found != wanted:
            raise FileError(
                f"{tar}: sha256 {found[:16]}... where its manifest says {wanted[:16]}...: "
                "truncated or changed; copy it again"
            )
        facts = _Facts(
            archives=[{"file": file, "sha256": found, "from": manifest.get("source_repo", "")}],
            changed=manifest.get("what_was_changed", ""),
        )
        flat = Archive("", file, None, r"(?P<label>[^/]+)/(?P<file>[^/]+)")
        _unpack(flat, source, tar, new, facts, progress)
        if len(facts.rows) != count:
            raise FileError(f"{tar}: {len(facts.rows)} images where its manifest says {count}")
        if table_path:
            _add_attributes(facts, _table(table_path.read_bytes(), "path", str(table_path)))
    return facts


def _add_attributes(facts: _Facts, table: dict[str, dict[str, str]]) -> None:
    for row in facts.rows:
        attributes = table.get(row["path"].removeprefix("images/"))
        if attributes is None:
            raise FileError(f"the table of attributes has no row for {row['path']}")
        row.update({k: v for k, v in attributes.items() if k not in ("path", "label")})


@contextmanager
def _discarding(downloads: Path) -> Iterator[None]:
    """A file that came whole but is of no use must not be met again by the next run."""
    try:
        yield
    except OSError:
        shutil.rmtree(downloads, ignore_errors=True)
        raise


def _unpack(
    archive: Archive,
    source: Source,
    path: Path,
    new: Path,
    facts: _Facts,
    progress: Progress | None,
) -> None:
    """Copy the images of one archive to `new/images/<label>/`, and note them in `facts`."""
    bar = progress and progress.add_task(f"unpack {path.name}", total=None)
    loose: list[tuple[str, Path]] = []  # images whose label is in a table still to come
    table: dict[str, dict[str, str]] = {}
    for name, stream in unpack.members(path):
        if archive.inner and re.fullmatch(archive.inner, name):
            inner = new / "inner.archive"
            unpack.copy(stream, inner, path)
            for inner_name, inner_stream in unpack.members(inner):
                _image(archive, inner_name, inner_stream, inner, new, facts, loose)
            inner.unlink()
        elif archive.table and re.fullmatch(archive.table[0], name):
            table = _table(unpack.read(stream, path), archive.table[1], f"{path.name}:{name}")
        else:
            _image(archive, name, stream, path, new, facts, loose)
        if bar is not None:
            progress.update(bar, completed=len(facts.rows) + len(loose))
    for file, place in loose:
        attributes = table.get(Path(file).stem)
        label = attributes and attributes.get(source.label_column or "")
        label = archive.labels(label) if label and archive.labels else label
        if not label:
            place.unlink()  # not in the table, or a label we leave out
            continue
        _settle(place, label, file, new, facts, path, attributes)
    shutil.rmtree(new / "loose", ignore_errors=True)
    if not facts.rows:
        raise FileError(f"{path}: no image found in it; is it the right archive?")


def _image(archive, name, stream, path, new, facts, loose) -> None:
    match = re.fullmatch(archive.images, name)
    if not match:
        return
    file, label = match["file"], match.groupdict().get("label")
    if label is None and archive.table:
        place = new / "loose" / file
        place.parent.mkdir(exist_ok=True)
        unpack.copy(stream, place, path)
        loose.append((file, place))
        return
    label = archive.labels(label) if archive.labels else label
    if label is None:
        return
    place = new / "file"
    unpack.copy(stream, place, path)
    _settle(place, label, file, new, facts, path, {})


def _settle(place, label, file, new, facts, path, attributes) -> None:
    folder = re.sub(r"[^\w.-]+", "_", label.replace("-", "_"))
    target = new / "images" / folder / file
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise FileError(f"{path}: two images would become {target.relative_to(new)}")
    os.replace(place, target)
    facts.rows.append(
        {
            "path": target.relative_to(new).as_posix(),
            "label": folder,
            "bytes": str(target.stat().st_size),
            **{k: v for k, v in attributes.items() if k not in ("path", "label")},
        }
    )


def _table(raw: bytes, key: str, where: str) -> dict[str, dict[str, str]]:
    """A table by its `key`; cells beyond the header (commas in a title) are dropped."""
    reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), restkey="")
    if key not in (reader.fieldnames or []):
        raise FileError(f"{where}: no column {key}")
    return {row[key]: {k: (v or "") for k, v in row.items() if k} for row in reader if row.get(key)}


def _write_facts(new: Path, name: str, source: Source, origin: str, facts: _Facts) -> None:
    facts.rows.sort(key=lambda row: row["path"])
    columns = list(dict.fromkeys(column for row in facts.rows for column in row))
    with (new / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(facts.rows)
    about = {
        "name": name,
        "title": source.title,
        "page": source.page,
        "licence": source.licence,
        "pictures_allowed": source.pictures_allowed,
        "credit": source.credit,
        "origin": origin,
        "archives": facts.archives,
        "what_was_changed": facts.changed,
        "images": len(facts.rows),
        "labels": len({row["label"] for row in facts.rows}),
        "index_sha256": _sha256(new / "index.csv"),
    }
    (new / "source.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def _is_whole(folder: Path, origin: str) -> bool:
    """Whether the set is there, from the same origin, with every file of its index."""
    try:
        about = json.loads((folder / "source.json").read_text(encoding="utf-8"))
        if about["origin"] != origin or _sha256(folder / "index.csv") != about["index_sha256"]:
            return False
        with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
            return all(
                os.path.getsize(folder / row["path"]) == int(row["bytes"])
                for row in csv.DictReader(file)
            )
    except (OSError, ValueError, KeyError):
        return False  # absent or damaged: it is fetched anew


def _put(new: Path, folder: Path) -> None:
    """Rename `new` to `folder`; what was there is removed only then."""
    old = new.with_name(new.name + ".old")
    if folder.exists():
        os.replace(folder, old)
    os.replace(new, folder)
    folder.chmod(0o755)
    shutil.rmtree(old, ignore_errors=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _full_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        what = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
        raise FileError(f"{folder}: {what}; nothing was kept") from error


app = typer.Typer(add_completion=False)


@app.command()
def main(
    names: Annotated[list[str], typer.Argument(help=f"{', '.join(SOURCES)}, or all")],
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


def _unchecked(name: str, archive: dict[str, str]) -> bool:
    return any(a.url == archive.get("url") and a.hash is None for a in SOURCES[name].archives)


if __name__ == "__main__":
    app()

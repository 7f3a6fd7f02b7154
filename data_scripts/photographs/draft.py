"""A set of photographs while it is put together: a hidden folder that becomes the set at once."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO

from data_scripts.photographs import unpack
from data_scripts.photographs.sources import Source
from t2v.errors import FileError

_OURS = ("path", "label", "bytes")


class Draft:
    """Collects images and what is known about them.

    Args:
        target: the folder it will become; the draft lies beside it, so that renaming is one step.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        target.parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        self.rows: list[dict[str, str]] = []
        self.archives: list[dict[str, str]] = []
        self.changed = "nothing: the images are the publisher's"

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, stream: IO[bytes], name: str, archive: Path) -> Path:
        """Write a member of an archive to a scratch file, to be given to `add` or removed."""
        place = self.folder / "scratch" / name
        place.parent.mkdir(exist_ok=True)
        unpack.copy(stream, place, archive)
        return place

    def add(self, place: Path, label: str, file: str, attributes: Mapping[str, str]) -> None:
        """Move a scratch file to `images/<label>/<file>` and note it.

        Raises:
            FileError: there is an image of this name already.
        """
        # labels come from folders and tables of others: one plain folder name, whatever they hold
        folder = re.sub(r"^\.+|[^\w.]+", "_", label)
        target = self.folder / "images" / folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise FileError(f"two images would become {target.relative_to(self.folder)}")
        os.replace(place, target)
        path = target.relative_to(self.folder).as_posix()
        own = dict(zip(_OURS, (path, folder, str(target.stat().st_size)), strict=True))
        self.rows.append(own)
        self.describe(own, attributes)

    def describe(self, row: dict[str, str], attributes: Mapping[str, str]) -> None:
        """Add attributes to a row; our own columns stay."""
        row.update({k: v for k, v in attributes.items() if k not in _OURS})

    def finish(self, source: Source, origin: str) -> None:
        """Write the index and the facts, and become the set; a set there before is replaced."""
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)
        self.rows.sort(key=lambda row: row["path"])
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        index = self.folder / "index.csv"
        with index.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        shown = ("title", "page", "licence", "pictures_allowed", "credit")
        about = {
            "name": self.target.name,
            **{k: v for k, v in asdict(source).items() if k in shown},
            "origin": origin,
            "archives": self.archives,
            "what_was_changed": self.changed,
            "images": len(self.rows),
            "labels": len({row["label"] for row in self.rows}),
            "index_sha256": sha256(index),
        }
        text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
        (self.folder / "source.json").write_text(text, encoding="utf-8")
        self.folder.chmod(0o755)
        old = self.folder.with_name(self.folder.name + ".old")
        if self.target.exists():
            os.replace(self.target, old)
        os.replace(self.folder, self.target)
        shutil.rmtree(old, ignore_errors=True)


def is_whole(folder: Path, origin: str) -> bool:
    """Whether a set is there, from the same origin, with every file of its index."""
    try:
        about = json.loads((folder / "source.json").read_text(encoding="utf-8"))
        if about["origin"] != origin or sha256(folder / "index.csv") != about["index_sha256"]:
            return False
        with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
            return all(
                os.path.getsize(folder / row["path"]) == int(row["bytes"])
                for row in csv.DictReader(file)
            )
    except (OSError, ValueError, KeyError):
        return False  # absent or damaged: it is fetched anew


def sha256(path: Path) -> str:
    """Checksum of a file, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()

"""A set of photographs under construction: a hidden folder that is renamed when it is complete."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from data_scripts.photographs import unpack
from data_scripts.photographs.sources import Source
from t2v._run.files import adding_folder, sha256_of
from t2v.errors import FileError

_COLUMNS = ("path", "label", "bytes")


class Draft:
    """A set under construction: its images and their rows in the index.

    When the block ends the folder becomes the set and replaces an older one; if the block raises,
    nothing is left of it.

    Args:
        target: folder of the finished set; its parent is made if needed.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        target.parent.mkdir(parents=True, exist_ok=True)
        self._adding = adding_folder(target, replace=True)
        self.rows: list[dict[str, str]] = []
        self.archives: list[dict[str, str]] = []
        self.changed = "nothing: the images are the publisher's"

    def __enter__(self) -> Draft:
        self.folder = self._adding.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._adding.__exit__(*error)

    def extract(self, stream: IO[bytes], name: str, archive: Path) -> Path:
        """Write a member of an archive to a scratch file, to be added by `add` or removed.

        Args:
            stream: the open member.
            name: name of the scratch file.
            archive: path of the archive, for messages.
        """
        scratch = self.folder / "scratch" / name
        scratch.parent.mkdir(exist_ok=True)
        unpack.copy(stream, scratch, archive)
        return scratch

    def add(self, scratch: Path, label: str, file: str, attributes: Mapping[str, str]) -> None:
        """Move a scratch file to `images/<label>/<file>` and add its row to the index.

        Args:
            scratch: path of the scratch file.
            label: label of the image.
            file: name of the image.
            attributes: further columns of its row.

        Raises:
            FileError: if there is an image of this name already.
        """
        # a label of a publisher may hold any character: one plain folder name is made of it
        folder = re.sub(r"^\.+|[^\w.]+", "_", label)
        target = self.folder / "images" / folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise FileError(f"two images would become {target.relative_to(self.folder)}")
        os.replace(scratch, target)
        path = target.relative_to(self.folder).as_posix()
        row = dict(zip(_COLUMNS, (path, folder, str(target.stat().st_size)), strict=True))
        self.rows.append(row)
        self.describe(row, attributes)

    def describe(self, row: dict[str, str], attributes: Mapping[str, str]) -> None:
        """Add attributes to a row; path, label and bytes stay as they are."""
        row.update({k: v for k, v in attributes.items() if k not in _COLUMNS})

    def finish(self, source: Source, origin: str) -> None:
        """Write `index.csv` and `source.json`.

        Args:
            source: facts about the set.
            origin: "publisher" or "mirror".
        """
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)
        self.rows.sort(key=lambda row: row["path"])
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        index = self.folder / "index.csv"
        with index.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        public = ("title", "page", "licence", "pictures_allowed", "credit")
        about = {
            "name": self.target.name,
            **{k: v for k, v in asdict(source).items() if k in public},
            "origin": origin,
            "archives": self.archives,
            "what_was_changed": self.changed,
            "images": len(self.rows),
            "labels": len({row["label"] for row in self.rows}),
            "index_sha256": sha256_of(index),
        }
        text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
        (self.folder / "source.json").write_text(text, encoding="utf-8")


def is_whole(folder: Path, origin: str) -> bool:
    """Whether a folder holds a set from this origin, with every file of its index."""
    try:
        about = json.loads((folder / "source.json").read_text(encoding="utf-8"))
        if about["origin"] != origin or sha256_of(folder / "index.csv") != about["index_sha256"]:
            return False
        with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
            return all(
                os.path.getsize(folder / row["path"]) == int(row["bytes"])
                for row in csv.DictReader(file)
            )
    except (OSError, ValueError, KeyError):
        return False  # absent or damaged: it is fetched again

"""Files that appear whole or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A hidden file beside `path` to write to; it takes the place of `path` when the block ends.

    If the block raises, `path` stays as it was and the hidden file is removed.

    Args:
        path: the file to be; its folder must exist.
    """
    path = Path(path)
    draft = _draft(path)
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def adding_folder(path: str | Path) -> Iterator[Path]:
    """A hidden folder beside `path` to fill; it becomes `path` when the block ends.

    If the block raises, nothing is left.

    Args:
        path: the folder to be; it must not exist, or be empty.
    """
    path = Path(path)
    draft = _draft(path)
    draft.mkdir()
    try:
        yield draft
        os.rename(draft, path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def sha256_of(path: str | Path) -> str:
    """Checksum of a file, in hexadecimal."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _draft(path: Path) -> Path:
    """A hidden name that no other process or thread takes, with the same suffix."""
    return path.with_name(f".part-{uuid.uuid4().hex[:12]}{path.suffix}")

"""Files that appear whole or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from t2v.errors import FileError


def check_writable(path: str | Path) -> None:
    """Refuse a file that could not be written, before any time goes into its content.

    Raises:
        FileError: naming the file, if its folder does not exist or cannot be written to, if it is
            a folder itself, or if its name cannot be that of a file.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileError(f"{path}: its folder does not exist")
    if path.is_dir():
        raise FileError(f"{path}: is a folder; give the name of a file")
    if not path.exists():
        with _named(path):
            path.touch()  # the name itself may be too long, or hold a forbidden character
            path.unlink()
    draft = _draft(path)
    with _named(path):
        draft.touch()
        draft.unlink()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of the file system name `path`, not the hidden file beside it."""
    try:
        yield
    except (FileError, FileNotFoundError):
        raise
    except (OSError, SafetensorError, UnicodeEncodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{path}: cannot be written ({reason})") from None


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A hidden file beside `path` to write to; it takes the place of `path` when the block ends.

    If the block raises, `path` stays as it was and the hidden file is removed. The new file has
    the permissions of any new file, whatever those of the old one were.

    Args:
        path: the file to be; its folder must exist.

    Raises:
        FileError: naming `path`, if the file system refuses it.
    """
    path = Path(path)
    draft = _draft(path)
    with _named(path):
        # some writers (safetensors, tempfile) make files that only their owner can read
        draft.touch()
        mode = stat.S_IMODE(draft.stat().st_mode)
        draft.unlink()
        try:
            yield draft
            draft.chmod(mode)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def adding_folder(path: str | Path, *, replace: bool = False) -> Iterator[Path]:
    """A hidden folder beside `path` to fill; it becomes `path` when the block ends.

    If the block raises, nothing is left of it.

    Args:
        path: the folder to be; its parent must exist.
        replace: a folder that is there is removed; otherwise it must be empty.
    """
    path = Path(path)
    draft, old = _draft(path), _draft(path)
    with _named(path):
        draft.mkdir()
    try:
        yield draft
        if replace and path.exists():
            os.rename(path, old)
        os.rename(draft, path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


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
